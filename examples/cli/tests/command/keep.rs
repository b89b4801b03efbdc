//! `token --keep`: a token that stays alive for as long as the process does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tokenward_demo_service::{Config, Fault, Kind, Service};

use crate::process::{Running, finished, flute, grants, presenting, tokenward};

/// A service whose tokens live a second, and a provider that refreshes that often.
fn hurried(folder: &Path, lifetime_s: u64) -> (Service, PathBuf) {
    let service = Service::start(Kind::Flute, Config { lifetime_s: Some(lifetime_s), ..Config::default() })
        .expect("a service");
    let provider = json!({
        "name": "hurried", "environment": "test", "token_url": service.token_url(),
        "api_origins": [service.base_url()], "grants": ["client_credentials", "refresh_token"],
        "authentication": "basic_raw", "scope": "offline_access",
        "policy": { "min_interval_ms": 0, "first_backoff_ms": 100, "max_backoff_ms": 200 },
    });
    let file = folder.join("provider.json");
    fs::write(&file, provider.to_string()).expect("a file");
    (service, file)
}

fn keeping(service: &Service, provider: &Path) -> Command {
    let mut command = tokenward();
    command.args(["token", "--allow-loopback-http", "--keep", "--json", "--provider-file"]).arg(provider);
    presenting(&mut command, &service.credentials());
    command
}

#[test]
fn a_kept_token_is_refreshed_ahead_until_a_signal_ends_it() {
    for signal in ["-TERM", "-INT"] {
        let folder = tempfile::tempdir().expect("a directory");
        let (service, provider) = hurried(folder.path(), 1);
        let save = folder.path().join("kept");
        let mut running = Running::start(keeping(&service, &provider).arg("--save").arg(&save));
        for generation in 1..=3 {
            assert_eq!(running.event("token")["generation"].as_u64(), Some(generation));
        }
        running.signal(signal);
        assert_eq!(running.event("end")["event"], "end");
        assert_eq!(running.end(), 0);
        let seen = grants(&service);
        assert_eq!(seen[0].0, "client_credentials");
        assert!(
            seen[1..].iter().all(|(grant, outcome)| grant == "refresh_token" && outcome == "token"),
            "{seen:?}"
        );
        assert!(save.exists());
    }
}

#[test]
fn a_kept_token_outlives_an_outage() {
    let folder = tempfile::tempdir().expect("a directory");
    let (service, provider) = hurried(folder.path(), 2);
    let mut running = Running::start(&mut keeping(&service, &provider));
    assert_eq!(running.event("token")["generation"], 1);
    service.fault(Fault::Status503 { retry_after: None });
    service.fault(Fault::Html);
    assert!(running.event("failed")["detail"].as_str().is_some_and(|detail| detail.contains("503")));
    assert!(running.event("failed")["detail"].as_str().is_some_and(|detail| detail.contains("not_json")));
    assert_eq!(running.event("token")["generation"], 2);
    running.signal("-TERM");
    assert_eq!(running.end(), 0);
}

#[test]
fn a_request_whose_answer_is_lost_is_sent_again_by_nobody_but_the_core() {
    let folder = tempfile::tempdir().expect("a directory");
    let (service, provider) = hurried(folder.path(), 2);
    let mut running = Running::start(&mut keeping(&service, &provider));
    running.event("token");
    // The connection that the first request came through dies behind the second one.
    service.fault(Fault::DropAnswer);
    let mut requests = 1;
    let mut until = |running: &mut Running, name: Option<&str>| {
        while let Some(event) = running.line() {
            requests += usize::from(event["event"] == "request");
            if name.is_some_and(|name| event["event"] == name) {
                break;
            }
        }
    };
    until(&mut running, Some("failed"));
    until(&mut running, Some("token"));
    running.signal("-TERM");
    until(&mut running, None);
    assert_eq!(running.end(), 0);
    assert_eq!(requests, grants(&service).len());
}

