//! A token service as data.

use crate::ascii::is_same;
use crate::endpoint::answer_format::AnswerFormat;
use crate::endpoint::body_format::{Body, BodyFormat};
use crate::endpoint::credentials::{Additions, Credentials};
use crate::endpoint::grant::Grant;
use crate::endpoint::lifetime::MissingLifetime;
use crate::endpoint::loopback::LoopbackHttp;
use crate::endpoint::nested::Nested;
use crate::endpoint::own_members::OwnMembers;
use crate::endpoint::parameter::{Parameter, Target};
use crate::endpoint::pkce::DevicePkce;
use crate::endpoint::refresh_life::RefreshLife;
use crate::endpoint::refresh_policy::RefreshPolicy;
use crate::endpoint::request::Request;
use crate::endpoint::routes::Routes;
use crate::endpoint::site::SitePath;
use crate::endpoint::token_alphabet::TokenAlphabet;
use crate::endpoint::token_header::TokenHeader;
use crate::error::Error;
use crate::wire::writer::Writer;

/// A token service: all that tells one from another, and no code of its own.
///
/// The five of [`crate::providers`] are values of this type; a sixth is one more value. It lives as long as the managers
/// that are made from it: a `const` or a `static`, as a rule. What may be absent is an `Option`; `None` is the default
/// that is named at the field. What takes code ([`ClientAuthentication`], [`BodyFormat`], [`AnswerFormat`], [`Nested`],
/// [`OwnMembers`], [`Routes`], [`MissingLifetime`], [`SitePath`], [`LoopbackHttp`], [`Requests`]) is a value that brings
/// it: a program links it if it names it.
///
/// ```
/// use tokenward::parts::ClientAuthentication;
/// use tokenward::{Grant, Provider};
///
/// const ACME: Provider<'static> = Provider {
///     name: "acme",
///     base_url: Some("https://login.acme.example"),
///     token_path: Some("/oauth2/token"),
///     api_origins: Some(&["https://api.acme.example"]),
///     primary_grant: Some(Grant::ClientCredentials),
///     refresh_grant: true,
///     authentication: Some(ClientAuthentication::POST),
///     ..Provider::custom()
/// };
/// // Checked when this is compiled.
/// const _: () = assert!(ACME.fault().is_none());
/// ```
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Provider<'a> {
    /// Its name, a part of a token's identity.
    pub name: &'a str,
    /// Its environment (`sandbox`, `production`), a part of a token's identity; [`field@Identity::environment`] wins.
    pub environment: Option<&'a str>,
    /// Scheme and authority of the token endpoint; a path may follow. Its origin is a part of a token's identity.
    /// [`field@Identity::base_url`] wins.
    pub base_url: Option<&'a str>,
    /// Follows the base URL; `{site}` stands for the subject's site.
    pub token_path: Option<&'a str>,
    /// Where its tokens may be sent; none: to the origin of the base URL. Only `https`, except for loopback if that is
    /// allowed.
    pub api_origins: Option<&'a [&'a str]>,
    /// The scope to ask for.
    pub scope: Option<&'a str>,
    /// The service's own error codes and the standard ones that they stand for.
    pub error_codes: Option<&'a [(&'a str, &'a str)]>,
    /// Values of `token_type` that mean Bearer.
    pub token_type_aliases: Option<&'a [&'a str]>,
    /// Where somebody signs in in a browser ([`crate::grants`]): an absolute URL, with or without a query.
    pub authorization_url: Option<&'a str>,
    /// Where a device asks for a code to show ([`crate::grants::DeviceAuthorization`]): follows the base URL.
    pub device_path: Option<&'a str>,
    /// Where a token is revoked ([`crate::TokenManager::revoke`], RFC 7009): follows the base URL.
    pub revocation_path: Option<&'a str>,
    /// Who answers a sign-in: what `iss` of a callback must be (RFC 9207); none: it is not read.
    pub issuer: Option<&'a str>,
    /// When its tokens are refreshed; none: [`RefreshPolicy::DEFAULT`].
    pub policy: Option<&'a RefreshPolicy>,
    /// How the client authenticates to the token endpoint. A service with a grant names it.
    pub authentication: Option<&'a ClientAuthentication>,
    /// How a request's parameters are written; none: as a form.
    pub body: Option<&'a BodyFormat>,
    /// How it answers if not in JSON; none: in JSON.
    pub answer: Option<&'a AnswerFormat>,
    /// Makes `{site}` stand for the subject's site.
    pub site: Option<&'a SitePath>,
    /// Allows plain `http` to the loopback interface, for tests.
    pub loopback_http: Option<&'a LoopbackHttp>,
    /// Binds the requests of a device authorization to each other (RFC 7636).
    pub device_pkce: Option<&'a DevicePkce>,
    /// What it wants to be asked otherwise than RFC 6749 has it.
    pub requests: Option<&'a Requests<'a>>,
    /// The field that carries its tokens to the API; none: [`TokenHeader::BEARER`].
    pub header: Option<&'a TokenHeader<'a>>,
    /// Statuses of the API that mean what 401 means.
    pub expired_status: Option<&'a [u16]>,
    /// Where the members of an answer stand, if they do not stand in the top object.
    pub nested: Nested<'a>,
    /// Which token opens which endpoint; none: every path of the origins.
    pub routes: Routes<'a>,
    /// What the members of an answer are called, if not as RFC 6749 calls them, and what it has beside them.
    pub members: OwnMembers<'a>,
    /// What is known of a refresh token's life.
    pub refresh_life: RefreshLife<'a>,
    /// What an answer without `expires_in` means.
    pub missing_lifetime: MissingLifetime<'a>,
    /// What `expires_in` 0 means.
    pub zero_lifetime: ZeroLifetime,
    /// The bytes that an access token may have.
    pub token_alphabet: TokenAlphabet,
    /// Who may hold its credentials.
    pub exposure: Exposure,
    /// The grant that obtains a token without a refresh token; none: the caller installs tokens.
    pub primary_grant: Option<Grant>,
    /// Whether it has the refresh grant (RFC 6749 section 6). Without it no refresh token is read.
    pub refresh_grant: bool,
    /// Its tokens may be sent to **every** `https` origin: whoever can name a host gets the token.
    pub any_https_origin: bool,
}

