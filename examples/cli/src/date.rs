//! `date` and `retry-after`: an HTTP-date and a Retry-After field, read by the core.

use std::io::Write;

use clap::Args;
use serde_json::{Value, json};
use tokenward::wire::{http_date, retry_after};
use tokenward::{Error, UnixTime};

use crate::clock::{rfc3339, wall};
use crate::failure::{Failure, Status};
use crate::lines::{self, Object, Refusal, number, required, text};
use crate::paint::span;

/// Read an HTTP-date
#[derive(Debug, Args)]
#[command(after_help = "With --lines: {\"value\":…,\"now\":…} in, {\"unix\":…} or {\"reject\":…} out.")]
pub(crate) struct Date {
    #[command(flatten)]
    field: Field,
}

/// Read a Retry-After field
#[derive(Debug, Args)]
#[command(after_help = "With --lines: {\"value\":…,\"now\":…} in, {\"seconds\":…} or {\"reject\":…} out.")]
pub(crate) struct RetryAfter {
    #[command(flatten)]
    field: Field,
}

#[derive(Debug, Args)]
struct Field {
    /// The field's value
    #[arg(required_unless_present = "lines")]
    value: Option<String>,

    /// The time of day in Unix seconds, instead of the machine's clock
    #[arg(long, value_name = "UNIX_S")]
    now: Option<u64>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Read one JSON object a line, print one a line
    #[arg(long, conflicts_with_all = ["value", "json", "now"])]
    lines: bool,
}

impl Field {
    fn now(&self) -> Option<UnixTime> {
        self.now.map(UnixTime::from_secs).or_else(wall)
    }

    /// Reads the one value, prints it by `shown` or as an object.
    fn run(
        &self,
        member: &str,
        read: impl Fn(&[u8], Option<UnixTime>) -> Result<u64, Error>,
        shown: impl Fn(u64) -> String,
        what: &str,
    ) -> Result<Status, Failure> {
        if self.lines {
            let answer = |input: &Object| answer(input, member, &read);
            return lines::run(answer, lines::reject);
        }
        let result = read(self.value.as_deref().unwrap_or_default().as_bytes(), self.now());
        let mut out = anstream::stdout().lock();
        match (result, self.json) {
            (Ok(number), false) => writeln!(out, "{}", shown(number))?,
            (Ok(number), true) => writeln!(out, "{}", json!({ member: number }))?,
            (Err(error), true) => {
                writeln!(out, "{}", lines::reject(error.name()))?;
                return Ok(Status::Refused);
            }
            (Err(error), false) => {
                return Err(Failure::new(Status::Refused, format!("{}: {what}", error.name())));
            }
        }
        Ok(Status::Ok)
    }
}

fn answer(
    input: &Object,
    member: &str,
    read: impl Fn(&[u8], Option<UnixTime>) -> Result<u64, Error>,
) -> Result<Value, Refusal> {
    let value = required(text(input, "value")?)?;
    let now = number(input, "now")?.map(UnixTime::from_secs).or_else(wall);
    read(value.as_bytes(), now).map(|number| json!({ member: number })).map_err(Error::name)
}

impl Date {
    pub(crate) fn run(&self) -> Result<Status, Failure> {
        self.field.run(
            "unix",
            |value, now| http_date(value, now).map(UnixTime::as_secs),
            |unix| format!("{unix}  {}", rfc3339(UnixTime::from_secs(unix))),
            "write it like `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7)",
        )
    }
}

impl RetryAfter {
    pub(crate) fn run(&self) -> Result<Status, Failure> {
        let now = self.field.now();
        self.field.run(
            "seconds",
            retry_after,
            |seconds| {
                let until = now.map(|now| UnixTime::from_secs(now.as_secs().saturating_add(seconds)));
                let until = until.map(|until| format!(", until {}", rfc3339(until)));
                format!("{seconds} s  ({}{})", span(seconds), until.unwrap_or_default())
            },
            "write seconds or an HTTP-date (RFC 9110 section 10.2.3)",
        )
    }
}
