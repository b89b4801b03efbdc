//! What the log shows, and what it keeps to itself.

use tokenward_demo_service::{Config, Fault, Kind, Service};

use crate::http::{TokenRequest, api_url, get, refresh, send, send_bytes, start, token};

#[test]
fn an_exchange_names_the_grant_the_fields_and_the_outcome() {
    let service = start(Kind::Flume);
    let answer = token(&service);
    refresh(&service, &answer.refresh_token());
    get(&api_url(&service), &answer.access_token());
    get(&api_url(&service), "unknown");
    let log = service.log();
    let shown: Vec<_> = log
        .iter()
        .map(|exchange| {
            let grant_type = exchange.grant_type.as_deref();
            (
                exchange.method.as_str(),
                exchange.path.as_str(),
                grant_type,
                exchange.outcome.as_str(),
                exchange.status,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("POST", "/oauth/token", Some("password"), "token", Some(200)),
            ("POST", "/oauth/token", Some("refresh_token"), "token", Some(200)),
            ("GET", "/me", None, "served", Some(200)),
            ("GET", "/me", None, "invalid_token", Some(401)),
        ]
    );
    assert!(log[0].header_names.contains(&"content-type".to_owned()));
    assert!(log[2].header_names.contains(&"authorization".to_owned()));
    service.clear_log();
    assert!(service.log().is_empty());
}

#[test]
fn no_secret_is_in_the_debug_text_or_the_json_of_log_and_credentials() {
    for kind in Kind::ALL {
        let service = start(kind);
        let answer = token(&service);
        get(&api_url(&service), &answer.access_token());
        let mut misplaced = TokenRequest::new(&service, None);
        misplaced.body = "grant_type=canary-in-the-grant".to_owned();
        misplaced.send();
        let credentials = service.credentials();
        let shown = format!(
            "{:?}{}{credentials:?}{service:?}",
            service.log(),
            send("GET", &format!("{}/_demo/log", service.base_url()), &[], "").body
        );
        let secrets = [
            credentials.client_secret,
            credentials.password,
            credentials.bearer,
            Some(answer.access_token()),
            Some("canary".to_owned()),
        ];
        for secret in secrets.into_iter().flatten() {
            assert!(!shown.contains(&secret), "{kind} shows {secret}");
        }
    }
}

#[test]
fn the_raw_request_is_the_one_that_was_sent_byte_for_byte() {
    let service = start(Kind::Flute);
    let request = "POST /oauth2/token HTTP/1.1\r\nHoSt: x\r\nX-Odd:  two  spaces \r\nConnection: close\r\n\
                   Content-Length: 7\r\n\r\na=1&b=%";
    send_bytes(service.base_url(), request.as_bytes());
    let log = service.log();
    assert_eq!(log[0].raw_request(), request.as_bytes());
    assert_eq!(log[0].body(), b"a=1&b=%");
    assert_eq!(log[0].raw_head().len() + 7, request.len());
    assert_eq!(log[0].detail.as_deref(), Some("Content-Type must be application/x-www-form-urlencoded"));
}

#[test]
fn raw_requests_on_one_connection_are_told_apart_pipelined_and_chunked() {
    let service = start(Kind::Opower);
    let first = "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let second = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nxy";
    let third = "GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answers = send_bytes(service.base_url(), format!("{first}{second}{third}").as_bytes());
    assert_eq!(answers.matches("HTTP/1.1 404 Not Found\r\n").count(), 3);
    let log = service.log();
    let raw: Vec<&[u8]> = log.iter().map(|exchange| exchange.raw_request()).collect();
    assert_eq!(raw, [first.as_bytes(), second.as_bytes(), third.as_bytes()]);
    let bodies: Vec<&[u8]> = log.iter().map(|exchange| exchange.body()).collect();
    assert_eq!(bodies, [&b"abc"[..], b"xy", b""]);
}

#[test]
fn the_body_of_a_token_request_is_the_literal_one_of_the_page() {
    let service = start(Kind::Flute);
    token(&service);
    let log = service.log();
    assert_eq!(log[0].body(), b"grant_type=client_credentials&scope=offline_access");
}

#[test]
fn the_raw_log_needs_leave_over_http() {
    let url = |service: &Service| format!("{}/_demo/log?raw=true", service.base_url());
    let service = start(Kind::Opower);
    assert_eq!(send("GET", &url(&service), &[], "").status, 403);
    let config = Config { raw_log_over_http: true, ..Config::default() };
    let service = Service::start(Kind::Opower, config).unwrap();
    token(&service);
    use base64::{Engine, engine::general_purpose::STANDARD};
    let log = send("GET", &url(&service), &[], "").json();
    let raw = STANDARD.decode(log["exchanges"][0]["raw_base64"].as_str().unwrap()).unwrap();
    assert_eq!(raw, service.log()[0].raw_request());
}

#[test]
fn a_fault_is_named_in_the_log() {
    let service = start(Kind::Flute);
    service.fault(Fault::Html);
    token(&service);
    let log = service.log();
    assert_eq!((log[0].fault, log[0].outcome.as_str()), (Some("html"), "not_processed"));
    assert_eq!(log[0].grant_type.as_deref(), Some("client_credentials"));
}
