//! What obtains the first token of a person: the device authorization grant and the authorization code grant.

#[cfg(feature = "snapshot")]
use core::ffi::c_char;
use core::ffi::c_void;
use core::{alloc::Layout, ptr};

use tokenward::grants::{DeviceAuthorization, DeviceNext, DeviceOutcome, Revocation};
use tokenward::{Error, Instant, ParsedAnswer, Request, RequestId};
#[cfg(feature = "snapshot")]
use tokenward::{
    grants::{AuthorizationCode, Callback},
    storage::HmacSha256,
};

use crate::edge::{Edge, at_the_edge, tokenward_span};
#[cfg(feature = "snapshot")]
use crate::edge::{terminated, wrote};
#[cfg(feature = "snapshot")]
use crate::manager::said;
use crate::manager::{
    TOKENWARD_ANSWER_ERROR, TOKENWARD_NEVER, refused, tokenward_answer_kind, tokenward_outcome,
    tokenward_parsed_answer, wall,
};
use crate::memory::tokenward_manager;
use crate::provider::tokenward_pair_list;
use crate::request::{credentials_of, lent, tokenward_credentials, tokenward_request};
use crate::result::*;
#[cfg(feature = "snapshot")]
use crate::storage::key_of;

/// The answer brought the code that a device shows.
pub const TOKENWARD_ANSWER_DEVICE_CODE: tokenward_answer_kind = 3;

/// A device authorization (RFC 8628) in the caller's memory.
pub struct tokenward_device {
    _opaque: [u8; 0],
}

/// What a device authorization asks for: `TOKENWARD_DEVICE_*`.
pub type tokenward_device_next = i32;

/// What tokenward_device_poll() says. Its spans point into the memory of the device authorization, and hold until the next
/// call that changes it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_device_poll_result {
    /// The earliest instant at which `next` changes by itself; #TOKENWARD_NEVER if it does not.
    pub poll_at_ms: u64,
    /// How long the code is good; #TOKENWARD_NEVER if there is none.
    pub expires_at_ms: u64,
    /// The code to show; empty if there is none.
    pub user_code: tokenward_span,
    /// Where to enter it.
    pub verification_uri: tokenward_span,
    /// The same with the code in it, for a QR code; empty if the service does not give it.
    pub verification_uri_complete: tokenward_span,
    /// `TOKENWARD_DEVICE_*`: what the caller is to do.
    pub next: tokenward_device_next,
}

/// Bytes that a device authorization takes in addition to its codes.
pub(crate) const DEVICE_HEAD: usize = 176;
const _: () = assert!(size_of::<Device<[u8; 0]>>() <= DEVICE_HEAD);

/// What a block begins with where it is a device authorization.
const DEVICE: u64 = u64::from_le_bytes(*b"tokenw\xF5\x02");

#[repr(C)]
struct Device<M: AsRef<[u8]> + AsMut<[u8]> + ?Sized> {
    magic: u64,
    /// Bytes of memory for the codes.
    codes: usize,
    /// The complement of `codes`: a head that was written over does not pass for one.
    not_codes: usize,
    device: DeviceAuthorization<M>,
}

/// The compiler lays out `Device<[u8]>` as it does `Device<[u8; N]>` of any `N`: it turns one into the other.
const _: fn(&Device<[u8; 0]>) -> &Device<[u8]> = |device| device;

impl<'c> Edge<'c> {
    fn device(&mut self, given: *const tokenward_device) -> Result<&'c Device<[u8]>, Fault> {
        let codes = self.codes(given, Self::may_read)?;
        let device = ptr::slice_from_raw_parts(given.cast::<u8>(), codes) as *const Device<[u8]>;
        // SAFETY: as in `device_mut`; nobody writes to it while `const` functions run.
        Ok(unsafe { &*device })
    }

    fn device_mut(&mut self, given: *mut tokenward_device) -> Result<&'c mut Device<[u8]>, Fault> {
        let codes = self.codes(given, Self::may_write)?;
        let device = ptr::slice_from_raw_parts_mut(given.cast::<u8>(), codes) as *mut Device<[u8]>;
        // SAFETY: aligned, and `tokenward_device_init` has made one with so much memory there, or it was copied from one;
        // apart from all else in the call; the rest is the word of the caller of `Edge::new`.
        Ok(unsafe { &mut *device })
    }

    /// How many bytes of memory for codes there are behind the device authorization at `given`.
    fn codes(
        &mut self,
        given: *const tokenward_device,
        may: fn(&mut Self, usize, usize, Layout) -> bool,
    ) -> Result<usize, Fault> {
        let head = given.cast::<Device<[u8; 0]>>();
        if !self.may_read(head.addr(), 1, Layout::new::<Device<[u8; 0]>>()) {
            self.checked()?;
        }
        // SAFETY: not NULL, aligned; integers, which any bits make; the rest is the word of the caller of `Edge::new`.
        let (magic, codes, not_codes) = unsafe { ((*head).magic, (*head).codes, (*head).not_codes) };
        let size = size_of::<Device<[u8; 0]>>().checked_add(codes);
        match size {
            Some(size) if magic == DEVICE && not_codes == !codes => {
                may(self, given.addr(), size, Layout::new::<u8>());
                self.checked()?;
                Ok(codes)
            }
            _ => Err(Fault(TOKENWARD_ERR_UNINITIALIZED)),
        }
    }
}

