//! Every misbehaviour that can be ordered.

use serde_json::json;
use tokenward_demo_service::{Fault, Kind, Service};

use crate::http::{TokenRequest, api_url, get, start, token};

fn faulty(kind: Kind, fault: Fault) -> Service {
    let service = start(kind);
    service.fault(fault);
    service
}

#[test]
fn a_503_carries_retry_after_in_either_form_or_none() {
    let service = start(Kind::Opower);
    let date = service.clock().http_date(120);
    for retry_after in [Some("120".to_owned()), Some(date), None] {
        service.fault(Fault::Status503 { retry_after: retry_after.clone() });
        let answer = token(&service);
        assert_eq!((answer.status, answer.header("retry-after")), (503, retry_after.as_deref()));
    }
    assert_eq!(token(&service).status, 200);
}

#[test]
fn an_html_page_comes_with_200() {
    for kind in Kind::ALL {
        let answer = token(&faulty(kind, Fault::Html));
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(answer.body.starts_with("<!DOCTYPE html>"), "{kind}");
    }
}

#[test]
fn a_truncated_answer_has_the_content_length_of_what_is_left() {
    for kind in Kind::ALL {
        let service = start(kind);
        service.fault(Fault::TooLong { bytes: 100 });
        let whole = token(&service).body;
        service.fault(Fault::Truncated);
        let half = token(&service);
        assert_eq!(half.status, 200, "{kind}");
        assert_eq!(half.header("content-length"), Some(half.body.len().to_string().as_str()), "{kind}");
        assert!(serde_json::from_str::<serde_json::Value>(&half.body).is_err(), "{kind}");
        assert_eq!(half.body[..3], whole[..3], "{kind}");
    }
}

#[test]
fn a_disconnect_breaks_an_answer_that_had_announced_more() {
    for kind in Kind::ALL {
        let service = faulty(kind, Fault::Disconnect);
        assert!(TokenRequest::new(&service, None).try_send().is_err(), "{kind}");
    }
    let service = faulty(Kind::Opower, Fault::Disconnect);
    let request = TokenRequest::new(&service, None);
    let bytes = format!(
        "POST /apis/authorization-v1/oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: {}\r\n\
         Authorization: {}\r\nContent-Length: {}\r\n\r\n{}",
        request.headers[0].1,
        request.headers[1].1,
        request.body.len(),
        request.body
    );
    let answer = crate::http::send_bytes(service.base_url(), bytes.as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let announced = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    assert_eq!(announced.parse::<usize>().unwrap() / 2, body.len());
    assert!(body.starts_with("{\n\t\"client_id\":"));
}

#[test]
fn a_dropped_answer_closes_the_connection_without_a_byte() {
    for kind in Kind::ALL {
        let service = faulty(kind, Fault::DropAnswer);
        assert!(TokenRequest::new(&service, None).try_send().is_err(), "{kind}");
        let log = service.log();
        assert_eq!((log[0].outcome.as_str(), log[0].status), ("token", None), "{kind}");
        assert_eq!(log[0].fault, Some("drop_answer"), "{kind}");
        assert_eq!(token(&service).status, 200, "{kind}");
    }
}

#[test]
fn any_status_comes_with_any_body_and_further_fields() {
    let service = start(Kind::Flute);
    for (status, body, sent) in [
        (429, json!({"error": "slow_down"}), r#"{"error":"slow_down"}"#),
        (201, json!("not JSON at all"), "not JSON at all"),
        (500, json!(""), ""),
    ] {
        service.fault(Fault::Status { status, body, headers: vec![("retry-after".into(), "7".into())] });
        let answer = token(&service);
        assert_eq!((answer.status, answer.body.as_str()), (status, sent));
        assert_eq!(answer.header("retry-after"), Some("7"));
    }
}

#[test]
fn a_fault_that_cannot_be_http_is_a_500() {
    let service = start(Kind::Flute);
    for (status, headers) in
        [(42, vec![]), (101, vec![]), (999, vec![]), (400, vec![("x".to_owned(), "a\r\nb: c".to_owned())])]
    {
        service.fault(Fault::Status { status, body: json!({}), headers });
        assert_eq!(token(&service).status, 500);
    }
}

#[test]
fn an_ordered_invalid_grant_speaks_the_services_dialect() {
    for kind in Kind::ALL {
        let answer = token(&faulty(kind, Fault::InvalidGrant));
        assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_grant"), "{kind}");
    }
}

#[test]
fn expires_in_can_be_absent_and_the_rest_stays_as_it_was() {
    for kind in Kind::ALL {
        let service = faulty(kind, Fault::OmitExpiresIn);
        let answer = token(&service);
        assert!(!answer.body.contains("expires_in"), "{kind}");
        assert_eq!(get(&api_url(&service), &answer.access_token()).status, 200, "{kind}");
    }
}

#[test]
fn expires_in_can_be_a_string_of_digits() {
    for kind in Kind::ALL {
        let answer = token(&faulty(kind, Fault::StringExpiresIn));
        assert_eq!(answer.tokens()["expires_in"], json!(kind.lifetime_s().to_string()), "{kind}");
    }
}

#[test]
fn a_token_can_have_any_length_and_still_opens_the_api() {
    for kind in Kind::ALL {
        let service = start(kind);
        for bytes in [64, 2049, 30_000] {
            service.fault(Fault::TooLong { bytes });
            let access_token = token(&service).access_token();
            assert_eq!(access_token.len(), bytes, "{kind}");
            assert_eq!(get(&api_url(&service), &access_token).status, 200, "{kind}");
        }
        service.fault(Fault::TooLong { bytes: 1 << 20 });
        assert_eq!(token(&service).access_token().len(), 1 << 20, "{kind}");
    }
}

#[test]
fn a_slow_answer_arrives_and_was_processed_before_it_was_late() {
    let service = faulty(Kind::Flume, Fault::Slow { milliseconds: 1 });
    assert_eq!(token(&service).status, 200);
    service.fault(Fault::Slow { milliseconds: 3_600_000 });
    let request = TokenRequest::new(&service, None);
    let waiting = std::thread::spawn(move || request.try_send().is_err());
    while service.log().len() < 2 {
        std::thread::yield_now();
    }
    assert_eq!(service.log()[1].outcome, "token");
    assert_eq!(token(&service).status, 200, "others are not held up");
    drop(service);
    assert!(waiting.join().unwrap(), "the service's end cuts it off");
}

#[test]
fn faults_queue_up_and_each_token_request_consumes_one() {
    let service = start(Kind::Opower);
    service.fault(Fault::Html);
    service.fault(Fault::Status503 { retry_after: None });
    get(&api_url(&service), "unknown");
    assert_eq!(service.faults_left(), 2, "the API consumes none");
    assert_eq!(token(&service).header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(token(&service).status, 503);
    assert_eq!((service.faults_left(), token(&service).status), (0, 200));
}

#[test]
fn a_refused_request_consumes_its_fault_too() {
    let service = faulty(Kind::Opower, Fault::OmitExpiresIn);
    let mut request = TokenRequest::new(&service, None);
    request.body.clear();
    assert_eq!(request.send().status, 400);
    assert_eq!(service.faults_left(), 0);
}
