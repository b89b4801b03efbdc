//! `providers`: the seven presets of the core, by name and with their facts.

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::io::Write;
use tokenward::{
    ApiOrigins, BasicEncoding, BodyFormat, ClientAuthentication, Environment, Exposure, Grant, IssuedBy,
    MissingLifetime, Provider, TokenAlphabet, TokenKind, ZeroLifetime, providers,
};

use crate::failure::{Failure, Status};
use crate::paint::{BOLD, DIM, Painted};

/// A preset of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    FlipUtility,
    FlipUtilityApiKey,
    FlipEnergyClient,
    FlipEnergySite,
    Flume,
    Opower,
    Flute,
}

/// What a preset leaves to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Environment,
    BaseUrl,
    Site,
    IssuedBy,
}

impl Need {
    /// The command's option.
    pub(crate) const fn option(self) -> &'static str {
        match self {
            Self::Environment => "--environment",
            Self::BaseUrl => "--base-url",
            Self::Site => "--site",
            Self::IssuedBy => "--issued-by",
        }
    }

    const fn member(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::BaseUrl => "base_url",
            Self::Site => "site",
            Self::IssuedBy => "issued_by",
        }
    }
}

impl Preset {
    pub(crate) const ALL: [Self; 7] = [
        Self::FlipUtility,
        Self::FlipUtilityApiKey,
        Self::FlipEnergyClient,
        Self::FlipEnergySite,
        Self::Flume,
        Self::Opower,
        Self::Flute,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FlipUtility => "flip_utility",
            Self::FlipUtilityApiKey => "flip_utility_api_key",
            Self::FlipEnergyClient => "flip_energy_client",
            Self::FlipEnergySite => "flip_energy_site",
            Self::Flume => "flume",
            Self::Opower => "opower",
            Self::Flute => "flute",
        }
    }

    /// `flip-utility` means `flip_utility`.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name().chars().eq(name.chars().map(underscored)))
    }

    const fn about(self) -> &'static str {
        match self {
            Self::FlipUtility => "Flip Utility with an OAuth client",
            Self::FlipUtilityApiKey => "Flip Utility with a static API key",
            Self::FlipEnergyClient => "Flip Energy's client token",
            Self::FlipEnergySite => "Flip Energy's token for one site",
            Self::Flume => "Flume",
            Self::Opower => "Oracle Utilities Opower",
            Self::Flute => "Flute",
        }
    }

    pub(crate) const fn needs(self) -> &'static [Need] {
        match self {
            Self::FlipUtility | Self::FlipUtilityApiKey | Self::Flute => &[Need::Environment],
            Self::FlipEnergyClient | Self::Flume | Self::Opower => &[Need::BaseUrl],
            Self::FlipEnergySite => &[Need::BaseUrl, Need::Site, Need::IssuedBy],
        }
    }

    /// The core's value. What the preset does not take is ignored.
    pub(crate) const fn provider(
        self,
        environment: Environment,
        base_url: &str,
        issued_by: IssuedBy,
    ) -> Provider<'_> {
        match self {
            Self::FlipUtility => providers::flip_utility(environment),
            Self::FlipUtilityApiKey => providers::flip_utility_api_key(environment),
            Self::FlipEnergyClient => providers::flip_energy_client(base_url),
            Self::FlipEnergySite => providers::flip_energy_site(base_url, issued_by),
            Self::Flume => providers::flume(base_url),
            Self::Opower => providers::opower(base_url),
            Self::Flute => providers::flute(environment),
        }
    }

    /// The value that reads this provider's answers: environment and host do not matter to that.
    pub(crate) const fn reader(self) -> Provider<'static> {
        self.provider(Environment::Sandbox, "https://provider.invalid", IssuedBy::ClientToken)
    }

    /// One value for each environment or issuer.
    fn values(self) -> Vec<Provider<'static>> {
        let value = |environment, issued_by| self.provider(environment, HOST, issued_by);
        match self.needs() {
            [Need::Environment] => {
                [Environment::Sandbox, Environment::Production].map(|e| value(e, IssuedBy::Backend)).to_vec()
            }
            [Need::BaseUrl] => vec![value(Environment::Sandbox, IssuedBy::Backend)],
            _ => [IssuedBy::ClientToken, IssuedBy::Backend].map(|i| value(Environment::Sandbox, i)).to_vec(),
        }
    }
}

/// Stands for the host that the caller gives.
const HOST: &str = "https://{host}";

fn underscored(c: char) -> char {
    if c == '-' { '_' } else { c }
}

impl ValueEnum for Preset {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let name = self.name();
        let dashed = name.replace('_', "-");
        let value = PossibleValue::new(name).help(self.about());
        Some(if dashed == name { value } else { value.alias(dashed) })
    }
}

/// The presets and their facts.
#[derive(Debug, Args)]
pub(crate) struct Providers {
    /// Print one JSON object; each `values` element is a provider object that `--provider-file` reads
    #[arg(long)]
    json: bool,
}

