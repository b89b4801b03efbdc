//! A token service as data.

use crate::endpoint::refresh_policy::RefreshPolicy;
use crate::endpoint::routes::{Route, TokenKind};

/// A token service: all that tells one from another, and no code.
///
/// The five of [`crate::providers`] are values of this type; a sixth is one more value.
///
/// ```
/// use tokenward::{ApiOrigins, ClientAuthentication, Grant, Provider};
///
/// const ACME: Provider<'static> = Provider {
///     name: "acme",
///     base_url: "https://login.acme.example",
///     token_path: "/oauth2/token",
///     api_origins: ApiOrigins::Listed(&["https://api.acme.example"]),
///     grants: &[Grant::ClientCredentials, Grant::RefreshToken],
///     authentication: ClientAuthentication::Post,
///     ..Provider::custom()
/// };
/// assert!(ACME.reads_refresh_token());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Provider<'a> {
    /// Its name, a part of a token's identity.
    pub name: &'a str,
    /// Its environment (`sandbox`, `production`), a part of a token's identity.
    pub environment: &'a str,
    /// Scheme and authority of the token endpoint; a path may follow. A part of a token's identity.
    pub base_url: &'a str,
    /// Follows `base_url`; `{site}` stands for the subject's site. A part of a token's identity.
    pub token_path: &'a str,
    /// Where its tokens may be sent.
    pub api_origins: ApiOrigins<'a>,
    /// Plain `http` to the loopback interface is allowed, for tests.
    pub allow_loopback_http: bool,
    /// The grants it knows; the first that is not [`Grant::RefreshToken`] is the primary one.
    pub grants: &'a [Grant],
    /// How the client authenticates to the token endpoint.
    pub authentication: ClientAuthentication,
    /// How a request's parameters are written.
    pub body: BodyFormat,
    /// The scope to ask for; empty for none.
    pub scope: &'a str,
    /// Where the token's members stand in an answer, such as `data[0]`; empty for the top object.
    pub member_path: &'a str,
    /// Where an error code stands if there is no top-level `error`, such as `detailed[0]`; empty for nowhere.
    pub error_path: &'a str,
    /// The service's own error codes and the standard ones that they stand for.
    pub error_codes: &'a [(&'a str, &'a str)],
    /// An answer without `token_type` is refused.
    pub token_type_required: bool,
    /// Values of `token_type` that mean Bearer.
    pub token_type_aliases: &'a [&'a str],
    /// The bytes that an access token may have.
    pub token_alphabet: TokenAlphabet,
    /// What an answer without `expires_in` means.
    pub missing_lifetime: MissingLifetime,
    /// What `expires_in` 0 means.
    pub zero_lifetime: ZeroLifetime,
    /// Which token opens which endpoint; empty: every path of the origins.
    pub routes: &'a [Route<'a>],
    /// Who may hold its credentials.
    pub exposure: Exposure,
    /// When its tokens are refreshed.
    pub policy: RefreshPolicy,
}

impl<'a> Provider<'a> {
    /// The defaults of a custom provider: RFC 6749 to the letter, credentials for servers only.
    #[must_use]
    pub const fn custom() -> Self {
        Self {
            name: "",
            environment: "",
            base_url: "",
            token_path: "",
            api_origins: ApiOrigins::AnyHttps,
            allow_loopback_http: false,
            grants: &[],
            authentication: ClientAuthentication::Basic(BasicEncoding::Rfc6749Form),
            body: BodyFormat::Form,
            scope: "",
            member_path: "",
            error_path: "",
            error_codes: &[],
            token_type_required: false,
            token_type_aliases: &[],
            token_alphabet: TokenAlphabet::B64Token,
            missing_lifetime: MissingLifetime::JwtExpiry { else_seconds: 3600 },
            zero_lifetime: ZeroLifetime::Expired,
            routes: &[],
            exposure: Exposure::ServerOnly,
            policy: RefreshPolicy::DEFAULT,
        }
    }

