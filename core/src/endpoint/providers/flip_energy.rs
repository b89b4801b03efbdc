//! Flip Energy.

use crate::endpoint::grant::Grant;
use crate::endpoint::lifetime::MissingLifetime;
use crate::endpoint::provider::ClientAuthentication;
use crate::endpoint::provider::{Exposure, Provider};
use crate::endpoint::routes::{Route, Routes};
use crate::endpoint::site::SitePath;

/// Flip Energy with a client token, which the caller installs: server to server only, without an end. The base URL is
/// given when a manager is made ([`field@crate::Identity::base_url`]).
///
/// ```
/// use tokenward::{Exposure, providers};
///
/// assert_eq!(providers::FLIP_ENERGY_CLIENT.exposure, Exposure::ServerOnly);
/// ```
pub const FLIP_ENERGY_CLIENT: Provider<'static> = Provider {
    name: "flip_energy_client",
    authentication: None,
    missing_lifetime: MissingLifetime::Never,
    routes: ROUTES,
    ..Provider::custom()
};

/// Flip Energy with a token for one site ([`crate::Identity::site`]), which lives an hour, for a gateway or server that
/// keeps the client token too.
pub const FLIP_ENERGY_SITE: Provider<'static> = Provider {
    primary_grant: Some(Grant::SiteToken),
    exposure: Exposure::ServerOnly,
    ..FLIP_ENERGY_SITE_BY_BACKEND
};

/// Flip Energy with a token for one site ([`crate::Identity::site`]), which lives an hour, for an app: it installs what
/// its own backend hands out, and is told when the next is due.
///
/// ```
/// use tokenward::{Exposure, providers};
///
/// assert_eq!(providers::FLIP_ENERGY_SITE_BY_BACKEND.exposure, Exposure::AppAllowed);
/// ```
pub const FLIP_ENERGY_SITE_BY_BACKEND: Provider<'static> = Provider {
    name: "flip_energy_site",
    token_path: Some("/v1/auth/site/{site}"),
    site: Some(SitePath::SEGMENT),
    authentication: Some(ClientAuthentication::BEARER),
    missing_lifetime: MissingLifetime::Assume(3600),
    routes: ROUTES,
    exposure: Exposure::AppAllowed,
    ..Provider::custom()
};

/// The published table: which token opens which endpoint of Flip Energy, row by row.
const ROUTES: Routes<'static> = Routes::table(&[
    Route::client("POST", "/v1/auth/site/{siteId}"),
    Route::client("POST", "/v1/commission"),
    Route::client("GET", "/v1/commands"),
    Route::client("PATCH", "/v1/command/{commandId}"),
    Route::client("POST", "/v1/telemetry/BATTERY"),
    Route::client("POST", "/v1/telemetry/BATTERY_COUNTER"),
    Route::client("PATCH", "/v1/settings/{settingsRequestId}"),
    Route::client("POST", "/v1/supplements"),
    Route::client("GET", "/v1/sites"),
    Route::client("GET", "/v1/programs"),
    Route::site("GET", "/v1/site/{site}"),
    Route::site("PATCH", "/v1/site/{site}"),
    Route::site("GET", "/v1/site/{site}/devices"),
    Route::site("GET", "/v1/site/{site}/device/{deviceId}"),
    Route::site("PATCH", "/v1/site/{site}/device/{deviceId}"),
    Route::site("DELETE", "/v1/site/{site}/device/{deviceId}"),
    Route::site("POST", "/v1/site/{site}/enrollments"),
    Route::site("GET", "/v1/site/{site}/enrollments"),
    Route::site("DELETE", "/v1/site/{site}/enrollment/{enrollmentId}"),
    Route::site("GET", "/v1/site/{site}/programs"),
    Route::site("GET", "/v1/site/{site}/program/{programId}"),
    Route::site("GET", "/v1/site/{site}/events"),
    Route::site("GET", "/v1/site/{site}/event/{eventId}"),
    Route::site("PATCH", "/v1/site/{site}/event/{eventId}"),
]);
