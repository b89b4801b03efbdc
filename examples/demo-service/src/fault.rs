//! What a test can order the token endpoint to do wrong.

use serde::{Deserialize, Serialize};

/// One misbehaviour of the token endpoint. Orders queue up; each `POST` to the token endpoint consumes
/// one, whatever becomes of it.
///
/// Over HTTP a fault is an object whose `fault` is the snake_case name:
/// `{"fault":"status503","retry_after":"120"}`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// 503 from a gateway: a plain text body, `Retry-After` as given (seconds or an HTTP-date).
    /// The request is not processed.
    Status503 {
        /// The value of `Retry-After`; no such field where absent.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// 200 with an HTML maintenance page. The request is not processed.
    Html,
    /// Any status with a JSON body. The request is not processed.
    Status {
        /// 200 to 599; anything else is sent as 500.
        status: u16,
        /// Sent as it is where it is a string, else as JSON text.
        body: serde_json::Value,
        /// Further header fields, as pairs.
        #[serde(default)]
        headers: Vec<(String, String)>,
    },
    /// 400 `invalid_grant` in the service's dialect. The request is not processed.
    InvalidGrant,
    /// Processed; the body stops half-way under a `Content-Length` that is right for the half.
    Truncated,
    /// Processed; the connection closes half-way through the announced body.
    Disconnect,
    /// Processed, refresh token rotated; then the connection closes without an answer.
    DropAnswer,
    /// Processed at once, answered later.
    Slow {
        /// Real milliseconds, whatever the service's clock.
        milliseconds: u64,
    },
    /// Processed; the answer has no `expires_in`.
    OmitExpiresIn,
    /// Processed; `expires_in` is a string of digits.
    StringExpiresIn,
    /// Processed; the answer has no refresh token, and one that was presented stays good.
    NoRotation,
    /// Processed; the access token has exactly this length.
    TooLong {
        /// Bytes of the access token, at most [`Fault::MAX_TOKEN_BYTES`].
        bytes: usize,
    },
}

impl Fault {
    /// The longest access token that [`Fault::TooLong`] makes.
    pub const MAX_TOKEN_BYTES: usize = 8 << 20;

    /// The snake_case name, as in the log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Fault::Status503 { .. } => "status503",
            Fault::Html => "html",
            Fault::Status { .. } => "status",
            Fault::InvalidGrant => "invalid_grant",
            Fault::Truncated => "truncated",
            Fault::Disconnect => "disconnect",
            Fault::DropAnswer => "drop_answer",
            Fault::Slow { .. } => "slow",
            Fault::OmitExpiresIn => "omit_expires_in",
            Fault::StringExpiresIn => "string_expires_in",
            Fault::NoRotation => "no_rotation",
            Fault::TooLong { .. } => "too_long",
        }
    }
}
