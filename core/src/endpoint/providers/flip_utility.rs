//! Flip Utility.

use crate::endpoint::grant::Grant;
use crate::endpoint::lifetime::MissingLifetime;
use crate::endpoint::provider::ClientAuthentication;
use crate::endpoint::provider::Provider;

/// Flip Utility with an OAuth client, for development and tests.
///
/// ```
/// use tokenward::providers;
///
/// assert_eq!(providers::FLIP_UTILITY_SANDBOX.base_url, Some("https://oauth.flip.energy"));
/// ```
pub const FLIP_UTILITY_SANDBOX: Provider<'static> =
    flip_utility("sandbox", &["https://api-utility-sandbox.flip.energy"]);

/// Flip Utility with an OAuth client, for real.
pub const FLIP_UTILITY_PRODUCTION: Provider<'static> =
    flip_utility("production", &["https://api-utility.flip.energy"]);

/// Flip Utility with a static API key `fl_…`, which the caller installs; for development and tests.
///
/// ```
/// use tokenward::{MissingLifetime, providers};
///
/// assert_eq!(providers::FLIP_UTILITY_API_KEY_SANDBOX.missing_lifetime, MissingLifetime::Never);
/// ```
pub const FLIP_UTILITY_API_KEY_SANDBOX: Provider<'static> = api_key(FLIP_UTILITY_SANDBOX);

/// Flip Utility with a static API key `fl_…`, which the caller installs; for real.
pub const FLIP_UTILITY_API_KEY_PRODUCTION: Provider<'static> = api_key(FLIP_UTILITY_PRODUCTION);

/// One token endpoint, an API origin for each environment.
const fn flip_utility(environment: &'static str, api_origins: &'static [&'static str]) -> Provider<'static> {
    Provider {
        name: "flip_utility",
        environment: Some(environment),
        base_url: Some("https://oauth.flip.energy"),
        token_path: Some("/token"),
        api_origins: Some(api_origins),
        primary_grant: Some(Grant::ClientCredentials),
        authentication: Some(ClientAuthentication::POST),
        ..Provider::custom()
    }
}

const fn api_key(client: Provider<'static>) -> Provider<'static> {
    Provider {
        name: "flip_utility_api_key",
        primary_grant: None,
        authentication: None,
        missing_lifetime: MissingLifetime::Never,
        ..client
    }
}
