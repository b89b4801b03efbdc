//! Token services as data: what both languages describe one with, and the core's providers.
//!
//! The records and enumerations here are the public types of both packages, and so is their documentation.

use bumpalo::Bump;
use tokenward::parts::{
    AnswerFormat, ClientAuthentication as Authentication, DevicePkce, LoopbackHttp,
    SignatureAlgorithm as Algorithm, SitePath, TokenExpiry,
};
use tokenward::{Nested, OwnMembers, Provider, RefreshLife, Requests, Route, Routes, providers};

/// A token service: all that tells one from another, and no secret. What may be absent has the default that is named
/// at the member.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct TokenProvider {
    /// Its name, a part of a token's identity.
    pub name: String,
    /// Its environment (`sandbox`, `production`), a part of a token's identity. The one of `TokenIdentity` wins.
    pub environment: Option<String>,
    /// Scheme and authority of the token endpoint; a path may follow. Its origin is a part of a token's identity. The
    /// one of `TokenIdentity` wins.
    pub base_url: Option<String>,
    /// Follows the base URL; `{site}` stands for the site of `TokenIdentity`.
    pub token_path: Option<String>,
    /// Where its tokens may be sent; none: to the origin of the base URL. `https` only, but for loopback if that is
    /// allowed.
    pub api_origins: Option<Vec<String>>,
    /// Its tokens may be sent to **every** `https` origin: whoever can name a host gets the token.
    pub any_https_origin: bool,
    /// Which token opens which endpoint; none: every path of the origins.
    pub routes: Option<Vec<TokenRoute>>,
    /// Plain `http` to the loopback interface is allowed, for tests.
    pub loopback_http: bool,
    /// The grant that obtains a token without a refresh token; none: the app installs tokens.
    pub primary_grant: Option<TokenGrant>,
    /// It has the refresh grant (RFC 6749 section 6). Without it no refresh token is read.
    pub refresh_grant: bool,
    /// The scope to ask for.
    pub scope: Option<String>,
    /// How the client authenticates to the token endpoint. A service with a grant names it.
    pub authentication: Option<ClientAuthentication>,
    /// How a request's parameters are written; none: as a form.
    pub body: Option<BodyFormat>,
    /// How it answers; none: in JSON. What is an object of JSON is read all the same, and a form cannot be nested.
    pub answer: Option<BodyFormat>,
    /// Where the token's members stand in an answer, such as `data[0]`; none: in the top object.
    pub member_path: Option<String>,
    /// Where an error code stands if there is no top-level `error`, such as `detailed[0]`.
    pub error_path: Option<String>,
    /// What the service calls the members of an answer that it does not call as RFC 6749 does.
    pub members: Option<Vec<TokenMember>>,
    /// The member that says when the access token ends, if there is one. It counts in an answer without `expires_in`
    /// that comes with the time of day.
    pub expires_at: Option<TokenExpiresAt>,
    /// Members that say how many seconds the refresh token lives; of several the least counts, and 0 says nothing.
    pub refresh_expires_in: Option<Vec<String>>,
    /// Seconds after which a refresh token ends that is not used, as the service's page tells.
    pub refresh_idle_s: Option<u64>,
    /// The service's own error codes and the standard ones that they stand for.
    pub error_codes: Option<Vec<TokenErrorCode>>,
    /// Values of `token_type` that mean Bearer.
    pub token_type_aliases: Option<Vec<String>>,
    /// Where somebody signs in in a browser: an absolute URL, with or without a query.
    pub authorization_url: Option<String>,
    /// Where a device asks for a code to show: follows the base URL.
    pub device_path: Option<String>,
    /// The requests of a device authorization are bound to each other (RFC 7636).
    pub device_pkce: bool,
    /// Where a token is revoked when somebody signs out (RFC 7009): follows the base URL.
    pub revocation_path: Option<String>,
    /// Who answers a sign-in: what `iss` of a callback must be (RFC 9207); none: it is not read.
    pub issuer: Option<String>,
    /// The bytes that an access token may have.
    pub token_alphabet: TokenAlphabet,
    /// What an answer without `expires_in` means.
    pub missing_lifetime: MissingLifetime,
    /// What `expires_in` 0 means.
    pub zero_lifetime: ZeroLifetime,
    /// Who may hold its credentials.
    pub exposure: Exposure,
    /// When its tokens are refreshed; none: by the default policy.
    pub policy: Option<RefreshPolicy>,
    /// In place of the token path for the refresh grant.
    pub refresh_path: Option<String>,
    /// The scope is sent with a refresh too.
    pub scope_on_refresh: bool,
    /// The `grant_type` of the extension grant.
    pub extension_grant: Option<String>,
    /// `client_id`, `client_secret`, `username`, `password` or `refresh_token`, and the name that the service has in its
    /// place.
    pub request_names: Option<Vec<NamedValue>>,
    /// Parameters of its own, in the order in which they are sent.
    pub parameters: Option<Vec<TokenParameter>>,
    /// Header fields of its own that its token requests carry. `{name}` in a value stands for one of the values of
    /// `Credentials`, `{access_token}` for the access token that is held, whether it has ended or not: without one the
    /// field is left out.
    pub headers: Option<Vec<NamedValue>>,
    /// The field that carries its tokens to the API; none: `Authorization: Bearer`.
    pub header: Option<TokenHeader>,
    /// Statuses of the API that mean what 401 means.
    pub expired_status: Option<Vec<u16>>,
}