/// Makes a device authorization that nobody has started, in the caller's memory: #TOKENWARD_DEVICE_WORDS words.
///
/// Whatever was in the memory is overwritten. It may be copied to other memory of the same size and alignment, and works
/// there. It holds the device code while it asks: tokenward_wipe() the memory when it is given up.
///
/// Not from an interrupt handler; nothing else may use the memory during the call.
///
/// @code
/// static uint64_t device_memory[TOKENWARD_DEVICE_WORDS(512)];
/// tokenward_device *device;
/// int32_t result = tokenward_device_init(&device, device_memory, sizeof device_memory);
/// if (result != TOKENWARD_OK) return result;
/// return tokenward_device_start(device, now_ms); // somebody has pressed the button
/// @endcode
///
/// @param[out] out The device authorization: written on success.
/// @param[in,out] memory Aligned as `uint64_t`. What is left behind the head holds the codes as the service sends them.
/// @param[in] size Bytes of the memory.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `size` is too small
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_device_init(
    out: *mut *mut tokenward_device,
    memory: *mut c_void,
    size: usize,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let head = memory.cast::<Device<[u8; 0]>>();
        if head.is_null() {
            edge.fail(TOKENWARD_ERR_NULL);
        } else if !head.is_aligned() {
            edge.fail(TOKENWARD_ERR_MISALIGNED);
        }
        let memory = edge.buffer(memory.cast(), size);
        edge.checked()?;
        let codes = memory.len().checked_sub(size_of::<Device<[u8; 0]>>());
        let codes = codes.ok_or(Fault::of(Error::BufferTooSmall { needed: 0 }))?;
        tokenward::wipe(memory);
        let device = Device { magic: DEVICE, codes, not_codes: !codes, device: DeviceAuthorization::new([]) };
        // SAFETY: not NULL, aligned, and as long as one without memory for codes, which this is the front of.
        unsafe { head.write(device) };
        out.write(head.cast());
        Ok(())
    })
}

/// Somebody wants to sign in: a code is asked for, in place of the one before. Nothing else does that: a code that has
/// expired unseen is not replaced.
///
/// Not from an interrupt handler; nothing else may use the device authorization during the call.
///
/// @code
/// int32_t result = tokenward_device_start(device, now_ms);
/// if (result != TOKENWARD_OK) return result;
/// wake_token_task();
/// @endcode
///
/// @param[in,out] device The device authorization.
/// @param[in] now_ms The caller's clock.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_device_start(device: *mut tokenward_device, now_ms: u64) -> i32 {
    at_the_edge!(|edge| {
        edge.device_mut(device)?.device.start(Instant::from_millis(now_ms));
        Ok(())
    })
}

/// The same for a service that has #tokenward_pkce_s256.
///
/// Not from an interrupt handler; nothing else may use the device authorization during the call.
///
/// @code
/// uint8_t random[32];
/// fill_random(random, sizeof random); // of the system's generator, anew for each start
/// int32_t result = tokenward_device_start_with_random(device, now_ms, (tokenward_span){ random, sizeof random });
/// tokenward_wipe(random, sizeof random);
/// return result;
/// @endcode
///
/// @param[in,out] device The device authorization.
/// @param[in] now_ms The caller's clock.
/// @param[in] random 32 bytes that nobody can predict, and that are never used again. It is copied.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_KEY `random` does not have 32 bytes
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_device_start_with_random(
    device: *mut tokenward_device,
    now_ms: u64,
    random: tokenward_span,
) -> i32 {
    at_the_edge!(|edge| {
        let random = <&[u8; 32]>::try_from(edge.bytes(random)).map_err(|_| Fault(TOKENWARD_ERR_KEY));
        edge.device_mut(device)?.device.start_with_random(Instant::from_millis(now_ms), random?);
        Ok(())
    })
}

/// Nobody wants to sign in any more: the codes are wiped, and what is out comes to nothing.
///
/// Not from an interrupt handler; nothing else may use the device authorization during the call.
///
/// @code
/// int32_t result = tokenward_device_cancel(device);
/// if (result != TOKENWARD_OK) return result;
/// wake_token_task();
/// @endcode
///
/// @param[in,out] device The device authorization.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_device_cancel(device: *mut tokenward_device) -> i32 {
    at_the_edge!(|edge| {
        edge.device_mut(device)?.device.cancel();
        Ok(())
    })
}

/// Says what to do at `now_ms`, when to ask again, and what to show. Changes nothing.
///
/// May run concurrently with other functions that take manager and device authorization as `const`.
///
/// @code
/// tokenward_device_poll_result said;
/// int32_t result = tokenward_device_poll(device, manager, now_ms, &said);
/// if (result != TOKENWARD_OK) return result;
/// if (said.next == TOKENWARD_DEVICE_REQUEST) return send_device_request();
/// sleep_until(said.poll_at_ms);
/// @endcode
///
/// @param[in] device The device authorization.
/// @param[in] manager The manager that the token is for.
/// @param[in] now_ms The caller's clock.
/// @param[out] out Written on success.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_device_poll(
    device: *const tokenward_device,
    manager: *const tokenward_manager,
    now_ms: u64,
    out: *mut tokenward_device_poll_result,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let (device, manager) = (&edge.device(device)?.device, &edge.manager(manager)?.manager);
        let poll = device.poll(Instant::from_millis(now_ms), manager);
        let instant = |instant: Option<Instant>| instant.map_or(TOKENWARD_NEVER, Instant::as_millis);
        let [user_code, verification_uri, complete] = device.shown_bytes().map(tokenward_span::or_none);
        out.write(tokenward_device_poll_result {
            poll_at_ms: instant(poll.poll_at),
            expires_at_ms: instant(device.expires_at()),
            user_code,
            verification_uri,
            verification_uri_complete: complete,
            next: poll.next.code().into(),
        });
        Ok(())
    })
}

