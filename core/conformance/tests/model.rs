//! Random scenarios: what the core does is what a naive model, written from the text alone, says.

use tokenward_conformance::Scenario;

#[test]
fn the_core_does_what_the_model_says() {
    let mut differences = 0;
    for scenario in Scenario::randoms(20_000) {
        let difference = match scenario.run() {
            Ok(run) => run.difference,
            Err(fault) => Some(fault),
        };
        if let Some(difference) = difference {
            println!("{}: {difference}", scenario.name);
            scenario.keep().expect("a file");
            differences += 1;
        }
    }
    assert_eq!(differences, 0);
}
