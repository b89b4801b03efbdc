//! The run loop: ask, begin, send, answer, authorize. One function for each operation of the manager.

use core::ffi::c_char;

use tokenward::{
    Answer, Error, ErrorCode, ErrorResponse, Generation, Instant, Next, Outcome, ParsedAnswer, Reason,
    RequestId, Retry, Revision, SnapshotScope, TokenResponse, UnixTime,
};

use crate::edge::{Edge, OUT_OF_RANGE, Out, Plain, at_the_edge, terminated, tokenward_span, wrote};
use crate::memory::tokenward_manager;
use crate::provider::{TOKENWARD_GRANT_NONE, grant_number, tokenward_grant};
use crate::request::{
    additions_of, credentials_of, lent, tokenward_additions, tokenward_credentials, tokenward_request,
};
use crate::result::*;

/// What the token endpoint answered, as the caller's HTTP client has it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_http_answer {
    /// The whole body.
    pub body: tokenward_span,
    /// The value of the `Retry-After` field, with a line feed between several lines; empty if there is none.
    pub retry_after: tokenward_span,
    /// The time of day in Unix seconds, for HTTP dates and for JWTs without `expires_in`; NULL if the device does
    /// not know it.
    pub wall_s: *const u64,
    /// The status code.
    pub status: u16,
}

/// What the token endpoint answered, from an HTTP client that has parsed the header fields itself.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_parsed_answer {
    /// The whole body.
    pub body: tokenward_span,
    /// Seconds that `Retry-After` asks to wait; NULL if there is no such field, or it is not understood.
    pub retry_after_s: *const u64,
    /// The time of day in Unix seconds, for JWTs without `expires_in`; NULL if the device does not know it.
    pub wall_s: *const u64,
    /// The status code.
    pub status: u16,
}

/// What tokenward_poll() says.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_poll_result {
    /// The earliest instant at which this answer changes by itself; #TOKENWARD_NEVER if it does not.
    pub poll_at_ms: u64,
    /// What the answer is to be reported with: the load, the store or the supply, or what is awaited if `next` is
    /// #TOKENWARD_NEXT_AWAIT.
    pub id: u64,
    /// `TOKENWARD_NEXT_*`: what the caller is to do.
    pub next: tokenward_next,
    /// `TOKENWARD_GRANT_*`, if `next` is #TOKENWARD_NEXT_REQUEST.
    pub grant: tokenward_grant,
    /// `TOKENWARD_REASON_*`, if `next` is #TOKENWARD_NEXT_SUPPLY.
    pub reason: tokenward_reason,
    /// Whether the stored token may be sent now.
    pub usable: bool,
    /// Whether `poll_at_ms` is an instant: false if it is #TOKENWARD_NEVER.
    pub changes: bool,
    /// Which place of storage is to be written, if `next` is #TOKENWARD_NEXT_STORE.
    pub slot: u8,
}

/// The instant that never comes.
pub const TOKENWARD_NEVER: u64 = u64::MAX;

/// What the caller is to do: `TOKENWARD_NEXT_*`.
pub type tokenward_next = i32;
/// Why the caller must act, or why a resource server's refusal is the caller's to handle:
/// `TOKENWARD_REASON_*`.
pub type tokenward_reason = i32;
/// None.
pub const TOKENWARD_REASON_NONE: i32 = 0;

/// What an answer of the token endpoint is: `TOKENWARD_ANSWER_*`.
pub type tokenward_answer_kind = i32;
/// A token (RFC 6749 section 5.1).
pub const TOKENWARD_ANSWER_TOKEN: i32 = 1;
/// The server's own reason why there is none (RFC 6749 section 5.2).
pub const TOKENWARD_ANSWER_ERROR: i32 = 2;

/// An error code of the token endpoint (RFC 6749 section 5.2, RFC 8628 section 3.5): `TOKENWARD_CODE_*`.
pub type tokenward_error_code = i32;
/// None: it was a token.
pub const TOKENWARD_CODE_NONE: i32 = 0;

/// What an answer was.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_outcome {
    /// The token's generation, if it is a token.
    pub generation: u64,
    /// For a refusal: the bytes that the token needs (#TOKENWARD_ERR_TOO_LONG, #TOKENWARD_ERR_REFRESH_TOKEN_TOO_LONG),
    /// the offset in the body (#TOKENWARD_ERR_TRUNCATED, #TOKENWARD_ERR_MALFORMED, #TOKENWARD_ERR_TOO_DEEP), or the
    /// status (#TOKENWARD_ERR_HTTP_STATUS).
    pub detail: usize,
    /// `TOKENWARD_ANSWER_*`. If it is an error, tokenward_poll() says what to do.
    pub kind: tokenward_answer_kind,
    /// `TOKENWARD_CODE_*`, if it is an error; tokenward_error_code_name() names it. For the server's own text
    /// pass the same body to tokenward_token_answer().
    pub code: tokenward_error_code,
}

/// A header value that was written.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_header {
    /// Which of the manager's tokens it carries: for tokenward_rejected().
    pub generation: u64,
    /// Characters of the value, without the NUL; if the buffer is too small, the bytes needed, with the NUL.
    pub len: usize,
    /// The field's name, which lives as long as the service: `Authorization`, if the provider has no other.
    pub name: tokenward_span,
}

