//! The request that obtains a token (RFC 6749 sections 2.3, 4 and 6).

use crate::ascii::{Class, split_class};
use crate::endpoint::authorization::{has_basic_id, write_basic};
use crate::endpoint::provider::{BodyFormat, ClientAuthentication, Grant, Provider, Subject, TokenAlphabet};
use crate::error::Error;
use crate::secret::wipe;
use crate::wire::url::Url;
use crate::wire::writer::Writer;

/// What a request presents. Handed to each request and never kept; what a grant does not need is ignored.
///
/// ```
/// use tokenward::Credentials;
///
/// let credentials = Credentials { client_id: "id", client_secret: "s&cret", ..Credentials::default() };
/// assert_eq!(format!("{credentials:?}"), "Credentials(..)");
/// ```
#[derive(Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// RFC 6749 section 2.2.
    pub client_id: &'a str,
    /// RFC 6749 section 2.3.1.
    pub client_secret: &'a str,
    /// RFC 6749 section 4.3.2.
    pub username: &'a str,
    /// RFC 6749 section 4.3.2.
    pub password: &'a str,
    /// The token that opens the token endpoint itself, where the provider authenticates so.
    pub bearer: &'a str,
}

impl core::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// A request to a token endpoint, before it is written. See [`TokenRequest::write`].
///
/// ```
/// use tokenward::{Credentials, Grant, Subject, TokenRequest, providers};
///
/// let provider = providers::opower("https://utility.example:443");
/// let credentials = Credentials { client_id: "id", client_secret: "secret", ..Credentials::default() };
/// let mut out = [0; 256];
/// let request = TokenRequest::new(&provider, Subject::Client, Grant::ClientCredentials, &credentials)
///     .write(&mut out)
///     .unwrap();
/// assert_eq!(request.url(), "https://utility.example:443/apis/authorization-v1/oauth2/token");
/// assert_eq!(request.authorization(), Some("Basic aWQ6c2VjcmV0"));
/// assert_eq!(request.body(), b"grant_type=client_credentials");
/// ```
#[derive(Clone, Copy)]
pub struct TokenRequest<'a> {
    provider: &'a Provider<'a>,
    subject: Subject<'a>,
    grant: Grant,
    credentials: &'a Credentials<'a>,
    refresh_token: &'a [u8],
    extra: &'a [(&'a str, &'a str)],
}

impl core::fmt::Debug for TokenRequest<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TokenRequest").field("grant", &self.grant).finish_non_exhaustive()
    }
}

impl<'a> TokenRequest<'a> {
    /// A request for `grant`.
    #[must_use]
    pub const fn new(
        provider: &'a Provider<'a>,
        subject: Subject<'a>,
        grant: Grant,
        credentials: &'a Credentials<'a>,
    ) -> Self {
        Self { provider, subject, grant, credentials, refresh_token: &[], extra: &[] }
    }

    /// The same with the refresh token to present: UTF-8, for [`Grant::RefreshToken`].
    #[must_use]
    pub const fn with_refresh_token(mut self, refresh_token: &'a [u8]) -> Self {
        self.refresh_token = refresh_token;
        self
    }

    /// The same with parameters of the provider's own (`audience`, `resource`); those with an empty value are
    /// left out. A site token has no parameters.
    #[must_use]
    pub const fn with_extra(mut self, extra: &'a [(&'a str, &'a str)]) -> Self {
        self.extra = extra;
        self
    }

