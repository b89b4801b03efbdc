//! Expiry on the service's own clock.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokenward_demo_service::{Clock, Config, Kind, Service};

use crate::http::{JSON, api_url, get, send, start, token};

#[test]
fn a_token_opens_the_api_until_the_second_its_lifetime_ends() {
    for kind in Kind::ALL {
        let now = Arc::new(AtomicU64::new(1_000_000));
        let source = Arc::clone(&now);
        let clock = Clock::from_fn(move || source.load(Ordering::SeqCst));
        let service = Service::start(kind, Config { clock, ..Config::default() }).unwrap();
        let access_token = token(&service).access_token();
        now.fetch_add(kind.lifetime_s() - 1, Ordering::SeqCst);
        assert_eq!(get(&api_url(&service), &access_token).status, 200, "{kind}");
        now.fetch_add(1, Ordering::SeqCst);
        assert_eq!(get(&api_url(&service), &access_token).status, 401, "{kind}");
        assert_eq!(get(&api_url(&service), &token(&service).access_token()).status, 200, "{kind}");
    }
}

#[test]
fn a_static_token_never_expires() {
    let service = start(Kind::FlipUtility);
    service.clock().advance(u64::MAX);
    assert_eq!(get(&api_url(&service), &service.credentials().bearer.unwrap()).status, 200);
}

#[test]
fn the_lifetime_is_the_callers_where_given() {
    let config = Config { lifetime_s: Some(2), clock: Clock::from_fn(|| 5), ..Config::default() };
    let service = Service::start(Kind::Opower, config).unwrap();
    let answer = token(&service);
    assert_eq!(answer.tokens()["expires_in"], 2);
    service.clock().advance(2);
    assert_eq!(get(&api_url(&service), &answer.access_token()).status, 401);
}

#[test]
fn the_clock_can_be_moved_over_http_and_dates_every_answer() {
    let config = Config { clock: Clock::from_fn(|| 784_111_777), ..Config::default() };
    let service = Service::start(Kind::Flute, config).unwrap();
    assert_eq!(token(&service).header("date"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    let url = format!("{}/_demo/clock", service.base_url());
    let moved = send("POST", &url, &[("content-type", JSON)], r#"{"advance_s":60}"#);
    assert_eq!(moved.json()["now"], 784_111_837);
    assert_eq!(token(&service).header("date"), Some("Sun, 06 Nov 1994 08:50:37 GMT"));
    assert_eq!(service.log()[1].at, 784_111_837);
}

#[test]
fn one_clock_moves_all_services_it_was_given_to() {
    let clock = Clock::from_fn(|| 10);
    let config = Config { clock: clock.clone(), ..Config::default() };
    let services = Kind::ALL.map(|kind| Service::start(kind, config.clone()).unwrap());
    clock.advance(5);
    assert!(services.iter().all(|service| service.clock().now() == 15));
}

#[test]
fn an_accelerated_clock_runs_ahead_of_the_wall_clock_and_a_stopped_one_stands() {
    let wall = Clock::system();
    let fast = Clock::accelerated(1e9);
    let still = Clock::accelerated(0.0);
    let stood = still.now();
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert!(fast.now() > wall.now() + 1_000_000);
    assert_eq!(still.now(), stood);
}

#[test]
fn an_instant_beyond_the_last_http_date_is_written_as_the_last() {
    let clock = Clock::from_fn(|| u64::MAX);
    assert_eq!(clock.http_date(1), "Fri, 31 Dec 9999 23:59:59 GMT");
}
