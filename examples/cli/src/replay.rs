//! `replay`: scenarios run through the core; the first difference of each is shown.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use tokenward_conformance::{Run, Scenario, files as scenario_files};

use crate::failure::{Failure, Status};
use crate::paint::{BAD, DIM, GOOD, Painted};
use crate::svg;

/// Run scenarios through the core; show the first difference of each
#[derive(Debug, Args)]
#[command(
    after_help = "With --lines: {\"file\":…,\"ok\":…,\"difference\":…} for each file, the difference null if there is none."
)]
pub(crate) struct Replay {
    /// Scenario files, or directories of them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Draw the timeline of the one scenario into this file
    #[arg(long, value_name = "OUT")]
    svg: Option<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Print one JSON object for each file
    #[arg(long, conflicts_with = "json")]
    lines: bool,
}

impl Replay {
    pub(crate) fn run(&self) -> Result<Status, Failure> {
        let mut files = Vec::new();
        for path in &self.files {
            let below = scenario_files(path);
            files.extend(
                below.map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?,
            );
        }
        if let Some(out) = &self.svg {
            return draw(&files, out);
        }
        let mut out = BufWriter::new(anstream::stdout().lock());
        let (mut all, mut different) = (Vec::new(), 0_usize);
        for file in &files {
            let replayed = replay(file);
            let difference = match &replayed {
                Ok(run) => run.difference.clone(),
                Err(fault) => Some(fault.clone()),
            };
            different += usize::from(difference.is_some());
            let name = file.to_string_lossy();
            if self.json || self.lines {
                let object = Scenario::report(&name, difference.as_deref());
                if self.lines {
                    writeln!(out, "{object}")?;
                } else {
                    all.push(object);
                }
                continue;
            }
            match (&replayed, difference) {
                (Ok(run), None) => {
                    let about = Painted(DIM, format!("{}, {} steps", run.name, run.steps.len()));
                    writeln!(out, "{}    {name}  {about}", Painted(GOOD, "ok"))?;
                }
                (_, difference) => {
                    let shown = difference.unwrap_or_default();
                    writeln!(out, "{}  {name}: {shown}", Painted(BAD, "DIFF"))?;
                }
            }
        }
        if self.json {
            let ok = different == 0;
            writeln!(out, "{}", json!({ "ok": ok, "files": all, "different": different }))?;
        } else if !self.lines {
            let count = files.len();
            let plural = if count == 1 { "" } else { "s" };
            writeln!(out, "{count} scenario{plural}, {different} different")?;
        }
        out.flush()?;
        Ok(if different == 0 { Status::Ok } else { Status::Error })
    }
}

fn draw(files: &[PathBuf], out: &Path) -> Result<Status, Failure> {
    let [file] = files else {
        return Err(Failure::usage("--svg draws one scenario: give one file"));
    };
    let run = replay(file).map_err(|fault| {
        Failure::new(Status::Error, format!("{}: {fault}: mend the file", file.display()))
    })?;
    let drawn = svg::draw(&run);
    let written = if out == Path::new("-") {
        io::stdout().lock().write_all(drawn.as_bytes())
    } else {
        fs::write(out, drawn)
    };
    written.map_err(|error| Failure::unavailable(format!("cannot write {}: {error}", out.display())))?;
    Ok(if run.difference.is_none() { Status::Ok } else { Status::Error })
}

fn replay(file: &Path) -> Result<Run, String> {
    Scenario::read(file)?.run()
}
