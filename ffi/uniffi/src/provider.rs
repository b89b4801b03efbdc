//! Token services as data: records that both languages can change, and the core's providers.

use bumpalo::Bump;
use tokenward::{
    ApiOrigins, BasicEncoding, BodyFormat, ClientAuthentication, Environment, Error, Exposure, Grant,
    IssuedBy, MissingLifetime, Provider, RefreshPolicy, Route, TokenAlphabet, TokenKind, ZeroLifetime,
    providers,
};

use crate::CoreError;
use crate::error::caught;

/// A token service, without a secret: [`Provider`], its choices as words.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ProviderRecord {
    /// Its name, a part of a token's identity.
    pub name: String,
    /// Its environment, a part of a token's identity.
    pub environment: String,
    /// Scheme and authority of the token endpoint; a path may follow.
    pub base_url: String,
    /// Follows `base_url`; `{site}` stands for the subject's site.
    pub token_path: String,
    /// Its tokens may be sent to every `https` origin.
    pub any_https: bool,
    /// Its tokens may be sent to the origin of `base_url`.
    pub base_url_origin: bool,
    /// Its tokens may be sent to these origins. Of the three ways one alone is taken.
    pub api_origins: Vec<String>,
    /// Plain `http` to the loopback interface is allowed, for tests.
    pub allow_loopback_http: bool,
    /// `client_credentials`, `password`, `site_token`, `refresh_token`.
    pub grants: Vec<String>,
    /// `basic`, `basic_raw`, `post`, `bearer` or `none`.
    pub authentication: String,
    /// `form` or `json`.
    pub body: String,
    /// The scope to ask for; empty for none.
    pub scope: String,
    /// Where the token's members stand in an answer; empty for the top object.
    pub member_path: String,
    /// Where an error code stands if there is no top-level `error`; empty for nowhere.
    pub error_path: String,
    /// The service's own error codes.
    pub error_codes: Vec<ErrorCodeRecord>,
    /// An answer without `token_type` is refused.
    pub token_type_required: bool,
    /// Values of `token_type` that mean Bearer.
    pub token_type_aliases: Vec<String>,
    /// `b64token` or `visible`.
    pub token_alphabet: String,
    /// `jwt_expiry_else`, `assume`, `never` or `refuse`.
    pub missing_lifetime: String,
    /// The seconds of `jwt_expiry_else` and `assume`; 0 for the others.
    pub missing_lifetime_seconds: u64,
    /// `expired` or `never`.
    pub zero_lifetime: String,
    /// Which token opens which endpoint; empty: every path of the origins.
    pub routes: Vec<RouteRecord>,
    /// `server_only` or `app_allowed`.
    pub exposure: String,
    /// When its tokens are refreshed.
    pub policy: PolicyRecord,
}

/// An error code of a service and the standard one that it stands for.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ErrorCodeRecord {
    /// The service's own.
    pub service: String,
    /// That of RFC 6749 section 5.2.
    pub standard: String,
}

/// An endpoint and the kind of token that opens it.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct RouteRecord {
    /// The method, compared with case.
    pub method: String,
    /// The path: `{site}` is the subject's own site, any other `{name}` one segment.
    pub path: String,
    /// `client` or `site`.
    pub token: String,
}

/// [`RefreshPolicy`].
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct PolicyRecord {
    /// [`RefreshPolicy::fraction_permille`].
    pub fraction_permille: u32,
    /// [`RefreshPolicy::margin_ms`].
    pub margin_ms: u64,
    /// [`RefreshPolicy::min_interval_ms`].
    pub min_interval_ms: u64,
    /// [`RefreshPolicy::jitter_permille`].
    pub jitter_permille: u32,
    /// [`RefreshPolicy::startup_spread_ms`].
    pub startup_spread_ms: u64,
    /// [`RefreshPolicy::response_timeout_ms`].
    pub response_timeout_ms: u64,
    /// [`RefreshPolicy::first_backoff_ms`].
    pub first_backoff_ms: u64,
    /// [`RefreshPolicy::max_backoff_ms`].
    pub max_backoff_ms: u64,
    /// [`RefreshPolicy::max_lifetime_s`].
    pub max_lifetime_s: u64,
    /// [`RefreshPolicy::refresh_attempts`].
    pub refresh_attempts: u32,
    /// [`RefreshPolicy::shared_storage`].
    pub shared_storage: bool,
}

