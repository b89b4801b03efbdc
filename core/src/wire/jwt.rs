//! A look at the claims of a JWT (RFC 7519): a scheduling hint, never an authorisation decision
//! (RFC 9068 section 6). No signature is checked.

use crate::ascii::low_byte;
use crate::error::Error;
use crate::time::UnixTime;
use crate::wire::input::{Input, Slice};
use crate::wire::json::{Each, token, walk};
use crate::wire::json_str::JsonStr;
use crate::wire::seconds::whole_seconds;

/// The registered claims of a JWT that concern its lifetime.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claims<'a> {
    /// Expiration time (RFC 7519 section 4.1.4).
    pub exp: Option<UnixTime>,
    /// Issued at (RFC 7519 section 4.1.6).
    pub iat: Option<UnixTime>,
    /// Not before (RFC 7519 section 4.1.5).
    pub nbf: Option<UnixTime>,
    /// Subject (RFC 7519 section 4.1.2).
    pub sub: Option<JsonStr<'a>>,
}

/// Reads the registered claims of `token`; `scratch` takes the decoded payload, at most three quarters of
/// the token's length.
///
/// ```
/// use tokenward::wire::jwt_claims;
/// use tokenward::UnixTime;
///
/// let token = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjEzMDA4MTkzODAsInN1YiI6ImpvZSJ9.c2ln";
/// let mut scratch = [0; 64];
/// let claims = jwt_claims(token.as_bytes(), &mut scratch).unwrap();
/// assert_eq!(claims.exp, Some(UnixTime::from_secs(1_300_819_380)));
/// ```
///
/// # Errors
/// - [`Error::InvalidJwt`]: not three base64url parts.
/// - [`Error::BufferTooSmall`]: `scratch` is too short for the payload.
/// - [`Error::NotJson`], [`Error::Truncated`], [`Error::Malformed`], [`Error::TooDeep`]: the payload is no
///   JSON object; offsets count in the payload.
/// - [`Error::DuplicateMember`]: a claim that is read occurs twice (RFC 7519 section 4).
/// - [`Error::InvalidClaim`]: a time that is negative or not a number; a subject that is not a string.
///
/// # Security
/// The claims are only what the token says of itself: base no decision on them.
pub fn jwt_claims<'b>(token: &[u8], scratch: &'b mut [u8]) -> Result<Claims<'b>, Error> {
    let payload = jwt_payload(token, scratch)?;
    let mut claims = Claims::default();
    let mut seen = 0_u8;
    read(Slice::new(payload), &mut |item| {
        let Some(name) = item.name() else { return Ok(()) };
        let Some(place) = [b"exp", b"iat", b"nbf", b"sub"].iter().position(|claim| name.is(*claim)) else {
            return Ok(());
        };
        if seen & (1 << place) != 0 {
            return Err(Error::DuplicateMember);
        }
        seen |= 1 << place;
        if item.kind == b'n' {
            return Ok(());
        }
        if place == 3 {
            claims.sub = Some(item.text().ok_or(Error::InvalidClaim)?);
            return Ok(());
        }
        let time = seconds(item.kind, item.value.iter().copied()).ok_or(Error::InvalidClaim)?;
        let claim = match place {
            0 => &mut claims.exp,
            1 => &mut claims.iat,
            _ => &mut claims.nbf,
        };
        *claim = Some(UnixTime::from_secs(time));
        Ok(())
    })?;
    Ok(claims)
}

/// Reads the claims into the caller's own struct. The payload is strict JSON of bounded depth by then.
///
/// ```
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Flume<'a> {
///     user_id: u64,
///     r#type: &'a str,
/// }
///
/// let token = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjo3LCJ0eXBlIjoiVVNFUiJ9.c2ln";
/// let mut scratch = [0; 64];
/// let claims: Flume = tokenward::wire::jwt_claims_into(token.as_bytes(), &mut scratch).unwrap();
/// assert_eq!((claims.user_id, claims.r#type), (7, "USER"));
/// ```
///
/// # Errors
/// Those of [`jwt_claims`], and [`Error::InvalidClaim`] if the struct does not fit.
#[cfg(feature = "serde")]
pub fn jwt_claims_into<'b, T: serde::Deserialize<'b>>(
    token: &[u8],
    scratch: &'b mut [u8],
) -> Result<T, Error> {
    let payload = jwt_payload(token, scratch)?;
    read(Slice::new(payload), &mut |_| Ok(()))?;
    serde_json_core::from_slice(payload).map(|(claims, _)| claims).map_err(|_| Error::InvalidClaim)
}

/// The decoded payload of `token`, in `scratch`.
fn jwt_payload<'b>(token: &[u8], scratch: &'b mut [u8]) -> Result<&'b [u8], Error> {
    let mut payload = Payload::of(token.iter().copied()).ok_or(Error::InvalidJwt)?;
    let mut len = 0_usize;
    let mut room = scratch.iter_mut();
    while let Some(byte) = payload.current {
        if let Some(place) = room.next() {
            *place = byte;
        }
        payload.bump();
        len = len.saturating_add(1);
    }
    if !payload.is_whole() {
        return Err(Error::InvalidJwt);
    }
    scratch.get(..len).ok_or(Error::BufferTooSmall { needed: len })
}