impl<'a> Provider<'a> {
    /// What a sign-in in a browser says itself (RFC 6749 section 4.1.1, RFC 7636 section 4.3), in this order.
    pub(crate) const AUTHORIZATION_PARAMETERS: [&'static str; 7] = [
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "code_challenge",
        "code_challenge_method",
    ];

    /// The defaults of a custom provider: RFC 6749 to the letter, tokens only for the origin of the base URL,
    /// credentials for servers only.
    #[must_use]
    pub const fn custom() -> Self {
        Self {
            name: "",
            environment: None,
            base_url: None,
            token_path: None,
            api_origins: None,
            scope: None,
            error_codes: None,
            token_type_aliases: None,
            authorization_url: None,
            device_path: None,
            revocation_path: None,
            issuer: None,
            policy: None,
            authentication: Some(ClientAuthentication::BASIC),
            body: None,
            answer: None,
            site: None,
            loopback_http: None,
            device_pkce: None,
            requests: None,
            header: None,
            expired_status: None,
            nested: Nested::NONE,
            routes: Routes::NONE,
            members: OwnMembers::NONE,
            refresh_life: RefreshLife::NONE,
            missing_lifetime: MissingLifetime::jwt_expiry(3600),
            zero_lifetime: ZeroLifetime::Expired,
            token_alphabet: TokenAlphabet::B64Token,
            exposure: Exposure::ServerOnly,
            primary_grant: None,
            refresh_grant: false,
            any_https_origin: false,
        }
    }

    /// The field that carries its tokens to the API.
    #[must_use]
    pub const fn header(&self) -> &'a TokenHeader<'a> {
        match self.header {
            Some(header) => header,
            None => &TokenHeader::BEARER,
        }
    }

