extern crate std;

use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use super::{Url, is_ambiguous};

/// Scheme, host, port and path; `None` where the URL is refused.
fn read(url: &str) -> Option<(&str, &str, Option<u16>, &str)> {
    let text = |bytes| core::str::from_utf8(bytes).expect("ASCII");
    Url::parse(url.as_bytes()).map(|url| (text(url.scheme), text(url.host), url.port, text(url.path())))
}

fn holds<'a>(url: &'a str, rule: impl FnOnce(&Url<'a>) -> bool) -> Option<bool> {
    Url::parse(url.as_bytes()).map(|url| rule(&url))
}

fn same(one: &str, other: &str) -> Option<bool> {
    holds(one, |url| url.is_of_origin(other.as_bytes()))
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
    for wrong in ["a%2eb", "a b", "a,b", "a!", "a$b", "a&b", "a'b", "(a)", "a*", "a+b", "a;b", "a=b", "a~b"] {
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
            let replaced: String = before.chars().chain([character]).chain(after.chars().skip(1)).collect();
            let _ = holds(&replaced, |url| is_ambiguous(url.path()));
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
        assert_eq!(holds(&format!("http://{loopback}/"), Url::is_loopback_http), Some(true), "{loopback}");
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
        "/.", "/..", "/a/./b", "/a/../b", "/../", "/..;", "/.;", "/a/..;/b", "/a/.;x=1", "/..;..", "/%2e",
        "/%2E%2e/", "/a%2eb", "/.%2e", "/a%2Fb", "/a%2fb", "/a%5Cb", "/a%5c", "/%", "/a%2", "/a%zz", "/%%41",
        "/%4", "/a%2g/", "/%+1", "/%2%65", "/%25", "/%252e", "/a%3b", "/a%3Bb", "/%3f", "/%3F", "/%23",
        "/%00", "/%0a", "/%1F", "/%7f",
    ] {
        assert_eq!(holds(&format!("https://h{path}"), |url| is_ambiguous(url.path())), Some(true), "{path}");
    }
    for path in [
        "", "/", "/a", "/a.b", "/.a", "/...", "/a../b", "/a;..", "/a;x=.", "/...;", "/%41", "/a%20b",
        "/%80%ff", "//", "/a?../%", "/a#/..;",
    ] {
        assert_eq!(holds(&format!("https://h{path}"), |url| is_ambiguous(url.path())), Some(false), "{path}");
    }
}

#[test]
fn any_two_bytes_in_an_escape_are_read_or_refused() {
    let bytes: Vec<u8> = vec![b'%', 0, b'/', b'.', b'2', b'e', b'F', b'G', b'{', b'}', b':', b'@', b'['];
    for one in &bytes {
        for other in &bytes {
            for third in &bytes {
                let text: String = [one, other, third].into_iter().copied().map(char::from).collect();
                let _ = holds(&format!("https://{text}"), |url| is_ambiguous(url.path()));
                let _ = holds(&format!("https://h/{text}"), |url| is_ambiguous(url.path()));
                let _ = holds(&format!("h{text}//h/"), Url::is_loopback_http);
            }
        }
    }
}
