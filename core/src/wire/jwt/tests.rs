extern crate std;

use std::string::String;
use std::{format, vec};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::wire::input::Text;

fn jwt(payload: &[u8]) -> String {
    format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
}

/// `exp` by both ways of reading it, which must agree.
fn exp(payload: &str) -> Result<Option<u64>, Error> {
    let token = jwt(payload.as_bytes());
    let mut scratch = vec![0; token.len()];
    let claims = jwt_claims(token.as_bytes(), &mut scratch).map(|claims| claims.exp.map(UnixTime::as_secs));
    let peeked = expiry(JsonStr::literal(token.as_bytes())).map(UnixTime::as_secs);
    assert_eq!(peeked, claims.unwrap_or(None), "{payload}");
    claims
}

#[test]
fn the_registered_claims_are_read_from_the_payload() {
    let token = jwt(br#"{"iss":"x","exp":1300819380,"iat":1300819000.9,"nbf":1e9,"sub":"j\u00f6e","user_id":7,"type":"USER"}"#);
    let mut scratch = [0; 256];
    let claims = jwt_claims(token.as_bytes(), &mut scratch).expect("claims");
    let seconds = [claims.exp, claims.iat, claims.nbf].map(|time| time.map(UnixTime::as_secs));
    assert_eq!(seconds, [Some(1_300_819_380), Some(1_300_819_000), Some(1_000_000_000)]);
    assert!(claims.sub.expect("a subject").is("j\u{f6}e".as_bytes()));
}

#[test]
fn exp_may_lie_beyond_32_bits_and_saturates_beyond_64() {
    assert_eq!(exp(r#"{"exp":4294967296}"#), Ok(Some(1 << 32)));
    assert_eq!(exp(r#"{"exp":1e400}"#), Ok(Some(u64::MAX)));
}

#[test]
fn an_absent_claim_is_none_and_null_is_absent() {
    assert_eq!(exp("{}"), Ok(None));
    assert_eq!(exp(r#"{"exp":null}"#), Ok(None));
    assert_eq!(exp(r#"{"a":{"exp":5}}"#), Ok(None));
}

#[test]
fn a_claim_of_the_wrong_type_is_refused() {
    for payload in [r#"{"exp":"1"}"#, r#"{"exp":-1}"#, r#"{"exp":true}"#, r#"{"exp":[1]}"#] {
        assert_eq!(exp(payload), Err(Error::InvalidClaim), "{payload}");
    }
    for payload in [r#"{"sub":7}"#, r#"{"sub":"\ud800"}"#, r#"{"nbf":"x"}"#, r#"{"iat":{}}"#] {
        let token = jwt(payload.as_bytes());
        assert_eq!(
            jwt_claims(token.as_bytes(), &mut [0; 64]).map(drop),
            Err(Error::InvalidClaim),
            "{payload}"
        );
    }
}

#[test]
fn a_claim_given_twice_is_a_duplicate_also_through_escapes() {
    for payload in [r#"{"exp":1,"exp":2}"#, r#"{"exp":1,"\u0065xp":2}"#, r#"{"exp":1,"exp":null}"#] {
        assert_eq!(exp(payload), Err(Error::DuplicateMember), "{payload}");
    }
}

#[test]
fn a_payload_that_is_no_json_object_is_refused_as_a_body_is() {
    assert_eq!(exp("[]"), Err(Error::NotJson));
    assert_eq!(exp(""), Err(Error::Truncated { offset: 0 }));
    assert_eq!(exp(r#"{"exp":1"#), Err(Error::Truncated { offset: 8 }));
    assert_eq!(exp(r#"{"exp":1}x"#), Err(Error::Malformed { offset: 9 }));
    assert_eq!(exp(&format!("{{\"a\":{}", "[".repeat(40))), Err(Error::TooDeep { offset: 5 + 31 }));
}

#[test]
fn a_token_that_is_not_three_base64url_parts_is_no_jwt() {
    let payload = URL_SAFE_NO_PAD.encode(br#"{"exp":1}"#);
    for token in [
        String::new(),
        "opaque".into(),
        payload.clone(),
        format!("h.{payload}"),
        format!("h.{payload}.s.t"),
        format!("h.{payload}==.s"),
        format!("h.{payload} .s"),
        format!("h+.{payload}.s"),
        format!("h.{payload}.s/"),
        format!("h.{payload}A.s"),
        "..".into(),
    ] {
        let read = jwt_claims(token.as_bytes(), &mut [0; 64]).map(drop);
        let empty = token == "..";
        assert_eq!(
            read,
            Err(if empty { Error::Truncated { offset: 0 } } else { Error::InvalidJwt }),
            "{token}"
        );
        assert_eq!(expiry(JsonStr::literal(token.as_bytes())), None, "{token}");
    }
}

#[test]
fn bits_behind_the_last_byte_must_be_zero() {
    // "{}" is "e30": its last digit has two bits too many.
    assert!(jwt_claims(b"h.e30.s", &mut [0; 8]).is_ok());
    for last in ["1", "2", "3"] {
        let token = format!("h.e3{last}.s");
        assert_eq!(jwt_claims(token.as_bytes(), &mut [0; 8]).map(drop), Err(Error::InvalidJwt), "{token}");
    }
}

#[test]
fn a_scratch_that_is_too_short_is_told_the_size() {
    let token = jwt(br#"{"exp":1}"#);
    assert_eq!(jwt_claims(token.as_bytes(), &mut [0; 8]).map(drop), Err(Error::BufferTooSmall { needed: 9 }));
    assert!(jwt_claims(token.as_bytes(), &mut [0; 9]).is_ok());
}

#[test]
fn an_escaped_token_in_a_body_is_peeked_like_a_plain_one() {
    let token = jwt(br#"{"exp":77}"#).replace('.', "\\u002e");
    assert_eq!(expiry(JsonStr::read(token.as_bytes(), Text(10))), Some(UnixTime::from_secs(77)));
}

#[test]
fn every_payload_length_decodes_as_the_base64_crate_encodes_it() {
    for length in 0..200 {
        let payload = format!("{{\"a\":\"{}\",\"exp\":5}}", "x".repeat(length));
        assert_eq!(exp(&payload), Ok(Some(5)));
    }
}

/// RFC 7515 appendix A.1.
#[test]
fn the_example_of_rfc_7515_reads() {
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let claims = jwt_claims(token.as_bytes(), &mut [0; 128]).map(|claims| claims.exp);
    assert_eq!(claims, Ok(Some(UnixTime::from_secs(1_300_819_380))));
}