    /// Writes the request into `out`: whole, or `out` holds nothing of it.
    ///
    /// # Errors
    /// - [`Error::WrongCredentials`]: one that the grant needs is empty, a raw Basic id holds `:` or a control
    ///   character, or the bearer cannot stand in a header.
    /// - [`Error::InvalidProvider`]: the URL wants a site and the subject is none, or the site is empty or a
    ///   dot segment.
    /// - [`Error::DuplicateParameter`]: an extra parameter has the name of another or of one of the grant's
    ///   own (RFC 6749 section 3.2).
    /// - [`Error::BufferTooSmall`]: with the size that it takes; `out` is wiped.
    /// - [`Error::BadUrl`], [`Error::OriginNotAllowed`]: the token endpoint is not an `https` URL (loopback
    ///   `http` where the provider allows it), or its path would change its host.
    ///
    /// # Security
    /// `out` holds secrets afterwards: [`crate::wipe`] it when the request is sent.
    pub fn write<'b>(&self, out: &'b mut [u8]) -> Result<Request<'b>, Error> {
        if !self.subject.fits(self.provider.base_url, self.provider.token_path) {
            return Err(Error::InvalidProvider);
        }
        self.check()?;
        self.check_extra()?;
        self.write_checked(out)
    }

    /// The same for a request whose subject fits, without parameters of the provider's own.
    pub(crate) fn write_own<'b>(&self, out: &'b mut [u8]) -> Result<Request<'b>, Error> {
        self.check()?;
        self.write_checked(out)
    }

    fn write_checked<'b>(&self, out: &'b mut [u8]) -> Result<Request<'b>, Error> {
        let mut out = Writer::new(out);
        self.write_url(&mut out);
        let url_end = out.written();
        self.write_authorization(&mut out);
        let authorization_end = out.written();
        self.write_body(&mut out);
        let out = out.finish()?;
        let allowed = match Url::parse(out.get(..url_end).unwrap_or_default()) {
            None => Err(Error::BadUrl),
            Some(url) if url.is_secure(self.provider.allow_loopback_http) => Ok(()),
            Some(_) => Err(Error::OriginNotAllowed),
        };
        if let Err(error) = allowed {
            wipe(out);
            return Err(error);
        }
        let (fields, body) = out.split_at_checked(authorization_end).unwrap_or_default();
        let (url, authorization) = fields.split_at_checked(url_end).unwrap_or_default();
        let content_type = match self.provider.body {
            _ if body.is_empty() => "",
            BodyFormat::Form => "application/x-www-form-urlencoded",
            BodyFormat::Json => "application/json",
        };
        Ok(Request { url, authorization, content_type, body })
    }

    fn check(&self) -> Result<(), Error> {
        let Provider { base_url, token_path, authentication, .. } = *self.provider;
        // Only a path may follow an authority.
        let has_more = |byte| matches!(byte, b'?' | b'#');
        match token_path.as_bytes() {
            [] => {}
            [b'/', ..] if !base_url.bytes().any(has_more) => {}
            _ => return Err(Error::BadUrl),
        }
        let Credentials { client_id, client_secret, username, password, bearer } = *self.credentials;
        let client = match authentication {
            ClientAuthentication::Basic(encoding) => {
                has_basic_id(client_id, encoding) && !client_secret.is_empty()
            }
            ClientAuthentication::Post => !client_id.is_empty() && !client_secret.is_empty(),
            ClientAuthentication::None => !client_id.is_empty(),
            ClientAuthentication::Bearer => TokenAlphabet::Visible.has_text(bearer),
        };
        let grant = match self.grant {
            Grant::ClientCredentials | Grant::SiteToken => true,
            Grant::Password => !username.is_empty() && !password.is_empty(),
            Grant::RefreshToken => !self.refresh_token.is_empty(),
        };
        if client && grant { Ok(()) } else { Err(Error::WrongCredentials) }
    }

    fn check_extra(&self) -> Result<(), Error> {
        for (n, (name, _)) in self.extra.iter().enumerate() {
            let earlier = self.extra.iter().take(n).any(|(other, _)| other == name);
            let own = [
                "grant_type",
                "username",
                "password",
                "refresh_token",
                "scope",
                "client_id",
                "client_secret",
            ];
            if earlier || own.contains(name) {
                return Err(Error::DuplicateParameter);
            }
        }
        Ok(())
    }

    fn write_url(&self, out: &mut Writer<'_>) {
        for part in [self.provider.trimmed_base_url(), self.provider.token_path.as_bytes()] {
            let mut rest = part;
            loop {
                let (plain, behind) = split_class(rest, Class::PATH);
                out.bytes(plain);
                rest = match behind.strip_prefix(b"{site}") {
                    Some(behind) => {
                        out.segment(self.subject.site().unwrap_or_default().as_bytes());
                        behind
                    }
                    None => {
                        let Some((other, behind)) = behind.split_first() else { break };
                        out.bytes(&[*other]);
                        behind
                    }
                };
            }
        }
    }

    fn write_authorization(&self, out: &mut Writer<'_>) {
        let Credentials { client_id, client_secret, bearer, .. } = *self.credentials;
        match self.provider.authentication {
            ClientAuthentication::Basic(encoding) => write_basic(out, client_id, client_secret, encoding),
            ClientAuthentication::Bearer => {
                out.bytes(b"Bearer ");
                out.bytes(bearer.as_bytes());
            }
            ClientAuthentication::Post | ClientAuthentication::None => {}
        }
    }

    fn write_body(&self, out: &mut Writer<'_>) {
        if self.grant == Grant::SiteToken {
            // Its URL says it all.
            return;
        }
        let Credentials { client_id, client_secret, username, password, .. } = *self.credentials;
        let mut body = Body { out, format: self.provider.body, empty: true };
        body.parameter("grant_type", self.grant.name().as_bytes());
        if self.grant == Grant::Password {
            body.parameter("username", username.as_bytes());
            body.parameter("password", password.as_bytes());
        }
        if self.grant == Grant::RefreshToken {
            body.parameter("refresh_token", self.refresh_token);
        } else {
            body.parameter("scope", self.provider.scope.as_bytes());
        }
        self.extra.iter().for_each(|(name, value)| body.parameter(name, value.as_bytes()));
        if let ClientAuthentication::Post | ClientAuthentication::None = self.provider.authentication {
            body.parameter("client_id", client_id.as_bytes());
        }
        if self.provider.authentication == ClientAuthentication::Post {
            body.parameter("client_secret", client_secret.as_bytes());
        }
        body.end();
    }
}

