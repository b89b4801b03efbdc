//! Flip Energy.

use crate::endpoint::provider::{
    ApiOrigins, ClientAuthentication, Exposure, Grant, MissingLifetime, Provider,
};
use crate::endpoint::providers::IssuedBy;
use crate::endpoint::routes::{Route, TokenKind};

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