/// A name and its value.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct NamedValue {
    /// The name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A parameter of a service's own, such as `audience` and `resource`.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct TokenParameter {
    /// Its name.
    pub name: String,
    /// Its value; `{name}` in it stands for one of the values of `Credentials`, `{access_token}` for the access token
    /// that is held, whether it has ended or not: without one the parameter is left out.
    pub value: String,
    /// What it is sent with.
    #[uniffi(default = None)]
    pub target: Option<ParameterTarget>,
}

/// A request that a parameter is sent with; none: every request to the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum ParameterTarget {
    /// The request with the primary grant. A site token has no parameters.
    Primary,
    /// The refresh.
    Refresh,
    /// The authorization URL that a browser opens (RFC 6749 section 4.1.1).
    Authorization,
    /// The device authorization request (RFC 8628 section 3.1).
    Device,
    /// The exchange of a code (RFC 6749 section 4.1.3, RFC 8628 section 3.4).
    Code,
    /// The revocation of a token (RFC 7009 section 2.1).
    Revocation,
}

/// The header field that carries a service's tokens to its API.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct TokenHeader {
    /// The field's name.
    #[uniffi(default = "Authorization")]
    pub name: String,
    /// What stands in front of the token, before a space; empty: the value is the token alone.
    #[uniffi(default = "Bearer")]
    pub scheme: String,
}

/// Whose token it is, as far as that is known only at run time. What is given here wins over the provider's.
#[derive(Clone, Debug, Default, PartialEq, Eq, uniffi::Record)]
pub struct TokenIdentity {
    /// The site that the token stands for; none: the client itself.
    #[uniffi(default = None)]
    pub site: Option<String>,
    /// Scheme and authority of the token endpoint; a path may follow.
    #[uniffi(default = None)]
    pub base_url: Option<String>,
    /// The environment.
    #[uniffi(default = None)]
    pub environment: Option<String>,
    /// A name of the app's own, such as a user or a client id: two people at one service must not restore each other's
    /// state.
    #[uniffi(default = None)]
    pub account: Option<String>,
}

/// An error code of a service and the standard one that it stands for.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct TokenErrorCode {
    /// The service's own.
    pub service: String,
    /// The one of RFC 6749 section 5.2.
    pub standard: String,
}

/// A member of an answer: its name in RFC 6749 and the service's own.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct TokenMember {
    /// The one of RFC 6749 sections 5.1 and 5.2.
    pub standard: String,
    /// The service's own.
    pub service: String,
}

/// A member of an answer that says when the access token ends: a time since 1970.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct TokenExpiresAt {
    /// Its name.
    pub member: String,
    /// It is in milliseconds; else it is in seconds.
    #[uniffi(default = false)]
    pub milliseconds: bool,
}

/// An endpoint and the token that opens it.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct TokenRoute {
    /// The method, compared with case.
    pub method: String,
    /// The path: `{site}` is the identity's own site, any other `{name}` one segment.
    pub path: String,
    /// A token of a site opens it; else one of the client itself.
    #[uniffi(default = false)]
    pub of_site: bool,
}

/// When tokens are refreshed and how failures are spaced. `Ms` are milliseconds, `S` seconds, `permille` thousandths of
/// the lifetime.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct RefreshPolicy {
    /// A refresh is due after this part of the lifetime.
    pub fraction_permille: u32,
    /// A token is not sent in the last part of its life: this much, at most a tenth of the lifetime.
    pub margin_ms: u64,
    /// No refresh sooner than this after a token was asked for; so long a 401 is not the token's fault.
    pub min_interval_ms: u64,
    /// A refresh comes up to this part of the lifetime earlier, by a draw; 0 turns every draw off.
    pub jitter_permille: u32,
    /// The first request waits up to this long after the manager was made, by a draw.
    pub startup_spread_ms: u64,
    /// A request without an answer has failed after this time.
    pub response_timeout_ms: u64,
    /// The wait after the first failure without a usable token; it doubles with each further failure.
    pub first_backoff_ms: u64,
    /// The longest wait after a failure.
    pub max_backoff_ms: u64,
    /// A server's lifetime counts up to this.
    pub max_lifetime_s: u64,
    /// After this many refusals without a code of RFC 6749 the primary grant has its turn or, if there is none, the
    /// refresh token is given up.
    pub refresh_attempts: u32,
    /// Ask again after an hour when the service refuses the client, the scope or the request; never with a password. Turn
    /// it off where the credentials come from somebody who would be asked each time.
    pub recheck: bool,
}