    /// Whether a status of the API means that the token has expired.
    #[must_use]
    #[inline]
    pub fn says_expired(&self, status: u16) -> bool {
        let mut listed = self.expired_status.unwrap_or_default();
        let mut is_listed = status == 401;
        while let [first, rest @ ..] = listed {
            is_listed |= *first == status;
            listed = rest;
        }
        is_listed
    }

    /// What its requests are like.
    pub(crate) const fn told(&self) -> &'a Requests<'a> {
        Requests::of(self.requests)
    }

    /// Whether a request of this kind has a parameter of this name without the provider's own list.
    pub(crate) const fn writes(&self, name: &[u8], target: Target) -> bool {
        let told = self.told();
        if matches!(target, Target::Revocation) {
            return is_same(name, b"token")
                || is_same(name, b"token_type_hint")
                || !is_same(name, b"grant_type") && told.writes(name, false, self.authentication);
        }
        let sends_scope =
            self.scope.is_some() && (told.scope_on_refresh || !matches!(target, Target::Refresh));
        told.writes(name, sends_scope, self.authentication)
    }

    /// When its tokens are refreshed.
    #[must_use]
    pub const fn policy(&self) -> &'a RefreshPolicy {
        match self.policy {
            Some(policy) if !policy.is_unset() => policy,
            _ => &RefreshPolicy::DEFAULT,
        }
    }
}

/// What `expires_in` 0 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ZeroLifetime {
    /// The token has expired: a failed refresh.
    Expired = 0,
    /// The token never expires.
    Never = 1,
}

/// Who may hold a provider's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Exposure {
    /// Servers and gateways with protected storage. The core does not enforce it; the mobile surfaces do.
    ServerOnly = 0,
    /// Apps too.
    AppAllowed = 1,
}

/// Whose token it is, as far as that is known only at run time. What is given here wins over the provider's.
///
/// ```
/// use tokenward::Identity;
///
/// let site = Identity { base_url: Some("https://api.example"), ..Identity::site("42") };
/// assert_eq!(site.account, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The environment.
    pub environment: Option<&'a str>,
    /// Scheme and authority of the token endpoint; a path may follow.
    pub base_url: Option<&'a str>,
    /// A name of the caller's own, such as a user or a client id: two people at one service must not restore each
    /// other's state.
    pub account: Option<&'a str>,
    /// The site that the token stands for; none: the client itself.
    pub site: Option<&'a str>,
}

impl<'a> Identity<'a> {
    /// The client itself, with everything as the provider says.
    pub const CLIENT: Self = Self { environment: None, base_url: None, account: None, site: None };

    /// One site, with everything as the provider says.
    #[must_use]
    pub const fn site(site: &'a str) -> Self {
        Self { site: Some(site), ..Self::CLIENT }
    }

    pub(crate) fn environment(&self, provider: &Provider<'a>) -> Option<&'a str> {
        self.environment.or(provider.environment)
    }

    pub(crate) const fn base_url(&self, provider: &Provider<'a>) -> &'a str {
        match (self.base_url, provider.base_url) {
            (Some(url), _) | (None, Some(url)) => url,
            (None, None) => "",
        }
    }

    /// Whether a provider's token endpoint can be asked for it: there is a site if the path wants one, and it stays
    /// in its place of the path.
    pub(crate) const fn fits(&self, provider: &Provider<'_>) -> bool {
        match self.site {
            None => provider.site.is_none(),
            Some(site) => !matches!(site.as_bytes(), [] | [b'.'] | [b'.', b'.']),
        }
    }
}

/// What a service wants to be asked otherwise than RFC 6749 has it.
///
/// ```
/// use tokenward::{Parameter, Provider, Requests};
///
/// const ACME: Provider<'static> = Provider {
///     name: "acme",
///     requests: Some(&Requests {
///         parameters: Some(&[Parameter::new("audience", "https://api.acme.example")]),
///         headers: Some(&[("x-api-key", "{api_key}")]),
///         ..Requests::STANDARD
///     }),
///     ..Provider::custom()
/// };
/// const _: () = assert!(ACME.fault().is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Requests<'a> {
    /// What writes them.
    pub writer: Option<&'a RequestWriter>,
    /// In place of the token path for the refresh grant.
    pub refresh_path: Option<&'a str>,
    /// The `grant_type` of [`crate::Grant::Extension`].
    pub extension_grant: Option<&'a str>,
    /// `client_id`, `client_secret`, `username`, `password` or `refresh_token`, and the name in its place.
    pub names: Option<&'a [(&'a str, &'a str)]>,
    /// Parameters of its own, in the order in which they are sent.
    pub parameters: Option<&'a [Parameter<'a>]>,
    /// Header fields of its own: names and values. `{name}` in a value stands for one of
    /// [`field@crate::Additions::values`], `{access_token}` for the access token that is held, whether it has ended or not:
    /// without one the field is left out.
    pub headers: Option<&'a [(&'a str, &'a str)]>,
    /// The scope is sent with a refresh too.
    pub scope_on_refresh: bool,
}

