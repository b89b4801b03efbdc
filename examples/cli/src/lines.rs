//! `--lines`: one JSON object a line in, one a line out, in order, never stopping at a refused line.

use std::io::{self, BufRead, BufReader, BufWriter, Write};

use serde_json::{Map, Value, json};

use crate::failure::{Failure, Status};

/// An input object's members, and why a line was refused: one word.
pub(crate) type Object = Map<String, Value>;
pub(crate) type Refusal = &'static str;

/// Said of a line that is no JSON object, or whose members are not of the documented kind.
pub(crate) const BAD_INPUT: Refusal = "bad_input";

/// The answer to a refused line, for every command but `inspect`.
pub(crate) fn reject(reason: Refusal) -> Value {
    json!({ "reject": reason })
}

/// Answers each line of standard input by `answer`, or by `refused`.
pub(crate) fn run(
    mut answer: impl FnMut(&Object) -> Result<Value, Refusal>,
    refused: impl Fn(Refusal) -> Value,
) -> Result<Status, Failure> {
    let mut input = BufReader::with_capacity(1 << 16, io::stdin().lock());
    let mut output = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut line = Vec::new();
    loop {
        // Whoever waits for an answer before the next line gets it; a file is not slowed down.
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        let read = read.map_err(|error| Failure::unavailable(format!("cannot read standard input: {error}")));
        if read? == 0 {
            output.flush()?;
            return Ok(Status::Ok);
        }
        let object = serde_json::from_slice::<Object>(&line).map_err(|_| BAD_INPUT);
        let answer = object.and_then(|object| answer(&object)).unwrap_or_else(&refused);
        serde_json::to_writer(&mut output, &answer).map_err(io::Error::from)?;
        output.write_all(b"\n")?;
    }
}

/// A member that is a string; absent and `null` are none.
pub(crate) fn text<'a>(object: &'a Object, name: &str) -> Result<Option<&'a str>, Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(BAD_INPUT),
    }
}

/// A member that is a whole number; absent and `null` are none.
pub(crate) fn number(object: &Object, name: &str) -> Result<Option<u64>, Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or(BAD_INPUT),
    }
}

/// A member that every line must have.
pub(crate) fn required<T>(member: Option<T>) -> Result<T, Refusal> {
    member.ok_or(BAD_INPUT)
}
