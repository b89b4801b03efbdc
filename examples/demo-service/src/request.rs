//! Reading a request strictly: form and JSON bodies, Basic and Bearer credentials.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::{Environment, reply::Refusal};

/// A request that has been read whole.
pub(crate) struct Call<'a> {
    pub(crate) environment: Option<Environment>,
    pub(crate) now: u64,
    pub(crate) query: Option<&'a str>,
    /// What stood for `{name}` in the route, percent-decoded.
    pub(crate) path_params: Vec<(String, String)>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl Call<'_> {
    pub(crate) fn path_param(&self, name: &str) -> &str {
        self.path_params.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The media type of the body, in lower case and without parameters.
    pub(crate) fn media_type(&self) -> Option<String> {
        let mut fields = self.headers.get_all(header::CONTENT_TYPE).iter();
        let field = fields.next()?.to_str().ok()?;
        if fields.next().is_some() {
            return None;
        }
        Some(field.split(';').next()?.trim().to_ascii_lowercase())
    }
}

/// The parameters of a token request: each at most once, none empty.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Parameters without a value count as omitted, repeated ones are refused (RFC 6749 3.2).
    fn new(pairs: Vec<(String, String)>) -> Result<Self, Refusal> {
        let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(Refusal::invalid_request("a parameter is repeated"));
        }
        Ok(Params(pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect()))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// # Errors
    /// `invalid_request` where it is missing.
    pub(crate) fn need(&self, name: &str, otherwise: &'static str) -> Result<&str, Refusal> {
        self.get(name).ok_or(Refusal::invalid_request(otherwise))
    }

    /// `application/x-www-form-urlencoded` (RFC 6749 Appendix B).
    pub(crate) fn from_form(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Params::new(Vec::new());
        }
        let malformed = || Refusal::invalid_request("the form body is malformed");
        let pairs = body
            .split(|byte| *byte == b'&')
            .map(|pair| {
                let mut halves = pair.splitn(2, |byte| *byte == b'=');
                let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
                Some((form_decoded(name).filter(|name| !name.is_empty())?, form_decoded(value)?))
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(malformed)?;
        Params::new(pairs)
    }

    /// One JSON object whose values are strings.
    pub(crate) fn from_json(body: &[u8]) -> Result<Self, Refusal> {
        let Pairs(pairs) = serde_json::from_slice(body)
            .map_err(|_| Refusal::invalid_request("the body is not a JSON object of strings"))?;
        Params::new(pairs)
    }
}

fn form_decoded(text: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (hex_digit(*bytes.next()?)?, hex_digit(*bytes.next()?)?);
                high << 4 | low
            }
            0x21..=0x7e => *byte,
            _ => return None,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The members of an object in order, repeated ones included.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// What the `Authorization` field holds.
pub(crate) enum Authorization<'a> {
    None,
    /// User id and password as they were sent; none where they cannot be read.
    Basic(Option<(String, String)>),
    Bearer(&'a str),
    Other,
}

/// # Errors
/// `invalid_request`: more than one field, bytes outside ASCII, or a Bearer token that is no b64token.
pub(crate) fn authorization(headers: &HeaderMap) -> Result<Authorization<'_>, Refusal> {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let Some(field) = fields.next() else { return Ok(Authorization::None) };
    if fields.next().is_some() {
        return Err(Refusal::invalid_request("more than one Authorization field"));
    }
    let Ok(field) = field.to_str() else {
        return Err(Refusal::invalid_request("the Authorization field is malformed"));
    };
    let (scheme, rest) = field.split_once(' ').unwrap_or((field, ""));
    let rest = rest.trim_start_matches(' ');
    if scheme.eq_ignore_ascii_case("Bearer") {
        return if is_b64token(rest) {
            Ok(Authorization::Bearer(rest))
        } else {
            Err(Refusal::invalid_request("the Bearer token is malformed"))
        };
    }
    if scheme.eq_ignore_ascii_case("Basic") {
        return Ok(Authorization::Basic(basic(rest)));
    }
    Ok(Authorization::Other)
}

/// User id and password, raw: nothing but base64 is undone, as `curl -u` sends them (RFC 7617).
fn basic(token68: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(token68).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// `b64token` of RFC 6750 2.1.
fn is_b64token(text: &str) -> bool {
    let unpadded = text.trim_end_matches('=');
    !unpadded.is_empty()
        && unpadded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// Names of the header fields, one for each field line.
pub(crate) fn header_names(headers: &HeaderMap) -> Vec<String> {
    headers.iter().map(|(name, _): (&HeaderName, _)| name.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_decoded_once() {
        let params = Params::from_form(b"a=1%262&b=x+y&c=%252B&d=").unwrap();
        assert_eq!(params.get("a"), Some("1&2"));
        assert_eq!(params.get("b"), Some("x y"));
        assert_eq!(params.get("c"), Some("%2B"));
        assert_eq!(params.get("d"), None);
    }

    #[test]
    fn a_malformed_form_is_refused() {
        for body in [
            "a=1&", "&", "=1", "a=%", "a=%4", "a=%zz", "a=%+1", "a=b c", "a=\u{e4}", "a=%ff", "a=1&a=2",
            "a&a",
        ] {
            assert_eq!(Params::from_form(body.as_bytes()).unwrap_err().code, "invalid_request", "{body}");
        }
    }

    #[test]
    fn a_malformed_json_body_is_refused() {
        for body in [
            "",
            "[]",
            "{",
            r#"{"a":1}"#,
            r#"{"a":null}"#,
            r#"{"a":"1","a":"2"}"#,
            r#"{"a":"1","\u0061":"2"}"#,
            r#"{"a":"1"} x"#,
        ] {
            assert_eq!(Params::from_json(body.as_bytes()).unwrap_err().code, "invalid_request", "{body}");
        }
        assert_eq!(Params::from_json(br#" {"a":"\u00e4"} "#).unwrap().get("a"), Some("\u{e4}"));
    }

    #[test]
    fn basic_splits_at_the_first_colon_and_decodes_nothing_further() {
        assert_eq!(basic(&STANDARD.encode("id:s%2B:+")), Some(("id".to_owned(), "s%2B:+".to_owned())));
        assert_eq!(basic(&STANDARD.encode("no colon")), None);
        assert_eq!(basic("not base64!"), None);
    }

    #[test]
    fn a_b64token_is_told_from_other_text() {
        assert!(is_b64token("aZ0-._~+/=="));
        for text in ["", "=", "a=b", "a b", "a,b", "a|b", "\u{e4}"] {
            assert!(!is_b64token(text), "{text}");
        }
    }
}
