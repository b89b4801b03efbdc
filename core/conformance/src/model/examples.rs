//! The model against examples worked out by hand, and against what must hold in every scenario.

use super::generate::generate;
use super::{Replay, run};
use serde_json::{Value, json};

/// The first difference between what the steps of a scenario expect and what the model answers.
fn difference(scenario: &Value) -> Option<String> {
    crate::difference(scenario, &Value::Array(run(scenario)).to_string()).expect("a scenario and its answer")
}

/// Runs a scenario whose steps carry their `expect`.
fn check(scenario: Value) {
    assert_eq!(difference(&scenario), None);
}

fn good(access: &str, seconds: u64) -> String {
    json!({"access_token": access, "token_type": "Bearer", "expires_in": seconds}).to_string()
}

fn pair(access: &str, refresh: &str, seconds: u64) -> String {
    json!({"access_token": access, "refresh_token": refresh, "expires_in": seconds}).to_string()
}

fn utility(steps: Value) -> Value {
    json!({"provider": "flip_utility", "environment": "sandbox", "wall": 1000,
           "credentials": {"client_id": "id", "client_secret": "s&cret"}, "steps": steps})
}

fn flute(policy: Value, steps: Value) -> Value {
    json!({"provider": "flute", "environment": "sandbox", "wall": 1000, "policy": policy,
           "credentials": {"client_id": "id", "client_secret": "s&cret"}, "steps": steps})
}

/// A provider with nothing but a refresh token, and one that starts with a pair of an hour.
fn refresh_only(policy: Value, steps: Value) -> Value {
    let mut all = vec![json!({"at": 0, "do": "install",
                              "token": {"access_token": "a1", "refresh_token": "R1", "expires_in": 3600}})];
    all.extend(steps.as_array().into_iter().flatten().cloned());
    json!({"provider": {"name": "x", "token_url": "https://id.example/token", "any_https_origin": true, "grants": ["refresh_token"],
                        "authentication": "none"},
           "credentials": {"client_id": "id"}, "wall": 1000, "policy": policy, "steps": all})
}

#[test]
fn flip_utility_refreshes_at_80_percent() {
    check(
        json!({"name": "flip utility refreshes at 80 percent", "provider": "flip_utility", "environment": "sandbox",
        "credentials": {"client_id": "id", "client_secret": "s&cret"},
        "steps": [
         {"at": 0, "do": "poll", "expect": {"next": "request", "grant": "client_credentials", "usable": false, "poll_at": null}},
         {"at": 0, "do": "begin", "expect": {"method": "POST", "url": "https://oauth.flip.energy/token",
            "body": "grant_type=client_credentials&client_id=id&client_secret=s%26cret"}},
         {"at": 250, "do": "answer", "status": 200, "body": "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":3600}", "expect": {"outcome": "token", "generation": 1}},
         {"at": 250, "do": "poll", "expect": {"next": "nothing", "usable": true, "poll_at": 2880000}},
         {"at": 2880000, "do": "poll", "expect": {"next": "request", "usable": true, "poll_at": 3590000}},
         {"at": 2880000, "do": "authorize", "method": "GET", "url": "https://api-utility-sandbox.flip.energy/v1/programs", "expect": {"header": "Bearer a"}},
         {"at": 2880000, "do": "authorize", "method": "GET", "url": "https://api-utility.flip.energy/v1/programs", "expect": {"error": "origin_not_allowed"}}
        ]}),
    );
}

#[test]
fn a_short_life_is_cut_by_a_tenth_and_refreshed_no_earlier_than_the_interval() {
    check(utility(json!([
        {"at": 5, "do": "begin"},
        {"at": 6, "do": "answer", "status": 200, "body": good("a", 30)},
        // m = 3 s; the interval of 30 s is bounded by L - m.
        {"at": 6, "do": "poll", "expect": {"next": "nothing", "usable": true, "poll_at": 27_005}},
        {"at": 27_005, "do": "poll", "expect": {"next": "request", "usable": false, "poll_at": null}}
    ])));
}

#[test]
fn the_second_draw_of_a_seed_moves_the_first_refresh() {
    let mut scenario = utility(json!([
        {"at": 0, "do": "begin"},
        {"at": 0, "do": "answer", "status": 200, "body": good("a", 3600)},
        // The second SplitMix64 value of seed 0 is 0x6E789E6AA1B965F4; 180000 ms of it are 77675.
        {"at": 0, "do": "poll", "expect": {"next": "nothing", "poll_at": 2_880_000 - 77_675}}
    ]));
    scenario["policy"] = json!({"jitter_permille": 50});
    check(scenario);
}

#[test]
fn a_fleet_spreads_its_first_request() {
    let mut scenario = utility(json!([
        // The first value of seed 0 is 0xE220A8397B1DCDAF.
        {"at": 0, "do": "poll", "expect": {"next": "wait", "usable": false, "poll_at": 52_998}},
        {"at": 52_997, "do": "begin", "expect": {"error": "not_due"}},
        {"at": 52_998, "do": "begin"},
        {"at": 52_998, "do": "poll", "expect": {"next": "await", "poll_at": 82_998}}
    ]));
    scenario["policy"] = json!({"jitter_permille": 1, "startup_spread_ms": 60_000});
    check(scenario);
}

#[test]
fn a_late_answer_still_commits_and_counts_from_its_begin() {
    check(utility(json!([
        {"at": 0, "do": "begin"},
        {"at": 29_999, "do": "poll", "expect": {"next": "await", "poll_at": 30_000}},
        {"at": 30_000, "do": "poll", "expect": {"next": "wait", "poll_at": 32_000}},
        {"at": 31_000, "do": "begin", "expect": {"error": "not_due"}},
        {"at": 31_000, "do": "answer", "status": 200, "body": good("a", 100), "expect": {"generation": 1}},
        {"at": 31_000, "do": "poll", "expect": {"next": "nothing", "usable": true, "poll_at": 80_000}},
        {"at": 31_000, "do": "answer", "status": 200, "body": good("b", 100), "expect": {"error": "stale_request"}}
    ])));
}