/// The defaults of a custom provider.
///
/// # Errors
/// [`CoreError::Internal`] alone.
#[uniffi::export]
pub fn custom_provider() -> Result<ProviderRecord, CoreError> {
    caught(|| Ok(ProviderRecord::of(&Provider::custom())))
}

/// A provider of the core by its name: `flip_utility`, `flip_utility_api_key` and `flute` with an environment,
/// `sandbox` or `production`; `flip_energy_client`, `flume` and `opower` with a base URL; `flip_energy_site`
/// with a base URL and who issues the token, `client_token` or `backend`.
///
/// # Errors
/// [`CoreError::Input`], `invalid_provider`: an unknown name, an argument that is missing or one too many.
#[uniffi::export]
pub fn preset(
    name: String,
    environment: Option<String>,
    base_url: Option<String>,
    issued_by: Option<String>,
) -> Result<ProviderRecord, CoreError> {
    caught(|| {
        let environment = environment.as_deref().map(|name| of_name(&ENVIRONMENTS, name)).transpose()?;
        let issued_by = issued_by.as_deref().map(|name| of_name(&ISSUERS, name)).transpose()?;
        let provider = match (name.as_str(), environment, base_url.as_deref(), issued_by) {
            ("flip_utility", Some(environment), None, None) => providers::flip_utility(environment),
            ("flip_utility_api_key", Some(environment), None, None) => {
                providers::flip_utility_api_key(environment)
            }
            ("flip_energy_client", None, Some(base_url), None) => providers::flip_energy_client(base_url),
            ("flip_energy_site", None, Some(base_url), Some(issued_by)) => {
                providers::flip_energy_site(base_url, issued_by)
            }
            ("flume", None, Some(base_url), None) => providers::flume(base_url),
            ("opower", None, Some(base_url), None) => providers::opower(base_url),
            ("flute", Some(environment), None, None) => providers::flute(environment),
            _ => return Err(Error::InvalidProvider.into()),
        };
        Ok(ProviderRecord::of(&provider))
    })
}

