//! What a token endpoint answered (RFC 6749 sections 5.1 and 5.2).

use crate::json::{Item, JsonStr, Reader, Slice, Text, whole_seconds};
use crate::{Error, ErrorResponse, Provider, TokenAlphabet};

/// An answer of the token endpoint: a token, or the server's own reason why there is none.
#[derive(Clone, Copy, Debug)]
pub enum TokenAnswer<'a> {
    /// RFC 6749 section 5.1.
    Token(TokenResponse<'a>),
    /// RFC 6749 section 5.2.
    Error(ErrorResponse<'a>),
}

/// A successful token response (RFC 6749 section 5.1). It borrows the body; nothing is copied.
#[derive(Clone, Copy)]
pub struct TokenResponse<'a> {
    access_token: JsonStr<'a>,
    token_type: Option<JsonStr<'a>>,
    expires_in: Option<u64>,
    max_lifetime_s: u64,
    refresh_token: Option<JsonStr<'a>>,
    scope: Option<Scope<'a>>,
    id_token: Option<JsonStr<'a>>,
    #[cfg(feature = "serde")]
    object: &'a [u8],
}

impl<'a> TokenResponse<'a> {
    /// A Bearer token that came another way: from an app's own backend, or a portal.
    ///
    /// ```
    /// use tokenward::TokenResponse;
    ///
    /// let token = TokenResponse::new("2YotnFZFEjr1zCsicMWpAA").with_expires_in(3600);
    /// assert_eq!(token.expires_in(), Some(3600));
    /// ```
    #[must_use]
    pub const fn new(access_token: &'a str) -> Self {
        Self {
            access_token: JsonStr::literal(access_token.as_bytes()),
            token_type: None,
            expires_in: None,
            max_lifetime_s: u64::MAX,
            refresh_token: None,
            scope: None,
            id_token: None,
            #[cfg(feature = "serde")]
            object: b"{}",
        }
    }

    /// The same with a token type; empty is none.
    #[must_use]
    pub const fn with_token_type(mut self, token_type: &'a str) -> Self {
        self.token_type =
            if token_type.is_empty() { None } else { Some(JsonStr::literal(token_type.as_bytes())) };
        self
    }

    /// The same with a lifetime in seconds.
    #[must_use]
    pub const fn with_expires_in(mut self, seconds: u64) -> Self {
        self.expires_in = Some(seconds);
        self
    }

    /// The same with a refresh token; empty is none.
    #[must_use]
    pub const fn with_refresh_token(mut self, refresh_token: &'a str) -> Self {
        self.refresh_token =
            if refresh_token.is_empty() { None } else { Some(JsonStr::literal(refresh_token.as_bytes())) };
        self
    }

    /// The access token.
    #[must_use]
    pub const fn access_token(&self) -> JsonStr<'a> {
        self.access_token
    }

    /// The token type as the server spelled it.
    #[must_use]
    pub const fn token_type(&self) -> Option<JsonStr<'a>> {
        self.token_type
    }

    /// The lifetime in seconds, floored, saturating, and capped by the provider's `max_lifetime_s`.
    #[must_use]
    pub fn expires_in(&self) -> Option<u64> {
        self.expires_in.map(|seconds| seconds.min(self.max_lifetime_s))
    }

    /// Whether the server itself said 0, whatever the cap is.
    pub(crate) fn expires_at_once(&self) -> bool {
        self.expires_in == Some(0)
    }

    /// The refresh token, never empty.
    #[must_use]
    pub const fn refresh_token(&self) -> Option<JsonStr<'a>> {
        self.refresh_token
    }

    /// The granted scope.
    #[must_use]
    pub const fn scope(&self) -> Option<Scope<'a>> {
        self.scope
    }

    /// The OpenID Connect ID token, not verified.
    #[must_use]
    pub const fn id_token(&self) -> Option<JsonStr<'a>> {
        self.id_token
    }

    /// Reads the object that the token's members stand in into the caller's own struct: for members that
    /// only one provider has. The object is strict JSON of bounded depth by now. A `&str` keeps the escapes
    /// of the body: `https:\/\/` stays as it stands.
    ///
    /// ```
    /// use serde::Deserialize;
    /// use tokenward::{Provider, TokenAnswer, token_answer};
    ///
    /// #[derive(Deserialize)]
    /// struct Extra<'a> {
    ///     client_id: &'a str,
    /// }
    ///
    /// let body = br#"{"client_id":"019ebf3c","access_token":"a3b96ccb","token_type":"BEARER","expires_in":3599}"#;
    /// let Ok(TokenAnswer::Token(token)) = token_answer(200, body, &Provider::custom()) else { panic!() };
    /// assert_eq!(token.extra::<Extra>().unwrap().client_id, "019ebf3c");
    /// ```
    ///
    /// # Errors
    /// Those of `serde-json-core` where the struct does not fit.
    #[cfg(feature = "serde")]
    pub fn extra<T: serde::Deserialize<'a>>(&self) -> Result<T, serde_json_core::de::Error> {
        serde_json_core::from_slice(crate::json::container(self.object)).map(|(extra, _)| extra)
    }

    /// Whether a `Bearer` field may carry it (RFC 6749 section 7.1).
    pub(crate) fn is_bearer(&self, provider: &Provider<'_>) -> bool {
        self.token_type.is_none_or(|given| {
            let is = |name: &str| {
                let lower = |byte: u8| byte.to_ascii_lowercase();
                given.bytes().map(lower).eq(name.bytes().map(lower))
            };
            is("bearer") || provider.token_type_aliases.iter().any(|alias| is(alias))
        })
    }
}