/// The providers that come with the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum TokenPreset {
    /// Flip Utility with an OAuth client, for development and tests. Servers only.
    FlipUtilitySandbox,
    /// Flip Utility with an OAuth client, for real. Servers only.
    FlipUtilityProduction,
    /// Flip Utility with a static API key `fl_…`, for development and tests. Servers only.
    FlipUtilityApiKeySandbox,
    /// Flip Utility with a static API key `fl_…`, for real. Servers only.
    FlipUtilityApiKeyProduction,
    /// Flip Energy with a client token that never expires and opens every site. Servers only. It needs a base URL.
    FlipEnergyClient,
    /// Flip Energy with a token for one site, which lives an hour, on a server that has the client token too. It needs a
    /// base URL and a site.
    FlipEnergySite,
    /// Flip Energy with a token for one site, which lives an hour, in an app whose own backend hands it out. It needs a
    /// base URL and a site.
    FlipEnergySiteByBackend,
    /// Flume: the user's own client and password, then refresh tokens.
    Flume,
    /// Oracle Utilities Opower. Servers only. It needs a base URL, the host of the tier.
    Opower,
    /// Flute's sandbox: client credentials, then refresh tokens. Servers only.
    FluteSandbox,
    /// Flute, for real. Servers only.
    FluteProduction,
}

/// How a token is obtained (RFC 6749 sections 4 and 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum TokenGrant {
    /// RFC 6749 section 4.4.
    ClientCredentials,
    /// RFC 6749 section 4.3. RFC 9700 section 2.4 forbids it: only for a service that has no other.
    Password,
    /// RFC 6749 section 6.
    RefreshToken,
    /// A `POST` with a client token as Bearer that answers a token for one site.
    SiteToken,
    /// RFC 6749 section 4.5: `extensionGrant` of the provider names it, and what it presents are `parameters`.
    Extension,
}

/// How the client authenticates to the token endpoint (RFC 6749 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum ClientAuthentication {
    /// `client_secret_basic`: the `Authorization` field, id and secret form-encoded first (section 2.3.1).
    Basic,
    /// The `Authorization` field with id and secret as they are, for the services that document it.
    BasicRaw,
    /// `client_secret_post`: id and secret in the body.
    Post,
    /// A token that another manager keeps, as Bearer.
    Bearer,
    /// `none`: a public client sends its id alone, in the body.
    PublicClient,
    /// The `Authorization` field with the id, form-encoded first, and an empty secret (section 2.3.1).
    BasicId,
    /// Nobody: neither an id nor a secret is sent.
    Nobody,
    /// `client_secret_jwt`: an assertion in the body that the secret signs (RFC 7523 section 2.2), by HMAC-SHA-256.
    ClientSecretJwt,
    /// `private_key_jwt`: an assertion in the body that a key of the client's signs (RFC 7523 section 2.2): the `signer` of
    /// its credentials.
    PrivateKeyJwt,
}

/// How a key signs (RFC 7518 section 3.1, RFC 8037 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum SignatureAlgorithm {
    /// ECDSA on the curve P-256 with SHA-256, as a Secure Enclave and Android's keystore have it: the two numbers in 64
    /// bytes, or in DER.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, by a key of 2,048 bits or more.
    Rs256,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and 32 bytes of salt, by a key of 2,048 bits or more.
    Ps256,
    /// EdDSA by a key of Ed25519 or Ed448.
    EdDsa,
}

/// How a request's parameters, or an answer, are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded` (RFC 6749 Appendix B).
    Form,
    /// One JSON object of strings.
    Json,
}

/// The bytes that an access token may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum TokenAlphabet {
    /// `b64token` of RFC 6750 section 2.1.
    B64Token,
    /// 0x21–0x7E, for services whose tokens have more.
    Visible,
}

/// What an answer without `expires_in` means. Nothing is for ever unless that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum MissingLifetime {
    /// Until the `exp` of a JWT (RFC 7519 section 4.1.4); for another token so many seconds.
    JwtExpiry {
        /// 0: an hour.
        else_seconds: u64,
    },
    /// So many seconds.
    Assume {
        /// 0: an hour.
        seconds: u64,
    },
    /// The token has no end.
    Never,
    /// The answer is refused.
    Refuse,
}

/// What `expires_in` 0 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum ZeroLifetime {
    /// The token has expired: a failed refresh.
    Expired,
    /// The token has no end.
    Never,
}