type Names<T, const N: usize> = [(&'static str, T); N];

const ENVIRONMENTS: Names<Environment, 2> = [
    (Environment::Sandbox.name(), Environment::Sandbox),
    (Environment::Production.name(), Environment::Production),
];
const ISSUERS: Names<IssuedBy, 2> = [("client_token", IssuedBy::ClientToken), ("backend", IssuedBy::Backend)];
const GRANTS: Names<Grant, 4> = [
    (Grant::ClientCredentials.name(), Grant::ClientCredentials),
    (Grant::Password.name(), Grant::Password),
    (Grant::SiteToken.name(), Grant::SiteToken),
    (Grant::RefreshToken.name(), Grant::RefreshToken),
];
const AUTHENTICATIONS: Names<ClientAuthentication, 5> = [
    ("basic", ClientAuthentication::Basic(BasicEncoding::Rfc6749Form)),
    ("basic_raw", ClientAuthentication::Basic(BasicEncoding::Raw)),
    ("post", ClientAuthentication::Post),
    ("bearer", ClientAuthentication::Bearer),
    ("none", ClientAuthentication::None),
];
const BODIES: Names<BodyFormat, 2> = [("form", BodyFormat::Form), ("json", BodyFormat::Json)];
const ALPHABETS: Names<TokenAlphabet, 2> =
    [("b64token", TokenAlphabet::B64Token), ("visible", TokenAlphabet::Visible)];
const ZERO_LIFETIMES: Names<ZeroLifetime, 2> =
    [("expired", ZeroLifetime::Expired), ("never", ZeroLifetime::Never)];
const TOKEN_KINDS: Names<TokenKind, 2> = [("client", TokenKind::Client), ("site", TokenKind::Site)];
const EXPOSURES: Names<Exposure, 2> =
    [("server_only", Exposure::ServerOnly), ("app_allowed", Exposure::AppAllowed)];

fn of_name<T: Copy>(names: &[(&str, T)], wanted: &str) -> Result<T, Error> {
    let found = names.iter().find(|(name, _)| *name == wanted);
    found.map(|(_, value)| *value).ok_or(Error::InvalidProvider)
}

fn name_of<T: PartialEq>(names: &[(&str, T)], wanted: &T) -> String {
    names.iter().find(|(_, value)| value == wanted).map_or("", |(name, _)| name).to_owned()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

impl ProviderRecord {
    fn of(provider: &Provider<'_>) -> Self {
        let (missing_lifetime, missing_lifetime_seconds) = match provider.missing_lifetime {
            MissingLifetime::JwtExpiry { else_seconds } => ("jwt_expiry_else", else_seconds),
            MissingLifetime::Assume(seconds) => ("assume", seconds),
            MissingLifetime::Never => ("never", 0),
            MissingLifetime::Refuse => ("refuse", 0),
        };
        Self {
            name: provider.name.to_owned(),
            environment: provider.environment.to_owned(),
            base_url: provider.base_url.to_owned(),
            token_path: provider.token_path.to_owned(),
            any_https: provider.api_origins == ApiOrigins::AnyHttps,
            base_url_origin: provider.api_origins == ApiOrigins::BaseUrl,
            api_origins: match provider.api_origins {
                ApiOrigins::Listed(origins) => owned(origins),
                ApiOrigins::AnyHttps | ApiOrigins::BaseUrl => Vec::new(),
            },
            allow_loopback_http: provider.allow_loopback_http,
            grants: provider.grants.iter().map(|grant| name_of(&GRANTS, grant)).collect(),
            authentication: name_of(&AUTHENTICATIONS, &provider.authentication),
            body: name_of(&BODIES, &provider.body),
            scope: provider.scope.to_owned(),
            member_path: provider.member_path.to_owned(),
            error_path: provider.error_path.to_owned(),
            error_codes: provider
                .error_codes
                .iter()
                .map(|(service, standard)| ErrorCodeRecord {
                    service: (*service).to_owned(),
                    standard: (*standard).to_owned(),
                })
                .collect(),
            token_type_required: provider.token_type_required,
            token_type_aliases: owned(provider.token_type_aliases),
            token_alphabet: name_of(&ALPHABETS, &provider.token_alphabet),
            missing_lifetime: missing_lifetime.to_owned(),
            missing_lifetime_seconds,
            zero_lifetime: name_of(&ZERO_LIFETIMES, &provider.zero_lifetime),
            routes: provider
                .routes
                .iter()
                .map(|route| RouteRecord {
                    method: route.method.to_owned(),
                    path: route.path.to_owned(),
                    token: name_of(&TOKEN_KINDS, &route.token),
                })
                .collect(),
            exposure: name_of(&EXPOSURES, &provider.exposure),
            policy: PolicyRecord::of(&provider.policy),
        }
    }

    /// The provider that it stands for, whose parts live in `arena`.
    pub(crate) fn in_arena<'a>(&self, arena: &'a Bump) -> Result<&'a Provider<'a>, Error> {
        let text = |text: &str| -> &'a str { arena.alloc_str(text) };
        let texts = |list: &[String]| -> &'a [&'a str] {
            arena.alloc_slice_fill_iter(list.iter().map(|item| text(item)))
        };
        let grants =
            self.grants.iter().map(|grant| of_name(&GRANTS, grant)).collect::<Result<Vec<_>, _>>()?;
        let error_codes = self.error_codes.iter().map(|code| (text(&code.service), text(&code.standard)));
        let routes = self
            .routes
            .iter()
            .map(|route| {
                let token = of_name(&TOKEN_KINDS, &route.token)?;
                Ok(Route { method: text(&route.method), path: text(&route.path), token })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(arena.alloc(Provider {
            name: text(&self.name),
            environment: text(&self.environment),
            base_url: text(&self.base_url),
            token_path: text(&self.token_path),
            api_origins: match (self.any_https, self.base_url_origin, self.api_origins.as_slice()) {
                (true, false, []) => ApiOrigins::AnyHttps,
                (false, true, []) => ApiOrigins::BaseUrl,
                (false, false, listed) => ApiOrigins::Listed(texts(listed)),
                _ => return Err(Error::InvalidProvider),
            },
            allow_loopback_http: self.allow_loopback_http,
            grants: arena.alloc_slice_copy(&grants),
            authentication: of_name(&AUTHENTICATIONS, &self.authentication)?,
            body: of_name(&BODIES, &self.body)?,
            scope: text(&self.scope),
            member_path: text(&self.member_path),
            error_path: text(&self.error_path),
            error_codes: arena.alloc_slice_fill_iter(error_codes),
            token_type_required: self.token_type_required,
            token_type_aliases: texts(&self.token_type_aliases),
            token_alphabet: of_name(&ALPHABETS, &self.token_alphabet)?,
            missing_lifetime: match (self.missing_lifetime.as_str(), self.missing_lifetime_seconds) {
                ("jwt_expiry_else", else_seconds) => MissingLifetime::JwtExpiry { else_seconds },
                ("assume", seconds) => MissingLifetime::Assume(seconds),
                ("never", 0) => MissingLifetime::Never,
                ("refuse", 0) => MissingLifetime::Refuse,
                _ => return Err(Error::InvalidProvider),
            },
            zero_lifetime: of_name(&ZERO_LIFETIMES, &self.zero_lifetime)?,
            routes: arena.alloc_slice_copy(&routes),
            exposure: of_name(&EXPOSURES, &self.exposure)?,
            policy: self.policy.policy(),
        }))
    }
}

impl PolicyRecord {
    fn of(policy: &RefreshPolicy) -> Self {
        let RefreshPolicy {
            fraction_permille,
            margin_ms,
            min_interval_ms,
            jitter_permille,
            startup_spread_ms,
            response_timeout_ms,
            first_backoff_ms,
            max_backoff_ms,
            max_lifetime_s,
            refresh_attempts,
            shared_storage,
        } = *policy;
        Self {
            fraction_permille,
            margin_ms,
            min_interval_ms,
            jitter_permille,
            startup_spread_ms,
            response_timeout_ms,
            first_backoff_ms,
            max_backoff_ms,
            max_lifetime_s,
            refresh_attempts,
            shared_storage,
        }
    }

    fn policy(&self) -> RefreshPolicy {
        let Self {
            fraction_permille,
            margin_ms,
            min_interval_ms,
            jitter_permille,
            startup_spread_ms,
            response_timeout_ms,
            first_backoff_ms,
            max_backoff_ms,
            max_lifetime_s,
            refresh_attempts,
            shared_storage,
        } = *self;
        RefreshPolicy {
            fraction_permille,
            margin_ms,
            min_interval_ms,
            jitter_permille,
            startup_spread_ms,
            response_timeout_ms,
            first_backoff_ms,
            max_backoff_ms,
            max_lifetime_s,
            refresh_attempts,
            shared_storage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core_of(record: &ProviderRecord) -> String {
        let arena = Bump::new();
        format!("{:?}", record.in_arena(&arena).expect("a provider"))
    }

    /// [`Provider`] shows all of its fields.
    #[test]
    fn every_field_of_every_preset_comes_through_and_back() {
        let base_url = "https://api.example";
        let mut expected = vec![
            ("flip_energy_client", None, Some(base_url), None, providers::flip_energy_client(base_url)),
            ("flume", None, Some(base_url), None, providers::flume(base_url)),
            ("opower", None, Some(base_url), None, providers::opower(base_url)),
        ];
        for (name, environment) in ENVIRONMENTS {
            let takes = Some(name);
            expected.push(("flip_utility", takes, None, None, providers::flip_utility(environment)));
            let key = providers::flip_utility_api_key(environment);
            expected.push(("flip_utility_api_key", takes, None, None, key));
            expected.push(("flute", takes, None, None, providers::flute(environment)));
        }
        for (name, issued_by) in ISSUERS {
            let provider = providers::flip_energy_site(base_url, issued_by);
            expected.push(("flip_energy_site", None, Some(base_url), Some(name), provider));
        }
        for (name, environment, base_url, issued_by, provider) in expected {
            let [environment, base_url, issued_by] =
                [environment, base_url, issued_by].map(|text| text.map(str::to_owned));
            let record = preset(name.to_owned(), environment, base_url, issued_by).expect(name);
            assert_eq!(core_of(&record), format!("{provider:?}"));
        }
        assert_eq!(core_of(&custom_provider().expect("a record")), format!("{:?}", Provider::custom()));
    }

    #[test]
    fn every_choice_of_a_custom_provider_comes_through_and_back() {
        let policy = RefreshPolicy {
            fraction_permille: 1,
            margin_ms: 2,
            min_interval_ms: 3,
            jitter_permille: 4,
            startup_spread_ms: 5,
            response_timeout_ms: 6,
            first_backoff_ms: 7,
            max_backoff_ms: 8,
            max_lifetime_s: 9,
            refresh_attempts: 10,
            shared_storage: true,
        };
        let full = Provider {
            name: "name",
            environment: "environment",
            base_url: "https://base.example",
            token_path: "/token",
            api_origins: ApiOrigins::Listed(&["https://a.example", "https://b.example"]),
            allow_loopback_http: true,
            grants: &[Grant::SiteToken, Grant::Password, Grant::RefreshToken, Grant::ClientCredentials],
            scope: "scope",
            member_path: "data[0]",
            error_path: "detailed[0]",
            error_codes: &[("own", "invalid_grant"), ("other", "invalid_client")],
            token_type_required: true,
            token_type_aliases: &["Access", "Key"],
            routes: &[
                Route { method: "GET", path: "/a/{site}", token: TokenKind::Site },
                Route { method: "POST", path: "/b", token: TokenKind::Client },
            ],
            policy,
            ..Provider::custom()
        };
        let mut providers = vec![full];
        providers.extend(AUTHENTICATIONS.map(|(_, authentication)| Provider { authentication, ..full }));
        providers.extend(BODIES.map(|(_, body)| Provider { body, ..full }));
        providers.extend(ALPHABETS.map(|(_, token_alphabet)| Provider { token_alphabet, ..full }));
        providers.extend(ZERO_LIFETIMES.map(|(_, zero_lifetime)| Provider { zero_lifetime, ..full }));
        providers.extend(EXPOSURES.map(|(_, exposure)| Provider { exposure, ..full }));
        let lifetimes = [
            MissingLifetime::JwtExpiry { else_seconds: 11 },
            MissingLifetime::Assume(12),
            MissingLifetime::Never,
            MissingLifetime::Refuse,
        ];
        providers.extend(lifetimes.map(|missing_lifetime| Provider { missing_lifetime, ..full }));
        let origins = [ApiOrigins::AnyHttps, ApiOrigins::BaseUrl, ApiOrigins::Listed(&[])];
        providers.extend(origins.map(|api_origins| Provider { api_origins, ..full }));
        for provider in providers {
            let record = ProviderRecord::of(&provider);
            assert_eq!(core_of(&record), format!("{provider:?}"));
        }
    }
}