/// A request's parameters while they are written.
struct Body<'w, 'b> {
    out: &'w mut Writer<'b>,
    format: BodyFormat,
    empty: bool,
}

impl Body<'_, '_> {
    /// The next one; an empty one is left out.
    #[inline(never)]
    fn parameter(&mut self, name: &str, value: &[u8]) {
        if value.is_empty() {
            return;
        }
        let name = name.as_bytes();
        let first = core::mem::take(&mut self.empty);
        match self.format {
            BodyFormat::Form => form_parameter(self.out, first, name, value),
            BodyFormat::Json => json_parameter(self.out, first, name, value),
        }
    }

    fn end(self) {
        if self.format == BodyFormat::Json && !self.empty {
            self.out.bytes(b"}");
        }
    }
}

fn form_parameter(out: &mut Writer<'_>, first: bool, name: &[u8], value: &[u8]) {
    out.bytes(if first { b"" } else { b"&" });
    out.form(name);
    out.bytes(b"=");
    out.form(value);
}

fn json_parameter(out: &mut Writer<'_>, first: bool, name: &[u8], value: &[u8]) {
    out.bytes(if first { b"{\"" } else { b",\"" });
    out.json(name);
    out.bytes(b"\":\"");
    out.json(value);
    out.bytes(b"\"");
}

/// A request to send: it borrows the buffer that it was written to.
#[derive(Clone, Copy)]
pub struct Request<'b> {
    url: &'b [u8],
    authorization: &'b [u8],
    content_type: &'static str,
    body: &'b [u8],
}

