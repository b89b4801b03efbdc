//! Random scenarios: what the core does is what a naive model, written from the text alone, says.

#[path = "../../../core/tests/model/mod.rs"]
mod model;

use serde_json::Value;

/// The scenario with the model's answers as expectations, so that the driver compares them.
fn with_expectations(mut scenario: Value) -> Value {
    let answers = model::run(&scenario);
    let steps = scenario["steps"].as_array_mut().expect("steps");
    for (step, answer) in steps.iter_mut().zip(answers) {
        step["expect"] = answer;
    }
    scenario
}

#[test]
fn the_core_does_what_the_model_says() {
    let number = |name, default| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (first, count) = (number("MODEL_FIRST", 0), number("MODEL_COUNT", 20_000));
    let mut differences = 0;
    for seed in first..first + count {
        let scenario = with_expectations(model::generate::generate(seed));
        let difference = match tokenward_cli::scenario::run(&scenario) {
            Ok(run) => run.difference,
            Err(fault) => Some(fault),
        };
        if let Some(difference) = difference {
            println!("seed {seed}: {difference}");
            differences += 1;
            if let Ok(folder) = std::env::var("MODEL_KEEP") {
                let file = format!("{folder}/{seed}.json");
                std::fs::write(file, serde_json::to_string_pretty(&scenario).expect("json")).expect("a file");
            }
        }
    }
    assert_eq!(differences, 0, "of {count} scenarios");
}
