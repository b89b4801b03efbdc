//! Completions, manual pages, and the presets as data.

use std::fs;

use crate::process::run;

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(&["completions", shell]);
        assert!(output.status == 0 && output.out.contains("retry-after"), "{shell}");
    }
    run(&["completions", "none"]).complains(64, "possible values");
}

#[test]
fn manual_pages_are_printed_and_written() {
    let folder = tempfile::tempdir().expect("a directory");
    let output = run(&["man"]);
    assert!(output.status == 0 && output.out.contains(".TH tokenward 1"));
    assert_eq!(run(&["man", "--dir", folder.path().to_str().expect("UTF-8")]).status, 0);
    let page = fs::read_to_string(folder.path().join("tokenward-token.1")).expect("a page");
    assert!(page.contains("TOKENWARD_CLIENT_SECRET"));
}

#[test]
fn each_preset_is_printed_as_an_object_that_a_provider_file_may_hold() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("provider.json");
    let path = file.to_str().expect("UTF-8");
    let presets = run(&["providers", "--json"]).json();
    let presets = presets["providers"].as_array().expect("presets");
    assert_eq!(presets.len(), 7);
    let mut requests = 0;
    for preset in presets {
        for value in preset["values"].as_array().expect("values") {
            fs::write(&file, value.to_string().replace("{host}", "host.example")).expect("a file");
            let output = run(&["request", "--provider-file", path, "--site", "a site", "--json"]);
            if value["grants"].as_array().is_some_and(Vec::is_empty) {
                output.complains(64, "has no grant");
                continue;
            }
            let url = value["token_url"].as_str().expect("a URL");
            let url = url.replace("{host}", "host.example").replace("{site}", "a%20site");
            assert_eq!(output.json()["url"], url.as_str());
            requests += 1;
        }
    }
    assert_eq!(requests, 7);
    let output = run(&["providers"]);
    assert!(
        output.status == 0 && output.out.contains("flip_energy_site") && output.out.contains("24 routes")
    );
}
