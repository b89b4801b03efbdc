//! A token service as a struct of C, which is laid out as the core's own.
//!
//! tokenward_describe() checks the struct raw and lends the same address as a service: nothing is copied, and the core
//! reads texts, lists and parts where they stand. That they are laid out alike is no promise of the language but for
//! `repr(C)`; it is asserted below, when this is compiled, for the target that it is compiled for. A fact that is
//! missing here does not compile.

use core::alloc::Layout;
use core::ffi::c_char;
use core::mem::{MaybeUninit, offset_of, transmute};

use tokenward::{
    Error, Exposure, Grant, MissingLifetime, Nested, OwnMembers, Parameter, Provider, RefreshLife,
    RefreshPolicy, Requests, Route,
};
use tokenward::{Routes, Target, TokenAlphabet, TokenHeader, ZeroLifetime};

use crate::edge::{Edge, OUT_OF_RANGE, Plain, at_the_edge, tokenward_span};
use crate::parts::*;
use crate::result::*;

/// The version of structs and functions. The library returns #TOKENWARD_ERR_ABI to callers compiled with another
/// one.
pub const TOKENWARD_ABI_VERSION: u32 = 1;

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
/// A `POST` with a client token as Bearer, answered with a token for one site.
pub const TOKENWARD_GRANT_SITE_TOKEN: i32 = 4;
/// RFC 6749 section 4.5: `extension_grant` of #tokenward_provider names it, and what it presents are `parameters`.
pub const TOKENWARD_GRANT_EXTENSION: i32 = 5;

/// A request that a parameter is sent with: `TOKENWARD_TARGET_*`.
pub type tokenward_target = i32;
/// Every request to the token endpoint.
pub const TOKENWARD_TARGET_TOKEN: i32 = 0;
/// The request with the primary grant. A site token has no parameters.
pub const TOKENWARD_TARGET_PRIMARY: i32 = 1;
/// The refresh.
pub const TOKENWARD_TARGET_REFRESH: i32 = 2;
/// The authorization URL that a browser opens (RFC 6749 section 4.1.1).
pub const TOKENWARD_TARGET_AUTHORIZATION: i32 = 3;
/// The device authorization request (RFC 8628 section 3.1).
pub const TOKENWARD_TARGET_DEVICE: i32 = 4;
/// The exchange of a code (RFC 6749 section 4.1.3, RFC 8628 section 3.4).
pub const TOKENWARD_TARGET_CODE: i32 = 5;
/// The revocation of a token (RFC 7009 section 2.1).
pub const TOKENWARD_TARGET_REVOCATION: i32 = 6;

/// The bytes that an access token may have: `TOKENWARD_ALPHABET_*`.
pub type tokenward_alphabet = i32;
/// `b64token` of RFC 6750 section 2.1.
pub const TOKENWARD_ALPHABET_B64TOKEN: i32 = 0;
/// 0x21 to 0x7E, for services whose tokens have more.
pub const TOKENWARD_ALPHABET_VISIBLE: i32 = 1;

/// What an answer without `expires_in` means, as a kind: `TOKENWARD_LIFETIME_*`.
pub type tokenward_lifetime_kind = i32;
/// A number of seconds.
pub const TOKENWARD_LIFETIME_ASSUME: i32 = 0;
/// Until the token itself says that it expires, if the answer comes with the time of day; else a number of
/// seconds.
pub const TOKENWARD_LIFETIME_TOLD: i32 = 1;
/// The token does not expire.
pub const TOKENWARD_LIFETIME_NEVER: i32 = 2;
/// The answer is refused.
pub const TOKENWARD_LIFETIME_REFUSE: i32 = 3;

/// What `expires_in` 0 means: `TOKENWARD_ZERO_*`.
pub type tokenward_zero_lifetime = i32;
/// The token has expired: a failed refresh.
pub const TOKENWARD_ZERO_EXPIRED: i32 = 0;
/// The token does not expire.
pub const TOKENWARD_ZERO_NEVER: i32 = 1;

/// Who may hold a provider's credentials: `TOKENWARD_EXPOSURE_*`. For the caller to read; nothing here
/// enforces it.
pub type tokenward_exposure = i32;
/// Servers and gateways with protected storage.
pub const TOKENWARD_EXPOSURE_SERVER_ONLY: i32 = 0;
/// Apps too.
pub const TOKENWARD_EXPOSURE_APP_ALLOWED: i32 = 1;

