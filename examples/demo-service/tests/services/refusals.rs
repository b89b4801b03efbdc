//! Strictness: what a token endpoint and a protected API refuse, and how they say so.

use serde_json::json;
use tokenward_demo_service::{Config, Credentials, Kind, Service};

use crate::http::{Answer, FORM, JSON, TokenRequest, api_url, get, send, send_bytes, start, token};

fn refused(answer: &Answer) -> (u16, String) {
    (answer.status, answer.error())
}

fn invalid_request() -> (u16, String) {
    (400, "invalid_request".to_owned())
}

#[test]
fn a_wrong_secret_is_invalid_client_in_the_literal_words_of_the_rfc() {
    for kind in [Kind::FlipUtility, Kind::Opower, Kind::Flute] {
        let service = start(kind);
        let request = TokenRequest::new(&service, None);
        service.rotate_client_secret("another");
        let answer = request.send();
        assert_eq!((answer.status, answer.body.as_str()), (401, r#"{"error":"invalid_client"}"#), "{kind}");
    }
}

#[test]
fn flume_puts_the_error_code_into_its_envelope() {
    let service = start(Kind::Flume);
    let request = TokenRequest::new(&service, None);
    service.rotate_client_secret("another");
    let answer = request.send();
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.json(),
        json!({"success": false, "code": 605, "message": "Request failed", "http_code": 401,
            "http_message": "Unauthorized", "detailed": ["invalid_client"], "data": null, "count": 0,
            "pagination": null})
    );
}

#[test]
fn only_where_basic_is_spoken_does_a_401_challenge_with_basic() {
    for (kind, challenge) in [
        (Kind::FlipUtility, None),
        (Kind::Flume, None),
        (Kind::Opower, Some("Basic realm=\"opower\"")),
        (Kind::Flute, Some("Basic realm=\"flute\"")),
    ] {
        let service = start(kind);
        let request = TokenRequest::new(&service, None);
        service.rotate_client_secret("another");
        assert_eq!(request.send().header("www-authenticate"), challenge, "{kind}");
    }
}

#[test]
fn a_client_that_tries_basic_where_the_body_is_wanted_is_challenged_with_basic() {
    let service = start(Kind::FlipUtility);
    let basic = crate::http::basic(&service.credentials());
    let headers = [("content-type", FORM), ("authorization", basic.as_str())];
    let answer = send("POST", &service.token_url(), &headers, "grant_type=client_credentials");
    assert_eq!(refused(&answer), (401, "invalid_client".to_owned()));
    assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"flip_utility\""));
}

#[test]
fn missing_credentials_are_invalid_client() {
    for (kind, media, body) in [
        (Kind::FlipUtility, FORM, "grant_type=client_credentials"),
        (Kind::Flume, JSON, r#"{"grant_type":"password","username":"u","password":"p"}"#),
        (Kind::Opower, FORM, "grant_type=client_credentials"),
        (Kind::Flute, FORM, "grant_type=client_credentials"),
        (Kind::Opower, FORM, "grant_type=client_credentials&client_id=a&client_secret=b"),
    ] {
        let service = start(kind);
        let answer = send("POST", &service.token_url(), &[("content-type", media)], body);
        assert_eq!(refused(&answer), (401, "invalid_client".to_owned()), "{kind}");
    }
}

#[test]
fn basic_credentials_are_compared_raw_not_form_decoded() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let credentials = Credentials {
        client_id: Some("id".into()),
        client_secret: Some("a+b%2F c".into()),
        ..Credentials::default()
    };
    let config = Config { credentials: Some(credentials), ..Config::default() };
    let service = Service::start(Kind::Opower, config).unwrap();
    for (pair, status) in [("id:a+b%2F c", 200), ("id:a%2Bb%252F+c", 401), ("id:a b/ c", 401), ("id", 401)] {
        let field = format!("Basic {}", STANDARD.encode(pair));
        let headers = [("content-type", FORM), ("authorization", field.as_str())];
        let answer = send("POST", &service.token_url(), &headers, "grant_type=client_credentials");
        assert_eq!(answer.status, status, "{pair}");
    }
}

