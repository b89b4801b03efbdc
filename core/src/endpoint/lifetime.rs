//! What an answer without `expires_in` means.

use crate::time::UnixTime;
use crate::wire::json_str::JsonStr;
use crate::wire::jwt;

/// What an answer without `expires_in` means. No token lives forever unless the provider says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, i32)]
pub enum MissingLifetime<'a> {
    /// So many seconds; 0: an hour.
    Assume(u64),
    /// Until the end that the token itself states, if the answer comes with a wall clock; else this many seconds, 0: an
    /// hour.
    Told(u64, &'a TokenExpiry),
    /// The token never expires.
    Never,
    /// The answer is refused.
    Refuse,
}

impl MissingLifetime<'_> {
    /// Seconds that count where nothing tells.
    pub(crate) const fn assumed(seconds: u64) -> u64 {
        if seconds == 0 { 3600 } else { seconds }
    }
}

impl MissingLifetime<'static> {
    /// Until the `exp` of a JWT (RFC 7519 section 4.1.4), if the answer comes with a wall clock; else this many seconds.
    ///
    /// ```
    /// use tokenward::{MissingLifetime, Provider};
    ///
    /// assert_eq!(Provider::custom().missing_lifetime, MissingLifetime::jwt_expiry(3600));
    /// ```
    #[must_use]
    pub const fn jwt_expiry(else_seconds: u64) -> Self {
        Self::Told(else_seconds, TokenExpiry::JWT)
    }
}

/// Reads the end of a token from the token itself: a value that brings its code.
#[derive(Clone, Copy)]
pub struct TokenExpiry {
    number: u8,
    name: &'static str,
    pub(crate) read: fn(JsonStr<'_>) -> Option<UnixTime>,
}

impl TokenExpiry {
    /// The claim `exp` of a JWT (RFC 7519 section 4.1.4).
    pub const JWT: &'static Self = &Self { number: 1, name: "jwt", read: |token| jwt::expiry(token) };
}

part!(TokenExpiry: JWT);
