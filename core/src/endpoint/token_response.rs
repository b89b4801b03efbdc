//! What a token endpoint answered (RFC 6749 sections 5.1 and 5.2).

use crate::endpoint::error_response::{ErrorCode, ErrorResponse};
use crate::endpoint::member_path::MemberPath;
use crate::endpoint::nested::NestedReader;
use crate::endpoint::provider::Provider;
use crate::endpoint::token_alphabet::TokenAlphabet;
use crate::error::Error;
use crate::machine::WIDE;
use crate::wire::json::{Item, Reader, Slice, Text};
use crate::wire::json_str::JsonStr;
use crate::wire::seconds::whole_seconds;

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
    members: Members<'a>,
    expires_in: Option<u64>,
    max_lifetime_s: u64,
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
        let members = Members::NONE.with(ACCESS_TOKEN, access_token);
        Self { members, expires_in: None, max_lifetime_s: u64::MAX }
    }

    /// The same with a token type; empty is none.
    #[must_use]
    pub const fn with_token_type(mut self, token_type: &'a str) -> Self {
        if !token_type.is_empty() {
            self.members = self.members.with(TOKEN_TYPE, token_type);
        }
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
        if !refresh_token.is_empty() {
            self.members = self.members.with(REFRESH_TOKEN, refresh_token);
        }
        self
    }

    /// The access token.
    #[must_use]
    pub fn access_token(&self) -> JsonStr<'a> {
        self.members.text(ACCESS_TOKEN).unwrap_or(JsonStr::literal(b""))
    }

    /// The token type as the server spelled it.
    #[must_use]
    pub fn token_type(&self) -> Option<JsonStr<'a>> {
        self.members.text(TOKEN_TYPE)
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
    pub fn refresh_token(&self) -> Option<JsonStr<'a>> {
        self.members.text(REFRESH_TOKEN)
    }

    /// The granted scope.
    #[must_use]
    pub fn scope(&self) -> Option<Scope<'a>> {
        let value = self.members.value(SCOPE);
        let text = self.members.text(SCOPE);
        (text.is_some() || !value.is_empty()).then_some(Scope { value, text })
    }

    /// The OpenID Connect ID token, not verified.
    #[must_use]
    pub fn id_token(&self) -> Option<JsonStr<'a>> {
        self.members.text(ID_TOKEN)
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
        serde_json_core::from_slice(crate::wire::json::container(self.members.object)).map(|(extra, _)| extra)
    }

    /// Whether a `Bearer` field may carry it (RFC 6749 section 7.1).
    pub(crate) fn is_bearer(&self, provider: &Provider<'_>) -> bool {
        self.token_type().is_none_or(|given| {
            given.is_in_any_case("bearer")
                || provider
                    .token_type_aliases
                    .unwrap_or_default()
                    .iter()
                    .any(|alias| given.is_in_any_case(alias))
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
    /// The array, where it is one.
    value: &'a [u8],
    text: Option<JsonStr<'a>>,
}

impl<'a> Scope<'a> {
    /// The strings that the server gave: one, or the elements of its array.
    pub fn parts(&self) -> impl Iterator<Item = JsonStr<'a>> + use<'a> {
        let single = self.text;
        let mut reader = Reader::new(Slice::new(self.value));
        let items = core::iter::from_fn(move || if single.is_none() { reader.next() } else { None });
        let strings = items.filter(|item| item.depth == 1).map(|item| item.json_str());
        single.into_iter().chain(strings)
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
    let mut token = TokenResponse::UNREAD;
    Ok(match token.read(status, body, provider)? {
        Some(code) => TokenAnswer::Error(token.error_response(code)),
        None => TokenAnswer::Token(token),
    })
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

/// The names of the members, each at its place.
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

const fn bit(place: usize) -> u16 {
    1 << place
}

/// What is refused where it stands twice: in a 2xx answer, but for the refresh token, and in any other.
const OF_TOKEN: u16 = bit(ACCESS_TOKEN)
    | bit(TOKEN_TYPE)
    | bit(EXPIRES_IN)
    | bit(SCOPE)
    | bit(ID_TOKEN)
    | bit(ERROR)
    | bit(NESTED_ERROR)
    | bit(MEMBER_PATH)
    | bit(ERROR_PATH);
const OF_ERROR: u16 =
    bit(ERROR) | bit(ERROR_DESCRIPTION) | bit(ERROR_URI) | bit(NESTED_ERROR) | bit(ERROR_PATH);

/// The values of the members that are read.
#[derive(Clone, Copy)]
struct Members<'a> {
    /// Strings without their quotes, other values raw; none for `null`.
    values: [Option<&'a [u8]>; PLACES],
    /// Which of them are strings of Unicode text.
    texts: u16,
    escaped: u16,
    /// Which are neither that nor `null`, nor an array of the scope.
    wrong: u16,
    seen: u16,
    twice: u16,
    #[cfg(feature = "serde")]
    object: &'a [u8],
}

impl<'a> TokenResponse<'a> {
    /// What [`TokenResponse::read`] starts from.
    pub(crate) const UNREAD: Self = Self { members: Members::NONE, expires_in: None, max_lifetime_s: 0 };

    /// Reads an answer: a token, or the error response whose code it gives back.
    ///
    /// A valid refresh token is there also where the answer is refused for another member.
    pub(crate) fn read(
        &mut self,
        status: u16,
        body: &'a [u8],
        provider: &Provider<'_>,
    ) -> Result<Option<ErrorCode>, Error> {
        let members = &mut self.members;
        members.read(body, provider)?;
        // The refresh token is read only where the provider lists its grant; empty is none.
        let refreshes = provider.refresh_grant;
        if !refreshes || members.value(REFRESH_TOKEN).is_empty() {
            members.texts &= !bit(REFRESH_TOKEN);
        }
        self.max_lifetime_s = provider.policy().max_lifetime_s;
        self.judge((200..300).contains(&status), refreshes, provider)
    }

    /// The first fault in the order of the table; where there is none, what it is.
    fn judge(
        &mut self,
        is_token: bool,
        refreshes: bool,
        provider: &Provider<'_>,
    ) -> Result<Option<ErrorCode>, Error> {
        let members = &self.members;
        let wrong = |place| members.wrong & bit(place) != 0;
        let read = match (is_token, refreshes) {
            (true, true) => OF_TOKEN | bit(REFRESH_TOKEN),
            (true, false) => OF_TOKEN,
            (false, _) => OF_ERROR,
        };
        if members.twice & read != 0 {
            return Err(Error::DuplicateMember);
        }
        let code = members.error_code();
        let code_is_wrong = wrong(ERROR) || (members.filled(ERROR).is_none() && wrong(NESTED_ERROR));
        if is_token {
            let access_token = members.text(ACCESS_TOKEN);
            let is_refused = match access_token {
                Some(token) => !provider.token_alphabet.has(token),
                None => wrong(ACCESS_TOKEN) || code_is_wrong || code.is_none(),
            };
            if is_refused {
                return Err(Error::InvalidAccessToken);
            }
            if refreshes && wrong(REFRESH_TOKEN) {
                return Err(Error::InvalidRefreshToken);
            }
            if wrong(TOKEN_TYPE) {
                return Err(Error::InvalidTokenType);
            }
            if wrong(SCOPE) {
                return Err(Error::InvalidScopeMember);
            }
            if code_is_wrong {
                return Err(Error::InvalidError);
            }
            self.expires_in = members.seconds()?;
            if access_token.is_some() {
                return if code.is_some() { Err(Error::ErrorBesideToken) } else { Ok(None) };
            }
        } else if code_is_wrong || wrong(ERROR_DESCRIPTION) || wrong(ERROR_URI) {
            return Err(Error::InvalidError);
        }
        let code = code.ok_or(Error::NoErrorCode)?;
        Ok(Some(ErrorCode::meant(code, provider)))
    }

    /// The error response that was read. Inlined, for callers who ask for its code alone.
    #[inline(always)]
    pub(crate) fn error_response(&self, code: ErrorCode) -> ErrorResponse<'a> {
        let members = &self.members;
        let error = members.error_code().unwrap_or(JsonStr::literal(b""));
        ErrorResponse::new(error, members.text(ERROR_DESCRIPTION), members.text(ERROR_URI), code)
    }
}

impl<'a> Members<'a> {
    const NONE: Self = Self {
        values: [None; PLACES],
        texts: 0,
        escaped: 0,
        wrong: 0,
        seen: 0,
        twice: 0,
        #[cfg(feature = "serde")]
        object: b"{}",
    };

    const fn with(mut self, place: usize, text: &'a str) -> Self {
        if let Some((_, [value, ..])) = self.values.split_at_mut_checked(place) {
            *value = Some(text.as_bytes());
        }
        self.texts |= bit(place);
        self
    }

    /// One pass over the whole body.
    fn read<'p>(&mut self, body: &'a [u8], provider: &Provider<'p>) -> Result<(), Error> {
        let mut input = Slice::new(body);
        if body.starts_with(b"\xEF\xBB\xBF") {
            input.advance(3);
        }
        let mut reader = Reader::new(input);
        if reader.token() != b'{' && !reader.is_at_end() {
            return Err(Error::NotJson);
        }
        let nested = provider.nested;
        let open = |path: Option<&'p str>| match (nested.reader, path) {
            (Some(reader), Some(path)) => (reader.open)(path),
            _ => MemberPath::TOP,
        };
        let (mut member_path, mut error_path) = (open(nested.member_path), open(nested.error_path));
        // The depth of the scope's elements while they are read; 0 elsewhere.
        let mut scope_depth = 0;
        while let Some(item) = reader.next_inlined() {
            self.keep(&item, nested.reader, &mut member_path, &mut error_path, &mut scope_depth);
        }
        reader.finish()?;
        let twice = |path: &MemberPath<'_>, place| if path.twice { bit(place) } else { 0 };
        self.twice |= twice(&member_path, MEMBER_PATH) | twice(&error_path, ERROR_PATH);
        Ok(())
    }

    #[inline(always)]
    fn keep(
        &mut self,
        item: &Item<&'a [u8]>,
        nested: Option<&NestedReader>,
        member_path: &mut MemberPath<'_>,
        error_path: &mut MemberPath<'_>,
        scope_depth: &mut u32,
    ) {
        #[cfg_attr(
            not(feature = "serde"),
            expect(unused_variables, reason = "only `extra` reads the object")
        )]
        let at_object = nested.is_some_and(|nested| (nested.step)(member_path, item));
        #[cfg(feature = "serde")]
        if (at_object || (member_path.is_empty() && item.depth == 0)) && item.kind == b'{' {
            self.object = item.value;
        }
        if nested.is_some_and(|nested| (nested.step)(error_path, item)) {
            self.put(NESTED_ERROR, item);
        }
        if *scope_depth != 0 {
            if item.depth < *scope_depth {
                *scope_depth = 0;
            } else if item.depth == *scope_depth && !item.is_text() {
                self.wrong |= bit(SCOPE);
            }
        }
        let Some(name) = item.name else { return };
        let at_top = item.depth == 1;
        let in_token = member_path.holds(item.depth);
        if !at_top && !in_token {
            return;
        }
        if let Some(place) = place_of(JsonStr::raw(name, item.name_text != Text::Plain))
            && (if place < ERROR { in_token } else { at_top })
        {
            self.put(place, item);
            if place == SCOPE && item.kind == b'[' {
                self.wrong &= !bit(SCOPE);
                *scope_depth = item.depth.saturating_add(1);
            }
        }
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn put(&mut self, place: usize, item: &Item<&'a [u8]>) {
        let bit = bit(place);
        self.twice |= self.seen & bit;
        self.seen |= bit;
        let set = |mask: &mut u16, on: bool| *mask = (*mask & !bit) | if on { bit } else { 0 };
        let null = item.kind == b'n';
        set(&mut self.texts, item.is_text());
        set(&mut self.wrong, !item.is_text() && !null);
        set(&mut self.escaped, item.text == Text::Escaped);
        if let Some(value) = self.values.get_mut(place) {
            *value = if null { None } else { Some(item.value) };
        }
    }

    fn value(&self, place: usize) -> &'a [u8] {
        self.values.get(place).copied().flatten().unwrap_or_default()
    }

    /// The text at `place`, where there is one.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn text(&self, place: usize) -> Option<JsonStr<'a>> {
        let escaped = self.escaped & bit(place) != 0;
        (self.texts & bit(place) != 0).then(|| JsonStr::raw(self.value(place), escaped))
    }

    fn filled(&self, place: usize) -> Option<JsonStr<'a>> {
        self.text(place).filter(|text| !text.is_empty())
    }

    /// The error code: the flat member, else what stands at the provider's path; empty is none.
    fn error_code(&self) -> Option<JsonStr<'a>> {
        self.filled(ERROR).or_else(|| self.filled(NESTED_ERROR))
    }

    /// `expires_in`: a number, or a string of digits alone.
    fn seconds(&self) -> Result<Option<u64>, Error> {
        let value = self.value(EXPIRES_IN);
        let is_text = self.texts & bit(EXPIRES_IN) != 0;
        let number = JsonStr::raw(value, is_text);
        let is_number = match value {
            [] if !is_text => return Ok(None),
            _ if is_text => !value.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()),
            [first, ..] => matches!(first, b'-' | b'0'..=b'9'),
            [] => false,
        };
        let seconds = if is_number { whole_seconds(number.bytes()) } else { None };
        seconds.map(Some).ok_or(Error::InvalidExpiresIn)
    }
}

