//! Where a token or a secret may be sent.

use crate::endpoint::loopback::is_secure;
use crate::endpoint::provider::{Identity, Provider};
use crate::error::Error;
use crate::wire::url::Url;

/// Whether the token of `identity` may go with a request of `method` to `url`. The first fault wins.
#[inline(never)]
pub(crate) fn check<'a>(
    provider: &Provider<'a>,
    identity: &Identity<'a>,
    method: &str,
    url: &str,
) -> Result<(), Error> {
    let parsed = Url::parse(url.as_bytes());
    let Some(url) = &parsed else { return Err(Error::BadUrl) };
    let routed = match provider.routes.table {
        Some(table) => {
            let rows = provider.routes.rows.unwrap_or_default();
            (table.check)(rows, method.as_bytes(), url.path(), identity.site)
        }
        None => Ok(()),
    };
    if routed == Err(Error::BadUrl) {
        return routed;
    }
    let own_origin = [identity.base_url(provider)];
    let origins = match provider.api_origins {
        Some(origins @ [_, ..]) => origins,
        _ => &own_origin,
    };
    let is_listed =
        provider.any_https_origin || origins.iter().any(|origin| url.is_of_origin(origin.as_bytes()));
    if !is_listed || !is_secure(provider.loopback_http, url) {
        return Err(Error::OriginNotAllowed);
    }
    routed
}
