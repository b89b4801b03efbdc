//! The core's files import from the floors below them alone, and never in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The floors, the lowest first: folders of `core/src`; the files beside them are the ground.
const FLOORS: [&str; 5] = ["", "wire", "endpoint", "manager", "grants"];

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// `endpoint/token_request` for `core/src/endpoint/token_request.rs`; `manager` for `core/src/manager/mod.rs`.
fn module(root: &Path, file: &Path) -> String {
    let name = file.strip_prefix(root).expect("a source").with_extension("");
    let name = name.to_string_lossy().replace('\\', "/");
    name.strip_suffix("/mod").unwrap_or(&name).to_owned()
}

fn floor(module: &str) -> usize {
    let folder = FLOORS.iter().skip(1).position(|floor| module.split('/').next() == Some(floor));
    folder.map_or(0, |place| place + 1)
}

/// Each module with those that it imports from, by their own paths; tests are left out.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.retain(|file| !file.ends_with("tests.rs") && !file.ends_with("lib.rs"));
    let modules: BTreeSet<_> = files.iter().map(|file| module(&root, file)).collect();
    let mut found = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a source");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let uses = code.lines().filter_map(|line| line.strip_prefix("use crate::"));
        let of = |path: &str| {
            let path = path.split(['{', ';']).next().unwrap_or_default().replace("::", "/");
            let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
            let named = (1..=parts.len()).rev().map(|len| parts[..len].join("/"));
            named
                .into_iter()
                .find(|name| modules.contains(name))
                .unwrap_or_else(|| panic!("{path}: no module"))
        };
        found.insert(module(&root, &file), uses.map(of).collect());
    }
    found
}

#[test]
fn a_module_imports_from_its_own_floor_and_from_those_below() {
    for (module, used) in imports() {
        for other in used {
            assert!(floor(&other) <= floor(&module), "{module} imports {other}");
        }
    }
}

#[test]
fn no_module_imports_in_a_circle() {
    let imports = imports();
    for start in imports.keys() {
        let (mut open, mut seen) = (vec![start], BTreeSet::new());
        while let Some(module) = open.pop() {
            for other in &imports[module] {
                // The files of the manager's folder are parts of the manager, whose type they extend.
                if other == "manager" {
                    continue;
                }
                assert_ne!(other, start, "{start} imports itself by {module}");
                if seen.insert(other) {
                    open.push(other);
                }
            }
        }
    }
}

#[test]
fn modules_are_imported_by_their_own_paths() {
    let imports = imports();
    assert!(imports.len() > 30 && imports["endpoint/token_request"].contains("wire/writer"));
    assert!(imports["manager"].contains("endpoint/provider"));
}
