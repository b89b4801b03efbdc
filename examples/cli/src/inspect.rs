//! `inspect`: one answer of a token endpoint, and what the core says it is.

use std::fs;
use std::io::{self, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use bumpalo::Bump;
use clap::Args;
use serde_json::{Value, json};
use tokenward::wire::jwt_claims;
use tokenward::{Error, ErrorCode, JsonStr, Provider, TokenAnswer, TokenResponse, token_answer};
use tokenward_conformance::description;

use crate::clock::{rfc3339, wall};
use crate::failure::{Failure, Status};
use crate::lines::{self, BAD_INPUT, Object, Refusal, number, text};
use crate::paint::{BAD, BOLD, DIM, GOOD, NOTE, Painted, harmless, redacted, span};
use crate::presets;
use crate::which::{Reader, any_reader};

/// Read one token endpoint answer and say what it is
#[derive(Debug, Args)]
#[command(after_help = "With --lines: {\"status\":…,\"body\":… or \"body_b64\":…,\"provider\":…} in;\n\
    {\"outcome\":\"token\",…}, {\"outcome\":\"error\",…} or {\"outcome\":\"reject\",\"reason\":…,\"offset\":…} out.\n\
    --json and --lines print the tokens themselves.")]
pub(crate) struct Inspect {
    /// The body; - is standard input
    #[arg(default_value = "-")]
    file: String,

    /// The answer's HTTP status
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(100..=599))]
    status: u16,

    #[command(flatten)]
    reader: Reader,

    /// Print one JSON object, tokens included
    #[arg(long)]
    json: bool,

    /// Read one JSON object a line, print one a line, tokens included
    #[arg(long, conflicts_with_all = ["file", "status", "json", "show_secrets", "provider", "provider_file"])]
    lines: bool,

    /// Print the tokens
    #[arg(long)]
    show_secrets: bool,
}

impl Inspect {
    pub(crate) fn run(&self) -> Result<Status, Failure> {
        if self.lines {
            return lines::run(answer, |reason| json!({ "outcome": "reject", "reason": reason }));
        }
        let arena = Bump::new();
        let provider = self.reader.choose(&arena)?;
        let mut body = self.body()?;
        let read = token_answer(self.status, &body, &provider);
        let status = match &read {
            Ok(TokenAnswer::Token(_)) => Status::Ok,
            Ok(TokenAnswer::Error(_)) => Status::Error,
            Err(_) => Status::Refused,
        };
        let mut out = anstream::stdout().lock();
        if self.json {
            writeln!(out, "{}", object(&read))?;
        } else {
            if self.show_secrets {
                crate::cli::complain("warning: secrets follow on standard output");
            }
            self.show(&read, &provider, body.len(), &mut out)?;
        }
        tokenward::wipe(&mut body);
        Ok(status)
    }

    fn body(&self) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        let read = if self.file == "-" {
            io::stdin().lock().read_to_end(&mut body).map(|_| body)
        } else {
            fs::read(&self.file)
        };
        read.map_err(|error| {
            Failure::usage(format!("cannot read {}: {error}; give a readable file or -", self.file))
        })
    }

    fn show(
        &self,
        read: &Result<TokenAnswer<'_>, Error>,
        provider: &Provider<'_>,
        len: usize,
        out: &mut impl Write,
    ) -> io::Result<()> {
        match read {
            Ok(TokenAnswer::Token(token)) => self.show_token(token, out),
            Ok(TokenAnswer::Error(response)) => {
                let code = plain(response.error());
                writeln!(out, "{}  {}", Painted(NOTE, "error"), Painted(BOLD, &code))?;
                let standard = response.code().name();
                if response.code() != ErrorCode::Other && standard != code {
                    writeln!(out, "  means        {standard}, by the provider's own table")?;
                }
                for (name, value) in
                    [("description", response.error_description()), ("uri", response.error_uri())]
                {
                    if let Some(value) = value {
                        writeln!(out, "  {name:11}  {}", plain(value))?;
                    }
                }
                Ok(())
            }
            Err(error) => {
                writeln!(out, "{}  {}", Painted(BAD, "refused"), Painted(BOLD, error.name()))?;
                writeln!(out, "  {}", explained(*error, self.status, provider))?;
                if let Some(offset) = offset(*error) {
                    writeln!(out, "  at byte {offset} of {len}")?;
                }
                Ok(())
            }
        }
    }

    fn show_token(&self, token: &TokenResponse<'_>, out: &mut impl Write) -> io::Result<()> {
        let secret = |value: JsonStr<'_>| {
            if self.show_secrets { plain(value) } else { redacted(value.len()) }
        };
        let none = || Painted(DIM, "-").to_string();
        writeln!(out, "{}", Painted(GOOD, "token"))?;
        writeln!(out, "  access_token   {}", secret(token.access_token()))?;
        writeln!(out, "  token_type     {}", token.token_type().map_or_else(none, plain))?;
        let lifetime = match token.expires_in() {
            Some(seconds) => format!("{seconds} s  ({})", span(seconds)),
            None => none(),
        };
        writeln!(out, "  expires_in     {lifetime}")?;
        writeln!(out, "  refresh_token  {}", token.refresh_token().map_or_else(none, secret))?;
        let scope = token.scope().map(|scope| harmless(&string(scope.bytes())));
        writeln!(out, "  scope          {}", scope.unwrap_or_else(none))?;
        writeln!(out, "  id_token       {}", token.id_token().map_or_else(none, secret))?;

        let mut access_token: Vec<u8> = token.access_token().bytes().collect();
        let mut scratch = vec![0; access_token.len()];
        if let Ok(claims) = jwt_claims(&access_token, &mut scratch) {
            let end = claims.exp.map(|exp| {
                let left = wall().map(|wall| exp.saturating_secs_since(wall));
                let left = left.map_or(String::new(), |left| format!(", in {}", span(left)));
                format!(", its exp is {}{left}", rfc3339(exp))
            });
            writeln!(out, "  the access token is a JWT{}", end.unwrap_or_default())?;
        }
        tokenward::wipe(&mut access_token);
        tokenward::wipe(&mut scratch);
        Ok(())
    }
}

