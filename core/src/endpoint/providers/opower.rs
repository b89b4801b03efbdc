//! Oracle Utilities Opower.

use crate::endpoint::provider::{
    ApiOrigins, BasicEncoding, ClientAuthentication, Grant, MissingLifetime, Provider,
};

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
