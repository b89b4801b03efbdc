//! Readers that need no manager: of an answer, a challenge, a date, a JWT.

use core::ffi::c_char;

use tokenward::wire::{Challenge, Challenges, http_date, jwt_claims, retry_after};
use tokenward::{Error, JsonStr, Scope, TokenAnswer, UnixTime, token_answer};

use crate::edge::{at_the_edge, tokenward_span};
use crate::manager::{
    TOKENWARD_ANSWER_ERROR, TOKENWARD_ANSWER_TOKEN, TOKENWARD_CODE_NONE, code_number, tokenward_answer_kind,
    tokenward_error_code, wall,
};
use crate::provider::tokenward_service;
use crate::result::*;

/// What an answer of a token endpoint says. The `ptr` of a member that is absent is NULL; the others point into
/// the body, or into the buffer if they are written with escapes.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_token_answer_result {
    /// The access token.
    pub access_token: tokenward_span,
    /// The token type as the server spelled it.
    pub token_type: tokenward_span,
    /// The refresh token; never empty. Read only if the service has the refresh grant.
    pub refresh_token: tokenward_span,
    /// The granted scope; elements of an array are joined by single spaces.
    pub scope: tokenward_span,
    /// The OpenID Connect ID token, not verified.
    pub id_token: tokenward_span,
    /// The error code as the server spelled it.
    pub error: tokenward_span,
    /// The server's explanation for a developer.
    pub error_description: tokenward_span,
    /// A page about the error.
    pub error_uri: tokenward_span,
    /// The lifetime in seconds, floored and saturating, not capped.
    pub expires_in_s: u64,
    /// Bytes of the buffer in use; if it is too small, the bytes needed.
    pub len: usize,
    /// Where in the body it was refused (#TOKENWARD_ERR_TRUNCATED, #TOKENWARD_ERR_MALFORMED,
    /// #TOKENWARD_ERR_TOO_DEEP).
    pub offset: usize,
    /// `TOKENWARD_ANSWER_*`.
    pub kind: tokenward_answer_kind,
    /// `TOKENWARD_CODE_*`, if it is an error.
    pub code: tokenward_error_code,
    /// Whether there is a lifetime.
    pub has_expires_in: bool,
}

impl tokenward_token_answer_result {
    const NONE: Self = Self {
        access_token: tokenward_span::NONE,
        token_type: tokenward_span::NONE,
        refresh_token: tokenward_span::NONE,
        scope: tokenward_span::NONE,
        id_token: tokenward_span::NONE,
        error: tokenward_span::NONE,
        error_description: tokenward_span::NONE,
        error_uri: tokenward_span::NONE,
        expires_in_s: 0,
        len: 0,
        offset: 0,
        kind: 0,
        code: TOKENWARD_CODE_NONE,
        has_expires_in: false,
    };
}