impl core::fmt::Debug for TokenResponse<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TokenResponse").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// A scope: one string, or an array of strings that counts as joined by spaces (RFC 6749 section 3.3).
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    value: &'a [u8],
    text: Text,
}

impl<'a> Scope<'a> {
    /// The strings that the server gave: one, or the elements of its array.
    pub fn parts(&self) -> impl Iterator<Item = JsonStr<'a>> + use<'a> {
        let mut reader = Reader::new(Slice::new(self.value));
        let single = string(self.value, self.text).ok().flatten();
        let array = core::iter::from_fn(move || match reader.next() {
            Ok(Some(Item { depth: 0, .. })) if single.is_none() => reader.next().ok().flatten(),
            Ok(item) if single.is_none() => item,
            _ => None,
        });
        single.into_iter().chain(array.map_while(|item| string(item.value, item.text).ok().flatten()))
    }

    /// The UTF-8 bytes of the scope, the parts joined by single spaces.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.parts().enumerate().flat_map(|(n, part)| (n > 0).then_some(b' ').into_iter().chain(part.bytes()))
    }
}

impl core::fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Scope(..)")
    }
}

/// Reads what a token endpoint answered.
///
/// A 2xx status is a token, or a non-empty `error` without one; every other status is an error answer.
/// The `Content-Type` is not asked: the body decides.
///
/// ```
/// use tokenward::{Error, Provider, TokenAnswer, token_answer};
///
/// let provider = Provider::custom();
/// let body = br#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer","expires_in":3600}"#;
/// let Ok(TokenAnswer::Token(token)) = token_answer(200, body, &provider) else { panic!() };
/// assert_eq!(token.expires_in(), Some(3600));
///
/// let refused = token_answer(200, b"<html>maintenance</html>", &provider);
/// assert_eq!(refused.unwrap_err(), Error::NotJson);
/// ```
///
/// # Errors
/// Of two faults the body's own come first, the earliest byte winning, then this order:
/// - [`Error::NotJson`], [`Error::Truncated`], [`Error::Malformed`], [`Error::TooDeep`]: no whole JSON object.
/// - [`Error::DuplicateMember`]: a member that is read stands twice in its object.
/// - [`Error::InvalidAccessToken`], [`Error::InvalidRefreshToken`], [`Error::InvalidTokenType`],
///   [`Error::InvalidScopeMember`], [`Error::InvalidError`], [`Error::InvalidExpiresIn`]: a member is not
///   what it must be.
/// - [`Error::ErrorBesideToken`]: a non-empty `error` next to a token.
/// - [`Error::NoErrorCode`]: an object without an error code under a status other than 2xx.
pub fn token_answer<'a>(
    status: u16,
    body: &'a [u8],
    provider: &Provider<'_>,
) -> Result<TokenAnswer<'a>, Error> {
    let members = Members::read(body, provider)?;
    if (200..300).contains(&status) { members.token(provider) } else { members.error(provider) }
}

