//! The server's own reason why there is no token (RFC 6749 section 5.2): data, not an [`crate::Error`].

use crate::ascii::is_same;
use crate::endpoint::provider::Provider;
use crate::table::{named, table};
use crate::wire::json_str::JsonStr;

/// An error response (RFC 6749 section 5.2). It borrows the body.
#[derive(Clone, Copy, Debug)]
pub struct ErrorResponse<'a> {
    error: JsonStr<'a>,
    error_description: Option<JsonStr<'a>>,
    error_uri: Option<JsonStr<'a>>,
    code: ErrorCode,
}

impl<'a> ErrorResponse<'a> {
    pub(crate) const fn new(
        error: JsonStr<'a>,
        error_description: Option<JsonStr<'a>>,
        error_uri: Option<JsonStr<'a>>,
        code: ErrorCode,
    ) -> Self {
        Self { error, error_description, error_uri, code }
    }

    /// The code as the server spelled it; never empty.
    #[must_use]
    pub const fn error(&self) -> JsonStr<'a> {
        self.error
    }

    /// The server's explanation for a developer.
    #[must_use]
    pub const fn error_description(&self) -> Option<JsonStr<'a>> {
        self.error_description
    }

    /// A page about the error.
    #[must_use]
    pub const fn error_uri(&self) -> Option<JsonStr<'a>> {
        self.error_uri
    }

    /// The standard code that it means, by the provider's own table if that has it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }
}

table! {
    /// An error code of the token endpoint (RFC 6749 section 5.2, RFC 8628 section 3.5).
    pub enum ErrorCode: u8 {
        InvalidRequest = 1, "invalid_request", "The request lacks a parameter or is malformed.";
        InvalidClient = 2, "invalid_client", "Client authentication failed.";
        InvalidGrant = 3, "invalid_grant", "The password, refresh token or other grant is no longer valid.";
        UnauthorizedClient = 4, "unauthorized_client", "The client may not use this grant.";
        UnsupportedGrantType = 5, "unsupported_grant_type", "The server does not know this grant.";
        InvalidScope = 6, "invalid_scope", "The scope is unknown, or more than may be granted.";
        SlowDown = 7, "slow_down", "Ask less often.";
        Other = 8, "other", "A code that neither RFC nor provider lists.";
    }
}

impl ErrorCode {
    /// The standard code that a code means, by the provider's own table if that has it.
    pub(crate) fn meant(error: JsonStr<'_>, provider: &Provider<'_>) -> Self {
        let standard =
            provider.error_codes.unwrap_or_default().iter().find(|(own, _)| error.is(own.as_bytes()));
        Self::of(standard.map_or(error, |(_, standard)| JsonStr::literal(standard.as_bytes())))
    }

    /// Whether a standard code has this name.
    pub(crate) const fn is_listed(name: &[u8]) -> bool {
        let mut codes = Self::ALL;
        while let [first, rest @ ..] = codes {
            if is_same(first.name().as_bytes(), name) {
                return !matches!(first, Self::Other);
            }
            codes = rest;
        }
        false
    }

    fn of(error: JsonStr<'_>) -> Self {
        // Joined, the names take less flash than a list of them.
        let mut names = Self::NAMES.as_bytes().split(|byte| *byte == 0);
        let mut codes = Self::ALL.iter().copied();
        codes.find(|_| names.next().is_some_and(|name| error.is(name))).unwrap_or(Self::Other)
    }
}
