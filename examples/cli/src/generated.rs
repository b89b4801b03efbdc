//! What is generated from the command line's own description: shell completions and manual pages.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man as Page;

use crate::cli::Cli;
use crate::failure::{Failure, Status};

/// Print the completions of a shell
#[derive(Debug, Args)]
#[command(
    after_help = "For example: tokenward completions bash > ~/.local/share/bash-completion/completions/tokenward"
)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<Status, Failure> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "tokenward", &mut text);
        io::stdout().write_all(&text)?;
        Ok(Status::Ok)
    }
}

/// Print the manual page, or write all pages
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write a page for the command and for each of its commands into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(&self) -> Result<Status, Failure> {
        let mut command = Cli::command();
        command.build();
        let Some(dir) = &self.dir else {
            let mut text = Vec::new();
            Page::new(command).render(&mut text)?;
            io::stdout().write_all(&text)?;
            return Ok(Status::Ok);
        };
        let named =
            |error: io::Error| Failure::unavailable(format!("cannot write {}: {error}", dir.display()));
        fs::create_dir_all(dir).map_err(named)?;
        clap_mangen::generate_to(command, dir).map_err(named)?;
        Ok(Status::Ok)
    }
}
