//! The reader takes exactly the JSON objects that serde_json takes, and shows only what may be sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenward::{Error, Grant, Provider, TokenAnswer, providers, token_answer};

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
    match answer {
        Err(Error::TooDeep { .. }) => {}
        Err(Error::NotJson) => assert!(!object),
        Err(Error::Truncated { .. } | Error::Malformed { .. }) => assert!(!whole, "serde_json takes it"),
        Err(_) | Ok(_) => assert!(whole && object, "serde_json refuses it"),
    }
    if let Ok(TokenAnswer::Token(token)) = answer {
        assert!(token.access_token().bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(token.refresh_token().is_none_or(|token| token.bytes().count() > 0));
        if let Some(scope) = token.scope() {
            assert!(scope.bytes().count() <= body.len());
        }
    }
});
