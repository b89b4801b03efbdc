//! The request that obtains a token (RFC 6749 sections 2.3, 4 and 6), and what a service wants otherwise.

use crate::ascii::is_same;
use crate::endpoint::body_format::{Body, BodyFormat};
use crate::endpoint::credentials::{Additions, Credentials};
use crate::endpoint::grant::Grant;
use crate::endpoint::loopback::is_secure;
use crate::endpoint::parameter::{Parameter, Target};
use crate::endpoint::provider::{ClientAuthentication, Identity, Provider, Requests, TokenRequest};
use crate::endpoint::request::Request;
use crate::endpoint::template::{Template, Values};
use crate::error::Error;
use crate::secret::wipe;
use crate::wire::url::Url;
use crate::wire::writer::Writer;

impl<'a> Requests<'a> {
    /// What a service says of its requests; as the RFC has it where it says nothing.
    pub(crate) const fn of(told: Option<&'a Self>) -> &'a Self {
        match told {
            Some(told) => told,
            None => &Requests::PLAIN,
        }
    }

    /// What may have another name.
    pub(crate) const RENAMED: &'static [&'static str] =
        &["client_id", "client_secret", "username", "password", "refresh_token"];

    /// The name that a parameter of the RFC is sent under.
    pub(crate) const fn name_of(&self, standard: &'a str) -> &'a str {
        let mut names = match self.names {
            Some(names) => names,
            None => &[],
        };
        while let [(name, own), rest @ ..] = names {
            if is_same(name.as_bytes(), standard.as_bytes()) {
                return own;
            }
            names = rest;
        }
        standard
    }

    /// Whether a request has a parameter of this name without the provider's own list.
    pub(crate) const fn writes(
        &self,
        name: &[u8],
        sends_scope: bool,
        authentication: Option<&ClientAuthentication>,
    ) -> bool {
        if is_same(name, b"grant_type") {
            return true;
        }
        if is_same(name, b"scope") {
            return sends_scope;
        }
        if is_same(name, b"client_assertion_type") || is_same(name, b"client_assertion") {
            return matches!(authentication, Some(ClientAuthentication { asserts: true, .. }));
        }
        let mut standard = Self::RENAMED;
        while let [first, rest @ ..] = standard {
            if is_same(name, self.name_of(first).as_bytes()) {
                return match authentication {
                    Some(authentication) if is_same(first.as_bytes(), b"client_id") => {
                        authentication.id_in_body
                    }
                    _ => true,
                };
            }
            standard = rest;
        }
        false
    }
}

impl<'a> TokenRequest<'a> {
    /// A request for `grant`.
    #[must_use]
    #[inline(always)]
    pub const fn new(
        provider: &'a Provider<'a>,
        identity: Identity<'a>,
        grant: Grant,
        credentials: &'a Credentials<'a>,
    ) -> Self {
        let target = if matches!(grant, Grant::RefreshToken) { Target::Refresh } else { Target::Primary };
        Self { grant: Some(grant), ..Self::beside(provider, identity, target, credentials) }
    }

    /// A request for a grant that a manager does not know.
    #[inline(always)]
    pub(crate) const fn beside(
        provider: &'a Provider<'a>,
        identity: Identity<'a>,
        target: Target,
        credentials: &'a Credentials<'a>,
    ) -> Self {
        Self {
            provider,
            identity,
            grant: None,
            path: match provider.token_path {
                Some(path) => path,
                None => "",
            },
            own: None,
            target,
            credentials,
            refresh_token: &[],
            access_token: &[],
            additions: Additions::NONE,
        }
    }

    /// The same with the refresh token to present, for [`Grant::RefreshToken`].
    #[must_use]
    pub const fn with_refresh_token(mut self, refresh_token: &'a str) -> Self {
        self.refresh_token = refresh_token.as_bytes();
        self
    }

    /// The same with the access token that `{access_token}` stands for in the provider's parameters and headers.
    #[must_use]
    pub const fn with_access_token(mut self, access_token: &'a str) -> Self {
        self.access_token = access_token.as_bytes();
        self
    }

    /// The same with the UTF-8 that a manager holds.
    #[inline(always)]
    pub(crate) const fn with_stored(mut self, access_token: &'a [u8], refresh_token: &'a [u8]) -> Self {
        (self.access_token, self.refresh_token) = (access_token, refresh_token);
        self
    }

    /// The same with more than its credentials.
    #[must_use]
    pub const fn with_additions(mut self, additions: &'a Additions<'a>) -> Self {
        self.additions = additions;
        self
    }