/// Reports that the code is shown: from now on the service is asked whether somebody has entered it.
///
/// Not from an interrupt handler; nothing else may use the device authorization during the call.
///
/// @code
/// if (said.next == TOKENWARD_DEVICE_SHOW) {
///   show_code(said.verification_uri, said.user_code);
///   int32_t result = tokenward_device_shown(device, manager, now_ms);
///   if (result != TOKENWARD_OK) return result;
/// }
/// @endcode
///
/// @param[in,out] device The device authorization.
/// @param[in] manager The manager that the token is for.
/// @param[in] now_ms The caller's clock.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_device_shown(
    device: *mut tokenward_device,
    manager: *const tokenward_manager,
    now_ms: u64,
) -> i32 {
    at_the_edge!(|edge| {
        let device = edge.device_mut(device)?;
        device.device.shown(Instant::from_millis(now_ms), &edge.manager(manager)?.manager);
        Ok(())
    })
}

/// Writes the request that tokenward_device_poll() asks for. A token's lifetime counts from here. A refused call changes
/// nothing but the clock of the device authorization.
///
/// Not from an interrupt handler; nothing else may use the device authorization during the call.
///
/// @code
/// const tokenward_pair_list none = { NULL, 0 };
/// tokenward_request request;
/// int32_t result = tokenward_device_begin(device, manager, now_ms, &credentials, none, buffer, sizeof buffer, &request);
/// if (result != TOKENWARD_OK) return result;
/// if (!http_post(&request, &answer)) result = tokenward_device_failed(device, manager, now_ms, request.id);
/// tokenward_wipe(buffer, sizeof buffer);
/// return result;
/// @endcode
///
/// @param[in,out] device The device authorization.
/// @param[in] manager The manager that the token is for.
/// @param[in] now_ms The caller's clock.
/// @param[in] credentials What the request presents; nothing of it is kept.
/// @param[in] values What stands for `{name}` in the provider's parameters and header fields, by name.
/// @param[out] buf Where URL, `Authorization` and body are written. It holds secrets afterwards.
/// @param[in] cap Bytes of `buf`.
/// @param[out] out Written on success: its spans point into `buf`. If `buf` is too small, its `len` says how many bytes are
/// needed.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
/// @retval TOKENWARD_ERR_REQUEST_IN_FLIGHT one is in flight and has not timed out
/// @retval TOKENWARD_ERR_NOT_DUE tokenward_device_poll() does not say #TOKENWARD_DEVICE_REQUEST
/// @retval TOKENWARD_ERR_INVALID_PROVIDER the service has no device path
/// @retval TOKENWARD_ERR_WRONG_CREDENTIALS one that the client or a `{name}` needs is empty, or cannot be sent in a header
/// @retval TOKENWARD_ERR_BAD_URL the URL is none, or ambiguous
/// @retval TOKENWARD_ERR_ORIGIN_NOT_ALLOWED the URL is not `https`
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_device_begin(
    device: *mut tokenward_device,
    manager: *const tokenward_manager,
    now_ms: u64,
    credentials: *const tokenward_credentials,
    values: tokenward_pair_list,
    buf: *mut u8,
    cap: usize,
    out: *mut tokenward_request,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let buf = edge.buffer(buf, cap);
        let device = edge.device_mut(device)?;
        let block = edge.manager(manager)?;
        let values = edge.pairs(values.ptr, values.len);
        let credentials = credentials_of(edge, credentials);
        edge.checked()?;
        let begun =
            device.device.begin(Instant::from_millis(now_ms), &block.manager, &credentials, values, buf);
        lent(begun, out)
    })
}

/// Reads the answer to a request of a device authorization. A token is kept as by tokenward_install(), but its lifetime
/// counts from the request.
///
/// Every refusal of the input is trouble: the next request waits. #TOKENWARD_ERR_STALE_REQUEST means another request, or
/// that somebody has signed out or in meanwhile, which ends it.
///
/// Not from an interrupt handler; nothing else may use manager and device authorization during the call.
///
/// @code
/// const tokenward_parsed_answer parsed = { .body = answer.body, .status = answer.status };
/// tokenward_outcome outcome;
/// int32_t result = tokenward_device_answer(device, manager, now_ms, request.id, &parsed, &outcome);
/// tokenward_wipe(body, sizeof body); // what `answer.body` points to held the codes or the tokens
/// if (result != TOKENWARD_OK) return result; // tokenward_device_poll() says when to try again
/// @endcode
///
/// @param[in,out] device The device authorization.
/// @param[in,out] manager The manager that the token is for.
/// @param[in] now_ms The caller's clock.
/// @param[in] request_id The `id` that tokenward_device_begin() gave.
/// @param[in] answer What the service answered. Codes and tokens are copied.
/// @param[out] out Written on success; its `detail` also if that explains a refusal. Its `kind` may be
/// #TOKENWARD_ANSWER_DEVICE_CODE.
/// @retval TOKENWARD_OK there is a code to show, or a token, which is stored, or an error that the service gave
/// @retval TOKENWARD_ERR_INVALID_DEVICE_AUTHORIZATION a code, or where to enter it, is missing or cannot be shown
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL the codes do not fit into the memory of the device authorization
/// @return Else what tokenward_answer() returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_device_answer(
    device: *mut tokenward_device,
    manager: *mut tokenward_manager,
    now_ms: u64,
    request_id: u64,
    answer: *const tokenward_parsed_answer,
    out: *mut tokenward_outcome,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let device = edge.device_mut(device)?;
        let block = edge.manager_mut(manager)?;
        let answer = answer_of(edge, answer)?;
        let now = Instant::from_millis(now_ms);
        match &device.device.answer(now, &mut block.manager, RequestId(request_id), &answer) {
            Ok(DeviceOutcome::Code) => {
                out.write(tokenward_outcome {
                    kind: TOKENWARD_ANSWER_DEVICE_CODE,
                    ..tokenward_outcome::NONE
                });
            }
            Ok(DeviceOutcome::Token(generation)) => out.write(tokenward_outcome::token(*generation)),
            Ok(DeviceOutcome::Error(response)) => out.write(tokenward_outcome::error(response)),
            Err(error) => return refused(*error, out),
        }
        Ok(())
    })
}