/// Who may hold a provider's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Exposure {
    /// Servers and gateways with protected storage.
    ServerOnly,
    /// Apps too.
    AppAllowed,
}

/// A service of the caller's own: RFC 6749 to the letter, tokens for the origin of the base URL alone, credentials for
/// servers only.
#[uniffi::export]
#[must_use]
pub fn custom_provider(name: String) -> TokenProvider {
    TokenProvider { name, ..TokenProvider::of(&Provider::custom()) }
}

/// A provider of the core.
#[uniffi::export]
#[must_use]
pub fn preset_provider(preset: TokenPreset) -> TokenProvider {
    TokenProvider::of(preset.provider())
}

/// The policy of a provider that names none.
#[uniffi::export]
#[must_use]
pub fn default_policy() -> RefreshPolicy {
    RefreshPolicy::of(&tokenward::RefreshPolicy::DEFAULT)
}

impl TokenPreset {
    const fn provider(self) -> &'static Provider<'static> {
        match self {
            Self::FlipUtilitySandbox => &providers::FLIP_UTILITY_SANDBOX,
            Self::FlipUtilityProduction => &providers::FLIP_UTILITY_PRODUCTION,
            Self::FlipUtilityApiKeySandbox => &providers::FLIP_UTILITY_API_KEY_SANDBOX,
            Self::FlipUtilityApiKeyProduction => &providers::FLIP_UTILITY_API_KEY_PRODUCTION,
            Self::FlipEnergyClient => &providers::FLIP_ENERGY_CLIENT,
            Self::FlipEnergySite => &providers::FLIP_ENERGY_SITE,
            Self::FlipEnergySiteByBackend => &providers::FLIP_ENERGY_SITE_BY_BACKEND,
            Self::Flume => &providers::FLUME,
            Self::Opower => &providers::OPOWER,
            Self::FluteSandbox => &providers::FLUTE_SANDBOX,
            Self::FluteProduction => &providers::FLUTE_PRODUCTION,
        }
    }
}

same! {
    TokenGrant = Grant { ClientCredentials, Password, RefreshToken, SiteToken, Extension }
    TokenAlphabet = TokenAlphabet { B64Token, Visible }
    ZeroLifetime = ZeroLifetime { Expired, Never }
    Exposure = Exposure { ServerOnly, AppAllowed }
}

impl ClientAuthentication {
    const ALL: [Self; 9] = [
        Self::Basic,
        Self::BasicRaw,
        Self::Post,
        Self::Bearer,
        Self::PublicClient,
        Self::BasicId,
        Self::Nobody,
        Self::ClientSecretJwt,
        Self::PrivateKeyJwt,
    ];

    const fn core(self) -> &'static Authentication {
        match self {
            Self::Basic => Authentication::BASIC,
            Self::BasicRaw => Authentication::BASIC_RAW,
            Self::Post => Authentication::POST,
            Self::Bearer => Authentication::BEARER,
            Self::PublicClient => Authentication::NONE,
            Self::BasicId => Authentication::BASIC_ID,
            Self::Nobody => Authentication::NOBODY,
            Self::ClientSecretJwt => Authentication::CLIENT_SECRET_JWT,
            Self::PrivateKeyJwt => Authentication::PRIVATE_KEY_JWT,
        }
    }
}

impl SignatureAlgorithm {
    pub(crate) const fn core(self) -> &'static Algorithm {
        match self {
            Self::Es256 => Algorithm::ES256,
            Self::Rs256 => Algorithm::RS256,
            Self::Ps256 => Algorithm::PS256,
            Self::EdDsa => Algorithm::EDDSA,
        }
    }
}

impl BodyFormat {
    const ALL: [Self; 2] = [Self::Form, Self::Json];

    const fn core(self) -> &'static tokenward::parts::BodyFormat {
        match self {
            Self::Form => tokenward::parts::BodyFormat::FORM,
            Self::Json => tokenward::parts::BodyFormat::JSON,
        }
    }
}

impl MissingLifetime {
    const fn of(lifetime: tokenward::MissingLifetime<'_>) -> Self {
        match lifetime {
            tokenward::MissingLifetime::Told(else_seconds, _) => Self::JwtExpiry { else_seconds },
            tokenward::MissingLifetime::Assume(seconds) => Self::Assume { seconds },
            tokenward::MissingLifetime::Never => Self::Never,
            tokenward::MissingLifetime::Refuse => Self::Refuse,
        }
    }

    const fn core(self) -> tokenward::MissingLifetime<'static> {
        match self {
            Self::JwtExpiry { else_seconds } => {
                tokenward::MissingLifetime::Told(else_seconds, TokenExpiry::JWT)
            }
            Self::Assume { seconds } => tokenward::MissingLifetime::Assume(seconds),
            Self::Never => tokenward::MissingLifetime::Never,
            Self::Refuse => tokenward::MissingLifetime::Refuse,
        }
    }
}

