//! The request that obtains a token (RFC 6749 sections 2.3, 4 and 6).

use crate::endpoint::body_format::BodyFormat;
use crate::endpoint::credentials::Credentials;
use crate::endpoint::destination::is_secure;
use crate::endpoint::provider::{Grant, Identity, Provider};
use crate::error::Error;
use crate::secret::wipe;
use crate::wire::url::Url;
use crate::wire::writer::Writer;

/// A request to a token endpoint, before it is written. See [`TokenRequest::write`].
///
/// ```
/// use tokenward::{Credentials, Grant, Identity, TokenRequest, providers};
///
/// let utility = Identity { base_url: Some("https://utility.example:443"), ..Identity::CLIENT };
/// let credentials = Credentials { client_id: "id", client_secret: "secret", ..Credentials::default() };
/// let mut out = [0; 256];
/// let request = TokenRequest::new(&providers::OPOWER, utility, Grant::ClientCredentials, &credentials)
///     .write(&mut out)
///     .unwrap();
/// assert_eq!(request.url(), "https://utility.example:443/apis/authorization-v1/oauth2/token");
/// assert_eq!(request.authorization(), Some("Basic aWQ6c2VjcmV0"));
/// assert_eq!(request.body(), b"grant_type=client_credentials");
/// ```
#[derive(Clone, Copy)]
pub struct TokenRequest<'a> {
    provider: &'a Provider<'a>,
    base_url: &'a str,
    site: Option<&'a str>,
    /// None: one that a manager does not know, whose parameters [`TokenRequest::write_beside`] is given.
    grant: Option<Grant>,
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
        identity: Identity<'a>,
        grant: Grant,
        credentials: &'a Credentials<'a>,
    ) -> Self {
        let (base_url, site) = (identity.base_url(provider), identity.site);
        Self { provider, base_url, site, grant: Some(grant), credentials, refresh_token: &[], extra: &[] }
    }

    /// A request for a grant that a manager does not know.
    pub(crate) const fn beside(
        provider: &'a Provider<'a>,
        identity: &Identity<'a>,
        credentials: &'a Credentials<'a>,
    ) -> Self {
        let (base_url, site) = (identity.base_url(provider), identity.site);
        Self { provider, base_url, site, grant: None, credentials, refresh_token: &[], extra: &[] }
    }

    /// The same with the refresh token to present, for [`Grant::RefreshToken`].
    #[must_use]
    pub const fn with_refresh_token(self, refresh_token: &'a str) -> Self {
        self.with_stored_refresh_token(refresh_token.as_bytes())
    }

    /// The same with the UTF-8 that a manager holds.
    pub(crate) const fn with_stored_refresh_token(mut self, refresh_token: &'a [u8]) -> Self {
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
    ///   `http` if the provider allows it), or its path would change its host.
    ///
    /// # Security
    /// `out` holds secrets afterwards: [`crate::wipe`] it when the request is sent.
    pub fn write<'b>(&self, out: &'b mut [u8]) -> Result<Request<'b>, Error> {
        if !(Identity { site: self.site, ..Identity::CLIENT }).fits(self.provider) {
            return Err(Error::InvalidProvider);
        }
        self.check()?;
        self.check_extra()?;
        self.write_checked(out)
    }

    /// The same for a request whose identity fits, without parameters of the provider's own.
    pub(crate) fn write_own<'b>(&self, out: &'b mut [u8]) -> Result<Request<'b>, Error> {
        self.check()?;
        self.write_checked(out)
    }

    /// Writes the request of a grant that a manager does not know, to `path`; `own` writes what is the grant's own.
    pub(crate) fn write_beside<'b>(
        &self,
        path: &str,
        out: &'b mut [u8],
        own: impl FnOnce(&mut Body<'_, '_, '_>),
    ) -> Result<Request<'b>, Error> {
        self.check()?;
        let mut out = Writer::new(out);
        let ends = self.write_fields(path, &mut out);
        let mut body = Body { out: &mut out, format: self.body_format(), empty: true };
        own(&mut body);
        self.write_client(&mut body);
        if !body.empty {
            body.end();
        }
        self.finish(out, ends)
    }

    fn write_checked<'b>(&self, out: &'b mut [u8]) -> Result<Request<'b>, Error> {
        let mut out = Writer::new(out);
        let ends = self.write_fields(self.provider.token_path.unwrap_or_default(), &mut out);
        self.write_body(&mut out);
        self.finish(out, ends)
    }

    /// What stands in front of the body, and where each part of it ends.
    fn write_fields(&self, path: &str, out: &mut Writer<'_>) -> (usize, usize) {
        self.write_url(path.as_bytes(), out);
        let url_end = out.written();
        if let Some(write) =
            self.provider.authentication.and_then(|authentication| authentication.write_field)
        {
            write(out, self.credentials);
        }
        (url_end, out.written())
    }

    fn finish<'b>(&self, out: Writer<'b>, ends: (usize, usize)) -> Result<Request<'b>, Error> {
        let (url_end, authorization_end) = ends;
        let out = out.finish()?;
        let allowed = match Url::parse(out.get(..url_end).unwrap_or_default()) {
            None => Err(Error::BadUrl),
            Some(url) if is_secure(self.provider, &url) => Ok(()),
            Some(_) => Err(Error::OriginNotAllowed),
        };
        if let Err(error) = allowed {
            wipe(out);
            return Err(error);
        }
        let (fields, body) = out.split_at_checked(authorization_end).unwrap_or_default();
        let (url, authorization) = fields.split_at_checked(url_end).unwrap_or_default();
        let content_type = if body.is_empty() { "" } else { self.body_format().content_type() };
        Ok(Request { url, authorization, content_type, body })
    }

    fn body_format(&self) -> &'a BodyFormat {
        self.provider.body.unwrap_or(BodyFormat::FORM)
    }

    fn check(&self) -> Result<(), Error> {
        let (provider, credentials) = (self.provider, self.credentials);
        let authentication = provider.authentication.ok_or(Error::InvalidProvider)?;
        // Only a path may follow an authority.
        let has_more = |byte| matches!(byte, b'?' | b'#');
        match provider.token_path.unwrap_or_default().as_bytes() {
            [] => {}
            [b'/', ..] if !self.base_url.bytes().any(has_more) => {}
            _ => return Err(Error::BadUrl),
        }
        let has_grant = match self.grant {
            None | Some(Grant::ClientCredentials | Grant::SiteToken) => true,
            Some(Grant::Password) => !credentials.username.is_empty() && !credentials.password.is_empty(),
            Some(Grant::RefreshToken) => !self.refresh_token.is_empty(),
        };
        if !(authentication.accepts)(credentials) || !has_grant {
            return Err(Error::WrongCredentials);
        }
        Ok(())
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

    fn write_url(&self, path: &[u8], out: &mut Writer<'_>) {
        let mut base_url = self.base_url.as_bytes();
        // A slash at its end counts for nothing in front of a path.
        while let [rest @ .., b'/'] = base_url
            && !path.is_empty()
        {
            base_url = rest;
        }
        out.bytes(base_url);
        match self.provider.site {
            Some(site) => (site.write)(out, path, self.site.unwrap_or_default().as_bytes()),
            None => out.bytes(path),
        }
    }

    fn write_body(&self, out: &mut Writer<'_>) {
        let grant = match self.grant {
            // Its URL says it all.
            None | Some(Grant::SiteToken) => return,
            Some(grant) => grant,
        };
        let Credentials { username, password, .. } = *self.credentials;
        let mut body = Body { out, format: self.body_format(), empty: true };
        body.parameter("grant_type", grant.name().as_bytes());
        if grant == Grant::Password {
            body.parameter("username", username.as_bytes());
            body.parameter("password", password.as_bytes());
        }
        if grant == Grant::RefreshToken {
            body.parameter("refresh_token", self.refresh_token);
        } else {
            body.parameter("scope", self.provider.scope.unwrap_or_default().as_bytes());
        }
        self.extra.iter().for_each(|(name, value)| body.parameter(name, value.as_bytes()));
        self.write_client(&mut body);
        body.end();
    }

    fn write_client(&self, body: &mut Body<'_, '_, '_>) {
        if let Some(authentication) = self.provider.authentication {
            if authentication.id_in_body {
                body.parameter("client_id", self.credentials.client_id.as_bytes());
            }
            if authentication.secret_in_body {
                body.parameter("client_secret", self.credentials.client_secret.as_bytes());
            }
        }
    }
}