/// When a token is refreshed and how failures are spaced. All zeroes are the default. In any other each number counts as
/// it stands: start from #TOKENWARD_POLICY_DEFAULT. tokenward_provider_check() refuses numbers that cannot work.
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
    /// [`RefreshPolicy::recheck`].
    pub recheck: MaybeUninit<bool>,
}

/// A name and its value: a service's own error code and the standard one that it stands for, the standard name of
/// a member and the service's own, or a parameter of a request.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_pair {
    /// The name.
    pub name: tokenward_span,
    /// Its value.
    pub value: tokenward_span,
}

/// A parameter of the service's own.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_parameter {
    /// Its name.
    pub name: tokenward_span,
    /// Its value; `{name}` in it stands for one of the `values` of #tokenward_additions, `{access_token}` for the
    /// access token that is held, whether it has ended or not: without one the parameter is left out.
    pub value: tokenward_span,
    /// `TOKENWARD_TARGET_*`: what it is sent with.
    pub target: tokenward_target,
}

/// A list of parameters. None of their texts has a NULL address.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_parameter_list {
    /// The first; NULL with 0 for none.
    pub ptr: *const tokenward_parameter,
    /// How many there are.
    pub len: usize,
}

/// What a service wants to be asked otherwise than RFC 6749 has it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_requests {
    /// What writes them: #tokenward_request_own.
    pub writer: *const tokenward_request_part,
    /// In place of the token path for the refresh grant.
    pub refresh_path: tokenward_span,
    /// The `grant_type` of #TOKENWARD_GRANT_EXTENSION.
    pub extension_grant: tokenward_span,
    /// `client_id`, `client_secret`, `username`, `password` or `refresh_token`, and the name in its place.
    pub names: tokenward_pair_list,
    /// Parameters of its own, in the order in which they are sent.
    pub parameters: tokenward_parameter_list,
    /// Header fields of its own: names and values. `{name}` in a value stands for one of the `values` of
    /// #tokenward_additions, `{access_token}` for the access token that is held, whether it has ended or not: without one
    /// the field is left out.
    pub headers: tokenward_pair_list,
    /// The scope is sent with a refresh too.
    pub scope_on_refresh: MaybeUninit<bool>,
}

/// The header field that carries a service's tokens to its API.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_token_header {
    /// The field's name. Its address is not NULL.
    pub name: tokenward_span,
    /// What stands in front of the token, before a space; empty: the value is the token alone. Its address is not NULL.
    pub scheme: tokenward_span,
}

/// A list of HTTP statuses.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_status_list {
    /// The first; NULL with 0 for none.
    pub ptr: *const u16,
    /// How many there are.
    pub len: usize,
}

/// An endpoint and the token that opens it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_route {
    /// The method, compared with case.
    pub method: tokenward_span,
    /// The path: `{site}` is the subject's own site, any other `{name}` one segment.
    pub path: tokenward_span,
    /// A token of a site opens it; else one of the client itself.
    pub of_site: MaybeUninit<bool>,
}

/// A list of texts. None has a NULL address.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_text_list {
    /// The first; NULL with 0 for none.
    pub ptr: *const tokenward_span,
    /// How many there are.
    pub len: usize,
}

/// A list of pairs. None of their texts has a NULL address.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_pair_list {
    /// The first; NULL with 0 for none.
    pub ptr: *const tokenward_pair,
    /// How many there are.
    pub len: usize,
}

/// A list of endpoints. None of their texts has a NULL address.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_route_list {
    /// The first; NULL with 0 for none.
    pub ptr: *const tokenward_route,
    /// How many there are.
    pub len: usize,
}

/// Where the members of an answer are, if they are not in the top object.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_nested {
    /// What follows the paths: #tokenward_nested_paths.
    pub reader: *const tokenward_nested_part,
    /// Where the token's members are, such as `data[0]`; empty for the top object.
    pub member_path: tokenward_span,
    /// Where an error code is if there is no top-level `error`, such as `detailed[0]`; empty for nowhere.
    pub error_path: tokenward_span,
}

/// Which token opens which endpoint.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_routes {
    /// What looks a request up: #tokenward_route_table.
    pub table: *const tokenward_route_part,
    /// The rows.
    pub rows: tokenward_route_list,
}

