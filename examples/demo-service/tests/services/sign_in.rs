//! A person signs in: on another device, or in a browser.

use tokenward_demo_service::{Kind, Person, Service};

use crate::http::{Answer, FORM, basic, form_encoded, send, send_bytes, start};

const REDIRECT_URI: &str = "http://127.0.0.1:9/callback";
/// RFC 7636 Appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn post(service: &Service, url: &str, body: &str) -> Answer {
    send("POST", url, &[("content-type", FORM), ("authorization", &basic(&service.credentials()))], body)
}

fn device_code(service: &Service) -> String {
    let url = format!("{}/oauth2/device_authorization", service.base_url());
    let answer = post(service, &url, "scope=offline_access").json();
    assert_eq!((&answer["interval"], &answer["expires_in"]), (&1.into(), &600.into()));
    assert_eq!(answer["verification_uri"], format!("{}/device", service.base_url()));
    answer["device_code"].as_str().expect("a device code").to_owned()
}

fn asked(service: &Service, device_code: &str) -> Answer {
    service.clock().advance(1);
    let grant = form_encoded("urn:ietf:params:oauth:grant-type:device_code");
    post(service, &service.token_url(), &format!("grant_type={grant}&device_code={device_code}"))
}

#[test]
fn a_device_code_is_pending_until_the_person_approves_and_good_for_one_token() {
    let service = start(Kind::Flute);
    let code = device_code(&service);
    assert_eq!(asked(&service, &code).error(), "authorization_pending");
    service.person(Person::Approves);
    let answer = asked(&service, &code);
    assert!(answer.status == 200 && !answer.refresh_token().is_empty());
    assert_eq!(asked(&service, &code).error(), "invalid_grant");
}

#[test]
fn a_device_that_asks_before_its_interval_is_told_to_slow_down() {
    let service = start(Kind::Flute);
    let code = device_code(&service);
    assert_eq!(asked(&service, &code).error(), "authorization_pending");
    service.device_interval(5);
    assert_eq!(asked(&service, &code).error(), "slow_down");
    service.clock().advance(4);
    assert_eq!(asked(&service, &code).error(), "authorization_pending");
}

#[test]
fn a_denied_device_code_and_an_expired_one_are_gone() {
    let service = start(Kind::Flute);
    let expired = device_code(&service);
    service.clock().advance(600);
    assert_eq!(asked(&service, &expired).error(), "expired_token");
    let denied = device_code(&service);
    service.person(Person::Denies);
    assert_eq!(asked(&service, &denied).error(), "access_denied");
    for code in [expired, denied] {
        assert_eq!(asked(&service, &code).error(), "invalid_grant");
    }
}

/// What stands behind the redirect URI.
fn browsed(service: &Service, challenge: &str) -> String {
    let client_id = service.credentials().client_id.expect("a client id");
    let answer = send_bytes(
        service.base_url(),
        format!(
            "GET /oauth2/authorize?response_type=code&client_id={client_id}&redirect_uri={}&scope=offline_access&\
             state=xyz&code_challenge={challenge}&code_challenge_method=S256 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            form_encoded(REDIRECT_URI)
        )
        .as_bytes(),
    );
    let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).expect("a redirect");
    location.strip_prefix(REDIRECT_URI).expect("the redirect URI").to_owned()
}

fn exchanged(service: &Service, code: &str, redirect_uri: &str, verifier: &str) -> Answer {
    let redirect_uri = form_encoded(redirect_uri);
    let body = format!(
        "grant_type=authorization_code&code={code}&redirect_uri={redirect_uri}&code_verifier={verifier}"
    );
    post(service, &service.token_url(), &body)
}

fn code(service: &Service) -> String {
    let back = browsed(service, CHALLENGE);
    let code = back.strip_prefix("?code=").and_then(|rest| rest.strip_suffix("&state=xyz"));
    code.expect("a code and the state").to_owned()
}

#[test]
fn a_code_is_good_for_one_token_with_its_redirect_uri_and_verifier() {
    let service = start(Kind::Flute);
    let good = code(&service);
    let answer = exchanged(&service, &good, REDIRECT_URI, VERIFIER);
    assert!(answer.status == 200 && !answer.refresh_token().is_empty());
    assert_eq!(exchanged(&service, &good, REDIRECT_URI, VERIFIER).error(), "invalid_grant");
    for (redirect_uri, verifier) in [("http://127.0.0.1:8/callback", VERIFIER), (REDIRECT_URI, "another")] {
        assert_eq!(exchanged(&service, &code(&service), redirect_uri, verifier).error(), "invalid_grant");
    }
    let late = code(&service);
    service.clock().advance(60);
    assert_eq!(exchanged(&service, &late, REDIRECT_URI, VERIFIER).error(), "invalid_grant");
}

#[test]
fn a_code_of_one_kind_is_none_of_the_other() {
    let service = start(Kind::Flute);
    let (browser, device) = (code(&service), device_code(&service));
    assert_eq!(asked(&service, &browser).error(), "invalid_grant");
    assert_eq!(exchanged(&service, &device, REDIRECT_URI, VERIFIER).error(), "invalid_grant");
    assert_eq!(exchanged(&service, &browser, REDIRECT_URI, VERIFIER).status, 200);
}

#[test]
fn a_person_who_says_no_sends_the_browser_back_with_an_error() {
    let service = start(Kind::Flute);
    service.person(Person::Denies);
    assert_eq!(browsed(&service, CHALLENGE), "?error=access_denied&state=xyz");
}