#[test]
fn a_late_failure_is_no_second_failure() {
    check(utility(json!([
        {"at": 0, "do": "begin"},
        {"at": 31_000, "do": "answer", "status": 503, "body": "", "expect": {"error": "http_status"}},
        {"at": 31_000, "do": "poll", "expect": {"next": "wait", "poll_at": 32_000}},
        {"at": 32_000, "do": "begin", "as": "second"},
        {"at": 62_000, "do": "answer", "status": 503, "headers": [["retry-after", "7"]], "body": "{\"error\":\"x\"}",
         "expect": {"outcome": "error", "error_code": "x"}},
        {"at": 62_000, "do": "poll", "expect": {"next": "wait", "poll_at": 69_000}},
        {"at": 69_000, "do": "begin"},
        // The third failure: 2 s, doubled twice.
        {"at": 69_000, "do": "failed"},
        {"at": 69_000, "do": "poll", "expect": {"next": "wait", "poll_at": 77_000}},
        {"at": 69_000, "do": "failed", "expect": {"error": "stale_request"}}
    ])));
}

#[test]
fn a_usable_token_halves_what_remains_of_it_at_each_failure() {
    check(utility(json!([
        {"at": 0, "do": "begin"},
        {"at": 0, "do": "answer", "status": 200, "body": good("a", 3600)},
        {"at": 2_880_000, "do": "begin"},
        {"at": 2_880_000, "do": "failed"},
        {"at": 2_880_000, "do": "poll", "expect": {"next": "wait", "usable": true, "poll_at": 3_180_000}},
        {"at": 3_180_000, "do": "begin"},
        {"at": 3_180_000, "do": "failed"},
        {"at": 3_180_000, "do": "poll", "expect": {"next": "wait", "usable": true, "poll_at": 3_385_000}},
        {"at": 3_385_000, "do": "begin"},
        {"at": 3_580_000, "do": "poll", "expect": {"next": "request", "usable": true, "poll_at": 3_590_000}},
        // The timeout at 3,415,000 left 175 s: half of it, rounded down.
        {"at": 3_502_499, "do": "poll", "expect": {"next": "wait", "poll_at": 3_502_500}}
    ])));
}

#[test]
fn a_gateway_in_trouble_signs_nobody_out() {
    for status in [408, 425, 429, 500, 599] {
        check(utility(json!([
            {"at": 0, "do": "begin"},
            {"at": 0, "do": "answer", "status": status, "body": "{\"error\":\"invalid_grant\"}",
             "expect": {"outcome": "error", "error_code": "invalid_grant"}},
            {"at": 0, "do": "poll", "expect": {"next": "wait", "poll_at": 2000}}
        ])));
    }
}

#[test]
fn a_listed_code_is_asked_again_after_an_hour_or_at_retry() {
    let steps = json!([
        {"at": 0, "do": "begin"},
        {"at": 0, "do": "answer", "status": 200, "body": "{\"error\":\"invalid_client\"}",
         "expect": {"outcome": "error", "error_code": "invalid_client"}},
        {"at": 0, "do": "poll", "expect": {"next": "supply", "reason": "invalid_client", "poll_at": 3_600_000}},
        {"at": 0, "do": "rejected", "status": 401,
         "expect": {"retry": "surface", "reason": "invalid_client", "retry_at": 3_600_000}},
        {"at": 3_599_999, "do": "begin", "expect": {"error": "not_due"}},
        {"at": 3_600_000, "do": "begin"},
        {"at": 3_600_000, "do": "answer", "status": 400, "body": "{\"error\":\"invalid_grant\"}"},
        {"at": 3_600_000, "do": "poll", "expect": {"next": "supply", "reason": "grant_rejected", "poll_at": null}}
    ]);
    check(utility(steps.clone()));
    // The second value of seed 0: 1,800,000 of it are 776,750.
    let mut drawn = utility(json!([
        steps[0], steps[1],
        {"at": 0, "do": "poll", "expect": {"next": "supply", "poll_at": 3_600_000 - 776_750}}
    ]));
    drawn["policy"] = json!({"jitter_permille": 1});
    check(drawn);
    let mut never = utility(json!([
        steps[0], steps[1],
        {"at": 99_000_000, "do": "poll", "expect": {"next": "supply", "poll_at": null}},
        {"at": 99_000_000, "do": "retry"},
        {"at": 99_000_000, "do": "begin"}
    ]));
    never["policy"] = json!({"recheck": false});
    check(never);
}

#[test]
fn slow_down_adds_five_seconds_to_every_later_backoff() {
    check(utility(json!([
        {"at": 0, "do": "begin"},
        {"at": 0, "do": "answer", "status": 400, "body": "{\"error\":\"slow_down\"}"},
        {"at": 0, "do": "poll", "expect": {"next": "wait", "poll_at": 7000}},
        {"at": 7000, "do": "begin"},
        {"at": 7000, "do": "failed"},
        {"at": 7000, "do": "poll", "expect": {"next": "wait", "poll_at": 16_000}},
        {"at": 7000, "do": "clear"},
        {"at": 7000, "do": "begin"},
        {"at": 7000, "do": "failed"},
        {"at": 7000, "do": "poll", "expect": {"next": "wait", "poll_at": 14_000}}
    ])));
}

#[test]
fn invalid_grant_on_a_refresh_falls_back_to_the_primary_grant() {
    let body = json!({"error": "invalid_grant"}).to_string();
    check(flute(
        json!({}),
        json!([
            {"at": 0, "do": "begin", "expect": {"body": "grant_type=client_credentials&scope=offline_access",
              "headers": [["Authorization", "Basic aWQ6cyZjcmV0"], ["Accept", "application/json"]]}},
            {"at": 0, "do": "answer", "status": 200, "body": pair("a", "R/1", 3600)},
            {"at": 0, "do": "renew"},
            {"at": 0, "do": "poll", "expect": {"next": "wait", "usable": true, "poll_at": 1000}},
            {"at": 999, "do": "begin", "expect": {"error": "not_due"}},
            {"at": 1000, "do": "begin", "expect": {"body": "grant_type=refresh_token&refresh_token=R%2F1"}},
            {"at": 1000, "do": "answer", "status": 400, "body": body},
            {"at": 1000, "do": "poll", "expect": {"next": "request", "grant": "client_credentials", "usable": true}}
        ]),
    ));
}

