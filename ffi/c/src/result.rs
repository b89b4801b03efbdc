//! What every function returns: one number for each fault, in fixed blocks, never used for another fault.

use core::ffi::{CStr, c_char};

use tokenward::Error;

/// What a function returns: #TOKENWARD_OK, or why it refused: `TOKENWARD_ERR_*`.
///
/// 1 to 99 arguments, 100 to 199 input, 200 to 299 capacity, 300 to 399 state and use. A number is never given
/// to another fault. tokenward_result_name() names each.
pub type tokenward_result = i32;

/// Done.
pub const TOKENWARD_OK: i32 = 0;

/// A pointer is NULL where something must be.
pub const TOKENWARD_ERR_NULL: i32 = 1;
/// A pointer is not aligned as its type asks.
pub const TOKENWARD_ERR_MISALIGNED: i32 = 2;
/// A length that no object has, or that runs over the end of the address space.
pub const TOKENWARD_ERR_LENGTH: i32 = 3;
/// What is written to overlaps another argument, or the manager.
pub const TOKENWARD_ERR_OVERLAP: i32 = 4;
/// Text that is not UTF-8.
pub const TOKENWARD_ERR_NOT_UTF8: i32 = 5;
/// A number that is none of its enumeration, or a key that has not 32 bytes.
pub const TOKENWARD_ERR_OUT_OF_RANGE: i32 = 6;
/// Header and library are of different versions.
pub const TOKENWARD_ERR_ABI: i32 = 7;
/// There is no manager at this address: the memory is zeroed, wiped, or something else.
pub const TOKENWARD_ERR_UNINITIALIZED: i32 = 8;
/// There is no challenge or parameter of this number or name.
pub const TOKENWARD_ERR_NO_SUCH_ITEM: i32 = 9;

/// The first byte of the body, after BOM and white space, is not `{`: HTML, a form, an array.
pub const TOKENWARD_ERR_NOT_JSON: i32 = 100;
/// The body stops before its value ends: the receive buffer was too small, or the connection broke.
pub const TOKENWARD_ERR_TRUNCATED: i32 = 101;
/// RFC 8259 refuses the body.
pub const TOKENWARD_ERR_MALFORMED: i32 = 102;
/// More than 32 containers are open at once.
pub const TOKENWARD_ERR_TOO_DEEP: i32 = 103;
/// A member that is read is given twice in its object (RFC 6749 section 3.2).
pub const TOKENWARD_ERR_DUPLICATE_MEMBER: i32 = 104;
/// `access_token` is missing, no string, empty, or has a byte outside the provider's alphabet.
pub const TOKENWARD_ERR_INVALID_ACCESS_TOKEN: i32 = 105;
/// `refresh_token` is no string, or holds a lone surrogate.
pub const TOKENWARD_ERR_INVALID_REFRESH_TOKEN: i32 = 106;
/// `token_type` is no string, or missing where the provider requires it.
pub const TOKENWARD_ERR_INVALID_TOKEN_TYPE: i32 = 107;
/// `scope` is neither a string nor an array of strings.
pub const TOKENWARD_ERR_INVALID_SCOPE_MEMBER: i32 = 108;
/// `error`, `error_description` or `error_uri` is no string.
pub const TOKENWARD_ERR_INVALID_ERROR: i32 = 109;
/// `expires_in` is negative, a boolean, a container, or a string of anything but digits.
pub const TOKENWARD_ERR_INVALID_EXPIRES_IN: i32 = 110;
/// A non-empty `error` stands next to a token.
pub const TOKENWARD_ERR_ERROR_BESIDE_TOKEN: i32 = 111;
/// The `token_type` is not Bearer nor one of the provider's aliases (RFC 6749 section 7.1).
pub const TOKENWARD_ERR_UNSUPPORTED_TOKEN_TYPE: i32 = 112;
/// `expires_in` is missing and the provider's policy is to refuse.
pub const TOKENWARD_ERR_MISSING_LIFETIME: i32 = 113;
/// A JSON object without an error code under a status other than 2xx.
pub const TOKENWARD_ERR_NO_ERROR_CODE: i32 = 114;
/// The answer's token is over before it could be used.
pub const TOKENWARD_ERR_ALREADY_EXPIRED: i32 = 115;
/// The server gave the stored access token again although it is used up.
pub const TOKENWARD_ERR_SAME_TOKEN: i32 = 116;
/// Not a URL that means one thing only.
pub const TOKENWARD_ERR_BAD_URL: i32 = 120;
/// Not a list of challenges (RFC 9110 section 11.6.1).
pub const TOKENWARD_ERR_INVALID_CHALLENGE: i32 = 121;
/// None of the three HTTP-date forms (RFC 9110 section 5.6.7).
pub const TOKENWARD_ERR_INVALID_HTTP_DATE: i32 = 122;
/// Neither seconds nor an HTTP-date (RFC 9110 section 10.2.3).
pub const TOKENWARD_ERR_INVALID_RETRY_AFTER: i32 = 123;
/// Not a JWS in compact form with base64url parts (RFC 7519).
pub const TOKENWARD_ERR_INVALID_JWT: i32 = 124;
/// A registered claim has the wrong type (RFC 7519 section 4.1).
pub const TOKENWARD_ERR_INVALID_CLAIM: i32 = 125;
/// The snapshot is torn, truncated, of another version, or its seal does not match.
pub const TOKENWARD_ERR_INVALID_SNAPSHOT: i32 = 130;
/// The snapshot belongs to another provider, environment or subject.
pub const TOKENWARD_ERR_FOREIGN_SNAPSHOT: i32 = 131;
/// The snapshot is older than the revision floor, or than what this manager last kept.
pub const TOKENWARD_ERR_STALE_SNAPSHOT: i32 = 132;

