//! Absolute URLs that mean one thing only, and the paths of a route table.

use crate::ascii::{decimal, eq_ignore_case, hexadecimal, is_alphanumeric_or};
use crate::{Error, Provider};

/// An absolute URL with an authority (RFC 3986 section 3), as far as an origin and a route need it.
pub(crate) struct Url<'a> {
    /// As spelled.
    scheme: &'a [u8],
    /// As spelled; an IPv6 address with its brackets.
    host: &'a [u8],
    /// `None` where the URL names no port.
    port: Option<u16>,
    /// As spelled, without query and fragment; `/` where there is none.
    pub(crate) path: &'a [u8],
}

impl<'a> Url<'a> {
    /// Reads an absolute URL, and refuses what two readers could understand differently.
    ///
    /// # Errors
    ///
    /// - [`Error::BadUrl`]: no scheme, no host, user info, a control byte, white space, a backslash, a byte
    ///   that is not ASCII, a host of anything but letters, digits, `.`, `-`, `_` (or an IPv6 address in
    ///   brackets), no port up to 65535, or one of ``"<>^`{|}`` in the path.
    #[inline(always)]
    pub(crate) fn parse(url: &'a [u8]) -> Result<Self, Error> {
        Self::read(url).ok_or(Error::BadUrl)
    }

    #[inline(never)]
    fn read(url: &'a [u8]) -> Option<Self> {
        if !url.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'\\') {
            return None;
        }
        let (scheme, rest) = url.split_at_checked(find(url, b":"))?;
        let rest = rest.strip_prefix(b"://")?;
        let (authority, rest) = rest.split_at_checked(find(rest, b"/?#"))?;
        let path = rest.get(..find(rest, b"?#"))?;
        let end_of_host = match authority {
            [b'[', ..] => find(authority, b"]").checked_add(1)?,
            _ => find(authority, b":"),
        };
        let (host, port) = authority.split_at_checked(end_of_host)?;
        let port = match port {
            [] | [b':'] => None,
            [b':', digits @ ..] => Some(port_number(digits)?),
            _ => return None,
        };
        let path_is_plain = find(path, b"\"<>^`{|}") == path.len();
        let path = if path.is_empty() { b"/" } else { path };
        (is_scheme(scheme) && is_host(host) && path_is_plain).then_some(Self { scheme, host, port, path })
    }

    fn is_https(&self) -> bool {
        eq_ignore_case(self.scheme, b"https")
    }

    /// Whether secrets may be sent there: `https`, or loopback where the provider allows it.
    pub(crate) fn is_secure(&self, provider: &Provider<'_>) -> bool {
        self.is_https() || (provider.allow_loopback_http && self.is_loopback_http())
    }

    /// `http` to this very machine: `localhost`, 127.0.0.0/8 as four decimal numbers, or `[::1]`.
    #[inline(never)]
    fn is_loopback_http(&self) -> bool {
        let named = self.host == b"[::1]" || eq_ignore_case(self.host, b"localhost");
        eq_ignore_case(self.scheme, b"http") && (named || is_loopback_quad(self.host).is_some())
    }

    /// Whether scheme, host and port are the same (RFC 6454 section 5); a default port equals none.
    pub(crate) fn same_origin(&self, other: &Url<'_>) -> bool {
        eq_ignore_case(self.scheme, other.scheme)
            && eq_ignore_case(self.host, other.host)
            && (self.port == other.port || self.effective_port() == other.effective_port())
    }

    fn effective_port(&self) -> Option<u16> {
        let default = || match self {
            _ if self.is_https() => Some(443),
            _ if eq_ignore_case(self.scheme, b"http") => Some(80),
            _ => None,
        };
        self.port.or_else(default)
    }

    /// Whether a server could take the path for another one: a dot segment, `%2e`, `%2f`, `%5c`, or a
    /// percent sign that starts no escape.
    pub(crate) fn path_is_ambiguous(&self) -> bool {
        let mut rest = self.path;
        while let [first, ..] = rest {
            let escape = *first == b'%';
            match next_decoded(&mut rest) {
                None => return true,
                Some(b'.' | b'/' | b'\\') if escape => return true,
                Some(_) => {}
            }
        }
        segments(self.path).any(|segment| matches!(segment, b"." | b".."))
    }
}