/// The same, and the valid refresh token that a refused 2xx answer carries all the same.
pub(crate) fn token_answer_or_rotated<'a>(
    status: u16,
    body: &'a [u8],
    provider: &Provider<'_>,
) -> (Result<TokenAnswer<'a>, Error>, Option<JsonStr<'a>>) {
    match Members::read(body, provider) {
        Err(error) => (Err(error), None),
        Ok(members) if (200..300).contains(&status) => {
            (members.token(provider), members.refresh_token(provider).ok().flatten())
        }
        Ok(members) => (members.error(provider), None),
    }
}

/// The members that are read, as bits of a mask and places of a table.
const ACCESS_TOKEN: usize = 0;
const TOKEN_TYPE: usize = 1;
const EXPIRES_IN: usize = 2;
const REFRESH_TOKEN: usize = 3;
const SCOPE: usize = 4;
const ID_TOKEN: usize = 5;
const ERROR: usize = 6;
const ERROR_DESCRIPTION: usize = 7;
const ERROR_URI: usize = 8;
/// The place of the error code at the provider's error path.
const NESTED_ERROR: usize = 9;
/// The bits for a path that could be walked in two ways.
const MEMBER_PATH: usize = 10;
const ERROR_PATH: usize = 11;
const PLACES: usize = 10;

/// The raw values of the members that are read; an absent one is empty.
struct Members<'a> {
    values: [&'a [u8]; PLACES],
    seen: u16,
    twice: u16,
    escaped: u16,
    lone_surrogate: u16,
    /// The depth of the scope's elements while they are read; 0 elsewhere.
    scope_depth: u32,
    /// The scope is neither a string nor an array of strings.
    bad_scope: bool,
    #[cfg(feature = "serde")]
    object: &'a [u8],
}

impl<'a> Members<'a> {
    /// One pass over the whole body.
    fn read(body: &'a [u8], provider: &Provider<'_>) -> Result<Self, Error> {
        let mut input = Slice::new(body);
        if body.starts_with(b"\xEF\xBB\xBF") {
            input.advance(3);
        }
        let mut reader = Reader::new(input);
        if reader.token()? != b'{' {
            return Err(Error::NotJson);
        }
        let mut members = Members {
            values: [&[]; PLACES],
            seen: 0,
            twice: 0,
            escaped: 0,
            lone_surrogate: 0,
            scope_depth: 0,
            bad_scope: false,
            #[cfg(feature = "serde")]
            object: &[],
        };
        let mut member_path = Path::new(provider.member_path);
        let mut error_path = Path::new(provider.error_path);
        while let Some(item) = reader.next_inlined()? {
            members.keep(&item, &mut member_path, &mut error_path);
        }
        reader.finish()?;
        members.twice |=
            u16::from(member_path.twice) << MEMBER_PATH | u16::from(error_path.twice) << ERROR_PATH;
        Ok(members)
    }