/// A token is longer than its slot.
pub const TOKENWARD_ERR_TOO_LONG: i32 = 200;
/// The buffer, or the manager's memory, is too small; nothing was written to it.
pub const TOKENWARD_ERR_BUFFER_TOO_SMALL: i32 = 201;

/// tokenward_poll() does not ask for a request now.
pub const TOKENWARD_ERR_NOT_DUE: i32 = 300;
/// A request is out and has not timed out.
pub const TOKENWARD_ERR_REQUEST_IN_FLIGHT: i32 = 301;
/// The request id is not that of the request that is out.
pub const TOKENWARD_ERR_STALE_REQUEST: i32 = 302;
/// The credentials do not fit the grant: one that it needs is missing or cannot be sent.
pub const TOKENWARD_ERR_WRONG_CREDENTIALS: i32 = 303;
/// The URL's origin is not one of the provider's.
pub const TOKENWARD_ERR_ORIGIN_NOT_ALLOWED: i32 = 304;
/// No row of the provider's route table has this method and path.
pub const TOKENWARD_ERR_UNKNOWN_ROUTE: i32 = 305;
/// The route is opened by the other kind of token.
pub const TOKENWARD_ERR_ROUTE_NEEDS_OTHER_TOKEN: i32 = 306;
/// The route belongs to another site.
pub const TOKENWARD_ERR_OTHER_SITE: i32 = 307;
/// There is no token that may be sent now.
pub const TOKENWARD_ERR_NOT_USABLE: i32 = 308;
/// A parameter would be sent twice (RFC 6749 section 3.2).
pub const TOKENWARD_ERR_DUPLICATE_PARAMETER: i32 = 309;
/// The subject does not fit the provider: its token endpoint wants a site and there is none, or the site would
/// not stay in its place of the path.
pub const TOKENWARD_ERR_INVALID_PROVIDER: i32 = 310;

/// The name of a result in snake_case, the same in every language: `not_json`.
///
/// May be called from any thread and from an interrupt handler.
///
/// @param[in] result What a function returned.
/// @return A string that lives as long as the program; `unknown` for a number that is no result.
#[unsafe(no_mangle)]
pub extern "C" fn tokenward_result_name(result: tokenward_result) -> *const c_char {
    name(result).as_ptr()
}