/// Reads what a token endpoint answered. A 2xx status is a token, or a non-empty `error` without one; every other
/// status is an error answer. Of several faults those of the body itself come first, then the order below.
///
/// May be called from any thread.
///
/// @code
/// tokenward_token_answer_result said;
/// int32_t result = tokenward_token_answer(answer.status, answer.body, service, buffer, sizeof buffer, &said);
/// if (result == TOKENWARD_OK && said.kind == TOKENWARD_ANSWER_ERROR) {
///   log_bytes(said.error_description.ptr, said.error_description.len);
/// }
/// tokenward_wipe(buffer, sizeof buffer);
/// @endcode
///
/// @param[in] status The status code.
/// @param[in] body The whole body. `out` points into it: it must live as long as `out` is used.
/// @param[in] service The service that answered.
/// @param[out] buf Takes strings that are written with escapes; never more than the body's length. It may hold
/// tokens afterwards. NULL with 0 is enough for a body without escapes whose scope is not an array.
/// @param[in] cap Bytes of `buf`.
/// @param[out] out Written on success. If `buf` is too small, its `len` says how many bytes are needed; if the
/// body is refused, its `offset` says where.
/// @retval TOKENWARD_OK it is a token, or an error that the server gave
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
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_token_answer(
    status: u16,
    body: tokenward_span,
    service: *const tokenward_service,
    buf: *mut u8,
    cap: usize,
    out: *mut tokenward_token_answer_result,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let mut room = Room::of(edge.buffer(buf, cap));
        let mut said = tokenward_token_answer_result::NONE;
        let body = edge.bytes(body);
        let service = edge.service(service)?;
        match token_answer(status, body, service) {
            Ok(TokenAnswer::Token(token)) => {
                said.kind = TOKENWARD_ANSWER_TOKEN;
                said.access_token = room.text(token.access_token());
                said.token_type = room.optional(token.token_type());
                said.refresh_token = room.optional(token.refresh_token());
                said.scope = room.scope(token.scope());
                said.id_token = room.optional(token.id_token());
                said.has_expires_in = token.expires_in().is_some();
                said.expires_in_s = token.expires_in().unwrap_or(0);
            }
            Ok(TokenAnswer::Error(response)) => {
                said.kind = TOKENWARD_ANSWER_ERROR;
                said.code = code_number(response.code());
                said.error = room.text(response.error());
                said.error_description = room.optional(response.error_description());
                said.error_uri = room.optional(response.error_uri());
            }
            Err(error) => {
                let offset = detail(error);
                out.write(tokenward_token_answer_result { offset, ..said });
                return Err(error.into());
            }
        }
        let len = room.used;
        if len > cap {
            out.write(tokenward_token_answer_result { len, ..tokenward_token_answer_result::NONE });
            return Err(Fault::of(Error::BufferTooSmall { needed: 0 }));
        }
        out.write(tokenward_token_answer_result { len, ..said });
        Ok(())
    })
}

/// The caller's buffer, from which strings take what they need; it counts on behind its end.
struct Room<'b> {
    rest: &'b mut [u8],
    used: usize,
}

impl<'b> Room<'b> {
    fn of(rest: &'b mut [u8]) -> Self {
        Self { rest, used: 0 }
    }

    /// `len` bytes of it, or none where so many are not left.
    fn take(&mut self, len: usize) -> &'b mut [u8] {
        self.used = self.used.saturating_add(len);
        match core::mem::take(&mut self.rest).split_at_mut_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                taken
            }
            // What comes later finds no room either.
            None => &mut [],
        }
    }

    /// The string where it stands, or unescaped into the buffer.
    fn text(&mut self, text: JsonStr<'_>) -> tokenward_span {
        match text.as_plain() {
            Some(plain) => tokenward_span::of(plain),
            // Empty where there is no room for it.
            None => tokenward_span::of(text.copy_to(self.take(text.len())).unwrap_or_default()),
        }
    }

    fn bytes(&mut self, len: usize, bytes: impl Iterator<Item = u8>) -> tokenward_span {
        let taken = self.take(len);
        taken.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
        tokenward_span::of(taken)
    }

    fn optional(&mut self, text: Option<JsonStr<'_>>) -> tokenward_span {
        text.map_or(tokenward_span::NONE, |text| self.text(text))
    }

    fn scope(&mut self, scope: Option<Scope<'_>>) -> tokenward_span {
        let Some(scope) = scope else { return tokenward_span::NONE };
        let mut parts = scope.parts();
        match (parts.next(), parts.next()) {
            (Some(single), None) => self.text(single),
            _ => self.bytes(scope.bytes().count(), scope.bytes()),
        }
    }
}

/// One challenge of a `WWW-Authenticate` field (RFC 9110 section 11.6.1). Its spans point into the field.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_challenge {
    /// The scheme as spelled; schemes compare without case.
    pub scheme: tokenward_span,
    /// The token68; its `ptr` is NULL if the challenge has none.
    pub token68: tokenward_span,
    /// How many parameters it has; none if it has a token68.
    pub param_count: usize,
}

