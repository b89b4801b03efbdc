//! A token service as a struct of C.
//!
//! tokenward_init() reads the struct once, checks it, and keeps what it says in the manager. Lists of text
//! and the route table are not copied: the core reads them where they stand, as `&[&str]`, `&[(&str, &str)]`
//! and `&[Route]`. That a `tokenward_span` is laid out as the compiler lays out a `&str` is no promise of the
//! language; it is asserted below, when this is compiled, for the target that it is compiled for.

use core::ffi::c_char;
use core::mem::offset_of;

use tokenward::{
    ApiOrigins, BasicEncoding, BodyFormat, ClientAuthentication, Exposure, Grant, MissingLifetime, Provider,
    RefreshPolicy, Route, Subject, TokenAlphabet, TokenKind, ZeroLifetime,
};

use crate::edge::{Edge, Plain, tokenward_span};
use crate::result::*;

/// Where a provider's tokens may be sent: `TOKENWARD_ORIGINS_*`. `https` only, but for loopback where it is
/// allowed.
pub type tokenward_origins = i32;
/// Every `https` origin.
pub const TOKENWARD_ORIGINS_ANY_HTTPS: i32 = 0;
/// The origin of the provider's `base_url`.
pub const TOKENWARD_ORIGINS_BASE_URL: i32 = 1;
/// Those of the list `api_origins`.
pub const TOKENWARD_ORIGINS_LISTED: i32 = 2;

/// How a token is obtained: `TOKENWARD_GRANT_*`.
pub type tokenward_grant = i32;
/// None.
pub const TOKENWARD_GRANT_NONE: i32 = 0;
/// RFC 6749 section 4.4.
pub const TOKENWARD_GRANT_CLIENT_CREDENTIALS: i32 = 1;
/// RFC 6749 section 4.3. RFC 9700 section 2.4 forbids it: only for a service that has no other.
pub const TOKENWARD_GRANT_PASSWORD: i32 = 2;
/// RFC 6749 section 6.
pub const TOKENWARD_GRANT_REFRESH_TOKEN: i32 = 3;
/// A `POST` with a client token as Bearer that answers a token for one site.
pub const TOKENWARD_GRANT_SITE_TOKEN: i32 = 4;

/// How the client authenticates to the token endpoint (RFC 6749 section 2.3): `TOKENWARD_AUTHENTICATION_*`.
pub type tokenward_authentication = i32;
/// The `Authorization` field, id and secret form-encoded first (RFC 6749 section 2.3.1).
pub const TOKENWARD_AUTHENTICATION_BASIC: i32 = 0;
/// The `Authorization` field, id and secret as they are: what `curl -u` sends.
pub const TOKENWARD_AUTHENTICATION_BASIC_RAW: i32 = 1;
/// Id and secret in the body.
pub const TOKENWARD_AUTHENTICATION_POST: i32 = 2;
/// A token that another manager keeps.
pub const TOKENWARD_AUTHENTICATION_BEARER: i32 = 3;
/// A public client: the id alone, in the body.
pub const TOKENWARD_AUTHENTICATION_NONE: i32 = 4;

/// How a request's parameters are written: `TOKENWARD_BODY_*`.
pub type tokenward_body = i32;
/// `application/x-www-form-urlencoded` (RFC 6749 Appendix B).
pub const TOKENWARD_BODY_FORM: i32 = 0;
/// One JSON object of strings.
pub const TOKENWARD_BODY_JSON: i32 = 1;

/// The bytes that an access token may have: `TOKENWARD_ALPHABET_*`.
pub type tokenward_alphabet = i32;
/// `b64token` of RFC 6750 section 2.1.
pub const TOKENWARD_ALPHABET_B64TOKEN: i32 = 0;
/// 0x21 to 0x7E, for services whose tokens have more.
pub const TOKENWARD_ALPHABET_VISIBLE: i32 = 1;

