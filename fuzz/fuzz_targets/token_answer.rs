//! The reader takes exactly the JSON objects that serde_json takes, shows in a token what serde_json reads in it, and
//! shows only what may be sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenward::parts::AnswerFormat;
use tokenward::{Error, Grant, JsonStr, Provider, TokenAnswer, providers, token_answer};

const REFRESHING: Provider<'static> =
    Provider { primary_grant: Some(Grant::ClientCredentials), refresh_grant: true, ..Provider::custom() };

const ANSWERING_WITH_FORMS: Provider<'static> = Provider { answer: Some(AnswerFormat::FORM), ..REFRESHING };

fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                let digit = |byte: u8| char::from(byte).to_digit(16);
                u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()?
            }
            other => other,
        });
    }
    Some(decoded)
}

/// What is no object is read as a form and shown decoded; an object is read as ever.
fn forms(status: u16, body: &[u8]) {
    let shown = |string: Option<JsonStr<'_>>| string.map(|string| string.bytes().collect::<Vec<u8>>());
    let answer = token_answer(status, body, &ANSWERING_WITH_FORMS);
    if !matches!(token_answer(200, body, &REFRESHING), Err(Error::NotJson)) {
        let plain = token_answer(status, body, &REFRESHING);
        assert_eq!(answer.as_ref().err(), plain.as_ref().err());
        return;
    }
    let text = std::str::from_utf8(body).unwrap_or("\\").trim_ascii();
    let pairs: Option<Vec<_>> = text
        .split('&')
        .map(|pair| pair.split_once('=').and_then(|(name, value)| Some((decoded(name)?, decoded(value)?))))
        .collect();
    let pairs = pairs.filter(|_| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'));
    let is_unread = matches!(answer, Err(Error::NotJson | Error::HttpStatus { .. }));
    assert_eq!(is_unread, pairs.is_none());
    let pairs = pairs.unwrap_or_default();
    let read = |name: &str| {
        let value = pairs.iter().find(|(known, _)| known == name.as_bytes()).map(|(_, value)| value.clone());
        value.filter(|value| !value.is_empty())
    };
    match answer {
        Ok(TokenAnswer::Token(token)) => {
            assert_eq!(shown(Some(token.access_token())), read("access_token"));
            assert_eq!(token.access_token().len(), token.access_token().bytes().count());
            assert_eq!(shown(token.token_type()), read("token_type"));
            assert_eq!(shown(token.refresh_token()), read("refresh_token"));
            assert_eq!(token.scope().map(|scope| scope.bytes().collect::<Vec<u8>>()), read("scope"));
            let mut copy = vec![0; body.len()];
            let copied = token.access_token().copy_to(&mut copy).expect("room");
            assert!(token.access_token().ct_eq(copied));
        }
        Ok(TokenAnswer::Error(error)) => {
            assert_eq!(shown(Some(error.error())), read("error"));
            assert!(shown(error.error_description()).is_none_or(|text| String::from_utf8(text).is_ok()));
        }
        Err(_) => {}
    }
}

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, body) = input;
    let status = if choice & 1 == 0 { 200 } else { 400 };
    let enveloped = choice & 2 != 0;
    let provider = if enveloped { providers::FLUME } else { REFRESHING };

    forms(status, body);
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
