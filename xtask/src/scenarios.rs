//! `cargo xtask scenarios`: one suite of scenarios in every language, and random ones with what the model says of them.
//!
//! Rust is driven by the crate `tokenward-conformance`. The other languages have a program that reads scenarios, executes
//! them and prints what came of each step; what it should have been is compared here.

use crate::workspace::{Program, Result, Workspace};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use tokenward_conformance::{Scenario, files, replay};

/// Who runs the scenarios.
#[derive(Clone)]
enum Driver {
    Rust,
    /// The script's `replay` builds the driver and runs it.
    Script(&'static str),
    /// A driver that stands ready, with its arguments.
    Program(Vec<String>),
}

/// The languages that have a driver. A new one is a new row.
const LANGUAGES: &[(&str, Driver)] = &[
    ("rust", Driver::Rust),
    ("c", Driver::Script("ffi/c/test.sh")),
    ("swift", Driver::Script("bindings/swift/test.sh")),
    ("kotlin", Driver::Script("bindings/kotlin/test.sh")),
];

/// Where the scenarios stand.
const SUITE: &str = "core/tests/scenarios";

/// How many random scenarios each language runs, where MODEL_COUNT does not say another number. In Rust ten times as
/// many run in the tests of `tokenward-conformance`.
const RANDOM: u64 = 2_000;

/// `cargo xtask scenarios [--lang LANG,…] [--random] [FILE|DIR…] [-- PROGRAM ARG…]`: prints a line for every scenario
/// and language, or for every scenario in a driver of the caller's.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    let mut drivers = LANGUAGES.to_vec();
    let (mut paths, mut random) = (Vec::new(), false);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--lang" => drivers = named(args.next().ok_or("--lang wants names")?)?,
            "--random" => random = true,
            "--" => drivers = vec![("program", Driver::Program(args.by_ref().cloned().collect()))],
            // Cargo starts xtask where the caller stands.
            path => paths.push(std::path::absolute(path)?),
        }
    }
    if paths.is_empty() && !random {
        paths.push(workspace.root.join(SUITE));
    }
    let scenarios = Scenarios::read(&workspace.root, &paths, if random { RANDOM } else { 0 })?;
    scenarios.replay(workspace, &drivers, |line, _| println!("{line}")).map(|_| ())
}

/// The test leg: the suite and random scenarios in all languages, printing only what differs.
pub(crate) fn differences(workspace: &Workspace) -> Result<()> {
    let scenarios = Scenarios::read(&workspace.root, &[workspace.root.join(SUITE)], RANDOM)?;
    let replayed = scenarios.replay(workspace, LANGUAGES, |line, ok| {
        if !ok {
            println!("{line}");
        }
    })?;
    println!("counted: {replayed} passed, 0 failed");
    Ok(())
}

fn named(names: &str) -> Result<Vec<(&'static str, Driver)>> {
    let find = |name: &str| {
        LANGUAGES.iter().find(|(lang, _)| *lang == name).cloned().ok_or_else(|| {
            let known: Vec<_> = LANGUAGES.iter().map(|(lang, _)| *lang).collect();
            format!("no driver for `{name}`; there are: {}", known.join(", ")).into()
        })
    };
    names.split(',').map(find).collect()
}

/// Scenarios, run in Rust.
struct Scenarios {
    /// Each with the first difference in Rust.
    valid: Vec<(Scenario, Option<String>)>,
    /// What is no scenario, and why: no driver is given that.
    faults: Vec<(String, String)>,
}

impl Scenarios {
    /// All files under the paths, named from the workspace's root where they stand under it, and random scenarios.
    fn read(root: &Path, paths: &[PathBuf], random: u64) -> Result<Self> {
        let (mut valid, mut faults) = (Vec::new(), Vec::new());
        let mut add = |scenario: Scenario| match scenario.run() {
            Ok(run) => valid.push((scenario, run.difference)),
            Err(fault) => faults.push((scenario.name, fault)),
        };
        let mut unreadable = Vec::new();
        for path in paths {
            for file in files(path)? {
                let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
                match Scenario::read(&file) {
                    Ok(scenario) => add(Scenario { name, ..scenario }),
                    Err(fault) => unreadable.push((name, fault)),
                }
            }
        }
        if random > 0 {
            Scenario::randoms(random).for_each(add);
        }
        faults.extend(unreadable);
        if valid.is_empty() && faults.is_empty() {
            return Err(format!("no scenario in {paths:?}").into());
        }
        Ok(Self { valid, faults })
    }

    /// Replays all of them in all languages. One that differs, or that a driver does not answer for, is an error.
    fn replay(
        &self,
        workspace: &Workspace,
        drivers: &[(&str, Driver)],
        mut show: impl FnMut(Value, bool),
    ) -> Result<usize> {
        let scenarios: Vec<&Scenario> = self.valid.iter().map(|(scenario, _)| scenario).collect();
        let (mut different, mut broken) = (0_usize, Vec::new());
        for (lang, driver) in drivers {
            let mut report = |name: &str, difference: Option<&str>| {
                different += usize::from(difference.is_some());
                show(line(lang, name, difference), difference.is_none());
            };
            for (name, fault) in &self.faults {
                report(name, Some(fault));
            }
            let mut command = match driver {
                Driver::Rust => {
                    for (scenario, difference) in &self.valid {
                        report(&scenario.name, difference.as_deref());
                    }
                    continue;
                }
                Driver::Script(script) => workspace.script(script).args(["replay"]),
                Driver::Program(words) => {
                    let (program, args) = words.split_first().ok_or("-- wants a program")?;
                    Program::new(program).dir(&workspace.root).args(args)
                }
            }
            .into_command();
            let replayed = replay(&mut command, &scenarios, |scenario, difference| {
                report(&scenario.name, difference);
                if difference.is_some() {
                    // It only helps whoever looks for the cause.
                    let _ = scenario.keep();
                }
            });
            if let Err(fault) = replayed {
                broken.push(format!("the {lang} driver: {fault}"));
            }
        }
        if different > 0 {
            broken.push(format!("{different} scenarios differ"));
        }
        if broken.is_empty() {
            Ok((scenarios.len()).saturating_mul(drivers.len()))
        } else {
            Err(broken.join("\n").into())
        }
    }
}

/// A line of the report, with the language in front.
fn line(lang: &str, name: &str, difference: Option<&str>) -> Value {
    let mut line = Map::from_iter([("lang".to_owned(), lang.into())]);
    line.extend(
        Scenario::report(name, difference)
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::{line, named};

    #[test]
    fn a_line_says_language_file_and_difference() {
        let expected = r#"{"lang":"c","file":"a.json","ok":false,"difference":"at 3: \"a\" is not \"b\""}"#;
        assert_eq!(line("c", "a.json", Some("at 3: \"a\" is not \"b\"")).to_string(), expected);
        let expected = r#"{"lang":"c","file":"a.json","ok":true,"difference":null}"#;
        assert_eq!(line("c", "a.json", None).to_string(), expected);
    }

    #[test]
    fn languages_are_named_and_an_unknown_one_is_refused() {
        assert_eq!(named("swift,rust").unwrap().len(), 2);
        assert!(named("rust,cobol").is_err());
    }
}