impl<'b> Request<'b> {
    /// The method: always `POST`.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        "POST"
    }

    /// The URL of the token endpoint; never a secret in it.
    #[must_use]
    pub fn url(&self) -> &'b str {
        text(self.url)
    }

    /// The `Authorization` field, where the client authenticates by it.
    #[must_use]
    pub fn authorization(&self) -> Option<&'b str> {
        (!self.authorization.is_empty()).then(|| text(self.authorization))
    }

    /// The `Content-Type` field, where there is a body.
    #[must_use]
    pub fn content_type(&self) -> Option<&'static str> {
        (!self.content_type.is_empty()).then_some(self.content_type)
    }

    /// All header fields.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &'b str)> {
        let authorization = self.authorization().map(|value| ("Authorization", value));
        let content_type = self.content_type().map(|value| ("Content-Type", value));
        authorization.into_iter().chain(content_type).chain([("Accept", "application/json")])
    }

    /// URL, `Authorization` field and body as bytes; empty where there is none.
    #[must_use]
    pub const fn parts(&self) -> [&'b [u8]; 3] {
        [self.url, self.authorization, self.body]
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &'b [u8] {
        self.body
    }
}

#[cfg(feature = "heapless")]
impl Request<'_> {
    /// The same in memory of its own, for a caller that hands it to another task or keeps it for a second try.
    ///
    /// ```
    /// use tokenward::{Credentials, Environment, Grant, OwnedRequest, Subject, TokenRequest, providers};
    ///
    /// fn request() -> OwnedRequest<256> {
    ///     let provider = providers::flip_utility(Environment::Sandbox);
    ///     let credentials = Credentials { client_id: "id", client_secret: "secret", ..Credentials::default() };
    ///     let mut out = [0; 256];
    ///     TokenRequest::new(&provider, Subject::Client, Grant::ClientCredentials, &credentials)
    ///         .write(&mut out)
    ///         .and_then(|request| request.to_heapless())
    ///         .unwrap()
    /// }
    ///
    /// let request = request();
    /// assert_eq!(request.as_request().url(), "https://oauth.flip.energy/token");
    /// ```
    ///
    /// # Errors
    /// - [`Error::BufferTooSmall`]: `N` is too small.
    pub fn to_heapless<const N: usize>(&self) -> Result<OwnedRequest<N>, Error> {
        let parts = self.parts();
        let needed = parts.iter().fold(0_usize, |len, part| len.saturating_add(part.len()));
        let mut owned = OwnedRequest {
            bytes: heapless::Vec::new(),
            url_len: self.url.len(),
            authorization_len: self.authorization.len(),
            content_type: self.content_type,
        };
        for part in parts {
            owned.bytes.extend_from_slice(part).map_err(|_| Error::BufferTooSmall { needed })?;
        }
        Ok(owned)
    }
}

/// A [`Request`] in memory of its own, wiped when it is dropped.
#[cfg(feature = "heapless")]
pub struct OwnedRequest<const N: usize> {
    bytes: heapless::Vec<u8, N>,
    url_len: usize,
    authorization_len: usize,
    content_type: &'static str,
}

#[cfg(feature = "heapless")]
impl<const N: usize> OwnedRequest<N> {
    /// The request, borrowed.
    #[must_use]
    pub fn as_request(&self) -> Request<'_> {
        let (url, rest) = self.bytes.split_at_checked(self.url_len).unwrap_or_default();
        let (authorization, body) = rest.split_at_checked(self.authorization_len).unwrap_or_default();
        Request { url, authorization, content_type: self.content_type, body }
    }
}

#[cfg(feature = "heapless")]
impl<const N: usize> Drop for OwnedRequest<N> {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

#[cfg(feature = "heapless")]
impl<const N: usize> core::fmt::Debug for OwnedRequest<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OwnedRequest(..)")
    }
}

impl core::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Request(..)")
    }
}

/// Bytes that were written from `&str`s.
fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}