#[test]
fn two_ways_of_client_authentication_at_once_are_an_invalid_request() {
    for kind in [Kind::FlipUtility, Kind::Opower, Kind::Flute] {
        let service = start(kind);
        let basic = crate::http::basic(&service.credentials());
        let headers = [("content-type", FORM), ("authorization", basic.as_str())];
        let body = "grant_type=client_credentials&client_id=a&client_secret=b";
        assert_eq!(refused(&send("POST", &service.token_url(), &headers, body)), invalid_request(), "{kind}");
    }
}

#[test]
fn a_wrong_content_type_is_an_invalid_request() {
    for kind in [Kind::FlipUtility, Kind::Flume, Kind::Opower, Kind::Flute] {
        let service = start(kind);
        let mut request = TokenRequest::new(&service, None);
        let wrong = if kind == Kind::Flume { FORM } else { JSON };
        request.headers.retain(|(name, _)| *name != "content-type");
        assert_eq!(refused(&request.send()), invalid_request(), "{kind} without");
        request.headers.push(("content-type", wrong.to_owned()));
        assert_eq!(refused(&request.send()), invalid_request(), "{kind} with {wrong}");
    }
}

#[test]
fn a_content_type_may_have_parameters_and_any_case() {
    let service = start(Kind::Opower);
    let mut request = TokenRequest::new(&service, None);
    request.headers.retain(|(name, _)| *name != "content-type");
    request.headers.push(("content-type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8".to_owned()));
    assert_eq!(request.send().status, 200);
}

#[test]
fn an_unknown_grant_is_unsupported_and_a_missing_one_an_invalid_request() {
    for kind in [Kind::FlipUtility, Kind::Flume, Kind::Opower, Kind::Flute] {
        let service = start(kind);
        let right = TokenRequest::new(&service, None);
        let asked = if kind == Kind::Flume { "password" } else { "client_credentials" };
        let mut request = TokenRequest { body: right.body.replacen(asked, "implicit", 1), ..right };
        assert_eq!(refused(&request.send()), (400, "unsupported_grant_type".to_owned()), "{kind}");
        request.body = request.body.replace("grant_type", "grant");
        assert_eq!(refused(&request.send()), invalid_request(), "{kind}");
    }
}

#[test]
fn a_grant_that_only_other_services_know_is_unsupported() {
    let service = start(Kind::Opower);
    let mut request = TokenRequest::new(&service, None);
    request.body = "grant_type=refresh_token&refresh_token=x".to_owned();
    assert_eq!(refused(&request.send()), (400, "unsupported_grant_type".to_owned()));
}

