//! The one error, by what its reader is to do, and the sentences for people.

use std::sync::{Mutex, MutexGuard};

use tokenward::{Error, Reason};

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
        /// The fact of a provider that cannot work, where that is the fault.
        fact: Option<String>,
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
        Self::Input { code: INVALID_ARGUMENT.to_owned(), needed: None, fact: None }
    }

    pub(crate) fn invalid_provider(fact: &str) -> Self {
        let code = Error::InvalidProvider.name().to_owned();
        Self::Input { code, needed: None, fact: Some(fact.to_owned()) }
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
            Error::TooLong { needed }
            | Error::RefreshTokenTooLong { needed }
            | Error::BufferTooSmall { needed } => u64::try_from(needed).ok(),
            _ => None,
        };
        match error {
            Error::InvalidProvider => Self::Input { code, needed, fact: None },
            Error::OriginNotAllowed
            | Error::UnknownRoute
            | Error::RouteNeedsOtherToken
            | Error::OtherSite => Self::NotAllowed { code, needed },
            _ => match error.code() {
                ..200 => Self::Input { code, needed, fact: None },
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

/// What is behind a lock. uniffi catches a panic, and the generated code makes [`CoreError::Internal`] of it; what it left half
/// done is poisoned, and answers nothing else from then on.
pub(crate) fn locked<T>(lock: &Mutex<T>) -> Result<MutexGuard<'_, T>, CoreError> {
    lock.lock().map_err(|_| CoreError::internal())
}

/// One sentence for people about the code of an error, or about a reason: what is wrong, and what to do.
///
/// # Errors
/// [`CoreError::Input`], `invalid_argument`: there is no such code.
#[uniffi::export]
pub fn error_sentence(code: String) -> Result<String, CoreError> {
    sentence(&code).map(str::to_owned).ok_or_else(CoreError::invalid_argument)
}

fn sentence(code: &str) -> Option<&'static str> {
    Some(match code {
        SERVER_ONLY => "An app must not hold these credentials: keep them on a server and ask it for tokens.",
        INVALID_ARGUMENT => "A value is outside its documented range: pass another.",
        INTERNAL => "tokenward has a bug: make a new token manager and report it.",
        _ => {
            let error = Error::ALL.iter().find(|error| error.name() == code).map(|error| error.sentence());
            let reason = || Reason::ALL.iter().find(|reason| reason.name() == code);
            return error.or_else(|| Some(reason()?.sentence()));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_sentence() {
        let errors = Error::ALL.iter().map(|error| (error.name(), error.sentence()));
        // An error says the same of `too_long`.
        let is_error = |name| Error::ALL.iter().any(|error| error.name() == name);
        let reasons = Reason::ALL.iter().filter(|reason| !is_error(reason.name()));
        let reasons = reasons.map(|reason| (reason.name(), reason.sentence()));
        for (code, sentence) in errors.chain(reasons) {
            assert_eq!(error_sentence(code.to_owned()).as_deref(), Ok(sentence));
        }
        for own in [SERVER_ONLY, INVALID_ARGUMENT, INTERNAL] {
            assert!(error_sentence(own.to_owned()).is_ok_and(|sentence| sentence.ends_with('.')), "{own}");
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
}
