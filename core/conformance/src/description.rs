//! Providers as JSON: the one object that scenarios, `--provider-file` and `tokenward providers --json` share, and the
//! presets by name. Nothing else converts between JSON and the core's provider.

use bumpalo::Bump;
use serde_json::{Map, Value, json};
use tokenward::{
    ApiOrigins, BasicEncoding, BodyFormat, ClientAuthentication, Environment, Exposure, Grant, IssuedBy,
    MissingLifetime, Provider, RefreshPolicy, Route, TokenAlphabet, TokenKind, ZeroLifetime, providers,
};

use crate::members::{integer, list, optional, required, text};

/// A preset of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Flip Utility with an OAuth client.
    FlipUtility,
    /// Flip Utility with a static API key.
    FlipUtilityApiKey,
    /// Flip Energy's client token.
    FlipEnergyClient,
    /// Flip Energy's token for one site.
    FlipEnergySite,
    /// Flume.
    Flume,
    /// Oracle Utilities Opower.
    Opower,
    /// Flute.
    Flute,
}

/// What a preset leaves to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// `sandbox` or `production`.
    Environment,
    /// Scheme, host and port of the token endpoint.
    BaseUrl,
    /// The site that the token is for.
    Site,
    /// Who obtains the site token: `client_token` or `backend`.
    IssuedBy,
}

impl Need {
    /// The member of a scenario that gives it.
    #[must_use]
    pub const fn member(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::BaseUrl => "base_url",
            Self::Site => "site",
            Self::IssuedBy => "issued_by",
        }
    }
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::FlipUtility,
        Self::FlipUtilityApiKey,
        Self::FlipEnergyClient,
        Self::FlipEnergySite,
        Self::Flume,
        Self::Opower,
        Self::Flute,
    ];

    /// Its name in scenarios.
    #[must_use]
    pub const fn name(self) -> &'static str {
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

    /// The preset of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// What its user must give.
    #[must_use]
    pub const fn needs(self) -> &'static [Need] {
        match self {
            Self::FlipUtility | Self::FlipUtilityApiKey | Self::Flute => &[Need::Environment],
            Self::FlipEnergyClient | Self::Flume | Self::Opower => &[Need::BaseUrl],
            Self::FlipEnergySite => &[Need::BaseUrl, Need::Site, Need::IssuedBy],
        }
    }

    /// The core's value. What the preset does not take is ignored.
    #[must_use]
    pub const fn provider(
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
    #[must_use]
    pub const fn reader(self) -> Provider<'static> {
        self.provider(Environment::Sandbox, "https://provider.invalid", IssuedBy::ClientToken)
    }

    /// One value for each environment or issuer.
    #[must_use]
    pub fn values(self, base_url: &str) -> Vec<Provider<'_>> {
        let value = |environment, issued_by| self.provider(environment, base_url, issued_by);
        match self.needs() {
            [Need::Environment] => {
                [Environment::Sandbox, Environment::Production].map(|e| value(e, IssuedBy::Backend)).to_vec()
            }
            [Need::BaseUrl] => vec![value(Environment::Sandbox, IssuedBy::Backend)],
            _ => [IssuedBy::ClientToken, IssuedBy::Backend].map(|i| value(Environment::Sandbox, i)).to_vec(),
        }
    }
}

/// A provider from its object, the numbers of its policy included; what it leaves out has the default of a custom
/// provider.
///
/// # Errors
/// A sentence, where the object describes no provider.
pub fn read<'a>(object: &'a Map<String, Value>, arena: &'a Bump) -> Result<Provider<'a>, String> {
    let mut provider = custom(object, arena)?;
    override_policy(&mut provider.policy, object.get("policy"))?;
    Ok(provider)
}

