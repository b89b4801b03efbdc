//! The gallery of descriptions: each can work, says where it is documented, and has a scenario of that.

use std::path::{Path, PathBuf};

use bumpalo::Bump;
use serde_json::Value;
use tokenward_conformance::description;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON")
}

fn gallery() -> Vec<(String, Value)> {
    let name = |file: &Path| file.file_stem().expect("a name").to_string_lossy().into_owned();
    files("../../examples/providers").iter().map(|file| (name(file), read(file))).collect()
}

#[test]
fn every_description_can_work_and_says_where_it_is_documented() {
    for (name, value) in gallery() {
        let (arena, object) = (Bump::new(), value.as_object().expect("an object"));
        let provider = description::read(object, &arena);
        assert_eq!(provider.as_ref().map(|provider| provider.name), Ok(&name[..]));
        let comment = value["comment"].as_str().unwrap_or_default();
        assert!(comment.starts_with("https://"), "{name}: {comment}");
        assert!(comment.contains("Not tried against the service itself."), "{name}: {comment}");
    }
}

#[test]
fn every_description_has_a_scenario_of_its_documented_request_and_answer() {
    let scenarios: Vec<_> = files("../tests/scenarios").iter().map(|file| read(file)).collect();
    for (name, value) in gallery() {
        assert!(scenarios.iter().any(|scenario| scenario["provider"] == value), "{name}");
    }
}

#[test]
fn the_table_of_services_has_every_description() {
    let page = include_str!("../../../docs/PROVIDERS.md");
    for (name, _) in gallery() {
        let link = format!("(../examples/providers/{name}.json)");
        assert!(page.contains(&link), "{link}");
    }
}
