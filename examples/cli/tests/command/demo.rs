//! `demo`: the main job.

use serde_json::Value;

use crate::process::run;

fn events(arguments: &[&str]) -> (i32, Vec<Value>, String) {
    let output = run(arguments);
    let events = output.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    (output.status, events, output.out)
}

#[test]
fn every_expectation_of_the_demo_holds() {
    let (status, events, text) = events(&["demo", "--json"]);
    for event in events.iter().filter(|event| event["event"] == "expectation") {
        assert_eq!(event["held"], true, "{event}");
    }
    let summary = events.last().expect("a summary");
    assert_eq!(
        (summary["event"].as_str(), summary["ok"].as_bool(), status),
        (Some("summary"), Some(true), 0)
    );
    let systems: Vec<_> =
        summary["systems"].as_object().expect("systems").keys().map(String::as_str).collect();
    assert_eq!(systems, ["flip_utility", "flip_energy", "flume", "opower", "flute"]);
    let count = events.iter().filter(|event| event["event"] == "expectation").count() as u64;
    assert_eq!(summary["held"].as_u64(), Some(count));

    for kind in tokenward_demo_service::Kind::ALL {
        let credentials = tokenward_demo_service::Credentials::demo(kind);
        for secret in
            [credentials.client_secret, credentials.password, credentials.bearer].into_iter().flatten()
        {
            assert!(!text.contains(&secret), "a secret of {kind} is printed");
        }
    }
}

#[test]
fn one_system_runs_alone_at_any_speed_and_tells_a_timeline() {
    let output = run(&["demo", "opower", "--speed", "100000"]);
    assert_eq!(output.status, 0, "{}", output.out);
    for shown in ["Oracle Utilities Opower", "503: refused as http_status, Retry-After", "expectations held"]
    {
        assert!(output.out.contains(shown), "{}", output.out);
    }
    assert!(!output.out.contains('\x1b') && !output.out.contains("Flume"));
    run(&["demo", "--speed", "0"]).complains(64, "above 0");
}
