//! What of a description cannot work. Constants are checked when they are compiled, so all of this is `const`.

use crate::ascii::{Class, is_same, is_same_ignoring_case, is_token_byte};
use crate::endpoint::error_response::ErrorCode;
use crate::endpoint::grant::Grant;
use crate::endpoint::members::Member;
use crate::endpoint::own_members::OwnMembers;
use crate::endpoint::parameter::{Parameter, Target};
use crate::endpoint::pkce::DevicePkce;
use crate::endpoint::provider::{Provider, Requests};
use crate::endpoint::routes::Route;
use crate::endpoint::template::is_template;

impl Provider<'_> {
    /// The name of the first fact of this description that cannot work; none: it can.
    ///
    /// A manager does not ask: it refuses what it meets, when it meets it. Ask once: when a constant is compiled, when a
    /// description was read from a file, in a test.
    ///
    /// ```
    /// use tokenward::{Grant, Provider};
    ///
    /// let acme = Provider {
    ///     name: "acme",
    ///     base_url: Some("login.acme.example"),
    ///     primary_grant: Some(Grant::ClientCredentials),
    ///     ..Provider::custom()
    /// };
    /// assert_eq!(acme.fault(), Some("base_url"));
    /// ```
    #[must_use]
    pub const fn fault(&self) -> Option<&'static str> {
        let has_grant = self.primary_grant.is_some()
            || self.refresh_grant
            || self.authorization_url.is_some()
            || self.device_path.is_some()
            || self.revocation_path.is_some();
        let path = text(self.token_path);
        let wants_site = has_site(path);
        Some(match self {
            _ if !is_visible(self.name.as_bytes()) || self.name.is_empty() => "name",
            _ if !is_visible(text(self.environment)) => "environment",
            _ if self.base_url.is_some() && !is_base_url(text(self.base_url), !path.is_empty()) => "base_url",
            _ if !(path.is_empty() || is_token_path(path)) => "token_path",
            _ if wants_site != self.site.is_some() => "site",
            _ if !are_origins(self.api_origins) => "api_origins",
            _ if self.any_https_origin && self.api_origins.is_some() => "any_https_origin",
            _ if !is_scope(text(self.scope)) => "scope",
            _ if !are_error_codes(self.error_codes) => "error_codes",
            _ if !are_aliases(self.token_type_aliases) => "token_type_aliases",
            _ if matches!(self.policy, Some(policy) if !policy.is_valid()) => "policy",
            _ if !is_authorization_url(self.authorization_url) => "authorization_url",
            _ if self.device_path.is_some() && !is_device_path(text(self.device_path)) => "device_path",
            _ if self.device_pkce.is_some() && self.device_path.is_none() => "device_pkce",
            _ if self.revocation_path.is_some() && !is_device_path(text(self.revocation_path)) => {
                "revocation_path"
            }
            _ if self.issuer.is_some() && !is_base_url(text(self.issuer), true) => "issuer",
            _ if has_grant && self.authentication.is_none() => "authentication",
            _ if matches!(self.primary_grant, Some(Grant::RefreshToken)) => "primary_grant",
            _ if matches!(self.primary_grant, Some(Grant::SiteToken)) && !wants_site => "primary_grant",
            _ if matches!(self.requests, Some(Requests { writer: None, .. })) => "requests",
            _ if !self.is_refresh_path(wants_site) => "refresh_path",
            _ if !self.is_extension_grant() => "extension_grant",
            _ if !are_request_names(self.told().names) => "request_names",
            _ if !self.are_parameters() => "parameters",
            _ if !are_headers(self.told().headers) => "headers",
            _ if self.told().scope_on_refresh && !(self.refresh_grant && self.scope.is_some()) => {
                "scope_on_refresh"
            }
            _ if matches!(self.header, Some(header)
                if !is_field(header.name.as_bytes())
                    || !(header.scheme.is_empty() || is_token(header.scheme.as_bytes()))) =>
            {
                "header"
            }
            _ if !are_expired(self.expired_status) => "expired_status",
            _ if !is_member_path(self.nested.member_path, self.nested.reader.is_some()) => "member_path",
            _ if !is_member_path(self.nested.error_path, self.nested.reader.is_some()) => "error_path",
            _ if self.answer.is_some() && self.nested.reader.is_some() => "answer",
            _ if !are_members(&self.members) => "members",
            _ if !is_further_member(&self.members, self.members.expires_at) => "expires_at",
            _ if !are_lives(self) => "refresh_expires_in",
            _ if self.refresh_life.idle_s != 0 && self.refresh_life.rules.is_none() => "refresh_idle_s",
            _ if !are_routes(self.routes.rows, self.routes.table.is_some()) => "routes",
            _ => return None,
        })
    }
}

