//! Plain `http` to this very machine, for tests.

use crate::wire::url::Url;

/// Allows plain `http` to the loopback interface, for tests: a value that brings its code.
#[derive(Clone, Copy)]
pub struct LoopbackHttp {
    number: u8,
    name: &'static str,
    pub(crate) allows: fn(&Url<'_>) -> bool,
}

impl LoopbackHttp {
    /// `localhost`, 127.0.0.0/8 as four decimal numbers, and `[::1]`.
    pub const ALLOWED: &'static Self =
        &Self { number: 1, name: "http", allows: |url| url.is_loopback_http() };
}

part!(LoopbackHttp: ALLOWED);

/// Whether secrets may be sent there: `https`, or loopback if the provider allows it.
pub(crate) fn is_secure(loopback_http: Option<&LoopbackHttp>, url: &Url<'_>) -> bool {
    url.is_https() || loopback_http.is_some_and(|loopback| (loopback.allows)(url))
}
