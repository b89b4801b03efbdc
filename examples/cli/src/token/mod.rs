//! `token`: a token from a real service, kept in a sealed snapshot, and handed to whoever needs it.

mod holder;
mod keep;
mod sign_in;
mod sign_out;
mod storage;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bumpalo::Bump;
use clap::Args;
use serde_json::json;
use tokenward::{Error, Identity, Next, Provider, Reason, RefreshPolicy, UnixTime};

use crate::clock;
use crate::credentials::{Sources, withhold_secrets};
use crate::failure::{Failure, Status};
use crate::paint::{BOLD, DIM, GOOD, Painted, redacted, span};
use crate::which::Which;
use holder::{Holder, Sent};
pub(crate) use storage::KEY_VARIABLE;
use storage::Storage;

/// Get a token from a service, and keep it
#[derive(Debug, Args)]
#[command(after_help = "\
Credentials: TOKENWARD_CLIENT_ID, TOKENWARD_CLIENT_SECRET, TOKENWARD_USERNAME, TOKENWARD_PASSWORD,\n\
TOKENWARD_BEARER, TOKENWARD_VALUE_NAME for {name}, or the options above, or a prompt.\n\
Snapshots are sealed under TOKENWARD_SNAPSHOT_KEY (64 hexadecimal digits or base64), else under a\n\
key in FILE.key, which you alone may read. The seal is no encryption: the tokens stand in FILE.\n\n\
For example:\n  \
tokenward token flute --environment sandbox --save flute.token\n  \
tokenward token opower --base-url https://HOST -- \\\n    \
sh -c 'curl --header \"Authorization: $TOKENWARD_AUTHORIZATION\" https://HOST/…'\
")]
pub(crate) struct Token {
    #[command(flatten)]
    which: Which,

    /// Keep the token in a sealed snapshot; the next start takes it from there
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,

    /// Ask for a new token although the kept one is fresh
    #[arg(long)]
    renew: bool,

    /// Have a person sign in where no token is kept
    #[arg(long, value_name = "HOW")]
    sign_in: Option<sign_in::Way>,

    /// Sign out: overwrite what is kept, and have the service end the token
    #[arg(long, requires = "save", conflicts_with_all = ["sign_in", "renew", "keep", "url", "command"])]
    sign_out: bool,

    /// Where the token is to be sent: checked, then the header is made
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// The method that it is to be sent with
    #[arg(long, default_value = "GET")]
    method: String,

    /// Stay, and refresh ahead until SIGINT or SIGTERM; SIGHUP reads the credentials again
    #[arg(long)]
    keep: bool,

    /// How long to wait for an answer, in seconds; else what the provider says (30)
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: Option<u64>,

    /// Print one JSON object (with --keep: one a line)
    #[arg(long)]
    json: bool,

    /// Print the header itself
    #[arg(long)]
    show_secrets: bool,

    /// Run this command with the header in TOKENWARD_AUTHORIZATION
    #[arg(last = true, value_name = "CMD", conflicts_with = "keep")]
    command: Vec<OsString>,

    #[command(flatten)]
    sources: Sources,
}

impl Token {
    pub(crate) fn run(&self) -> Result<Status, Failure> {
        let arena = Bump::new();
        let (mut provider, identity) = self.which.choose(&arena)?;
        if let Some(seconds) = self.timeout {
            let response_timeout_ms = seconds.saturating_mul(1000);
            provider.policy = Some(arena.alloc(RefreshPolicy { response_timeout_ms, ..*provider.policy() }));
        }
        let provider = &*arena.alloc(provider);
        let url = self.target(provider, &identity)?;
        let storage = self.save.as_deref().map(Storage::open).transpose()?;
        let timeout = Duration::from_millis(provider.policy().response_timeout_ms);
        let mut holder = Holder::new(provider, identity, &self.sources, storage, timeout)?;
        holder.sync()?;
        if let Some(failure) = holder.trouble.take() {
            return Err(failure);
        }
        if self.sign_out {
            let done = holder.sign_out()?;
            if self.json {
                println!("{}", json!({ "outcome": "signed_out" }));
            } else {
                println!("{done}");
            }
            return Ok(Status::Ok);
        }
        if let Some(url) = &self.url {
            // What is refused whatever the token is, is refused before anything is sent.
            match holder.manager.authorize(clock::now(), &self.method, url) {
                Ok(_) | Err(Error::NotUsable) => {}
                Err(error) => return Err(forbidden(error, &self.method, url)),
            }
        }
        if self.renew {
            holder.manager.renew();
        }
        if self.sign_in.is_some() {
            self.obtain(&mut holder)?;
        }
        if self.keep {
            return keep::run(&mut holder, self.json);
        }
        self.obtain(&mut holder)?;
        self.hand_over(&holder, url.as_deref())
    }