/// A scenario's provider: a preset by its name, or an object. The members of `overrides`, a `restart`, win.
pub(crate) fn of_scenario<'a>(
    scenario: &'a Map<String, Value>,
    overrides: &'a Map<String, Value>,
    arena: &'a Bump,
) -> Result<&'a Provider<'a>, String> {
    let given = scenario.get("provider");
    let mut provider = match given {
        Some(Value::String(name)) => preset_of_scenario(name, scenario, overrides)?,
        Some(Value::Object(object)) => {
            let mut provider = custom(object, arena)?;
            if let Some(environment) = optional(overrides, "environment", text)? {
                provider.environment = environment;
            }
            if let Some(base_url) = optional(overrides, "base_url", text)? {
                provider.base_url = base_url;
            }
            provider
        }
        _ => return Err("`provider` is a preset's name or an object".to_owned()),
    };
    provider.allow_loopback_http = scenario.get("allow_loopback_http") == Some(&Value::Bool(true));
    provider.policy.jitter_permille = 0;
    for policy in [given.and_then(|given| given.get("policy")), scenario.get("policy")] {
        override_policy(&mut provider.policy, policy)?;
    }
    Ok(arena.alloc(provider))
}

fn preset_of_scenario<'a>(
    name: &str,
    scenario: &'a Map<String, Value>,
    overrides: &'a Map<String, Value>,
) -> Result<Provider<'a>, String> {
    let preset = Preset::by_name(name).ok_or_else(|| format!("no preset {name:?}"))?;
    let member = |need: Need| match optional(overrides, need.member(), text)? {
        _ if !preset.needs().contains(&need) => Ok(None),
        Some(value) => Ok(Some(value)),
        None => required(scenario, need.member(), text).map(Some),
    };
    let environment = match member(Need::Environment)? {
        None | Some("sandbox") => Environment::Sandbox,
        Some("production") => Environment::Production,
        Some(other) => return Err(format!("no environment {other:?}")),
    };
    let issued_by = match member(Need::IssuedBy)? {
        Some("client_token") => IssuedBy::ClientToken,
        None | Some("backend") => IssuedBy::Backend,
        Some(other) => return Err(format!("no issuer {other:?}")),
    };
    Ok(preset.provider(environment, member(Need::BaseUrl)?.unwrap_or_default(), issued_by))
}

fn override_policy(policy: &mut RefreshPolicy, numbers: Option<&Value>) -> Result<(), String> {
    let Some(numbers) = numbers else { return Ok(()) };
    let numbers = numbers.as_object().ok_or("`policy` is an object")?;
    let small = |value: &Value| u32::try_from(integer(value)?).map_err(|_| "is too large".to_owned());
    for (name, value) in numbers {
        let within = |fault| format!("policy {name}: {fault}");
        match name.as_str() {
            "fraction_permille" => policy.fraction_permille = small(value).map_err(within)?,
            "margin_ms" => policy.margin_ms = integer(value).map_err(within)?,
            "min_interval_ms" => policy.min_interval_ms = integer(value).map_err(within)?,
            "jitter_permille" => policy.jitter_permille = small(value).map_err(within)?,
            "startup_spread_ms" => policy.startup_spread_ms = integer(value).map_err(within)?,
            "response_timeout_ms" => policy.response_timeout_ms = integer(value).map_err(within)?,
            "first_backoff_ms" => policy.first_backoff_ms = integer(value).map_err(within)?,
            "max_backoff_ms" => policy.max_backoff_ms = integer(value).map_err(within)?,
            "max_lifetime_s" => policy.max_lifetime_s = integer(value).map_err(within)?,
            "refresh_attempts" => policy.refresh_attempts = small(value).map_err(within)?,
            "shared_storage" => {
                policy.shared_storage = value.as_bool().ok_or("`shared_storage` is a boolean")?
            }
            _ => return Err(format!("no policy number {name:?}")),
        }
    }
    Ok(())
}