/// What the members of an answer are called, if not as RFC 6749 calls them, and what it has beside them.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_members {
    /// What finds them: #tokenward_member_names.
    pub reader: *const tokenward_member_part,
    /// Names of RFC 6749 sections 5.1 and 5.2 such as `access_token`, and what the service calls those members.
    pub names: tokenward_pair_list,
    /// What the service calls a member that says when the access token ends: a time since 1970. It counts in an answer
    /// without `expires_in` that comes with the time of day.
    pub expires_at: tokenward_span,
    /// That member is in milliseconds; else it is in seconds.
    pub expires_at_in_ms: MaybeUninit<bool>,
    /// What the service calls a member that says how many seconds the refresh token lives; of several the least counts,
    /// and 0 says nothing. It takes `refresh_life`.
    pub refresh_expires_in: tokenward_text_list,
}

/// What is known of a refresh token's life.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_refresh_life {
    /// What works the end out: #tokenward_refresh_life_ends.
    pub rules: *const tokenward_refresh_life_part,
    /// Seconds after which a refresh token ends that is not used, as the service's page tells; 0: that is not known.
    pub idle_s: u64,
}

/// What an answer without `expires_in` means. No token lives for ever unless this says so.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_missing_lifetime {
    /// `TOKENWARD_LIFETIME_*`.
    pub kind: tokenward_lifetime_kind,
    /// The seconds of #TOKENWARD_LIFETIME_ASSUME and #TOKENWARD_LIFETIME_TOLD; 0: an hour.
    pub seconds: u64,
    /// What reads the expiry, for #TOKENWARD_LIFETIME_TOLD: #tokenward_expiry_jwt.
    pub expiry: *const tokenward_expiry_part,
}

/// A token service: everything that distinguishes one from another. Zeros are the defaults, which each member
/// names; only the name is required. What needs code is a pointer to a part, one of the header's objects: an
/// image links only the parts that it names.
///
/// tokenward_describe() checks it and makes it available as a service. It must live and stay unchanged, with
/// everything that it points to, for as long as the service is used: usually it is a `static const` in flash.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_provider {
    /// Its name, a part of a token's identity.
    pub name: tokenward_span,
    /// Its environment (`sandbox`, `production`), a part of a token's identity; the configuration's wins.
    pub environment: tokenward_span,
    /// Scheme and authority of the token endpoint; a path may follow. Its origin is a part of a token's identity.
    /// The configuration's wins.
    pub base_url: tokenward_span,
    /// Follows the base URL; `{site}` stands for the subject's site.
    pub token_path: tokenward_span,
    /// Where its tokens may be sent; none: to the origin of the base URL. `https` only, except to loopback if
    /// that is allowed.
    pub api_origins: tokenward_text_list,
    /// The scope to ask for.
    pub scope: tokenward_span,
    /// The service's own error codes and the standard ones that they stand for.
    pub error_codes: tokenward_pair_list,
    /// Values of `token_type` that mean Bearer.
    pub token_type_aliases: tokenward_text_list,
    /// Where somebody signs in in a browser: an absolute URL, with or without a query.
    pub authorization_url: tokenward_span,
    /// Where a device asks for a code to show: follows the base URL.
    pub device_path: tokenward_span,
    /// Where a token is revoked when somebody signs out (RFC 7009): follows the base URL.
    pub revocation_path: tokenward_span,
    /// Who answers a sign-in: what `iss` of a callback must be (RFC 9207); none: it is not read.
    pub issuer: tokenward_span,
    /// When its tokens are refreshed; NULL: #TOKENWARD_POLICY_DEFAULT.
    pub policy: *const tokenward_policy,
    /// How the client authenticates to the token endpoint (RFC 6749 section 2.3): `tokenward_authentication_*`.
    /// Required if the service has a grant.
    pub authentication: *const tokenward_authentication_part,
    /// How a request's parameters are written; NULL: #tokenward_body_form.
    pub body: *const tokenward_body_part,
    /// #tokenward_answer_form reads answers that are forms, beside those in JSON. They cannot be nested.
    pub answer: *const tokenward_answer_part,
    /// #tokenward_site_path makes `{site}` in `token_path` stand for the subject's site.
    pub site: *const tokenward_site_part,
    /// #tokenward_loopback_http allows plain `http` to the loopback interface, for tests.
    pub loopback_http: *const tokenward_loopback_part,
    /// #tokenward_pkce_s256 binds the requests of a device authorization to each other (RFC 7636).
    pub device_pkce: *const tokenward_pkce_part,
    /// What it wants to be asked otherwise than RFC 6749 has it.
    pub requests: *const tokenward_requests,
    /// The field that carries its tokens to the API; NULL: `Authorization: Bearer`.
    pub header: *const tokenward_token_header,
    /// Statuses of the API that mean what 401 means.
    pub expired_status: tokenward_status_list,
    /// Where the members of an answer are, if they are not in the top object.
    pub nested: tokenward_nested,
    /// Which token opens which endpoint; none: every path of the origins.
    pub routes: tokenward_routes,
    /// What the members of an answer are called, if not as RFC 6749 calls them, and what it has beside them.
    pub members: tokenward_members,
    /// What is known of a refresh token's life.
    pub refresh_life: tokenward_refresh_life,
    /// What an answer without `expires_in` means.
    pub missing_lifetime: tokenward_missing_lifetime,
    /// `TOKENWARD_ZERO_*`: what `expires_in` 0 means.
    pub zero_lifetime: tokenward_zero_lifetime,
    /// `TOKENWARD_ALPHABET_*`: the bytes that an access token may have.
    pub token_alphabet: tokenward_alphabet,
    /// `TOKENWARD_EXPOSURE_*`: who may hold its credentials.
    pub exposure: tokenward_exposure,
    /// `TOKENWARD_GRANT_*`: the grant that obtains a token without a refresh token; none: the caller installs tokens.
    pub primary_grant: tokenward_grant,
    /// Whether it has the refresh grant (RFC 6749 section 6). Without it no refresh token is read.
    pub refresh_grant: MaybeUninit<bool>,
    /// Its tokens may be sent to **every** `https` origin: whoever can name a host gets the token.
    pub any_https_origin: MaybeUninit<bool>,
}