    /// Does what `poll` says until the token may be used, or until nothing more can be done now.
    fn obtain(&self, holder: &mut Holder<'_>) -> Result<(), Failure> {
        const STEP: Duration = Duration::from_secs(1);
        let mut last: Option<Sent> = None;
        let (mut waits, mut signed_in) = (false, false);
        loop {
            holder.sync()?;
            if let Some(Failure { status, message }) = holder.trouble.take() {
                return Err(Failure { status, message: format!("{message}; the token was not used") });
            }
            let poll = holder.poll();
            let failure = match poll.next {
                Next::Request(_) => {
                    last = holder.send()?.or(last);
                    continue;
                }
                Next::Nothing if poll.usable => return Ok(()),
                Next::Supply(..) if !poll.usable && !signed_in && self.sign_in.is_some() => {
                    if let Some(way) = self.sign_in {
                        holder.sign_in(way)?;
                    }
                    signed_in = true;
                    continue;
                }
                Next::Supply(id, _) if !holder.asks() && !poll.usable => {
                    holder.supply(Some(id))?;
                    continue;
                }
                Next::Supply(_, reason) => supply(reason, last.as_ref()),
                Next::Wait if last.is_none() && poll.usable && !self.renew => return Ok(()),
                Next::Wait if last.is_none() => {
                    if !waits {
                        crate::cli::complain("another tokenward refreshes this token: waiting for it");
                        waits = true;
                    }
                    let now = clock::now();
                    let until = poll
                        .poll_at
                        .map_or(STEP, |at| Duration::from_millis(at.saturating_millis_since(now)));
                    std::thread::sleep(until.min(STEP));
                    holder.manager.reload();
                    continue;
                }
                _ => {
                    let status = last.as_ref().map_or(Status::Unavailable, Sent::status);
                    let said = last.as_ref().map_or("no token yet".to_owned(), Sent::said);
                    let when = poll.poll_at.map(|at| {
                        let seconds = at.saturating_millis_since(clock::now()).div_ceil(1000);
                        format!("; try again in {}, or stay with --keep", span(seconds))
                    });
                    Failure::new(status, format!("{said}{}", when.unwrap_or_default()))
                }
            };
            if poll.usable {
                let why = failure.message;
                crate::cli::complain(&format!("warning: the kept token is still usable, but {why}"));
                return Ok(());
            }
            return Err(failure);
        }
    }

    /// Where the header is to go: as given, or the first of the provider's origins.
    fn target(&self, provider: &Provider<'_>, identity: &Identity<'_>) -> Result<Option<String>, Failure> {
        let origin = match provider.api_origins {
            Some(origins) => origins.first().copied(),
            None if provider.any_https_origin => None,
            None => identity.base_url.or(provider.base_url),
        };
        let origin = origin.filter(|_| provider.routes.rows.is_none()).map(|origin| format!("{origin}/"));
        let url = self.url.clone().or(origin);
        if url.is_none() && (self.show_secrets || !self.command.is_empty()) {
            return Err(Failure::usage("where is the token to be sent? give --url URL (and --method)"));
        }
        Ok(url)
    }

    /// Prints the header or runs the command with it.
    fn hand_over(&self, holder: &Holder<'_>, url: Option<&str>) -> Result<Status, Failure> {
        let mut header = Vec::new();
        if let Some(url) = url {
            let bearer = holder.manager.authorize(clock::now(), &self.method, url);
            let bearer = bearer.map_err(|error| forbidden(error, &self.method, url))?;
            header.resize(bearer.encoded_len(), 0);
            bearer.write(&mut header).map_err(|error| Failure::new(Status::Refused, error.name()))?;
        }
        let header = String::from_utf8(header).unwrap_or_default();
        if !self.command.is_empty() {
            return run_with(&self.command, &header);
        }
        self.print(holder, &header)?;
        let mut header = header.into_bytes();
        tokenward::wipe(&mut header);
        Ok(Status::Ok)
    }

