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

    /// The same for a device, which is told codes of its own (RFC 8628 section 3.5).
    pub(crate) fn tell_device(&mut self) {
        const OWN: [(&[u8], ErrorCode); 3] = [
            (ErrorCode::AuthorizationPending.name().as_bytes(), ErrorCode::AuthorizationPending),
            (ErrorCode::AccessDenied.name().as_bytes(), ErrorCode::AccessDenied),
            (ErrorCode::ExpiredToken.name().as_bytes(), ErrorCode::ExpiredToken),
        ];
        let own = OWN.iter().find(|(name, _)| self.code != ErrorCode::SlowDown && self.error.is(name));
        self.code = own.map_or(self.code, |(_, code)| *code);
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
        AuthorizationPending = 9, "authorization_pending", "Nobody has entered the code that a device shows yet.";
        AccessDenied = 10, "access_denied", "The person has said no to the device.";
        ExpiredToken = 11, "expired_token", "The code that the device shows has expired.";
    }
}

impl ErrorCode {
    /// The standard code that a code means, by the provider's own table if that has it.
    pub(crate) fn meant(error: JsonStr<'_>, provider: &Provider<'_>) -> Self {
        let standard =
            provider.error_codes.unwrap_or_default().iter().find(|(own, _)| error.is(own.as_bytes()));
        Self::of(standard.map_or(error, |(_, standard)| JsonStr::literal(standard.as_bytes())))
    }

    /// Whether a standard code of every grant has this name.
    pub(crate) const fn is_listed(name: &[u8]) -> bool {
        let mut codes = Self::ALL;
        while let [first, rest @ ..] = codes
            && !matches!(first, Self::Other)
        {
            if is_same(first.name().as_bytes(), name) {
                return true;
            }
            codes = rest;
        }
        false
    }

    /// The standard code of every grant that is spelled so.
    pub(crate) fn of(error: JsonStr<'_>) -> Self {
        let mut names = Self::LISTED.split(|byte| *byte == 0);
        let mut codes = Self::ALL.iter().copied();
        codes.find(|_| names.next().is_some_and(|name| error.is(name))).unwrap_or(Self::Other)
    }

    /// The names in front of `other`, each followed by a NUL: joined, they take less flash than a list of them.
    const LISTED: [u8; 112] = match Self::NAMES.as_bytes().first_chunk() {
        Some(names) => *names,
        None => [0; 112],
    };
}

#[cfg(test)]
mod tests {
    use super::{ErrorCode, JsonStr};

    #[test]
    fn a_token_endpoint_is_read_for_the_codes_in_front_of_other_and_for_no_others() {
        for (place, code) in ErrorCode::ALL.iter().enumerate() {
            let is_listed = place < 7;
            assert_eq!(ErrorCode::is_listed(code.name().as_bytes()), is_listed, "{code:?}");
            let read = ErrorCode::of(JsonStr::literal(code.name().as_bytes()));
            assert_eq!(read, if is_listed { *code } else { ErrorCode::Other });
        }
    }
}
