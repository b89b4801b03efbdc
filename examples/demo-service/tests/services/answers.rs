//! Token answers against the literal shape of each service's page.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokenward_demo_service::{Clock, Config, Kind, Service};

use crate::http::{api_url, get, refresh, send, start, token};

#[test]
fn flip_utility_answers_as_its_page_prints_it() {
    let answer = token(&start(Kind::FlipUtility));
    let access_token = answer.access_token();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(access_token.starts_with("eyJhbGciOi"));
    assert_eq!(
        answer.body,
        format!(
            "{{\n\"access_token\": \"{access_token}\",\n\"token_type\": \"Bearer\",\n\"expires_in\": 3600\n}}"
        )
    );
}

#[test]
fn flip_energy_answers_a_flat_rfc_6749_object() {
    let answer = token(&start(Kind::FlipEnergy));
    let access_token = answer.access_token();
    assert_eq!(
        answer.body,
        format!("{{\"access_token\":\"{access_token}\",\"token_type\":\"Bearer\",\"expires_in\":3600}}")
    );
}

#[test]
fn flume_answers_in_its_envelope() {
    let answer = token(&start(Kind::Flume));
    let (access_token, refresh_token) = (answer.access_token(), answer.refresh_token());
    assert_eq!(
        answer.body,
        format!(
            "{{\"success\":true,\"code\":602,\"message\":\"Request OK\",\"http_code\":200,\
             \"http_message\":\"OK\",\"detailed\":null,\"data\":[{{\"token_type\":\"bearer\",\
             \"access_token\":\"{access_token}\",\"expires_in\":604800,\
             \"refresh_token\":\"{refresh_token}\"}}],\"count\":1,\"pagination\":null}}"
        )
    );
}

#[test]
fn flumes_access_token_is_a_jwt_with_the_members_of_its_page() {
    let config = Config { clock: Clock::from_fn(|| 3_000_000_000), ..Config::default() };
    let service = Service::start(Kind::Flume, config).unwrap();
    let access_token = token(&service).access_token();
    let parts: Vec<Value> = access_token
        .split('.')
        .take(2)
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    assert_eq!(parts[0], json!({"alg": "HS256", "typ": "JWT"}));
    assert_eq!(parts[1]["user_id"], 71_234);
    assert_eq!(parts[1]["type"], "USER");
    assert_eq!(parts[1]["iat"], 3_000_000_000_u64);
    assert_eq!(parts[1]["exp"], 3_000_604_800_u64);
    assert_eq!(access_token.split('.').count(), 3);
}

#[test]
fn opower_answers_with_tabs_an_extra_client_id_and_a_space_behind_the_number() {
    let answer = token(&start(Kind::Opower));
    let access_token = answer.access_token();
    assert_eq!(access_token.len(), 36);
    assert_eq!(
        answer.body,
        format!(
            "{{\n\t\"client_id\":\"019ebf3c-bc9c-41fa-87aa-09b1ecc86012\",\n\
             \t\"access_token\": \"{access_token}\",\n\t\"token_type\": \"BEARER\",\n\t\"expires_in\": 3599 \n}}"
        )
    );
}

#[test]
fn flute_answers_as_its_page_prints_it() {
    let answer = token(&start(Kind::Flute));
    let (access_token, refresh_token) = (answer.access_token(), answer.refresh_token());
    assert!(refresh_token.starts_with("def50200"));
    assert_eq!(
        answer.body,
        format!(
            "{{\n\"access_token\": \"{access_token}\",\n\"refresh_token\": \"{refresh_token}\",\n\
             \"token_type\": \"Bearer\",\n\"expires_in\": 3600\n}}"
        )
    );
}

#[test]
fn flute_gives_a_refresh_token_only_for_offline_access() {
    let service = start(Kind::Flute);
    let mut request = crate::http::TokenRequest::new(&service, None);
    request.body = "grant_type=client_credentials".to_owned();
    assert!(request.send().tokens()["refresh_token"].is_null());
    request.body = "grant_type=client_credentials&scope=everything".to_owned();
    let refused = request.send();
    assert_eq!((refused.status, refused.error().as_str()), (400, "invalid_scope"));
}

#[test]
fn a_refresh_is_answered_in_the_shape_of_the_first_token() {
    for kind in [Kind::Flume, Kind::Flute] {
        let service = start(kind);
        let first = token(&service);
        let second = refresh(&service, &first.refresh_token());
        let normalized = |answer: &crate::http::Answer| {
            answer.body.replace(&answer.access_token(), "A").replace(&answer.refresh_token(), "R")
        };
        assert_eq!(normalized(&first), normalized(&second), "{kind}");
    }
}

#[test]
fn no_token_answer_may_be_cached() {
    for kind in Kind::ALL {
        let answer = token(&start(kind));
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{kind}");
        assert_eq!(answer.header("pragma"), Some("no-cache"), "{kind}");
    }
}

#[test]
fn every_access_token_opens_its_own_api_and_is_a_new_one() {
    for kind in Kind::ALL {
        let service = start(kind);
        let (first, second) = (token(&service).access_token(), token(&service).access_token());
        assert_ne!(first, second, "{kind}");
        for access_token in [first, second] {
            assert_eq!(get(&api_url(&service), &access_token).status, 200, "{kind}");
        }
    }
}

#[test]
fn flip_utilitys_api_key_opens_its_api_too() {
    let service = start(Kind::FlipUtility);
    for path in ["/v1/programs", "/v1/enrollments"] {
        let answer = get(&format!("{}{path}", service.base_url()), &service.credentials().bearer.unwrap());
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[test]
fn flume_shows_a_user_only_their_own_devices() {
    let service = start(Kind::Flume);
    let access_token = token(&service).access_token();
    let own = get(&format!("{}/users/71234/devices", service.base_url()), &access_token);
    assert_eq!((own.status, own.json()["data"][0]["user_id"].clone()), (200, json!(71_234)));
    let other = get(&format!("{}/users/1/devices", service.base_url()), &access_token);
    assert_eq!((other.status, other.json()["http_message"].clone()), (403, json!("Forbidden")));
}

#[test]
fn opower_shows_a_utility_only_its_own_customers() {
    let service = start(Kind::Opower);
    let url = api_url(&service).replace("UTIL", "ELSE");
    assert_eq!(get(&url, &token(&service).access_token()).status, 403);
}

#[test]
fn the_scheme_bearer_is_read_without_case() {
    let service = start(Kind::Opower);
    let field = format!("bEaReR  {}", token(&service).access_token());
    assert_eq!(send("GET", &api_url(&service), &[("authorization", &field)], "").status, 200);
}

#[test]
fn one_seed_gives_one_series_of_tokens() {
    let clock = || Clock::from_fn(|| 1_000_000);
    let series = |seed| {
        let service =
            Service::start(Kind::Flume, Config { seed, clock: clock(), ..Config::default() }).unwrap();
        [token(&service).body, token(&service).body]
    };
    assert_eq!(series(Some(1)), series(Some(1)));
    assert_ne!(series(Some(1)), series(Some(2)));
    assert_ne!(series(None), series(None));
}