/// What an answer without `expires_in` means: `TOKENWARD_LIFETIME_*`.
pub type tokenward_missing_lifetime = i32;
/// Until the `exp` of a JWT, if the answer comes with a wall clock; else `missing_lifetime_s`.
pub const TOKENWARD_LIFETIME_JWT_EXPIRY: i32 = 0;
/// `missing_lifetime_s`.
pub const TOKENWARD_LIFETIME_ASSUME: i32 = 1;
/// The token has no end.
pub const TOKENWARD_LIFETIME_NEVER: i32 = 2;
/// The answer is refused.
pub const TOKENWARD_LIFETIME_REFUSE: i32 = 3;

/// What `expires_in` 0 means: `TOKENWARD_ZERO_*`.
pub type tokenward_zero_lifetime = i32;
/// The token is over: a failed refresh.
pub const TOKENWARD_ZERO_EXPIRED: i32 = 0;
/// The token has no end.
pub const TOKENWARD_ZERO_NEVER: i32 = 1;

/// Whom a token stands for, as a kind: `TOKENWARD_TOKEN_*`.
pub type tokenward_token_kind = i32;
/// The client itself.
pub const TOKENWARD_TOKEN_CLIENT: i32 = 0;
/// One site.
pub const TOKENWARD_TOKEN_SITE: i32 = 1;

/// Who may hold a provider's credentials: `TOKENWARD_EXPOSURE_*`. For the caller to read; nothing here
/// enforces it.
pub type tokenward_exposure = i32;
/// Servers and gateways with protected storage.
pub const TOKENWARD_EXPOSURE_SERVER_ONLY: i32 = 0;
/// Apps too.
pub const TOKENWARD_EXPOSURE_APP_ALLOWED: i32 = 1;

/// When a token is refreshed and how failures are spaced. Start from #TOKENWARD_POLICY_DEFAULT: each number
/// counts as it stands. Zeros throughout are the default too.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_policy {
    /// [`RefreshPolicy::margin_ms`].
    pub margin_ms: u64,
    /// [`RefreshPolicy::min_interval_ms`].
    pub min_interval_ms: u64,
    /// [`RefreshPolicy::startup_spread_ms`].
    pub startup_spread_ms: u64,
    /// [`RefreshPolicy::response_timeout_ms`].
    pub response_timeout_ms: u64,
    /// [`RefreshPolicy::first_backoff_ms`].
    pub first_backoff_ms: u64,
    /// [`RefreshPolicy::max_backoff_ms`].
    pub max_backoff_ms: u64,
    /// [`RefreshPolicy::max_lifetime_s`].
    pub max_lifetime_s: u64,
    /// [`RefreshPolicy::fraction_permille`].
    pub fraction_permille: u32,
    /// [`RefreshPolicy::jitter_permille`].
    pub jitter_permille: u32,
    /// [`RefreshPolicy::refresh_attempts`].
    pub refresh_attempts: u32,
    /// [`RefreshPolicy::shared_storage`].
    pub shared_storage: i32,
}

impl tokenward_policy {
    const fn of(policy: &RefreshPolicy) -> Self {
        Self {
            margin_ms: policy.margin_ms,
            min_interval_ms: policy.min_interval_ms,
            startup_spread_ms: policy.startup_spread_ms,
            response_timeout_ms: policy.response_timeout_ms,
            first_backoff_ms: policy.first_backoff_ms,
            max_backoff_ms: policy.max_backoff_ms,
            max_lifetime_s: policy.max_lifetime_s,
            fraction_permille: policy.fraction_permille,
            jitter_permille: policy.jitter_permille,
            refresh_attempts: policy.refresh_attempts,
            shared_storage: policy.shared_storage as i32,
        }
    }

