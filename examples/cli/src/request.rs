//! `request`: the request that would be sent, written by the core and sent by nobody.

use std::io::Write;

use bumpalo::Bump;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokenward::parts::SignatureAlgorithm;
use tokenward::{
    Additions, Assertion, Credentials, Error, Grant, Identity, Provider, TokenRequest, UnixTime,
};
use tokenward_conformance::{bytes_of_hex, description};

use crate::credentials::{Ask, Sources, pair};
use crate::failure::{Failure, Status};
use crate::lines::{self, BAD_INPUT, Object, Refusal, number, required, text};
use crate::which::Which;

/// Print the request that would be sent, without sending it
#[derive(Debug, Args)]
#[command(after_help = "With --lines: {\"grant\":…,\"authentication\":…,\"encoding\":…,\"client_id\":…,\
    \"client_secret\":…,\"params\":{…},\"issuer\":…,\"assertion\":{\"random_hex\":…,\"wall\":…,\"key_id\":…}} in,\n{\"headers\":[[…]],\"body\":…} or {\"reject\":…} out, secrets included.")]
pub(crate) struct Request {
    #[command(flatten)]
    which: Option<Which>,

    /// The grant, instead of the provider's primary one
    #[arg(long, value_enum)]
    grant: Option<GrantName>,

    /// A further parameter; may be given again
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    params: Vec<(String, String)>,

    /// Print one JSON object instead of a curl command
    #[arg(long)]
    json: bool,

    /// Print the secrets
    #[arg(long)]
    show_secrets: bool,

    /// Read one JSON object a line, print one a line, secrets included
    #[arg(long, exclusive = true)]
    lines: bool,