const fn text(text: Option<&str>) -> &[u8] {
    match text {
        Some(text) => text.as_bytes(),
        None => &[],
    }
}

/// Whether a test holds for each element of a list or byte of a text.
macro_rules! all {
    ($list:expr, $element:pat => $holds:expr) => {{
        let mut rest = $list;
        loop {
            match rest {
                [] => break true,
                [$element, behind @ ..] if $holds => rest = behind,
                _ => break false,
            }
        }
    }};
}

impl Provider<'_> {
    /// A path in place of the token path, with its site if that has one, for a grant that there is.
    const fn is_refresh_path(&self, wants_site: bool) -> bool {
        match self.told().refresh_path {
            None => true,
            Some(path) => {
                let path = path.as_bytes();
                self.refresh_grant && is_token_path(path) && (wants_site || !has_site(path))
            }
        }
    }

    /// A name for the extension grant if it is the primary one, which is none of those that have rules of their own.
    const fn is_extension_grant(&self) -> bool {
        let given = self.told().extension_grant;
        let name = text(given);
        let mut grants = Grant::ALL;
        while let [first, rest @ ..] = grants {
            if is_same(first.name().as_bytes(), name) && !matches!(first, Grant::SiteToken | Grant::Extension)
            {
                return false;
            }
            grants = rest;
        }
        matches!(self.primary_grant, Some(Grant::Extension)) == given.is_some()
            && name.is_empty() == given.is_none()
            && is_visible(name)
    }

    /// Whether each parameter has a name and a value, is sent once, and by nobody else.
    const fn are_parameters(&self) -> bool {
        let Some(mut rest) = self.told().parameters else { return true };
        while let [Parameter { name, value, target }, behind @ ..] = rest {
            let is_named = !name.is_empty() && is_printable(name.as_bytes());
            if !(is_named && !value.is_empty() && has_no_controls(value) && is_template(value.as_bytes()))
                || self.writes_on(name.as_bytes(), *target)
                || !all!(behind, other => !is_same(other.name.as_bytes(), name.as_bytes())
                    || !(other.target.covers(*target) || target.covers(other.target)))
            {
                return false;
            }
            rest = behind;
        }
        true
    }

    /// Whether a request that a parameter of this target goes with has one of this name anyway.
    const fn writes_on(&self, name: &[u8], target: Target) -> bool {
        let mut targets = Target::ALL;
        while let [first, rest @ ..] = targets {
            let is_sent = match first {
                Target::Primary => self.primary_grant.is_some(),
                Target::Refresh => self.refresh_grant,
                _ => true,
            };
            let of_device = self.device_pkce.is_some() && matches!(first, Target::Device | Target::Code);
            let own: &[&str] = &DevicePkce::PARAMETERS;
            let is_own = of_device && !all!(own, known => !is_same(known.as_bytes(), name));
            if target.covers(*first) && is_sent && (is_own || self.writes(name, *first)) {
                return true;
            }
            targets = rest;
        }
        false
    }
}

/// Whether there are visible ASCII characters alone.
const fn is_visible(text: &[u8]) -> bool {
    all!(text, byte => byte.is_ascii_graphic())
}

/// What stands behind `https://` or `http://`, whatever the case.
const fn behind_scheme(url: &[u8]) -> Option<&[u8]> {
    let ([b'h' | b'H', b't' | b'T', b't' | b'T', b'p' | b'P', b's' | b'S', rest @ ..]
    | [b'h' | b'H', b't' | b'T', b't' | b'T', b'p' | b'P', rest @ ..]) = url
    else {
        return None;
    };
    match rest {
        [b':', b'/', b'/', rest @ ..] => Some(rest),
        _ => None,
    }
}

/// What stands behind host and port.
const fn behind_authority(url: &[u8]) -> Option<&[u8]> {
    let Some(mut rest) = behind_scheme(url) else { return None };
    if matches!(rest, [] | [b'/' | b':' | b'?' | b'#', ..]) {
        return None;
    }
    while let [first, behind @ ..] = rest {
        match first {
            b'/' | b'?' | b'#' => break,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b':' | b'[' | b']' => {
                rest = behind
            }
            _ => return None,
        }
    }
    Some(rest)
}

/// Whether a URL has a host and plain characters behind it; where a path follows, none of its own query.
const fn is_base_url(url: &[u8], path_follows: bool) -> bool {
    let Some(rest) = behind_authority(url) else { return false };
    all!(rest, byte => is_of_path_or_query(*byte) && !(path_follows && *byte == b'?'))
}