    fn print(&self, holder: &Holder<'_>, header: &str) -> Result<(), Failure> {
        let shown = match header.len() {
            0 => None,
            _ if self.show_secrets => {
                crate::cli::complain("warning: secrets follow on standard output");
                Some(header.to_owned())
            }
            len => Some(format!("Bearer {}", redacted(len - "Bearer ".len()))),
        };
        let windows = holder.windows();
        let now = clock::now();
        let seconds = |at: tokenward::Instant| at.saturating_millis_since(now) / 1000;
        let wall = |at| clock::wall().map(|wall| wall.as_secs().saturating_add(seconds(at)));
        let provider = holder.provider;
        let mut out = anstream::stdout().lock();
        if self.json {
            let object = json!({
                "outcome": "token",
                "provider": provider.name,
                "environment": provider.environment,
                "generation": holder.manager.generation().0,
                "refresh_at": windows.refresh_at.and_then(wall),
                "usable_until": windows.usable_until.and_then(wall),
                "sign_in_by": holder.manager.sign_in_by().and_then(wall),
                "saved": self.save.as_ref().map(|path| path.to_string_lossy()),
                "authorization": shown,
            });
            writeln!(out, "{object}")?;
            return Ok(());
        }
        let until = |at| {
            let date = wall(at).map(|wall| format!(", until {}", clock::rfc3339(UnixTime::from_secs(wall))));
            format!("{}{}", span(seconds(at)), date.unwrap_or_default())
        };
        let end = windows.usable_until.map(|at| format!("usable for {}", until(at)));
        let end = end.unwrap_or_else(|| "without an end".to_owned());
        let name = format!("{} {}", provider.name, provider.environment.unwrap_or_default());
        writeln!(out, "{}  {}", Painted(GOOD, "token"), Painted(BOLD, name.trim_end()))?;
        writeln!(out, "  life     {end}")?;
        if let Some(at) = windows.refresh_at {
            writeln!(out, "  refresh  due in {}", span(seconds(at)))?;
        }
        if let Some(at) = holder.manager.sign_in_by() {
            writeln!(out, "  sign in  again within {}", until(at))?;
        }
        if let Some(path) = &self.save {
            writeln!(out, "  saved    {}", path.display())?;
        }
        match shown {
            Some(header) => writeln!(out, "Authorization: {header}")?,
            None => writeln!(out, "{}", Painted(DIM, "give --url to have the header made"))?,
        }
        Ok(())
    }
}

/// What the caller must do before another request makes sense.
fn supply(reason: Reason, last: Option<&Sent>) -> Failure {
    let said = last.map_or_else(|| reason.name().to_owned(), Sent::said);
    Failure::new(last.map_or(Status::Error, Sent::status), format!("{said}: {}", mend(reason)))
}

/// What mends it, in a few words.
pub(crate) const fn mend(reason: Reason) -> &'static str {
    match reason {
        Reason::NoToken => "supply a token: TOKENWARD_BEARER or --bearer-file",
        Reason::InvalidClient => {
            "check client id and client secret, and that they belong to this environment"
        }
        Reason::Damaged => "what is kept was changed or cut off: supply a token",
        Reason::TooLong => "what is kept holds a longer token than this version takes: supply a token",
        Reason::GrantRejected => "check user name and password",
        Reason::RefreshTokenRejected => "sign in again",
        Reason::Revoked => "the token was revoked: supply a new one",
        Reason::UnauthorizedClient => "the client may not use this grant: ask the service's operator",
        Reason::UnsupportedGrantType => "the service does not know this grant: check provider and base URL",
        Reason::InvalidScope => "the service does not grant this scope",
        Reason::InvalidRequest => "the service does not understand the request: check the provider",
        _ => "see the service's log",
    }
}

fn forbidden(error: Error, method: &str, url: &str) -> Failure {
    let what = match error {
        Error::OriginNotAllowed => {
            "the token is not for this origin; check environment, --base-url, --api-origin"
        }
        Error::UnknownRoute => "the provider's route table has no such endpoint; check --method and path",
        Error::RouteNeedsOtherToken => "the other kind of token opens this endpoint",
        Error::OtherSite => "the token is for another site",
        Error::NotUsable => "the token is over",
        _ => "write an absolute URL",
    };
    Failure::new(Status::Refused, format!("{method} {url}: {}: {what}", error.name()))
}

/// Becomes the command where the system can, so that nothing of this process is left beside it.
fn run_with(command: &[OsString], header: &str) -> Result<Status, Failure> {
    let (program, arguments) = command.split_first().ok_or_else(|| Failure::usage("no command"))?;
    let mut child = Command::new(program);
    child.args(arguments).env("TOKENWARD_AUTHORIZATION", header);
    withhold_secrets(&mut child);
    let cannot = |error| Failure::unavailable(format!("cannot run {}: {error}", program.to_string_lossy()));
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        Err(cannot(child.exec()))
    }
    #[cfg(not(unix))]
    {
        let ended = child.status().map_err(cannot)?;
        Ok(Status::Other(ended.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
    }
}
