//! Flute.

use crate::endpoint::grant::Grant;
use crate::endpoint::lifetime::MissingLifetime;
use crate::endpoint::provider::ClientAuthentication;
use crate::endpoint::provider::Provider;

/// Flute's sandbox.
///
/// ```
/// use tokenward::providers;
///
/// assert_eq!(providers::FLUTE_SANDBOX.base_url, Some("https://sandbox.oauth.api.flute.com"));
/// ```
pub const FLUTE_SANDBOX: Provider<'static> =
    flute("sandbox", "https://sandbox.oauth.api.flute.com", &["https://sandbox.api.flute.com"]);

/// Flute, for real.
pub const FLUTE_PRODUCTION: Provider<'static> =
    flute("production", "https://oauth.api.flute.com", &["https://api.flute.com"]);

/// Basic authentication, `offline_access`, refresh tokens, and two environments that share one API key but no token.
const fn flute(
    environment: &'static str,
    base_url: &'static str,
    api_origins: &'static [&'static str],
) -> Provider<'static> {
    Provider {
        name: "flute",
        environment: Some(environment),
        base_url: Some(base_url),
        token_path: Some("/oauth2/token"),
        api_origins: Some(api_origins),
        primary_grant: Some(Grant::ClientCredentials),
        refresh_grant: true,
        authentication: Some(ClientAuthentication::BASIC_RAW),
        scope: Some("offline_access"),
        // Its tokens are no JWTs, and its answers have `expires_in`.
        missing_lifetime: MissingLifetime::Assume(3600),
        ..Provider::custom()
    }
}
