//! A route table: which token opens which endpoint.

use crate::wire::url::{next_decoded, segments};

/// An endpoint and the kind of token that opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Route<'a> {
    /// The method, compared with case.
    pub method: &'a str,
    /// The path: `{site}` is the subject's own site, any other `{name}` one segment.
    pub path: &'a str,
    /// The kind of token.
    pub token: TokenKind,
}

/// Whom a token stands for, as a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum TokenKind {
    /// The client itself.
    Client,
    /// One site.
    Site,
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

fn decodes_to(mut segment: &[u8], site: &str) -> bool {
    site.bytes().all(|byte| next_decoded(&mut segment) == Some(byte)) && segment.is_empty()
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;
    use std::string::String;

    use super::PathMatch;
    use crate::wire::writer::{Encoding, Writer};

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
    fn an_encoded_site_is_that_site_again() {
        for character in ('\0'..='\u{2FF}').chain(['\u{FFFD}', '\u{10FFFF}']) {
            let site = format!("x{character}");
            let path = format!("/{}", encoded(&site));
            assert_eq!(match_path("/{site}", &path, Some(&site)), PathMatch::Yes, "{site:?}");
        }
    }
}
