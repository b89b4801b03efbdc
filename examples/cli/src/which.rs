//! Which token service is meant: a preset with what it leaves open, or a provider of the caller's own.

use std::fs;
use std::path::{Path, PathBuf};

use bumpalo::Bump;
use clap::{Args, ValueEnum};
use serde_json::Value;
use tokenward::parts::LoopbackHttp;
use tokenward::{Grant, Identity, Provider};
use tokenward_conformance::description::{self, Need, Preset};

use crate::failure::Failure;
use crate::presets::{self, option};

/// The token service.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// A preset
    #[arg(value_name = "PROVIDER", value_parser = presets::parser(), required_unless_present = "provider_file")]
    preset: Option<Preset>,

    /// Where the service runs; a preset with environments has no default
    #[arg(long, value_name = "NAME")]
    environment: Option<EnvironmentName>,

    /// Scheme, host and port of the token endpoint
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,

    /// Where the tokens may be sent, instead of the preset's own origins; may be given again
    #[arg(long = "api-origin", value_name = "URL")]
    api_origins: Vec<String>,

    /// The site that the token is for
    #[arg(long, value_name = "ID")]
    site: Option<String>,

    /// Whose token it is, where several people or clients use one service; a part of the token's identity
    #[arg(long, value_name = "NAME")]
    account: Option<String>,

    /// Who obtains the site token
    #[arg(long, value_name = "WHO")]
    issued_by: Option<IssuedByName>,

    /// Allow plain http to this machine, for tests
    #[arg(long)]
    allow_loopback_http: bool,

    /// A provider of your own: a JSON object (see `tokenward providers --json`)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["preset", "issued_by"])]
    provider_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EnvironmentName {
    Sandbox,
    Production,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum IssuedByName {
    #[value(alias("client_token"))]
    ClientToken,
    Backend,
}

impl Which {
    /// The provider and whose token it is.
    pub(crate) fn choose<'a>(&'a self, arena: &'a Bump) -> Result<(Provider<'a>, Identity<'a>), Failure> {
        let mut provider = match (self.preset, &self.provider_file) {
            (Some(preset), _) => *self.preset(preset)?,
            (None, Some(file)) => read_provider(file, arena)?,
            (None, None) => return Err(Failure::usage("which PROVIDER? see `tokenward providers`")),
        };
        if !self.api_origins.is_empty() {
            let origins: Vec<_> = self.api_origins.iter().map(String::as_str).collect();
            provider.api_origins = Some(arena.alloc_slice_copy(&origins));
            provider.any_https_origin = false;
        }
        provider.loopback_http = self.allow_loopback_http.then_some(LoopbackHttp::ALLOWED);
        let identity = Identity {
            environment: None,
            base_url: self.base_url.as_deref(),
            account: self.account.as_deref(),
            site: self.site.as_deref(),
        };
        Ok((provider, identity))
    }

    fn preset(&self, preset: Preset) -> Result<&'static Provider<'static>, Failure> {
        for need in preset.needs() {
            let given = match need {
                Need::Environment => self.environment.is_some(),
                Need::BaseUrl => self.base_url.is_some(),
                Need::Site => self.site.is_some(),
                Need::IssuedBy => self.issued_by.is_some(),
            };
            if !given {
                let value = match need {
                    Need::Environment => "sandbox or production",
                    Need::BaseUrl => "https://HOST",
                    Need::Site => "ID",
                    Need::IssuedBy => "client-token or backend",
                };
                return Err(Failure::usage(format!(
                    "{} wants {}: {value}; it has no default",
                    preset.name(),
                    option(need)
                )));
            }
        }
        let unused = [
            (self.environment.is_some(), Need::Environment),
            (self.site.is_some(), Need::Site),
            (self.issued_by.is_some(), Need::IssuedBy),
        ];
        if let Some((_, need)) =
            unused.into_iter().find(|(given, need)| *given && !preset.needs().contains(need))
        {
            return Err(Failure::usage(format!("{} takes no {}: leave it out", preset.name(), option(need))));
        }
        let environment = self.environment.map(|name| match name {
            EnvironmentName::Sandbox => "sandbox",
            EnvironmentName::Production => "production",
        });
        let issued_by = self.issued_by.map(|name| match name {
            IssuedByName::ClientToken => "client_token",
            IssuedByName::Backend => "backend",
        });
        preset.choose(environment, issued_by).map_err(Failure::usage)
    }
}

/// The provider whose answers are read: none of the options that only a request needs.
#[derive(Debug, Args)]
pub(crate) struct Reader {
    /// Read as an answer of this preset
    #[arg(long, value_name = "PRESET", value_parser = presets::parser())]
    provider: Option<Preset>,

    /// Read as an answer of a provider of your own: a JSON object
    #[arg(long, value_name = "FILE", conflicts_with = "provider")]
    provider_file: Option<PathBuf>,
}

impl Reader {
    pub(crate) fn choose<'a>(&self, arena: &'a Bump) -> Result<Provider<'a>, Failure> {
        match (self.provider, &self.provider_file) {
            (Some(preset), _) => Ok(*preset.reader()),
            (None, Some(file)) => read_provider(file, arena),
            (None, None) => Ok(any_reader()),
        }
    }
}

/// Reads the answers of any service by RFC 6749, refresh tokens included.
pub(crate) const fn any_reader() -> Provider<'static> {
    Provider { primary_grant: Some(Grant::ClientCredentials), refresh_grant: true, ..Provider::custom() }
}

fn read_provider<'a>(file: &Path, arena: &'a Bump) -> Result<Provider<'a>, Failure> {
    let shown = file.display();
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}; give a readable file")))?;
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("{shown} is no JSON: {error}; mend the file")))?;
    let Value::Object(object) = value else {
        return Err(Failure::usage(format!("{shown} is no JSON object: describe the provider as one")));
    };
    let named = |fault: String| {
        Failure::usage(format!("{shown}: {fault}; `tokenward providers --json` shows seven such objects"))
    };
    description::read(arena.alloc(object), arena).map_err(named)
}