    fn to_core(self) -> RefreshPolicy {
        RefreshPolicy {
            fraction_permille: self.fraction_permille,
            margin_ms: self.margin_ms,
            min_interval_ms: self.min_interval_ms,
            jitter_permille: self.jitter_permille,
            startup_spread_ms: self.startup_spread_ms,
            response_timeout_ms: self.response_timeout_ms,
            first_backoff_ms: self.first_backoff_ms,
            max_backoff_ms: self.max_backoff_ms,
            max_lifetime_s: self.max_lifetime_s,
            refresh_attempts: self.refresh_attempts,
            shared_storage: self.shared_storage != 0,
        }
    }
}

/// A policy is made of so many words, without padding.
const POLICY_WORDS: usize = 18;
const _: () = assert!(size_of::<tokenward_policy>() == POLICY_WORDS * size_of::<u32>());

/// A name and its value: a service's own error code and the standard one that it stands for, or a parameter
/// of a request.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_pair {
    /// The name.
    pub name: tokenward_span,
    /// Its value.
    pub value: tokenward_span,
}

/// An endpoint and the kind of token that opens it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_route {
    /// The method, compared with case.
    pub method: tokenward_span,
    /// The path: `{site}` is the subject's own site, any other `{name}` one segment.
    pub path: tokenward_span,
    /// `TOKENWARD_TOKEN_*`: the kind of token.
    pub token: tokenward_token_kind,
}

/// A token service: all that tells one from another. Presets fill it; another service is one more value,
/// in flash or in RAM. Zeros and NULLs are the defaults (RFC 6749 to the letter), but for names and URLs.
///
/// tokenward_init() reads it, so it may go out of scope then. What its spans and lists point to must live,
/// and stay as it is, for as long as the manager.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_provider {
    /// Its name, a part of a token's identity.
    pub name: tokenward_span,
    /// Its environment (`sandbox`, `production`), a part of a token's identity.
    pub environment: tokenward_span,
    /// Scheme and authority of the token endpoint; a path may follow. A part of a token's identity.
    pub base_url: tokenward_span,
    /// Follows `base_url`; `{site}` stands for the subject's site. A part of a token's identity.
    pub token_path: tokenward_span,
    /// The scope to ask for; empty for none.
    pub scope: tokenward_span,
    /// Where the token's members stand in an answer, such as `data[0]`; empty for the top object.
    pub member_path: tokenward_span,
    /// Where an error code stands if there is no top-level `error`, such as `detailed[0]`; empty for nowhere.
    pub error_path: tokenward_span,
    /// The origins of #TOKENWARD_ORIGINS_LISTED.
    pub api_origins: *const tokenward_span,
    /// How many there are.
    pub api_origin_count: usize,
    /// The grants it knows; the first that is not #TOKENWARD_GRANT_REFRESH_TOKEN is the primary one. Without
    /// #TOKENWARD_GRANT_REFRESH_TOKEN no refresh token is read. Read once: it need not live on.
    pub grants: *const tokenward_grant,
    /// How many there are.
    pub grant_count: usize,
    /// The service's own error codes and the standard ones that they stand for.
    pub error_codes: *const tokenward_pair,
    /// How many there are.
    pub error_code_count: usize,
    /// Values of `token_type` that mean Bearer.
    pub token_type_aliases: *const tokenward_span,
    /// How many there are.
    pub token_type_alias_count: usize,
    /// Which token opens which endpoint; none: every path of the origins.
    pub routes: *const tokenward_route,
    /// How many there are.
    pub route_count: usize,
    /// `TOKENWARD_ORIGINS_*`: where its tokens may be sent.
    pub origins: tokenward_origins,
    /// Not 0: plain `http` to the loopback interface is allowed, for tests.
    pub allow_loopback_http: i32,
    /// `TOKENWARD_AUTHENTICATION_*`: how the client authenticates to the token endpoint.
    pub authentication: tokenward_authentication,
    /// `TOKENWARD_BODY_*`: how a request's parameters are written.
    pub body: tokenward_body,
    /// Not 0: an answer without `token_type` is refused.
    pub token_type_required: i32,
    /// `TOKENWARD_ALPHABET_*`: the bytes that an access token may have.
    pub token_alphabet: tokenward_alphabet,
    /// `TOKENWARD_ZERO_*`: what `expires_in` 0 means.
    pub zero_lifetime: tokenward_zero_lifetime,
    /// `TOKENWARD_EXPOSURE_*`: who may hold its credentials.
    pub exposure: tokenward_exposure,
    /// `TOKENWARD_LIFETIME_*`: what an answer without `expires_in` means.
    pub missing_lifetime: tokenward_missing_lifetime,
    /// The seconds of #TOKENWARD_LIFETIME_ASSUME and #TOKENWARD_LIFETIME_JWT_EXPIRY.
    pub missing_lifetime_s: u64,
    /// When its tokens are refreshed.
    pub policy: tokenward_policy,
}

