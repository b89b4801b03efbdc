//! What a manager is made from.

use tokenward::{Identity, Provider};

use crate::edge::{Edge, Plain, tokenward_span};
use crate::provider::tokenward_service;
use crate::result::*;

/// What a manager is made from. The struct itself is read once; the service, and what the spans point to, must
/// live and stay unchanged for as long as the manager.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_config {
    /// The token service: one of the header's, or the result of tokenward_describe().
    pub service: *const tokenward_service,
    /// The site that the token stands for; empty: the client itself.
    pub site: tokenward_span,
    /// The environment, a part of a token's identity; empty: the service's own.
    pub environment: tokenward_span,
    /// Scheme and authority of the token endpoint, and a path if one follows; empty: the service's own.
    pub base_url: tokenward_span,
    /// A name of the caller's own, such as a user or a client id: two people at one service must not restore each
    /// other's state. Empty: none.
    pub account: tokenward_span,
    /// Bytes of the slot for the access token.
    pub access_capacity: usize,
    /// Bytes of the slot for the refresh token; 0 if the service has none.
    pub refresh_capacity: usize,
    /// The caller's clock: milliseconds, monotonic, counting on through sleep, from any epoch.
    pub now_ms: u64,
    /// Differs from device to device, so that a fleet does not ask for tokens in step; needs no secrecy.
    pub seed: u64,
}

// SAFETY: spans, a raw pointer and integers.
unsafe impl Plain for tokenward_config {}

/// The service, and whose token it is.
pub(crate) fn whose<'c>(
    edge: &mut Edge<'c>,
    config: &tokenward_config,
) -> Result<(&'c Provider<'static>, Identity<'c>), Fault> {
    let mut given = |span| Some(edge.text(span)).filter(|text| !text.is_empty());
    let identity = Identity {
        site: given(config.site),
        environment: given(config.environment),
        base_url: given(config.base_url),
        account: given(config.account),
    };
    Ok((edge.service(config.service)?, identity))
}
