//! Scenarios from files and from the model, and the drivers that they are given to.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, thread};

use serde_json::{Value, json};

use crate::compare::difference;
use crate::driver::{self, Run};
use crate::model;

/// A scenario, and what it is called where something is said of it.
pub struct Scenario {
    /// The path of its file, or `random scenario 17` with its seed.
    pub name: String,
    /// As docs/SCENARIOS.md has it.
    pub json: Value,
}

impl Scenario {
    /// The scenario of a file.
    ///
    /// # Errors
    /// A sentence, where the file cannot be read or is no JSON.
    pub fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))?;
        let json = serde_json::from_str(&text).map_err(|error| format!("is no JSON: {error}"))?;
        Ok(Self { name: file.to_string_lossy().into_owned(), json })
    }

    /// The random scenario of this seed, which expects of each step all that the model answers. Every other one has
    /// storage.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        let mut json = model::generate::generate(seed, seed % 2 == 1);
        let answers = model::run(&json);
        let steps = json["steps"].as_array_mut().into_iter().flatten();
        for (step, answer) in steps.zip(answers) {
            step["expect"] = answer;
        }
        Self { name: format!("random scenario {seed}"), json }
    }

    /// Random scenarios: `MODEL_COUNT` of them, else `count`, from the seed `MODEL_FIRST` on, else from 0.
    pub fn randoms(count: u64) -> impl Iterator<Item = Self> {
        let number = |name| env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
        let (first, count) = (number("MODEL_FIRST").unwrap_or(0), number("MODEL_COUNT").unwrap_or(count));
        (first..first.saturating_add(count)).map(Self::random)
    }

    /// Leaves it in the folder `MODEL_KEEP`, where that is set.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn keep(&self) -> io::Result<()> {
        let Some(folder) = env::var_os("MODEL_KEEP") else { return Ok(()) };
        let file = Path::new(&folder).join(self.name.replace(' ', "_")).with_extension("json");
        fs::write(file, format!("{:#}", self.json))
    }

    /// Runs it through the core.
    ///
    /// # Errors
    /// A sentence, where it is no scenario.
    pub fn run(&self) -> Result<Run, String> {
        driver::run(&self.json).map_err(|fault| format!("is no scenario: {fault}"))
    }

    /// The line of a report: `{"file":…,"ok":…,"difference":…}`.
    #[must_use]
    pub fn report(name: &str, difference: Option<&str>) -> Value {
        json!({ "file": name, "ok": difference.is_none(), "difference": difference })
    }
}

/// A file as it is given; of a directory all `.json` files below it, sorted.
///
/// # Errors
/// Those of reading directories.
pub fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    entries.retain(|entry| entry.is_dir() || entry.extension().is_some_and(|extension| extension == "json"));
    entries.sort();
    Ok(entries.iter().map(|entry| files(entry)).collect::<io::Result<Vec<_>>>()?.concat())
}

/// Gives scenarios to another language's driver, each in a line of its standard input, and compares what it answers, a
/// line for each. `report` hears of every scenario, with the first difference if there is any.
///
/// # Errors
/// A sentence, where the driver does not answer for every scenario, says something else, or does not end well.
pub fn replay(
    driver: &mut Command,
    scenarios: &[&Scenario],
    mut report: impl FnMut(&Scenario, Option<&str>),
) -> Result<(), String> {
    let say = |error: io::Error| error.to_string();
    let mut child = driver.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(say)?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let answered = thread::scope(|threads| {
        // A driver that ends early closes its input; what it did not answer says so.
        threads.spawn(move || {
            let mut input = BufWriter::new(input?);
            scenarios.iter().try_for_each(|scenario| writeln!(input, "{}", scenario.json)).ok()
        });
        let mut lines = output.into_iter().flat_map(|output| BufReader::new(output).lines());
        for scenario in scenarios {
            let name = &scenario.name;
            let line = lines.next().ok_or_else(|| format!("no answer for {name}"))?.map_err(say)?;
            let difference = difference(&scenario.json, &line).map_err(|fault| format!("{name}: {fault}"))?;
            report(scenario, difference.as_deref());
        }
        match lines.next() {
            None => Ok(()),
            Some(line) => Err(format!("one line too many: {}", line.map_err(say)?)),
        }
    });
    let status = child.wait().map_err(say)?;
    answered.map_err(|fault: String| format!("{fault} ({status})"))?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}
