//! `token --save`, killed at any instant: what was received and used is never lost.

use std::time::Duration;

use tokenward_demo_service::{Config, Fault, Kind, Service};

use crate::process::{Running, finished, flute, grants};

const ROUNDS: u64 = 24;

/// What a kill came to.
#[derive(Clone, Copy, PartialEq)]
enum Killed {
    Before,
    Between,
    After,
}

#[test]
fn a_kill_at_any_instant_loses_no_refresh_token_that_was_saved() {
    // Side by side: after a kill between announcement and answer the next one waits, for the answer may be on its way.
    let rounds: Vec<_> = (0..ROUNDS).map(|round| std::thread::spawn(move || kill(round))).collect();
    let killed: Vec<_> = rounds.into_iter().map(|round| round.join().expect("a round")).collect();
    let count = |wanted| killed.iter().filter(|killed| **killed == wanted).count();
    let (before, between, after) = (count(Killed::Before), count(Killed::Between), count(Killed::After));
    println!("killed before the answer {before}, between {between}, after the write {after}");
    assert!(before > 0 && after > 0);
}

/// Instants from before the start to after the write, denser where the answer comes.
fn kill(round: u64) -> Killed {
    let folder = tempfile::tempdir().expect("a directory");
    let service = Service::start(Kind::Flute, Config::default()).expect("a service");
    let save = folder.path().join("flute");
    let renewed = || finished(flute(&service, Some(&save)).arg("--renew"), b"");
    // What is kept, which is usable: nothing is sent for it.
    let kept = || finished(flute(&service, Some(&save)).arg("--json"), b"").json()["generation"].as_u64();
    assert_eq!(renewed().status, 0);
    assert_eq!(kept(), Some(1));

    let seen = grants(&service).len();
    // Sometimes the answer is late, so that the kill finds the request out.
    if round.is_multiple_of(3) {
        service.fault(Fault::Slow { milliseconds: 10 });
    }
    let mut command = flute(&service, Some(&save));
    let mut running = Running::start(command.args(["--renew", "--keep", "--json", "--timeout", "1"]));
    // From the start, from the request, or from when the token was told of.
    match round % 4 {
        0 => {}
        1 => drop(running.event("token")),
        _ => drop(running.event("request")),
    }
    std::thread::sleep(Duration::from_micros(700 * round + 137));
    running.child.kill().and_then(|()| running.child.wait()).expect("a kill");
    drop(running);
    // The first write announces the refresh, the second one stores its answer.
    let was_saved = kept() == Some(2);
    let output = renewed();
    assert_eq!(output.status, 0, "round {round}: {}", output.err);
    // What the killed process had sent, and then what the next one sent, which has waited for that.
    let sent = grants(&service).split_off(seen);
    let is = |at: &(String, String), outcome: &str| at.0 == "refresh_token" && at.1 == outcome;
    match sent.iter().position(|at| is(at, "invalid_grant")) {
        // Each refresh token is good that was there to be presented …
        None => {
            assert!(sent.iter().all(|at| is(at, "token")), "round {round}: {sent:?}");
            if was_saved { Killed::After } else { Killed::Before }
        }
        // … but where the kill fell between the server's rotation and the write.
        Some(refused) => {
            let rotated = sent.iter().take(refused).any(|at| is(at, "token"));
            assert!(rotated && !was_saved, "round {round}: {sent:?}");
            Killed::Between
        }
    }
}