/// What to do with a request that a resource server refused: `TOKENWARD_RETRY_*`.
pub type tokenward_retry_kind = i32;
/// What tokenward_rejected() says.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_retry_result {
    /// `TOKENWARD_RETRY_*`.
    pub kind: tokenward_retry_kind,
    /// `TOKENWARD_REASON_*`, if `kind` is #TOKENWARD_RETRY_SURFACE.
    pub reason: tokenward_reason,
    /// If `kind` is #TOKENWARD_RETRY_SURFACE: when the same 401 will be answered otherwise. A 401 that comes within
    /// `min_interval_ms` of the token's receipt is surfaced as #TOKENWARD_REASON_REJECTED, as the token is hardly to
    /// blame, and means a refresh from this instant on. #TOKENWARD_NEVER: that does not come by itself.
    pub retry_at_ms: u64,
}

/// A token that came in another way than by a request: from an app's own backend, or a portal.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_token {
    /// The access token; empty if the refresh token comes alone.
    pub access_token: tokenward_span,
    /// Empty: Bearer.
    pub token_type: tokenward_span,
    /// Empty: none.
    pub refresh_token: tokenward_span,
    /// The lifetime in seconds; NULL if it is not known: the provider says what that means.
    pub expires_in_s: *const u64,
    /// The time of day in Unix seconds, for a JWT without a lifetime; NULL if the device does not know it.
    pub wall_s: *const u64,
    /// The seconds that the refresh token lives; 0 if that is not known. They count if the service has
    /// #tokenward_refresh_life_ends.
    pub refresh_expires_in_s: u64,
}

/// Which part of the state a snapshot holds: `TOKENWARD_SNAPSHOT_*`.
pub type tokenward_snapshot_scope = i32;
/// Only the refresh token, for flash that wears: it is stored only when that changes.
pub const TOKENWARD_SNAPSHOT_REFRESH_TOKEN: i32 = 1;
/// The access token too.
pub const TOKENWARD_SNAPSHOT_ALL: i32 = 2;

// SAFETY: spans, a raw pointer and an integer.
unsafe impl Plain for tokenward_http_answer {}
// SAFETY: a span, raw pointers and an integer.
unsafe impl Plain for tokenward_parsed_answer {}
// SAFETY: spans and raw pointers.
unsafe impl Plain for tokenward_token {}

/// Says what to do at `now_ms`, whether the token may be sent, and when to ask again. Changes nothing.
///
/// May run concurrently with other functions that take this manager as `const`; not from an interrupt handler
/// that can interrupt a call that changes it.
///
/// @code
/// tokenward_poll_result next;
/// int32_t result = tokenward_poll(manager, now_ms, &next);
/// if (result != TOKENWARD_OK) return result;
/// if (next.next == TOKENWARD_NEXT_REQUEST) return send_token_request();
/// if (next.next == TOKENWARD_NEXT_SUPPLY) log_line(tokenward_reason_name(next.reason));
/// sleep_until(next.poll_at_ms);
/// @endcode
///
/// @param[in] manager The manager.
/// @param[in] now_ms The caller's clock. A clock that steps back counts as one that stands still.
/// @param[out] out Written on success.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_poll(
    manager: *const tokenward_manager,
    now_ms: u64,
    out: *mut tokenward_poll_result,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let poll = edge.manager(manager)?.manager.poll(Instant::from_millis(now_ms));
        let mut said = tokenward_poll_result {
            poll_at_ms: poll.poll_at.map_or(TOKENWARD_NEVER, Instant::as_millis),
            id: 0,
            next: poll.next.code().into(),
            grant: TOKENWARD_GRANT_NONE,
            reason: TOKENWARD_REASON_NONE,
            usable: poll.usable,
            changes: poll.poll_at.is_some(),
            slot: 0,
        };
        match poll.next {
            Next::Request(grant) => said.grant = grant_number(grant),
            Next::Await(RequestId(id)) | Next::Load(RequestId(id)) => said.id = id,
            Next::Store(RequestId(id), slot) => (said.id, said.slot) = (id, slot),
            Next::Supply(RequestId(id), reason) => (said.id, said.reason) = (id, reason_number(reason)),
            Next::Nothing | Next::Wait => {}
        }
        out.write(said);
        Ok(())
    })
}

/// Writes the request that tokenward_poll() asks for. The token's lifetime counts from here. A refused call
/// changes nothing but the clock.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// tokenward_request request;
/// int32_t result = tokenward_begin(manager, now_ms, &credentials, buffer, sizeof buffer, &request);
/// if (result != TOKENWARD_OK) return result;
/// if (!http_post(&request, &answer)) result = tokenward_failed(manager, now_ms, request.id);
/// tokenward_wipe(buffer, sizeof buffer);
/// return result;
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] credentials What the request presents; nothing of it is kept.
/// @param[out] buf Where URL, header fields and body are written. It holds secrets afterwards: tokenward_wipe() it once
/// the request is sent.
/// @param[in] cap Bytes of `buf`.
/// @param[out] out Written on success: its spans point into `buf`. If `buf` is too small, its `len` says how many
/// bytes are needed.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
/// @retval TOKENWARD_ERR_REQUEST_IN_FLIGHT one is in flight and has not timed out
/// @retval TOKENWARD_ERR_NOT_DUE tokenward_poll() does not say #TOKENWARD_NEXT_REQUEST
/// @retval TOKENWARD_ERR_WRONG_CREDENTIALS one that the grant or a `{name}` needs is empty, a raw Basic id contains `:`
/// or a control character, or the bearer or the value of a field cannot be sent in a header
/// @retval TOKENWARD_ERR_INVALID_PROVIDER an extension grant has no name, or a `{` has no `}`
/// @retval TOKENWARD_ERR_BAD_URL the provider's token endpoint is not a URL, or is ambiguous
/// @retval TOKENWARD_ERR_ORIGIN_NOT_ALLOWED the token endpoint is not `https`
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_begin(
    manager: *mut tokenward_manager,
    now_ms: u64,
    credentials: *const tokenward_credentials,
    buf: *mut u8,
    cap: usize,
    out: *mut tokenward_request,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let buf = edge.buffer(buf, cap);
        let block = edge.manager_mut(manager)?;
        let credentials = credentials_of(edge, credentials);
        edge.checked()?;
        let begun = block.manager.begin(Instant::from_millis(now_ms), &credentials, buf);
        lent(begun, out)
    })
}

