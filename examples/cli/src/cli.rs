//! The command line itself: what there is to say, and how a mistake in it is answered.

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::failure::{Failure, Status};
use crate::{challenge, date, demo, generated, inspect, jwt, presets, replay, request, token};

/// Shows what a token service answers, and keeps a token alive
#[derive(Debug, Parser)]
#[command(
    name = "tokenward",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "Exit status: 0 a token, or what was asked for; 1 the server's error answer, or a difference;\n\
        2 refused by the core; 64 usage; 69 service unavailable.\n\n\
        Secrets are read from the environment, from files or from a prompt, and never printed unless\n\
        --show-secrets, --lines or `inspect --json` asks for them. NO_COLOR turns colours off."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Token(Box<token::Token>),
    Inspect(inspect::Inspect),
    Request(Box<request::Request>),
    Challenge(challenge::Challenge),
    RetryAfter(date::RetryAfter),
    Date(date::Date),
    Jwt(jwt::Jwt),
    Replay(replay::Replay),
    Providers(presets::Providers),
    Completions(generated::Completions),
    Man(generated::Man),
}

impl Command {
    fn run(&self) -> Result<Status, Failure> {
        match self {
            Self::Demo(command) => command.run(),
            Self::Token(command) => command.run(),
            Self::Inspect(command) => command.run(),
            Self::Request(command) => command.run(),
            Self::Challenge(command) => command.run(),
            Self::RetryAfter(command) => command.run(),
            Self::Date(command) => command.run(),
            Self::Jwt(command) => command.run(),
            Self::Replay(command) => command.run(),
            Self::Providers(command) => command.run(),
            Self::Completions(command) => command.run(),
            Self::Man(command) => command.run(),
        }
    }
}

/// Runs the command that the arguments name; gives back its exit status.
#[must_use]
pub fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(cli) => cli.command.run(),
        Err(error) => mistaken(&error),
    };
    match result {
        Ok(status) => status.into(),
        Err(failure) => {
            complain(&failure.message);
            failure.status.into()
        }
    }
}

/// Says one line on standard error.
pub(crate) fn complain(message: &str) {
    if !message.is_empty() {
        // Nobody is left to tell where standard error is closed.
        let _ = writeln!(anstream::stderr().lock(), "tokenward: {}", crate::paint::harmless(message));
    }
}

/// Help and version are no mistakes; everything else is one line.
fn mistaken(error: &clap::Error) -> Result<Status, Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            write!(anstream::stdout().lock(), "{}", error.render().ansi())?;
            Ok(Status::Ok)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            write!(anstream::stderr().lock(), "{}", error.render().ansi())?;
            Err(Failure::usage(""))
        }
        _ => {
            let rendered = error.render().to_string();
            let lines = rendered.lines().map(str::trim).filter(|line| {
                !line.is_empty() && !line.starts_with("Usage:") && !line.starts_with("For more information")
            });
            let said = lines.collect::<Vec<_>>().join(" ");
            let said = said.strip_prefix("error: ").unwrap_or(&said);
            Err(Failure::usage(format!("{said}; try --help")))
        }
    }
}
