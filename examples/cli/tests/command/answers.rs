//! Bodies that existing clients read differently, each with the verdict of the core's behaviour.

use serde_json::{Value, json};

use crate::process::lines;

#[test]
fn every_body_that_existing_clients_disagree_about_has_one_verdict() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../../core/tests/data/token_response_cases.json"))
            .expect("JSON");
    assert_eq!(cases.len(), 61);
    let input: Vec<_> =
        cases.iter().map(|case| json!({ "status": case["status"], "body": case["body"] })).collect();
    for (case, answer) in cases.iter().zip(lines("inspect", &input)) {
        assert_eq!(answer, case["expect"], "{}", case["name"]);
    }
}