/// Writes what the caller's key signs, for a client that authenticates by #tokenward_authentication_private_key_jwt: the
/// signature goes with the credentials of the request that follows, be it tokenward_begin()'s, a sign-in's or a
/// revocation's. One signature is for one request.
///
/// May run concurrently with other functions that take this manager as `const`.
///
/// @code
/// tokenward_assertion assertion = { .wall_s = *wall_s, .algorithm = &tokenward_algorithm_es256 };
/// fill_random(assertion.random, sizeof assertion.random);
/// tokenward_credentials client = { .client_id = TOKENWARD_TEXT("gateway"), .assertion = &assertion };
/// size_t len;
/// int32_t result = tokenward_signing_input(manager, &client, buffer, sizeof buffer, &len);
/// if (result != TOKENWARD_OK) return result;
/// assertion.signature = sign_es256(buffer, len); // in DER, or as 64 bytes
/// return tokenward_begin(manager, now_ms, &client, buffer, sizeof buffer, &request);
/// @endcode
///
/// @param[in] manager The manager.
/// @param[in] credentials What the request will present; nothing of it is kept.
/// @param[out] buf Where it is written.
/// @param[in] cap Bytes of `buf`.
/// @param[out] len Bytes of it; if `buf` is too small, the bytes needed.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
/// @retval TOKENWARD_ERR_INVALID_PROVIDER no key signs for the client of this provider
/// @retval TOKENWARD_ERR_WRONG_CREDENTIALS the client id, the assertion or its algorithm is missing
/// @retval TOKENWARD_ERR_NOT_RANDOM its random bytes are all alike
/// @retval TOKENWARD_ERR_NO_WALL_CLOCK the time of day is not known
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_signing_input(
    manager: *const tokenward_manager,
    credentials: *const tokenward_credentials,
    buf: *mut u8,
    cap: usize,
    len: *mut usize,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(len)?;
        let buf = edge.buffer(buf, cap);
        let block = edge.manager(manager)?;
        let credentials = credentials_of(edge, credentials);
        edge.checked()?;
        wrote(block.manager.signing_input(&credentials, buf), out)
    })
}

/// tokenward_begin() for a request that carries more than its credentials: values for the provider's parameters and
/// header fields, or parameters of the caller's own. A site token has none.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// const tokenward_pair audience[] = { { TOKENWARD_TEXT("audience"), TOKENWARD_TEXT("devices") } };
/// const tokenward_additions additions = { .parameters = { audience, 1 } };
/// tokenward_request request;
/// int32_t result = tokenward_begin_with(manager, now_ms, &credentials, &additions, buffer, sizeof buffer, &request);
/// if (result != TOKENWARD_OK) return result;
/// if (!http_post(&request, &answer)) result = tokenward_failed(manager, now_ms, request.id);
/// tokenward_wipe(buffer, sizeof buffer);
/// return result;
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] credentials What the request presents; nothing of it is kept.
/// @param[in] additions What it carries beside; NULL: nothing. Nothing of it is kept.
/// @param[out] buf Where URL, header fields and body are written. It holds secrets afterwards: tokenward_wipe() it once
/// the request is sent.
/// @param[in] cap Bytes of `buf`.
/// @param[out] out Written on success: its spans point into `buf`. If `buf` is too small, its `len` says how many
/// bytes are needed.
/// @return What tokenward_begin() returns; #TOKENWARD_ERR_DUPLICATE_PARAMETER if a parameter is sent already.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_begin_with(
    manager: *mut tokenward_manager,
    now_ms: u64,
    credentials: *const tokenward_credentials,
    additions: *const tokenward_additions,
    buf: *mut u8,
    cap: usize,
    out: *mut tokenward_request,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let buf = edge.buffer(buf, cap);
        let block = edge.manager_mut(manager)?;
        let additions = additions_of(edge, additions);
        let credentials = credentials_of(edge, credentials);
        edge.checked()?;
        let begun = block.manager.begin_with(Instant::from_millis(now_ms), &credentials, &additions, buf);
        lent(begun, out)
    })
}