/// Reports that a request of a device authorization got no answer: it backs off and does not end.
///
/// Not from an interrupt handler; nothing else may use the device authorization during the call.
///
/// @code
/// if (!http_post(&request, &answer)) {
///   int32_t result = tokenward_device_failed(device, manager, now_ms, request.id);
///   if (result != TOKENWARD_OK) return result;
/// }
/// @endcode
///
/// @param[in,out] device The device authorization.
/// @param[in] manager The manager that the token is for.
/// @param[in] now_ms The caller's clock.
/// @param[in] request_id The `id` that tokenward_device_begin() gave.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_STALE_REQUEST `request_id` is not that of the request in flight
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_device_failed(
    device: *mut tokenward_device,
    manager: *const tokenward_manager,
    now_ms: u64,
    request_id: u64,
) -> i32 {
    at_the_edge!(|edge| {
        let device = edge.device_mut(device)?;
        let block = edge.manager(manager)?;
        Ok(device.device.failed(Instant::from_millis(now_ms), &block.manager, RequestId(request_id))?)
    })
}

/// The name of what a device authorization asks for in snake_case, the same in every language: `show`.
///
/// May be called from any thread and from an interrupt handler.
///
/// @code
/// log_line(tokenward_device_next_name(said.next)); // show
/// @endcode
///
/// @param[in] next `TOKENWARD_DEVICE_*`.
/// @return A string that lives as long as the program; `unknown` for any other number.
#[unsafe(no_mangle)]
pub extern "C" fn tokenward_device_next_name(next: tokenward_device_next) -> *const core::ffi::c_char {
    word(DeviceNext::NAMES, DeviceNext::NUMBERS, next)
}

fn answer_of<'c>(
    edge: &mut Edge<'c>,
    answer: *const tokenward_parsed_answer,
) -> Result<ParsedAnswer<'c>, Fault> {
    let given = edge.value(answer)?;
    let answer = ParsedAnswer {
        status: given.status,
        body: edge.bytes(given.body),
        retry_after: edge.optional(given.retry_after_s).copied(),
        wall: wall(edge, given.wall_s),
    };
    edge.checked()?;
    Ok(answer)
}

/// The token is of no use any more, or never was (RFC 7009 section 2.2).
pub const TOKENWARD_ANSWER_REVOKED: tokenward_answer_kind = 4;
/// The service could not revoke it: the same request may be sent again (RFC 7009 section 2.2.1).
pub const TOKENWARD_ANSWER_LATER: tokenward_answer_kind = 5;

/// Signs out as tokenward_clear() does, and writes the request that ends the token at the service (RFC 7009): the refresh
/// token that is held, else the access token. Store first that nobody is signed in, then send it: it may fail without
/// undoing anything.
///
/// Not from an interrupt handler; nothing else may use the manager during the call.
///
/// @code
/// const tokenward_pair_list none = { NULL, 0 };
/// tokenward_request request;
/// int32_t result = tokenward_revoke(manager, &credentials, none, buffer, sizeof buffer, &request);
/// wake_token_task(); // which stores it, now that tokenward_poll() says #TOKENWARD_NEXT_STORE
/// if (result == TOKENWARD_OK && request.url.len > 0 && !http_post(&request, &answer)) log_line("not revoked");
/// tokenward_wipe(buffer, sizeof buffer);
/// return result;
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] credentials What the request presents; nothing of it is kept.
/// @param[in] values What stands for `{name}` in the provider's parameters and header fields, by name.
/// @param[out] buf Where URL, header fields and body are written. It holds secrets afterwards: tokenward_wipe() it once
/// the request is sent.
/// @param[in] cap Bytes of `buf`.
/// @param[out] out Written on success: its spans point into `buf`; its `url` is empty if no token was held, and there is
/// nothing to send. If `buf` is too small, its `len` says how many bytes are needed.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped, and nobody is signed out
/// @retval TOKENWARD_ERR_INVALID_PROVIDER signed out; the service has no revocation path, or a `{` has no `}`
/// @retval TOKENWARD_ERR_WRONG_CREDENTIALS signed out; one that the client or a `{name}` needs is empty, or cannot be sent
/// in a header
/// @retval TOKENWARD_ERR_BAD_URL signed out; the URL is none, or ambiguous
/// @retval TOKENWARD_ERR_ORIGIN_NOT_ALLOWED signed out; the URL is not `https`
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_revoke(
    manager: *mut tokenward_manager,
    credentials: *const tokenward_credentials,
    values: tokenward_pair_list,
    buf: *mut u8,
    cap: usize,
    out: *mut tokenward_request,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let buf = edge.buffer(buf, cap);
        let block = edge.manager_mut(manager)?;
        let values = edge.pairs(values.ptr, values.len);
        let credentials = credentials_of(edge, credentials);
        edge.checked()?;
        let written = block.manager.revoke(&credentials, values, buf);
        lent(written.map(|request| (RequestId(0), request.unwrap_or(Request::NONE))), out)
    })
}

