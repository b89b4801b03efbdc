//! What a token endpoint answered (RFC 6749 sections 5.1 and 5.2).

use crate::endpoint::error_response::{ErrorCode, ErrorResponse};
use crate::endpoint::members::{Member, MemberSet, Members};
use crate::endpoint::provider::Provider;
use crate::error::Error;
use crate::wire::input::Slice;
use crate::wire::json::{Strings, object, walk};
use crate::wire::json_str::JsonStr;
use crate::wire::seconds::{few_digits, told_seconds};

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
    refresh_token: Option<JsonStr<'a>>,
    scope: Option<Scope<'a>>,
    id_token: Option<JsonStr<'a>>,
    /// 0: it is not told.
    refresh_life_s: u32,
    max_lifetime_s: u64,
    /// What the members stand in, up to the end of the body.
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
            refresh_token: None,
            scope: None,
            id_token: None,
            refresh_life_s: 0,
            max_lifetime_s: u64::MAX,
            #[cfg(feature = "serde")]
            object: b"{}",
        }
    }

    /// A refresh token that came without an access token: a device that is provisioned by an app.
    /// Only [`crate::TokenManager::install`] takes it.
    ///
    /// ```
    /// use tokenward::TokenResponse;
    ///
    /// assert!(TokenResponse::refresh_token_alone("tGzv3JOkF0XG5Qx2TlKWIA").access_token().is_empty());
    /// ```
    #[must_use]
    pub const fn refresh_token_alone(refresh_token: &'a str) -> Self {
        Self::new("").with_refresh_token(refresh_token)
    }

    /// The same with a token type; empty is none.
    #[must_use]
    pub const fn with_token_type(mut self, token_type: &'a str) -> Self {
        if !token_type.is_empty() {
            self.token_type = Some(JsonStr::literal(token_type.as_bytes()));
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
            self.refresh_token = Some(JsonStr::literal(refresh_token.as_bytes()));
        }
        self
    }

    /// The same with the seconds that the refresh token lives; 0: that is not known. They count where the provider has
    /// [`crate::RefreshLife::KNOWN`].
    #[must_use]
    pub fn with_refresh_expires_in(mut self, seconds: u64) -> Self {
        self.refresh_life_s = u32::try_from(seconds).unwrap_or(u32::MAX);
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

    /// The same, but 0 only where the server itself said so, whatever the cap is.
    pub(crate) fn says_expires_in(&self) -> Option<u64> {
        self.expires_in.map(|seconds| seconds.min(self.max_lifetime_s.max(1)))
    }

    /// The refresh token, never empty.
    #[must_use]
    pub const fn refresh_token(&self) -> Option<JsonStr<'a>> {
        self.refresh_token
    }

    /// The seconds that the refresh token lives, as the provider's own member says.
    #[must_use]
    pub fn refresh_expires_in(&self) -> Option<u64> {
        (self.refresh_life_s != 0).then_some(u64::from(self.refresh_life_s))
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
    /// Those of `serde-json-core` if the struct does not fit.
    #[cfg(feature = "serde")]
    pub fn extra<T: serde::Deserialize<'a>>(&self) -> Result<T, serde_json_core::de::Error> {
        serde_json_core::from_slice(crate::wire::json::container(self.object)).map(|(extra, _)| extra)
    }
}

impl core::fmt::Debug for TokenResponse<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TokenResponse").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// A scope: one string, or an array of strings that counts as joined by spaces (RFC 6749 section 3.3).
#[derive(Clone, Copy)]
pub struct Scope<'a>(ScopeForm<'a>);