#[test]
fn refusals_give_the_primary_grant_turns() {
    let refused = |at: u64| json!({"at": at, "do": "answer", "status": 400, "body": "<p>no", "expect": {"error": "http_status"}});
    check(flute(
        json!({"refresh_attempts": 2, "first_backoff_ms": 1}),
        json!([
            {"at": 0, "do": "install", "token": {"access_token": "a", "refresh_token": "R", "expires_in": 3600}},
            {"at": 4_000_000, "do": "begin"},
            refused(4_000_000),
            {"at": 4_001_000, "do": "begin"},
            {"at": 4_001_000, "do": "answer", "status": 503, "body": "{\"error\":\"odd\"}"},
            {"at": 4_002_000, "do": "poll", "expect": {"next": "request", "grant": "refresh_token"}},
            {"at": 4_002_000, "do": "begin"},
            {"at": 4_002_000, "do": "answer", "status": 200, "body": "{\"error\":\"odd\"}"},
            {"at": 4_002_004, "do": "poll", "expect": {"next": "request", "grant": "client_credentials"}},
            {"at": 4_002_004, "do": "begin"},
            {"at": 4_002_004, "do": "failed"},
            {"at": 4_003_004, "do": "poll", "expect": {"next": "request", "grant": "refresh_token"}},
            {"at": 4_003_004, "do": "begin"},
            refused(4_003_004),
            {"at": 4_003_020, "do": "poll", "expect": {"next": "request", "grant": "client_credentials"}}
        ]),
    ));
}

#[test]
fn a_password_has_one_turn_for_each_refresh_token() {
    let answer = |at: u64, status: u64| json!({"at": at, "do": "answer", "status": status, "body": "{\"error\":\"odd\"}"});
    check(
        json!({"provider": "flume", "base_url": "https://flume.example", "policy": {"refresh_attempts": 1, "first_backoff_ms": 1},
                     "credentials": {"client_id": "i", "client_secret": "s", "username": "u", "password": "p"}, "steps": [
            {"at": 0, "do": "install", "token": {"refresh_token": "R", "expires_in": 0}, "expect": {"generation": 0}},
            {"at": 0, "do": "begin"},
            answer(0, 400),
            {"at": 1, "do": "poll", "expect": {"next": "request", "grant": "password"}},
            {"at": 1, "do": "begin"},
            answer(1, 503),
            {"at": 1001, "do": "poll", "expect": {"next": "request", "grant": "password"}},
            {"at": 1001, "do": "begin"},
            {"at": 31_001, "do": "poll", "expect": {"next": "wait", "poll_at": 31_005}},
            {"at": 31_005, "do": "poll", "expect": {"next": "request", "grant": "password"}},
            answer(31_005, 401),
            {"at": 31_005, "do": "poll", "expect": {"next": "request", "grant": "refresh_token"}},
            {"at": 31_005, "do": "begin"},
            answer(31_005, 400),
            {"at": 32_005, "do": "poll", "expect": {"next": "request", "grant": "refresh_token"}}
        ]}),
    );
}

#[test]
fn refused_passwords_are_counted_and_refresh_tokens_without_another_grant_end() {
    let no = json!({"at": 0, "do": "answer", "status": 404, "body": "", "expect": {"error": "http_status"}});
    check(
        json!({"provider": "flume", "base_url": "https://flume.example", "policy": {"refresh_attempts": 1},
                     "credentials": {"client_id": "i", "client_secret": "s", "username": "u", "password": "p"}, "steps": [
            {"at": 0, "do": "begin"},
            no,
            {"at": 0, "do": "poll", "expect": {"next": "supply", "reason": "grant_rejected", "poll_at": null}},
            {"at": 0, "do": "retry"},
            {"at": 0, "do": "poll", "expect": {"next": "wait", "poll_at": 2000}}
        ]}),
    );
    check(refresh_only(
        json!({"refresh_attempts": 1}),
        json!([
            {"at": 0, "do": "renew"},
            {"at": 0, "do": "begin"},
            no,
            {"at": 300_000, "do": "begin"},
            {"at": 300_000, "do": "answer", "status": 404, "body": "{\"error\":\"odd\"}"},
            {"at": 300_000, "do": "poll", "expect": {"next": "supply", "reason": "refresh_token_rejected", "usable": true, "poll_at": 3_590_000}}
        ]),
    ));
}

#[test]
fn a_fleet_is_spread_once() {
    // The second value of seed 0 is 0x6E789E6AA1B965F4: 720,000 ms of it are 310,700; of what is left of ε, 233,025.
    let mut scenario = utility(json!([
        {"at": 0, "do": "begin"},
        {"at": 0, "do": "answer", "status": 200, "body": good("a", 3600)},
        {"at": 0, "do": "poll", "expect": {"next": "nothing", "poll_at": 2_880_000 - 310_700}},
        {"at": 2_880_000, "do": "begin"},
        {"at": 2_880_000, "do": "answer", "status": 200, "body": good("b", 3600)},
        {"at": 2_880_000, "do": "poll", "expect": {"next": "nothing", "poll_at": 5_760_000 - 233_025}}
    ]));
    scenario["policy"] = json!({"jitter_permille": 200});
    check(scenario);
}