/// The place of the member `name`. A `match` is fast and long, the table short.
#[inline(always)]
fn place_of(name: JsonStr<'_>) -> Option<usize> {
    match name.as_plain() {
        Some(plain) if WIDE => Some(match plain {
            b"access_token" => ACCESS_TOKEN,
            b"token_type" => TOKEN_TYPE,
            b"expires_in" => EXPIRES_IN,
            b"refresh_token" => REFRESH_TOKEN,
            b"scope" => SCOPE,
            b"id_token" => ID_TOKEN,
            b"error" => ERROR,
            b"error_description" => ERROR_DESCRIPTION,
            b"error_uri" => ERROR_URI,
            _ => return None,
        }),
        _ => place_in_table(name),
    }
}

#[cfg_attr(target_pointer_width = "64", cold, inline(never))]
fn place_in_table(name: JsonStr<'_>) -> Option<usize> {
    NAMES.iter().position(|known| name.is(known.as_bytes()))
}

impl TokenAlphabet {
    /// Whether a token may be sent and so may be stored: never empty.
    pub(crate) fn has(self, token: JsonStr<'_>) -> bool {
        if WIDE && let Some(mut plain) = token.as_plain() {
            return match self {
                Self::Visible => !plain.is_empty() && all(plain, is_visible),
                Self::B64Token => {
                    while let [rest @ .., b'='] = plain {
                        plain = rest;
                    }
                    !plain.is_empty() && all(plain, is_b64token)
                }
            };
        }
        let (mut body, mut padding) = (false, false);
        for byte in token.bytes() {
            let good = match self {
                Self::Visible => is_visible(byte),
                Self::B64Token => is_b64token(byte) && !padding,
            };
            let pads = body && byte == b'=';
            if !good && !pads {
                return false;
            }
            padding |= pads;
            body |= good;
        }
        body
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