/// Reads the answer to a request and keeps its token. Everything is checked before anything is replaced, so a
/// good token stays good. The id is used up by the answer, whatever that was.
///
/// Every refusal of the input counts as a failed request, except #TOKENWARD_ERR_STALE_REQUEST. After a refused
/// argument (1 to 99) the request is still in flight: answer it again.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// tokenward_outcome outcome;
/// int32_t result = tokenward_answer(manager, now_ms, request.id, &answer, &outcome);
/// tokenward_wipe(body, sizeof body); // what `answer.body` points to held the tokens
/// if (result != TOKENWARD_OK) return result; // tokenward_poll() says when to try again
/// if (outcome.kind == TOKENWARD_ANSWER_ERROR) log_line(tokenward_error_code_name(outcome.code));
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] request_id The `id` that tokenward_begin() gave.
/// @param[in] answer What the token endpoint answered. Tokens are copied into the manager.
/// @param[out] out Written on success; its `detail` also if that explains a refusal.
/// @retval TOKENWARD_OK it is a token, which is stored, or an error that the server gave
/// @retval TOKENWARD_ERR_STALE_REQUEST `request_id` is not that of the request in flight: nothing changes
/// @retval TOKENWARD_ERR_NOT_JSON not a JSON object
/// @retval TOKENWARD_ERR_TRUNCATED the body stops before its end
/// @retval TOKENWARD_ERR_MALFORMED RFC 8259 refuses the body
/// @retval TOKENWARD_ERR_TOO_DEEP more than 32 containers are open at once
/// @retval TOKENWARD_ERR_DUPLICATE_MEMBER a member that is read appears twice
/// @retval TOKENWARD_ERR_INVALID_ACCESS_TOKEN the member is not what it must be
/// @retval TOKENWARD_ERR_INVALID_REFRESH_TOKEN the member is not what it must be
/// @retval TOKENWARD_ERR_INVALID_TOKEN_TYPE the member is not what it must be
/// @retval TOKENWARD_ERR_INVALID_SCOPE_MEMBER the member is not what it must be
/// @retval TOKENWARD_ERR_INVALID_ERROR the member is not what it must be
/// @retval TOKENWARD_ERR_INVALID_EXPIRES_IN the member is not what it must be
/// @retval TOKENWARD_ERR_ERROR_BESIDE_TOKEN a non-empty `error` next to a token
/// @retval TOKENWARD_ERR_NO_ERROR_CODE no error code under a status other than 2xx
/// @retval TOKENWARD_ERR_UNSUPPORTED_TOKEN_TYPE it is not a Bearer token
/// @retval TOKENWARD_ERR_MISSING_LIFETIME the provider requires one
/// @retval TOKENWARD_ERR_ALREADY_EXPIRED the token has expired
/// @retval TOKENWARD_ERR_SAME_TOKEN the stored token again, although it is used up
/// @retval TOKENWARD_ERR_TOO_LONG the access token is longer than its slot
/// @retval TOKENWARD_ERR_REFRESH_TOKEN_TOO_LONG the refresh token is longer than its slot
/// @retval TOKENWARD_ERR_HTTP_STATUS no JSON object under a status other than 2xx
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_answer(
    manager: *mut tokenward_manager,
    now_ms: u64,
    request_id: u64,
    answer: *const tokenward_http_answer,
    out: *mut tokenward_outcome,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let block = edge.manager_mut(manager)?;
        let given = edge.value(answer)?;
        let retry_after = [("retry-after", edge.bytes(given.retry_after))];
        let answer = Answer {
            status: given.status,
            headers: if given.retry_after.len == 0 { &[] } else { &retry_after },
            body: edge.bytes(given.body),
            wall: wall(edge, given.wall_s),
        };
        edge.checked()?;
        said(&block.manager.answer(Instant::from_millis(now_ms), RequestId(request_id), &answer), out)
    })
}

/// tokenward_answer() for a caller whose HTTP client has parsed `Retry-After`: an image that calls only this one
/// contains no parser of that field and of dates.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// const uint64_t wait_s = 120; // the HTTP client has read `Retry-After: 120`
/// const tokenward_parsed_answer parsed = { .body = answer.body, .retry_after_s = &wait_s, .status = answer.status };
/// tokenward_outcome outcome;
/// int32_t result = tokenward_answer_parsed(manager, now_ms, request.id, &parsed, &outcome);
/// tokenward_wipe(body, sizeof body);
/// if (result != TOKENWARD_OK) return result; // tokenward_poll() says when to try again
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] request_id The `id` that tokenward_begin() gave.
/// @param[in] answer What the token endpoint answered. Tokens are copied into the manager.
/// @param[out] out Written on success; its `detail` also if that explains a refusal.
/// @return What tokenward_answer() returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_answer_parsed(
    manager: *mut tokenward_manager,
    now_ms: u64,
    request_id: u64,
    answer: *const tokenward_parsed_answer,
    out: *mut tokenward_outcome,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let block = edge.manager_mut(manager)?;
        let given = edge.value(answer)?;
        let answer = ParsedAnswer {
            status: given.status,
            body: edge.bytes(given.body),
            retry_after: edge.optional(given.retry_after_s).copied(),
            wall: wall(edge, given.wall_s),
        };
        edge.checked()?;
        said(&block.manager.answer_parsed(Instant::from_millis(now_ms), RequestId(request_id), &answer), out)
    })
}

impl tokenward_outcome {
    pub(crate) const NONE: Self = Self { generation: 0, detail: 0, kind: 0, code: TOKENWARD_CODE_NONE };

    pub(crate) const fn token(generation: Generation) -> Self {
        Self { generation: generation.0, kind: TOKENWARD_ANSWER_TOKEN, ..Self::NONE }
    }

    pub(crate) const fn error(response: &ErrorResponse<'_>) -> Self {
        Self { kind: TOKENWARD_ANSWER_ERROR, code: code_number(response.code()), ..Self::NONE }
    }
}

