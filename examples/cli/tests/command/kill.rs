//! `token --save`, killed at any instant: what was received and used is never lost.

use std::fs;
use std::time::Duration;

use tokenward_demo_service::{Config, Fault, Kind, Service};

use crate::process::{Running, finished, flute, grants};

const ROUNDS: u64 = 24;

#[test]
fn a_kill_at_any_instant_loses_no_refresh_token_that_was_saved() {
    let folder = tempfile::tempdir().expect("a directory");
    let service = Service::start(Kind::Flute, Config::default()).expect("a service");
    let save = folder.path().join("flute");
    let renewed = || finished(flute(&service, Some(&save)).arg("--renew"), b"");
    assert_eq!(renewed().status, 0);

    // Deterministic instants: from before the start to after the end, denser where the answer comes.
    let (mut killed_before, mut killed_between, mut killed_after) = (0, 0, 0);
    for round in 0..ROUNDS {
        let (saved, seen) = (fs::read(&save).expect("a snapshot"), grants(&service).len());
        // Sometimes the answer is late, so that the kill finds the request out.
        if round % 3 == 0 {
            service.fault(Fault::Slow { milliseconds: 10 });
        }
        let mut running = Running::start(flute(&service, Some(&save)).args(["--renew", "--json"]));
        std::thread::sleep(Duration::from_micros(700 * round + 137));
        running.child.kill().expect("a kill");
        drop(running);
        // Let the service finish with what the killed process had sent.
        std::thread::sleep(Duration::from_millis(30));

        let killed: Vec<_> = grants(&service).split_off(seen);
        let was_saved = fs::read(&save).expect("a whole snapshot, old or new") != saved;
        while service.faults_left() > 0 {
            // The killed process sent nothing: its fault is for nobody else.
            assert_eq!(renewed().status, 0);
        }
        let seen = grants(&service).len();
        let output = renewed();
        assert_eq!((output.status, output.err.as_str()), (0, ""), "round {round}");
        let after: Vec<_> = grants(&service).split_off(seen);
        let (grant, outcome) = after.first().expect("a request");
        // A refresh token is always there to be presented …
        assert_eq!(grant, "refresh_token", "round {round}");
        // … and good, but where the kill fell between the server's rotation and the write.
        let rotated_unsaved = killed.iter().any(|(_, outcome)| outcome == "token") && !was_saved;
        match outcome.as_str() {
            "token" if was_saved => killed_after += 1,
            "token" => killed_before += 1,
            _ => {
                assert!(rotated_unsaved, "round {round}: {killed:?} {after:?}");
                killed_between += 1;
            }
        }
    }
    println!(
        "killed before the answer {killed_before}, between {killed_between}, after the write {killed_after}"
    );
    assert!(killed_before > 0);
}
