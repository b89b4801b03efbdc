//! `cargo xtask scenarios`: the one suite of scenarios, replayed by every language's driver.
//!
//! A driver takes scenario files as arguments and prints one JSON line for each:
//! `{"file":"…","ok":true,"difference":null}`. What is printed here adds the language in front.

use crate::workspace::{Program, Result, Workspace};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

struct Driver {
    lang: &'static str,
    /// The command that takes scenario files as further arguments.
    command: fn(&Workspace) -> Program,
}

/// The languages that have a driver. A new one is a new row.
const DRIVERS: &[Driver] = &[
    Driver {
        lang: "rust",
        command: |workspace| {
            let run =
                ["run", "--quiet", "--release", "--package", "tokenward-cli", "--", "replay", "--lines"];
            workspace.cargo().args(run)
        },
    },
    Driver { lang: "c", command: |workspace| workspace.script("ffi/c/test.sh").args(["replay"]) },
    Driver {
        lang: "swift",
        command: |workspace| workspace.script("bindings/swift/test.sh").args(["replay"]),
    },
    Driver {
        lang: "kotlin",
        command: |workspace| workspace.script("bindings/kotlin/test.sh").args(["replay"]),
    },
];

/// Where the scenarios stand.
const SUITE: &str = "core/tests/scenarios";

/// Files for one run of a driver: well below the limit of any system's command line.
const FILES_AT_ONCE: usize = 500;

/// `cargo xtask scenarios [--lang LANG,…] [FILE|DIR…]`: prints a line for every file and language.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<()> {
    let mut drivers: Vec<&Driver> = DRIVERS.iter().collect();
    let mut paths = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--lang" {
            drivers = named(args.next().ok_or("--lang wants names")?)?;
        } else {
            // Cargo starts xtask where the caller stands; drivers run in the workspace's root.
            paths.push(std::path::absolute(arg)?);
        }
    }
    if paths.is_empty() {
        paths.push(workspace.root.join(SUITE));
    }
    replay(workspace, &drivers, &paths, |line, _| println!("{line}")).map(|_| ())
}

/// The test leg: all scenarios in all languages, printing only what differs.
pub(crate) fn differences(workspace: &Workspace) -> Result<()> {
    let drivers: Vec<&Driver> = DRIVERS.iter().collect();
    let suite = [workspace.root.join(SUITE)];
    let replayed = replay(workspace, &drivers, &suite, |line, ok| {
        if !ok {
            println!("{line}");
        }
    })?;
    println!("counted: {replayed} passed, 0 failed");
    Ok(())
}

fn named(names: &str) -> Result<Vec<&'static Driver>> {
    names
        .split(',')
        .map(|name| {
            DRIVERS.iter().find(|driver| driver.lang == name).ok_or_else(|| {
                let known: Vec<_> = DRIVERS.iter().map(|driver| driver.lang).collect();
                format!("no driver for `{name}`; there are: {}", known.join(", ")).into()
            })
        })
        .collect()
}

/// Replays all files with all drivers. A file that differs, or that a driver does not answer for, is an error.
fn replay(
    workspace: &Workspace,
    drivers: &[&Driver],
    paths: &[PathBuf],
    mut report: impl FnMut(&str, bool),
) -> Result<usize> {
    let mut files = Vec::new();
    for path in paths {
        collect(&workspace.root, path, &mut files)?;
    }
    if files.is_empty() {
        return Err(format!("no scenario in {paths:?}").into());
    }
    let mut different = 0_usize;
    for driver in drivers {
        for chunk in files.chunks(FILES_AT_ONCE) {
            let mut missing: BTreeSet<&str> = chunk.iter().map(String::as_str).collect();
            let mut unreadable = None;
            let before = different;
            let ended =
                (driver.command)(workspace).args(chunk).lines(|line| match answer(driver.lang, line) {
                    Some(answer) => {
                        missing.remove(answer.file.as_str());
                        different += usize::from(!answer.ok);
                        report(&answer.line, answer.ok);
                    }
                    None => unreadable = Some(line.to_owned()),
                });
            if let Some(line) = unreadable {
                return Err(format!("the {} driver printed `{line}`", driver.lang).into());
            }
            if different == before {
                ended?;
            }
            if let Some(file) = missing.first() {
                return Err(format!("the {} driver says nothing of {file}", driver.lang).into());
            }
        }
    }
    if different > 0 {
        return Err(format!("{different} scenarios differ").into());
    }
    Ok(files.len().saturating_mul(drivers.len()))
}

struct Answer {
    file: String,
    ok: bool,
    line: String,
}

/// A driver's line, with the language added; `None` where it is not such a line.
fn answer(lang: &str, line: &str) -> Option<Answer> {
    let value: Value = serde_json::from_str(line).ok()?;
    let (file, ok) = (value["file"].as_str()?.to_owned(), value["ok"].as_bool()?);
    let (name, difference) = (&value["file"], value.get("difference")?);
    let line = format!(r#"{{"lang":"{lang}","file":{name},"ok":{ok},"difference":{difference}}}"#);
    Some(Answer { file, ok, line })
}

/// All scenario files under a path, sorted, named from the workspace's root where they stand under it.
fn collect(root: &Path, path: &Path, files: &mut Vec<String>) -> Result<()> {
    if !path.is_dir() {
        if !path.is_file() {
            return Err(format!("no such scenario: {}", path.display()).into());
        }
        let name = path.strip_prefix(root).unwrap_or(path);
        files.push(name.to_str().ok_or("a scenario's path is no UTF-8")?.to_owned());
        return Ok(());
    }
    let mut entries = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    entries.retain(|entry| entry.is_dir() || entry.extension().is_some_and(|extension| extension == "json"));
    entries.sort();
    entries.iter().try_for_each(|entry| collect(root, entry, files))
}

#[cfg(test)]
mod tests {
    use super::answer;

    #[test]
    fn a_drivers_line_gets_its_language() {
        let line = r#"{"difference":"at 3: \"a\" is not \"b\"","ok":false,"file":"a.json"}"#;
        let answer = answer("c", line).unwrap();
        assert_eq!((answer.file.as_str(), answer.ok), ("a.json", false));
        let expected = r#"{"lang":"c","file":"a.json","ok":false,"difference":"at 3: \"a\" is not \"b\""}"#;
        assert_eq!(answer.line, expected);
    }

    #[test]
    fn any_other_line_is_no_answer() {
        for line in
            ["", "panicked", "{}", r#"{"file":"a.json"}"#, r#"{"file":1,"ok":true,"difference":null}"#]
        {
            assert!(answer("c", line).is_none(), "{line}");
        }
    }
}