/// Says what an answer was.
pub(crate) fn said(
    answered: &Result<Outcome<'_>, Error>,
    out: Out<'_, tokenward_outcome>,
) -> Result<(), Fault> {
    match answered {
        Ok(Outcome::Token(generation)) => out.write(tokenward_outcome::token(*generation)),
        Ok(Outcome::Error(response)) => out.write(tokenward_outcome::error(response)),
        Err(error) => return refused(*error, out),
    }
    Ok(())
}

/// Says why an answer was refused, where there is more to say than the number.
pub(crate) fn refused(error: Error, out: Out<'_, tokenward_outcome>) -> Result<(), Fault> {
    let detail = detail(error);
    if detail != 0 {
        out.write(tokenward_outcome { detail, ..tokenward_outcome::NONE });
    }
    Err(error.into())
}

/// Reports that a request got no answer: no connection, a time-out of the caller's own, an answer that was cut
/// off.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// if (!http_post(&request, &answer)) {
///   int32_t result = tokenward_failed(manager, now_ms, request.id);
///   if (result != TOKENWARD_OK) return result;
/// }
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] request_id The `id` that tokenward_begin() gave.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_STALE_REQUEST `request_id` is not that of the request in flight
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_failed(
    manager: *mut tokenward_manager,
    now_ms: u64,
    request_id: u64,
) -> i32 {
    at_the_edge!(|edge| {
        let block = edge.manager_mut(manager)?;
        Ok(block.manager.failed(Instant::from_millis(now_ms), RequestId(request_id))?)
    })
}

/// Writes `Bearer ...`, the value of the `Authorization` field of a request, after checking that the token may be
/// sent there. Of several faults the first one listed below is returned.
///
/// May run concurrently with other functions that take this manager as `const`; not from an interrupt handler
/// that can interrupt a call that changes it.
///
/// @code
/// tokenward_header header;
/// int32_t result = tokenward_authorize(manager, now_ms, tokenward_text("GET"), url, value, sizeof value, &header);
/// if (result != TOKENWARD_OK) return result;
/// uint16_t status = http_get(url, value);
/// tokenward_wipe(value, sizeof value);
/// if (status == 401 || status == 403) return refused(header.generation, status);
/// @endcode
///
/// @param[in] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] method The request's method; case matters.
/// @param[in] url The request's absolute URL.
/// @param[out] buf Where the value is written, followed by a NUL. It holds the token afterwards: tokenward_wipe()
/// it once the request is sent.
/// @param[in] cap Bytes of `buf`.
/// @param[out] out Written on success. If `buf` is too small, its `len` says how many bytes are needed.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_BAD_URL not an absolute URL, or ambiguous
/// @retval TOKENWARD_ERR_ORIGIN_NOT_ALLOWED not an origin of the provider and environment, or not `https`
/// @retval TOKENWARD_ERR_UNKNOWN_ROUTE no row of the provider's route table
/// @retval TOKENWARD_ERR_ROUTE_NEEDS_OTHER_TOKEN a route of the other kind of token
/// @retval TOKENWARD_ERR_OTHER_SITE a route of another site
/// @retval TOKENWARD_ERR_NOT_USABLE there is no token that may be sent now
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_authorize(
    manager: *const tokenward_manager,
    now_ms: u64,
    method: tokenward_span,
    url: tokenward_span,
    buf: *mut c_char,
    cap: usize,
    out: *mut tokenward_header,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let buf = edge.buffer(buf.cast(), cap);
        let (method, url) = (edge.text(method), edge.text(url));
        let block = edge.manager(manager)?;
        let bearer = block.manager.authorize(Instant::from_millis(now_ms), method, url)?;
        let (len, result) = terminated(buf, |buf| bearer.write(buf))?;
        let name = tokenward_span::of(bearer.name().as_bytes());
        out.write(tokenward_header { generation: bearer.generation().0, len, name });
        result
    })
}

/// Says what to do with a request that carried a token and was refused by a resource server.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// tokenward_retry_result retry;
/// int32_t result = tokenward_rejected(manager, now_ms, header.generation, status, challenge, &retry);
/// if (result != TOKENWARD_OK) return result;
/// if (retry.kind == TOKENWARD_RETRY_NOW) return call_api();
/// if (retry.kind == TOKENWARD_RETRY_SURFACE) log_line(tokenward_reason_name(retry.reason));
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] generation The `generation` that tokenward_authorize() gave with the header.
/// @param[in] status The status code.
/// @param[in] challenge The value of the `WWW-Authenticate` field, with a line feed between several lines; empty if
/// there is none.
/// @param[out] out Written on success.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_rejected(
    manager: *mut tokenward_manager,
    now_ms: u64,
    generation: u64,
    status: u16,
    challenge: tokenward_span,
    out: *mut tokenward_retry_result,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let block = edge.manager_mut(manager)?;
        let challenge = edge.bytes(challenge);
        edge.checked()?;
        let now = Instant::from_millis(now_ms);
        decided(block.manager.rejected(now, Generation(generation), status, Some(challenge)), out)
    })
}

