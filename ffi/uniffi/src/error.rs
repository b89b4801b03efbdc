//! The one error, by what its reader is to do, and the sentences for people.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenward::Error;

/// Why a call was refused. Carries no byte of a body and no secret.
///
/// `code` is [`Error::name`], or one of the bridge's own: `server_only`, `invalid_argument`, `internal`.
/// [`error_sentence`] says it in words.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Error)]
pub enum CoreError {
    /// What came in is bad: an answer, a URL, a snapshot, a provider, an argument. Nothing was changed.
    Input {
        /// Which rule.
        code: String,
        /// Bytes that it would take, where that is the fault.
        needed: Option<u64>,
    },
    /// A token is longer than its slot.
    Capacity {
        /// Which rule.
        code: String,
        /// Bytes that the slot would need.
        needed: Option<u64>,
    },
    /// Not now.
    State {
        /// Which rule.
        code: String,
        /// None.
        needed: Option<u64>,
    },
    /// The token may not be sent there, or the credentials not be held here.
    NotAllowed {
        /// Which rule.
        code: String,
        /// None.
        needed: Option<u64>,
    },
    /// A bug: a panic was caught, now or in an earlier call.
    Internal {
        /// `internal`.
        code: String,
        /// None.
        needed: Option<u64>,
    },
}

const SERVER_ONLY: &str = "server_only";
const INVALID_ARGUMENT: &str = "invalid_argument";
const INTERNAL: &str = "internal";

impl CoreError {
    pub(crate) fn server_only() -> Self {
        Self::NotAllowed { code: SERVER_ONLY.to_owned(), needed: None }
    }

    pub(crate) fn invalid_argument() -> Self {
        Self::Input { code: INVALID_ARGUMENT.to_owned(), needed: None }
    }

    pub(crate) fn internal() -> Self {
        Self::Internal { code: INTERNAL.to_owned(), needed: None }
    }

    fn code(&self) -> &str {
        match self {
            Self::Input { code, .. }
            | Self::Capacity { code, .. }
            | Self::State { code, .. }
            | Self::NotAllowed { code, .. }
            | Self::Internal { code, .. } => code,
        }
    }
}

impl From<Error> for CoreError {
    fn from(error: Error) -> Self {
        let code = error.name().to_owned();
        let needed = match error {
            Error::TooLong { needed } | Error::BufferTooSmall { needed } => u64::try_from(needed).ok(),
            _ => None,
        };
        match error {
            Error::InvalidProvider => Self::Input { code, needed },
            Error::OriginNotAllowed
            | Error::UnknownRoute
            | Error::RouteNeedsOtherToken
            | Error::OtherSite => Self::NotAllowed { code, needed },
            _ => match error.code() {
                ..200 => Self::Input { code, needed },
                200..300 => Self::Capacity { code, needed },
                300.. => Self::State { code, needed },
            },
        }
    }
}

impl std::fmt::Display for CoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

impl std::error::Error for CoreError {}

/// Runs `body`; a panic in it becomes [`CoreError::Internal`].
pub(crate) fn caught<T>(body: impl FnOnce() -> Result<T, CoreError>) -> Result<T, CoreError> {
    // What a panic leaves half done is behind a lock, which it poisons.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| Err(CoreError::internal()))
}

/// One sentence for people about the code of an error, or about a reason: what to do.
///
/// # Errors
/// [`CoreError::Input`], `invalid_argument`: there is no such code.
#[uniffi::export]
pub fn error_sentence(code: String) -> Result<String, CoreError> {
    caught(|| sentence(&code).map(str::to_owned).ok_or_else(CoreError::invalid_argument))
}

