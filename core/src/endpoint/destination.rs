//! Where a token or a secret may be sent.

use crate::endpoint::provider::{Identity, Provider};
use crate::error::Error;
use crate::wire::url::Url;

/// Whether secrets may be sent there: `https`, or loopback if the provider allows it.
pub(crate) fn is_secure(provider: &Provider<'_>, url: &Url<'_>) -> bool {
    url.is_https() || provider.loopback_http.is_some_and(|loopback| (loopback.allows)(url))
}

/// Whether a token of `identity` may be sent by `method` to `url`.
///
/// # Errors
/// The first fault wins: [`Error::BadUrl`], [`Error::OriginNotAllowed`], those of the route table.
pub(crate) fn check<'a>(
    provider: &Provider<'a>,
    identity: &Identity<'a>,
    method: &str,
    url: &str,
) -> Result<(), Error> {
    let url = Url::parse(url.as_bytes())?;
    let is_origin = |origin: &str| Url::parse(origin.as_bytes()).is_ok_and(|origin| url.same_origin(&origin));
    let listed = provider.any_https_origin
        || match provider.api_origins {
            Some(origins @ [_, ..]) => origins.iter().any(|origin| is_origin(origin)),
            _ => is_origin(identity.base_url(provider)),
        };
    if !listed || !is_secure(provider, &url) {
        return Err(Error::OriginNotAllowed);
    }
    match provider.routes.table {
        Some(table) => (table.check)(provider.routes.rows.unwrap_or_default(), method, &url, identity.site),
        None => Ok(()),
    }
}
