//! Token revocation (RFC 7009): signing out so that the service hears of it, too.

use crate::endpoint::credentials::{Additions, Credentials};
use crate::endpoint::error_response::{ErrorCode, ErrorResponse};
use crate::endpoint::members::Members;
use crate::endpoint::parameter::Target;
use crate::endpoint::provider::TokenRequest;
use crate::endpoint::request::Request;
use crate::endpoint::token_response::Said;
use crate::error::Error;
use crate::manager::{ParsedAnswer, TokenManager, is_trouble};

/// What the service said to a revocation.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub enum Revocation<'a> {
    /// The token is of no use any more, or never was (RFC 7009 section 2.2).
    Done,
    /// The service could not: the token lives on, and the same request may be sent again, after what `Retry-After` says
    /// (RFC 7009 section 2.2.1).
    Later,
    /// The service would not, `unsupported_token_type` say: none where the answer has no error code.
    Refused(Option<ErrorResponse<'a>>),
}

impl<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized> TokenManager<'_, S> {
    /// Signs out as [`TokenManager::clear`] does, and writes the request that ends the token at the service: the refresh
    /// token that is held, else the access token, be it usable or not; none if neither is held. Store first that nobody is
    /// signed in, then send it: it may fail without undoing anything. `values` stand for `{name}` in the provider's
    /// parameters and header fields.
    ///
    /// ```
    /// use tokenward::grants::Revocation;
    /// use tokenward::{
    ///     Credentials, Identity, Instant, ParsedAnswer, Provider, Slots, TokenManager, TokenResponse,
    /// };
    ///
    /// const ACME: Provider<'static> = Provider {
    ///     name: "acme",
    ///     base_url: Some("https://login.acme.example"),
    ///     token_path: Some("/token"),
    ///     revocation_path: Some("/revoke"),
    ///     refresh_grant: true,
    ///     ..Provider::custom()
    /// };
    /// let now = Instant::from_millis(0);
    /// let slots = Slots::new([0; 512], 256);
    /// let mut manager = TokenManager::new(now, &ACME, Identity::CLIENT, slots, 42).unwrap();
    /// let token = TokenResponse::new("2YotnFZFEjr1").with_expires_in(3600).with_refresh_token("tGzv3JOkF0XG5");
    /// manager.install(now, None, &token).unwrap();
    ///
    /// let client = Credentials { client_id: "id", client_secret: "secret", ..Credentials::default() };
    /// let mut out = [0; 512];
    /// let request = manager.revoke(&client, &[], &mut out).unwrap().unwrap();
    /// assert_eq!(request.url(), "https://login.acme.example/revoke");
    /// assert_eq!(request.body(), b"token=tGzv3JOkF0XG5&token_type_hint=refresh_token");
    /// assert!(manager.authorize(now, "GET", "https://login.acme.example/").is_err());
    /// let answer = ParsedAnswer { status: 200, retry_after: None, body: b"", wall: None };
    /// assert!(matches!(manager.revoked(&answer), Revocation::Done));
    /// ```
    ///
    /// # Errors
    /// But for the first, it is signed out all the same.
    /// - [`Error::BufferTooSmall`]: with the size that it takes; nothing has changed, and `out` is wiped.
    /// - [`Error::InvalidProvider`]: it has no revocation path.
    /// - [`Error::WrongCredentials`], [`Error::BadUrl`], [`Error::OriginNotAllowed`]: as [`TokenRequest::write`].
    ///
    /// # Security
    /// `out` holds the token and the client's secret afterwards: [`crate::wipe`] it when the request is sent.
    pub fn revoke<'b>(
        &mut self,
        credentials: &Credentials<'_>,
        values: &[(&str, &str)],
        out: &'b mut [u8],
    ) -> Result<Option<Request<'b>>, Error> {
        let written = self.write_revocation(credentials, values, out);
        if !matches!(written, Err(Error::BufferTooSmall { .. })) {
            self.clear();
        }
        written
    }

    fn write_revocation<'b>(
        &self,
        credentials: &Credentials<'_>,
        values: &[(&str, &str)],
        out: &'b mut [u8],
    ) -> Result<Option<Request<'b>>, Error> {
        let (access_token, refresh_token) = self.held();
        let (token, hint) = match (access_token, refresh_token) {
            ([], []) => return Ok(None),
            (token, []) => (token, "access_token"),
            (_, token) => (token, "refresh_token"),
        };
        let (provider, identity) = self.service();
        let path = provider.revocation_path.ok_or(Error::InvalidProvider)?;
        let additions = Additions { values, parameters: &[] };
        let request = TokenRequest::beside(provider, *identity, Target::Revocation, credentials)
            .with_stored(access_token, refresh_token)
            .with_additions(&additions);
        let written = request.write_beside(path, out, |body| {
            body.parameter("token", token);
            body.parameter("token_type_hint", hint.as_bytes());
        });
        written.map(Some)
    }

    /// Reads the answer to that request. Of a 2xx the body says nothing.
    pub fn revoked<'b>(&self, answer: &ParsedAnswer<'b>) -> Revocation<'b> {
        if (200..300).contains(&answer.status) {
            return Revocation::Done;
        }
        if is_trouble(answer.status) {
            return Revocation::Later;
        }
        let (provider, _) = self.service();
        let mut members = Members::NONE;
        Revocation::Refused(match members.read_answer(answer.status, answer.body, provider) {
            Ok(Said::Error(code)) => Some(members.error(code, ErrorCode::meant(code, provider))),
            _ => None,
        })
    }
}