/// A token service as a manager reads it: one of the header's objects, or the result of tokenward_describe().
pub struct tokenward_service(pub(crate) Provider<'static>);

// SAFETY: raw pointers, integers, and bytes that any bits make.
unsafe impl Plain for tokenward_policy {}
// SAFETY: spans.
unsafe impl Plain for tokenward_pair {}
// SAFETY: spans and a byte that any bits make.
unsafe impl Plain for tokenward_route {}
// SAFETY: spans and an integer.
unsafe impl Plain for tokenward_parameter {}
// SAFETY: spans.
unsafe impl Plain for tokenward_token_header {}
// SAFETY: raw pointers, integers, and a byte that any bits make.
unsafe impl Plain for tokenward_requests {}
// SAFETY: raw pointers, integers, and bytes that any bits make.
unsafe impl Plain for tokenward_provider {}

/// Checks a description and makes it available as a service: what the macro tokenward_describe() calls. Nothing
/// is copied.
///
/// The description, with everything that it points to, is checked as arguments are; tokenward_provider_check()
/// says whether its facts can work. No code can check that a part is one of the header's objects.
///
/// May be called from any thread.
///
/// @code
/// const tokenward_service *service;
/// int32_t result = tokenward_describe_abi(&acme, &service, TOKENWARD_ABI_VERSION, sizeof acme);
/// if (result != TOKENWARD_OK) return result;
/// config.service = service;
/// @endcode
///
/// @param[in] mine It must live and stay unchanged, with everything that it points to, for as long as the service
/// is used.
/// @param[out] service Written on success: the same address.
/// @param[in] abi_version #TOKENWARD_ABI_VERSION of the header.
/// @param[in] provider_size `sizeof(tokenward_provider)` of the header.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_ABI header and library are of different versions
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_describe_abi(
    mine: *const tokenward_provider,
    service: *mut *const tokenward_service,
    abi_version: u32,
    provider_size: usize,
) -> i32 {
    at_the_edge!(|edge| {
        if (abi_version, provider_size) != (TOKENWARD_ABI_VERSION, size_of::<tokenward_provider>()) {
            return Err(Fault(TOKENWARD_ERR_ABI));
        }
        let out = edge.out(service)?;
        edge.description(mine)?;
        out.write(mine.cast());
        Ok(())
    })
}

/// Says which fact of a service cannot work: a malformed path, a reserved name, a grant without its
/// authentication. A manager does not call it: it refuses a fault when it meets one. Call it in a test, or at
/// startup if descriptions are read from a file; an image need not contain it.
///
/// May be called from any thread.
///
/// @code
/// tokenward_span fact;
/// int32_t result = tokenward_provider_check(service, &fact);
/// if (result == TOKENWARD_ERR_INVALID_PROVIDER) log_bytes(fact.ptr, fact.len); // token_path
/// return result;
/// @endcode
///
/// @param[in] service The service.
/// @param[out] fact The name of the first such fact, which lives as long as the program: `base_url`; empty if it
/// can work.
/// @retval TOKENWARD_OK it can work
/// @retval TOKENWARD_ERR_INVALID_PROVIDER it cannot; `fact` says why
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_provider_check(
    service: *const tokenward_service,
    fact: *mut tokenward_span,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(fact)?;
        let fault = edge.service(service)?.fault();
        out.write(tokenward_span::or_none(fault.unwrap_or_default().as_bytes()));
        if fault.is_some() { Err(Fault::of(Error::InvalidProvider)) } else { Ok(()) }
    })
}

