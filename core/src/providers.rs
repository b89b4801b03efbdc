//! Five token services as data. Each value says which sentence of the service's own page it follows in
//! `docs/PROVIDERS.md`.

use crate::{
    ApiOrigins, BasicEncoding, BodyFormat, ClientAuthentication, Exposure, Grant, MissingLifetime, Provider,
    Route, TokenKind,
};

/// Where a service runs. Its tokens never cross to the other environment. There is no default: production
/// may charge real money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// For development and tests.
    Sandbox,
    /// For real.
    Production,
}

impl Environment {
    /// `sandbox` or `production`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Production => "production",
        }
    }
}

/// Who asks for a site token of Flip Energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuedBy {
    /// A gateway or server that keeps the client token too.
    ClientToken,
    /// The app's own backend: the app installs what that hands out, and is told when the next is due.
    Backend,
}

/// Flip Utility with an OAuth client: one token endpoint, an API origin for each environment.
///
/// ```
/// use tokenward::{Environment, providers};
///
/// assert_eq!(providers::flip_utility(Environment::Sandbox).base_url, "https://oauth.flip.energy");
/// ```
#[must_use]
pub const fn flip_utility(environment: Environment) -> Provider<'static> {
    Provider {
        name: "flip_utility",
        environment: environment.name(),
        base_url: "https://oauth.flip.energy",
        token_path: "/token",
        api_origins: ApiOrigins::Listed(flip_utility_origin(environment)),
        grants: &[Grant::ClientCredentials],
        authentication: ClientAuthentication::Post,
        ..Provider::custom()
    }
}

/// Flip Utility with a static API key `fl_…`, which the caller installs.
///
/// ```
/// use tokenward::{Environment, MissingLifetime, providers};
///
/// let provider = providers::flip_utility_api_key(Environment::Production);
/// assert_eq!(provider.missing_lifetime, MissingLifetime::Never);
/// ```
#[must_use]
pub const fn flip_utility_api_key(environment: Environment) -> Provider<'static> {
    Provider {
        name: "flip_utility_api_key",
        grants: &[],
        missing_lifetime: MissingLifetime::Never,
        ..flip_utility(environment)
    }
}

const fn flip_utility_origin(environment: Environment) -> &'static [&'static str] {
    match environment {
        Environment::Sandbox => &["https://api-utility-sandbox.flip.energy"],
        Environment::Production => &["https://api-utility.flip.energy"],
    }
}

/// Flip Energy with a client token, which the caller installs: server to server only, without an end.
///
/// ```
/// use tokenward::{Exposure, providers};
///
/// let provider = providers::flip_energy_client("https://api.example");
/// assert_eq!(provider.exposure, Exposure::ServerOnly);
/// ```
#[must_use]
pub const fn flip_energy_client(base_url: &str) -> Provider<'_> {
    Provider {
        name: "flip_energy_client",
        base_url,
        api_origins: ApiOrigins::BaseUrl,
        missing_lifetime: MissingLifetime::Never,
        routes: FLIP_ENERGY_ROUTES,
        ..Provider::custom()
    }
}

/// Flip Energy with a token for one site, which lives an hour.
///
/// ```
/// use tokenward::{Exposure, IssuedBy, providers};
///
/// let provider = providers::flip_energy_site("https://api.example", IssuedBy::Backend);
/// assert_eq!(provider.exposure, Exposure::AppAllowed);
/// ```
#[must_use]
pub const fn flip_energy_site(base_url: &str, issued_by: IssuedBy) -> Provider<'_> {
    let (grants, exposure): (&[Grant], _) = match issued_by {
        IssuedBy::ClientToken => (&[Grant::SiteToken], Exposure::ServerOnly),
        IssuedBy::Backend => (&[], Exposure::AppAllowed),
    };
    Provider {
        name: "flip_energy_site",
        base_url,
        token_path: "/v1/auth/site/{site}",
        api_origins: ApiOrigins::BaseUrl,
        grants,
        authentication: ClientAuthentication::Bearer,
        missing_lifetime: MissingLifetime::Assume(3600),
        routes: FLIP_ENERGY_ROUTES,
        exposure,
        ..Provider::custom()
    }
}