#[derive(Clone, Copy)]
enum ScopeForm<'a> {
    One(JsonStr<'a>),
    Array(&'a [u8]),
}

impl<'a> Scope<'a> {
    /// The strings that the server gave: one, or the elements of its array.
    pub fn parts(&self) -> impl Iterator<Item = JsonStr<'a>> + use<'a> {
        let (one, array) = match self.0 {
            ScopeForm::One(text) => (Some(text), None),
            ScopeForm::Array(array) => (None, Some(Strings::new(array))),
        };
        one.into_iter().chain(array.into_iter().flatten())
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
/// - [`Error::EncodedBody`], [`Error::NotJson`], [`Error::Truncated`], [`Error::Malformed`], [`Error::TooDeep`]: no whole
///   JSON object. Under a status other than 2xx all of these are [`Error::HttpStatus`].
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
    let mut members = Members::NONE;
    Ok(match members.read_answer(status, body, provider)? {
        Said::Token(expires_in) => TokenAnswer::Token(members.token(expires_in, provider)?),
        Said::Error(code) => TokenAnswer::Error(members.error(code, ErrorCode::meant(code, provider))),
    })
}

/// What an answer says, before all of it is put together.
pub(crate) enum Said<'a> {
    /// A token that lives so many seconds.
    Token(Option<u64>),
    /// An error with this code.
    Error(JsonStr<'a>),
}

impl<'a> Members<'a> {
    /// Those of a token that did not come in an answer.
    pub(crate) fn of(token: &TokenResponse<'a>, provider: &Provider<'_>) -> Self {
        let mut members = Self::NONE;
        members.set(Member::AccessToken, Some(token.access_token));
        members.set(Member::TokenType, token.token_type);
        members.set(Member::RefreshToken, token.refresh_token);
        members.refresh_life_s = token.refresh_life_s;
        members.forget_ungranted(provider);
        members
    }

    /// The refresh token is read only where the provider has its grant.
    fn forget_ungranted(&mut self, provider: &Provider<'_>) {
        if !provider.refresh_grant {
            self.forget(Member::RefreshToken);
        }
    }

    /// Whether a `Bearer` field may carry the token (RFC 6749 section 7.1).
    pub(crate) fn is_bearer(&self, provider: &Provider<'_>) -> bool {
        self.value(Member::TokenType).is_none_or(|given| {
            let aliases = provider.token_type_aliases.unwrap_or_default();
            given.is_in_any_case("bearer") || aliases.iter().any(|alias| given.is_in_any_case(alias))
        })
    }

    /// Reads an answer. What is no JSON object says nothing but its status, if that is not 2xx.
    pub(crate) fn read_answer(
        &mut self,
        status: u16,
        body: &'a [u8],
        provider: &Provider<'_>,
    ) -> Result<Said<'a>, Error> {
        let is_token = (200..300).contains(&status);
        match self.read(body, provider) {
            Ok(()) => self.said(is_token, provider),
            Err(fault) if is_token => Err(fault),
            Err(_) => Err(Error::HttpStatus { status: usize::from(status) }),
        }
    }

    /// Reads the whole body in one pass.
    fn read(&mut self, body: &'a [u8], provider: &Provider<'_>) -> Result<(), Error> {
        let (nested, own) = (&provider.nested, &provider.members);
        let (start, at) = match object(body) {
            Ok(object) => object,
            Err(fault) => {
                let format = provider.answer.ok_or(fault)?;
                (format.read)(self, body, fault, own)?;
                self.forget_ungranted(provider);
                return Ok(());
            }
        };
        match (nested.reader, own.reader) {
            (None, None) => self.read_flat(&start, at)?,
            (None, Some(reader)) => (reader.read)(self, &start, at, own)?,
            (Some(reader), _) => {
                let path = Option::unwrap_or_default;
                let paths = (path(nested.member_path), path(nested.error_path));
                (reader.read)(self, &start, at, paths, own)?;
            }
        }
        self.forget_ungranted(provider);
        Ok(())
    }

    #[inline(always)]
    fn read_flat(&mut self, start: &Slice<'a>, at: Slice<'a>) -> Result<(), Error> {
        #[cfg(feature = "serde")]
        {
            self.object = at.rest();
        }
        walk(start, at, 1, &Member::LIKELY, &mut |item| {
            if let Some(member) = item.name().and_then(Member::named) {
                self.put(member, item);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// What the members say: the first fault in the order of [`token_answer`]'s table, or where there is none an answer.
    fn said(&self, is_token: bool, provider: &Provider<'_>) -> Result<Said<'a>, Error> {
        let wrong = |member| self.wrong.has(member);
        if self.twice.meets(if is_token { MemberSet::OF_TOKEN } else { MemberSet::OF_ERROR }) {
            return Err(Error::DuplicateMember);
        }
        // The flat member, else what stands at the provider's path; empty is none.
        let flat = self.filled(Member::Error);
        let code_is_wrong = wrong(Member::Error) || (flat.is_none() && wrong(Member::NestedError));
        let code = flat.or_else(|| self.filled(Member::NestedError));
        if is_token {
            let access_token = self.text(Member::AccessToken);
            let is_refused = match access_token {
                Some(token) => !provider.token_alphabet.has(token),
                None => wrong(Member::AccessToken) || code_is_wrong || code.is_none(),
            };
            if is_refused {
                return Err(Error::InvalidAccessToken);
            }
            if wrong(Member::RefreshToken) {
                return Err(Error::InvalidRefreshToken);
            }
            if wrong(Member::TokenType) {
                return Err(Error::InvalidTokenType);
            }
            if !self.has_scope() {
                return Err(Error::InvalidScopeMember);
            }
            if code_is_wrong {
                return Err(Error::InvalidError);
            }
            let expires_in = self.seconds()?;
            if access_token.is_some() {
                return if code.is_some() {
                    Err(Error::ErrorBesideToken)
                } else {
                    Ok(Said::Token(expires_in))
                };
            }
        } else if code_is_wrong || wrong(Member::ErrorDescription) || wrong(Member::ErrorUri) {
            return Err(Error::InvalidError);
        }
        code.map(Said::Error).ok_or(Error::NoErrorCode)
    }

    /// The token of members that say one.
    #[inline(always)]
    fn token(&self, expires_in: Option<u64>, provider: &Provider<'_>) -> Result<TokenResponse<'a>, Error> {
        Ok(TokenResponse {
            access_token: self.value(Member::AccessToken).ok_or(Error::InvalidAccessToken)?,
            token_type: self.value(Member::TokenType),
            expires_in: expires_in.filter(|_| !self.tells_end()),
            refresh_token: self.refresh_token(),
            scope: self.value(Member::Scope).map(|value| {
                Scope(match value.as_plain() {
                    Some(array) if self.wrong.has(Member::Scope) => ScopeForm::Array(array),
                    _ => ScopeForm::One(value),
                })
            }),
            id_token: self.text(Member::IdToken),
            refresh_life_s: self.refresh_life_s,
            max_lifetime_s: provider.policy().max_lifetime_s,
            #[cfg(feature = "serde")]
            object: self.object,
        })
    }

    /// The error of members that say one, with its code and what that means.
    pub(crate) fn error(&self, code: JsonStr<'a>, meant: ErrorCode) -> ErrorResponse<'a> {
        ErrorResponse::new(code, self.text(Member::ErrorDescription), self.text(Member::ErrorUri), meant)
    }

    /// `scope`: a string, or an array of them, or none.
    fn has_scope(&self) -> bool {
        if !self.wrong.has(Member::Scope) {
            return true;
        }
        let array = self.value(Member::Scope).and_then(|value| value.as_plain());
        let Some(array @ [b'[', ..]) = array else { return false };
        let mut strings = Strings::new(array);
        strings.by_ref().for_each(drop);
        strings.is_at_end()
    }

    /// `expires_in`: a number, or a string of digits alone.
    fn seconds(&self) -> Result<Option<u64>, Error> {
        let Some(number) = self.value(Member::ExpiresIn) else { return Ok(None) };
        if let Some(seconds) = number.as_plain().and_then(few_digits) {
            return Ok(Some(seconds));
        }
        let seconds = told_seconds(number, !self.wrong.has(Member::ExpiresIn));
        seconds.map(Some).ok_or(Error::InvalidExpiresIn)
    }
}