/// Reads the answer to that request.
///
/// May run concurrently with other functions that take this manager as `const`.
///
/// @code
/// const tokenward_parsed_answer parsed = { .body = answer.body, .status = answer.status };
/// tokenward_outcome outcome;
/// int32_t result = tokenward_revocation_answer(manager, &parsed, &outcome);
/// if (result != TOKENWARD_OK) return result;
/// if (outcome.kind == TOKENWARD_ANSWER_ERROR) log_line(tokenward_error_code_name(outcome.code));
/// @endcode
///
/// @param[in] manager The manager.
/// @param[in] answer What the service answered.
/// @param[out] out Written on success. Its `kind` is #TOKENWARD_ANSWER_REVOKED, #TOKENWARD_ANSWER_LATER, or
/// #TOKENWARD_ANSWER_ERROR if the service would not; then its `code` is #TOKENWARD_CODE_NONE if the answer has none.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_revocation_answer(
    manager: *const tokenward_manager,
    answer: *const tokenward_parsed_answer,
    out: *mut tokenward_outcome,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let block = edge.manager(manager)?;
        let answer = answer_of(edge, answer)?;
        let kind = |kind| tokenward_outcome { kind, ..tokenward_outcome::NONE };
        out.write(match block.manager.revoked(&answer) {
            Revocation::Done => kind(TOKENWARD_ANSWER_REVOKED),
            Revocation::Later => kind(TOKENWARD_ANSWER_LATER),
            Revocation::Refused(None) => kind(TOKENWARD_ANSWER_ERROR),
            Revocation::Refused(Some(error)) => tokenward_outcome::error(&error),
        });
        Ok(())
    })
}

/// A sign-in in a browser (RFC 6749 section 4.1, RFC 7636), in the caller's memory. Its members are nobody's business:
/// tokenward_sign_in_new() and tokenward_sign_in_open() fill them. It holds the verifier until the code is sent:
/// tokenward_wipe() it when it is given up.
#[repr(C)]
pub struct tokenward_sign_in {
    /// Zeros: there is no sign-in.
    pub memory: [u64; 12],
}

/// What came back from the browser: `TOKENWARD_CALLBACK_*`.
pub type tokenward_callback_kind = i32;
/// A code: tokenward_sign_in_begin() sends it.
pub const TOKENWARD_CALLBACK_CODE: i32 = 1;
/// The service or the person said no.
pub const TOKENWARD_CALLBACK_ERROR: i32 = 2;

/// What tokenward_sign_in_callback() has read.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_callback {
    /// Characters of the text, without the NUL; if the buffer is too small, the bytes needed, with the NUL.
    pub len: usize,
    /// `TOKENWARD_CALLBACK_*`.
    pub kind: tokenward_callback_kind,
}

/// What a block begins with where it is a sign-in.
#[cfg(feature = "snapshot")]
const SIGN_IN: u64 = u64::from_le_bytes(*b"tokenw\xF5\x03");

#[cfg(feature = "snapshot")]
#[repr(C)]
struct SignIn {
    magic: u64,
    sign_in: AuthorizationCode<'static>,
}

#[cfg(feature = "snapshot")]
const _: () = assert!(
    size_of::<SignIn>() <= size_of::<tokenward_sign_in>()
        && align_of::<SignIn>() <= align_of::<tokenward_sign_in>()
);

#[cfg(feature = "snapshot")]
impl<'c> Edge<'c> {
    /// A place for a sign-in.
    fn sign_in_place(&mut self, given: *mut tokenward_sign_in) -> Result<*mut SignIn, Fault> {
        self.may_write(given.addr(), 1, Layout::new::<tokenward_sign_in>());
        self.checked()?;
        Ok(given.cast())
    }

    fn sign_in_mut(&mut self, given: *mut tokenward_sign_in) -> Result<&'c mut SignIn, Fault> {
        let place = self.sign_in_place(given)?;
        // SAFETY: not NULL, aligned; an integer, which any bits make; the rest is the word of the caller of `Edge::new`.
        if unsafe { (*place).magic } != SIGN_IN {
            return Err(Fault(TOKENWARD_ERR_UNINITIALIZED));
        }
        // SAFETY: a function of this file has made one there, or it was copied from one; apart from all else in the call;
        // the rest is the word of the caller of `Edge::new`.
        Ok(unsafe { &mut *place })
    }

    fn sign_in(&mut self, given: *const tokenward_sign_in) -> Result<&'c SignIn, Fault> {
        self.may_read(given.addr(), 1, Layout::new::<tokenward_sign_in>());
        self.checked()?;
        let place = given.cast::<SignIn>();
        // SAFETY: as in `sign_in_mut`.
        if unsafe { (*place).magic } != SIGN_IN {
            return Err(Fault(TOKENWARD_ERR_UNINITIALIZED));
        }
        // SAFETY: as in `sign_in_mut`; nobody writes to it while `const` functions run.
        Ok(unsafe { &*place })
    }
}