/// A provider object without its policy.
fn custom<'a>(object: &'a Map<String, Value>, arena: &'a Bump) -> Result<Provider<'a>, String> {
    const KNOWN: [&str; 20] = [
        "name",
        "environment",
        "token_url",
        "api_origins",
        "grants",
        "authentication",
        "body",
        "scope",
        "member_path",
        "error_path",
        "error_codes",
        "token_type_required",
        "token_type_aliases",
        "token_alphabet",
        "missing_lifetime",
        "zero_lifetime",
        "routes",
        "exposure",
        "policy",
        "comment",
    ];
    if let Some(unknown) = object.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!("a provider has no {unknown:?}"));
    }
    let string = |name| optional(object, name, text).map(Option::unwrap_or_default);
    let strings = |name| -> Result<&'a [&'a str], String> {
        let list = list(object, name)?.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        Ok(arena.alloc_slice_copy(&list))
    };
    let default = Provider::custom();
    let origins = strings("api_origins")?;
    Ok(Provider {
        name: string("name")?,
        environment: string("environment")?,
        base_url: string("token_url")?,
        token_path: "",
        api_origins: if origins.is_empty() { ApiOrigins::AnyHttps } else { ApiOrigins::Listed(origins) },
        grants: {
            let read = |value| {
                let name = text(value)?;
                grant(name).ok_or_else(|| format!("no grant {name:?}"))
            };
            let grants = list(object, "grants")?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            arena.alloc_slice_copy(&grants)
        },
        authentication: match optional(object, "authentication", text)? {
            None => default.authentication,
            Some("basic") => ClientAuthentication::Basic(BasicEncoding::Rfc6749Form),
            Some("basic_raw") => ClientAuthentication::Basic(BasicEncoding::Raw),
            Some("post") => ClientAuthentication::Post,
            Some("bearer") => ClientAuthentication::Bearer,
            Some("none") => ClientAuthentication::None,
            Some(other) => return Err(format!("no authentication {other:?}")),
        },
        body: match optional(object, "body", text)? {
            None | Some("form") => BodyFormat::Form,
            Some("json") => BodyFormat::Json,
            Some(other) => return Err(format!("no body {other:?}")),
        },
        scope: string("scope")?,
        member_path: string("member_path")?,
        error_path: string("error_path")?,
        error_codes: match object.get("error_codes") {
            None => &[],
            Some(codes) => {
                let codes = codes.as_object().ok_or("`error_codes` is an object")?;
                let codes = codes
                    .iter()
                    .map(|(own, standard)| Ok((own.as_str(), text(standard)?)))
                    .collect::<Result<Vec<_>, String>>()?;
                arena.alloc_slice_copy(&codes)
            }
        },
        token_type_required: object.get("token_type_required") == Some(&Value::Bool(true)),
        token_type_aliases: strings("token_type_aliases")?,
        token_alphabet: match optional(object, "token_alphabet", text)? {
            None | Some("b64token") => TokenAlphabet::B64Token,
            Some("visible") => TokenAlphabet::Visible,
            Some(other) => return Err(format!("no alphabet {other:?}")),
        },
        missing_lifetime: match object.get("missing_lifetime") {
            None => default.missing_lifetime,
            Some(Value::String(policy)) if policy == "never" => MissingLifetime::Never,
            Some(Value::String(policy)) if policy == "refuse" => MissingLifetime::Refuse,
            Some(Value::Object(policy)) => {
                if let Some(else_seconds) = optional(policy, "jwt_expiry_else", integer)? {
                    MissingLifetime::JwtExpiry { else_seconds }
                } else {
                    MissingLifetime::Assume(required(policy, "assume", integer)?)
                }
            }
            Some(other) => return Err(format!("no missing_lifetime {other}")),
        },
        zero_lifetime: match optional(object, "zero_lifetime", text)? {
            None | Some("expired") => ZeroLifetime::Expired,
            Some("never") => ZeroLifetime::Never,
            Some(other) => return Err(format!("no zero_lifetime {other:?}")),
        },
        routes: {
            let routes = list(object, "routes")?.iter().map(route).collect::<Result<Vec<_>, _>>()?;
            arena.alloc_slice_copy(&routes)
        },
        exposure: match optional(object, "exposure", text)? {
            None | Some("server_only") => Exposure::ServerOnly,
            Some("app_allowed") => Exposure::AppAllowed,
            Some(other) => return Err(format!("no exposure {other:?}")),
        },
        ..default
    })
}

/// The grant of this name.
#[must_use]
pub fn grant(name: &str) -> Option<Grant> {
    [Grant::ClientCredentials, Grant::Password, Grant::RefreshToken, Grant::SiteToken]
        .into_iter()
        .find(|grant| grant.name() == name)
}

fn route(value: &Value) -> Result<Route<'_>, String> {
    let route = value.as_object().ok_or("a route is an object")?;
    Ok(Route {
        method: required(route, "method", text)?,
        path: required(route, "path", text)?,
        token: match required(route, "token", text)? {
            "client" => TokenKind::Client,
            "site" => TokenKind::Site,
            other => return Err(format!("no token kind {other:?}")),
        },
    })
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

/// The object of a provider; the numbers of its policy are left out.
#[must_use]
pub fn write(provider: &Provider<'_>) -> Value {
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