/// tokenward_rejected() for a caller that has parsed the challenge: an image that calls only this one contains no
/// parser of challenges.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// tokenward_retry_result retry;
/// bool narrow = http_field_has("WWW-Authenticate", "insufficient_scope");
/// int32_t result = tokenward_rejected_parsed(manager, now_ms, header.generation, status, narrow, &retry);
/// if (result != TOKENWARD_OK) return result;
/// if (retry.kind == TOKENWARD_RETRY_NOW) return call_api();
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] generation The `generation` that tokenward_authorize() gave with the header.
/// @param[in] status The status code.
/// @param[in] insufficient_scope Whether there is a Bearer challenge with the error `insufficient_scope` (RFC 6750
/// section 3.1).
/// @param[out] out Written on success.
/// @return What tokenward_rejected() returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_rejected_parsed(
    manager: *mut tokenward_manager,
    now_ms: u64,
    generation: u64,
    status: u16,
    insufficient_scope: bool,
    out: *mut tokenward_retry_result,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let block = edge.manager_mut(manager)?;
        let now = Instant::from_millis(now_ms);
        decided(block.manager.rejected_parsed(now, Generation(generation), status, insufficient_scope), out)
    })
}

/// Says what to do with a refused request.
fn decided(retry: Retry, out: Out<'_, tokenward_retry_result>) -> Result<(), Fault> {
    let (reason, retry_at) = match retry {
        Retry::Surface { reason, retry_at } => (reason_number(reason), retry_at),
        Retry::Now | Retry::AfterRefresh => (TOKENWARD_REASON_NONE, None),
    };
    let retry_at_ms = retry_at.map_or(TOKENWARD_NEVER, Instant::as_millis);
    out.write(tokenward_retry_result { kind: retry.code().into(), reason, retry_at_ms });
    Ok(())
}

/// Keeps a token that someone else obtained. It replaces access and refresh token, ends reload, backoff and
/// failure, and makes a request in flight stale. Its lifetime counts from `now_ms`. A refresh token may come alone, as
/// from an app that provisions a device: then there is no access token until it has been used. A refused token changes
/// nothing but the clock.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// const uint64_t lifetime_s = 3600;
/// const tokenward_token token = { .access_token = tokenward_text(access_token), .expires_in_s = &lifetime_s };
/// uint64_t generation;
/// int32_t result = tokenward_install(manager, now_ms, &token, &generation);
/// tokenward_wipe(access_token, sizeof access_token);
/// if (result != TOKENWARD_OK) return result;
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] token The token. It is copied into the manager.
/// @param[out] generation The token's generation: written on success.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_INVALID_ACCESS_TOKEN a byte outside the provider's alphabet; or none, and no refresh token
/// that the provider has the grant for
/// @retval TOKENWARD_ERR_UNSUPPORTED_TOKEN_TYPE it is not a Bearer token
/// @retval TOKENWARD_ERR_MISSING_LIFETIME the provider requires one
/// @retval TOKENWARD_ERR_ALREADY_EXPIRED the token has expired
/// @retval TOKENWARD_ERR_TOO_LONG the access token is longer than its slot
/// @retval TOKENWARD_ERR_REFRESH_TOKEN_TOO_LONG the refresh token is longer than its slot
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_install(
    manager: *mut tokenward_manager,
    now_ms: u64,
    token: *const tokenward_token,
    generation: *mut u64,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(generation)?;
        let block = edge.manager_mut(manager)?;
        let (wall, token) = token_of(edge, token)?;
        edge.checked()?;
        let Generation(generation) = block.manager.install(Instant::from_millis(now_ms), wall, &token)?;
        out.write(generation);
        Ok(())
    })
}

fn token_of<'c>(
    edge: &mut Edge<'c>,
    token: *const tokenward_token,
) -> Result<(Option<UnixTime>, TokenResponse<'c>), Fault> {
    let given = edge.value(token)?;
    let mut token = TokenResponse::new(edge.text(given.access_token))
        .with_token_type(edge.text(given.token_type))
        .with_refresh_token(edge.text(given.refresh_token))
        .with_refresh_expires_in(given.refresh_expires_in_s);
    if let Some(seconds) = edge.optional(given.expires_in_s) {
        token = token.with_expires_in(*seconds);
    }
    Ok((wall(edge, given.wall_s), token))
}

/// Keeps what #TOKENWARD_NEXT_SUPPLY asked for: tokenward_install() that counts only for its id. What was asked for before
/// somebody signed out or in comes too late.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// const tokenward_token token = { .access_token = tokenward_text(access_token) }; // from the portal
/// uint64_t generation;
/// int32_t result = tokenward_supplied(manager, now_ms, next.id, &token, &generation);
/// tokenward_wipe(access_token, sizeof access_token);
/// if (result != TOKENWARD_OK) return result;
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] id The `id` that tokenward_poll() gave with #TOKENWARD_NEXT_SUPPLY.
/// @param[in] token The token. It is copied into the manager.
/// @param[out] generation The token's generation: written on success.
/// @retval TOKENWARD_ERR_STALE_REQUEST tokenward_poll() would not give this `id` now
/// @return Else what tokenward_install() returns.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_supplied(
    manager: *mut tokenward_manager,
    now_ms: u64,
    id: u64,
    token: *const tokenward_token,
    generation: *mut u64,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(generation)?;
        let block = edge.manager_mut(manager)?;
        let (wall, token) = token_of(edge, token)?;
        edge.checked()?;
        let now = Instant::from_millis(now_ms);
        let Generation(generation) = block.manager.supplied(now, wall, RequestId(id), &token)?;
        out.write(generation);
        Ok(())
    })
}