// SAFETY: addresses and numbers; whoever follows the addresses vouches for them.
unsafe impl Sync for tokenward_provider {}
// SAFETY: raw pointers and integers.
unsafe impl Plain for tokenward_provider {}
// SAFETY: spans.
unsafe impl Plain for tokenward_pair {}
// SAFETY: spans and an integer.
unsafe impl Plain for tokenward_route {}

impl tokenward_provider {
    /// The struct for a value of the core.
    pub(crate) const fn of(provider: &Provider<'static>) -> Self {
        let (origins, listed): (_, &[&str]) = match provider.api_origins {
            ApiOrigins::AnyHttps => (TOKENWARD_ORIGINS_ANY_HTTPS, &[]),
            ApiOrigins::BaseUrl => (TOKENWARD_ORIGINS_BASE_URL, &[]),
            ApiOrigins::Listed(listed) => (TOKENWARD_ORIGINS_LISTED, listed),
        };
        let grants = c_grants(provider.grants);
        let (missing_lifetime, missing_lifetime_s) = match provider.missing_lifetime {
            MissingLifetime::JwtExpiry { else_seconds } => (TOKENWARD_LIFETIME_JWT_EXPIRY, else_seconds),
            MissingLifetime::Assume(seconds) => (TOKENWARD_LIFETIME_ASSUME, seconds),
            MissingLifetime::Never => (TOKENWARD_LIFETIME_NEVER, 0),
            MissingLifetime::Refuse => (TOKENWARD_LIFETIME_REFUSE, 0),
        };
        Self {
            name: tokenward_span::of(provider.name.as_bytes()),
            environment: tokenward_span::of(provider.environment.as_bytes()),
            base_url: tokenward_span::of(provider.base_url.as_bytes()),
            token_path: tokenward_span::of(provider.token_path.as_bytes()),
            scope: tokenward_span::of(provider.scope.as_bytes()),
            member_path: tokenward_span::of(provider.member_path.as_bytes()),
            error_path: tokenward_span::of(provider.error_path.as_bytes()),
            api_origins: listed.as_ptr().cast(),
            api_origin_count: listed.len(),
            grants: grants.as_ptr(),
            grant_count: grants.len(),
            error_codes: provider.error_codes.as_ptr().cast(),
            error_code_count: provider.error_codes.len(),
            token_type_aliases: provider.token_type_aliases.as_ptr().cast(),
            token_type_alias_count: provider.token_type_aliases.len(),
            routes: provider.routes.as_ptr().cast(),
            route_count: provider.routes.len(),
            origins,
            allow_loopback_http: provider.allow_loopback_http as i32,
            authentication: match provider.authentication {
                ClientAuthentication::Basic(BasicEncoding::Rfc6749Form) => TOKENWARD_AUTHENTICATION_BASIC,
                ClientAuthentication::Basic(BasicEncoding::Raw) => TOKENWARD_AUTHENTICATION_BASIC_RAW,
                ClientAuthentication::Post => TOKENWARD_AUTHENTICATION_POST,
                ClientAuthentication::Bearer => TOKENWARD_AUTHENTICATION_BEARER,
                ClientAuthentication::None => TOKENWARD_AUTHENTICATION_NONE,
            },
            body: match provider.body {
                BodyFormat::Form => TOKENWARD_BODY_FORM,
                BodyFormat::Json => TOKENWARD_BODY_JSON,
            },
            token_type_required: provider.token_type_required as i32,
            token_alphabet: match provider.token_alphabet {
                TokenAlphabet::B64Token => TOKENWARD_ALPHABET_B64TOKEN,
                TokenAlphabet::Visible => TOKENWARD_ALPHABET_VISIBLE,
            },
            zero_lifetime: match provider.zero_lifetime {
                ZeroLifetime::Expired => TOKENWARD_ZERO_EXPIRED,
                ZeroLifetime::Never => TOKENWARD_ZERO_NEVER,
            },
            exposure: match provider.exposure {
                Exposure::ServerOnly => TOKENWARD_EXPOSURE_SERVER_ONLY,
                Exposure::AppAllowed => TOKENWARD_EXPOSURE_APP_ALLOWED,
            },
            missing_lifetime,
            missing_lifetime_s,
            policy: tokenward_policy::of(&provider.policy),
        }
    }
}

