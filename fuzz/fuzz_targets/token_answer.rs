//! The reader takes exactly the JSON objects that serde_json takes, shows in a token what serde_json reads in it, and
//! shows only what may be sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenward::{Error, Grant, JsonStr, Provider, TokenAnswer, providers, token_answer};

const REFRESHING: Provider<'static> =
    Provider { primary_grant: Some(Grant::ClientCredentials), refresh_grant: true, ..Provider::custom() };

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, body) = input;
    let status = if choice & 1 == 0 { 200 } else { 400 };
    let enveloped = choice & 2 != 0;
    let provider = if enveloped { providers::FLUME } else { REFRESHING };

    let answer = token_answer(status, body, &provider);

    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let whole = std::str::from_utf8(text)
        .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    let object = text.iter().find(|byte| !b" \t\r\n".contains(byte)) == Some(&b'{');
    let unreadable = match token_answer(200, body, &provider) {
        Err(Error::TooDeep { .. }) => true,
        Err(Error::NotJson | Error::EncodedBody) => {
            assert!(!object);
            true
        }
        Err(Error::Truncated { .. } | Error::Malformed { .. }) => {
            assert!(!whole, "serde_json takes it");
            true
        }
        Err(_) | Ok(_) => {
            assert!(whole && object, "serde_json refuses it");
            false
        }
    };
    // Under another status its name is that of the status.
    assert_eq!(matches!(answer, Err(Error::HttpStatus { .. })), unreadable && status != 200);
    if let Ok(TokenAnswer::Token(token)) = answer {
        assert!(token.access_token().bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(token.refresh_token().is_none_or(|token| token.bytes().count() > 0));
        if let Some(scope) = token.scope() {
            assert!(scope.bytes().count() <= body.len());
        }
        if !enveloped && let Ok(value) = serde_json::from_slice::<serde_json::Value>(text) {
            let shown =
                |string: Option<JsonStr<'_>>| string.map(|string| string.bytes().collect::<Vec<u8>>());
            let read = |name: &str| value[name].as_str().map(|string| string.as_bytes().to_vec());
            assert_eq!(shown(Some(token.access_token())), read("access_token"));
            assert_eq!(shown(token.token_type()), read("token_type"));
            assert_eq!(shown(token.id_token()), read("id_token"));
            assert_eq!(shown(token.refresh_token()), read("refresh_token").filter(|token| !token.is_empty()));
            let joined = |parts: &Vec<serde_json::Value>| {
                parts.iter().filter_map(serde_json::Value::as_str).collect::<Vec<_>>().join(" ").into_bytes()
            };
            let scope = token.scope().map(|scope| scope.bytes().collect::<Vec<u8>>());
            assert_eq!(scope, read("scope").or(value["scope"].as_array().map(joined)));
            let seconds =
                value["expires_in"].as_u64().map(|seconds| seconds.min(REFRESHING.policy().max_lifetime_s));
            assert!(seconds.is_none() || token.expires_in() == seconds);
            assert_eq!(token.expires_in().is_some(), !value["expires_in"].is_null());
        }
    }
});