/// The published table: which token opens which endpoint of Flip Energy, row by row.
pub const FLIP_ENERGY_ROUTES: &[Route<'static>] = &[
    client("POST", "/v1/auth/site/{siteId}"),
    client("POST", "/v1/commission"),
    client("GET", "/v1/commands"),
    client("PATCH", "/v1/command/{commandId}"),
    client("POST", "/v1/telemetry/BATTERY"),
    client("POST", "/v1/telemetry/BATTERY_COUNTER"),
    client("PATCH", "/v1/settings/{settingsRequestId}"),
    client("POST", "/v1/supplements"),
    client("GET", "/v1/sites"),
    client("GET", "/v1/programs"),
    site("GET", "/v1/site/{site}"),
    site("PATCH", "/v1/site/{site}"),
    site("GET", "/v1/site/{site}/devices"),
    site("GET", "/v1/site/{site}/device/{deviceId}"),
    site("PATCH", "/v1/site/{site}/device/{deviceId}"),
    site("DELETE", "/v1/site/{site}/device/{deviceId}"),
    site("POST", "/v1/site/{site}/enrollments"),
    site("GET", "/v1/site/{site}/enrollments"),
    site("DELETE", "/v1/site/{site}/enrollment/{enrollmentId}"),
    site("GET", "/v1/site/{site}/programs"),
    site("GET", "/v1/site/{site}/program/{programId}"),
    site("GET", "/v1/site/{site}/events"),
    site("GET", "/v1/site/{site}/event/{eventId}"),
    site("PATCH", "/v1/site/{site}/event/{eventId}"),
];

const fn client(method: &'static str, path: &'static str) -> Route<'static> {
    Route { method, path, token: TokenKind::Client }
}

const fn site(method: &'static str, path: &'static str) -> Route<'static> {
    Route { method, path, token: TokenKind::Site }
}

/// The host of Flume's public API.
pub const FLUME_BASE_URL: &str = "https://api.flumewater.com";

/// Flume: password grant, an answer in an envelope, JWTs, refresh tokens. RFC 9700 section 2.4 forbids the
/// password grant elsewhere; Flume has no other.
///
/// ```
/// use tokenward::{Grant, providers};
///
/// let provider = providers::flume(providers::FLUME_BASE_URL);
/// assert_eq!(provider.primary_grant(), Some(Grant::Password));
/// ```
#[must_use]
pub const fn flume(base_url: &str) -> Provider<'_> {
    Provider {
        name: "flume",
        base_url,
        token_path: "/oauth/token",
        api_origins: ApiOrigins::BaseUrl,
        grants: &[Grant::Password, Grant::RefreshToken],
        authentication: ClientAuthentication::Post,
        body: BodyFormat::Json,
        member_path: "data[0]",
        error_path: "detailed[0]",
        exposure: Exposure::AppAllowed,
        ..Provider::custom()
    }
}

/// Oracle Utilities Opower: a token of about an hour by Basic authentication; `base_url` is the host of
/// the tier.
///
/// ```
/// use tokenward::{MissingLifetime, providers};
///
/// let provider = providers::opower("https://utility.example:443");
/// assert_eq!(provider.missing_lifetime, MissingLifetime::Assume(3600));
/// ```
#[must_use]
pub const fn opower(base_url: &str) -> Provider<'_> {
    Provider {
        name: "opower",
        base_url,
        token_path: "/apis/authorization-v1/oauth2/token",
        api_origins: ApiOrigins::BaseUrl,
        grants: &[Grant::ClientCredentials],
        authentication: ClientAuthentication::Basic(BasicEncoding::Raw),
        missing_lifetime: MissingLifetime::Assume(3600),
        ..Provider::custom()
    }
}

/// Flute: Basic authentication, `offline_access`, refresh tokens, and two environments that share one API
/// key but no token.
///
/// ```
/// use tokenward::{Environment, providers};
///
/// let provider = providers::flute(Environment::Sandbox);
/// assert_eq!(provider.base_url, "https://sandbox.oauth.api.flute.com");
/// ```
#[must_use]
pub const fn flute(environment: Environment) -> Provider<'static> {
    let (base_url, origins): (_, &[&str]) = match environment {
        Environment::Sandbox => ("https://sandbox.oauth.api.flute.com", &["https://sandbox.api.flute.com"]),
        Environment::Production => ("https://oauth.api.flute.com", &["https://api.flute.com"]),
    };
    Provider {
        name: "flute",
        environment: environment.name(),
        base_url,
        token_path: "/oauth2/token",
        api_origins: ApiOrigins::Listed(origins),
        grants: &[Grant::ClientCredentials, Grant::RefreshToken],
        authentication: ClientAuthentication::Basic(BasicEncoding::Raw),
        scope: "offline_access",
        ..Provider::custom()
    }
}
