//! A route table: which token opens which endpoint.

use crate::error::Error;
use crate::wire::url::{is_ambiguous, next_decoded};

/// Which token opens which endpoint.
///
/// ```
/// use tokenward::{Route, Routes};
///
/// const ROUTES: Routes<'static> =
///     Routes::table(&[Route::client("GET", "/v1/sites"), Route::site("GET", "/v1/site/{site}")]);
/// assert_eq!(ROUTES.rows.map(<[Route<'_>]>::len), Some(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Routes<'a> {
    /// What looks a request up.
    pub table: Option<&'a RouteTable>,
    /// The rows.
    pub rows: Option<&'a [Route<'a>]>,
}

impl<'a> Routes<'a> {
    /// A token opens every path of the origins.
    pub const NONE: Self = Self { table: None, rows: None };

    /// A token opens only what these rows say.
    #[must_use]
    pub const fn table(rows: &'a [Route<'a>]) -> Self {
        Self { table: Some(RouteTable::ROWS), rows: Some(rows) }
    }
}

/// An endpoint and the token that opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Route<'a> {
    /// The method, compared with case.
    pub method: &'a str,
    /// The path: `{site}` is the subject's own site, any other `{name}` one segment.
    pub path: &'a str,
    /// A token of a site opens it; else one of the client itself.
    pub of_site: bool,
}

impl<'a> Route<'a> {
    /// An endpoint for a token of the client itself.
    #[must_use]
    pub const fn client(method: &'a str, path: &'a str) -> Self {
        Self { method, path, of_site: false }
    }

    /// An endpoint for a token of a site.
    #[must_use]
    pub const fn site(method: &'a str, path: &'a str) -> Self {
        Self { method, path, of_site: true }
    }
}

/// Looks a request up in a route table: a value that brings its code.
#[derive(Clone, Copy)]
pub struct RouteTable {
    number: u8,
    name: &'static str,
    pub(crate) check: Check,
}