#[test]
fn a_refused_answer_may_still_have_rotated_the_refresh_token() {
    check(refresh_only(
        json!({}),
        json!([
            {"at": 0, "do": "renew"},
            {"at": 0, "do": "begin", "expect": {"body": "grant_type=refresh_token&refresh_token=R1&client_id=id"}},
            {"at": 0, "do": "answer", "status": 200, "body": "{\"access_token\":\"a b\",\"refresh_token\":\"R2\"}",
             "expect": {"error": "invalid_access_token"}},
            // rem = 3590 s, half of it beyond the longest backoff.
            {"at": 0, "do": "poll", "expect": {"next": "wait", "usable": true, "poll_at": 300_000}},
            {"at": 300_000, "do": "begin", "expect": {"body": "grant_type=refresh_token&refresh_token=R2&client_id=id"}},
            {"at": 300_000, "do": "answer", "status": 200,
             "body": "{\"access_token\":\"a2\",\"refresh_token\":\"R3\",\"refresh_token\":\"R3\"}",
             "expect": {"error": "duplicate_member"}},
            {"at": 600_000, "do": "begin", "expect": {"body": "grant_type=refresh_token&refresh_token=R2&client_id=id"}},
            {"at": 600_000, "do": "answer", "status": 400, "body": "{\"refresh_token\":\"R4\",\"access_token\":\"a\"}",
             "expect": {"error": "no_error_code"}},
            {"at": 900_000, "do": "begin", "expect": {"body": "grant_type=refresh_token&refresh_token=R2&client_id=id"}},
            {"at": 900_000, "do": "answer", "status": 200, "body": "{\"access_token\":\"a3\",\"expires_in\":100}",
             "expect": {"generation": 2}},
            {"at": 980_000, "do": "begin", "expect": {"body": "grant_type=refresh_token&refresh_token=R2&client_id=id"}}
        ]),
    ));
}

#[test]
fn the_same_token_near_its_end_is_a_failure() {
    check(utility(json!([
        {"at": 0, "do": "begin"},
        {"at": 0, "do": "answer", "status": 200, "body": good("a", 100)},
        {"at": 80_000, "do": "begin"},
        // 39 s - 3.9 s - 5.1 s: 29.999 s are left after 5.101 s.
        {"at": 85_101, "do": "answer", "status": 200, "body": good("a", 39), "expect": {"error": "same_token"}},
        {"at": 85_101, "do": "poll", "expect": {"next": "wait", "usable": true, "poll_at": 90_000}},
        {"at": 90_000, "do": "begin"},
        {"at": 95_100, "do": "answer", "status": 200, "body": good("a", 39), "expect": {"generation": 2}},
        {"at": 125_100, "do": "rejected", "status": 401, "expect": {"retry": "after_refresh"}},
        {"at": 125_100, "do": "begin"},
        {"at": 125_100, "do": "answer", "status": 200, "body": good("a", 3600), "expect": {"error": "same_token"}},
        {"at": 125_100, "do": "poll", "expect": {"next": "wait", "usable": false, "poll_at": 127_100}}
    ])));
}

#[test]
fn ten_late_401s_cause_one_refresh() {
    check(utility(json!([
        {"at": 0, "do": "rejected", "status": 401, "expect": {"retry": "after_refresh"}},
        {"at": 0, "do": "begin"},
        {"at": 1000, "do": "answer", "status": 200, "body": good("a", 3600)},
        {"at": 30_999, "do": "rejected", "status": 401, "expect": {"retry": "surface", "reason": "rejected"}},
        {"at": 30_999, "do": "authorize", "method": "GET", "url": "https://api-utility-sandbox.flip.energy", "expect": {"generation": 1}},
        {"at": 31_000, "do": "rejected", "status": 403, "expect": {"retry": "surface", "reason": "forbidden"}},
        {"at": 31_000, "do": "rejected", "status": 404,
         "expect": {"retry": "surface", "reason": "not_an_authentication_failure"}},
        {"at": 31_000, "do": "rejected", "status": 401,
         "headers": [["www-authenticate", "Bearer realm=\"a\", error=\"insufficient_scope\""]],
         "expect": {"retry": "surface", "reason": "insufficient_scope"}},
        {"at": 31_000, "do": "rejected", "status": 401, "generation": 2, "expect": {"retry": "after_refresh"}},
        {"at": 31_000, "do": "poll", "expect": {"next": "nothing", "usable": true}},
        {"at": 31_000, "do": "rejected", "status": 401, "expect": {"retry": "after_refresh"}},
        {"at": 31_000, "do": "rejected", "status": 401, "expect": {"retry": "after_refresh"}},
        {"at": 31_000, "do": "poll", "expect": {"next": "request", "usable": false, "poll_at": null}},
        {"at": 31_000, "do": "begin"},
        {"at": 31_000, "do": "rejected", "status": 401, "expect": {"retry": "after_refresh"}},
        {"at": 31_000, "do": "answer", "status": 200, "body": good("b", 3600), "expect": {"generation": 2}},
        {"at": 31_000, "do": "rejected", "status": 401, "generation": 1, "expect": {"retry": "now"}}
    ])));
}

#[test]
fn a_revoked_key_waits_for_another() {
    check(json!({"provider": "flip_utility_api_key", "environment": "production", "steps": [
        {"at": 0, "do": "poll", "expect": {"next": "supply", "reason": "no_token", "usable": false, "poll_at": null}},
        {"at": 0, "do": "rejected", "status": 401, "expect": {"retry": "surface", "reason": "no_token"}},
        {"at": 0, "do": "install", "token": {"access_token": "fl_1"}, "expect": {"generation": 1}},
        {"at": 0, "do": "renew"},
        {"at": 0, "do": "poll", "expect": {"next": "nothing", "usable": true, "poll_at": null}},
        {"at": 1, "do": "rejected", "status": 401,
         "expect": {"retry": "surface", "reason": "revoked", "retry_at": 300_001}},
        {"at": 300_000, "do": "rejected", "status": 401, "expect": {"retry_at": 300_001}},
        {"at": 300_000, "do": "poll", "expect": {"next": "supply", "reason": "revoked", "usable": false, "poll_at": 300_001}},
        {"at": 300_001, "do": "poll", "expect": {"next": "nothing", "usable": true, "poll_at": null}},
        {"at": 300_001, "do": "rejected", "status": 401, "expect": {"retry": "surface", "reason": "revoked", "retry_at": 900_001}},
        {"at": 300_001, "do": "retry"},
        {"at": 300_001, "do": "rejected", "status": 401, "expect": {"retry": "surface", "reason": "revoked", "retry_at": 1_500_001}},
        {"at": 1, "do": "install", "token": {"access_token": "fl_1", "expires_in": 0}, "expect": {"error": "already_expired"}},
        {"at": 1, "do": "install", "token": {"access_token": "fl_1"}, "expect": {"generation": 2}},
        {"at": 1, "do": "poll", "expect": {"next": "nothing", "usable": true}}
    ]}));
}

