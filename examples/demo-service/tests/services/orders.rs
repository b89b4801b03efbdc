//! Orders over HTTP, for tests in other languages.

use serde_json::json;
use tokenward_demo_service::{Fault, Kind, Service};

use crate::http::{Answer, JSON, api_url, get, refresh, send, start, token};

fn order(service: &Service, name: &str, body: &str) -> Answer {
    send("POST", &format!("{}/_demo/{name}", service.base_url()), &[("content-type", JSON)], body)
}

#[test]
fn every_fault_can_be_ordered_as_json_alone_and_in_an_array() {
    let all = [
        (
            r#"{"fault":"status503","retry_after":"120"}"#,
            Fault::Status503 { retry_after: Some("120".into()) },
        ),
        (r#"{"fault":"status503"}"#, Fault::Status503 { retry_after: None }),
        (r#"{"fault":"html"}"#, Fault::Html),
        (
            r#"{"fault":"status","status":429,"body":{"error":"slow_down"}}"#,
            Fault::Status { status: 429, body: json!({"error": "slow_down"}), headers: vec![] },
        ),
        (r#"{"fault":"invalid_grant"}"#, Fault::InvalidGrant),
        (r#"{"fault":"truncated"}"#, Fault::Truncated),
        (r#"{"fault":"disconnect"}"#, Fault::Disconnect),
        (r#"{"fault":"drop_answer"}"#, Fault::DropAnswer),
        (r#"{"fault":"slow","milliseconds":5}"#, Fault::Slow { milliseconds: 5 }),
        (r#"{"fault":"omit_expires_in"}"#, Fault::OmitExpiresIn),
        (r#"{"fault":"string_expires_in"}"#, Fault::StringExpiresIn),
        (r#"{"fault":"no_rotation"}"#, Fault::NoRotation),
        (r#"{"fault":"too_long","bytes":9}"#, Fault::TooLong { bytes: 9 }),
    ];
    let service = start(Kind::Opower);
    for (text, fault) in &all {
        assert_eq!(serde_json::from_str::<Fault>(text).unwrap(), *fault);
        assert_eq!(json!(fault)["fault"], fault.name());
        assert_eq!(order(&service, "fault", text).status, 200, "{text}");
    }
    let array = format!("[{}]", all.each_ref().map(|(text, _)| *text).join(","));
    assert_eq!(order(&service, "fault", &array).json()["queued"], 2 * all.len());
}

#[test]
fn an_ordered_fault_is_consumed_by_the_next_token_request() {
    let service = start(Kind::Opower);
    order(&service, "fault", r#"{"fault":"status503","retry_after":"9"}"#);
    let answer = token(&service);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("9")));
}

#[test]
fn an_order_that_cannot_be_read_changes_nothing() {
    let service = start(Kind::Opower);
    for (name, body, status) in [
        ("fault", "{", 400),
        ("fault", r#"{"fault":"unknown"}"#, 400),
        ("fault", r#"[{"fault":"html"},{"fault":"slow"}]"#, 400),
        ("revoke", r#"{"what":"everything"}"#, 400),
        ("revoke", "{}", 400),
        ("rotate", r#"{"secret":"x"}"#, 400),
        ("clock", r#"{"advance_s":-1}"#, 400),
        ("sign_in", r#"{"person":"sleeps"}"#, 400),
        ("nothing", "{}", 404),
    ] {
        assert_eq!(order(&service, name, body).status, status, "{name} {body}");
    }
    let url = format!("{}/_demo/fault", service.base_url());
    assert_eq!(send("POST", &url, &[("content-type", "text/plain")], r#"{"fault":"html"}"#).status, 415);
    assert_eq!(send("GET", &url, &[], "").status, 405);
    assert_eq!(service.faults_left(), 0);
}

#[test]
fn tokens_can_be_revoked_over_http() {
    let service = start(Kind::Flute);
    let (first, second) = (token(&service), token(&service));
    assert_eq!(order(&service, "revoke", r#"{"what":"access_tokens"}"#).status, 200);
    assert_eq!(get(&api_url(&service), &first.access_token()).status, 401);
    assert_eq!(refresh(&service, &first.refresh_token()).status, 200);
    assert_eq!(order(&service, "revoke", r#"{"what":"refresh_tokens"}"#).status, 200);
    assert_eq!(refresh(&service, &second.refresh_token()).error(), "invalid_grant");
    let third = token(&service);
    assert_eq!(order(&service, "revoke", r#"{"what":"all"}"#).status, 200);
    assert_eq!(get(&api_url(&service), &third.access_token()).status, 401);
    assert_eq!(refresh(&service, &third.refresh_token()).error(), "invalid_grant");
}

#[test]
fn secrets_can_be_rotated_over_http() {
    let service = start(Kind::FlipUtility);
    order(&service, "rotate", r#"{"client_secret":"new"}"#);
    order(&service, "rotate", r#"{"bearer":"fl_new"}"#);
    let credentials = service.credentials();
    assert_eq!(credentials.client_secret.as_deref(), Some("new"));
    assert_eq!(token(&service).status, 200);
    assert_eq!(get(&api_url(&service), "fl_new").status, 200);
    assert_eq!(get(&api_url(&service), "fl_2b7e151628aed2a6abf71589").status, 401);
}

#[test]
fn the_log_can_be_read_and_emptied_over_http_and_orders_are_not_in_it() {
    let service = start(Kind::Opower);
    let url = format!("{}/_demo/log", service.base_url());
    token(&service);
    order(&service, "fault", "[]");
    let log = send("GET", &url, &[], "").json();
    assert_eq!(log["exchanges"].as_array().unwrap().len(), 1);
    assert_eq!(log["exchanges"][0]["grant_type"], "client_credentials");
    assert_eq!(log["exchanges"][0]["outcome"], "token");
    assert!(log["exchanges"][0]["raw_base64"].is_null());
    assert_eq!(send("DELETE", &url, &[], "").status, 200);
    assert!(service.log().is_empty());
}