/// Gives our policy for the core's and the reverse: a number that either has alone does not compile.
macro_rules! same_policy {
    ($($number:ident),+) => {
        impl RefreshPolicy {
            fn of(policy: &tokenward::RefreshPolicy) -> Self {
                let tokenward::RefreshPolicy { $($number),+ } = *policy;
                Self { $($number),+ }
            }

            fn core(&self) -> tokenward::RefreshPolicy {
                let Self { $($number),+ } = *self;
                tokenward::RefreshPolicy { $($number),+ }
            }
        }
    };
}

same_policy!(
    fraction_permille,
    margin_ms,
    min_interval_ms,
    jitter_permille,
    startup_spread_ms,
    response_timeout_ms,
    first_backoff_ms,
    max_backoff_ms,
    max_lifetime_s,
    refresh_attempts,
    recheck
);

impl TokenProvider {
    fn of(provider: &Provider<'_>) -> Self {
        let Provider {
            name,
            environment,
            base_url,
            token_path,
            api_origins,
            scope,
            error_codes,
            token_type_aliases,
            authorization_url,
            device_path,
            revocation_path,
            issuer,
            policy,
            authentication,
            body,
            answer,
            // The path tells.
            site: _,
            loopback_http,
            device_pkce,
            nested: Nested { reader: _, member_path, error_path },
            routes: Routes { table: _, rows },
            members: OwnMembers { reader: _, names, expires_at, expires_at_in_ms, refresh_expires_in },
            refresh_life: RefreshLife { rules, idle_s },
            missing_lifetime,
            zero_lifetime,
            token_alphabet,
            exposure,
            primary_grant,
            refresh_grant,
            any_https_origin,
            requests,
            header,
            expired_status,
        } = *provider;
        let Requests {
            writer: _,
            refresh_path,
            extension_grant,
            names: request_names,
            parameters,
            headers,
            scope_on_refresh,
        } = *requests.unwrap_or(&Requests::STANDARD);
        Self {
            name: name.to_owned(),
            environment: environment.map(str::to_owned),
            base_url: base_url.map(str::to_owned),
            token_path: token_path.map(str::to_owned),
            api_origins: api_origins.map(owned),
            any_https_origin,
            routes: rows.map(|rows| rows.iter().map(TokenRoute::of).collect()),
            loopback_http: loopback_http.is_some(),
            primary_grant: primary_grant.map(TokenGrant::of),
            refresh_grant,
            scope: scope.map(str::to_owned),
            authentication: authentication.and_then(|part| {
                ClientAuthentication::ALL.into_iter().find(|authentication| authentication.core() == part)
            }),
            body: body.and_then(|part| BodyFormat::ALL.into_iter().find(|format| format.core() == part)),
            answer: answer.map(|_| BodyFormat::Form),
            member_path: member_path.map(str::to_owned),
            error_path: error_path.map(str::to_owned),
            members: names.map(|names| names.iter().map(TokenMember::of).collect()),
            expires_at: expires_at
                .map(|member| TokenExpiresAt { member: member.to_owned(), milliseconds: expires_at_in_ms }),
            // An empty list: it is what an installed token says.
            refresh_expires_in: refresh_expires_in.map(owned).or(rules.map(|_| Vec::new())),
            refresh_idle_s: (idle_s != 0).then_some(idle_s),
            error_codes: error_codes.map(|codes| codes.iter().map(TokenErrorCode::of).collect()),
            token_type_aliases: token_type_aliases.map(owned),
            authorization_url: authorization_url.map(str::to_owned),
            device_path: device_path.map(str::to_owned),
            device_pkce: device_pkce.is_some(),
            revocation_path: revocation_path.map(str::to_owned),
            issuer: issuer.map(str::to_owned),
            token_alphabet: TokenAlphabet::of(token_alphabet),
            missing_lifetime: MissingLifetime::of(missing_lifetime),
            zero_lifetime: ZeroLifetime::of(zero_lifetime),
            exposure: Exposure::of(exposure),
            policy: policy.map(RefreshPolicy::of),
            refresh_path: refresh_path.map(str::to_owned),
            scope_on_refresh,
            extension_grant: extension_grant.map(str::to_owned),
            request_names: request_names.map(NamedValue::all),
            parameters: parameters.map(|list| list.iter().map(TokenParameter::of).collect()),
            headers: headers.map(NamedValue::all),
            header: header
                .map(|header| TokenHeader { name: header.name.to_owned(), scheme: header.scheme.to_owned() }),
            expired_status: expired_status.map(<[u16]>::to_vec),
        }
    }