/// The `exp` of a token that is still in its body: decoded while it is read, without any buffer.
pub(crate) fn expiry(token: JsonStr<'_>) -> Option<UnixTime> {
    let payload = Payload::of(token.bytes())?;
    let mut expiry = None;
    let rest = read(payload, &mut |item| {
        let Some(name) = &item.name else { return Ok(()) };
        // Spelled through escapes it takes eighteen bytes.
        let mut raw = [0; 18];
        let len = name.bytes().zip(&mut raw).map(|(byte, place)| *place = byte).count();
        let spelled = JsonStr::read(raw.get(..len).unwrap_or_default(), item.name_text);
        if name.len == len && spelled.is(b"exp") {
            if expiry.is_some() {
                return Err(Error::DuplicateMember);
            }
            expiry = Some(seconds(item.kind, item.value.bytes()).ok_or(Error::InvalidClaim)?);
        }
        Ok(())
    })
    .ok()?;
    expiry.filter(|_| rest.is_whole()).map(UnixTime::from_secs)
}

/// Hands each member of the top object to `claim`; gives back the input behind it.
fn read<I: Input>(input: I, claim: &mut Each<'_, I::Span>) -> Result<I, Error> {
    let mut at = input.clone();
    if token(&mut at) != b'{' && !at.is_at_end() {
        return Err(Error::NotJson);
    }
    walk(&input, at, 1, &[], claim)
}

/// A NumericDate (RFC 7519 section 2), floored.
fn seconds(kind: u8, value: impl Iterator<Item = u8> + Clone) -> Option<u64> {
    if kind.is_ascii_digit() { whole_seconds(value) } else { None }
}

/// The payload of a JWT, decoded from base64url (RFC 4648 section 5) byte by byte.
#[derive(Clone)]
struct Payload<I> {
    chars: I,
    /// Bits that wait for the rest of their byte, and how many.
    bits: u32,
    count: u32,
    current: Option<u8>,
    offset: usize,
    end: End,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Ahead,
    /// At the second dot of exactly two, without bits left over.
    Whole,
    Broken,
}

impl<I: Iterator<Item = u8> + Clone> Payload<I> {
    fn of(mut token: I) -> Option<Self> {
        let header = token.by_ref().take_while(|byte| *byte != b'.');
        if !header.fold(true, |good, byte| good & digit(byte).is_some()) {
            return None;
        }
        let mut payload = Self { chars: token, bits: 0, count: 0, current: None, offset: 0, end: End::Ahead };
        payload.decode();
        Some(payload)
    }

    fn is_whole(&self) -> bool {
        self.end == End::Whole
    }

    fn decode(&mut self) {
        self.current = None;
        while self.end == End::Ahead {
            match self.chars.next() {
                Some(b'.') => {
                    // Six bits are half a digit too many; others must be zero.
                    let clean = self.count < 6 && self.bits & !(u32::MAX << self.count) == 0;
                    let signature = self.chars.clone().all(|byte| digit(byte).is_some());
                    self.end = if clean && signature { End::Whole } else { End::Broken };
                }
                byte => match byte.and_then(digit) {
                    Some(six) => {
                        self.bits = (self.bits << 6) | six;
                        self.count = self.count.wrapping_add(6);
                        if self.count >= 8 {
                            self.count = self.count.wrapping_sub(8);
                            self.current = Some(low_byte(self.bits >> self.count));
                            return;
                        }
                    }
                    None => self.end = End::Broken,
                },
            }
        }
    }
}

/// A stretch of a payload, which is decoded again when it is looked at.
struct Stretch<I> {
    start: Payload<I>,
    len: usize,
}

impl<I: Iterator<Item = u8> + Clone> Stretch<I> {
    fn bytes(&self) -> impl Iterator<Item = u8> + Clone {
        let mut cursor = self.start.clone();
        core::iter::repeat_with(move || {
            let byte = cursor.peek();
            cursor.bump();
            byte
        })
        .take(self.len)
    }
}

impl<I: Iterator<Item = u8> + Clone> Input for Payload<I> {
    type Span = Stretch<I>;

    fn peek(&self) -> u8 {
        self.current.unwrap_or(0)
    }

    fn is_at_end(&self) -> bool {
        self.current.is_none()
    }

    fn bump(&mut self) {
        self.offset = self.offset.saturating_add(1);
        self.decode();
    }

    fn distance(&self, later: &Self) -> usize {
        later.offset.wrapping_sub(self.offset)
    }

    fn until(self, later: &Self) -> Option<Stretch<I>> {
        let len = self.distance(later);
        Some(Stretch { start: self, len })
    }

    fn until_end(self) -> Stretch<I> {
        Stretch { start: self, len: usize::MAX }
    }
}

/// The value of a base64url digit.
fn digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte.wrapping_sub(b'A'),
        b'a'..=b'z' => byte.wrapping_sub(b'a' - 26),
        b'0'..=b'9' => byte.wrapping_add(52 - b'0'),
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests;