/// A provider whose struct, texts, lists and numbers were checked.
#[derive(Clone, Copy)]
pub(crate) struct Described<'c> {
    given: &'c tokenward_provider,
    grants: &'static [Grant],
}

impl<'c> Described<'c> {
    pub(crate) fn fits(self, subject: Subject<'_>) -> bool {
        // SAFETY: these were read as text, with the same spans.
        let [base_url, token_path] =
            [self.given.base_url, self.given.token_path].map(|text| unsafe { text.checked_text() });
        subject.fits(base_url, token_path)
    }

    pub(crate) fn provider(self) -> Provider<'c> {
        let mut provider = Provider::custom();
        self.fill(&mut provider);
        provider
    }

    /// Describes the provider to the core, over one with the defaults. Field by field: as one value it is built on
    /// the stack, copied, and twice the code.
    #[inline(never)]
    pub(crate) fn fill(self, provider: &mut Provider<'c>) {
        let Self { given, grants } = self;
        // SAFETY: these were read as text, with the same spans.
        let text = |span: tokenward_span| unsafe { span.checked_text() };
        provider.name = text(given.name);
        provider.environment = text(given.environment);
        provider.base_url = text(given.base_url);
        provider.token_path = text(given.token_path);
        provider.scope = text(given.scope);
        provider.member_path = text(given.member_path);
        provider.error_path = text(given.error_path);
        provider.grants = grants;
        // SAFETY: each element was read, and is a pair of texts; the types are compared below.
        provider.error_codes = unsafe { checked_list(given.error_codes.cast(), given.error_code_count) };
        let aliases = given.token_type_aliases.cast();
        // SAFETY: each element was read, and is a text; the types are compared below.
        provider.token_type_aliases = unsafe { checked_list(aliases, given.token_type_alias_count) };
        // SAFETY: each element was read, and is two texts and a kind; the types are compared below.
        provider.routes = unsafe { checked_list(given.routes.cast(), given.route_count) };
        provider.api_origins = match given.origins {
            TOKENWARD_ORIGINS_ANY_HTTPS => ApiOrigins::AnyHttps,
            TOKENWARD_ORIGINS_BASE_URL => ApiOrigins::BaseUrl,
            _ => {
                let (origins, count) = (given.api_origins.cast(), given.api_origin_count);
                // SAFETY: each element was read, and is a text; the types are compared below.
                ApiOrigins::Listed(unsafe { checked_list(origins, count) })
            }
        };
        provider.allow_loopback_http = given.allow_loopback_http != 0;
        provider.authentication = match given.authentication {
            TOKENWARD_AUTHENTICATION_BASIC => ClientAuthentication::Basic(BasicEncoding::Rfc6749Form),
            TOKENWARD_AUTHENTICATION_BASIC_RAW => ClientAuthentication::Basic(BasicEncoding::Raw),
            TOKENWARD_AUTHENTICATION_POST => ClientAuthentication::Post,
            TOKENWARD_AUTHENTICATION_BEARER => ClientAuthentication::Bearer,
            _ => ClientAuthentication::None,
        };
        provider.body = match given.body {
            TOKENWARD_BODY_FORM => BodyFormat::Form,
            _ => BodyFormat::Json,
        };
        provider.token_type_required = given.token_type_required != 0;
        provider.token_alphabet = match given.token_alphabet {
            TOKENWARD_ALPHABET_B64TOKEN => TokenAlphabet::B64Token,
            _ => TokenAlphabet::Visible,
        };
        provider.missing_lifetime = match given.missing_lifetime {
            TOKENWARD_LIFETIME_JWT_EXPIRY => {
                MissingLifetime::JwtExpiry { else_seconds: given.missing_lifetime_s }
            }
            TOKENWARD_LIFETIME_ASSUME => MissingLifetime::Assume(given.missing_lifetime_s),
            TOKENWARD_LIFETIME_NEVER => MissingLifetime::Never,
            _ => MissingLifetime::Refuse,
        };
        provider.zero_lifetime = match given.zero_lifetime {
            TOKENWARD_ZERO_EXPIRED => ZeroLifetime::Expired,
            _ => ZeroLifetime::Never,
        };
        provider.exposure = match given.exposure {
            TOKENWARD_EXPOSURE_SERVER_ONLY => Exposure::ServerOnly,
            _ => Exposure::AppAllowed,
        };
        let policy_words = (&raw const given.policy).cast::<[u32; POLICY_WORDS]>();
        // SAFETY: as long as the struct, which is made of such words, without padding.
        if unsafe { *policy_words } != [0; POLICY_WORDS] {
            provider.policy = given.policy.to_core();
        }
    }
}