#[test]
fn a_repeated_parameter_is_an_invalid_request() {
    for kind in [Kind::FlipUtility, Kind::Flume, Kind::Opower, Kind::Flute] {
        let service = start(kind);
        let mut request = TokenRequest::new(&service, None);
        request.body = if kind == Kind::Flume {
            request.body.replacen('{', r#"{"grant_type":"password","#, 1)
        } else {
            format!("{}&grant_type=client_credentials", request.body)
        };
        assert_eq!(refused(&request.send()), invalid_request(), "{kind}");
    }
}

#[test]
fn a_malformed_body_is_an_invalid_request() {
    for (kind, body) in
        [(Kind::FlipUtility, "a=%zz"), (Kind::Flume, "{"), (Kind::Opower, "=x"), (Kind::Flute, "a=\"b c\"")]
    {
        let service = start(kind);
        let mut request = TokenRequest::new(&service, None);
        request.body = body.to_owned();
        assert_eq!(refused(&request.send()), invalid_request(), "{kind}");
    }
}

#[test]
fn parameters_in_the_url_are_an_invalid_request() {
    for kind in Kind::ALL {
        let service = start(kind);
        let mut request = TokenRequest::new(&service, None);
        request.url.push_str("?client_secret=s");
        let answer = request.send();
        assert_eq!(refused(&answer), invalid_request(), "{kind}");
        assert!(!format!("{:?}", service.log()).contains("client_secret=s"), "{kind}");
    }
}

#[test]
fn a_wrong_password_is_invalid_grant() {
    let service = start(Kind::Flume);
    let mut request = TokenRequest::new(&service, None);
    request.body = request.body.replace("demo@example.org", "someone@example.org");
    assert_eq!(refused(&request.send()), (400, "invalid_grant".to_owned()));
}

#[test]
fn a_token_request_without_accept_is_answered() {
    let service = start(Kind::Flute);
    let request = TokenRequest::new(&service, None);
    let bytes = format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {FORM}\r\n\
         Authorization: {}\r\nContent-Length: {}\r\n\r\n{}",
        request.headers[1].1,
        request.body.len(),
        request.body
    );
    assert!(send_bytes(service.base_url(), bytes.as_bytes()).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn only_post_reaches_a_token_endpoint() {
    for kind in Kind::ALL {
        let service = start(kind);
        let answer = send("GET", &service.token_url().replace("{site}", "site-1"), &[], "");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{kind}");
    }
}

#[test]
fn an_unknown_path_is_not_found() {
    for kind in Kind::ALL {
        let service = start(kind);
        let answer = send("GET", &format!("{}/nothing", service.base_url()), &[], "");
        assert_eq!(refused(&answer), (404, "not_found".to_owned()), "{kind}");
    }
}

#[test]
fn an_api_without_a_token_answers_a_bare_challenge() {
    for kind in Kind::ALL {
        let service = start(kind);
        for headers in [&[][..], &[("authorization", "Basic aTpz")][..]] {
            let answer = send("GET", &api_url(&service), headers, "");
            let challenge = format!("Bearer realm=\"{kind}\"");
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(challenge.as_str())));
        }
    }
}

#[test]
fn an_api_with_a_wrong_token_says_invalid_token() {
    for kind in Kind::ALL {
        let service = start(kind);
        let answer = get(&api_url(&service), "mF_9.B5f-4.1JqM");
        let challenge = format!("Bearer realm=\"{kind}\", error=\"invalid_token\"");
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(challenge.as_str())));
        assert_eq!(answer.error(), "invalid_token");
    }
}

#[test]
fn a_malformed_bearer_token_is_an_invalid_request() {
    let service = start(Kind::Opower);
    for field in ["Bearer", "Bearer a b", "Bearer a,b"] {
        let answer = send("GET", &api_url(&service), &[("authorization", field)], "");
        assert_eq!(answer.status, 400, "{field}");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"opower\", error=\"invalid_request\"")
        );
    }
}

#[test]
fn two_authorization_fields_are_an_invalid_request() {
    let service = start(Kind::Opower);
    let path = "/apis/customer-data-v2/UTIL/customers/1/utility_accounts";
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"
    );
    assert!(send_bytes(service.base_url(), request.as_bytes()).starts_with("HTTP/1.1 400 "));
}

#[test]
fn a_token_in_the_url_of_an_api_is_an_invalid_request() {
    let service = start(Kind::Flute);
    let access_token = token(&service).access_token();
    let url = format!("{}?limit=1&access_token={access_token}", api_url(&service));
    assert_eq!(refused(&get(&url, &access_token)), invalid_request());
    assert_eq!(get(&format!("{}?limit=1", api_url(&service)), &access_token).status, 200);
}

#[test]
fn a_body_beyond_a_mebibyte_is_refused() {
    let service = start(Kind::Flume);
    let mut request = TokenRequest::new(&service, None);
    request.body = "x".repeat((1 << 20) + 1);
    assert_eq!(request.send().status, 413);
}

#[test]
fn a_service_does_not_start_without_the_credentials_it_needs() {
    for kind in Kind::ALL {
        let config = Config { credentials: Some(Credentials::default()), ..Config::default() };
        let error = Service::start(kind, config).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{kind}");
    }
}