/// What a refusal means to whoever runs the service or the client.
fn explained(error: Error, status: u16, provider: &Provider<'_>) -> String {
    match (error, provider.nested.member_path) {
        (Error::InvalidAccessToken, Some(path)) => format!("no access token that can be sent, at {path}"),
        (Error::NoErrorCode, _) => format!("an answer of status {status} without an error code"),
        (other, _) => other.sentence().to_owned(),
    }
}

fn answer(input: &Object) -> Result<Value, Refusal> {
    let arena = Bump::new();
    let provider = match input.get("provider") {
        None | Some(Value::Null) => any_reader(),
        Some(Value::String(name)) => *presets::by_name(name).ok_or(BAD_INPUT)?.reader(),
        Some(Value::Object(object)) => description::unchecked(object, &arena).map_err(|_| BAD_INPUT)?,
        Some(_) => return Err(BAD_INPUT),
    };
    let status = number(input, "status")?.unwrap_or(200);
    let status = u16::try_from(status).map_err(|_| BAD_INPUT)?;
    number(input, "wall")?;
    let decoded;
    let body = match (text(input, "body")?, text(input, "body_b64")?) {
        (Some(body), None) => body.as_bytes(),
        (None, Some(encoded)) => {
            decoded = base64(encoded).ok_or(BAD_INPUT)?;
            &decoded
        }
        _ => return Err(BAD_INPUT),
    };
    Ok(object(&token_answer(status, body, &provider)))
}

/// Base64 in either alphabet, with its padding or without.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|alphabet| alphabet.decode(text).ok())
}

fn object(read: &Result<TokenAnswer<'_>, Error>) -> Value {
    let member = |value: Option<JsonStr<'_>>| value.map(|value| string(value.bytes()));
    match read {
        Ok(TokenAnswer::Token(token)) => json!({
            "outcome": "token",
            "access_token": string(token.access_token().bytes()),
            "token_type": member(token.token_type()),
            "expires_in": token.expires_in(),
            "refresh_token": member(token.refresh_token()),
            "scope": token.scope().map(|scope| string(scope.bytes())),
            "id_token": member(token.id_token()),
        }),
        Ok(TokenAnswer::Error(response)) => json!({
            "outcome": "error",
            "error": string(response.error().bytes()),
            "error_description": member(response.error_description()),
            "error_uri": member(response.error_uri()),
        }),
        Err(error) => match offset(*error) {
            Some(offset) => json!({ "outcome": "reject", "reason": error.name(), "offset": offset }),
            None => json!({ "outcome": "reject", "reason": error.name() }),
        },
    }
}

const fn offset(error: Error) -> Option<usize> {
    match error {
        Error::Truncated { offset } | Error::Malformed { offset } | Error::TooDeep { offset } => Some(offset),
        _ => None,
    }
}

fn string(bytes: impl Iterator<Item = u8>) -> String {
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}

/// A server's text, for a terminal.
fn plain(value: JsonStr<'_>) -> String {
    harmless(&string(value.bytes()))
}
