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

/// The bytes that hexadecimal digits stand for.
///
/// # Errors
/// A sentence, if they are none or do not come in pairs.
pub fn bytes_of_hex(hex: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let bytes =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect::<Option<Vec<_>>>();
    bytes.filter(|_| rest.is_empty()).ok_or_else(|| "hexadecimal digits come in pairs".to_owned())
}
