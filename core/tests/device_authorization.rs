//! Signing in by a code that a device shows: docs/BEHAVIOUR.md section 7, as far as no scenario can say it.

use std::collections::BTreeSet;

use tokenward::grants::{DeviceAuthorization, DeviceNext, DeviceOutcome};
use tokenward::parts::ClientAuthentication;
use tokenward::{
    Credentials, Error, ErrorCode, Identity, Instant, ParsedAnswer, Provider, Slots, TokenManager,
};

const ACME: Provider<'static> = Provider {
    name: "acme",
    base_url: Some("https://login.acme.example"),
    token_path: Some("/token"),
    device_path: Some("/device"),
    authentication: Some(ClientAuthentication::NONE),
    ..Provider::custom()
};
const START: Instant = Instant::from_millis(0);

type Manager = TokenManager<'static, [u8; 64]>;

fn manager() -> Manager {
    TokenManager::new(START, &ACME, Identity::CLIENT, Slots::new([0; 64], 64), 0).expect("a manager")
}

/// One that has asked for a code, and was answered so.
fn answered<'b>(
    body: &'b [u8],
    memory: &mut [u8],
) -> (Result<DeviceOutcome<'b>, Error>, [String; 2], DeviceNext, String) {
    let mut manager = manager();
    let mut device = DeviceAuthorization::new(memory);
    let (app, mut out) = (Credentials { client_id: "app", ..Credentials::default() }, [0; 512]);
    device.start(START);
    let (id, _) = device.begin(START, &manager, &app, &[], &mut out).expect("a request");
    let answer = ParsedAnswer { status: 200, retry_after: None, body, wall: None };
    let outcome = device.answer(START, &mut manager, id, &answer);
    let shown = [device.user_code(), device.verification_uri()].map(str::to_owned);
    (outcome, shown, device.poll(START, &manager).next, format!("{device:?}"))
}

#[test]
fn any_answer_is_a_code_an_error_or_refused_as_serde_json_reads_it() {
    const PIECES: [&str; 14] = [
        r#""device_code":"d""#,
        r#""device_code":"\u0064""#,
        r#""user_code":"u""#,
        r#""user_c\u006fde":"u""#,
        r#""user_code":null"#,
        r#""verification_uri":"https://a""#,
        r#""verification_url":"https://b""#,
        r#""expires_in":900"#,
        r#""expires_in":"900""#,
        r#""expires_in":[900]"#,
        r#""error":"slow_down""#,
        r#""error":"""#,
        r#""interval":5"#,
        r#""other":{"user_code":"x"}"#,
    ];
    let mut seed = 0_u64;
    let mut names = BTreeSet::new();
    for _ in 0..50_000 {
        let mut members = Vec::new();
        for _ in 0..7 {
            // Knuth's generator of 64 bits.
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            members.push(PIECES[usize::try_from(seed >> 33).unwrap_or(0) % PIECES.len()]);
        }
        members.dedup();
        let body = format!("{{{}}}", members.join(","));
        let value: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let text = |name: &str| value[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let name_of = |member: &&str| member.split(':').next().unwrap_or_default().replace("\\u006f", "o");
        let read: Vec<_> = members.iter().map(name_of).filter(|name| name != "\"other\"").collect();
        let twice = read.iter().collect::<BTreeSet<_>>().len() < read.len();
        let uri = text("verification_uri").or(text("verification_url"));
        let life = value["expires_in"].as_u64().or_else(|| value["expires_in"].as_str()?.parse().ok());
        let expected = match (text("device_code"), text("user_code"), uri, life) {
            _ if twice => "duplicate_member".to_owned(),
            _ if text("error").is_some() => "error".to_owned(),
            (Some(_), Some(user_code), Some(uri), Some(_)) => format!("{user_code} {uri}"),
            (Some(_), Some(_), Some(_), None) => "invalid_expires_in".to_owned(),
            _ => "invalid_device_authorization".to_owned(),
        };
        let mut memory = [0; 64];
        let (outcome, [user_code, uri], next, _) = answered(body.as_bytes(), &mut memory);
        let came = match outcome {
            Ok(DeviceOutcome::Code) => format!("{user_code} {uri}"),
            Ok(DeviceOutcome::Error(_)) => "error".to_owned(),
            Ok(DeviceOutcome::Token(_)) => "token".to_owned(),
            Err(error) => error.name().to_owned(),
        };
        assert_eq!(came, expected, "{body}");
        assert_eq!(next == DeviceNext::Show, came.starts_with("u "), "{body}");
        names.insert(came);
    }
    assert_eq!(names.len(), 6, "{names:?}");
}

#[test]
fn an_error_has_the_code_that_either_rfc_lists_under_its_name() {
    for code in ErrorCode::ALL.iter().filter(|code| **code != ErrorCode::Other) {
        let body = format!(r#"{{"error":"{}"}}"#, code.name());
        let (outcome, ..) = answered(body.as_bytes(), &mut [0; 64]);
        assert!(matches!(outcome, Ok(DeviceOutcome::Error(error)) if error.code() == *code), "{code:?}");
    }
}

#[test]
fn neither_debug_nor_memory_afterwards_holds_a_code() {
    let body = br#"{"device_code":"canary-7f3a9c","user_code":"WDJB","verification_uri":"https://a","expires_in":9}"#;
    let mut memory = [0xAA; 64];
    let (outcome, _, next, shown) = answered(body, &mut memory);
    assert_eq!(next, DeviceNext::Show);
    assert!(!format!("{shown} {outcome:?}").contains("canary"));
    assert!(memory.iter().all(|&byte| byte == 0), "a device authorization that is dropped wipes its memory");
}