/// How a path stands to one row of a route table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathMatch {
    /// It is not of this row.
    No,
    /// It is of this row, but of a site that is not the subject's.
    OtherSite,
    /// It is of this row.
    Yes,
}

/// Compares a raw path with a pattern like `/v1/site/{site}/device/{deviceId}`.
///
/// `{site}` is the percent-encoded `site`, any other `{name}` one segment that is not empty; every other
/// segment stands for itself, byte for byte. Without `site` a row with `{site}` is of another site.
pub(crate) fn match_path(pattern: &str, path: &[u8], site: Option<&str>) -> PathMatch {
    let (mut patterns, mut segments) = (segments(pattern.as_bytes()), segments(path));
    let mut of_site = true;
    loop {
        match (patterns.next(), segments.next()) {
            (None, None) if of_site => return PathMatch::Yes,
            (None, None) => return PathMatch::OtherSite,
            (Some(b"{site}"), Some(segment @ [_, ..])) => {
                of_site &= site.is_some_and(|site| decodes_to(segment, site));
            }
            (Some([b'{', .., b'}']), Some([_, ..])) => {}
            (Some(literal), Some(segment)) if literal == segment => {}
            _ => return PathMatch::No,
        }
    }
}

/// Bytes before the first of `stops`, or all.
#[cfg_attr(target_pointer_width = "64", inline(always))]
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
fn find(text: &[u8], stops: &[u8]) -> usize {
    text.iter().position(|byte| stops.iter().any(|stop| stop == byte)).unwrap_or(text.len())
}

fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
}

/// `ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )` (RFC 3986 section 3.1)
fn is_scheme(scheme: &[u8]) -> bool {
    scheme.first().is_some_and(u8::is_ascii_alphabetic) && all(scheme, b"+-.")
}

fn is_host(host: &[u8]) -> bool {
    match host {
        [] => false,
        [b'[', address @ .., b']'] => {
            let colon = |byte: &&u8| **byte == b':';
            address.iter().all(|byte| hexadecimal(*byte).is_some() || matches!(byte, b':' | b'.'))
                && address.iter().filter(colon).nth(1).is_some()
        }
        name => all(name, b".-_"),
    }
}

/// Whether there are letters, digits and `others` alone.
fn all(text: &[u8], others: &[u8]) -> bool {
    text.iter().all(|byte| is_alphanumeric_or(*byte, others))
}

#[inline(never)]
fn port_number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |port, byte| port.checked_mul(10)?.checked_add(u16::from(decimal(*byte)?)))
}

/// `127.` and three numbers up to 255 without leading zeros, which some readers take for octal.
fn is_loopback_quad(host: &[u8]) -> Option<()> {
    let mut rest = host.strip_prefix(b"127")?;
    for _ in 0..3 {
        let numbers = rest.strip_prefix(b".")?;
        let (number, behind) = numbers.split_at_checked(find(numbers, b"."))?;
        let octet = number.len() <= 3 && port_number(number)? <= 255;
        if !octet || number.is_empty() || (number.starts_with(b"0") && number.len() > 1) {
            return None;
        }
        rest = behind;
    }
    rest.is_empty().then_some(())
}

fn decodes_to(mut segment: &[u8], site: &str) -> bool {
    site.bytes().all(|byte| next_decoded(&mut segment) == Some(byte)) && segment.is_empty()
}