#[test]
fn a_wrong_secret_is_asked_for_once_and_read_again_at_sighup() {
    let folder = tempfile::tempdir().expect("a directory");
    let (service, provider) = hurried(folder.path(), 60);
    let secret = folder.path().join("secret");
    fs::write(&secret, "wrong\n").expect("a file");
    let mut command = keeping(&service, &provider);
    command.env_remove("TOKENWARD_CLIENT_SECRET").arg("--client-secret-file").arg(&secret);
    let mut running = Running::start(&mut command);
    let supply: Value = running.event("supply");
    assert_eq!(supply["reason"], "invalid_client");
    fs::write(&secret, service.credentials().client_secret.unwrap_or_default()).expect("a file");
    running.signal("-HUP");
    assert_eq!(running.event("reread")["event"], "reread");
    assert_eq!(running.event("token")["generation"], 1);
    running.signal("-TERM");
    assert_eq!(running.end(), 0);
    assert_eq!(grants(&service).len(), 2);
}

#[test]
fn a_file_that_another_process_keeps_is_used_and_its_token_renewed() {
    let folder = tempfile::tempdir().expect("a directory");
    let service = Service::start(Kind::Flute, Config::default()).expect("a service");
    let save = folder.path().join("kept");
    let mut keeper = Running::start(flute(&service, Some(&save)).args(["--keep", "--json"]));
    keeper.event("token");
    let reader = finished(&mut flute(&service, Some(&save)), b"");
    assert_eq!((reader.status, reader.err.as_str()), (0, ""));
    assert_eq!(grants(&service).len(), 1);
    let renewer = finished(flute(&service, Some(&save)).arg("--renew"), b"");
    assert_eq!((renewer.status, renewer.err.as_str()), (0, ""));
    assert_eq!(grants(&service)[1], ("refresh_token".to_owned(), "token".to_owned()));
    // What the other one stored is found at a reload.
    keeper.signal("-HUP");
    keeper.event("reread");
    keeper.signal("-TERM");
    assert_eq!(keeper.end(), 0);
    assert_eq!(grants(&service).len(), 2);
}

#[test]
fn several_that_keep_one_file_present_no_refresh_token_twice() {
    let folder = tempfile::tempdir().expect("a directory");
    let (service, provider) = hurried(folder.path(), 2);
    let save = folder.path().join("kept");
    let start = || Running::start(keeping(&service, &provider).arg("--save").arg(&save));
    let mut first = start();
    first.event("token");
    let rest = [start(), start()];
    for _ in 0..3 {
        first.event("token");
    }
    for mut running in rest.into_iter().chain([first]) {
        running.signal("-TERM");
        while running.line().is_some() {}
        assert_eq!(running.end(), 0);
    }
    let seen = grants(&service);
    assert_eq!(seen[0].0, "client_credentials");
    let refreshed = |(grant, outcome): &(String, String)| grant == "refresh_token" && outcome == "token";
    assert!(seen.len() > 3 && seen[1..].iter().all(refreshed), "{seen:?}");
}

#[test]
fn a_file_that_is_deleted_is_a_sign_out_and_ends_it() {
    let folder = tempfile::tempdir().expect("a directory");
    let service = Service::start(Kind::Flute, Config::default()).expect("a service");
    let save = folder.path().join("kept");
    let mut running = Running::start(flute(&service, Some(&save)).args(["--keep", "--json"]));
    running.event("token");
    fs::remove_file(&save).expect("a snapshot");
    running.signal("-HUP");
    assert_eq!(running.event("reread")["event"], "reread");
    assert_eq!(running.end(), 1);
    assert_eq!(grants(&service).len(), 1);
    assert_eq!(finished(&mut flute(&service, Some(&save)), b"").status, 0);
}

