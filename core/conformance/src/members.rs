//! Members of JSON objects as scenarios spell them: `null` counts as absent, integers beyond 2⁵³ stand as strings.

use serde_json::{Map, Value};

pub(crate) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{value} is no string"))
}

/// A whole number, or a string of one beyond 2⁵³.
pub(crate) fn integer(value: &Value) -> Result<u64, String> {
    let number = match value {
        Value::String(digits) => digits.parse().ok(),
        other => other.as_u64(),
    };
    number.ok_or_else(|| format!("{value} is no whole number"))
}

pub(crate) fn optional<'v, T>(
    object: &'v Map<String, Value>,
    name: &str,
    read: impl Fn(&'v Value) -> Result<T, String>,
) -> Result<Option<T>, String> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(value).map(Some).map_err(|fault| format!("`{name}`: {fault}")),
    }
}

pub(crate) fn required<'v, T>(
    object: &'v Map<String, Value>,
    name: &str,
    read: impl Fn(&'v Value) -> Result<T, String>,
) -> Result<T, String> {
    optional(object, name, read)?.ok_or_else(|| format!("`{name}` is missing"))
}

pub(crate) fn list<'v>(object: &'v Map<String, Value>, name: &str) -> Result<&'v [Value], String> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(value) => value.as_array().map(Vec::as_slice).ok_or_else(|| format!("`{name}` is no list")),
    }
}

/// A name and its value: a list of two texts.
pub(crate) fn pair(value: &Value) -> Result<(&str, &str), String> {
    match value.as_array().map(Vec::as_slice) {
        Some([name, value]) => Ok((text(name)?, text(value)?)),
        _ => Err(format!("{value} is no pair")),
    }
}