    #[command(flatten)]
    sources: Sources,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum GrantName {
    ClientCredentials,
    Password,
    RefreshToken,
    SiteToken,
}

impl From<GrantName> for Grant {
    fn from(name: GrantName) -> Self {
        match name {
            GrantName::ClientCredentials => Self::ClientCredentials,
            GrantName::Password => Self::Password,
            GrantName::RefreshToken => Self::RefreshToken,
            GrantName::SiteToken => Self::SiteToken,
        }
    }
}

/// What stands for a secret in a request that is shown.
const HIDDEN: &str = "[redacted]";

impl Request {
    pub(crate) fn run(&self) -> Result<Status, Failure> {
        if self.lines {
            return lines::run(answer, lines::reject);
        }
        let which =
            self.which.as_ref().ok_or_else(|| Failure::usage("which PROVIDER? see `tokenward providers`"))?;
        let arena = Bump::new();
        let (provider, identity) = which.choose(&arena)?;
        let none =
            || Failure::usage(format!("{} has no grant: its token is installed as it is", provider.name));
        let grant = self.grant.map(Grant::from).or(provider.primary_grant).ok_or_else(none)?;
        let presented = self.sources.read(&provider, Ask::Never)?;
        let given = presented.credentials();
        let signed = presented.sign(|credentials, out| {
            TokenRequest::new(&provider, identity, grant, credentials).signing_input(out)
        })?;
        let mut assertion = signed.assertion();
        if !self.show_secrets && assertion.signature.is_none() {
            // As the other secrets, it need not be given to see the request's form.
            (assertion.algorithm, assertion.signature) =
                (Some(SignatureAlgorithm::EDDSA), Some(&[0; 64][..]));
        }
        let shown = if self.show_secrets { given } else { hidden(given) };
        let credentials = Credentials { assertion: Some(&assertion), ..shown };
        let refresh_token = if grant == Grant::RefreshToken { HIDDEN } else { "" };
        let extra: Vec<_> = self.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut values = presented.values();
        for (name, value) in &mut values {
            if !self.show_secrets && !self.sources.is_told(name) {
                *value = HIDDEN;
            }
        }
        let additions = Additions { values: &values, parameters: &extra };
        let mut out = vec![0; 1 << 16];
        let written = TokenRequest::new(&provider, identity, grant, &credentials)
            .with_refresh_token(refresh_token)
            .with_additions(&additions)
            .write(&mut out);
        let request = written.map_err(|error| refused(error, &provider))?;
        if self.show_secrets {
            crate::cli::complain("warning: secrets follow on standard output");
        }
        let shown = Shown::of(&request, self.show_secrets);
        let mut stdout = anstream::stdout().lock();
        if self.json {
            writeln!(stdout, "{}", shown.object())?;
        } else {
            writeln!(stdout, "{}", shown.curl())?;
        }
        tokenward::wipe(&mut out);
        Ok(Status::Ok)
    }
}

fn refused(error: Error, provider: &Provider<'_>) -> Failure {
    let what = match error {
        Error::WrongCredentials => "a credential that the grant needs is missing or cannot be sent",
        Error::DuplicateParameter => "a --param is sent already",
        Error::OriginNotAllowed => {
            "the token endpoint is not https; for tests here give --allow-loopback-http"
        }
        Error::BadUrl => "the token endpoint is no absolute URL: mend --base-url",
        _ => "the request cannot be written",
    };
    Failure::new(Status::Refused, format!("{}: {}: {what}", provider.name, error.name()))
}

/// The same credentials with placeholders: what is missing need not be given to see the request's form.
fn hidden(given: Credentials<'_>) -> Credentials<'_> {
    let or = |id, placeholder| if str::is_empty(id) { placeholder } else { id };
    Credentials {
        client_id: or(given.client_id, "CLIENT_ID"),
        client_secret: HIDDEN,
        username: or(given.username, "USERNAME"),
        password: HIDDEN,
        bearer: HIDDEN,
        assertion: None,
    }
}

/// A request as it is shown: method, URL, fields and body.
struct Shown<'a> {
    method: &'a str,
    url: &'a str,
    headers: Vec<(&'a str, String)>,
    body: String,
}

impl<'a> Shown<'a> {
    fn of(request: &tokenward::Request<'a>, secrets: bool) -> Self {
        let headers = request.headers().map(|(name, value)| {
            // Basic hides its placeholder behind base64: say it plainly.
            let basic = !secrets && name == "Authorization" && value.starts_with("Basic ");
            (name, if basic { format!("Basic {HIDDEN}") } else { value.to_owned() })
        });
        let mut body = String::from_utf8_lossy(request.body()).replace("%5Bredacted%5D", HIDDEN);
        if !secrets {
            // Whoever has an assertion is the client for a minute.
            for before in ["client_assertion=", "\"client_assertion\":\""] {
                if let Some((head, tail)) = body.split_once(before) {
                    let rest =
                        tail.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_.".contains(c));
                    body = format!("{head}{before}{HIDDEN}{rest}");
                }
            }
        }
        Self { method: request.method(), url: request.url(), headers: headers.collect(), body }
    }

    fn object(&self) -> Value {
        json!({ "method": self.method, "url": self.url, "headers": self.headers, "body": self.body })
    }

    /// A command that sends the same bytes.
    fn curl(&self) -> String {
        let mut parts = vec![format!("curl --request {} {}", self.method, quoted(self.url))];
        parts.extend(
            self.headers
                .iter()
                .map(|(name, value)| format!("--header {}", quoted(&format!("{name}: {value}")))),
        );
        if !self.body.is_empty() {
            parts.push(format!("--data-binary {}", quoted(&self.body)));
        }
        parts.join(" \\\n  ")
    }
}

/// One word for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What an assertion is made of.
fn assertion(given: &Object) -> Result<Assertion<'_>, Refusal> {
    let random = bytes_of_hex(required(text(given, "random_hex")?)?).ok();
    let random = random.and_then(|random| random.try_into().ok()).ok_or(BAD_INPUT)?;
    let wall = UnixTime::from_secs(number(given, "wall")?.unwrap_or_default());
    Ok(Assertion { random, wall, key_id: text(given, "key_id")?, ..Assertion::default() })
}

fn answer(input: &Object) -> Result<Value, Refusal> {
    let grant = description::grant(required(text(input, "grant")?)?).ok_or(BAD_INPUT)?;
    let (body, basic) = match text(input, "encoding")? {
        None | Some("form" | "rfc6749_form") => ("form", "basic"),
        Some("json") => ("json", "basic"),
        Some("raw") => ("form", "basic_raw"),
        Some(_) => return Err(BAD_INPUT),
    };
    let authentication = match text(input, "authentication")? {
        None | Some("basic") => basic,
        Some(other) => other,
    };
    let assertion = match input.get("assertion") {
        None | Some(Value::Null) => None,
        Some(Value::Object(given)) => Some(assertion(given)?),
        Some(_) => return Err(BAD_INPUT),
    };
    let mut credentials = Credentials {
        client_id: text(input, "client_id")?.unwrap_or_default(),
        client_secret: text(input, "client_secret")?.unwrap_or_default(),
        assertion: assertion.as_ref(),
        ..Credentials::default()
    };
    let (mut refresh_token, mut scope, mut extra) = ("", "", Vec::new());
    let params = match input.get("params") {
        None | Some(Value::Null) => None,
        Some(Value::Object(params)) => Some(params),
        Some(_) => return Err(BAD_INPUT),
    };
    for (name, value) in params.into_iter().flatten() {
        let value = value.as_str().ok_or(BAD_INPUT)?;
        match name.as_str() {
            "username" => credentials.username = value,
            "password" => credentials.password = value,
            "bearer" => credentials.bearer = value,
            "refresh_token" => refresh_token = value,
            "scope" => scope = value,
            name => extra.push((name, value)),
        }
    }
    let described = json!({ "token_url": "https://token.invalid", "authentication": authentication,
        "body": body, "scope": scope, "issuer": text(input, "issuer")? });
    let (arena, object) = (Bump::new(), described.as_object().ok_or(BAD_INPUT)?);
    let provider = description::unchecked(object, &arena).map_err(|_| BAD_INPUT)?;
    let additions = Additions { parameters: &extra, ..Additions::default() };
    let request = TokenRequest::new(&provider, Identity::CLIENT, grant, &credentials)
        .with_refresh_token(refresh_token)
        .with_additions(&additions);
    let mut out = vec![0; 1 << 12];
    let written = match request.write(&mut out) {
        Err(Error::BufferTooSmall { needed }) => {
            out.resize(needed, 0);
            request.write(&mut out)
        }
        written => written,
    };
    let written = written.map_err(Error::name)?;
    let headers: Vec<_> = written.headers().collect();
    let answer = json!({ "headers": headers, "body": String::from_utf8_lossy(written.body()) });
    tokenward::wipe(&mut out);
    Ok(answer)
}