    /// The base URL as a path follows it: a slash at its end counts for nothing then.
    pub(crate) fn trimmed_base_url(&self) -> &'a [u8] {
        let mut url = self.base_url.as_bytes();
        while let [rest @ .., b'/'] = url
            && !self.token_path.is_empty()
        {
            url = rest;
        }
        url
    }

    /// Whether an answer's refresh token is read: only where the provider lists the refresh grant.
    #[must_use]
    pub fn reads_refresh_token(&self) -> bool {
        self.grants.contains(&Grant::RefreshToken)
    }

    /// The grant that obtains a token without a refresh token.
    #[must_use]
    pub fn primary_grant(&self) -> Option<Grant> {
        self.grants.iter().copied().find(|grant| *grant != Grant::RefreshToken)
    }
}

/// Where a provider's tokens may be sent. `https` only, but for loopback where it is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiOrigins<'a> {
    /// Every `https` origin.
    AnyHttps,
    /// The origin of the provider's `base_url`.
    BaseUrl,
    /// These origins.
    Listed(&'a [&'a str]),
}

/// How a token is obtained (RFC 6749 section 4 and 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// RFC 6749 section 4.4.
    ClientCredentials,
    /// RFC 6749 section 4.3. RFC 9700 section 2.4 forbids it: only for a service that has no other.
    Password,
    /// RFC 6749 section 6.
    RefreshToken,
    /// A `POST` with a client token as Bearer that answers a token for one site.
    SiteToken,
}

impl Grant {
    /// Its name: the `grant_type` parameter, but for a site token, which has none.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
            Self::SiteToken => "site_token",
        }
    }
}

/// How the client authenticates to the token endpoint (RFC 6749 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// `client_secret_basic`: the `Authorization` field.
    Basic(BasicEncoding),
    /// `client_secret_post`: in the body.
    Post,
    /// A token that another manager keeps.
    Bearer,
    /// A public client: `client_id` alone, in the body.
    None,
}

/// What becomes of id and secret before they are joined by `:` and encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BasicEncoding {
    /// Nothing: what `curl -u` sends, for the services that document it. The id has no `:`.
    Raw,
    /// Form-encoded first, the rule of RFC 6749 section 2.3.1.
    Rfc6749Form,
}

/// How a request's parameters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded` (RFC 6749 Appendix B).
    Form,
    /// One JSON object of strings.
    Json,
}

/// The bytes that an access token may have. Whatever is stored can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAlphabet {
    /// `b64token` of RFC 6750 section 2.1.
    B64Token,
    /// 0x21–0x7E, for services whose tokens have more (`Atza|…`).
    Visible,
}

/// What an answer without `expires_in` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingLifetime {
    /// Until the `exp` of a JWT, if the answer comes with a wall clock; else so many seconds.
    JwtExpiry {
        /// The lifetime where there is no `exp`.
        else_seconds: u64,
    },
    /// So many seconds.
    Assume(u64),
    /// The token has no end.
    Never,
    /// The answer is refused.
    Refuse,
}

/// What `expires_in` 0 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroLifetime {
    /// The token is over: a failed refresh.
    Expired,
    /// The token has no end.
    Never,
}

/// Whom a token stands for. A part of its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The client itself.
    Client,
    /// One site.
    Site(&'a str),
}

impl<'a> Subject<'a> {
    /// Its kind.
    #[must_use]
    pub const fn kind(self) -> TokenKind {
        match self {
            Self::Client => TokenKind::Client,
            Self::Site(_) => TokenKind::Site,
        }
    }

    /// Whether a provider's token endpoint can be asked for it: it has a site where the URL wants one, and
    /// that site stays in its place of the path.
    #[must_use]
    pub fn fits(self, base_url: &str, token_path: &str) -> bool {
        const SITE: &[u8] = b"{site}";
        let wants = |part: &str| part.as_bytes().windows(SITE.len()).any(|window| window == SITE);
        match self {
            Self::Client => !wants(base_url) && !wants(token_path),
            Self::Site(site) => !matches!(site, "" | "." | ".."),
        }
    }

    /// The site, where it is one.
    #[must_use]
    pub const fn site(self) -> Option<&'a str> {
        match self {
            Self::Client => None,
            Self::Site(site) => Some(site),
        }
    }
}

/// Who may hold a provider's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Servers and gateways with protected storage. The core does not enforce it; the mobile surfaces do.
    ServerOnly,
    /// Apps too.
    AppAllowed,
}