    #[inline(always)]
    fn keep(&mut self, item: &Item<&'a [u8]>, member_path: &mut Path<'_>, error_path: &mut Path<'_>) {
        let flat = member_path.is_empty();
        #[cfg_attr(
            not(feature = "serde"),
            expect(unused_variables, reason = "only `extra` reads the object")
        )]
        let at_object = if flat { item.depth == 0 } else { member_path.step(item) };
        #[cfg(feature = "serde")]
        if at_object && item.kind == b'{' {
            self.object = item.value;
        }
        if !error_path.is_empty() && error_path.step(item) {
            self.put(NESTED_ERROR, item);
        }
        if self.scope_depth != 0 {
            if item.depth < self.scope_depth {
                self.scope_depth = 0;
            } else if item.depth == self.scope_depth {
                self.bad_scope |= item.kind != b'"' || item.text == Text::LoneSurrogate;
            }
        }
        let Some(name) = item.name else { return };
        let at_top = item.depth == 1;
        let in_token = if flat { at_top } else { member_path.holds(item.depth) };
        if !at_top && !in_token {
            return;
        }
        if let Some(place) = place_of(name, item.name_text)
            && (if place < ERROR { in_token } else { at_top })
        {
            self.put(place, item);
            if place == SCOPE && item.kind == b'[' {
                self.scope_depth = item.depth.saturating_add(1);
            }
        }
    }

    fn put(&mut self, place: usize, item: &Item<&'a [u8]>) {
        let bit = 1 << place;
        self.twice |= self.seen & bit;
        self.seen |= bit;
        self.escaped |= u16::from(item.text == Text::Escaped) << place;
        self.lone_surrogate |= u16::from(item.text == Text::LoneSurrogate) << place;
        if let Some(slot) = self.values.get_mut(place) {
            *slot = item.value;
        }
    }

    fn value(&self, place: usize) -> &'a [u8] {
        self.values.get(place).copied().unwrap_or_default()
    }

    fn text(&self, place: usize, fault: Error) -> Result<Option<JsonStr<'a>>, Error> {
        string(self.value(place), self.held(place)).map_err(|()| fault)
    }

    /// What the string at `place` holds.
    fn held(&self, place: usize) -> Text {
        let bit = 1 << place;
        match (self.lone_surrogate & bit, self.escaped & bit) {
            (0, 0) => Text::Plain,
            (0, _) => Text::Escaped,
            _ => Text::LoneSurrogate,
        }
    }

    fn scope(&self) -> Result<Option<Scope<'a>>, Error> {
        let scope = Scope { value: self.value(SCOPE), text: self.held(SCOPE) };
        let fault = Error::InvalidScopeMember;
        match scope.value.first() {
            _ if self.bad_scope => Err(fault),
            Some(b'[') => Ok(Some(scope)),
            _ => Ok(self.text(SCOPE, fault)?.map(|_| scope)),
        }
    }

    fn refuse_twice(&self, places: &[usize]) -> Result<(), Error> {
        let read = places.iter().fold(0_u16, |mask, place| mask | (1 << place));
        if self.twice & read == 0 { Ok(()) } else { Err(Error::DuplicateMember) }
    }

    /// The refresh token, which is read only where the provider lists its grant; empty is none.
    fn refresh_token(&self, provider: &Provider<'_>) -> Result<Option<JsonStr<'a>>, Error> {
        if !provider.reads_refresh_token() {
            return Ok(None);
        }
        Ok(self.text(REFRESH_TOKEN, Error::InvalidRefreshToken)?.filter(|token| !token.is_empty()))
    }

    /// The error code: the flat member, else what stands at the provider's path; empty is none.
    fn error_code(&self) -> Result<Option<JsonStr<'a>>, Error> {
        let code = |place| Ok(self.text(place, Error::InvalidError)?.filter(|code| !code.is_empty()));
        match code(ERROR)? {
            Some(flat) => Ok(Some(flat)),
            None => code(NESTED_ERROR),
        }
    }

    fn token(&self, provider: &Provider<'_>) -> Result<TokenAnswer<'a>, Error> {
        self.refuse_twice(&[
            ACCESS_TOKEN,
            TOKEN_TYPE,
            EXPIRES_IN,
            SCOPE,
            ID_TOKEN,
            ERROR,
            NESTED_ERROR,
            MEMBER_PATH,
            ERROR_PATH,
        ])?;
        if provider.reads_refresh_token() {
            self.refuse_twice(&[REFRESH_TOKEN])?;
        }
        let error = self.error_code();
        let access_token = match self.text(ACCESS_TOKEN, Error::InvalidAccessToken)? {
            Some(token) if provider.token_alphabet.has(token) => Some(token),
            None if matches!(error, Ok(Some(_))) => None,
            _ => return Err(Error::InvalidAccessToken),
        };
        let refresh_token = self.refresh_token(provider)?;
        let token_type = self.text(TOKEN_TYPE, Error::InvalidTokenType)?;
        if token_type.is_none() && provider.token_type_required && access_token.is_some() {
            return Err(Error::InvalidTokenType);
        }
        let scope = self.scope()?;
        let error = error?;
        let expires_in = expires_in(self.value(EXPIRES_IN))?;
        match (access_token, error) {
            (Some(_), Some(_)) => Err(Error::ErrorBesideToken),
            (Some(access_token), None) => Ok(TokenAnswer::Token(TokenResponse {
                access_token,
                token_type,
                expires_in,
                max_lifetime_s: provider.policy.max_lifetime_s,
                refresh_token,
                scope,
                id_token: self.text(ID_TOKEN, Error::InvalidAccessToken).unwrap_or(None),
                #[cfg(feature = "serde")]
                object: self.object,
            })),
            (None, Some(code)) => {
                let other = |place| self.text(place, Error::InvalidError).unwrap_or(None);
                Ok(TokenAnswer::Error(ErrorResponse::new(
                    code,
                    other(ERROR_DESCRIPTION),
                    other(ERROR_URI),
                    provider,
                )))
            }
            (None, None) => Err(Error::InvalidAccessToken),
        }
    }

    fn error(&self, provider: &Provider<'_>) -> Result<TokenAnswer<'a>, Error> {
        self.refuse_twice(&[ERROR, ERROR_DESCRIPTION, ERROR_URI, NESTED_ERROR, ERROR_PATH])?;
        let code = self.error_code()?;
        let description = self.text(ERROR_DESCRIPTION, Error::InvalidError)?;
        let uri = self.text(ERROR_URI, Error::InvalidError)?;
        let code = code.ok_or(Error::NoErrorCode)?;
        Ok(TokenAnswer::Error(ErrorResponse::new(code, description, uri, provider)))
    }
}

/// The place of the member `name`, given raw with its opening quote.
#[inline(always)]
fn place_of(name: &[u8], text: Text) -> Option<usize> {
    Some(match name {
        b"\"access_token" => ACCESS_TOKEN,
        b"\"token_type" => TOKEN_TYPE,
        b"\"expires_in" => EXPIRES_IN,
        b"\"refresh_token" => REFRESH_TOKEN,
        b"\"scope" => SCOPE,
        b"\"id_token" => ID_TOKEN,
        b"\"error" => ERROR,
        b"\"error_description" => ERROR_DESCRIPTION,
        b"\"error_uri" => ERROR_URI,
        _ if text == Text::Escaped => return place_of_escaped(name),
        _ => return None,
    })
}

/// The same for a name that is spelled through escapes.
#[cold]
#[inline(never)]
fn place_of_escaped(name: &[u8]) -> Option<usize> {
    const NAMES: [&str; 9] = [
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "scope",
        "id_token",
        "error",
        "error_description",
        "error_uri",
    ];
    let name = JsonStr::raw(name.get(1..).unwrap_or_default(), true);
    NAMES.iter().position(|known| name.is(known))
}

/// A raw value as a string: absent and `null` are none, anything else that is no Unicode string is a fault.
fn string(value: &[u8], text: Text) -> Result<Option<JsonStr<'_>>, ()> {
    match value.split_first() {
        None | Some((b'n', _)) => Ok(None),
        Some((b'"', raw)) if text != Text::LoneSurrogate => {
            Ok(Some(JsonStr::raw(raw, text == Text::Escaped)))
        }
        Some(_) => Err(()),
    }
}