/// Reports that #TOKENWARD_NEXT_SUPPLY brought nothing: a program was not reached, or nobody signed in.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// if (http_get(url, value) != 200) { // the portal is down
///   int32_t result = tokenward_supply_failed(manager, now_ms, next.id, true);
///   if (result != TOKENWARD_OK) return result;
/// }
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] id The `id` that tokenward_poll() gave with #TOKENWARD_NEXT_SUPPLY.
/// @param[in] retryable Whether it may soon be otherwise.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_STALE_REQUEST tokenward_poll() would not give this `id` now
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_supply_failed(
    manager: *mut tokenward_manager,
    now_ms: u64,
    id: u64,
    retryable: bool,
) -> i32 {
    at_the_edge!(|edge| {
        let block = edge.manager_mut(manager)?;
        Ok(block.manager.supply_failed(Instant::from_millis(now_ms), RequestId(id), retryable)?)
    })
}

/// Reports that a load, a store or a supply is being done: tokenward_poll() says #TOKENWARD_NEXT_AWAIT in its place until
/// its answer comes. A loop that does what it is told before it polls again needs no such call.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// if (next.next == TOKENWARD_NEXT_SUPPLY) {
///   int32_t result = tokenward_took(manager, now_ms, next.id);
///   if (result != TOKENWARD_OK) return result;
///   show_sign_in(next.id); // once, however often the loop polls meanwhile
/// }
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] id The `id` that tokenward_poll() gave.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_STALE_REQUEST tokenward_poll() would not give this `id` now
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_took(manager: *mut tokenward_manager, now_ms: u64, id: u64) -> i32 {
    at_the_edge!(|edge| {
        let block = edge.manager_mut(manager)?;
        Ok(block.manager.took(Instant::from_millis(now_ms), RequestId(id))?)
    })
}

/// Gets until when a person must have signed in again, if the service tells how long a refresh token lives and no grant
/// obtains a token without one. It stays when it is past, and moves when a refresh brings more.
///
/// May run concurrently with other functions that take this manager as `const`.
///
/// @code
/// uint64_t by_ms;
/// int32_t result = tokenward_sign_in_by(manager, &by_ms);
/// if (result != TOKENWARD_OK) return result;
/// if (by_ms != TOKENWARD_NEVER) show_sign_in_before(by_ms);
/// @endcode
///
/// @param[in] manager The manager.
/// @param[out] by_ms Written on success: the instant; #TOKENWARD_NEVER if there is none.
/// @retval TOKENWARD_OK done
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_sign_in_by(manager: *const tokenward_manager, by_ms: *mut u64) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(by_ms)?;
        let block = edge.manager(manager)?;
        out.write(block.manager.sign_in_by().map_or(TOKENWARD_NEVER, Instant::as_millis));
        Ok(())
    })
}

/// Gets the generation of the newest token that was kept; 0 before the first.
///
/// May run concurrently with other functions that take this manager as `const`.
///
/// @code
/// uint64_t newest;
/// int32_t result = tokenward_generation(manager, &newest);
/// if (result != TOKENWARD_OK) return result;
/// if (newest != header.generation) return call_api(); // the token has changed since that header was written
/// @endcode
///
/// @param[in] manager The manager.
/// @param[out] out Written on success.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_generation(manager: *const tokenward_manager, out: *mut u64) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let Generation(generation) = edge.manager(manager)?.manager.generation();
        out.write(generation);
        Ok(())
    })
}

/// Writes the state as one line of ASCII for a log: no token, no credential, no site and no account is in it.
/// Members that say nothing are left out.
///
/// May run concurrently with other functions that take this manager as `const`.
///
/// @code
/// char line[256];
/// size_t len;
/// int32_t result = tokenward_state_line(manager, now_ms, line, sizeof line, &len);
/// if (result != TOKENWARD_OK) return result;
/// log_line(line); // service=flute usable=yes next=nothing poll_in_ms=2880000 generation=1
/// @endcode
///
/// @param[in] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[out] buf Where the line is written, followed by a NUL: 256 bytes hold any of a preset.
/// @param[in] cap Bytes of `buf`.
/// @param[out] len Characters of the line, without the NUL; if `buf` is too small, the bytes needed, with the NUL.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_state_line(
    manager: *const tokenward_manager,
    now_ms: u64,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(len)?;
        let buf = edge.buffer(buf.cast(), cap);
        let block = edge.manager(manager)?;
        edge.checked()?;
        let now = Instant::from_millis(now_ms);
        let (len, result) = terminated(buf, |buf| block.manager.state_line(now, buf))?;
        out.write(len);
        result
    })
}

/// Gets the greatest revision that this manager has written to storage, or found there; 0 without storage. What a caller
/// keeps where nobody can turn it back is the floor of the next start (#tokenward_storage).
///
/// May run concurrently with other functions that take this manager as `const`.
///
/// @code
/// uint64_t revision;
/// int32_t result = tokenward_revision(manager, &revision);
/// if (result != TOKENWARD_OK) return result;
/// counter_raise_to(revision); // after tokenward_stored()
/// @endcode
///
/// @param[in] manager The manager.
/// @param[out] out Written on success.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_revision(manager: *const tokenward_manager, out: *mut u64) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let Revision(revision) = edge.manager(manager)?.manager.revision();
        out.write(revision);
        Ok(())
    })
}

/// Lifts a permanent failure: the configuration was corrected, or the user wants to try again.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// int32_t result = tokenward_retry(manager); // the user has typed the password again
/// if (result != TOKENWARD_OK) return result;
/// wake_token_task();
/// @endcode
///
/// @param[in,out] manager The manager.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_retry(manager: *mut tokenward_manager) -> i32 {
    at_the_edge!(|edge| {
        edge.manager_mut(manager)?.manager.retry();
        Ok(())
    })
}

