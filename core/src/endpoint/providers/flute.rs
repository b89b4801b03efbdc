//! Flute.

use crate::endpoint::provider::{ApiOrigins, BasicEncoding, ClientAuthentication, Grant, Provider};
use crate::endpoint::providers::Environment;

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