/// `expires_in` as a number, or as a string of digits alone.
fn expires_in(value: &[u8]) -> Result<Option<u64>, Error> {
    let seconds = match value.split_first() {
        None | Some((b'n', _)) => return Ok(None),
        Some((b'"', raw)) => {
            let text = JsonStr::raw(raw, true);
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Error::InvalidExpiresIn);
            }
            whole_seconds(text.bytes())
        }
        Some((b'-' | b'0'..=b'9', _)) => whole_seconds(value.iter().copied()),
        Some(_) => None,
    };
    seconds.map(Some).ok_or(Error::InvalidExpiresIn)
}

impl TokenAlphabet {
    /// Whether a token may be sent and so may be stored: never empty.
    pub(crate) fn has(self, token: JsonStr<'_>) -> bool {
        match (self, token.as_plain()) {
            (Self::Visible, Some(plain)) => !plain.is_empty() && all(plain, is_visible),
            (Self::B64Token, Some(mut plain)) => {
                while let [rest @ .., b'='] = plain {
                    plain = rest;
                }
                !plain.is_empty() && all(plain, is_b64token)
            }
            (Self::Visible, None) => token.bytes().all(is_visible),
            (Self::B64Token, None) => {
                let body = token.bytes().position(|byte| !is_b64token(byte)).unwrap_or(usize::MAX);
                body > 0 && token.bytes().skip(body).all(|byte| byte == b'=')
            }
        }
    }