    /// The provider that it stands for, whose parts live in `arena`.
    pub(crate) fn in_arena<'a>(&self, arena: &'a Bump) -> &'a Provider<'a> {
        let Self {
            name,
            environment,
            base_url,
            token_path,
            api_origins,
            any_https_origin,
            routes,
            loopback_http,
            primary_grant,
            refresh_grant,
            scope,
            authentication,
            body,
            answer,
            member_path,
            error_path,
            members,
            expires_at,
            refresh_expires_in,
            refresh_idle_s,
            error_codes,
            token_type_aliases,
            authorization_url,
            device_path,
            device_pkce,
            revocation_path,
            issuer,
            token_alphabet,
            missing_lifetime,
            zero_lifetime,
            exposure,
            policy,
            refresh_path,
            scope_on_refresh,
            extension_grant,
            request_names,
            parameters,
            headers,
            header,
            expired_status,
        } = self;
        let text = |text: &String| -> &'a str { arena.alloc_str(text) };
        let texts =
            |list: &Vec<String>| -> &'a [&'a str] { arena.alloc_slice_fill_iter(list.iter().map(text)) };
        let policy = policy.as_ref().map_or(tokenward::RefreshPolicy::DEFAULT, RefreshPolicy::core);
        let named = |list: &Vec<NamedValue>| -> &'a [(&'a str, &'a str)] {
            arena.alloc_slice_fill_iter(
                list.iter().map(|NamedValue { name, value }| (text(name), text(value))),
            )
        };
        let requests = Requests {
            refresh_path: refresh_path.as_ref().map(text),
            extension_grant: extension_grant.as_ref().map(text),
            names: request_names.as_ref().map(named),
            parameters: parameters.as_ref().map(|list| -> &'a [tokenward::Parameter<'a>] {
                arena.alloc_slice_fill_iter(list.iter().map(|TokenParameter { name, value, target }| {
                    let target = target.map_or(tokenward::Target::Token, ParameterTarget::core);
                    tokenward::Parameter { name: text(name), value: text(value), target }
                }))
            }),
            headers: headers.as_ref().map(named),
            scope_on_refresh: *scope_on_refresh,
            ..Requests::STANDARD
        };
        let refresh_names = refresh_expires_in.as_ref().filter(|names| !names.is_empty());
        let is_nested = member_path.is_some() || error_path.is_some();
        let (member_path, error_path) = (member_path.as_ref().map(text), error_path.as_ref().map(text));
        arena.alloc(Provider {
            name: text(name),
            environment: environment.as_ref().map(text),
            base_url: base_url.as_ref().map(text),
            token_path: token_path.as_ref().map(text),
            api_origins: api_origins.as_ref().map(texts),
            scope: scope.as_ref().map(text),
            error_codes: error_codes.as_ref().map(|codes| -> &'a [(&'a str, &'a str)] {
                arena.alloc_slice_fill_iter(codes.iter().map(|code| {
                    let TokenErrorCode { service, standard } = code;
                    (text(service), text(standard))
                }))
            }),
            token_type_aliases: token_type_aliases.as_ref().map(texts),
            authorization_url: authorization_url.as_ref().map(text),
            device_path: device_path.as_ref().map(text),
            revocation_path: revocation_path.as_ref().map(text),
            issuer: issuer.as_ref().map(text),
            policy: Some(arena.alloc(policy)),
            authentication: authentication.map(ClientAuthentication::core),
            body: body.map(BodyFormat::core),
            answer: answer.filter(|format| *format == BodyFormat::Form).map(|_| AnswerFormat::FORM),
            site: token_path
                .as_ref()
                .is_some_and(|path| path.contains("{site}"))
                .then_some(SitePath::SEGMENT),
            loopback_http: loopback_http.then_some(LoopbackHttp::ALLOWED),
            device_pkce: device_pkce.then_some(DevicePkce::S256),
            nested: if is_nested { Nested::at(member_path, error_path) } else { Nested::NONE },
            routes: routes.as_ref().map_or(Routes::NONE, |rows| {
                Routes::table(arena.alloc_slice_fill_iter(rows.iter().map(|row| {
                    let TokenRoute { method, path, of_site } = row;
                    Route { method: text(method), path: text(path), of_site: *of_site }
                })))
            }),
            members: OwnMembers {
                names: members.as_ref().map(|names| -> &'a [(&'a str, &'a str)] {
                    arena.alloc_slice_fill_iter(names.iter().map(|name| {
                        let TokenMember { standard, service } = name;
                        (text(standard), text(service))
                    }))
                }),
                expires_at: expires_at.as_ref().map(|at| text(&at.member)),
                expires_at_in_ms: expires_at.as_ref().is_some_and(|at| at.milliseconds),
                refresh_expires_in: refresh_names.map(texts),
                ..if members.is_some() || expires_at.is_some() || refresh_names.is_some() {
                    OwnMembers::FOUND
                } else {
                    OwnMembers::NONE
                }
            },
            refresh_life: RefreshLife {
                idle_s: refresh_idle_s.unwrap_or(0),
                ..if refresh_expires_in.is_some() || refresh_idle_s.is_some() {
                    RefreshLife::KNOWN
                } else {
                    RefreshLife::NONE
                }
            },
            missing_lifetime: missing_lifetime.core(),
            zero_lifetime: zero_lifetime.core(),
            token_alphabet: token_alphabet.core(),
            exposure: exposure.core(),
            primary_grant: primary_grant.map(TokenGrant::core),
            refresh_grant: *refresh_grant,
            any_https_origin: *any_https_origin,
            requests: (requests != Requests::STANDARD).then(|| &*arena.alloc(requests)),
            header: header.as_ref().map(|TokenHeader { name, scheme }| {
                &*arena.alloc(tokenward::TokenHeader { name: text(name), scheme: text(scheme) })
            }),
            expired_status: expired_status.as_ref().map(|statuses| &*arena.alloc_slice_copy(statuses)),
        })
    }
}

