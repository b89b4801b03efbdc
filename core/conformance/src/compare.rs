//! Compares what came of a step with what the scenario expects of it.

use serde_json::{Map, Value, json};

use crate::members::{integer, required, text};

type Members = Map<String, Value>;

/// The first difference between what a scenario expects and a driver's answer to it: an array with what came of each
/// step.
///
/// # Errors
/// A sentence, where the scenario or the answer is none.
pub fn difference(scenario: &Value, answer: &str) -> Result<Option<String>, String> {
    let results: Vec<Members> =
        serde_json::from_str(answer).map_err(|fault| format!("no answer of a driver: {fault}"))?;
    let steps: &[Value] = scenario["steps"].as_array().map_or(&[], Vec::as_slice);
    for (index, (step, actual)) in steps.iter().zip(&results).enumerate() {
        let step = step.as_object().ok_or("a step is an object")?;
        if let Some(difference) = step_difference(index, step, actual)? {
            return Ok(Some(difference));
        }
    }
    let (given, wanted) = (results.len(), steps.len());
    Ok((given != wanted).then(|| format!("{given} of {wanted} steps were answered")))
}

/// The first difference of one step, in one line.
pub(crate) fn step_difference(
    index: usize,
    step: &Members,
    actual: &Members,
) -> Result<Option<String>, String> {
    let nothing = Map::new();
    let expect = match step.get("expect") {
        None => &nothing,
        Some(expect) => expect.as_object().ok_or("`expect` is an object")?,
    };
    let Some(fault) = first_difference(expect, actual) else { return Ok(None) };
    let (action, at) = (required(step, "do", text)?, required(step, "at", integer)?);
    Ok(Some(format!("step {index} ({action} at {at}): {fault}")))
}

/// The first member of `expect` that `actual` has not, in one line.
fn first_difference(expect: &Members, actual: &Members) -> Option<String> {
    if let Some(refused) = actual.get("error") {
        match expect.get("error") {
            Some(Value::Bool(true)) => {}
            Some(expected) if expected == refused => {}
            expected => {
                return Some(format!(
                    "refused as {refused}, expected {}",
                    expected.unwrap_or(&json!("success"))
                ));
            }
        }
    } else if let Some(expected) = expect.get("error") {
        return Some(format!("succeeded, expected the refusal {expected}"));
    }
    expect.iter().filter(|(name, _)| *name != "error").find_map(|(name, expected)| {
        let found = actual.get(name).unwrap_or(&Value::Null);
        let same = match name.as_str() {
            "headers" => has_headers(found, expected),
            "body" => same_body(found, expected),
            _ => same_value(found, expected),
        };
        (!same).then(|| format!("{name} is {found}, expected {expected}"))
    })
}

/// Integers beyond 2⁵³ stand as strings in a scenario.
fn same_value(found: &Value, expected: &Value) -> bool {
    found == expected
        || match (found, expected) {
            (Value::Number(number), Value::String(text)) => number.to_string() == *text,
            _ => false,
        }
}

fn has_headers(found: &Value, expected: &Value) -> bool {
    let pairs = |value: &Value| -> Vec<(String, String)> {
        let pair = |pair: &Value| {
            Some((pair.get(0)?.as_str()?.to_ascii_lowercase(), pair.get(1)?.as_str()?.to_owned()))
        };
        value.as_array().into_iter().flatten().filter_map(pair).collect()
    };
    let found = pairs(found);
    let wanted = pairs(expected);
    expected.as_array().is_some_and(|list| list.len() == wanted.len())
        && wanted.iter().all(|pair| found.contains(pair))
}

fn same_body(found: &Value, expected: &Value) -> bool {
    let parsed = |value: &Value| match value {
        Value::String(text) => serde_json::from_str::<Value>(text).ok(),
        other => Some(other.clone()),
    };
    found == expected || matches!((parsed(found), parsed(expected)), (Some(a), Some(b)) if a == b)
}