    pub(crate) fn has_text(self, token: &str) -> bool {
        self.has(JsonStr::literal(token.as_bytes()))
    }
}

/// Without a branch for each byte, so that many are looked at together.
#[inline(always)]
fn all(bytes: &[u8], good: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(0, |bad, &byte| bad | u8::from(!good(byte))) == 0
}

const fn is_visible(byte: u8) -> bool {
    byte.wrapping_sub(0x21) < 0x5E
}

const fn is_b64token(byte: u8) -> bool {
    ((byte | 0x20).wrapping_sub(b'a') < 26)
        | (byte.wrapping_sub(b'-') < 13)
        | (byte == b'_')
        | (byte == b'~')
        | (byte == b'+')
}

/// Where a member stands, such as `data[0]`: names separated by `.`, places of arrays in brackets.
///
/// It follows the items of a reader down to the end of the path and out again.
struct Path<'p> {
    text: &'p [u8],
    /// Segments of the path.
    len: u32,
    /// Segments that are open: the depth of the innermost container on the path, less the top one.
    open: u32,
    /// The segment to look for in that container.
    segment: &'p [u8],
    /// Elements that were seen in that container.
    elements: u32,
    /// The named segments that were seen, a bit for each, in the containers that are open.
    seen: u32,
    /// A named segment was given twice in its object.
    twice: bool,
}

impl<'p> Path<'p> {
    fn new(text: &'p str) -> Self {
        let mut path =
            Self { text: text.as_bytes(), len: 0, open: 0, segment: &[], elements: 0, seen: 0, twice: false };
        if text.is_empty() {
            return path;
        }
        path.segments().for_each(|_| path.len = path.len.saturating_add(1));
        path.go(0, 0);
        path
    }

    const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Names, and places with their closing bracket.
    fn segments(&self) -> impl Iterator<Item = &'p [u8]> + use<'p> {
        self.text.split(|byte| matches!(byte, b'.' | b'[')).filter(|part| !part.is_empty())
    }

    fn go(&mut self, open: u32, elements: u32) {
        (self.open, self.elements) = (open, elements);
        self.segment = self.segments().nth(usize::try_from(open).unwrap_or(usize::MAX)).unwrap_or_default();
    }

    /// Whether the members of the object that the path leads to stand at this depth, now.
    fn holds(&self, depth: u32) -> bool {
        self.open == self.len && self.len.wrapping_add(1) == depth
    }

    /// Whether the path ends at this item.
    #[inline(always)]
    fn step(&mut self, item: &Item<&[u8]>) -> bool {
        let Some(parent) = item.depth.checked_sub(1) else { return false };
        if self.open > parent {
            // A container on the path was closed; there is no way back into it through its array.
            self.go(parent, u32::MAX);
        }
        if self.open < parent || parent == self.len || !self.hits(item) {
            return false;
        }
        if item.name.is_some() {
            let bit = 1_u32.checked_shl(parent).unwrap_or_default();
            self.twice |= self.seen & bit != 0;
            self.seen |= bit;
        }
        if matches!(item.kind, b'{' | b'[') {
            self.go(item.depth, 0);
            // What lies deeper is another object now.
            self.seen &= u32::MAX.checked_shr(u32::BITS.wrapping_sub(item.depth)).unwrap_or(u32::MAX);
        }
        item.depth == self.len
    }

    #[inline(always)]
    fn hits(&mut self, item: &Item<&[u8]>) -> bool {
        match (item.name, self.segment) {
            (Some(_), [.., b']']) => false,
            (Some(name), segment) => match item.name_text {
                Text::Plain => name.get(1..) == Some(segment),
                _ => {
                    JsonStr::raw(name.get(1..).unwrap_or_default(), true).bytes().eq(segment.iter().copied())
                }
            },
            (None, [digits @ .., b']']) => {
                let element = self.elements;
                self.elements = element.saturating_add(1);
                let number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
                number && whole_seconds(digits.iter().copied()) == Some(u64::from(element))
            }
            (None, _) => false,
        }
    }
}