impl Providers {
    pub(crate) fn run(&self) -> Result<Status, Failure> {
        let mut out = anstream::stdout().lock();
        if self.json {
            let presets: Vec<_> = Preset::ALL.into_iter().map(described).collect();
            writeln!(out, "{}", json!({ "providers": presets }))?;
            return Ok(Status::Ok);
        }
        let head = ["PRESET", "GRANTS", "AUTHENTICATION", "BODY", "WITHOUT expires_in", "MAY HOLD IT"];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(Preset::ALL.map(row));
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        for (n, row) in rows.iter().enumerate() {
            let cells: Vec<_> =
                row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            let line = cells.join("  ");
            match n {
                0 => writeln!(out, "{}", Painted(BOLD, line.trim_end()))?,
                _ => writeln!(out, "{}", line.trim_end())?,
            }
        }
        for preset in Preset::ALL {
            let values = preset.values();
            writeln!(out, "\n{}  {}", Painted(BOLD, preset.name()), Painted(DIM, preset.about()))?;
            let options: Vec<_> = preset.needs().iter().map(|need| need.option()).collect();
            writeln!(out, "  wants      {}", options.join(", "))?;
            if let Some(value) = values.first().filter(|value| !value.grants.is_empty()) {
                writeln!(out, "  token URL  {}{}", value.base_url, value.token_path)?;
            } else {
                writeln!(out, "  token URL  none: its token is installed")?;
            }
            for value in values.iter().filter(|value| !value.environment.is_empty()) {
                writeln!(out, "  API        {:10}  {}", value.environment, origins(value).join(", "))?;
            }
            if let Some(value) = values.first().filter(|value| value.environment.is_empty()) {
                let routes = match value.routes.len() {
                    0 => String::new(),
                    rows => format!(", {rows} routes"),
                };
                writeln!(out, "  API        {}{routes}", origins(value).join(", "))?;
            }
        }
        Ok(Status::Ok)
    }
}

fn row(preset: Preset) -> [String; 6] {
    let provider = preset.reader();
    let grants: Vec<_> = provider.grants.iter().map(|grant| grant.name()).collect();
    let (_, body) = authentication_and_body(&provider);
    [
        preset.name().to_owned(),
        if grants.is_empty() { "none (static)".to_owned() } else { grants.join(", ") },
        if grants.is_empty() { "-".to_owned() } else { authentication_and_body(&provider).0.to_owned() },
        if grants.is_empty() || provider.grants == [Grant::SiteToken] { "-" } else { body }.to_owned(),
        match provider.missing_lifetime {
            MissingLifetime::JwtExpiry { else_seconds } => format!("exp of a JWT, else {else_seconds} s"),
            MissingLifetime::Assume(seconds) => format!("{seconds} s"),
            MissingLifetime::Never => "no end".to_owned(),
            MissingLifetime::Refuse => "refused".to_owned(),
        },
        match (preset, provider.exposure) {
            (Preset::FlipEnergySite, _) => "apps, by their backend",
            (_, Exposure::AppAllowed) => "apps",
            (_, Exposure::ServerOnly) => "servers",
        }
        .to_owned(),
    ]
}

fn origins<'a>(provider: &Provider<'a>) -> Vec<&'a str> {
    match provider.api_origins {
        ApiOrigins::AnyHttps => vec![],
        ApiOrigins::BaseUrl => vec![provider.base_url],
        ApiOrigins::Listed(origins) => origins.to_vec(),
    }
}

const fn authentication_and_body(provider: &Provider<'_>) -> (&'static str, &'static str) {
    let authentication = match provider.authentication {
        ClientAuthentication::Basic(BasicEncoding::Raw) => "basic_raw",
        ClientAuthentication::Basic(BasicEncoding::Rfc6749Form) => "basic",
        ClientAuthentication::Post => "post",
        ClientAuthentication::Bearer => "bearer",
        ClientAuthentication::None => "none",
    };
    let body = match provider.body {
        BodyFormat::Form => "form",
        BodyFormat::Json => "json",
    };
    (authentication, body)
}

fn described(preset: Preset) -> Value {
    let needs: Vec<_> = preset.needs().iter().map(|need| need.member()).collect();
    let values: Vec<_> = preset.values().iter().map(provider_object).collect();
    json!({ "preset": preset.name(), "about": preset.about(), "needs": needs, "values": values })
}

/// The provider as the JSON object that scenarios and `--provider-file` take.
fn provider_object(provider: &Provider<'_>) -> Value {
    let (authentication, body) = authentication_and_body(provider);
    let grants: Vec<_> = provider.grants.iter().map(|grant| grant.name()).collect();
    let routes: Vec<_> = provider
        .routes
        .iter()
        .map(|route| {
            let token = match route.token {
                TokenKind::Client => "client",
                TokenKind::Site => "site",
            };
            json!({ "method": route.method, "path": route.path, "token": token })
        })
        .collect();
    let error_codes: serde_json::Map<_, _> =
        provider.error_codes.iter().map(|(own, standard)| ((*own).to_owned(), json!(standard))).collect();
    json!({
        "name": provider.name,
        "environment": provider.environment,
        "token_url": format!("{}{}", provider.base_url, provider.token_path),
        "api_origins": origins(provider),
        "grants": grants,
        "authentication": authentication,
        "body": body,
        "scope": provider.scope,
        "member_path": provider.member_path,
        "error_path": provider.error_path,
        "error_codes": error_codes,
        "token_type_required": provider.token_type_required,
        "token_type_aliases": provider.token_type_aliases,
        "token_alphabet": match provider.token_alphabet {
            TokenAlphabet::B64Token => "b64token",
            TokenAlphabet::Visible => "visible",
        },
        "missing_lifetime": match provider.missing_lifetime {
            MissingLifetime::JwtExpiry { else_seconds } => json!({ "jwt_expiry_else": else_seconds }),
            MissingLifetime::Assume(seconds) => json!({ "assume": seconds }),
            MissingLifetime::Never => json!("never"),
            MissingLifetime::Refuse => json!("refuse"),
        },
        "zero_lifetime": match provider.zero_lifetime {
            ZeroLifetime::Expired => "expired",
            ZeroLifetime::Never => "never",
        },
        "routes": routes,
        "exposure": match provider.exposure {
            Exposure::ServerOnly => "server_only",
            Exposure::AppAllowed => "app_allowed",
        },
    })
}