impl<'c> Edge<'c> {
    /// A service to read.
    pub(crate) fn service(&mut self, ptr: *const tokenward_service) -> Result<&'c Provider<'static>, Fault> {
        self.may_read(ptr.addr(), 1, Layout::new::<tokenward_service>());
        self.checked()?;
        // SAFETY: not NULL, aligned, apart from all that this call writes to; one of the objects of this library, or a
        // description that was checked, which is laid out so; the rest is the word of the caller of `Edge::new`.
        Ok(&unsafe { &*ptr }.0)
    }

    /// Checks what a struct must be to be read as a service.
    fn description(&mut self, ptr: *const tokenward_provider) -> Result<(), Fault> {
        let given = self.value(ptr)?;
        self.listed_text(given.name);
        let tokenward_nested { reader, member_path, error_path } = given.nested;
        for text in [
            given.environment,
            given.base_url,
            given.token_path,
            given.scope,
            given.authorization_url,
            given.device_path,
            given.revocation_path,
            given.issuer,
            member_path,
            error_path,
        ] {
            self.text(text);
        }
        self.text(given.members.expires_at);
        self.boolean(&given.members.expires_at_in_ms);
        for texts in [given.api_origins, given.token_type_aliases, given.members.refresh_expires_in] {
            self.list(texts.ptr, texts.len).iter().for_each(|text| self.listed_text(*text));
        }
        self.pairs(given.error_codes.ptr, given.error_codes.len);
        if let Some(told) = self.optional(given.requests) {
            self.part(told.writer);
            self.text(told.refresh_path);
            self.text(told.extension_grant);
            for pairs in [told.names, told.headers] {
                self.pairs(pairs.ptr, pairs.len);
            }
            for parameter in self.list(told.parameters.ptr, told.parameters.len) {
                self.listed_text(parameter.name);
                self.listed_text(parameter.value);
                self.number(parameter.target, TOKENWARD_TARGET_REVOCATION);
            }
            self.boolean(&told.scope_on_refresh);
        }
        if let Some(header) = self.optional(given.header) {
            self.listed_text(header.name);
            self.listed_text(header.scheme);
        }
        self.list(given.expired_status.ptr, given.expired_status.len);
        let tokenward_routes { table, rows } = given.routes;
        for route in self.list(rows.ptr, rows.len) {
            self.listed_text(route.method);
            self.listed_text(route.path);
            self.boolean(&route.of_site);
        }
        self.pairs(given.members.names.ptr, given.members.names.len);
        if let Some(policy) = self.optional(given.policy) {
            self.boolean(&policy.recheck);
        }
        self.part(given.authentication);
        self.part(given.body);
        self.part(given.answer);
        self.part(given.site);
        self.part(given.loopback_http);
        self.part(given.device_pkce);
        self.part(reader);
        self.part(table);
        self.part(given.members.reader);
        self.part(given.refresh_life.rules);
        let missing = given.missing_lifetime;
        if missing.kind == TOKENWARD_LIFETIME_TOLD {
            self.part(missing.expiry);
            if missing.expiry.is_null() {
                self.fail(TOKENWARD_ERR_NULL);
            }
        }
        for (number, last) in [
            (missing.kind, TOKENWARD_LIFETIME_REFUSE),
            (given.zero_lifetime, TOKENWARD_ZERO_NEVER),
            (given.token_alphabet, TOKENWARD_ALPHABET_VISIBLE),
            (given.exposure, TOKENWARD_EXPOSURE_APP_ALLOWED),
            (given.primary_grant, TOKENWARD_GRANT_EXTENSION),
        ] {
            self.number(number, last);
        }
        self.boolean(&given.refresh_grant);
        self.boolean(&given.any_https_origin);
        self.checked()
    }