#[test]
fn a_token_in_a_file_is_read_again_when_it_ends() {
    let folder = tempfile::tempdir().expect("a directory");
    let (provider, bearer) = (folder.path().join("provider.json"), folder.path().join("bearer"));
    let description = json!({
        "name": "issued", "api_origins": ["https://issued.example"], "grants": [],
        "missing_lifetime": { "assume": 1 }, "policy": { "min_interval_ms": 0, "first_backoff_ms": 100, "max_backoff_ms": 200 },
    });
    fs::write(&provider, description.to_string()).expect("a file");
    fs::write(&bearer, "one\n").expect("a file");
    let mut command = tokenward();
    command.args(["token", "--keep", "--json", "--provider-file"]).arg(&provider);
    command.arg("--bearer-file").arg(&bearer);
    let mut running = Running::start(&mut command);
    assert_eq!(running.event("token")["generation"], 1);
    fs::remove_file(&bearer).expect("a file");
    assert!(running.event("failed")["detail"].as_str().is_some_and(|detail| detail.contains("cannot read")));
    fs::write(&bearer, "two\n").expect("a file");
    assert_eq!(running.event("token")["generation"], 2);
    running.signal("-TERM");
    assert_eq!(running.end(), 0);
}

#[test]
fn a_reader_that_leaves_ends_it_after_the_answer_is_stored() {
    let folder = tempfile::tempdir().expect("a directory");
    let service = Service::start(Kind::Flute, Config::default()).expect("a service");
    let save = folder.path().join("kept");
    for (round, grant) in ["client_credentials", "refresh_token", "refresh_token"].into_iter().enumerate() {
        service.fault(Fault::Slow { milliseconds: 300 });
        let mut running = Running::start(flute(&service, Some(&save)).args(["--renew", "--keep", "--json"]));
        assert_eq!(running.line().expect("a line")["event"], "request");
        running.leave();
        assert_eq!(running.end(), 0);
        // The service rotates: what it gave was stored, or its next presentation would be the second one.
        assert_eq!(grants(&service)[round..], [(grant.to_owned(), "token".to_owned())]);
    }
}

#[test]
fn a_reader_that_left_is_outlived_until_there_is_room() {
    let folder = tempfile::tempdir().expect("a directory");
    let service = Service::start(Kind::Flute, Config::default()).expect("a service");
    let (place, away) = (folder.path().join("state"), folder.path().join("away"));
    fs::create_dir(&place).expect("a directory");
    let save = place.join("kept");
    service.fault(Fault::Slow { milliseconds: 300 });
    let mut running = Running::start(flute(&service, Some(&save)).args(["--keep", "--json"]));
    assert_eq!(running.event("request")["event"], "request");
    fs::rename(&place, &away).expect("a directory");
    running.leave();
    std::thread::sleep(std::time::Duration::from_millis(1000));
    assert!(running.child.try_wait().expect("a child").is_none(), "it ended with a token that is not stored");
    fs::rename(&away, &place).expect("a directory");
    assert_eq!(running.end(), 0);
    assert_eq!(finished(flute(&service, Some(&save)).arg("--renew"), b"").status, 0);
    assert_eq!(grants(&service)[1], ("refresh_token".to_owned(), "token".to_owned()));
}

#[test]
fn a_folder_that_is_missing_is_said_and_written_to_when_it_is_back() {
    let folder = tempfile::tempdir().expect("a directory");
    let (service, provider) = hurried(folder.path(), 2);
    let (place, away) = (folder.path().join("state"), folder.path().join("away"));
    let save = place.join("kept");
    let missing = finished(keeping(&service, &provider).arg("--save").arg(&save), b"");
    missing.complains(69, "No such file or directory");
    assert!(service.log().is_empty(), "a token was asked for that cannot be kept");
    fs::create_dir(&place).expect("a directory");
    let mut running = Running::start(keeping(&service, &provider).arg("--save").arg(&save));
    running.event("token");
    fs::rename(&place, &away).expect("a directory");
    let unsaved = running.event("unsaved");
    assert!(unsaved["detail"].as_str().is_some_and(|detail| detail.contains("No such file")), "{unsaved}");
    fs::rename(&away, &place).expect("a directory");
    running.event("saved");
    running.signal("-TERM");
    assert_eq!(running.end(), 0);
}
