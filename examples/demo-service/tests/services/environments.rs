//! Flute's sandbox and production.

use tokenward_demo_service::{Environment, Kind, Service};

use crate::http::{TokenRequest, get, start};

fn at(service: &Service, environment: Environment, refresh_token: Option<&str>) -> TokenRequest {
    let mut request = TokenRequest::new(service, refresh_token);
    request.url = request.url.replace(service.base_url(), service.environment_url(environment).unwrap());
    request
}

fn transactions(service: &Service, environment: Environment) -> String {
    format!("{}/v2/transactions", service.environment_url(environment).unwrap())
}

#[test]
fn one_api_key_serves_both_environments_and_their_tokens_never_cross() {
    let service = start(Kind::Flute);
    for (own, other) in
        [(Environment::Sandbox, Environment::Production), (Environment::Production, Environment::Sandbox)]
    {
        let answer = at(&service, own, None).send();
        let served = get(&transactions(&service, own), &answer.access_token());
        assert_eq!((served.status, served.json()["environment"].as_str()), (200, Some(own.name())));
        let refused = get(&transactions(&service, other), &answer.access_token());
        assert_eq!((refused.status, refused.error().as_str()), (401, "invalid_token"));
        let refresh_token = answer.refresh_token();
        assert_eq!(at(&service, other, Some(&refresh_token)).send().error(), "invalid_grant");
        assert_eq!(
            at(&service, own, Some(&refresh_token)).send().status,
            200,
            "refused elsewhere, not spent"
        );
    }
}

#[test]
fn the_sandbox_is_the_base_url_and_other_systems_have_one_listener() {
    let service = start(Kind::Flute);
    assert_eq!(service.environment_url(Environment::Sandbox), Some(service.base_url()));
    assert_ne!(service.environment_url(Environment::Production), Some(service.base_url()));
    for kind in [Kind::FlipUtility, Kind::FlipEnergy, Kind::Flume, Kind::Opower] {
        let service = start(kind);
        assert_eq!(service.environment_url(Environment::Sandbox), None, "{kind}");
        assert_eq!(service.environment_url(Environment::Production), None, "{kind}");
    }
}

#[test]
fn the_log_says_which_environment_was_asked() {
    let service = start(Kind::Flute);
    at(&service, Environment::Production, None).send();
    at(&service, Environment::Sandbox, None).send();
    let asked: Vec<_> = service.log().iter().map(|exchange| exchange.environment).collect();
    assert_eq!(asked, [Some(Environment::Production), Some(Environment::Sandbox)]);
}
