//! Flume.

use crate::endpoint::body_format::BodyFormat;
use crate::endpoint::grant::Grant;
use crate::endpoint::nested::Nested;
use crate::endpoint::provider::ClientAuthentication;
use crate::endpoint::provider::{Exposure, Provider};

/// Flume: password grant, an answer in an envelope, JWTs, refresh tokens. RFC 9700 section 2.4 forbids the password
/// grant elsewhere; Flume has no other.
///
/// ```
/// use tokenward::{Grant, providers};
///
/// assert_eq!(providers::FLUME.primary_grant, Some(Grant::Password));
/// ```
pub const FLUME: Provider<'static> = Provider {
    name: "flume",
    base_url: Some("https://api.flumewater.com"),
    token_path: Some("/oauth/token"),
    primary_grant: Some(Grant::Password),
    refresh_grant: true,
    authentication: Some(ClientAuthentication::POST),
    body: Some(BodyFormat::JSON),
    // Its own words for a dead refresh token: the password has its turn at once.
    error_codes: Some(&[("Refresh token is invalid.", "invalid_grant")]),
    nested: Nested::at(Some("data[0]"), Some("detailed[0]")),
    exposure: Exposure::AppAllowed,
    ..Provider::custom()
};
