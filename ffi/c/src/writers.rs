//! Writers that need no manager, and what the caller's own memory needs.

use core::ffi::{c_char, c_void};

use tokenward::wire::form_encode;
use tokenward::{Bearer, Error, Instant, RequestId, TickWidener, TokenRequest, basic, basic_raw};

use crate::config::{tokenward_config, whose};
use crate::edge::{Edge, at_the_edge, terminated, tokenward_span};
use crate::provider::{grant, tokenward_grant};
use crate::request::{
    additions_of, credentials_of, lent, tokenward_additions, tokenward_credentials, tokenward_request,
};
use crate::result::*;

/// Writes `Bearer ...`, the value of an `Authorization` field, for a token that no manager keeps.
///
/// May be called from any thread.
///
/// @code
/// size_t len;
/// int32_t result = tokenward_bearer(tokenward_text(access_token), value, sizeof value, &len);
/// if (result != TOKENWARD_OK) return result;
/// uint16_t status = http_get(url, value);
/// tokenward_wipe(value, sizeof value);
/// if (status != 200) log_line("refused");
/// @endcode
///
/// @param[in] token The token.
/// @param[out] buf Where the value is written, followed by a NUL. It holds the token afterwards.
/// @param[in] cap Bytes of `buf`.
/// @param[out] len Characters without the NUL; if `buf` is too small, the bytes needed, with the NUL.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_INVALID_ACCESS_TOKEN empty, or a byte outside 0x21 to 0x7E, which could end the field
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_bearer(
    token: tokenward_span,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(len)?;
        let buf = edge.buffer(buf.cast(), cap);
        let token = edge.text(token);
        edge.checked()?;
        let bearer = Bearer::new(token)?;
        let (len, result) = terminated(buf, |buf| bearer.write(buf))?;
        out.write(len);
        result
    })
}

/// Writes `Basic ...`, the value of an `Authorization` field, with id and secret form-encoded first, as RFC 6749
/// section 2.3.1 says.
///
/// May be called from any thread.
///
/// @code
/// size_t len;
/// int32_t result = tokenward_basic(credentials.client_id, credentials.client_secret, value, sizeof value, &len);
/// if (result != TOKENWARD_OK) return result;
/// uint16_t status = http_get(url, value);
/// tokenward_wipe(value, sizeof value);
/// if (status != 200) log_line("refused");
/// @endcode
///
/// @param[in] id The client id.
/// @param[in] secret The client secret.
/// @param[out] buf Where the value is written, followed by a NUL. It holds the secret afterwards.
/// @param[in] cap Bytes of `buf`.
/// @param[out] len Characters without the NUL; if `buf` is too small, the bytes needed, with the NUL.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_WRONG_CREDENTIALS the id is empty
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_basic(
    id: tokenward_span,
    secret: tokenward_span,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> i32 {
    at_the_edge!(|edge| basic_by(edge, id, secret, buf, cap, len, basic))
}

/// tokenward_basic() with id and secret as they are (RFC 7617): what `curl -u` sends.
///
/// May be called from any thread.
///
/// @code
/// size_t len;
/// int32_t result = tokenward_basic_raw(credentials.username, credentials.password, value, sizeof value, &len);
/// if (result != TOKENWARD_OK) return result;
/// uint16_t status = http_get(url, value);
/// tokenward_wipe(value, sizeof value);
/// if (status != 200) log_line("refused");
/// @endcode
///
/// @param[in] id The user or client id.
/// @param[in] secret The password or client secret.
/// @param[out] buf Where the value is written, followed by a NUL. It holds the secret afterwards.
/// @param[in] cap Bytes of `buf`.
/// @param[out] len Characters without the NUL; if `buf` is too small, the bytes needed, with the NUL.
/// @return What tokenward_basic() returns; #TOKENWARD_ERR_WRONG_CREDENTIALS also for an id that contains `:`.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_basic_raw(
    id: tokenward_span,
    secret: tokenward_span,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> i32 {
    at_the_edge!(|edge| basic_by(edge, id, secret, buf, cap, len, basic_raw))
}

type Basic = for<'b> fn(&str, &str, &'b mut [u8]) -> Result<&'b [u8], Error>;

fn basic_by(
    edge: &mut Edge<'_>,
    id: tokenward_span,
    secret: tokenward_span,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
    write: Basic,
) -> Result<(), Fault> {
    let out = edge.out(len)?;
    let buf = edge.buffer(buf.cast(), cap);
    let (id, secret) = (edge.text(id), edge.text(secret));
    edge.checked()?;
    let (len, result) = terminated(buf, |buf| write(id, secret, buf))?;
    out.write(len);
    result
}

/// Encodes a name or a value as `application/x-www-form-urlencoded` (RFC 6749 Appendix B).
///
/// May be called from any thread.
///
/// @code
/// char encoded[32];
/// size_t len;
/// int32_t result = tokenward_form_encode(tokenward_text("read write"), encoded, sizeof encoded, &len);
/// if (result != TOKENWARD_OK) return result;
/// log_line(encoded); // read+write
/// @endcode
///
/// @param[in] value The name or the value.
/// @param[out] buf Where it is written, followed by a NUL.
/// @param[in] cap Bytes of `buf`.
/// @param[out] len Characters without the NUL; if `buf` is too small, the bytes needed, with the NUL.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_form_encode(
    value: tokenward_span,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(len)?;
        let buf = edge.buffer(buf.cast(), cap);
        let value = edge.text(value);
        edge.checked()?;
        let (len, result) = terminated(buf, |buf| form_encode(value, buf))?;
        out.write(len);
        result
    })
}

