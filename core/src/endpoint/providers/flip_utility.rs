//! Flip Utility.

use crate::endpoint::provider::{ApiOrigins, ClientAuthentication, Grant, MissingLifetime, Provider};
use crate::endpoint::providers::Environment;

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