/// Takes one byte, or the byte that an escape stands for. `None` at the end and at a malformed escape.
#[inline(never)]
fn next_decoded(rest: &mut &[u8]) -> Option<u8> {
    let (byte, after) = match rest {
        [b'%', high, low, after @ ..] => (hexadecimal(*high)? << 4 | hexadecimal(*low)?, after),
        [b'%', ..] | [] => return None,
        [byte, after @ ..] => (*byte, after),
    };
    *rest = after;
    Some(byte)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;
    use std::vec::Vec;
    use std::{format, vec};

    use super::{PathMatch, Url};
    use crate::Error;
    use crate::form::{Encoding, Writer};

    /// Scheme, host, port and path; `None` where the URL is refused.
    fn read(url: &str) -> Option<(&str, &str, Option<u16>, &str)> {
        let text = |bytes| core::str::from_utf8(bytes).expect("ASCII");
        Url::parse(url.as_bytes())
            .ok()
            .map(|url| (text(url.scheme), text(url.host), url.port, text(url.path)))
    }

    fn holds<'a>(url: &'a str, rule: impl FnOnce(&Url<'a>) -> bool) -> Option<bool> {
        Url::parse(url.as_bytes()).ok().map(|url| rule(&url))
    }

    fn same(one: &str, other: &str) -> Option<bool> {
        Some(Url::parse(one.as_bytes()).ok()?.same_origin(&Url::parse(other.as_bytes()).ok()?))
    }

    fn match_path(pattern: &str, path: &str, site: Option<&str>) -> PathMatch {
        super::match_path(pattern, path.as_bytes(), site)
    }

    fn encoded(site: &str) -> String {
        let mut out = [0; 64];
        let mut writer = Writer::new(&mut out);
        writer.encoded(site.as_bytes(), Encoding::Percent);
        let written = writer.written();
        out[..written].iter().copied().map(char::from).collect()
    }

    #[test]
    fn an_absolute_url_has_a_scheme_a_host_a_port_and_a_path() {
        assert_eq!(read("https://api.example"), Some(("https", "api.example", None, "/")));
        assert_eq!(read("https://api.example?q"), Some(("https", "api.example", None, "/")));
        assert_eq!(read("https://api.example#f"), Some(("https", "api.example", None, "/")));
        assert_eq!(read("HTTPS://API.example:8443/"), Some(("HTTPS", "API.example", Some(8443), "/")));
        assert_eq!(read("https://a_b-c.1/v1/x?y=/z#/w"), Some(("https", "a_b-c.1", None, "/v1/x")));
        assert_eq!(read("coap+tcp://h:1/p#?"), Some(("coap+tcp", "h", Some(1), "/p")));
        assert_eq!(read("http://[::1]:80/x"), Some(("http", "[::1]", Some(80), "/x")));
        assert_eq!(read("http://[::ffff:1.2.3.4]"), Some(("http", "[::ffff:1.2.3.4]", None, "/")));
        assert_eq!(read("https://h//"), Some(("https", "h", None, "//")));
    }

    #[test]
    fn a_url_without_scheme_or_host_is_refused() {
        for wrong in [
            "",
            "/",
            "://",
            "://h",
            "h",
            "h/p",
            "//h/p",
            "https",
            "https:",
            "https:/h",
            "https:h",
            "https://",
            "https:///p",
            "https://:443/",
            "https://?q",
            "1https://h",
            "ht_tps://h",
            "+a://h",
            "/a://h",
            "mailto:a",
            "https//h://x",
            "https://#",
            "https:\\\\h",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
            assert_eq!(Url::parse(wrong.as_bytes()).err(), Some(Error::BadUrl));
        }
    }

    #[test]
    fn user_info_is_refused_but_an_at_sign_elsewhere_is_not() {
        for wrong in ["https://u@h/", "https://u:p@h/", "https://@h", "https://good.example@evil.example/"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(read("https://h/@x?a@b#c@d"), Some(("https", "h", None, "/@x")));
    }

    #[test]
    fn a_host_is_plain_letters_digits_dots_hyphens_and_underscores() {
        for wrong in
            ["a%2eb", "a b", "a,b", "a!", "a$b", "a&b", "a'b", "(a)", "a*", "a+b", "a;b", "a=b", "a~b"]
        {
            assert_eq!(read(&format!("https://{wrong}/")), None, "{wrong}");
        }
    }

    #[test]
    fn an_ip_literal_is_an_ipv6_address_without_zone() {
        for wrong in [
            "[]",
            "[1]",
            "[:]",
            "[::1",
            "::1",
            "[::1]x",
            "[fe80::1%25eth0]",
            "[v1.a:b:c]",
            "[::g]",
            "x[::1]",
            "[[::1]]",
        ] {
            assert_eq!(read(&format!("https://{wrong}/")), None, "{wrong}");
        }
    }

    #[test]
    fn a_port_is_a_number_up_to_65535_and_an_empty_one_is_none() {
        assert_eq!(read("https://h:/"), Some(("https", "h", None, "/")));
        assert_eq!(read("https://[::1]:"), Some(("https", "[::1]", None, "/")));
        assert_eq!(read("https://h:65535/"), Some(("https", "h", Some(65535), "/")));
        assert_eq!(read("https://h:00443/"), Some(("https", "h", Some(443), "/")));
        for wrong in ["65536", "655350", "99999999999", "-1", "+1", "8o", "1:2", ":", "%38"] {
            assert_eq!(read(&format!("https://h:{wrong}/")), None, "{wrong}");
        }
    }

    #[test]
    fn a_byte_that_is_no_visible_ascii_and_a_backslash_are_refused_anywhere() {
        let url = "https://h:1/p?q#f";
        for position in 0..=url.len() {
            let (before, after) = url.split_at(position);
            for code in 0..=u32::from(u8::MAX) {
                let character = char::from_u32(code).unwrap_or(' ');
                let changed = format!("{before}{character}{after}");
                let read = read(&changed);
                if !character.is_ascii_graphic() || character == '\\' {
                    assert_eq!(read, None, "{changed:?}");
                }
                let replaced: String =
                    before.chars().chain([character]).chain(after.chars().skip(1)).collect();
                let _ = holds(&replaced, Url::path_is_ambiguous);
            }
            let _ = Url::parse(before.as_bytes());
        }
    }

    #[test]
    fn a_byte_that_belongs_escaped_is_refused_in_the_path_only() {
        for byte in ['"', '<', '>', '^', '`', '{', '|', '}'] {
            assert_eq!(read(&format!("https://h/a{byte}")), None, "{byte}");
            assert_eq!(read(&format!("https://h/a?{byte}#{byte}")), Some(("https", "h", None, "/a")));
        }
    }

    #[test]
    fn https_is_a_scheme_in_any_case() {
        assert_eq!(holds("https://h", Url::is_https), Some(true));
        assert_eq!(holds("HttpS://h", Url::is_https), Some(true));
        assert_eq!(holds("http://h", Url::is_https), Some(false));
        assert_eq!(holds("httpss://h", Url::is_https), Some(false));
    }

    #[test]
    fn loopback_http_is_localhost_127_8_and_the_ipv6_loopback() {
        for loopback in ["localhost", "LocalHost:8080", "127.0.0.1", "127.255.1.25:1", "127.0.0.0", "[::1]"] {
            assert_eq!(
                holds(&format!("http://{loopback}/"), Url::is_loopback_http),
                Some(true),
                "{loopback}"
            );
            assert_eq!(holds(&format!("https://{loopback}/"), Url::is_loopback_http), Some(false));
        }
        for other in [
            "localhost.example",
            "localhost.",
            "127.0.0.1.example",
            "127.1",
            "127",
            "127.0.0",
            "127.0.0.",
            "127.0.0.256",
            "127.0.0.01",
            "127.0.0.0001",
            "127.0.0.1.1",
            "127.0.0.1.",
            "127..0.1",
            "127.0.0.x",
            "0127.0.0.1",
            "128.0.0.1",
            "0.0.0.0",
            "[::2]",
            "[0:0::1]",
            "10.0.0.1",
            "127.0.0.999",
        ] {
            assert_eq!(holds(&format!("http://{other}/"), Url::is_loopback_http), Some(false), "{other}");
        }
    }

    #[test]
    fn every_dotted_octet_is_compared_as_a_number() {
        for number in 0..=1000 {
            let url = format!("http://127.{number}.0.{number}/");
            assert_eq!(holds(&url, Url::is_loopback_http), Some(number <= 255), "{url}");
        }
    }

    #[test]
    fn an_origin_is_scheme_and_host_without_case_and_the_effective_port() {
        for (one, other) in [
            ("https://h", "https://h/p?q"),
            ("https://h", "HTTPS://H:443"),
            ("https://h:", "https://h:443"),
            ("http://h:80", "http://h"),
            ("http://h:0080", "http://h"),
            ("https://[::A]", "https://[::a]:443"),
            ("coap://h", "coap://h/x"),
        ] {
            assert_eq!(same(one, other), Some(true), "{one} {other}");
            assert_eq!(same(other, one), Some(true), "{other} {one}");
        }
        for (one, other) in [
            ("https://h", "http://h"),
            ("https://h", "https://h.example"),
            ("https://h", "https://h."),
            ("https://h", "https://h:80"),
            ("https://h", "https://h:8443"),
            ("http://h", "http://h:443"),
            ("https://h:443", "http://h:443"),
            ("coap://h", "coap://h:5683"),
        ] {
            assert_eq!(same(one, other), Some(false), "{one} {other}");
            assert_eq!(same(other, one), Some(false), "{other} {one}");
        }
    }

    #[test]
    fn a_path_that_a_server_could_take_for_another_one_is_ambiguous() {
        for path in [
            "/.", "/..", "/a/./b", "/a/../b", "/../", "/%2e", "/%2E%2e/", "/a%2eb", "/.%2e", "/a%2Fb",
            "/a%2fb", "/a%5Cb", "/a%5c", "/%", "/a%2", "/a%zz", "/%%41", "/%4", "/a%2g/", "/%+1", "/%2%65",
        ] {
            assert_eq!(holds(&format!("https://h{path}"), Url::path_is_ambiguous), Some(true), "{path}");
        }
        for path in [
            "", "/", "/a", "/a.b", "/.a", "/...", "/a../b", "/%41", "/a%20b", "//", "/%25", "/%252e",
            "/a?../%", "/a#/..",
        ] {
            assert_eq!(holds(&format!("https://h{path}"), Url::path_is_ambiguous), Some(false), "{path}");
        }
    }

    #[test]
    fn a_literal_segment_stands_for_itself() {
        let pattern = "/v1/site/devices";
        assert_eq!(match_path(pattern, "/v1/site/devices", None), PathMatch::Yes);
        for other in [
            "/",
            "",
            "/v1",
            "/v1/site",
            "/v1/site/devices/",
            "//v1/site/devices",
            "/v1/Site/devices",
            "/v1/site/device%73",
        ] {
            assert_eq!(match_path(pattern, other, None), PathMatch::No, "{other}");
        }
        assert_eq!(match_path("/", "/", None), PathMatch::Yes);
        assert_eq!(match_path("/a/", "/a/", None), PathMatch::Yes);
    }

    #[test]
    fn any_other_name_stands_for_one_segment_that_is_not_empty() {
        let pattern = "/v1/device/{deviceId}/state";
        for path in ["/v1/device/1/state", "/v1/device/%20/state", "/v1/device/{deviceId}/state"] {
            assert_eq!(match_path(pattern, path, None), PathMatch::Yes, "{path}");
        }
        for path in ["/v1/device//state", "/v1/device/1/2/state", "/v1/device/state", "/v1/device/1/state/"] {
            assert_eq!(match_path(pattern, path, None), PathMatch::No, "{path}");
        }
        assert_eq!(match_path("/{a}", "/", None), PathMatch::No);
    }

    #[test]
    fn a_site_is_compared_decoded_and_after_everything_else() {
        let pattern = "/v1/site/{site}/device/{deviceId}";
        let of_site = |path: &str| match_path(pattern, path, Some("a é"));
        assert_eq!(of_site("/v1/site/a%20%C3%A9/device/1"), PathMatch::Yes);
        assert_eq!(of_site("/v1/site/%61%20%c3%a9/device/1"), PathMatch::Yes);
        for segment in
            ["b", "a", "a%20", "a%20%C3%A9x", "a%20%C3%A", "a%20%C3%A9%", "A%20%C3%A9", "a+%C3%A9", "%"]
        {
            assert_eq!(of_site(&format!("/v1/site/{segment}/device/1")), PathMatch::OtherSite, "{segment}");
            assert_eq!(of_site(&format!("/v1/site/{segment}/device/")), PathMatch::No, "{segment}");
            assert_eq!(of_site(&format!("/v2/site/{segment}/device/1")), PathMatch::No, "{segment}");
        }
        assert_eq!(of_site("/v1/site//device/1"), PathMatch::No);
    }

    #[test]
    fn a_row_of_a_site_is_of_another_site_where_there_is_none() {
        assert_eq!(match_path("/site/{site}", "/site/a", None), PathMatch::OtherSite);
        assert_eq!(match_path("/site/{site}", "/site/a", Some("")), PathMatch::OtherSite);
        assert_eq!(match_path("/site/{site}", "/site/", Some("")), PathMatch::No);
        assert_eq!(match_path("/{site}/{site}", "/a/b", Some("a")), PathMatch::OtherSite);
        assert_eq!(match_path("/{site}/{site}", "/b/a", Some("a")), PathMatch::OtherSite);
    }

    #[test]
    fn all_but_unreserved_bytes_are_escaped_in_upper_case() {
        assert_eq!(encoded(""), "");
        assert_eq!(encoded("AZaz09-._~"), "AZaz09-._~");
        assert_eq!(encoded("a b/c\\é%+"), "a%20b%2Fc%5C%C3%A9%25%2B");
        for code in 0..=127_u8 {
            let character = char::from(code);
            let kept = character.is_ascii_alphanumeric() || "-._~".contains(character);
            let expected = if kept { String::from(character) } else { format!("%{code:02X}") };
            assert_eq!(encoded(&String::from(character)), expected);
        }
    }

    #[test]
    fn an_encoded_site_is_that_site_again() {
        for character in ('\0'..='\u{2FF}').chain(['\u{FFFD}', '\u{10FFFF}']) {
            let site = format!("x{character}");
            let path = format!("/{}", encoded(&site));
            assert_eq!(match_path("/{site}", &path, Some(&site)), PathMatch::Yes, "{site:?}");
        }
    }

    #[test]
    fn any_two_bytes_in_an_escape_are_read_or_refused() {
        let bytes: Vec<u8> = vec![b'%', 0, b'/', b'.', b'2', b'e', b'F', b'G', b'{', b'}', b':', b'@', b'['];
        for one in &bytes {
            for other in &bytes {
                for third in &bytes {
                    let text: String = [one, other, third].into_iter().copied().map(char::from).collect();
                    let _ = match_path(&text, &format!("/{text}"), Some(&text));
                    let _ = holds(&format!("https://{text}"), Url::path_is_ambiguous);
                    let _ = holds(&format!("https://h/{text}"), Url::path_is_ambiguous);
                    let _ = holds(&format!("h{text}//h/"), Url::is_loopback_http);
                }
            }
        }
    }
}