/// A request's parameters while they are written.
pub(crate) struct Body<'w, 'b, 'f> {
    out: &'w mut Writer<'b>,
    format: &'f BodyFormat,
    empty: bool,
}

impl Body<'_, '_, '_> {
    /// The next one; an empty one is left out.
    #[inline(never)]
    pub(crate) fn parameter(&mut self, name: &str, value: &[u8]) {
        if value.is_empty() {
            return;
        }
        self.name(name);
        (self.format.encode)(self.out, value);
        self.end_value();
    }

    /// The next one, whose value comes byte by byte.
    #[cfg(feature = "snapshot")]
    pub(crate) fn bytewise(&mut self, name: &str, value: impl Iterator<Item = u8>) {
        self.name(name);
        value.for_each(|byte| (self.format.encode)(self.out, &[byte]));
        self.end_value();
    }

    fn name(&mut self, name: &str) {
        let [first, between, equals, ..] = &self.format.punctuation;
        self.out.bytes(if self.empty { first } else { between }.as_bytes());
        self.empty = false;
        (self.format.encode)(self.out, name.as_bytes());
        self.out.bytes(equals.as_bytes());
    }

    fn end_value(&mut self) {
        let [.., behind, _] = &self.format.punctuation;
        self.out.bytes(behind.as_bytes());
    }

    fn end(self) {
        let [.., last] = &self.format.punctuation;
        self.out.bytes(last.as_bytes());
    }
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

    /// The `Authorization` field, if the client authenticates by it.
    #[must_use]
    pub fn authorization(&self) -> Option<&'b str> {
        (!self.authorization.is_empty()).then(|| text(self.authorization))
    }

    /// The `Content-Type` field, if there is a body.
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

    /// URL, `Authorization` field and body as bytes; empty if there is none.
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
    /// use tokenward::{Credentials, Grant, Identity, OwnedRequest, TokenRequest, providers};
    ///
    /// fn request() -> OwnedRequest<256> {
    ///     let provider = &providers::FLIP_UTILITY_SANDBOX;
    ///     let credentials = Credentials { client_id: "id", client_secret: "secret", ..Credentials::default() };
    ///     let mut out = [0; 256];
    ///     TokenRequest::new(provider, Identity::CLIENT, Grant::ClientCredentials, &credentials)
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