#[test]
fn clear_makes_a_request_stale_and_generations_go_on() {
    check(utility(json!([
        {"at": 0, "do": "clear"},
        {"at": 0, "do": "begin", "as": "one"},
        {"at": 0, "do": "begin", "expect": {"error": "request_in_flight"}},
        {"at": 0, "do": "answer", "status": 200, "body": good("a", 3600),
         "expect": {"generation": 1}},
        {"at": 0, "do": "renew"},
        {"at": 1000, "do": "begin", "as": "two"},
        {"at": 1000, "do": "clear"},
        {"at": 0, "do": "answer", "request": "two", "status": 200, "body": good("b", 3600), "expect": {"error": "stale_request"}},
        {"at": 0, "do": "begin", "credentials": {"client_id": "id", "client_secret": ""}, "expect": {"error": "wrong_credentials"}},
        {"at": 0, "do": "begin"},
        {"at": 0, "do": "answer", "status": 200, "body": good("c", 3600), "expect": {"generation": 2}}
    ])));
}

#[test]
fn the_clock_never_steps_back() {
    check(utility(json!([
        {"at": 5000, "do": "begin"},
        {"at": 10, "do": "answer", "status": 200, "body": good("a", 30)},
        {"at": 20, "do": "poll", "expect": {"next": "nothing", "usable": true, "poll_at": 32_000}},
        {"at": 32_000, "do": "rejected", "status": 500},
        {"at": 20, "do": "poll", "expect": {"next": "request", "usable": false}},
        // A poll moves nothing.
        {"at": 99_000, "do": "begin", "credentials": {}, "expect": {"error": "wrong_credentials"}},
        {"at": 20, "do": "begin"},
        {"at": 20, "do": "poll", "expect": {"next": "await", "poll_at": 129_000}}
    ])));
}

#[test]
fn flip_energy_checks_route_token_and_site_before_the_token() {
    let url = |path: &str| format!("https://e.example{path}");
    check(json!({"provider": "flip_energy_site", "base_url": "https://e.example", "site": "a b",
                 "issued_by": "client_token", "credentials": {"bearer": "ct"}, "steps": [
        {"at": 0, "do": "authorize", "method": "GET", "url": url("/v1/site/a%20b/devices"), "expect": {"error": "not_usable"}},
        {"at": 0, "do": "authorize", "method": "GET", "url": url("/v1/site/a/devices"), "expect": {"error": "other_site"}},
        {"at": 0, "do": "authorize", "method": "GET", "url": url("/v1/sites"), "expect": {"error": "route_needs_other_token"}},
        {"at": 0, "do": "authorize", "method": "get", "url": url("/v1/sites"), "expect": {"error": "unknown_route"}},
        {"at": 0, "do": "authorize", "method": "GET", "url": url("/v1/site/a%2Fb"), "expect": {"error": "bad_url"}},
        {"at": 0, "do": "authorize", "method": "GET", "url": "https://e.example:444/v1/sites", "expect": {"error": "origin_not_allowed"}},
        {"at": 0, "do": "begin", "expect": {"url": url("/v1/auth/site/a%20b"), "headers": [["Authorization", "Bearer ct"]]}},
        {"at": 0, "do": "answer", "status": 201, "body": "{\"access_token\":\"st\"}"},
        {"at": 0, "do": "authorize", "method": "GET", "url": "https://E.example:443/v1/site/a%20b/devices?x=%2e",
         "expect": {"header": "Bearer st"}}
    ]}));
}

#[test]
fn flume_writes_json_and_reads_its_envelope() {
    let envelope = "{\"access_token\":5,\"data\":[{\"access_token\":\"a\",\"refresh_token\":\"R\",\"expires_in\":\"3600\"}]}";
    check(json!({"provider": "flume", "base_url": "https://flume.example",
                 "credentials": {"client_id": "i", "client_secret": "s", "username": "u", "password": "p"}, "steps": [
        {"at": 0, "do": "begin", "expect": {"url": "https://flume.example/oauth/token",
          "body": "{\"grant_type\":\"password\",\"username\":\"u\",\"password\":\"p\",\"client_id\":\"i\",\"client_secret\":\"s\"}"}},
        {"at": 0, "do": "answer", "status": 200, "body": envelope, "expect": {"generation": 1}},
        {"at": 2_880_000, "do": "begin",
         "expect": {"body": "{\"grant_type\":\"refresh_token\",\"refresh_token\":\"R\",\"client_id\":\"i\",\"client_secret\":\"s\"}"}},
        {"at": 2_880_000, "do": "answer", "status": 401, "body": "{\"detailed\":[\"invalid_grant\"]}",
         "expect": {"error_code": "invalid_grant"}},
        {"at": 2_880_000, "do": "poll", "expect": {"next": "request", "grant": "password"}}
    ]}));
}

