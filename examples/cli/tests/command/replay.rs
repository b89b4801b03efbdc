//! `replay`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::process::run;

fn scenario(folder: &Path, usable: bool) -> String {
    let file = folder.join(format!("{usable}.json"));
    let text = json!({
        "name": "an empty manager <asks> & waits", "provider": "flute", "environment": "sandbox",
        "steps": [
            { "at": 0, "do": "poll", "expect": { "next": "request", "usable": usable } },
            { "at": 5, "do": "install", "token": { "access_token": "canary", "expires_in": 3600 } },
        ],
    });
    fs::write(&file, text.to_string()).expect("a file");
    file.to_str().expect("UTF-8").to_owned()
}

#[test]
fn a_difference_is_shown_and_ends_with_1() {
    let folder = tempfile::tempdir().expect("a directory");
    let (good, bad) = (scenario(folder.path(), false), scenario(folder.path(), true));
    let output = run(&["replay", "--lines", &good, &bad, "missing.json"]);
    let lines: Vec<Value> =
        output.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[0], json!({ "file": good, "ok": true, "difference": null }));
    let difference = "step 0 (poll at 0): usable is false, expected true";
    assert_eq!(lines[1], json!({ "file": bad, "ok": false, "difference": difference }));
    assert_eq!((lines[2]["file"].as_str(), lines[2]["ok"].as_bool()), (Some("missing.json"), Some(false)));
    assert_eq!(output.status, 1);

    let output = run(&["replay", &good, &bad]);
    assert!(output.out.contains(&format!("DIFF  {bad}: {difference}")), "{}", output.out);
    assert!(output.out.contains(&format!("ok    {good}")), "{}", output.out);
    assert_eq!((output.status, run(&["replay", &good]).status), (1, 0));

    let output = run(&["replay", "--json", &good]);
    let expected =
        json!({ "ok": true, "files": [{ "file": good, "ok": true, "difference": null }], "different": 0 });
    assert_eq!((output.status, output.json()), (0, expected));
}

#[test]
fn a_slot_that_no_token_needs_is_a_difference_and_the_other_files_are_replayed() {
    let folder = tempfile::tempdir().expect("a directory");
    let huge = folder.path().join("huge.json");
    let text = json!({ "name": "huge", "provider": "flute", "environment": "sandbox",
        "capacity": { "access": 1_u64 << 62, "refresh": 1_u64 << 62 }, "steps": [] });
    fs::write(&huge, text.to_string()).expect("a file");
    let good = scenario(folder.path(), false);
    let output = run(&["replay", "--lines", huge.to_str().expect("UTF-8"), &good]);
    let lines: Vec<Value> =
        output.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((lines[0]["ok"].as_bool(), lines[1]["ok"].as_bool()), (Some(false), Some(true)));
}

#[test]
fn a_timeline_is_drawn_without_the_scenario_s_tokens() {
    let folder = tempfile::tempdir().expect("a directory");
    let picture = folder.path().join("timeline.svg");
    let output = run(&["replay", "--svg", picture.to_str().expect("UTF-8"), &scenario(folder.path(), false)]);
    assert_eq!((output.status, output.out.as_str()), (0, ""));
    let drawn = fs::read_to_string(picture).expect("a picture");
    assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"));
    for shown in
        ["an empty manager &lt;asks&gt; &amp; waits", "install", "token, generation 1", "request", "48:00"]
    {
        assert!(drawn.contains(shown), "{shown}");
    }
    assert!(!drawn.contains("canary") && !drawn.contains("NaN"));
}