/// Of rows, method, path, and the site that the token is of.
type Check = fn(&[Route<'_>], &[u8], &[u8], Option<&str>) -> Result<(), Error>;

impl RouteTable {
    /// Row by row.
    pub const ROWS: &'static Self = &Self { number: 1, name: "table", check };
}

part!(RouteTable: ROWS);

/// Whether a row lets the token through. The first fault wins: a path that is ambiguous, of no row, of the other kind of
/// token, of another site.
#[inline(never)]
fn check(rows: &[Route<'_>], method: &[u8], path: &[u8], site: Option<&str>) -> Result<(), Error> {
    if is_ambiguous(path) {
        return Err(Error::BadUrl);
    }
    let mut fault = Error::UnknownRoute;
    for route in rows {
        if !same(route.method.as_bytes(), method) {
            continue;
        }
        let own = route.of_site == site.is_some();
        match match_path(route.path, path, site) {
            Some(true) if own => return Ok(()),
            Some(false) if own => fault = Error::OtherSite,
            Some(_) if fault == Error::UnknownRoute => fault = Error::RouteNeedsOtherToken,
            _ => {}
        }
    }
    Err(fault)
}

/// Byte for byte: methods are too short for a comparison that is made for long texts.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one == other)
}

/// Compares a raw path with a pattern like `/v1/site/{site}/device/{deviceId}`: whether it is of the subject's own
/// site; `None` if it is of another row.
///
/// `{site}` is the percent-encoded `site`, any other `{name}` one segment that is not empty; every other
/// segment stands for itself, byte for byte. Without `site` a row with `{site}` is of another site.
fn match_path(pattern: &str, path: &[u8], site: Option<&str>) -> Option<bool> {
    let (mut pattern, mut path, mut of_site) = (pattern.as_bytes(), path, true);
    loop {
        let same = pattern.iter().zip(path).take_while(|(one, other)| one == other).count();
        let (literal, patterns) = pattern.split_at_checked(same)?;
        let segments = path.get(same..)?;
        match (patterns, segments) {
            ([], []) => return Some(of_site),
            ([b'{', ..], [first, ..]) if literal.ends_with(b"/") && *first != b'/' => {
                let ((name, patterns), (segment, segments)) =
                    (split_segment(patterns), split_segment(segments));
                if !name.ends_with(b"}") {
                    return None;
                }
                if name == b"{site}" {
                    of_site &= site.is_some_and(|site| decodes_to(segment, site));
                }
                (pattern, path) = (patterns, segments);
            }
            _ => return None,
        }
    }
}

/// A segment of a path, and what follows it.
fn split_segment(path: &[u8]) -> (&[u8], &[u8]) {
    let len = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
    path.split_at_checked(len).unwrap_or_default()
}

fn decodes_to(mut segment: &[u8], site: &str) -> bool {
    let is_next = |byte| match segment {
        [first, rest @ ..] if *first != b'%' => {
            segment = rest;
            *first == byte
        }
        _ => next_decoded(&mut segment) == Some(byte),
    };
    site.bytes().all(is_next) && segment.is_empty()
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;

    use crate::wire::writer::tests::encoded;

    fn match_path(pattern: &str, path: &str, site: Option<&str>) -> Option<bool> {
        super::match_path(pattern, path.as_bytes(), site)
    }

    #[test]
    fn a_literal_segment_stands_for_itself() {
        let pattern = "/v1/site/devices";
        assert_eq!(match_path(pattern, "/v1/site/devices", None), Some(true));
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
            assert_eq!(match_path(pattern, other, None), None, "{other}");
        }
        assert_eq!(match_path("/", "/", None), Some(true));
        assert_eq!(match_path("/a/", "/a/", None), Some(true));
    }

    #[test]
    fn any_other_name_stands_for_one_segment_that_is_not_empty() {
        let pattern = "/v1/device/{deviceId}/state";
        for path in ["/v1/device/1/state", "/v1/device/%20/state", "/v1/device/{deviceId}/state"] {
            assert_eq!(match_path(pattern, path, None), Some(true), "{path}");
        }
        for path in ["/v1/device//state", "/v1/device/1/2/state", "/v1/device/state", "/v1/device/1/state/"] {
            assert_eq!(match_path(pattern, path, None), None, "{path}");
        }
        assert_eq!(match_path("/{a}", "/", None), None);
    }

    #[test]
    fn a_site_is_compared_decoded_and_after_everything_else() {
        let pattern = "/v1/site/{site}/device/{deviceId}";
        let of_site = |path: &str| match_path(pattern, path, Some("a é"));
        assert_eq!(of_site("/v1/site/a%20%C3%A9/device/1"), Some(true));
        assert_eq!(of_site("/v1/site/%61%20%c3%a9/device/1"), Some(true));
        for segment in
            ["b", "a", "a%20", "a%20%C3%A9x", "a%20%C3%A", "a%20%C3%A9%", "A%20%C3%A9", "a+%C3%A9", "%"]
        {
            assert_eq!(of_site(&format!("/v1/site/{segment}/device/1")), Some(false), "{segment}");
            assert_eq!(of_site(&format!("/v1/site/{segment}/device/")), None, "{segment}");
            assert_eq!(of_site(&format!("/v2/site/{segment}/device/1")), None, "{segment}");
        }
        assert_eq!(of_site("/v1/site//device/1"), None);
    }

    #[test]
    fn a_row_of_a_site_is_of_another_site_where_there_is_none() {
        assert_eq!(match_path("/site/{site}", "/site/a", None), Some(false));
        assert_eq!(match_path("/site/{site}", "/site/a", Some("")), Some(false));
        assert_eq!(match_path("/site/{site}", "/site/", Some("")), None);
        assert_eq!(match_path("/{site}/{site}", "/a/b", Some("a")), Some(false));
        assert_eq!(match_path("/{site}/{site}", "/b/a", Some("a")), Some(false));
    }

    #[test]
    fn an_encoded_site_is_that_site_again() {
        for character in ('\0'..='\u{2FF}').chain(['\u{FFFD}', '\u{10FFFF}']) {
            let site = format!("x{character}");
            let path = format!("/{}", encoded(&site));
            assert_eq!(match_path("/{site}", &path, Some(&site)), Some(true), "{site:?}");
        }
    }
}