/// Text that a sign-in keeps.
///
/// # Safety
/// The caller in C keeps it alive and unchanged for as long as the sign-in.
#[cfg(feature = "snapshot")]
unsafe fn kept(bytes: &[u8]) -> &'static [u8] {
    // SAFETY: the word of the caller.
    unsafe { core::slice::from_raw_parts(bytes.as_ptr(), bytes.len()) }
}

/// Makes a sign-in in a browser that comes back to `redirect_uri`.
///
/// Only in a library that was built with the feature `snapshot`. Not from an interrupt handler.
///
/// @code
/// tokenward_sign_in sign_in;
/// uint8_t random[32];
/// fill_random(random, sizeof random); // of the system's generator, anew for each sign-in
/// int32_t result = tokenward_sign_in_new(&sign_in, (tokenward_span){ random, sizeof random }, redirect_uri);
/// tokenward_wipe(random, sizeof random);
/// return result;
/// @endcode
///
/// @param[out] sign_in Written on success.
/// @param[in] random 32 bytes that nobody can predict, and that are never used again.
/// @param[in] redirect_uri `https`, `http` to the loopback interface, or a scheme of the app's own. It must live and stay
/// unchanged for as long as the sign-in.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_KEY `random` does not have 32 bytes
/// @retval TOKENWARD_ERR_NOT_RANDOM the bytes are all alike
/// @retval TOKENWARD_ERR_BAD_URL the redirect URI is none, or has a fragment
/// @retval TOKENWARD_ERR_ORIGIN_NOT_ALLOWED it is `http` to another machine
#[must_use]
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_sign_in_new(
    sign_in: *mut tokenward_sign_in,
    random: tokenward_span,
    redirect_uri: tokenward_span,
) -> i32 {
    at_the_edge!(|edge| {
        let place = edge.sign_in_place(sign_in)?;
        let random = <&[u8; 32]>::try_from(edge.bytes(random)).map_err(|_| Fault(TOKENWARD_ERR_KEY));
        let redirect_uri = edge.text(redirect_uri);
        edge.checked()?;
        // SAFETY: said above of the argument; it is UTF-8.
        let redirect_uri = unsafe { core::str::from_utf8_unchecked(kept(redirect_uri.as_bytes())) };
        let sign_in = AuthorizationCode::new(*random?, redirect_uri)?;
        // SAFETY: not NULL, aligned, and large enough; what is there needs no dropping.
        unsafe { place.write(SignIn { magic: SIGN_IN, sign_in }) };
        Ok(())
    })
}

/// Writes the URL to open in a browser.
///
/// Only in a library that was built with the feature `snapshot`. May run concurrently with other functions that take manager
/// and sign-in as `const`.
///
/// @code
/// char address[1024];
/// size_t len;
/// int32_t result = tokenward_sign_in_url(&sign_in, manager, &credentials, address, sizeof address, &len);
/// if (result != TOKENWARD_OK) return result;
/// open_browser(address);
/// @endcode
///
/// @param[in] sign_in The sign-in.
/// @param[in] manager The manager that the token is for.
/// @param[in] credentials Whose `client_id` is sent.
/// @param[out] buf Where the URL is written, followed by a NUL.
/// @param[in] cap Bytes of `buf`.
/// @param[out] len Characters of the URL, without the NUL; if `buf` is too small, the bytes needed, with the NUL.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_NOT_DUE the browser has come back already
/// @retval TOKENWARD_ERR_INVALID_PROVIDER the service has no authorization URL, or one whose query says what a sign-in says
/// @retval TOKENWARD_ERR_WRONG_CREDENTIALS there is no client id
/// @retval TOKENWARD_ERR_BAD_URL the authorization URL is none, is ambiguous, or has a fragment
/// @retval TOKENWARD_ERR_ORIGIN_NOT_ALLOWED the authorization URL is not `https`
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small
#[must_use]
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_sign_in_url(
    sign_in: *const tokenward_sign_in,
    manager: *const tokenward_manager,
    credentials: *const tokenward_credentials,
    buf: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(len)?;
        let buf = edge.buffer(buf.cast(), cap);
        let (sign_in, block) = (edge.sign_in(sign_in)?, edge.manager(manager)?);
        let credentials = credentials_of(edge, credentials);
        edge.checked()?;
        let (len, result) =
            terminated(buf, |buf| sign_in.sign_in.url_bytes(&block.manager, &credentials, buf))?;
        out.write(len);
        result
    })
}