/// Checks a whole `WWW-Authenticate` field and counts its challenges. Check several field lines one by one, or
/// joined by commas. The time grows with the square of the parameters of one challenge.
///
/// May be called from any thread.
///
/// @code
/// size_t count;
/// int32_t result = tokenward_challenges(challenge, &count);
/// if (result != TOKENWARD_OK) return result;
/// for (size_t i = 0; i < count; i++) log_challenge(challenge, i);
/// @endcode
///
/// @param[in] field The value of the field.
/// @param[out] count Written on success.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_INVALID_CHALLENGE not the grammar of RFC 9110, or a parameter twice in one challenge
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_challenges(field: tokenward_span, count: *mut usize) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(count)?;
        let field = edge.bytes(field);
        edge.checked()?;
        out.write(Challenges::parse(field)?.count());
        Ok(())
    })
}

/// Reads one challenge of a `WWW-Authenticate` field.
///
/// May be called from any thread.
///
/// @code
/// tokenward_challenge first;
/// int32_t result = tokenward_challenge_at(challenge, 0, &first);
/// if (result != TOKENWARD_OK) return result;
/// log_bytes(first.scheme.ptr, first.scheme.len); // Bearer
/// @endcode
///
/// @param[in] field `out` points into it: it must live as long as `out` is used.
/// @param[in] index The challenge's position, from 0.
/// @param[out] out Written on success.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_INVALID_CHALLENGE the field is not what tokenward_challenges() takes
/// @retval TOKENWARD_ERR_NO_SUCH_ITEM there are fewer challenges
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_challenge_at(
    field: tokenward_span,
    index: usize,
    out: *mut tokenward_challenge,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let field = edge.bytes(field);
        edge.checked()?;
        let challenge = challenge(field, index)?;
        out.write(tokenward_challenge {
            scheme: tokenward_span::of(challenge.scheme()),
            token68: challenge.token68().map_or(tokenward_span::NONE, tokenward_span::of),
            param_count: challenge.params().count(),
        });
        Ok(())
    })
}

/// A parameter of a challenge.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_challenge_param {
    /// The name as spelled; it points into the field. Names compare without case.
    pub name: tokenward_span,
    /// Bytes of the value, without the NUL; if the buffer is too small, the bytes needed, with the NUL.
    pub len: usize,
}

/// Reads one parameter of a challenge, by position or by name: the value is copied without quotes and with each
/// quoted-pair replaced (RFC 9110 section 5.6.4).
///
/// May be called from any thread.
///
/// @code
/// char scope[64];
/// tokenward_challenge_param param;
/// int32_t result =
///   tokenward_challenge_param_at(challenge, 0, tokenward_text("scope"), 0, scope, sizeof scope, &param);
/// if (result == TOKENWARD_OK) log_line(scope); // what the request needs
/// return result;
/// @endcode
///
/// @param[in] field `out` points into it: it must live as long as `out` is used.
/// @param[in] index The challenge's position, from 0.
/// @param[in] name The parameter's name, whose case does not matter. Empty: by `place`.
/// @param[in] place The parameter's position, from 0; ignored if there is a name.
/// @param[out] buf Where the value is written, followed by a NUL.
/// @param[in] cap Bytes of `buf`.
/// @param[out] out Written on success. If `buf` is too small, its `len` says how many bytes are needed.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_INVALID_CHALLENGE the field is not what tokenward_challenges() takes
/// @retval TOKENWARD_ERR_NO_SUCH_ITEM there is no such challenge or parameter
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_challenge_param_at(
    field: tokenward_span,
    index: usize,
    name: tokenward_span,
    place: usize,
    buf: *mut c_char,
    cap: usize,
    out: *mut tokenward_challenge_param,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let buf = edge.buffer(buf.cast(), cap);
        let (wanted, field) = (edge.bytes(name), edge.bytes(field));
        edge.checked()?;
        let challenge = challenge(field, index)?;
        let param = if wanted.is_empty() {
            challenge.params().nth(place)
        } else {
            challenge.params().find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        };
        let (name, value) = param.ok_or(NO_SUCH_ITEM)?;
        let mut end = 0_usize;
        let mut room = buf.iter_mut();
        for byte in value.bytes().chain([0]) {
            if let Some(to) = room.next() {
                *to = byte;
            }
            end = end.saturating_add(1);
        }
        let fits = end <= cap;
        let len = if fits { end.saturating_sub(1) } else { end };
        out.write(tokenward_challenge_param { name: tokenward_span::of(name), len });
        if fits { Ok(()) } else { Err(Fault::of(Error::BufferTooSmall { needed: 0 })) }
    })
}

