//! Flume.

use crate::endpoint::provider::{ApiOrigins, BodyFormat, ClientAuthentication, Exposure, Grant, Provider};

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