/// A path that begins at the root, with or without a query.
const fn is_token_path(path: &[u8]) -> bool {
    let [b'/', rest @ ..] = path else { return false };
    let mut rest = rest;
    while let [first, behind @ ..] = rest {
        rest = match rest {
            [b'{', b's', b'i', b't', b'e', b'}', behind @ ..] => behind,
            _ if is_of_path_or_query(*first) => behind,
            _ => return false,
        };
    }
    true
}

/// A URL whose query, if it has one, says nothing that a sign-in says itself.
const fn is_authorization_url(url: Option<&str>) -> bool {
    let Some(url) = url else { return true };
    let Some(mut rest) = behind_authority(url.as_bytes()) else { return false };
    let own: &[&str] = &Provider::AUTHORIZATION_PARAMETERS;
    let plain = all!(rest, byte => is_of_path_or_query(*byte));
    while let [first, behind @ ..] = rest {
        if matches!(first, b'?' | b'&') && !all!(own, name => !is_named(behind, name.as_bytes())) {
            return false;
        }
        rest = behind;
    }
    plain
}

/// Whether a query begins with a parameter of this name.
const fn is_named(mut query: &[u8], mut name: &[u8]) -> bool {
    while let ([a, behind @ ..], [b, rest @ ..]) = (query, name)
        && *a == *b
    {
        (query, name) = (behind, rest);
    }
    name.is_empty() && matches!(query, [] | [b'=' | b'&', ..])
}

const fn is_of_path_or_query(byte: u8) -> bool {
    Class::PATH.contains(byte) || byte == b'?'
}

/// The same without a place for a site.
const fn is_device_path(path: &[u8]) -> bool {
    is_token_path(path) && !has_site(path)
}

const fn has_site(mut path: &[u8]) -> bool {
    while let [_, rest @ ..] = path {
        if let [b'{', b's', b'i', b't', b'e', b'}', ..] = path {
            return true;
        }
        path = rest;
    }
    false
}

const fn are_origins(origins: Option<&[&str]>) -> bool {
    let Some(origins) = origins else { return true };
    all!(origins, origin => matches!(behind_authority(origin.as_bytes()), Some([] | [b'/'])))
}