impl TokenIdentity {
    /// The identity that it stands for, whose texts live in `arena`.
    pub(crate) fn in_arena<'a>(&self, arena: &'a Bump) -> tokenward::Identity<'a> {
        let Self { site, base_url, environment, account } = self;
        let text = |text: &String| -> &'a str { arena.alloc_str(text) };
        tokenward::Identity {
            environment: environment.as_ref().map(text),
            base_url: base_url.as_ref().map(text),
            account: account.as_ref().map(text),
            site: site.as_ref().map(text),
        }
    }
}

impl NamedValue {
    fn all(pairs: &[(&str, &str)]) -> Vec<Self> {
        let pair =
            |(name, value): &(&str, &str)| Self { name: (*name).to_owned(), value: (*value).to_owned() };
        pairs.iter().map(pair).collect()
    }
}

impl TokenParameter {
    fn of(parameter: &tokenward::Parameter<'_>) -> Self {
        let tokenward::Parameter { name, value, target } = *parameter;
        Self { name: name.to_owned(), value: value.to_owned(), target: ParameterTarget::of(target) }
    }
}

impl ParameterTarget {
    const fn of(target: tokenward::Target) -> Option<Self> {
        Some(match target {
            tokenward::Target::Token => return None,
            tokenward::Target::Primary => Self::Primary,
            tokenward::Target::Refresh => Self::Refresh,
            tokenward::Target::Authorization => Self::Authorization,
            tokenward::Target::Device => Self::Device,
            tokenward::Target::Code => Self::Code,
            tokenward::Target::Revocation => Self::Revocation,
        })
    }

    const fn core(self) -> tokenward::Target {
        match self {
            Self::Primary => tokenward::Target::Primary,
            Self::Refresh => tokenward::Target::Refresh,
            Self::Authorization => tokenward::Target::Authorization,
            Self::Device => tokenward::Target::Device,
            Self::Code => tokenward::Target::Code,
            Self::Revocation => tokenward::Target::Revocation,
        }
    }
}

impl TokenRoute {
    fn of(route: &Route<'_>) -> Self {
        let Route { method, path, of_site } = *route;
        Self { method: method.to_owned(), path: path.to_owned(), of_site }
    }
}

impl TokenMember {
    fn of((standard, service): &(&str, &str)) -> Self {
        Self { standard: (*standard).to_owned(), service: (*service).to_owned() }
    }
}