const NO_SUCH_ITEM: Fault = Fault(TOKENWARD_ERR_NO_SUCH_ITEM);

fn challenge(field: &[u8], index: usize) -> Result<Challenge<'_>, Fault> {
    Challenges::parse(field)?.nth(index).ok_or(NO_SUCH_ITEM)
}

/// Gets the seconds from now until a `Retry-After` field lets the request be sent again (RFC 9110 section
/// 10.2.3).
///
/// May be called from any thread.
///
/// @code
/// uint64_t wait_s;
/// int32_t result = tokenward_retry_after(answer.retry_after, wall_s, &wait_s);
/// if (result != TOKENWARD_OK) return result;
/// sleep_until(now_ms + (wait_s < 3600 ? wait_s : 3600) * 1000);
/// @endcode
///
/// @param[in] value The field's value: seconds or an HTTP-date.
/// @param[in] wall_s The time of day in Unix seconds, which a date needs; NULL if the device does not know it.
/// @param[out] seconds Written on success.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_INVALID_RETRY_AFTER neither form, or a date without the time of day
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_retry_after(
    value: tokenward_span,
    wall_s: *const u64,
    seconds: *mut u64,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(seconds)?;
        let (value, wall) = (edge.bytes(value), wall(edge, wall_s));
        edge.checked()?;
        out.write(retry_after(value, wall)?);
        Ok(())
    })
}

/// Reads an HTTP-date in any of its three forms (RFC 9110 section 5.6.7).
///
/// May be called from any thread.
///
/// @code
/// uint64_t unix_s;
/// int32_t result = tokenward_http_date(date, wall_s, &unix_s); // Sun, 06 Nov 1994 08:49:37 GMT
/// if (result != TOKENWARD_OK) return result;
/// set_clock(unix_s);
/// @endcode
///
/// @param[in] value The field's value.
/// @param[in] wall_s The time of day in Unix seconds, which the form with a year of two digits needs; NULL if the
/// device does not know it.
/// @param[out] unix_s Written on success: Unix seconds; an earlier date is 0.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_INVALID_HTTP_DATE none of the forms, or not a date of the calendar
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_http_date(
    value: tokenward_span,
    wall_s: *const u64,
    unix_s: *mut u64,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(unix_s)?;
        let (value, wall) = (edge.bytes(value), wall(edge, wall_s));
        edge.checked()?;
        out.write(http_date(value, wall)?.as_secs());
        Ok(())
    })
}

/// The registered claims of a JWT that say something about its life.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_claims {
    /// Expiration time in Unix seconds (RFC 7519 section 4.1.4).
    pub exp_s: u64,
    /// Issued at (RFC 7519 section 4.1.6).
    pub iat_s: u64,
    /// Not before (RFC 7519 section 4.1.5).
    pub nbf_s: u64,
    /// Subject (RFC 7519 section 4.1.2); its `ptr` is NULL if there is none. It points into the buffer.
    pub sub: tokenward_span,
    /// Bytes of the buffer in use; if it is too small, the bytes needed.
    pub len: usize,
    /// Whether there is an `exp_s`.
    pub has_exp: bool,
    /// Whether there is an `iat_s`.
    pub has_iat: bool,
    /// Whether there is an `nbf_s`.
    pub has_nbf: bool,
}

