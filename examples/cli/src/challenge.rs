//! `challenge`: a `WWW-Authenticate` field, read by the core.

use std::io::Write;

use clap::Args;
use serde_json::{Map, Value, json};
use tokenward::Error;
use tokenward::wire::Challenges;

use crate::failure::{Failure, Status};
use crate::lines::{self, BAD_INPUT, Object, Refusal};
use crate::paint::{BOLD, Painted, harmless};

/// Read a WWW-Authenticate field
#[derive(Debug, Args)]
#[command(after_help = "With --lines: {\"value\": the field, or an array of its lines} in,\n\
    {\"challenges\":[{\"scheme\":…,\"params\":{…},\"token68\":…}]} or {\"reject\":…} out.")]
pub(crate) struct Challenge {
    /// The field's value; several lines of it are several arguments
    #[arg(required_unless_present = "lines", value_name = "FIELD", allow_hyphen_values = true)]
    fields: Vec<String>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Read one JSON object a line, print one a line
    #[arg(long, conflicts_with_all = ["fields", "json"])]
    lines: bool,
}

impl Challenge {
    pub(crate) fn run(&self) -> Result<Status, Failure> {
        if self.lines {
            return lines::run(answer, lines::reject);
        }
        let field = self.fields.join(", ");
        let read = read(&field);
        let mut out = anstream::stdout().lock();
        if self.json {
            let (value, status) = match read {
                Ok(value) => (value, Status::Ok),
                Err(error) => (lines::reject(error.name()), Status::Refused),
            };
            writeln!(out, "{value}")?;
            return Ok(status);
        }
        read.map_err(|error| {
            let what = "the field is no list of challenges (RFC 9110 section 11.6.1): quote its values";
            Failure::new(Status::Refused, format!("{}: {what}", error.name()))
        })?;
        let Ok(challenges) = Challenges::parse(field.as_bytes()) else { return Ok(Status::Refused) };
        for challenge in challenges {
            writeln!(out, "{}", Painted(BOLD, text(challenge.scheme())))?;
            if let Some(token68) = challenge.token68() {
                writeln!(out, "  {}", text(token68))?;
            }
            for (name, value) in challenge.params() {
                let value: Vec<u8> = value.bytes().collect();
                writeln!(out, "  {} = {}", text(name), harmless(&text(&value)))?;
            }
        }
        Ok(Status::Ok)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn answer(input: &Object) -> Result<Value, Refusal> {
    let joined;
    let field = match input.get("value") {
        Some(Value::String(field)) => field,
        Some(Value::Array(field_lines)) => {
            let strings = field_lines.iter().map(Value::as_str).collect::<Option<Vec<_>>>();
            joined = strings.ok_or(BAD_INPUT)?.join(", ");
            &joined
        }
        _ => return Err(BAD_INPUT),
    };
    read(field).map_err(Error::name)
}

/// Schemes and names in lower case: they compare so.
fn read(field: &str) -> Result<Value, Error> {
    let lower = |name: &[u8]| text(name).to_ascii_lowercase();
    let challenges: Vec<_> = Challenges::parse(field.as_bytes())?
        .map(|challenge| {
            let param = |(name, value): (&[u8], tokenward::wire::ParamValue<'_>)| {
                let value: Vec<u8> = value.bytes().collect();
                (lower(name), json!(text(&value)))
            };
            let params: Map<_, _> = challenge.params().map(param).collect();
            let token68 = challenge.token68().map(text);
            json!({ "scheme": lower(challenge.scheme()), "params": params, "token68": token68 })
        })
        .collect();
    Ok(json!({ "challenges": challenges }))
}