impl TokenErrorCode {
    fn of((service, standard): &(&str, &str)) -> Self {
        Self { service: (*service).to_owned(), standard: (*standard).to_owned() }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenward::{Exposure, Grant, MissingLifetime, RefreshPolicy, TokenAlphabet, ZeroLifetime};

    const PRESETS: [TokenPreset; 11] = [
        TokenPreset::FlipUtilitySandbox,
        TokenPreset::FlipUtilityProduction,
        TokenPreset::FlipUtilityApiKeySandbox,
        TokenPreset::FlipUtilityApiKeyProduction,
        TokenPreset::FlipEnergyClient,
        TokenPreset::FlipEnergySite,
        TokenPreset::FlipEnergySiteByBackend,
        TokenPreset::Flume,
        TokenPreset::Opower,
        TokenPreset::FluteSandbox,
        TokenPreset::FluteProduction,
    ];

    /// All that a provider says ([`Provider`] shows all of its fields), its policy spelled out.
    fn shown(provider: &Provider<'_>) -> String {
        format!("{:?}", Provider { policy: Some(provider.policy()), ..*provider })
    }

    #[track_caller]
    fn survives(provider: &Provider<'_>) {
        let (arena, record) = (Bump::new(), TokenProvider::of(provider));
        assert_eq!(shown(record.in_arena(&arena)), shown(provider));
    }

    #[test]
    fn every_preset_of_the_core_has_its_name_and_comes_through_and_back() {
        let named = PRESETS.map(|preset| shown(preset.provider()));
        let all: Vec<_> = providers::ALL.iter().map(|provider| shown(provider)).collect();
        assert_eq!(named.as_slice(), all);
        for preset in PRESETS {
            survives(preset.provider());
        }
        survives(&Provider::custom());
    }

    #[test]
    fn every_fact_of_a_custom_provider_comes_through_and_back() {
        let policy = RefreshPolicy {
            fraction_permille: 1,
            margin_ms: 2,
            min_interval_ms: 3,
            jitter_permille: 4,
            startup_spread_ms: 5,
            response_timeout_ms: 6,
            first_backoff_ms: 7,
            max_backoff_ms: 8,
            max_lifetime_s: 9,
            refresh_attempts: 10,
            recheck: false,
        };
        let rows = [Route::site("GET", "/a/{site}"), Route::client("POST", "/b")];
        let parameters: Vec<_> = tokenward::Target::ALL
            .iter()
            .map(|target| tokenward::Parameter::new("audience", "a").on(*target))
            .collect();
        let full = Provider {
            name: "name",
            environment: Some("environment"),
            base_url: Some("https://base.example"),
            token_path: Some("/token/{site}"),
            site: Some(SitePath::SEGMENT),
            api_origins: Some(&["https://a.example", "https://b.example"]),
            loopback_http: Some(LoopbackHttp::ALLOWED),
            primary_grant: Some(Grant::SiteToken),
            refresh_grant: true,
            scope: Some("scope"),
            nested: Nested::at(Some("data[0]"), Some("detailed[0]")),
            members: OwnMembers {
                names: Some(&[("access_token", "token"), ("scope", "scopes")]),
                expires_at: Some("expires"),
                expires_at_in_ms: true,
                refresh_expires_in: Some(&["refresh_expires_in", "refresh_life"]),
                ..OwnMembers::FOUND
            },
            refresh_life: RefreshLife { idle_s: 5, ..RefreshLife::KNOWN },
            error_codes: Some(&[("own", "invalid_grant"), ("other", "invalid_client")]),
            token_type_aliases: Some(&["Access", "Key"]),
            authorization_url: Some("https://base.example/authorize?a=b"),
            device_path: Some("/device"),
            revocation_path: Some("/revoke"),
            issuer: Some("https://base.example"),
            routes: Routes::table(&rows),
            any_https_origin: true,
            policy: Some(&policy),
            requests: Some(&Requests {
                refresh_path: Some("/refresh"),
                extension_grant: Some("app"),
                names: Some(&[("client_id", "clientId")]),
                parameters: Some(&parameters),
                headers: Some(&[("x-api-key", "{key}")]),
                scope_on_refresh: true,
                ..Requests::STANDARD
            }),
            header: Some(&tokenward::TokenHeader { name: "X-API-Key", scheme: "" }),
            expired_status: Some(&[403, 419]),
            ..Provider::custom()
        };
        survives(&full);
        for authentication in Authentication::ALL {
            survives(&Provider { authentication: Some(authentication), ..full });
        }
        for body in tokenward::parts::BodyFormat::ALL {
            survives(&Provider { body: Some(body), ..full });
        }
        for device_pkce in DevicePkce::ALL {
            survives(&Provider { device_pkce: Some(device_pkce), ..full });
        }
        for answer in AnswerFormat::ALL {
            survives(&Provider { answer: Some(answer), ..full });
        }
        for grant in Grant::ALL {
            survives(&Provider { primary_grant: Some(*grant), ..full });
        }
        for token_alphabet in [TokenAlphabet::B64Token, TokenAlphabet::Visible] {
            survives(&Provider { token_alphabet, ..full });
        }
        for zero_lifetime in [ZeroLifetime::Expired, ZeroLifetime::Never] {
            survives(&Provider { zero_lifetime, ..full });
        }
        for exposure in [Exposure::ServerOnly, Exposure::AppAllowed] {
            survives(&Provider { exposure, ..full });
        }
        for missing_lifetime in [
            MissingLifetime::jwt_expiry(11),
            MissingLifetime::Assume(12),
            MissingLifetime::Never,
            MissingLifetime::Refuse,
        ] {
            survives(&Provider { missing_lifetime, ..full });
        }
        let seconds = OwnMembers { expires_at: Some("expires_on"), ..OwnMembers::FOUND };
        survives(&Provider { members: seconds, ..full });
        survives(&Provider { members: OwnMembers::NONE, refresh_life: RefreshLife::KNOWN, ..full });
        survives(&Provider { refresh_life: RefreshLife::NONE, members: OwnMembers::NONE, ..full });
        survives(&Provider { nested: Nested::at(None, Some("detailed")), ..full });
        survives(&Provider { api_origins: Some(&[]), ..full });
        survives(&Provider { authentication: None, ..full });
    }
}