/// # Safety
/// NULL, or a list of so many values that a [`Described`] has checked.
unsafe fn checked_list<'c, T>(ptr: *const T, count: usize) -> &'c [T] {
    if ptr.is_null() {
        return &[];
    }
    // SAFETY: the caller's word.
    unsafe { core::slice::from_raw_parts(ptr, count) }
}

/// Texts at the front of a provider.
const TEXTS: usize = 7;

const ANY: i32 = -1;

/// The last of each enumeration, in the order of a provider's numbers; any number is true or false.
const LAST: [i32; 9] = [
    TOKENWARD_ORIGINS_LISTED,
    ANY,
    TOKENWARD_AUTHENTICATION_NONE,
    TOKENWARD_BODY_JSON,
    ANY,
    TOKENWARD_ALPHABET_VISIBLE,
    TOKENWARD_ZERO_NEVER,
    TOKENWARD_EXPOSURE_APP_ALLOWED,
    TOKENWARD_LIFETIME_REFUSE,
];

impl<'c> Edge<'c> {
    /// Checks the provider that the struct at `ptr` describes.
    #[inline(never)]
    pub(crate) fn described(&mut self, ptr: *const tokenward_provider) -> Result<Described<'c>, Fault> {
        let given = self.value(ptr)?;
        // SAFETY: the struct begins with them, as is asserted below.
        for text in unsafe { core::slice::from_raw_parts(ptr.cast::<tokenward_span>(), TEXTS) } {
            self.text(*text);
        }
        let grants = self.grants(given.grants, given.grant_count);
        self.pairs(given.error_codes, given.error_code_count);
        self.texts(given.token_type_aliases, given.token_type_alias_count);
        if given.origins == TOKENWARD_ORIGINS_LISTED {
            self.texts(given.api_origins, given.api_origin_count);
        }
        for route in self.list(given.routes, given.route_count) {
            self.listed_text(route.method);
            self.listed_text(route.path);
            self.one_of(route.token, TOKENWARD_TOKEN_SITE);
        }
        // SAFETY: so many numbers stand behind one another, as is asserted below.
        let numbers = unsafe { &*ptr.byte_add(offset_of!(tokenward_provider, origins)).cast::<[i32; 9]>() };
        for (number, last) in numbers.iter().zip(LAST) {
            self.one_of(*number, last);
        }
        self.checked()?;
        Ok(Described { given, grants })
    }

    /// A number of an enumeration that goes from 0 to `last`.
    fn one_of(&mut self, number: i32, last: i32) {
        if number.cast_unsigned() > last.cast_unsigned() {
            self.fail(TOKENWARD_ERR_OUT_OF_RANGE);
        }
    }

    /// A list of text. Its spans may not be NULL.
    fn texts(&mut self, ptr: *const tokenward_span, count: usize) {
        self.list(ptr, count).iter().for_each(|span| self.listed_text(*span));
    }

    /// A list of pairs of text. Their spans may not be NULL.
    pub(crate) fn pairs(&mut self, ptr: *const tokenward_pair, count: usize) -> &'c [(&'c str, &'c str)] {
        for pair in self.list(ptr, count) {
            self.listed_text(pair.name);
            self.listed_text(pair.value);
        }
        if self.checked().is_err() {
            return &[];
        }
        // SAFETY: each element is a pair of `&str` now: not NULL, alive for `'c`, UTF-8; the types are compared
        // below.
        unsafe { checked_list(ptr.cast(), count) }
    }

    fn listed_text(&mut self, span: tokenward_span) {
        if span.ptr.is_null() {
            self.fail(TOKENWARD_ERR_NULL);
        }
        self.text(span);
    }

    /// What a list of grants says: the primary one, and whether a refresh token is read.
    fn grants(&mut self, ptr: *const tokenward_grant, count: usize) -> &'static [Grant] {
        const REFRESH: [&[Grant]; 4] = [
            &[Grant::RefreshToken],
            &[Grant::ClientCredentials, Grant::RefreshToken],
            &[Grant::Password, Grant::RefreshToken],
            &[Grant::SiteToken, Grant::RefreshToken],
        ];
        let [none, client_credentials, password, site_token] = &REFRESH;
        let (mut primary, mut refresh) = (none, false);
        for number in self.list(ptr, count) {
            let named = match *number {
                TOKENWARD_GRANT_REFRESH_TOKEN => {
                    refresh = true;
                    continue;
                }
                TOKENWARD_GRANT_CLIENT_CREDENTIALS => client_credentials,
                TOKENWARD_GRANT_PASSWORD => password,
                TOKENWARD_GRANT_SITE_TOKEN => site_token,
                _ => {
                    self.fail(TOKENWARD_ERR_OUT_OF_RANGE);
                    none
                }
            };
            if primary.len() == 1 {
                primary = named;
            }
        }
        match primary.split_last() {
            Some((_, without)) if !refresh => without,
            _ => primary,
        }
    }
}

