//! Oracle Utilities Opower.

use crate::endpoint::grant::Grant;
use crate::endpoint::lifetime::MissingLifetime;
use crate::endpoint::provider::ClientAuthentication;
use crate::endpoint::provider::Provider;

/// Oracle Utilities Opower: a token of about an hour by Basic authentication. The base URL, the host of the tier, is
/// given when a manager is made ([`field@crate::Identity::base_url`]).
///
/// ```
/// use tokenward::{MissingLifetime, providers};
///
/// assert_eq!(providers::OPOWER.missing_lifetime, MissingLifetime::Assume(3600));
/// ```
pub const OPOWER: Provider<'static> = Provider {
    name: "opower",
    token_path: Some("/apis/authorization-v1/oauth2/token"),
    primary_grant: Some(Grant::ClientCredentials),
    authentication: Some(ClientAuthentication::BASIC_RAW),
    missing_lifetime: MissingLifetime::Assume(3600),
    ..Provider::custom()
};