/// Reads the registered claims of a JWT. They are what the token says of itself, no signature is checked: base no
/// decision on them (RFC 9068 section 6).
///
/// May be called from any thread.
///
/// @code
/// tokenward_claims claims;
/// int32_t result = tokenward_jwt_claims(tokenward_text(access_token), buffer, sizeof buffer, &claims);
/// if (result == TOKENWARD_OK && claims.has_exp && wall_s && claims.exp_s <= *wall_s) log_line("it has expired");
/// tokenward_wipe(buffer, sizeof buffer);
/// return result;
/// @endcode
///
/// @param[in] token The token.
/// @param[out] buf Takes the decoded payload, at most three quarters of the token's length, and the subject once
/// more if that is written with escapes.
/// @param[in] cap Bytes of `buf`.
/// @param[out] out Written on success: its `sub` points into `buf`. If `buf` is too small, its `len` says how
/// many bytes are needed.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_INVALID_JWT not three base64url parts
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small
/// @retval TOKENWARD_ERR_NOT_JSON the payload is not a JSON object
/// @retval TOKENWARD_ERR_TRUNCATED the payload stops before its end
/// @retval TOKENWARD_ERR_MALFORMED RFC 8259 refuses the payload
/// @retval TOKENWARD_ERR_TOO_DEEP more than 32 containers are open at once
/// @retval TOKENWARD_ERR_DUPLICATE_MEMBER a claim that is read appears twice
/// @retval TOKENWARD_ERR_INVALID_CLAIM a time that is not a number, or negative; a subject that is not a string
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_jwt_claims(
    token: tokenward_span,
    buf: *mut u8,
    cap: usize,
    out: *mut tokenward_claims,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(out)?;
        let buf = edge.buffer(buf, cap);
        let token = edge.bytes(token);
        edge.checked()?;
        // The subject is unescaped behind the payload that it stands in.
        let payload_len = payload_len(token);
        let (payload, rest) = buf.split_at_mut_checked(payload_len).unwrap_or_default();
        let none = tokenward_claims {
            exp_s: 0,
            iat_s: 0,
            nbf_s: 0,
            sub: tokenward_span::NONE,
            len: payload_len,
            has_exp: false,
            has_iat: false,
            has_nbf: false,
        };
        let claims = match jwt_claims(token, payload) {
            Ok(claims) => claims,
            Err(error) => {
                if let Error::BufferTooSmall { .. } = error {
                    out.write(none);
                }
                return Err(error.into());
            }
        };
        let mut room = Room { rest, used: payload_len };
        let sub = room.optional(claims.sub);
        let len = room.used;
        if len > cap {
            out.write(tokenward_claims { len, ..none });
            return Err(Fault::of(Error::BufferTooSmall { needed: 0 }));
        }
        let seconds = |time: Option<UnixTime>| time.map_or(0, UnixTime::as_secs);
        out.write(tokenward_claims {
            exp_s: seconds(claims.exp),
            iat_s: seconds(claims.iat),
            nbf_s: seconds(claims.nbf),
            sub,
            len,
            has_exp: claims.exp.is_some(),
            has_iat: claims.iat.is_some(),
            has_nbf: claims.nbf.is_some(),
        });
        Ok(())
    })
}

/// Bytes of the second of a token's parts, decoded: three for each four digits of base64url.
fn payload_len(token: &[u8]) -> usize {
    let digits = token.split(|byte| *byte == b'.').nth(1).map_or(0, <[u8]>::len);
    let (whole, rest) = (digits / 4, digits % 4);
    whole.saturating_mul(3).saturating_add(rest.saturating_mul(3) / 4)
}