#[test]
fn only_the_error_of_a_bearer_challenge_counts() {
    for (challenge, counts) in [
        ("Bearer error=\"insufficient_scope\"", true),
        ("bearer ERROR=insufficient_scope", true),
        ("Bearer realm=\"a, b\", error=\"insufficient_scope\"", true),
        ("Basic realm=\"x\", Bearer error=\"insufficient_scope\", scope=\"a b\"", true),
        ("Bearer", false),
        ("Bearer realm=\"insufficient_scope\"", false),
        ("Bearer error=\"invalid_token\", error_description=\"insufficient_scope\"", false),
        ("Bearer realm=\"error=insufficient_scope\"", false),
        ("Bearer error=\"insufficient_scope", false),
        ("Bearer error=\"insufficient_scope\", =", false),
        ("error=\"insufficient_scope\"", false),
        ("Negotiate YWJj==, Bearer error=insufficient_scope", true),
    ] {
        assert_eq!(super::wire::bearer_error_is(challenge, "insufficient_scope"), counts, "{challenge}");
    }
}

/// The verdict on one body under status 200: `token` or the name of the refusal.
fn verdict(body: &[u8]) -> String {
    let hex: String = body.iter().map(|b| format!("{b:02x}")).collect();
    let scenario =
        utility(json!([{"at": 0, "do": "begin"}, {"at": 0, "do": "answer", "status": 200, "body_hex": hex}]));
    let answer = &run(&scenario)[1];
    answer["error"].as_str().or(answer["outcome"].as_str()).unwrap_or("").to_owned()
}

