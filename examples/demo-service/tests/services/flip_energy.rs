//! Which token opens which endpoint: the 24 rows of Flip Energy's page.

use tokenward_demo_service::{Config, Kind, Route, Service, TokenKind, WrongToken};

use crate::http::{Answer, TokenRequest, send, start};

/// The table as the page prints it, without its heading.
const PAGE: &str = "\
POST /v1/auth/site/{siteId}YesNo
POST /v1/commissionYesNo
GET /v1/commandsYesNo
PATCH /v1/command/{commandId}YesNo
POST /v1/telemetry/BATTERYYesNo
POST /v1/telemetry/BATTERY_COUNTERYesNo
PATCH /v1/settings/{settingsRequestId}YesNo
POST /v1/supplementsYesNo
GET /v1/sitesYesNo
GET /v1/programsYesNo
GET /v1/site/{siteId}NoYes
PATCH /v1/site/{siteId}NoYes
GET /v1/site/{siteId}/devicesNoYes
GET /v1/site/{siteId}/device/{deviceId}NoYes
PATCH /v1/site/{siteId}/device/{deviceId}NoYes
DELETE /v1/site/{siteId}/device/{deviceId}NoYes
POST /v1/site/{siteId}/enrollmentsNoYes
GET /v1/site/{siteId}/enrollmentsNoYes
DELETE /v1/site/{siteId}/enrollment/{enrollmentId}NoYes
GET /v1/site/{siteId}/programsNoYes
GET /v1/site/{siteId}/program/{programId}NoYes
GET /v1/site/{siteId}/eventsNoYes
GET /v1/site/{siteId}/event/{eventId}NoYes
PATCH /v1/site/{siteId}/event/{eventId}NoYes
";

fn site_token(service: &Service, site: &str) -> String {
    let mut request = TokenRequest::new(service, None);
    request.url = service.token_url().replace("{site}", site);
    request.send().access_token()
}

fn call(service: &Service, route: &Route, site: &str, token: &str) -> Answer {
    let path = route
        .path
        .split('/')
        .map(|segment| match segment {
            "{siteId}" => site,
            segment if segment.starts_with('{') => "77",
            segment => segment,
        })
        .collect::<Vec<_>>()
        .join("/");
    let url = format!("{}{path}", service.base_url());
    send(route.method, &url, &[("authorization", &format!("Bearer {token}"))], "")
}

#[test]
fn the_routes_are_the_24_rows_of_the_page() {
    let printed: String = Kind::FlipEnergy
        .routes()
        .iter()
        .map(|route| {
            let columns = if route.token == TokenKind::Client { "YesNo" } else { "NoYes" };
            format!("{} {}{columns}\n", route.method, route.path)
        })
        .collect();
    assert_eq!(printed, PAGE);
    assert_eq!(Kind::FlipEnergy.routes().len(), 24);
}

#[test]
fn each_row_opens_for_its_own_kind_of_token_and_for_no_other() {
    let service = start(Kind::FlipEnergy);
    let client_token = service.credentials().bearer.unwrap();
    let own = site_token(&service, "site-1");
    for route in Kind::FlipEnergy.routes() {
        let (right, wrong) = match route.token {
            TokenKind::Client => (&client_token, &own),
            _ => (&own, &client_token),
        };
        let served = call(&service, route, "site-1", right);
        assert_eq!(served.status, 200, "{route:?}: {}", served.body);
        let refused = call(&service, route, "site-1", wrong);
        assert_eq!(refused.status, 403, "{route:?}: {}", refused.body);
        assert_eq!(
            refused.header("www-authenticate"),
            Some("Bearer realm=\"flip_energy\", error=\"insufficient_scope\""),
            "{route:?}"
        );
        assert_eq!(call(&service, route, "site-1", "unknown").status, 401, "{route:?}");
    }
}

#[test]
fn a_site_token_opens_no_other_site() {
    let service = start(Kind::FlipEnergy);
    let other = site_token(&service, "site-2");
    for route in Kind::FlipEnergy.routes().iter().filter(|route| route.token == TokenKind::Site) {
        assert_eq!(call(&service, route, "site-1", &other).status, 403, "{route:?}");
        assert_eq!(call(&service, route, "site-2", &other).status, 200, "{route:?}");
    }
}

#[test]
fn where_the_page_allows_401_or_403_the_caller_chooses() {
    let config = Config { wrong_token: WrongToken::Unauthorized, ..Config::default() };
    let service = Service::start(Kind::FlipEnergy, config).unwrap();
    let other = site_token(&service, "site-2");
    for route in Kind::FlipEnergy.routes() {
        let refused = call(&service, route, "site-1", &other);
        assert_eq!(refused.status, 401, "{route:?}");
        assert_eq!(
            refused.header("www-authenticate"),
            Some("Bearer realm=\"flip_energy\", error=\"invalid_token\"")
        );
    }
}

#[test]
fn a_wrong_client_token_buys_no_site_token() {
    let service = start(Kind::FlipEnergy);
    let mut request = TokenRequest::new(&service, None);
    request.headers = vec![("authorization", "Bearer wrong".to_owned())];
    let refused = request.send();
    assert_eq!((refused.status, refused.body.as_str()), (401, r#"{"error":"invalid_client"}"#));
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Bearer realm=\"flip_energy\", error=\"invalid_token\"")
    );
    request.headers.clear();
    let refused = request.send();
    assert_eq!((refused.status, refused.error().as_str()), (401, "invalid_client"));
    assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"flip_energy\""));
}

#[test]
fn an_unknown_site_has_no_token() {
    let service = start(Kind::FlipEnergy);
    let mut request = TokenRequest::new(&service, None);
    request.url = service.token_url().replace("{site}", "site-3");
    assert_eq!(request.send().status, 404);
}

#[test]
fn a_site_id_is_percent_decoded_as_one_segment() {
    let config = Config { sites: vec!["Haus 7/b".to_owned()], ..Config::default() };
    let service = Service::start(Kind::FlipEnergy, config).unwrap();
    let token = site_token(&service, "Haus%207%2Fb");
    let route = Kind::FlipEnergy.routes().iter().find(|route| route.path.ends_with("/devices")).unwrap();
    let served = call(&service, route, "Haus%207%2Fb", &token);
    assert_eq!(served.status, 200);
    assert_eq!(served.json()["parameters"]["siteId"], "Haus 7/b");
}

#[test]
fn the_site_token_request_takes_a_json_object_and_no_form() {
    let service = start(Kind::FlipEnergy);
    let mut request = TokenRequest::new(&service, None);
    request.body = "{}".to_owned();
    request.headers.push(("content-type", "application/json".to_owned()));
    assert_eq!(request.send().status, 200);
    request.body = "grant_type=site_token".to_owned();
    request.headers[1].1 = crate::http::FORM.to_owned();
    assert_eq!(request.send().error(), "invalid_request");
}

#[test]
fn a_revoked_client_token_opens_nothing_more() {
    let service = start(Kind::FlipEnergy);
    let request = TokenRequest::new(&service, None);
    let site_token = request.send().access_token();
    service.rotate_bearer("fct_new");
    assert_eq!(request.send().status, 401);
    let devices = crate::http::get(&crate::http::api_url(&service), &site_token);
    assert_eq!(devices.status, 200, "site tokens live on");
}