    /// Writes the request into `out`: whole, or `out` holds nothing of it.
    ///
    /// # Errors
    /// - [`Error::WrongCredentials`]: one that the grant or a `{name}` needs is empty, a raw Basic id holds `:` or a
    ///   control character, or the bearer or the value of a field cannot stand in a header.
    /// - [`Error::NotRandom`], [`Error::NoWallClock`]: the client authenticates by an assertion, and its random bytes are
    ///   all alike, or the time of day is not known.
    /// - [`Error::InvalidProvider`]: the URL wants a site and the subject is none, or the site is empty or a
    ///   dot segment; an extension grant has no name; a `{` has no `}`.
    /// - [`Error::DuplicateParameter`]: an added parameter has the name of another or of one that is sent anyway
    ///   (RFC 6749 section 3.2).
    /// - [`Error::BufferTooSmall`]: with the size that it takes; `out` is wiped.
    /// - [`Error::BadUrl`], [`Error::OriginNotAllowed`]: the token endpoint is not an `https` URL (loopback
    ///   `http` if the provider allows it), or its path would change its host.
    ///
    /// # Security
    /// `out` holds secrets afterwards: [`crate::wipe`] it when the request is sent.
    pub fn write<'b>(&self, out: &'b mut [u8]) -> Result<Request<'b>, Error> {
        if !self.identity.fits(self.provider) {
            return Err(Error::InvalidProvider);
        }
        self.check()?;
        self.check_additions()?;
        self.write_as::<true>(out)
    }

    /// The same for a request whose identity fits, with nothing beside its credentials.
    pub(crate) fn write_own<'b>(&self, out: &'b mut [u8]) -> Result<Request<'b>, Error> {
        self.check()?;
        match self.provider.requests {
            None => self.write_as::<false>(out),
            Some(Requests { writer: Some(writer), .. }) => (writer.write)(self, out),
            Some(_) => Err(Error::InvalidProvider),
        }
    }

    /// The same for a grant that a manager does not know, to `path`; `own` writes what is the grant's own.
    #[inline(always)]
    pub(crate) fn write_beside<'b>(
        self,
        path: &str,
        out: &'b mut [u8],
        own: impl Fn(&mut Body<'_, '_, '_>) + Sync,
    ) -> Result<Request<'b>, Error> {
        TokenRequest { path, own: Some(&own), ..self }.write_own(out)
    }

    /// `TOLD`: by the provider's [`Requests`], else as the RFC has it, which takes no code for them.
    pub(crate) fn write_as<'b, const TOLD: bool>(&self, out: &'b mut [u8]) -> Result<Request<'b>, Error> {
        let grant_type = self.grant_type::<TOLD>()?;
        let mut out = Writer::new(out);
        let ends = self.head::<TOLD>(&mut out)?;
        // The URL of a site token says it all.
        if self.grant != Some(Grant::SiteToken) {
            let mut body = Body::new(&mut out, self.body_format());
            match self.own {
                None => self.write_grant::<TOLD>(&mut body, grant_type),
                Some(own) => own(&mut body),
            }
            if TOLD {
                self.write_parameters(&mut body);
            }
            if let Some(write) = self.provider.authentication.and_then(|it| it.write_parameters) {
                write(self, &mut body, |request, name| request.named::<TOLD>(name));
            }
            body.end();
        }
        self.finish(out, ends)
    }

    /// Writes what stands in front of the body: where the URL, `Authorization` and the other fields end.
    fn head<const TOLD: bool>(&self, out: &mut Writer<'_>) -> Result<[usize; 3], Error> {
        let path = self.path::<TOLD>()?;
        if TOLD {
            self.check_values()?;
        }
        self.write_url(path, out);
        let url_end = out.written();
        if let Some(write) =
            self.provider.authentication.and_then(|authentication| authentication.write_field)
        {
            write(out, self.credentials);
        }
        let authorization_end = out.written();
        if TOLD {
            self.write_fields(out);
        }
        Ok([url_end, authorization_end, out.written()])
    }

    fn finish<'b>(&self, out: Writer<'b>, ends: [usize; 3]) -> Result<Request<'b>, Error> {
        let [url_end, authorization_end, fields_end] = ends;
        let out = out.finish()?;
        let allowed = match Url::parse(out.get(..url_end).unwrap_or_default()) {
            None => Err(Error::BadUrl),
            Some(url) if is_secure(self.provider.loopback_http, &url) => Ok(()),
            Some(_) => Err(Error::OriginNotAllowed),
        };
        if let Err(error) = allowed {
            wipe(out);
            return Err(error);
        }
        let (head, body) = out.split_at_checked(fields_end).unwrap_or_default();
        let (head, fields) = head.split_at_checked(authorization_end).unwrap_or_default();
        let (url, authorization) = head.split_at_checked(url_end).unwrap_or_default();
        let content_type = if body.is_empty() { "" } else { self.body_format().content_type() };
        Ok(Request { url, authorization, fields, content_type, body })
    }

    fn body_format(&self) -> &'a BodyFormat {
        self.provider.body.unwrap_or(BodyFormat::FORM)
    }

    fn check(&self) -> Result<(), Error> {
        let credentials = self.credentials;
        let authentication = self.provider.authentication.ok_or(Error::InvalidProvider)?;
        let has_grant = match self.grant {
            None | Some(Grant::ClientCredentials | Grant::SiteToken | Grant::Extension) => true,
            Some(Grant::Password) => !credentials.username.is_empty() && !credentials.password.is_empty(),
            Some(Grant::RefreshToken) => !self.refresh_token.is_empty(),
        };
        if !has_grant {
            return Err(Error::WrongCredentials);
        }
        (authentication.check)(credentials)
    }

    fn check_additions(&self) -> Result<(), Error> {
        let sends_scope = self.sends_scope::<true>() && !self.provider.scope.unwrap_or_default().is_empty();
        for (n, (name, _)) in self.additions.parameters.iter().enumerate() {
            let earlier = self.additions.parameters.iter().take(n).any(|(other, _)| other == name);
            if earlier
                || self.provider.told().writes(name.as_bytes(), sends_scope, self.provider.authentication)
                || self.own_parameters().any(|own| own.name == *name)
            {
                return Err(Error::DuplicateParameter);
            }
        }
        Ok(())
    }

    /// A value of the provider's, whose places stand for what this request has.
    const fn filled(&self, value: &'a str) -> Template<'a> {
        Template::new(value, Values { given: self.additions.values, access_token: self.access_token })
    }

    /// The provider's parameters that go with this request.
    fn own_parameters(&self) -> impl Iterator<Item = &'a Parameter<'a>> {
        let target = self.target;
        let own = self.provider.told().parameters.unwrap_or_default().iter();
        own.filter(move |parameter| parameter.target.covers(target))
    }

    fn check_values(&self) -> Result<(), Error> {
        for (_, value) in self.provider.told().headers.unwrap_or_default() {
            self.filled(value).check(|byte| matches!(byte, b' '..=b'~'))?;
        }
        for parameter in self.own_parameters() {
            self.filled(parameter.value).check(|_| true)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn grant_type<const TOLD: bool>(&self) -> Result<&'a str, Error> {
        match self.grant {
            Some(Grant::Extension) if TOLD => {
                self.provider.told().extension_grant.ok_or(Error::InvalidProvider)
            }
            Some(Grant::Extension) => Err(Error::InvalidProvider),
            Some(grant) => Ok(grant.name()),
            None => Ok(""),
        }
    }

    #[inline(always)]
    fn path<const TOLD: bool>(&self) -> Result<&'a [u8], Error> {
        let mut path = self.path;
        if TOLD && self.grant == Some(Grant::RefreshToken) {
            path = self.provider.told().refresh_path.unwrap_or(path);
        }
        // Only a path may follow an authority.
        let has_more = |byte| matches!(byte, b'?' | b'#');
        match path.as_bytes() {
            path @ [] => Ok(path),
            path @ [b'/', ..] if !self.identity.base_url(self.provider).bytes().any(has_more) => Ok(path),
            _ => Err(Error::BadUrl),
        }
    }

    pub(crate) fn write_url(&self, path: &[u8], out: &mut Writer<'_>) {
        let mut base_url = self.identity.base_url(self.provider).as_bytes();
        // A slash at its end counts for nothing in front of a path.
        while let [rest @ .., b'/'] = base_url
            && !path.is_empty()
        {
            base_url = rest;
        }
        out.bytes(base_url);
        match self.provider.site {
            Some(site) => (site.write)(out, path, self.identity.site.unwrap_or_default().as_bytes()),
            None => out.bytes(path),
        }
    }

    fn write_fields(&self, out: &mut Writer<'_>) {
        for (name, value) in self.provider.told().headers.unwrap_or_default() {
            let value = self.filled(value);
            if value.is_sent() {
                out.bytes(name.as_bytes());
                out.bytes(b": ");
                value.pieces().for_each(|piece| out.bytes(piece));
                out.bytes(b"\r\n");
            }
        }
    }

    #[inline(always)]
    fn named<const TOLD: bool>(&self, name: &'static str) -> &'a str {
        if TOLD { self.provider.told().name_of(name) } else { name }
    }

    #[inline(always)]
    fn sends_scope<const TOLD: bool>(&self) -> bool {
        match self.grant {
            Some(Grant::RefreshToken) => TOLD && self.provider.told().scope_on_refresh,
            Some(Grant::SiteToken) => false,
            _ => true,
        }
    }

    #[inline(always)]
    fn write_grant<const TOLD: bool>(&self, body: &mut Body<'_, '_, '_>, grant_type: &str) {
        let Credentials { username, password, .. } = *self.credentials;
        body.parameter("grant_type", grant_type.as_bytes());
        if self.grant == Some(Grant::Password) {
            body.parameter(self.named::<TOLD>("username"), username.as_bytes());
            body.parameter(self.named::<TOLD>("password"), password.as_bytes());
        }
        if self.grant == Some(Grant::RefreshToken) {
            body.parameter(self.named::<TOLD>("refresh_token"), self.refresh_token);
        }
        if self.sends_scope::<TOLD>() {
            body.parameter("scope", self.provider.scope.unwrap_or_default().as_bytes());
        }
    }

    fn write_parameters(&self, body: &mut Body<'_, '_, '_>) {
        for parameter in self.own_parameters() {
            let value = self.filled(parameter.value);
            if value.is_sent() {
                body.pieces(parameter.name, value.pieces());
            }
        }
        for (name, value) in self.additions.parameters {
            body.parameter(name, value.as_bytes());
        }
    }
}