#[test]
fn bodies_are_refused_by_the_earliest_fault_then_by_the_table() {
    let deep = |n: usize| format!("{{\"access_token\":\"a\",\"x\":{}{}}}", "[".repeat(n), "]".repeat(n));
    let cases: &[(&[u8], &str)] = &[
        (b"\xEF\xBB\xBF {\"access_token\":\"a\"}", "token"),
        (b"", "truncated"),
        (b" \n", "truncated"),
        (b"<html>", "not_json"),
        (b"[1]", "not_json"),
        (b"{\"access_token\":\"a\"", "truncated"),
        (b"{\"access_token\":tru", "truncated"),
        (b"{\"access_token\":trx", "malformed"),
        (b"{\"access_token\":\"a\"} x", "malformed"),
        (b"{\"access_token\":\"a\",}", "malformed"),
        (b"{\"access_token\":\"a\",\"x\":\"\xC3", "truncated"),
        (b"{\"access_token\":\"a\",\"x\":\"\xC3\"}", "malformed"),
        (b"{\"access_token\":\"a\",\"x\":01}", "malformed"),
        (b"{\"access_token\":\"a\",\"\\u0061ccess_token\":\"b\"}", "duplicate_member"),
        (b"{\"access_token\":\"a\\ud83d\"}", "invalid_access_token"),
        (b"{\"access_token\":\"a b\",\"expires_in\":-1}", "invalid_access_token"),
        (b"{\"access_token\":\"a==\",\"expires_in\":-0}", "invalid_expires_in"),
        (b"{\"access_token\":\"a\",\"expires_in\":3.6e3}", "token"),
        (b"{\"access_token\":\"a\",\"expires_in\":\"3600.0\"}", "invalid_expires_in"),
        (b"{\"access_token\":\"a\",\"expires_in\":0.9}", "already_expired"),
        (b"{\"access_token\":\"a\",\"expires_in\":1e999999999999}", "token"),
        (b"{\"access_token\":\"a\",\"error\":\"x\",\"scope\":[1]}", "invalid_scope_member"),
        (b"{\"access_token\":\"a\",\"error\":\"x\",\"token_type\":\"mac\"}", "error_beside_token"),
        (b"{\"access_token\":\"a\",\"error\":\"\",\"token_type\":\"mac\"}", "unsupported_token_type"),
        (b"{\"access_token\":\"a\",\"refresh_token\":5}", "token"),
        (b"{\"access_token\":null,\"error\":\"x\"}", "error"),
    ];
    for (body, wanted) in cases {
        assert_eq!(verdict(body), *wanted, "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(verdict(deep(31).as_bytes()), "token");
    assert_eq!(verdict(deep(32).as_bytes()), "too_deep");
}

#[test]
fn retry_after_takes_both_forms_within_its_bounds() {
    for (value, wait) in [
        ("0", 1000),
        ("120", 120_000),
        ("86400", 3_600_000),
        ("soon", 2000),
        ("Thu, 01 Jan 1970 00:17:40 GMT", 60_000),
        ("Thursday, 01-Jan-70 00:17:40 GMT", 60_000),
        ("Thu Jan  1 00:17:40 1970", 60_000),
        ("Thu, 01 Jan 1970 00:00:40 GMT", 1000),
        ("1.5", 2000),
        ("7.00", 7000),
        ("3 ,\t120", 120_000),
        ("Thu, 01 Jan 1970 00:17:40 GMT, 5", 60_000),
        ("5, Thu, 01 Jan 1970 00:17:40 GMT", 60_000),
        ("90, soon", 2000),
        ("90,", 2000),
        ("90.", 2000),
    ] {
        check(utility(json!([
            {"at": 0, "do": "begin"},
            {"at": 0, "do": "answer", "status": 503, "headers": [["Retry-After", value]], "body": "{}",
             "expect": {"error": "no_error_code"}},
            {"at": 0, "do": "poll", "expect": {"next": "wait", "poll_at": wait}}
        ])));
    }
}

#[test]
fn the_jwt_of_an_answer_ends_its_life_where_the_wall_clock_is_known() {
    // {"exp":1100} at wall 1010: 90 s from `begin`.
    let body = json!({"access_token": "e30.eyJleHAiOjExMDB9.s"}).to_string();
    check(utility(json!([
        {"at": 0, "do": "begin"},
        {"at": 10_000, "do": "answer", "status": 200, "body": body},
        {"at": 10_000, "do": "poll", "expect": {"next": "nothing", "poll_at": 72_000}},
        {"at": 72_000, "do": "poll", "expect": {"next": "request", "usable": true, "poll_at": 81_000}}
    ])));
}

#[test]
fn a_scenario_is_decided_by_its_seed() {
    for seed in 0..50 {
        assert_eq!(generate(seed, false), generate(seed, false));
        assert_eq!(run(&generate(seed, false)), run(&generate(seed, false)));
    }
    assert_ne!(generate(1, false), generate(2, false));
}

/// In every generated scenario an answer stands until its `poll_at` and changes there, and time alone never makes a
/// token usable.
#[test]
fn poll_at_is_the_first_change() {
    for seed in 0..600 {
        let scenario = generate(seed, seed % 2 == 1);
        let mut replay = Replay::new(&scenario);
        for step in scenario["steps"].as_array().into_iter().flatten() {
            replay.step(step);
            let manager = replay.manager();
            let now = manager.clock;
            let answer = manager.next_at(now);
            let end = manager.poll_at(now);
            if let Some(end) = end {
                assert!(end > now);
                assert_ne!(manager.next_at(end), answer, "seed {seed}, {step}");
            }
            let last = end.unwrap_or(now + 1_000_000_000) - 1;
            for t in [now, now + 1, now + (last - now) / 3, last.saturating_sub(1), last] {
                if (now..=last).contains(&t) {
                    assert_eq!(manager.next_at(t), answer, "seed {seed}, {step}");
                }
            }
            if let Some(windows) = manager.token.as_ref().and_then(|t| t.windows) {
                assert!(windows.refresh_at <= windows.usable_until);
            }
        }
    }
}

thread_local! {
    /// The rules that the scenario at hand has come to.
    pub(super) static REACHED: std::cell::RefCell<std::collections::BTreeSet<&'static str>> = const { std::cell::RefCell::new(std::collections::BTreeSet::new()) };
}

/// What random scenarios must reach.
const RULES: [&str; 42] = [
    "1.30 zero",
    "1.31 installed",
    "2.100",
    "2.100 again",
    "2.100 lifted",
    "2.101",
    "2.102 another turn",
    "2.102 no further turn",
    "2.102 password keeps its turn",
    "2.102 password used",
    "2.102 password used late",
    "2.102 turn given back",
    "2.103",
    "2.105",
    "2.106",
    "2.37 late refusal",
    "2.50 at most b",
    "2.50 b",
    "2.50 d",
    "2.50 with slow_down",
    "2.52",
    "2.54",
    "2.54 late",
    "2.55 for good",
    "2.60",
    "2.60 halved",
    "2.60 late",
    "2.61 by a code",
    "2.61 ends the refresh token",
    "2.61 refused by section 1",
    "2.61 turn",
    "2.94 drawn",
    "2.94 kept",
    "2.97 poll",
    "2.98 several lines",
    "2.99",
    "2.99 late",
    "9.4",
    "2.99 lifted",
    "http_status",
    "refresh_token_too_long",
    "too_long",
];

fn reaches_every_rule(with_storage: bool, rules: &[&str]) {
    let mut missed: std::collections::BTreeSet<_> = rules.iter().copied().collect();
    for seed in 0..20_000 {
        REACHED.take();
        run(&generate(seed, with_storage));
        for rule in REACHED.take() {
            missed.remove(rule);
        }
        if missed.is_empty() {
            return;
        }
    }
    panic!("{missed:?}");
}

#[test]
fn random_scenarios_reach_every_rule() {
    reaches_every_rule(false, &RULES);
}

#[test]
fn random_scenarios_with_storage_reach_every_rule() {
    reaches_every_rule(true, &RULES_OF_STORAGE);
}

const RULES_OF_STORAGE: [&str; 54] = [
    "2.90",
    "5.13.1",
    "5.13.10",
    "5.13.11",
    "5.13.11 primary",
    "5.13.2 load",
    "5.13.2 wait",
    "5.13.3",
    "5.13.4 load",
    "5.13.4 store",
    "5.13.5",
    "5.13.6 for another",
    "5.13.6 stuck",
    "5.13.7",
    "5.13.7 for another",
    "5.13.8",
    "5.13.8 await",
    "5.13.8 damaged",
    "5.13.8 wait",
    "5.13.8 without storage",
    "5.20.1 kept",
    "5.20.1 stored after all",
    "5.20.2",
    "5.20.3",
    "5.20.5",
    "5.20.7 over an answer",
    "5.22 access token",
    "5.22 no access token",
    "5.22 refused refresh token",
    "5.22 tombstone",
    "5.25",
    "5.25 forgets a refresh token",
    "5.26 answer",
    "5.26 install",
    "5.26 tombstone",
    "5.28 what has become owed since stays",
    "5.30 by the wall clock",
    "5.30 without a wall clock",
    "5.32",
    "5.32 written",
    "5.33",
    "5.33 load",
    "5.33 wait",
    "5.33 written",
    "5.34 primary",
    "5.34 wait",
    "5.35 primary",
    "5.35 supply",
    "5.35 wait",
    "5.36 load",
    "5.36 store",
    "5.43",
    "5.46",
    "5.7 answer over another",
];

/// The same provider with storage, and steps of several managers.
fn with_storage(storage: Value, steps: Value) -> Value {
    json!({"provider": {"name": "x", "token_url": "https://id.example/token", "any_https_origin": true,
                        "grants": ["refresh_token"], "authentication": "none"},
           "credentials": {"client_id": "id"}, "wall": 1000, "storage": storage, "steps": steps})
}

#[test]
fn a_token_is_stored_before_it_is_used() {
    let token = json!({"access_token": "a1", "refresh_token": "R1", "expires_in": 3600});
    check(with_storage(
        json!({"kind": "own", "slots": 2}),
        json!([
            {"at": 0, "do": "poll", "expect": {"next": "load", "usable": false, "poll_at": null}},
            {"at": 0, "do": "loaded", "expect": {"found": "empty"}},
            {"at": 0, "do": "poll", "expect": {"next": "supply", "reason": "no_token"}},
            {"at": 0, "do": "supplied", "token": token, "expect": {"generation": 1}},
            {"at": 0, "do": "poll", "expect": {"next": "store", "slot": 0, "usable": false}},
            {"at": 0, "do": "stored", "expect": {"error": "not_due"}},
            {"at": 0, "do": "write"},
            {"at": 5, "do": "store_failed"},
            // The attempt has failed: usable, and 300 s at most until the next.
            {"at": 5, "do": "poll", "expect": {"next": "nothing", "usable": true, "poll_at": 300_005}},
            {"at": 300_005, "do": "poll", "expect": {"next": "store", "slot": 0, "usable": true}},
            {"at": 300_005, "do": "write"},
            {"at": 300_005, "do": "stored"},
            {"at": 300_005, "do": "poll", "expect": {"next": "nothing", "usable": true, "poll_at": 2_880_000}},
            // A refresh needs no announcement where no other process is.
            {"at": 2_880_000, "do": "begin"},
            {"at": 2_880_000, "do": "answer", "status": 200, "body": pair("a2", "R2", 3600)},
            {"at": 2_880_000, "do": "poll", "expect": {"next": "store", "slot": 1, "usable": false}},
            {"at": 2_880_000, "do": "write", "torn": 20},
            {"at": 2_880_000, "do": "make", "manager": "a", "wall": 3880},
            {"at": 2_880_000, "do": "poll"},
            {"at": 2_880_000, "do": "loaded", "expect": {"found": "taken"}},
            {"at": 2_880_000, "do": "poll", "expect": {"next": "request", "grant": "refresh_token", "usable": true}},
            {"at": 2_880_000, "do": "begin",
             "expect": {"body": "grant_type=refresh_token&refresh_token=R1&client_id=id"}}
        ]),
    ));
}

#[test]
fn one_of_two_processes_refreshes_and_the_other_waits() {
    let token = json!({"access_token": "a1", "refresh_token": "R1", "expires_in": 3600});
    check(with_storage(
        json!({"kind": "shared"}),
        json!([
            {"at": 0, "do": "make", "manager": "b", "wall": 1000},
            {"at": 0, "do": "poll"},
            {"at": 0, "do": "loaded", "expect": {"found": "empty"}},
            {"at": 0, "do": "install", "token": token},
            {"at": 0, "do": "poll", "expect": {"next": "load"}},
            {"at": 0, "do": "loaded", "expect": {"found": "kept"}},
            {"at": 0, "do": "poll", "expect": {"next": "store", "slot": 0}},
            {"at": 0, "do": "write"},
            {"at": 0, "do": "stored"},
            {"at": 3_600_000, "do": "poll", "manager": "b", "expect": {"next": "load"}},
            // The token has expired; what b waits for begins when a's announcement is stored.
            {"at": 3_600_000, "do": "poll", "expect": {"next": "load", "usable": false}},
            {"at": 3_600_000, "do": "loaded", "expect": {"found": "known"}},
            {"at": 3_600_000, "do": "poll", "expect": {"next": "store", "slot": 0}},
            {"at": 3_600_000, "do": "write"},
            {"at": 3_600_000, "do": "stored"},
            {"at": 3_600_000, "do": "poll", "expect": {"next": "request", "grant": "refresh_token", "poll_at": 3_607_501}},
            {"at": 3_600_000, "do": "loaded", "manager": "b", "expect": {"found": "taken"}},
            // 250 ms later it looks again.
            {"at": 3_600_000, "do": "poll", "manager": "b", "expect": {"next": "wait", "usable": false, "poll_at": 3_600_250}},
            {"at": 3_600_000, "do": "begin"},
            {"at": 3_600_100, "do": "answer", "status": 200, "body": pair("a2", "R2", 3600)},
            {"at": 3_600_100, "do": "poll", "expect": {"next": "load", "usable": false}},
            {"at": 3_600_100, "do": "loaded", "expect": {"found": "known"}},
            {"at": 3_600_100, "do": "poll", "expect": {"next": "store"}},
            {"at": 3_600_100, "do": "write"},
            {"at": 3_600_100, "do": "stored", "expect": {}},
            {"at": 3_600_250, "do": "poll", "manager": "b", "expect": {"next": "load"}},
            {"at": 3_600_250, "do": "loaded", "manager": "b", "expect": {"found": "taken"}},
            {"at": 3_600_250, "do": "authorize", "manager": "b", "method": "GET", "url": "https://api.example/",
             "expect": {"header": "Bearer a2"}},
            {"at": 3_600_300, "do": "clear"},
            {"at": 3_600_300, "do": "poll", "expect": {"next": "load"}},
            {"at": 3_600_300, "do": "loaded", "expect": {"found": "kept"}},
            {"at": 3_600_300, "do": "poll", "expect": {"next": "store"}},
            {"at": 3_600_300, "do": "write"},
            {"at": 3_600_300, "do": "stored"},
            {"at": 3_600_300, "do": "reload", "manager": "b"},
            {"at": 3_600_300, "do": "poll", "manager": "b", "expect": {"next": "load", "usable": true}},
            {"at": 3_600_300, "do": "loaded", "manager": "b", "expect": {"found": "signed_out"}},
            {"at": 3_600_300, "do": "tamper", "slot": 0, "flip": 24},
            {"at": 3_600_551, "do": "poll", "manager": "b", "expect": {"next": "load"}},
            {"at": 3_600_551, "do": "loaded", "manager": "b", "expect": {"error": "other_snapshot_version"}},
            {"at": 3_600_551, "do": "poll", "manager": "b", "expect": {"next": "supply", "reason": "damaged"}}
        ]),
    ));
}

#[test]
fn every_scenario_file_holds_in_the_model() {
    let suite = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios");
    let mut faults = Vec::new();
    for file in crate::files(&suite).expect("the suite") {
        let scenario = crate::Scenario::read(&file).expect("a scenario").json;
        faults.extend(difference(&scenario).map(|difference| format!("{}: {difference}", file.display())));
    }
    assert_eq!(faults, [""; 0]);
}
