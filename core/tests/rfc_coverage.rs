//! docs/RFC-COVERAGE.md is true: what it names is there, and nothing is left out of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows under the heading `title`, as cells; without head and rule.
fn table<'t>(page: &'t str, title: &str) -> Vec<Vec<&'t str>> {
    let (_, behind) = page.split_once(&format!("\n## {title}\n")).expect("the heading");
    let section = behind.split_once("\n## ").map_or(behind, |(section, _)| section);
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// The names in the last cell of a row.
fn tests_of<'t>(row: &[&'t str]) -> Vec<&'t str> {
    let cell = row.last().copied().unwrap_or_default();
    cell.split("<br>").filter_map(|name| name.strip_prefix('`')?.strip_suffix('`')).collect()
}

/// All Rust files that may hold a test, with the names of file and folders that a row may call them by.
fn test_files() -> Vec<(BTreeSet<String>, String)> {
    let mut files = Vec::new();
    let mut folders: Vec<_> =
        ["core/src", "core/tests", "core/conformance"].map(|folder| root().join(folder)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let named = [path.file_stem(), folder.file_name()];
                let names = named.into_iter().flatten().map(|name| name.to_string_lossy().into_owned());
                files.push((names.collect(), read(&path)));
            }
        }
    }
    files
}

#[test]
fn every_row_names_tests_that_are_there() {
    let page = read(&root().join("docs/RFC-COVERAGE.md"));
    let files = test_files();
    let (clauses, rules) = (table(&page, "Clauses"), table(&page, "Rules"));
    assert!(!clauses.is_empty() && !rules.is_empty());
    let mut faults = Vec::new();
    for row in clauses.iter().chain(&rules) {
        let tests = tests_of(row);
        if tests.is_empty() {
            faults.push(format!("{} has no test", row[0]));
        }
        for test in tests {
            let there = match test.split_once("::") {
                Some((file, name)) => {
                    let test = format!("fn {name}(");
                    files.iter().any(|(names, text)| names.contains(file) && text.contains(&test))
                }
                None => root().join("core/tests/scenarios").join(test).is_file(),
            };
            if !there {
                faults.push(format!("{}: there is no {test}", row[0]));
            }
        }
    }
    assert_eq!(faults, [""; 0]);
}

#[test]
fn every_rule_has_its_row_and_every_clause_a_rule() {
    let page = read(&root().join("docs/RFC-COVERAGE.md"));
    let behaviour = read(&root().join("docs/BEHAVIOUR.md"));
    let is_number = |text: &&str| {
        text.split_once('.').is_some_and(|(section, number)| {
            [section, number].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        })
    };
    let written: Vec<&str> = behaviour.split("**").filter(is_number).collect();
    let rows: Vec<&str> = table(&page, "Rules").iter().map(|row| row[0]).collect();
    assert!(!written.is_empty());
    assert_eq!(written, rows);
    for row in table(&page, "Clauses") {
        assert_eq!(row.len(), 4, "{row:?}");
        for rule in row[2].split(", ") {
            assert!(written.contains(&rule), "{}: there is no rule {rule:?}", row[0]);
        }
    }
}

#[test]
fn every_scenario_is_named_by_its_sentence_and_stands_in_a_row() {
    let page = read(&root().join("docs/RFC-COVERAGE.md"));
    let rows = table(&page, "Rules");
    let named: BTreeSet<&str> = rows.iter().flat_map(|row| tests_of(row)).collect();
    let mut faults = Vec::new();
    for entry in fs::read_dir(root().join("core/tests/scenarios")).expect("the scenarios") {
        let path = entry.expect("an entry").path();
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        let scenario: serde_json::Value = serde_json::from_str(&read(&path)).expect("JSON");
        let sentence = scenario["name"].as_str().unwrap_or_default().to_lowercase().replace('\'', "");
        let words = sentence.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let expected = words.collect::<Vec<_>>().join("_") + ".json";
        if file != expected {
            faults.push(format!("{file} is called {expected}"));
        }
        if !named.contains(file.as_str()) {
            faults.push(format!("{file} stands in no row"));
        }
    }
    assert_eq!(faults, [""; 0]);
}

// A rule that no other file holds.

#[test]
fn ticks_of_32_bits_that_wrap_go_on() {
    use tokenward::TickWidener;

    let mut ticks = TickWidener::new();
    let mut expected = 0_u64;
    // A reading a day for three years of milliseconds: 22 wraps.
    for _ in 0..1_100 {
        expected += 86_400_000;
        assert_eq!(ticks.widen(expected as u32).as_millis(), expected);
    }
    assert!(expected >> 32 > 20);
    assert_eq!(ticks.widen(expected as u32).as_millis(), expected);
}