impl Requests<'static> {
    /// As RFC 6749 has it.
    pub const STANDARD: Self = Self { writer: Some(RequestWriter::OWN), ..Self::PLAIN };
    /// The same without what writes them.
    pub(crate) const PLAIN: Self = Self {
        writer: None,
        refresh_path: None,
        extension_grant: None,
        names: None,
        parameters: None,
        headers: None,
        scope_on_refresh: false,
    };
}

/// Writes requests as a service wants them: a value that brings its code.
#[derive(Clone, Copy)]
pub struct RequestWriter {
    number: u8,
    name: &'static str,
    pub(crate) write: Write,
}

/// Writes a request that a manager asks for.
type Write = for<'b> fn(&TokenRequest<'_>, &'b mut [u8]) -> Result<Request<'b>, Error>;

impl RequestWriter {
    /// By what its [`Requests`] say.
    pub const OWN: &'static Self =
        &Self { number: 1, name: "own", write: |request, out| request.write_as::<true>(out) };
}

part!(RequestWriter: OWN);

/// Writes what is the own of a grant that a manager does not know.
type Own<'a> = &'a (dyn Fn(&mut Body<'_, '_, '_>) + Sync);

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
    pub(crate) provider: &'a Provider<'a>,
    pub(crate) identity: Identity<'a>,
    /// None of those that a manager asks for: `own` writes what is the grant's own.
    pub(crate) grant: Option<Grant>,
    pub(crate) path: &'a str,
    pub(crate) own: Option<Own<'a>>,
    pub(crate) target: Target,
    pub(crate) credentials: &'a Credentials<'a>,
    pub(crate) refresh_token: &'a [u8],
    pub(crate) access_token: &'a [u8],
    pub(crate) additions: &'a Additions<'a>,
}

impl core::fmt::Debug for TokenRequest<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TokenRequest").field("grant", &self.grant).finish_non_exhaustive()
    }
}

/// How the client authenticates to the token endpoint (RFC 6749 section 2.3): a value that brings its code.
///
/// ```
/// use tokenward::parts::ClientAuthentication;
///
/// assert_eq!(ClientAuthentication::POST.name(), "post");
/// ```
#[derive(Clone, Copy)]
pub struct ClientAuthentication {
    pub(crate) number: u8,
    pub(crate) name: &'static str,
    /// Whether there is what it sends, and that can be sent.
    pub(crate) check: fn(&Credentials<'_>) -> Result<(), Error>,
    /// Writes the value of the `Authorization` field.
    pub(crate) write_field: Option<fn(&mut Writer<'_>, &Credentials<'_>)>,
    /// Writes what is sent in the body.
    pub(crate) write_parameters: Option<WriteParameters>,
    /// The id is among that.
    pub(crate) id_in_body: bool,
    /// An assertion is among that.
    pub(crate) asserts: bool,
}

/// Writes parameters of a client under the names that the service has for them.
pub(crate) type WriteParameters = fn(&TokenRequest<'_>, &mut Body<'_, '_, '_>, Named);
/// The name that a parameter of the RFC is sent under.
pub(crate) type Named = for<'t> fn(&TokenRequest<'t>, &'static str) -> &'t str;