    /// One of an enumeration, which begins at 0.
    fn number(&mut self, number: i32, last: i32) {
        if number.cast_unsigned() > last.cast_unsigned() {
            self.fail(TOKENWARD_ERR_OUT_OF_RANGE);
        }
    }

    /// A part, or NULL. That it is one is the caller's word.
    pub(crate) fn part<T>(&mut self, ptr: *const T) {
        self.may_read(ptr.addr(), usize::from(!ptr.is_null()), Layout::new::<T>());
    }

    /// Whether a byte of C is set; one that is neither 0 nor 1 is a fault.
    pub(crate) fn boolean(&mut self, given: &MaybeUninit<bool>) -> bool {
        // SAFETY: a byte that a caller in C has set.
        let byte = unsafe { given.as_ptr().cast::<u8>().read() };
        if byte > 1 {
            self.fail(TOKENWARD_ERR_OUT_OF_RANGE);
        }
        byte == 1
    }

    /// A list of pairs of text. Their spans may not be NULL.
    pub(crate) fn pairs(&mut self, ptr: *const tokenward_pair, count: usize) -> &'c [(&'c str, &'c str)] {
        for pair in self.list(ptr, count) {
            self.listed_text(pair.name);
            self.listed_text(pair.value);
        }
        if self.checked().is_err() || ptr.is_null() {
            return &[];
        }
        // SAFETY: checked as a list; each element is a pair of `&str` now: not NULL, alive for `'c`, UTF-8; the types
        // are compared below.
        unsafe { core::slice::from_raw_parts(ptr.cast(), count) }
    }

    fn listed_text(&mut self, span: tokenward_span) {
        if span.ptr.is_null() {
            self.fail(TOKENWARD_ERR_NULL);
        }
        self.text(span);
    }
}

/// That a struct of C is laid out as one of the core: each member at its place and of its size, and no other.
macro_rules! alike {
    ($core:ident $(<$lifetime:lifetime>)?, $c:ident: $($member:ident),+) => {
        const _: () = {
            type Core = $core $(<$lifetime>)?;
            const fn size<S, M>(_: fn(&S) -> &M) -> usize {
                size_of::<M>()
            }
            const fn _all(core: Core, c: $c) {
                let ($core { $($member: _),+ }, $c { $($member: _),+ }) = (core, c);
            }
            assert!(size_of::<Core>() == size_of::<$c>() && align_of::<Core>() == align_of::<$c>());
            $(
                assert!(offset_of!(Core, $member) == offset_of!($c, $member));
                assert!(size(|it: &Core| &it.$member) == size(|it: &$c| &it.$member));
            )+
        };
    };
}

alike!(Provider<'static>, tokenward_provider:
    name, environment, base_url, token_path, api_origins, scope, error_codes, token_type_aliases, authorization_url,
    device_path, revocation_path, issuer, policy, authentication, body, answer, site, loopback_http, device_pkce, requests, header, expired_status, nested,
    routes, members, refresh_life,
    missing_lifetime, zero_lifetime, token_alphabet, exposure, primary_grant, refresh_grant, any_https_origin);
