//! A few runs of the simulation of shared storage; `cargo xtask test sharing` makes many.

use tokenward_conformance::sharing::{Breach, Setting};

fn setting(name: &str) -> &'static Setting {
    Setting::named(name).expect("a setting")
}

#[test]
fn nothing_is_lost_or_lent_that_need_not_be() {
    for name in ["c3", "users", "all", "own2"] {
        let tally = setting(name).simulate(Breach::None, 0, 30);
        assert_eq!((tally.runs, tally.faults()), (30, Vec::new()), "{name}");
        assert!(tally.rotations > 30, "{name}: {tally:?}");
    }
}

#[test]
fn an_announcement_that_is_not_stored_is_noticed() {
    let tally = setting("sleep").simulate(Breach::SilentAnnouncements, 0, 30);
    assert!(tally.avoidable_kills() > 10, "{tally:?}");
}

#[test]
fn a_lock_that_is_not_held_is_noticed() {
    let tally = setting("sleep").simulate(Breach::ShortLock, 0, 100);
    assert!(tally.avoidable_kills() > 0, "{tally:?}");
}

#[test]
fn a_run_is_the_same_each_time() {
    let (tally, lines) = setting("all").trace(Breach::None, 7);
    let (again, lines_again) = setting("all").trace(Breach::None, 7);
    assert_eq!((tally.rotations, lines), (again.rotations, lines_again));
}
