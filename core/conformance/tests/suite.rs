//! The suite of scenarios, and what compares with it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tokenward_conformance::{Scenario, difference, files, replay};

#[test]
fn every_scenario_file_holds() {
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios")).expect("the suite");
    assert!(!files.is_empty());
    let mut faults = Vec::new();
    for file in files {
        let scenario = Scenario::read(&file).expect("a scenario");
        let run = scenario.run().unwrap_or_else(|fault| panic!("{}: {fault}", scenario.name));
        faults.extend(run.difference.map(|difference| format!("{}: {difference}", scenario.name)));
    }
    assert_eq!(faults, [""; 0]);
}

/// The first difference where one step expects this and came to that.
fn compared(expect: &Value, actual: &Value) -> Option<String> {
    let scenario = json!({ "steps": [{ "at": 5, "do": "poll", "expect": expect }] });
    difference(&scenario, &json!([actual]).to_string()).expect("a scenario and its answer")
}

#[test]
fn the_first_member_that_differs_is_named_with_its_step() {
    let differs = compared(&json!({ "usable": true }), &json!({ "usable": false, "next": "wait" }));
    assert_eq!(differs.as_deref(), Some("step 0 (poll at 5): usable is false, expected true"));
    assert_eq!(compared(&json!({ "usable": false }), &json!({ "usable": false, "next": "wait" })), None);
    let differs = compared(&json!({ "generation": 1 }), &json!({}));
    assert_eq!(differs.as_deref(), Some("step 0 (poll at 5): generation is null, expected 1"));
}

#[test]
fn a_refusal_is_expected_by_name_or_as_any_and_else_differs() {
    let refused = json!({ "error": "not_due", "usable": true });
    for expect in [json!({ "error": "not_due" }), json!({ "error": true, "usable": true })] {
        assert_eq!(compared(&expect, &refused), None);
    }
    for expect in [json!({}), json!({ "error": "bad_url" }), json!({ "error": true, "usable": false })] {
        assert!(compared(&expect, &refused).is_some(), "{expect}");
    }
    for expect in [json!({ "error": true }), json!({ "error": "not_due" })] {
        assert!(compared(&expect, &json!({})).is_some(), "{expect}");
    }
}

#[test]
fn an_integer_beyond_2_to_the_53_equals_its_digits() {
    for (expect, actual) in [
        (json!("18446744073709551615"), json!(u64::MAX)),
        (json!("18446744073709551615"), json!("18446744073709551615")),
        (json!(7), json!(7)),
    ] {
        assert_eq!(compared(&json!({ "poll_at": expect }), &json!({ "poll_at": actual })), None);
    }
    assert!(compared(&json!({ "poll_at": "8" }), &json!({ "poll_at": 7 })).is_some());
}

#[test]
fn headers_are_a_part_in_any_order_by_names_without_case() {
    let found = json!({ "headers": [["Accept", "application/json"], ["Authorization", "Bearer a"]] });
    for expect in [json!([]), json!([["authorization", "Bearer a"], ["ACCEPT", "application/json"]])] {
        assert_eq!(compared(&json!({ "headers": expect }), &found), None);
    }
    for expect in [json!([["Authorization", "bearer a"]]), json!([["Host", "a"]]), json!([["Accept"]])] {
        assert!(compared(&json!({ "headers": expect }), &found).is_some(), "{expect}");
    }
}

#[test]
fn bodies_that_are_both_json_compare_as_values() {
    let found = json!({ "body": r#"{"a":1,"b":"A"}"# });
    assert_eq!(compared(&json!({ "body": r#"{ "b": "\u0041", "a": 1 }"# }), &found), None);
    assert!(compared(&json!({ "body": r#"{"a":1}"# }), &found).is_some());
    assert!(compared(&json!({ "body": "a=1" }), &found).is_some());
}

#[test]
fn every_step_must_be_answered_and_no_more() {
    let scenario = json!({ "steps": [{ "at": 0, "do": "retry" }, { "at": 0, "do": "retry" }] });
    assert_eq!(difference(&scenario, "[{},{}]"), Ok(None));
    for (answer, steps) in [("[]", 0), ("[{}]", 1), ("[{},{},{}]", 3)] {
        assert_eq!(difference(&scenario, answer), Ok(Some(format!("{steps} of 2 steps were answered"))));
    }
    for answer in ["", "panicked", "{}", "[1]"] {
        assert!(difference(&scenario, answer).is_err(), "{answer}");
    }
}

#[cfg(unix)]
type Reported = Vec<(String, Option<String>)>;

/// Gives two scenarios to a driver that is a shell script; what is reported of them.
#[cfg(unix)]
fn driven(script: &str) -> (Reported, Result<(), String>) {
    let scenario = |name: &str, usable| Scenario {
        name: name.to_owned(),
        json: json!({ "steps": [{ "at": 0, "do": "poll", "expect": { "usable": usable } }] }),
    };
    let scenarios = [scenario("good", true), scenario("bad", false)];
    let mut reported = Reported::new();
    let end =
        replay(Command::new("sh").args(["-c", script]), &scenarios.each_ref(), |scenario, difference| {
            reported.push((scenario.name.clone(), difference.map(str::to_owned)))
        });
    (reported, end)
}

#[cfg(unix)]
#[test]
fn a_driver_gets_a_scenario_a_line_and_its_lines_are_compared_in_order() {
    let (reported, end) = driven(
        r#"while read -r line; do
            case $line in *'"usable":true'* | *'"usable":false'*) echo '[{"usable":true}]' ;; esac
        done"#,
    );
    let differs = "step 0 (poll at 0): usable is true, expected false";
    let expected = [("good", None), ("bad", Some(differs))];
    assert_eq!(reported, expected.map(|(name, fault)| (name.to_owned(), fault.map(str::to_owned))));
    assert_eq!(end, Ok(()));
}

#[cfg(unix)]
#[test]
fn a_driver_that_leaves_one_out_says_more_or_ends_badly_is_an_error() {
    let good = "echo '[{\"usable\":true}]'";
    for (script, reported, fault) in [
        ("exit 0".to_owned(), 0, "no answer for good (exit status: 0)"),
        (format!("{good}; exit 3"), 1, "no answer for bad (exit status: 3)"),
        (format!("{good}; echo panicked"), 1, "bad: no answer of a driver"),
        (format!("{good}; {good}; {good}"), 2, "one line too many: [{\"usable\":true}] (exit status: 0)"),
        (format!("cat >/dev/null; {good}; {good}; exit 9"), 2, "exit status: 9"),
    ] {
        let (said, end) = driven(&script);
        let end = end.expect_err(&script);
        assert!(end.starts_with(fault) && said.len() == reported, "{script}: {end}");
    }
}
