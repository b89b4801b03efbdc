//! `jwt`: the claims of a JWT that say something about its life. No signature is checked.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;
use serde_json::{Value, json};
use tokenward::wire::{Claims, jwt_claims};
use tokenward::{Error, UnixTime};

use crate::clock::{rfc3339, wall};
use crate::failure::{Failure, Status};
use crate::lines::{self, Object, Refusal, required, text};
use crate::paint::{harmless, span};

/// Read the claims of a JWT; its signature is not checked
#[derive(Debug, Args)]
#[command(after_help = "With --lines: {\"value\":…} in,\n\
    {\"claims\":{\"exp\":…,\"iat\":…,\"nbf\":…,\"sub\":…}} or {\"reject\":…} out.")]
pub(crate) struct Jwt {
    /// The token; - reads it from standard input, where other users of the machine cannot see it
    #[arg(required_unless_present = "lines", value_name = "TOKEN", allow_hyphen_values = true)]
    token: Option<String>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Read one JSON object a line, print one a line
    #[arg(long, conflicts_with_all = ["token", "json"])]
    lines: bool,
}

impl Jwt {
    pub(crate) fn run(&self) -> Result<Status, Failure> {
        if self.lines {
            return lines::run(answer, lines::reject);
        }
        let token = match self.token.as_deref() {
            Some("-") => from_stdin()?,
            token => token.unwrap_or_default().to_owned(),
        };
        let mut scratch = vec![0; token.len()];
        let claims = jwt_claims(token.as_bytes(), &mut scratch);
        let mut out = anstream::stdout().lock();
        match (claims, self.json) {
            (Ok(claims), true) => writeln!(out, "{}", object(&claims))?,
            (Ok(claims), false) => show(&claims, &mut out)?,
            (Err(error), true) => {
                writeln!(out, "{}", lines::reject(error.name()))?;
                return Ok(Status::Refused);
            }
            (Err(error), false) => {
                let what = match error {
                    Error::InvalidJwt => "three base64url parts with two dots between are a JWT",
                    Error::InvalidClaim => "exp, iat and nbf are numbers, sub is a string",
                    Error::DuplicateMember => "a claim stands twice",
                    _ => "the payload is no JSON object",
                };
                return Err(Failure::new(Status::Refused, format!("{}: {what}", error.name())));
            }
        }
        Ok(Status::Ok)
    }
}

fn from_stdin() -> Result<String, Failure> {
    let mut line = String::new();
    if std::io::stdin().is_terminal() {
        crate::cli::complain("reading the token from standard input");
    }
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::usage(format!("cannot read the token: {error}")))?;
    line.truncate(line.trim_end().len());
    Ok(line)
}

fn show(claims: &Claims<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let now = wall();
    for (name, time) in [("exp", claims.exp), ("iat", claims.iat), ("nbf", claims.nbf)] {
        let shown = time.map_or("-".to_owned(), |time| {
            format!("{}  {}{}", time.as_secs(), rfc3339(time), distance(time, now))
        });
        writeln!(out, "{name}  {shown}")?;
    }
    let subject =
        claims.sub.map(|sub| String::from_utf8_lossy(&sub.bytes().collect::<Vec<_>>()).into_owned());
    writeln!(out, "sub  {}", subject.map_or("-".to_owned(), |sub| harmless(&sub)))
}

fn distance(time: UnixTime, now: Option<UnixTime>) -> String {
    match now {
        None => String::new(),
        Some(now) if now < time => format!("  (in {})", span(time.saturating_secs_since(now))),
        Some(now) => format!("  ({} ago)", span(now.saturating_secs_since(time))),
    }
}

fn answer(input: &Object) -> Result<Value, Refusal> {
    let token = required(text(input, "value")?)?;
    let mut scratch = vec![0; token.len()];
    jwt_claims(token.as_bytes(), &mut scratch).map(|claims| object(&claims)).map_err(Error::name)
}

fn object(claims: &Claims<'_>) -> Value {
    let time = |time: Option<UnixTime>| time.map(UnixTime::as_secs);
    let subject =
        claims.sub.map(|sub| String::from_utf8_lossy(&sub.bytes().collect::<Vec<_>>()).into_owned());
    json!({ "claims": {
        "exp": time(claims.exp), "iat": time(claims.iat), "nbf": time(claims.nbf), "sub": subject,
    } })
}