/// `scope-token *( SP scope-token )` (RFC 6749 section 3.3), or nothing.
const fn is_scope(scope: &[u8]) -> bool {
    all!(scope, byte => matches!(byte, b' ' | 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}

/// Whether each code of the service's own stands for a code that is listed.
const fn are_error_codes(codes: Option<&[(&str, &str)]>) -> bool {
    let Some(codes) = codes else { return true };
    all!(codes, (own, standard) => !own.is_empty() && ErrorCode::is_listed(standard.as_bytes()))
}

/// Whether each is there and printable: `User Access Token` is one.
const fn are_aliases(aliases: Option<&[&str]>) -> bool {
    let Some(aliases) = aliases else { return true };
    all!(aliases, alias => !alias.is_empty() && is_printable(alias.as_bytes()))
}

const fn is_printable(text: &[u8]) -> bool {
    all!(text, byte => matches!(byte, b' '..=b'~'))
}

const fn has_no_controls(text: &str) -> bool {
    all!(text.as_bytes(), byte => !byte.is_ascii_control())
}

/// Names of parameters that are never others.
const FIXED_NAMES: &[&str] = &["grant_type", "scope"];

/// Fields that are written anyway, or that say how a message is framed or stored.
const RESERVED_FIELDS: &[&str] = &[
    "content-type",
    "accept",
    "accept-encoding",
    "host",
    "content-length",
    "cookie",
    "transfer-encoding",
    "connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
];

/// Whether each is a name that may be another, to a name that no other has.
const fn are_request_names(names: Option<&[(&str, &str)]>) -> bool {
    let Some(mut rest) = names else { return true };
    while let [(standard, own), behind @ ..] = rest {
        let is_known = !all!(Requests::RENAMED, known => !is_same(known.as_bytes(), standard.as_bytes()));
        let is_free = all!(FIXED_NAMES, other => !is_same(other.as_bytes(), own.as_bytes()))
            && all!(behind, (other, name) => !is_same(other.as_bytes(), standard.as_bytes())
                && !is_same(name.as_bytes(), own.as_bytes()));
        if !(is_known && is_free && !own.is_empty() && is_printable(own.as_bytes())) {
            return false;
        }
        rest = behind;
    }
    true
}

/// A header field that nobody else writes, and that a message's own framing does not depend on.
const fn is_field(name: &[u8]) -> bool {
    is_token(name)
        && all!(
            RESERVED_FIELDS,
            own => !is_same_ignoring_case(own.as_bytes(), name)
        )
}

/// Fields with a value, each of which stands once; none is `Authorization`.
const fn are_headers(fields: Option<&[(&str, &str)]>) -> bool {
    let Some(mut rest) = fields else { return true };
    while let [(name, value), behind @ ..] = rest {
        let name = name.as_bytes();
        if !is_field(name)
            || is_same_ignoring_case(name, b"authorization")
            || value.is_empty()
            || !is_printable(value.as_bytes())
            || !is_template(value.as_bytes())
            || !all!(behind, (other, _) => !is_same_ignoring_case(other.as_bytes(), name))
        {
            return false;
        }
        rest = behind;
    }
    true
}

/// Statuses that refuse a request, beside 401, or none at all.
const fn are_expired(statuses: Option<&[u16]>) -> bool {
    let Some(statuses) = statuses else { return true };
    all!(statuses, status => matches!(status, 400..=499) && *status != 401)
}

/// `1*tchar` (RFC 9110 section 5.6.2)
const fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && all!(text, byte => is_token_byte(*byte))
}

/// Names separated by `.`, places of arrays in brackets. Nothing follows a path without the part that does.
const fn is_member_path(path: Option<&str>, has_reader: bool) -> bool {
    let mut rest = text(path);
    if rest.is_empty() {
        return true;
    }
    if !has_reader {
        return false;
    }
    let (mut in_brackets, mut is_empty) = (false, true);
    while let [first, behind @ ..] = rest {
        match (first, in_brackets) {
            (b'0'..=b'9', true) => is_empty = false,
            (b']', true) if !is_empty => match behind {
                [] | [b'.' | b'[', ..] => in_brackets = false,
                _ => return false,
            },
            (_, true) | (b']', false) => return false,
            (b'.', false) => match behind {
                [] | [b'.' | b'[', ..] => return false,
                _ if is_empty => return false,
                _ => {}
            },
            (b'[', false) => (in_brackets, is_empty) = (true, true),
            (_, false) => is_empty = false,
        }
        rest = behind;
    }
    !in_brackets && !is_empty
}

/// Whether each name of the service's own is that of one member, and each member has one name. Nothing reads names
/// without the part that does.
const fn are_members(own: &OwnMembers<'_>) -> bool {
    let Some(names) = own.names else { return true };
    own.reader.is_some()
        && all!(names, (standard, own) => {
            let is_free = !is_member(own) || times(names, own, true) == 1;
            is_member(standard)
                && !own.is_empty()
                && is_printable(own.as_bytes())
                && times(names, standard, true) == 1
                && times(names, own, false) == 1
                && is_free
        })
}

/// Whether a member beside those has a name of its own, or there is none.
const fn is_further_member(own: &OwnMembers<'_>, further: Option<&str>) -> bool {
    let Some(name) = further else { return true };
    let names = match own.names {
        Some(names) => names,
        None => &[],
    };
    let is_free = times(names, name, false) == 0 && (!is_member(name) || times(names, name, true) == 1);
    own.reader.is_some() && !name.is_empty() && is_printable(name.as_bytes()) && is_free
}

/// Whether each name of a refresh token's life is no other's. Nothing uses them without both parts.
const fn are_lives(provider: &Provider<'_>) -> bool {
    let own = &provider.members;
    let Some(names) = own.refresh_expires_in else { return true };
    provider.refresh_life.rules.is_some()
        && all!(names, name => is_further_member(own, Some(name)) && !is_same(text(own.expires_at), name.as_bytes()))
}

const fn is_member(name: &str) -> bool {
    let mut rest: &[&str] = &Member::NAMES;
    while let [first, behind @ ..] = rest {
        if is_same(first.as_bytes(), name.as_bytes()) {
            return true;
        }
        rest = behind;
    }
    false
}

/// How often a text stands among the standard names, or the service's own.
const fn times(mut names: &[(&str, &str)], text: &str, standard: bool) -> u32 {
    let mut times = 0_u32;
    while let [(first, second), rest @ ..] = names {
        let name = if standard { *first } else { *second };
        if is_same(name.as_bytes(), text.as_bytes()) {
            times = times.saturating_add(1);
        }
        names = rest;
    }
    times
}

/// Rows without the part that reads them would open everything.
const fn are_routes(rows: Option<&[Route<'_>]>, has_table: bool) -> bool {
    let rows = match rows {
        Some(rows) => rows,
        None => &[],
    };
    rows.is_empty() != has_table
        && all!(rows, row => is_token(row.method.as_bytes()) && matches!(row.path.as_bytes(), [b'/', ..]))
}

const _: () = {
    let presets = crate::endpoint::providers::ALL;
    assert!(all!(presets, preset => preset.fault().is_none()), "a preset cannot work");
};

#[cfg(test)]
mod tests {
    use crate::endpoint::answer_format::AnswerFormat;
    use crate::endpoint::grant::Grant;
    use crate::endpoint::nested::Nested;
    use crate::endpoint::own_members::OwnMembers;
    use crate::endpoint::parameter::{Parameter, Target};
    #[cfg(feature = "snapshot")]
    use crate::endpoint::pkce::DevicePkce;
    use crate::endpoint::provider::ClientAuthentication;
    use crate::endpoint::provider::{Provider, Requests};
    use crate::endpoint::providers;
    use crate::endpoint::refresh_life::RefreshLife;
    use crate::endpoint::routes::{Route, Routes};
    use crate::endpoint::site::SitePath;
    use crate::endpoint::token_header::TokenHeader;

    const FORM: Option<&AnswerFormat> = Some(AnswerFormat::FORM);
    const GOOD: Provider<'static> = Provider {
        name: "acme",
        base_url: Some("https://login.acme.example"),
        token_path: Some("/oauth2/token"),
        primary_grant: Some(Grant::ClientCredentials),
        ..Provider::custom()
    };

    #[test]
    fn every_preset_can_work() {
        for preset in providers::ALL {
            assert_eq!(preset.fault(), None, "{}", preset.name);
        }
        assert_eq!(GOOD.fault(), None);
    }

    const NO_ROOT: &[Route<'static>] = &[Route::client("GET", "v1")];
    const NO_METHOD: &[Route<'static>] = &[Route::client("", "/v1")];

    const TOKEN: &[(&str, &str)] = &[("access_token", "token")];

    const fn named(names: &'static [(&'static str, &'static str)]) -> Provider<'static> {
        Provider { members: OwnMembers::named(names), ..GOOD }
    }

    const LIFE: &str = "refresh_expires_in";

    const fn living(members: OwnMembers<'static>, refresh_life: RefreshLife<'static>) -> Provider<'static> {
        let members = OwnMembers { refresh_expires_in: Some(&[LIFE]), ..members };
        Provider { members, refresh_life, ..GOOD }
    }

    const fn expiring(name: &'static str, members: OwnMembers<'static>) -> Provider<'static> {
        Provider { members: OwnMembers { expires_at: Some(name), ..members }, ..GOOD }
    }

    #[test]
    fn a_description_that_cannot_work_is_named_by_its_fact() {
        let cases: &[(&str, Provider<'_>)] = &[
            ("name", Provider { name: "", ..GOOD }),
            ("name", Provider { name: "a\nb", ..GOOD }),
            ("environment", Provider { environment: Some("a b"), ..GOOD }),
            ("base_url", Provider { base_url: Some("login.acme.example"), ..GOOD }),
            ("base_url", Provider { base_url: Some("https://"), ..GOOD }),
            ("base_url", Provider { base_url: Some("https:///token"), ..GOOD }),
            ("base_url", Provider { base_url: Some("https://u@h"), ..GOOD }),
            ("base_url", Provider { base_url: Some("https://h?q"), ..GOOD }),
            ("base_url", Provider { base_url: Some("https://h/{site}"), ..GOOD }),
            ("base_url", Provider { base_url: Some("ftp://h"), ..GOOD }),
            ("token_path", Provider { token_path: Some("token"), ..GOOD }),
            ("token_path", Provider { token_path: Some("/a b"), ..GOOD }),
            ("token_path", Provider { token_path: Some("/a#b"), ..GOOD }),
            ("token_path", Provider { token_path: Some("/{other}"), ..GOOD }),
            ("site", Provider { token_path: Some("/{site}"), ..GOOD }),
            ("site", Provider { site: Some(SitePath::SEGMENT), ..GOOD }),
            ("api_origins", Provider { api_origins: Some(&["a.example"]), ..GOOD }),
            ("api_origins", Provider { api_origins: Some(&["https://a.example/path"]), ..GOOD }),
            (
                "any_https_origin",
                Provider { any_https_origin: true, api_origins: Some(&["https://a.example"]), ..GOOD },
            ),
            ("scope", Provider { scope: Some("a\"b"), ..GOOD }),
            ("error_codes", Provider { error_codes: Some(&[("own", "moonlight")]), ..GOOD }),
            ("error_codes", Provider { error_codes: Some(&[("", "invalid_grant")]), ..GOOD }),
            ("token_type_aliases", Provider { token_type_aliases: Some(&[""]), ..GOOD }),
            ("token_type_aliases", Provider { token_type_aliases: Some(&["a\nb"]), ..GOOD }),
            ("authorization_url", Provider { authorization_url: Some("/authorize"), ..GOOD }),
            ("authorization_url", Provider { authorization_url: Some("https://a.example/a#b"), ..GOOD }),
            ("authorization_url", Provider { authorization_url: Some("https://a.example/?state=1"), ..GOOD }),
            (
                "authorization_url",
                Provider { authorization_url: Some("https://a.example/?a=b&scope"), ..GOOD },
            ),
            ("device_path", Provider { device_path: Some("device"), ..GOOD }),
            ("device_path", Provider { device_path: Some("/{site}"), ..GOOD }),
            #[cfg(feature = "snapshot")]
            ("device_pkce", Provider { device_pkce: Some(DevicePkce::S256), ..GOOD }),
            ("revocation_path", Provider { revocation_path: Some("revoke"), ..GOOD }),
            ("revocation_path", Provider { revocation_path: Some("/{site}"), ..GOOD }),
            ("issuer", Provider { issuer: Some("a.example"), ..GOOD }),
            ("issuer", Provider { issuer: Some("https://a.example?b"), ..GOOD }),
            (
                "authentication",
                Provider {
                    authorization_url: Some("https://a.example/"),
                    authentication: None,
                    primary_grant: None,
                    ..GOOD
                },
            ),
            ("authentication", Provider { authentication: None, ..GOOD }),
            (
                "parameters",
                Provider {
                    authentication: Some(ClientAuthentication::PRIVATE_KEY_JWT),
                    requests: Some(&Requests {
                        parameters: Some(&[Parameter::new("client_assertion", "a")]),
                        ..Requests::STANDARD
                    }),
                    ..GOOD
                },
            ),
            (
                "authentication",
                Provider { authentication: None, primary_grant: None, refresh_grant: true, ..GOOD },
            ),
            ("primary_grant", Provider { primary_grant: Some(Grant::RefreshToken), ..GOOD }),
            ("primary_grant", Provider { primary_grant: Some(Grant::SiteToken), ..GOOD }),
            ("member_path", Provider { nested: Nested::at(Some("a..b"), None), ..GOOD }),
            ("member_path", Provider { nested: Nested::at(Some("a[x]"), None), ..GOOD }),
            ("member_path", Provider { nested: Nested::at(Some("a[0"), None), ..GOOD }),
            ("member_path", Provider { nested: Nested::at(Some("a]"), None), ..GOOD }),
            ("member_path", Provider { nested: Nested::at(Some("a."), None), ..GOOD }),
            ("error_path", Provider { nested: Nested::at(None, Some("a[]")), ..GOOD }),
            (
                "error_path",
                Provider {
                    nested: Nested { reader: None, member_path: None, error_path: Some("a") },
                    ..GOOD
                },
            ),
            ("answer", Provider { answer: FORM, nested: Nested::at(Some("a"), None), ..GOOD }),
            ("members", Provider { members: OwnMembers { names: Some(TOKEN), ..OwnMembers::NONE }, ..GOOD }),
            ("members", named(&[("token", "access_token")])),
            ("members", named(&[("access_token", "")])),
            ("members", named(&[("access_token", "a\nb")])),
            ("members", named(&[("access_token", "scope")])),
            ("members", named(&[("access_token", "a"), ("access_token", "b")])),
            ("members", named(&[("access_token", "a"), ("refresh_token", "a")])),
            ("expires_at", expiring("", OwnMembers::FOUND)),
            ("expires_at", expiring("a\nb", OwnMembers::FOUND)),
            ("expires_at", expiring("expires", OwnMembers::NONE)),
            ("expires_at", expiring("expires_in", OwnMembers::FOUND)),
            ("expires_at", expiring("token", OwnMembers::named(TOKEN))),
            ("refresh_expires_in", living(OwnMembers::FOUND, RefreshLife::NONE)),
            ("refresh_expires_in", living(OwnMembers::NONE, RefreshLife::KNOWN)),
            ("refresh_expires_in", living(OwnMembers::named(&[("scope", LIFE)]), RefreshLife::KNOWN)),
            (
                "refresh_expires_in",
                living(OwnMembers { expires_at: Some(LIFE), ..OwnMembers::FOUND }, RefreshLife::KNOWN),
            ),
            (
                "refresh_idle_s",
                Provider { refresh_life: RefreshLife { idle_s: 1, ..RefreshLife::NONE }, ..GOOD },
            ),
            ("routes", Provider { routes: Routes::table(&[]), ..GOOD }),
            ("routes", Provider { routes: Routes::table(NO_ROOT), ..GOOD }),
            ("routes", Provider { routes: Routes::table(NO_METHOD), ..GOOD }),
            ("routes", Provider { routes: Routes { table: None, rows: Some(NO_ROOT) }, ..GOOD }),
            ("header", Provider { header: Some(&TokenHeader { name: "", scheme: "" }), ..GOOD }),
            ("header", Provider { header: Some(&TokenHeader { name: "a b", scheme: "" }), ..GOOD }),
            ("header", Provider { header: Some(&TokenHeader { name: "Cookie", scheme: "" }), ..GOOD }),
            ("header", Provider { header: Some(&TokenHeader { name: "A", scheme: "a b" }), ..GOOD }),
            ("expired_status", Provider { expired_status: Some(&[401]), ..GOOD }),
            ("expired_status", Provider { expired_status: Some(&[403, 500]), ..GOOD }),
        ];
        for (fact, provider) in cases {
            assert_eq!(provider.fault(), Some(*fact), "{provider:?}");
        }
    }

    #[test]
    fn requests_that_cannot_work_are_named_by_their_fact() {
        const NONE: Requests<'static> = Requests::STANDARD;
        const A: Parameter<'static> = Parameter::new("a", "1");
        let cases: &[(&str, Requests<'_>)] = &[
            ("requests", Requests { writer: None, ..NONE }),
            ("refresh_path", Requests { refresh_path: Some("token"), ..NONE }),
            ("refresh_path", Requests { refresh_path: Some("/{site}"), ..NONE }),
            ("extension_grant", Requests { extension_grant: Some("app"), ..NONE }),
            ("request_names", Requests { names: Some(&[("scope", "s")]), ..NONE }),
            ("request_names", Requests { names: Some(&[("client_id", "")]), ..NONE }),
            ("request_names", Requests { names: Some(&[("client_id", "grant_type")]), ..NONE }),
            ("request_names", Requests { names: Some(&[("client_id", "a"), ("client_id", "b")]), ..NONE }),
            ("request_names", Requests { names: Some(&[("client_id", "a"), ("password", "a")]), ..NONE }),
            ("parameters", Requests { parameters: Some(&[Parameter::new("", "1")]), ..NONE }),
            ("parameters", Requests { parameters: Some(&[Parameter::new("a", "")]), ..NONE }),
            ("parameters", Requests { parameters: Some(&[Parameter::new("a", "{")]), ..NONE }),
            ("parameters", Requests { parameters: Some(&[Parameter::new("a", "{}")]), ..NONE }),
            ("parameters", Requests { parameters: Some(&[Parameter::new("a", "{b c}")]), ..NONE }),
            ("parameters", Requests { parameters: Some(&[Parameter::new("a", "}")]), ..NONE }),
            ("parameters", Requests { parameters: Some(&[Parameter::new("a", "\n")]), ..NONE }),
            ("parameters", Requests { parameters: Some(&[Parameter::new("grant_type", "1")]), ..NONE }),
            ("parameters", Requests { parameters: Some(&[Parameter::new("scope", "1")]), ..NONE }),
            ("parameters", Requests { parameters: Some(&[Parameter::new("client_secret", "1")]), ..NONE }),
            ("parameters", Requests { parameters: Some(&[A, A]), ..NONE }),
            ("parameters", Requests { parameters: Some(&[A, A.on(Target::Refresh)]), ..NONE }),
            ("parameters", Requests { parameters: Some(&[A.on(Target::Code), A]), ..NONE }),
            ("headers", Requests { headers: Some(&[("", "1")]), ..NONE }),
            ("headers", Requests { headers: Some(&[("a b", "1")]), ..NONE }),
            ("headers", Requests { headers: Some(&[("authorization", "1")]), ..NONE }),
            ("headers", Requests { headers: Some(&[("Content-Length", "1")]), ..NONE }),
            ("headers", Requests { headers: Some(&[("Accept-Encoding", "gzip")]), ..NONE }),
            ("headers", Requests { headers: Some(&[("Transfer-Encoding", "chunked")]), ..NONE }),
            ("headers", Requests { headers: Some(&[("a", "")]), ..NONE }),
            ("headers", Requests { headers: Some(&[("a", "b\r\nc: d")]), ..NONE }),
            ("headers", Requests { headers: Some(&[("a", "{")]), ..NONE }),
            ("headers", Requests { headers: Some(&[("a", "1"), ("A", "2")]), ..NONE }),
        ];
        let provider = Provider { refresh_grant: true, scope: Some("read"), ..GOOD };
        for (fact, told) in cases {
            assert_eq!(Provider { requests: Some(told), ..provider }.fault(), Some(*fact), "{told:?}");
        }
        #[cfg(feature = "snapshot")]
        for (name, target) in [("code_challenge", Target::Device), ("code_verifier", Target::Token)] {
            let told = Requests { parameters: Some(&[Parameter::new(name, "1").on(target)]), ..NONE };
            let device = Provider { device_path: Some("/device"), requests: Some(&told), ..provider };
            assert_eq!(device.fault(), None);
            let pkce = Provider { device_pkce: Some(DevicePkce::S256), ..device };
            assert_eq!(pkce.fault(), Some("parameters"));
        }
        let extension = Provider { primary_grant: Some(Grant::Extension), ..provider };
        assert_eq!(extension.fault(), Some("extension_grant"));
        for name in ["", "a b", "password", "refresh_token", "client_credentials"] {
            let told = Requests { extension_grant: Some(name), ..NONE };
            assert_eq!(Provider { requests: Some(&told), ..extension }.fault(), Some("extension_grant"));
        }
        let path = Requests { refresh_path: Some("/refresh"), ..NONE };
        assert_eq!(Provider { requests: Some(&path), ..GOOD }.fault(), Some("refresh_path"));
        let scope = Requests { scope_on_refresh: true, ..NONE };
        assert_eq!(Provider { requests: Some(&scope), ..GOOD }.fault(), Some("scope_on_refresh"));
    }

    #[test]
    fn requests_that_work_have_no_fault() {
        const NONE: Requests<'static> = Requests::STANDARD;
        const A: Parameter<'static> = Parameter::new("a", "x{b_1}{access_token}é");
        let provider = Provider { refresh_grant: true, ..GOOD };
        for told in [
            NONE,
            Requests { refresh_path: Some("/refresh?v=1"), ..NONE },
            Requests { names: Some(&[("client_id", "clientId"), ("username", "e-mail")]), ..NONE },
            // No scope and no id in the body is sent otherwise.
            Requests {
                parameters: Some(&[Parameter::new("scope", "s"), Parameter::new("client_id", "{id}")]),
                ..NONE
            },
            Requests {
                parameters: Some(&[A.on(Target::Primary), A.on(Target::Refresh), A.on(Target::Device)]),
                ..NONE
            },
            Requests { headers: Some(&[("Ocp-Apim-Subscription-Key", "{key}"), ("b", "c d")]), ..NONE },
        ] {
            assert_eq!(Provider { requests: Some(&told), ..provider }.fault(), None, "{told:?}");
        }
        let told = Requests { extension_grant: Some("urn:ietf:params:oauth:grant-type:jwt-bearer"), ..NONE };
        let extension = Provider { primary_grant: Some(Grant::Extension), requests: Some(&told), ..GOOD };
        assert_eq!(extension.fault(), None);
    }

    #[test]
    fn a_description_that_works_has_no_fault() {
        for provider in [
            Provider { base_url: None, token_path: None, primary_grant: None, authentication: None, ..GOOD },
            Provider { base_url: Some("HTTPS://[::1]:8443/realms/a/"), ..GOOD },
            Provider { base_url: Some("https://h/token?a=b"), token_path: None, ..GOOD },
            Provider { token_path: Some("/token?api-version=1"), ..GOOD },
            Provider { nested: Nested::at(Some("data[0].token"), Some("[1].code[2]")), ..GOOD },
            Provider { authentication: Some(ClientAuthentication::NONE), ..GOOD },
            named(TOKEN),
            expiring("expires_on", OwnMembers::FOUND),
            expiring("access_token", OwnMembers::named(TOKEN)),
            living(OwnMembers::FOUND, RefreshLife::KNOWN),
            Provider { refresh_life: RefreshLife { idle_s: 1, ..RefreshLife::KNOWN }, ..GOOD },
            named(&[("scope", "access_token"), ("access_token", "scope")]),
            Provider { any_https_origin: true, ..GOOD },
            Provider { answer: FORM, ..expiring("access_token", OwnMembers::named(TOKEN)) },
            Provider { authorization_url: Some("https://a.example/authorize?scopes=a&b=state"), ..GOOD },
            Provider { issuer: Some("https://a.example/realms/a"), ..GOOD },
            Provider { device_path: Some("/device?a=b"), ..GOOD },
            Provider { header: Some(&TokenHeader { name: "X-API-Key", scheme: "" }), ..GOOD },
            Provider { expired_status: Some(&[403, 498]), ..GOOD },
            Provider { token_type_aliases: Some(&["User Access Token"]), ..GOOD },
        ] {
            assert_eq!(provider.fault(), None, "{provider:?}");
        }
    }
}