/// Makes a refresh due now; in the meantime the token stays usable.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// int32_t result = tokenward_renew(manager); // the account was given more rights: a new token has them
/// if (result != TOKENWARD_OK) return result;
/// wake_token_task();
/// @endcode
///
/// @param[in,out] manager The manager.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_renew(manager: *mut tokenward_manager) -> i32 {
    at_the_edge!(|edge| {
        edge.manager_mut(manager)?.manager.renew();
        Ok(())
    })
}

/// Signs out: wipes the tokens; the manager goes on without one. With storage tokenward_poll() then says to store that
/// nobody is signed in: nothing is erased first. To end a manager, tokenward_wipe() its memory.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// int32_t result = tokenward_clear(manager);
/// if (result != TOKENWARD_OK) return result;
/// wake_token_task(); // which stores it, now that tokenward_poll() says #TOKENWARD_NEXT_STORE
/// @endcode
///
/// @param[in,out] manager The manager.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_clear(manager: *mut tokenward_manager) -> i32 {
    at_the_edge!(|edge| {
        edge.manager_mut(manager)?.manager.clear();
        Ok(())
    })
}

/// The name of an error code of the token endpoint, as RFC 6749 section 5.2 and RFC 8628 section 3.5 spell it:
/// `invalid_grant`.
///
/// May be called from any thread and from an interrupt handler.
///
/// @code
/// if (outcome.kind == TOKENWARD_ANSWER_ERROR) {
///   log_line(tokenward_error_code_name(outcome.code)); // invalid_grant
/// }
/// @endcode
///
/// @param[in] code `TOKENWARD_CODE_*`.
/// @return A string that lives as long as the program; `none` for #TOKENWARD_CODE_NONE, `other` for
/// #TOKENWARD_CODE_OTHER, `unknown` for any other number.
#[unsafe(no_mangle)]
pub extern "C" fn tokenward_error_code_name(code: tokenward_error_code) -> *const c_char {
    if code == TOKENWARD_CODE_NONE {
        return c"none".as_ptr();
    }
    word(ErrorCode::NAMES, ErrorCode::NUMBERS, code)
}

/// The name of a reason in snake_case, the same in every language: `no_token`.
///
/// May be called from any thread and from an interrupt handler.
///
/// @code
/// if (next.next == TOKENWARD_NEXT_SUPPLY) {
///   log_line(tokenward_reason_name(next.reason)); // refresh_token_rejected
/// }
/// @endcode
///
/// @param[in] reason `TOKENWARD_REASON_*`.
/// @return A string that lives as long as the program; `none` for #TOKENWARD_REASON_NONE, `unknown` for any other
/// number.
#[unsafe(no_mangle)]
pub extern "C" fn tokenward_reason_name(reason: tokenward_reason) -> *const c_char {
    if reason == TOKENWARD_REASON_NONE {
        return c"none".as_ptr();
    }
    word(Reason::NAMES, Reason::NUMBERS, reason)
}

/// The name of what the caller is to do in snake_case, the same in every language: `request`.
///
/// May be called from any thread and from an interrupt handler.
///
/// @code
/// tokenward_poll_result said;
/// int32_t result = tokenward_poll(manager, now_ms, &said);
/// if (result != TOKENWARD_OK) return result;
/// log_line(tokenward_next_name(said.next)); // request
/// @endcode
///
/// @param[in] next `TOKENWARD_NEXT_*`.
/// @return A string that lives as long as the program; `unknown` for any other number.
#[unsafe(no_mangle)]
pub extern "C" fn tokenward_next_name(next: tokenward_next) -> *const c_char {
    word(Next::NAMES, Next::NUMBERS, next)
}

/// The name of what to do with a refused request in snake_case, the same in every language: `after_refresh`.
///
/// May be called from any thread and from an interrupt handler.
///
/// @code
/// tokenward_retry_result retry;
/// int32_t result = tokenward_rejected(manager, now_ms, header.generation, status, challenge, &retry);
/// if (result != TOKENWARD_OK) return result;
/// log_line(tokenward_retry_name(retry.kind)); // after_refresh
/// @endcode
///
/// @param[in] kind `TOKENWARD_RETRY_*`.
/// @return A string that lives as long as the program; `unknown` for any other number.
#[unsafe(no_mangle)]
pub extern "C" fn tokenward_retry_name(kind: tokenward_retry_kind) -> *const c_char {
    word(Retry::NAMES, Retry::NUMBERS, kind)
}

const fn reason_number(reason: Reason) -> tokenward_reason {
    reason.code() as tokenward_reason
}

pub(crate) const fn code_number(code: ErrorCode) -> tokenward_error_code {
    code.code() as tokenward_error_code
}

pub(crate) fn scope_of(scope: tokenward_snapshot_scope) -> Result<SnapshotScope, Fault> {
    match scope {
        TOKENWARD_SNAPSHOT_REFRESH_TOKEN => Ok(SnapshotScope::RefreshToken),
        TOKENWARD_SNAPSHOT_ALL => Ok(SnapshotScope::All),
        _ => Err(OUT_OF_RANGE),
    }
}

#[inline(always)]
pub(crate) fn wall(edge: &mut Edge<'_>, wall_s: *const u64) -> Option<UnixTime> {
    edge.optional(wall_s).map(|seconds| UnixTime::from_secs(*seconds))
}