/// Writes what survives a restart between browser and callback, sealed under `key` and as secret as a token. Store it before
/// the browser is opened; it is good for ten minutes. It must be deleted before the code is sent:
/// tokenward_sign_in_deleted().
///
/// Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may use the
/// sign-in during the call.
///
/// @code
/// size_t len;
/// int32_t result = tokenward_sign_in_seal(&sign_in, manager, wall_s, key, buffer, sizeof buffer, &len);
/// if (result != TOKENWARD_OK) return result;
/// if (!flash_write(buffer, len)) log_line("the sign-in does not survive a restart");
/// tokenward_wipe(buffer, sizeof buffer);
/// @endcode
///
/// @param[in,out] sign_in The sign-in.
/// @param[in] manager The manager that the token is for.
/// @param[in] wall_s The time of day in Unix seconds; NULL if the device does not know it: then nothing is stored.
/// @param[in] key 32 random bytes.
/// @param[out] buf Where it is written: as long as the redirect URI, and 112 bytes.
/// @param[in] cap Bytes of `buf`.
/// @param[out] len Bytes that were written; if `buf` is too small, the bytes needed.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_KEY the key does not have 32 bytes, or is all zeros
/// @retval TOKENWARD_ERR_NOT_DUE the browser has come back already
/// @retval TOKENWARD_ERR_NO_WALL_CLOCK the time of day is not known
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
#[must_use]
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_sign_in_seal(
    sign_in: *mut tokenward_sign_in,
    manager: *const tokenward_manager,
    wall_s: *const u64,
    key: tokenward_span,
    buf: *mut u8,
    cap: usize,
    len: *mut usize,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(len)?;
        let buf = edge.buffer(buf, cap);
        let sign_in = edge.sign_in_mut(sign_in)?;
        let block = edge.manager(manager)?;
        let (wall, key) = (wall(edge, wall_s), key_of(edge, key)?);
        edge.checked()?;
        wrote(sign_in.sign_in.seal(&block.manager, wall, &HmacSha256, key, buf), out)
    })
}

/// Takes a sign-in up again that was stored before a restart. Delete what is refused.
///
/// Only in a library that was built with the feature `snapshot`. Not from an interrupt handler.
///
/// @code
/// int32_t result = tokenward_sign_in_open(&sign_in, manager, wall_s, key, snapshot);
/// if (result != TOKENWARD_OK) log_line(tokenward_result_text(result));
/// @endcode
///
/// @param[out] sign_in Written on success.
/// @param[in] manager The manager that the token is for.
/// @param[in] wall_s The time of day in Unix seconds; NULL if the device does not know it.
/// @param[in] key 32 random bytes.
/// @param[in] stored What was stored. It must live and stay unchanged for as long as the sign-in.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_KEY the key does not have 32 bytes, or is all zeros
/// @retval TOKENWARD_ERR_INVALID_SNAPSHOT torn, truncated or tampered with
/// @retval TOKENWARD_ERR_OTHER_SNAPSHOT_VERSION written by another version
/// @retval TOKENWARD_ERR_OTHER_SNAPSHOT_KEY sealed with another key
/// @retval TOKENWARD_ERR_FOREIGN_SNAPSHOT of another provider, environment or subject
/// @retval TOKENWARD_ERR_NO_WALL_CLOCK the time of day is not known
/// @retval TOKENWARD_ERR_SIGN_IN_EXPIRED it is older than ten minutes, or from the future
#[must_use]
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_sign_in_open(
    sign_in: *mut tokenward_sign_in,
    manager: *const tokenward_manager,
    wall_s: *const u64,
    key: tokenward_span,
    stored: tokenward_span,
) -> i32 {
    at_the_edge!(|edge| {
        let place = edge.sign_in_place(sign_in)?;
        let block = edge.manager(manager)?;
        let (wall, key, stored) = (wall(edge, wall_s), key_of(edge, key)?, edge.bytes(stored));
        edge.checked()?;
        // SAFETY: said above of the argument.
        let stored = unsafe { kept(stored) };
        let sign_in = AuthorizationCode::open(&block.manager, wall, &HmacSha256, key, stored)?;
        // SAFETY: not NULL, aligned, and large enough; what is there needs no dropping.
        unsafe { place.write(SignIn { magic: SIGN_IN, sign_in }) };
        Ok(())
    })
}

/// Reports that what was stored of a sign-in is gone: its code may be sent.
///
/// Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may use the
/// sign-in during the call.
///
/// @code
/// if (flash_erase()) {
///   int32_t result = tokenward_sign_in_deleted(&sign_in);
///   if (result != TOKENWARD_OK) return result;
/// }
/// @endcode
///
/// @param[in,out] sign_in The sign-in.
/// @retval TOKENWARD_OK done
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_sign_in_deleted(sign_in: *mut tokenward_sign_in) -> i32 {
    at_the_edge!(|edge| {
        edge.sign_in_mut(sign_in)?.sign_in.deleted();
        Ok(())
    })
}

/// Reads what the browser came back with. What is refused changes nothing: somebody else may have made it up. An error of
/// the service ends the sign-in. Of several faults the first one listed below is returned.
///
/// Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may use the
/// sign-in during the call.
///
/// @code
/// char code[1024];
/// tokenward_callback callback;
/// int32_t result = tokenward_sign_in_callback(&sign_in, manager, url, code, sizeof code, &callback);
/// if (result != TOKENWARD_OK) return result; // wait for the right one
/// if (callback.kind == TOKENWARD_CALLBACK_ERROR) log_line(code); // access_denied
/// @endcode
///
/// @param[in,out] sign_in The sign-in.
/// @param[in] manager The manager that the token is for.
/// @param[in] url The whole URL.
/// @param[out] buf Where the code, or the error code as the service spells it, is written, followed by a NUL. What does not
/// fit is read all the same.
/// @param[in] cap Bytes of `buf`.
/// @param[out] out Written on success, and if `buf` is too small.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_STALE_REQUEST the browser has come back already
/// @retval TOKENWARD_ERR_OTHER_REDIRECT_URI it is not the redirect URI with a query
/// @retval TOKENWARD_ERR_BAD_URL it has a byte that no URL has, or an escape that is none
/// @retval TOKENWARD_ERR_DUPLICATE_PARAMETER one that is read appears twice
/// @retval TOKENWARD_ERR_OTHER_STATE it belongs to another sign-in, or to none
/// @retval TOKENWARD_ERR_OTHER_ISSUER `iss` is not the provider's issuer, if that is known
/// @retval TOKENWARD_ERR_INVALID_CALLBACK it has neither a code nor an error, or both
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small for the text
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_sign_in_callback(
    sign_in: *mut tokenward_sign_in,
    manager: *const tokenward_manager,
    url: tokenward_span,
    buf: *mut c_char,
    cap: usize,
    out: *mut tokenward_callback,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let buf = edge.buffer(buf.cast(), cap);
        let sign_in = edge.sign_in_mut(sign_in)?;
        let block = edge.manager(manager)?;
        let url = edge.text(url);
        edge.checked()?;
        let (kind, text) = match sign_in.sign_in.callback(&block.manager, url)? {
            Callback::Code(code) => (TOKENWARD_CALLBACK_CODE, code.text()),
            Callback::Error(error) => (TOKENWARD_CALLBACK_ERROR, error.error()),
        };
        let (len, result) = terminated(buf, |buf| text.copy_to(buf))?;
        out.write(tokenward_callback { len, kind });
        result
    })
}