fn name(result: tokenward_result) -> &'static CStr {
    match result {
        TOKENWARD_OK => c"ok",
        TOKENWARD_ERR_NULL => c"null",
        TOKENWARD_ERR_MISALIGNED => c"misaligned",
        TOKENWARD_ERR_LENGTH => c"length",
        TOKENWARD_ERR_OVERLAP => c"overlap",
        TOKENWARD_ERR_NOT_UTF8 => c"not_utf8",
        TOKENWARD_ERR_OUT_OF_RANGE => c"out_of_range",
        TOKENWARD_ERR_ABI => c"abi",
        TOKENWARD_ERR_UNINITIALIZED => c"uninitialized",
        TOKENWARD_ERR_NO_SUCH_ITEM => c"no_such_item",
        TOKENWARD_ERR_NOT_JSON => c"not_json",
        TOKENWARD_ERR_TRUNCATED => c"truncated",
        TOKENWARD_ERR_MALFORMED => c"malformed",
        TOKENWARD_ERR_TOO_DEEP => c"too_deep",
        TOKENWARD_ERR_DUPLICATE_MEMBER => c"duplicate_member",
        TOKENWARD_ERR_INVALID_ACCESS_TOKEN => c"invalid_access_token",
        TOKENWARD_ERR_INVALID_REFRESH_TOKEN => c"invalid_refresh_token",
        TOKENWARD_ERR_INVALID_TOKEN_TYPE => c"invalid_token_type",
        TOKENWARD_ERR_INVALID_SCOPE_MEMBER => c"invalid_scope_member",
        TOKENWARD_ERR_INVALID_ERROR => c"invalid_error",
        TOKENWARD_ERR_INVALID_EXPIRES_IN => c"invalid_expires_in",
        TOKENWARD_ERR_ERROR_BESIDE_TOKEN => c"error_beside_token",
        TOKENWARD_ERR_UNSUPPORTED_TOKEN_TYPE => c"unsupported_token_type",
        TOKENWARD_ERR_MISSING_LIFETIME => c"missing_lifetime",
        TOKENWARD_ERR_NO_ERROR_CODE => c"no_error_code",
        TOKENWARD_ERR_ALREADY_EXPIRED => c"already_expired",
        TOKENWARD_ERR_SAME_TOKEN => c"same_token",
        TOKENWARD_ERR_BAD_URL => c"bad_url",
        TOKENWARD_ERR_INVALID_CHALLENGE => c"invalid_challenge",
        TOKENWARD_ERR_INVALID_HTTP_DATE => c"invalid_http_date",
        TOKENWARD_ERR_INVALID_RETRY_AFTER => c"invalid_retry_after",
        TOKENWARD_ERR_INVALID_JWT => c"invalid_jwt",
        TOKENWARD_ERR_INVALID_CLAIM => c"invalid_claim",
        TOKENWARD_ERR_INVALID_SNAPSHOT => c"invalid_snapshot",
        TOKENWARD_ERR_FOREIGN_SNAPSHOT => c"foreign_snapshot",
        TOKENWARD_ERR_STALE_SNAPSHOT => c"stale_snapshot",
        TOKENWARD_ERR_TOO_LONG => c"too_long",
        TOKENWARD_ERR_BUFFER_TOO_SMALL => c"buffer_too_small",
        TOKENWARD_ERR_NOT_DUE => c"not_due",
        TOKENWARD_ERR_REQUEST_IN_FLIGHT => c"request_in_flight",
        TOKENWARD_ERR_STALE_REQUEST => c"stale_request",
        TOKENWARD_ERR_WRONG_CREDENTIALS => c"wrong_credentials",
        TOKENWARD_ERR_ORIGIN_NOT_ALLOWED => c"origin_not_allowed",
        TOKENWARD_ERR_UNKNOWN_ROUTE => c"unknown_route",
        TOKENWARD_ERR_ROUTE_NEEDS_OTHER_TOKEN => c"route_needs_other_token",
        TOKENWARD_ERR_OTHER_SITE => c"other_site",
        TOKENWARD_ERR_NOT_USABLE => c"not_usable",
        TOKENWARD_ERR_DUPLICATE_PARAMETER => c"duplicate_parameter",
        TOKENWARD_ERR_INVALID_PROVIDER => c"invalid_provider",
        _ => c"unknown",
    }
}

/// A refusal on its way to C.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fault(pub(crate) tokenward_result);

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(i32::from(error.code()))
    }
}

/// The bytes that a refused call would have needed, or where in the body it was refused.
pub(crate) fn detail(error: Error) -> usize {
    match error {
        Error::TooLong { needed } | Error::BufferTooSmall { needed } => needed,
        Error::Truncated { offset } | Error::Malformed { offset } | Error::TooDeep { offset } => offset,
        _ => 0,
    }
}

pub(crate) fn number(outcome: Result<(), Fault>) -> tokenward_result {
    match outcome {
        Ok(()) => TOKENWARD_OK,
        Err(Fault(result)) => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_number_and_the_name_that_it_has_in_every_language() {
        for error in Error::ALL {
            let Fault(result) = (*error).into();
            assert_eq!(name(result).to_str(), Ok(error.name()));
        }
    }

    #[test]
    fn every_named_number_of_the_blocks_of_the_core_is_one_of_its_refusals() {
        for result in 100..400 {
            let known = Error::ALL.iter().any(|error| i32::from(error.code()) == result);
            assert_eq!(name(result) != c"unknown", known, "{result}");
        }
    }
}