fn sentence(code: &str) -> Option<&'static str> {
    Some(match code {
        SERVER_ONLY => "Keep these credentials on a server, and let the app ask that server for tokens.",
        INVALID_ARGUMENT => "Pass a value of the documented range.",
        INTERNAL => "Make a new token manager and report this as a bug.",

        "not_json" => "Check the token URL: its answer is no JSON object.",
        "truncated" => "Try again: the answer was cut off.",
        "malformed" => "Ask the token service for valid JSON: its answer is none.",
        "too_deep" => "Ask the token service for a flatter answer: its JSON is nested too deep.",
        "duplicate_member" => "Ask the token service to send each member once.",
        "invalid_access_token" => {
            "Check where the answer holds its access token and which characters that may have."
        }
        "invalid_refresh_token" => "Ask the token service for a refresh token that is text.",
        "invalid_token_type" => "Ask the token service for a token_type that is text.",
        "invalid_scope_member" => "Ask the token service for a scope that is text or a list of texts.",
        "invalid_error" => "Ask the token service for an error code that is text.",
        "invalid_expires_in" => "Ask the token service for an expires_in that is a number of seconds.",
        "error_beside_token" => "Ask the token service for a token or an error, not both.",
        "unsupported_token_type" => {
            "Use a service of Bearer tokens, or name its token_type as an alias of Bearer."
        }
        "missing_lifetime" => "Ask the token service for expires_in, or say how long its tokens live.",
        "no_error_code" => "Check the token URL: the service refused the request and gave no error code.",
        "already_expired" => "Check the device's clock and ask for a new token: this one is over.",
        "same_token" => "Ask the token service for a new token: it gave the used one again.",
        "bad_url" => "Give an absolute URL without a user name, spaces or ambiguous parts.",
        "invalid_challenge" => "Ask the service for a valid WWW-Authenticate field.",
        "invalid_http_date" => "Ask the service for a valid HTTP date.",
        "invalid_retry_after" => "Ask the service for a valid Retry-After field.",
        "invalid_jwt" => "Give a JSON Web Token in its compact form.",
        "invalid_claim" => "Ask the token service for claims of the registered types.",
        "invalid_snapshot" => {
            "Delete the stored state and sign in again: it is damaged or sealed by another key."
        }
        "foreign_snapshot" => "Use storage of its own for each provider, environment and subject.",
        "stale_snapshot" => "Read the storage again: this state is older than the one in use.",

        "too_long" => "Give the token manager more room: a token is longer than its slot.",
        "buffer_too_small" => "Give a larger buffer.",

        "not_due" => "Wait until a token request is due.",
        "request_in_flight" => "Wait for the answer to the token request that is out.",
        "stale_request" => "Ignore this answer: its request is over.",
        "wrong_credentials" => "Check the credentials: one that is needed is missing or cannot be sent.",
        "origin_not_allowed" => "Send the request to an origin of this provider, over https.",
        "unknown_route" => "Check method and path: the provider has no such endpoint.",
        "route_needs_other_token" => "Use the other kind of token for this endpoint: client or site.",
        "other_site" => "Use the token of the site that is in the URL.",
        "not_usable" => "Get a token first: there is none that may be sent now.",
        "duplicate_parameter" => "Give each parameter once.",
        "invalid_provider" => "Check the provider's values and whether it needs a site.",

        "no_token" => "Sign in, or install a token.",
        "refresh_token_rejected" => "Sign in again: the session is over.",
        "grant_rejected" => "Check user name and password, and sign in again.",
        "revoked" => "Install a new token: this one was revoked.",
        "invalid_client" => "Check client id and secret: the token service refuses them.",
        "unauthorized_client" => "Ask the token service to allow this client the grant.",
        "unsupported_grant_type" => "Check the provider's grants: the token service does not know this one.",
        "invalid_scope" => "Check the scope: the token service does not grant it.",
        "invalid_request" => "Check the provider's values: the token service calls the request invalid.",
        "rejected" => "Check the API's address and rights: it refuses a token that is new.",
        "forbidden" => "Ask for the right to do this: the token is good, but may not.",
        "insufficient_scope" => "Ask for a token with the scope that this request needs.",
        "not_an_authentication_failure" => "Look at the answer itself: the token is not at fault.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenward::Reason;

    const REASONS: [Reason; 13] = [
        Reason::NoToken,
        Reason::RefreshTokenRejected,
        Reason::GrantRejected,
        Reason::Revoked,
        Reason::InvalidClient,
        Reason::UnauthorizedClient,
        Reason::UnsupportedGrantType,
        Reason::InvalidScope,
        Reason::InvalidRequest,
        Reason::Rejected,
        Reason::Forbidden,
        Reason::InsufficientScope,
        Reason::NotAnAuthenticationFailure,
    ];

    #[test]
    fn every_error_and_every_reason_has_one_short_sentence() {
        let errors = Error::ALL.iter().map(|error| error.name());
        let own = [SERVER_ONLY, INVALID_ARGUMENT, INTERNAL];
        for code in errors.chain(REASONS.map(Reason::name)).chain(own) {
            let sentence = error_sentence(code.to_owned()).expect(code);
            let capital = sentence.starts_with(|first: char| first.is_ascii_uppercase());
            assert!(capital && sentence.ends_with('.') && !sentence.contains(". "), "{code}: {sentence}");
            assert!(sentence.len() <= 90, "{code}: {sentence}");
        }
        assert_eq!(error_sentence("moonlight".to_owned()), Err(CoreError::invalid_argument()));
    }

    #[test]
    fn an_error_is_named_by_what_its_reader_is_to_do() {
        for error in Error::ALL {
            let bridged = CoreError::from(*error);
            assert_eq!(bridged.to_string(), error.name());
            let expected = match error.name() {
                "origin_not_allowed" | "unknown_route" | "route_needs_other_token" | "other_site" => {
                    "NotAllowed"
                }
                "invalid_provider" => "Input",
                _ if error.code() < 200 => "Input",
                _ if error.code() < 300 => "Capacity",
                _ => "State",
            };
            assert!(format!("{bridged:?}").starts_with(expected), "{bridged:?}");
        }
        let too_long = Error::TooLong { needed: 4100 }.into();
        assert_eq!(CoreError::Capacity { code: "too_long".to_owned(), needed: Some(4100) }, too_long);
    }

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(caught::<()>(|| panic!("a bug")), Err(CoreError::internal()));
    }
}