/// Writes the request that presents the code of a callback, once. The token's lifetime counts from here. A refused call
/// changes nothing.
///
/// Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may use the
/// sign-in during the call.
///
/// @code
/// const tokenward_pair_list none = { NULL, 0 };
/// tokenward_request request;
/// int32_t result = tokenward_sign_in_begin(&sign_in, manager, now_ms, &credentials, none, url, buffer, sizeof buffer, &request);
/// if (result != TOKENWARD_OK) return result;
/// if (!http_post(&request, &answer)) log_line("no answer");
/// tokenward_wipe(buffer, sizeof buffer);
/// @endcode
///
/// @param[in,out] sign_in The sign-in.
/// @param[in] manager The manager that the token is for.
/// @param[in] now_ms The caller's clock.
/// @param[in] credentials What the request presents; nothing of it is kept.
/// @param[in] values What stands for `{name}` in the provider's parameters and header fields, by name.
/// @param[in] url The callback that brought the code.
/// @param[out] buf Where URL, `Authorization` and body are written. It holds secrets afterwards.
/// @param[in] cap Bytes of `buf`.
/// @param[out] out Written on success: its spans point into `buf`. If `buf` is too small, its `len` says how many bytes are
/// needed.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
/// @retval TOKENWARD_ERR_NOT_DUE the code was sent before, or what was stored of the sign-in is not deleted
/// @retval TOKENWARD_ERR_WRONG_CREDENTIALS one that the client or a `{name}` needs is empty, or cannot be sent in a header
/// @return Else what tokenward_sign_in_callback() and tokenward_begin() return.
#[must_use]
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_sign_in_begin(
    sign_in: *mut tokenward_sign_in,
    manager: *const tokenward_manager,
    now_ms: u64,
    credentials: *const tokenward_credentials,
    values: tokenward_pair_list,
    url: tokenward_span,
    buf: *mut u8,
    cap: usize,
    out: *mut tokenward_request,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let buf = edge.buffer(buf, cap);
        let SignIn { sign_in, .. } = edge.sign_in_mut(sign_in)?;
        let block = edge.manager(manager)?;
        let values = edge.pairs(values.ptr, values.len);
        let credentials = credentials_of(edge, credentials);
        let url = edge.text(url);
        edge.checked()?;
        let now = Instant::from_millis(now_ms);
        let begun = sign_in.begin_by_callback(now, &block.manager, &credentials, values, url, buf);
        lent(begun.map(|request| (RequestId(0), request)), out)
    })
}

/// Reads the answer to that request. Its token is kept as by tokenward_install(), but its lifetime counts from the request;
/// an error changes nothing. Either way the sign-in is over.
///
/// Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may use manager
/// and sign-in during the call.
///
/// @code
/// const tokenward_parsed_answer parsed = { .body = answer.body, .status = answer.status };
/// tokenward_outcome outcome;
/// int32_t result = tokenward_sign_in_answer(&sign_in, manager, now_ms, &parsed, &outcome);
/// tokenward_wipe(body, sizeof body);
/// if (result != TOKENWARD_OK) return result; // start the sign-in again
/// @endcode
///
/// @param[in,out] sign_in The sign-in.
/// @param[in,out] manager The manager that the token is for.
/// @param[in] now_ms The caller's clock.
/// @param[in] answer What the token endpoint answered. Tokens are copied into the manager.
/// @param[out] out Written on success; its `detail` also if that explains a refusal.
/// @retval TOKENWARD_OK it is a token, which is stored, or an error that the server gave
/// @retval TOKENWARD_ERR_STALE_REQUEST no code is out, or somebody has signed out or in meanwhile
/// @return Else what tokenward_answer() returns.
#[cfg(feature = "snapshot")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_sign_in_answer(
    sign_in: *mut tokenward_sign_in,
    manager: *mut tokenward_manager,
    now_ms: u64,
    answer: *const tokenward_parsed_answer,
    out: *mut tokenward_outcome,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let SignIn { sign_in, .. } = edge.sign_in_mut(sign_in)?;
        let block = edge.manager_mut(manager)?;
        let answer = answer_of(edge, answer)?;
        said(&sign_in.answer(Instant::from_millis(now_ms), &mut block.manager, &answer), out)
    })
}