/// Writes a request to a token endpoint that no manager sends.
///
/// May be called from any thread.
///
/// @code
/// const tokenward_pair audience[] = { { TOKENWARD_TEXT("audience"), TOKENWARD_TEXT("devices") } };
/// const tokenward_additions additions = { .parameters = { audience, 1 } };
/// tokenward_request request;
/// int32_t result = tokenward_token_request(&config, TOKENWARD_GRANT_CLIENT_CREDENTIALS, &credentials,
///                                          tokenward_text(NULL), &additions, buffer, sizeof buffer, &request);
/// if (result == TOKENWARD_OK && !http_post(&request, &answer)) log_line("no answer");
/// tokenward_wipe(buffer, sizeof buffer);
/// @endcode
///
/// @param[in] config The service and whose token it is; nothing else of it is read.
/// @param[in] grant `TOKENWARD_GRANT_*`.
/// @param[in] credentials What the request presents.
/// @param[in] refresh_token What #TOKENWARD_GRANT_REFRESH_TOKEN presents.
/// @param[in] additions What it carries beside; NULL: nothing.
/// @param[out] buf Where URL, `Authorization` and body are written. It holds secrets afterwards.
/// @param[in] cap Bytes of `buf`.
/// @param[out] out Written on success: its spans point into `buf`. If `buf` is too small, its `len` says how many
/// bytes are needed.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
/// @retval TOKENWARD_ERR_WRONG_CREDENTIALS one that the grant needs is empty, a raw Basic id contains `:` or a
/// control character, or the bearer cannot be sent in a header
/// @retval TOKENWARD_ERR_DUPLICATE_PARAMETER an extra parameter is sent already
/// @retval TOKENWARD_ERR_INVALID_PROVIDER it does not say how the client authenticates, or its token endpoint
/// needs a site and there is none
/// @retval TOKENWARD_ERR_BAD_URL the token endpoint is not a URL, or is ambiguous
/// @retval TOKENWARD_ERR_ORIGIN_NOT_ALLOWED the token endpoint is not `https`
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_token_request(
    config: *const tokenward_config,
    grant: tokenward_grant,
    credentials: *const tokenward_credentials,
    refresh_token: tokenward_span,
    additions: *const tokenward_additions,
    buf: *mut u8,
    cap: usize,
    out: *mut tokenward_request,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let buf = edge.buffer(buf, cap);
        let config = edge.value(config)?;
        let (service, identity) = whose(edge, config)?;
        let refresh_token = edge.text(refresh_token);
        let additions = additions_of(edge, additions);
        let credentials = credentials_of(edge, credentials);
        edge.checked()?;
        let request = TokenRequest::new(service, identity, self::grant(grant)?, &credentials)
            .with_refresh_token(refresh_token)
            .with_additions(&additions);
        lent(request.write(buf).map(|request| (RequestId(0), request)), out)
    })
}

/// Overwrites memory with zeros, even if the compiler sees that nobody reads it again: a buffer that a request, a
/// header or a snapshot was written to, or the memory of a manager, which ends there.
///
/// May be called from any thread.
///
/// @code
/// int32_t result = tokenward_wipe(memory, sizeof memory); // the manager ends, and its tokens are gone
/// if (result != TOKENWARD_OK) return result;
/// manager = NULL;
/// @endcode
///
/// @param[out] memory The memory. NULL with 0 is none.
/// @param[in] size Bytes of it.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_wipe(memory: *mut c_void, size: usize) -> i32 {
    at_the_edge!(|edge| {
        tokenward::wipe(edge.buffer(memory.cast(), size));
        Ok(())
    })
}

/// Widens a 32-bit tick counter that wraps (milliseconds: every 49.7 days). Feed it at least once for each half
/// wrap of the counter. Ticks that were read out of order are not taken for a wrap: they give the last instant
/// again.
///
/// Nothing else may use `clock_ms` during the call.
///
/// @code
/// static uint64_t clock_ms; // 0 before the first call
/// int32_t result = tokenward_widen_ticks(&clock_ms, tick_count());
/// if (result != TOKENWARD_OK) return result;
/// now_ms = clock_ms;
/// @endcode
///
/// @param[in,out] clock_ms The instant of the last value, 0 before the first; then the instant of this one.
/// @param[in] ticks The counter.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_widen_ticks(clock_ms: *mut u64, ticks: u32) -> i32 {
    at_the_edge!(|edge| {
        let mut widener = match *edge.value(clock_ms)? {
            0 => TickWidener::new(),
            last => TickWidener::resume(Instant::from_millis(last)),
        };
        edge.out(clock_ms)?.write(widener.widen(ticks).as_millis());
        Ok(())
    })
}