pub(crate) const OUT_OF_RANGE: Fault = Fault(TOKENWARD_ERR_OUT_OF_RANGE);

/// That what the lists of C are made of is laid out as what the core's lists are made of.
const _: () = {
    assert!(offset_of!(tokenward_provider, name) == 0);
    assert!(offset_of!(tokenward_provider, error_path) == (TEXTS - 1) * size_of::<tokenward_span>());
    let numbers = offset_of!(tokenward_provider, origins);
    assert!(
        offset_of!(tokenward_provider, missing_lifetime) == numbers + (LAST.len() - 1) * size_of::<i32>()
    );
    const LAID_OUT: &str = "laid out";
    const NAME: &str = "name";
    // A length where the span has its length, so an address where it has its address: two words are all.
    assert!(size_of::<&str>() == size_of::<tokenward_span>());
    assert!(align_of::<&str>() == align_of::<tokenward_span>());
    // SAFETY: of one size; integers and pointers, which any bits make.
    let span: tokenward_span = unsafe { core::mem::transmute(LAID_OUT) };
    assert!(span.len == LAID_OUT.len());

    assert!(size_of::<(&str, &str)>() == size_of::<tokenward_pair>());
    assert!(align_of::<(&str, &str)>() == align_of::<tokenward_pair>());
    // SAFETY: of one size; integers and pointers, which any bits make.
    let pair: tokenward_pair = unsafe { core::mem::transmute((NAME, LAID_OUT)) };
    assert!(pair.name.len == NAME.len() && pair.value.len == LAID_OUT.len());

    assert!(size_of::<Route<'_>>() == size_of::<tokenward_route>());
    assert!(align_of::<Route<'_>>() == align_of::<tokenward_route>());
    assert!(offset_of!(Route<'_>, method) == offset_of!(tokenward_route, method));
    assert!(offset_of!(Route<'_>, path) == offset_of!(tokenward_route, path));
    assert!(offset_of!(Route<'_>, token) == offset_of!(tokenward_route, token));
    assert!(size_of::<TokenKind>() == size_of::<tokenward_token_kind>());
    assert!(TokenKind::Client as i32 == TOKENWARD_TOKEN_CLIENT);
    assert!(TokenKind::Site as i32 == TOKENWARD_TOKEN_SITE);
};

pub(crate) fn grant(number: tokenward_grant) -> Result<Grant, Fault> {
    Ok(match number {
        TOKENWARD_GRANT_CLIENT_CREDENTIALS => Grant::ClientCredentials,
        TOKENWARD_GRANT_PASSWORD => Grant::Password,
        TOKENWARD_GRANT_REFRESH_TOKEN => Grant::RefreshToken,
        TOKENWARD_GRANT_SITE_TOKEN => Grant::SiteToken,
        _ => return Err(OUT_OF_RANGE),
    })
}

pub(crate) const fn grant_number(grant: Grant) -> tokenward_grant {
    match grant {
        Grant::ClientCredentials => TOKENWARD_GRANT_CLIENT_CREDENTIALS,
        Grant::Password => TOKENWARD_GRANT_PASSWORD,
        Grant::RefreshToken => TOKENWARD_GRANT_REFRESH_TOKEN,
        Grant::SiteToken => TOKENWARD_GRANT_SITE_TOKEN,
    }
}

/// The name of a grant, which is its `grant_type` where it has one: `client_credentials`.
///
/// May be called from any thread and from an interrupt handler.
///
/// @param[in] grant `TOKENWARD_GRANT_*`.
/// @return A string that lives as long as the program; `none` for #TOKENWARD_GRANT_NONE, `unknown` for a number
/// that is none.
#[unsafe(no_mangle)]
pub extern "C" fn tokenward_grant_name(grant: tokenward_grant) -> *const c_char {
    let name = match grant {
        TOKENWARD_GRANT_NONE => c"none",
        TOKENWARD_GRANT_CLIENT_CREDENTIALS => c"client_credentials",
        TOKENWARD_GRANT_PASSWORD => c"password",
        TOKENWARD_GRANT_REFRESH_TOKEN => c"refresh_token",
        TOKENWARD_GRANT_SITE_TOKEN => c"site_token",
        _ => c"unknown",
    };
    name.as_ptr()
}

/// The numbers for the grants of a preset.
const fn c_grants(grants: &[Grant]) -> &'static [tokenward_grant] {
    match grants {
        [] => &[],
        [Grant::ClientCredentials] => &[TOKENWARD_GRANT_CLIENT_CREDENTIALS],
        [Grant::SiteToken] => &[TOKENWARD_GRANT_SITE_TOKEN],
        [Grant::ClientCredentials, Grant::RefreshToken] => {
            &[TOKENWARD_GRANT_CLIENT_CREDENTIALS, TOKENWARD_GRANT_REFRESH_TOKEN]
        }
        [Grant::Password, Grant::RefreshToken] => &[TOKENWARD_GRANT_PASSWORD, TOKENWARD_GRANT_REFRESH_TOKEN],
        // Evaluated when this is compiled.
        _ => panic!("grants that no preset has had"),
    }
}