alike!(Parameter<'static>, tokenward_parameter: name, value, target);
alike!(Requests<'static>, tokenward_requests:
    writer, refresh_path, extension_grant, names, parameters, headers, scope_on_refresh);
alike!(TokenHeader<'static>, tokenward_token_header: name, scheme);
alike!(Nested<'static>, tokenward_nested: reader, member_path, error_path);
alike!(Routes<'static>, tokenward_routes: table, rows);
alike!(OwnMembers<'static>, tokenward_members: reader, names, expires_at, expires_at_in_ms, refresh_expires_in);
alike!(RefreshLife<'static>, tokenward_refresh_life: rules, idle_s);
alike!(Route<'static>, tokenward_route: method, path, of_site);
alike!(RefreshPolicy, tokenward_policy:
    margin_ms, min_interval_ms, startup_spread_ms, response_timeout_ms, first_backoff_ms, max_backoff_ms,
    max_lifetime_s, fraction_permille, jitter_permille, refresh_attempts, recheck);

/// That the numbers of C are those of the core.
macro_rules! numbered {
    ($core:ident: $($variant:ident = $number:ident),+) => {
        const _: () = {
            const fn _all(it: $core) {
                match it {
                    $($core::$variant => {}),+
                }
            }
            $(assert!($core::$variant as i32 == $number);)+
        };
    };
}
pub(crate) use numbered;

numbered!(ZeroLifetime: Expired = TOKENWARD_ZERO_EXPIRED, Never = TOKENWARD_ZERO_NEVER);
numbered!(TokenAlphabet: B64Token = TOKENWARD_ALPHABET_B64TOKEN, Visible = TOKENWARD_ALPHABET_VISIBLE);
numbered!(Exposure: ServerOnly = TOKENWARD_EXPOSURE_SERVER_ONLY, AppAllowed = TOKENWARD_EXPOSURE_APP_ALLOWED);
numbered!(Grant:
    ClientCredentials = TOKENWARD_GRANT_CLIENT_CREDENTIALS,
    Password = TOKENWARD_GRANT_PASSWORD,
    RefreshToken = TOKENWARD_GRANT_REFRESH_TOKEN,
    SiteToken = TOKENWARD_GRANT_SITE_TOKEN,
    Extension = TOKENWARD_GRANT_EXTENSION);
numbered!(Target:
    Token = TOKENWARD_TARGET_TOKEN,
    Primary = TOKENWARD_TARGET_PRIMARY,
    Refresh = TOKENWARD_TARGET_REFRESH,
    Authorization = TOKENWARD_TARGET_AUTHORIZATION,
    Device = TOKENWARD_TARGET_DEVICE,
    Code = TOKENWARD_TARGET_CODE,
    Revocation = TOKENWARD_TARGET_REVOCATION);

/// That texts, pairs and lists are an address and a length, in this order, and lifetimes what the struct says.
const _: () = {
    const fn alike<A, B>() {
        assert!(size_of::<A>() == size_of::<B>() && align_of::<A>() == align_of::<B>());
    }
    const TEXTS: &[&str] = &["first", "second one"];
    const PAIRS: &[(&str, &str)] = &[("name", "and value")];
    const ROUTES: &[Route<'static>] = &[Route::site("GET", "/")];
    let ([first, _], [pair]) = (TEXTS, PAIRS) else { panic!() };

    alike::<Provider<'_>, tokenward_service>();
    assert!(offset_of!(tokenward_service, 0) == 0);
    alike::<&str, tokenward_span>();
    alike::<(&str, &str), tokenward_pair>();
    alike::<&[&str], tokenward_text_list>();
    alike::<&[(&str, &str)], tokenward_pair_list>();
    alike::<&[Route<'_>], tokenward_route_list>();
    alike::<&[u16], tokenward_status_list>();
    alike::<&[Parameter<'_>], tokenward_parameter_list>();
    // A length where the struct has its length, so an address where it has its address: two words are all.
    // SAFETY: of one size; integers and pointers, which any bits make.
    unsafe {
        assert!(transmute::<&str, tokenward_span>(first).len == first.len());
        let tokenward_pair { name, value } = transmute::<(&str, &str), tokenward_pair>(*pair);
        assert!(name.len == pair.0.len() && value.len == pair.1.len());
        assert!(transmute::<&[&str], tokenward_text_list>(TEXTS).len == TEXTS.len());
        assert!(transmute::<&[(&str, &str)], tokenward_pair_list>(PAIRS).len == PAIRS.len());
        assert!(transmute::<&[Route<'_>], tokenward_route_list>(ROUTES).len == ROUTES.len());
        assert!(transmute::<&[u16], tokenward_status_list>(&[403]).len == 1);
        let parameters: &[Parameter<'_>] = &[Parameter::new("name", "value")];
        assert!(transmute::<&[Parameter<'_>], tokenward_parameter_list>(parameters).len == 1);
    }

    const fn lifetime(kind: tokenward_lifetime_kind, seconds: u64) -> MissingLifetime<'static> {
        let expiry = &raw const tokenward_expiry_jwt;
        // SAFETY: of one size, which is asserted with the provider; a kind that there is, and a part.
        unsafe { transmute(tokenward_missing_lifetime { kind, seconds, expiry }) }
    }
    assert!(matches!(lifetime(TOKENWARD_LIFETIME_ASSUME, 7), MissingLifetime::Assume(7)));
    assert!(
        matches!(lifetime(TOKENWARD_LIFETIME_TOLD, 7), MissingLifetime::Told(7, told) if told.name().len() == 3)
    );
    assert!(matches!(lifetime(TOKENWARD_LIFETIME_NEVER, 0), MissingLifetime::Never));
    assert!(matches!(lifetime(TOKENWARD_LIFETIME_REFUSE, 0), MissingLifetime::Refuse));

    // SAFETY: integers, pointers and bytes that may be 0.
    let mut zeros: tokenward_provider = unsafe { MaybeUninit::zeroed().assume_init() };
    zeros.name = tokenward_span::of(first.as_bytes());
    // SAFETY: laid out alike; zeros are none, false, or the first of an enumeration, which is what this looks at.
    let zeros: Provider<'static> = unsafe { transmute(zeros) };
    let Provider {
        name: _,
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
        authentication: None,
        body: None,
        answer: None,
        site: None,
        loopback_http: None,
        device_pkce: None,
        requests: None,
        header: None,
        expired_status: None,
        nested: Nested { reader: None, member_path: None, error_path: None },
        routes: Routes { table: None, rows: None },
        members:
            OwnMembers {
                reader: None,
                names: None,
                expires_at: None,
                expires_at_in_ms: false,
                refresh_expires_in: None,
            },
        refresh_life: RefreshLife { rules: None, idle_s: 0 },
        missing_lifetime: MissingLifetime::Assume(0),
        zero_lifetime: ZeroLifetime::Expired,
        token_alphabet: TokenAlphabet::B64Token,
        exposure: Exposure::ServerOnly,
        primary_grant: None,
        refresh_grant: false,
        any_https_origin: false,
    } = zeros
    else {
        panic!("zeros are something else than the defaults")
    };
};

pub(crate) fn grant(number: tokenward_grant) -> Result<Grant, Fault> {
    Ok(match number {
        TOKENWARD_GRANT_CLIENT_CREDENTIALS => Grant::ClientCredentials,
        TOKENWARD_GRANT_PASSWORD => Grant::Password,
        TOKENWARD_GRANT_REFRESH_TOKEN => Grant::RefreshToken,
        TOKENWARD_GRANT_SITE_TOKEN => Grant::SiteToken,
        TOKENWARD_GRANT_EXTENSION => Grant::Extension,
        _ => return Err(OUT_OF_RANGE),
    })
}

pub(crate) const fn grant_number(grant: Grant) -> tokenward_grant {
    match grant {
        Grant::ClientCredentials => TOKENWARD_GRANT_CLIENT_CREDENTIALS,
        Grant::Password => TOKENWARD_GRANT_PASSWORD,
        Grant::RefreshToken => TOKENWARD_GRANT_REFRESH_TOKEN,
        Grant::SiteToken => TOKENWARD_GRANT_SITE_TOKEN,
        Grant::Extension => TOKENWARD_GRANT_EXTENSION,
    }
}

/// The name of a grant, which is its `grant_type` if it has one: `client_credentials`.
///
/// May be called from any thread and from an interrupt handler.
///
/// @code
/// if (next.next == TOKENWARD_NEXT_REQUEST) {
///   log_line(tokenward_grant_name(next.grant)); // client_credentials
/// }
/// @endcode
///
/// @param[in] grant `TOKENWARD_GRANT_*`.
/// @return A string that lives as long as the program; `none` for #TOKENWARD_GRANT_NONE, `unknown` for any other
/// number.
#[unsafe(no_mangle)]
pub extern "C" fn tokenward_grant_name(grant: tokenward_grant) -> *const c_char {
    let name = match grant {
        TOKENWARD_GRANT_NONE => c"none",
        TOKENWARD_GRANT_CLIENT_CREDENTIALS => c"client_credentials",
        TOKENWARD_GRANT_PASSWORD => c"password",
        TOKENWARD_GRANT_REFRESH_TOKEN => c"refresh_token",
        TOKENWARD_GRANT_SITE_TOKEN => c"site_token",
        TOKENWARD_GRANT_EXTENSION => c"extension",
        _ => c"unknown",
    };
    name.as_ptr()
}
