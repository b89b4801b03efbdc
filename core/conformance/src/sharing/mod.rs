//! Processes that share one storage, simulated with the real core: every step of the one loop takes its time, processes
//! crash and sleep, writes tear, answers are lost, clocks differ, people sign in and out. What comes of it is judged by
//! who knows everything.

mod service;
mod tally;
mod world;

use std::thread;

pub use tally::Tally;
use world::World;

/// What may happen in a run.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// What it is called.
    pub name: &'static str,
    /// How many processes there are at least and at most.
    processes: (u64, u64),
    /// Wall clocks differ by none or this many seconds, either way.
    clocks_apart_s: u64,
    /// One process may have no wall clock.
    without_clock: bool,
    /// Processes may have different timeouts.
    timeouts: bool,
    /// Of a thousand requests, how many end with a crash; as often it comes in a step of the loop.
    crashes: u64,
    /// A write that fails or is cut off by a crash may leave half of it. Then there are two slots.
    torn: bool,
    /// Of a thousand answers, how many take half of the timeout or longer.
    slow: u64,
    /// Of a thousand answers, how many are lost.
    lost: u64,
    /// Credentials sometimes take long.
    late_credentials: bool,
    /// Of a thousand requests, how many are crossed by a sign-out or a sign-in; people also come and go by themselves.
    users: Option<u64>,
    /// Storage cannot be read, or is full, for a while.
    outages: bool,
    /// Somebody deletes storage.
    deletions: bool,
    /// Processes sleep.
    sleeps: bool,
    /// Processes may start later.
    late_starts: bool,
    /// Apps come to the foreground.
    reloads: bool,
    /// Storage is one process's own.
    own: bool,
    /// Room is proved before a refresh.
    prove_room: bool,
    /// There is a primary grant: none, client credentials, or a password.
    primary: Primary,
    /// How long the service takes the refresh token before the current one, in milliseconds.
    grace_ms: u64,
    /// How long a run is.
    hours: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Primary {
    None,
    Credentials,
    Password,
}

const CALM: Setting = Setting {
    name: "calm",
    processes: (2, 3),
    clocks_apart_s: 0,
    without_clock: false,
    timeouts: false,
    crashes: 0,
    torn: false,
    slow: 0,
    lost: 2,
    late_credentials: false,
    users: None,
    outages: false,
    deletions: false,
    sleeps: false,
    late_starts: false,
    reloads: false,
    own: false,
    prove_room: false,
    primary: Primary::None,
    grace_ms: 0,
    hours: 4,
};
const C0: Setting =
    Setting { name: "c0", crashes: 100, torn: true, slow: 20, late_credentials: true, ..CALM };
const C3A: Setting = Setting { name: "c3a", clocks_apart_s: 3, torn: false, ..C0 };
const TIMEOUTS: Setting = Setting { name: "tmo", timeouts: true, ..C3A };
const NO_WALL: Setting = Setting { name: "nowall", without_clock: true, ..TIMEOUTS };
const ALL: Setting = Setting {
    name: "all",
    torn: true,
    users: Some(20),
    outages: true,
    deletions: true,
    sleeps: true,
    late_starts: true,
    reloads: true,
    ..NO_WALL
};
const PRIMARY: Setting =
    Setting { name: "primary", users: None, deletions: false, primary: Primary::Credentials, ..ALL };
const OWN: Setting = Setting { name: "own2", processes: (1, 1), own: true, deletions: false, ..ALL };

/// Every setting.
pub const SETTINGS: &[Setting] = &[
    CALM,
    C0,
    Setting { name: "c1", clocks_apart_s: 1, ..C0 },
    Setting { name: "c3", clocks_apart_s: 3, ..C0 },
    C3A,
    TIMEOUTS,
    NO_WALL,
    Setting { name: "users", users: Some(300), late_starts: true, hours: 1, ..NO_WALL },
    Setting { name: "outage", outages: true, ..TIMEOUTS },
    Setting { name: "delete", deletions: true, late_starts: true, ..C3A },
    Setting { name: "sleep", sleeps: true, late_starts: true, ..TIMEOUTS },
    ALL,
    Setting { name: "allatomic", torn: false, ..ALL },
    Setting { name: "grace", grace_ms: 30_000, ..ALL },
    PRIMARY,
    Setting { name: "password", primary: Primary::Password, ..PRIMARY },
    Setting { name: "one", processes: (1, 1), ..ALL },
    OWN,
    Setting { name: "own1", torn: false, ..OWN },
    Setting { name: "own1room", torn: false, prove_room: true, ..OWN },
];

impl Setting {
    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Runs it so often, from the run of number `first` on.
    #[must_use]
    pub fn simulate(&self, breach: Breach, first: u64, runs: u64) -> Tally {
        let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
        thread::scope(|scope| {
            let part = |of: u64| {
                let numbers = (first..first.saturating_add(runs)).skip(of as usize).step_by(threads as usize);
                numbers.fold(Tally::default(), |sum, run| {
                    sum.plus(&World::new(self, breach, run, false).live().0)
                })
            };
            let parts: Vec<_> = (0..threads).map(|of| scope.spawn(move || part(of))).collect();
            let tallies = parts.into_iter().map(|part| part.join().expect("a run does not panic"));
            tallies.fold(Tally::default(), |sum, tally| sum.plus(&tally))
        })
    }

    /// One run, and what happened in it, a line for each event.
    #[must_use]
    pub fn trace(&self, breach: Breach, run: u64) -> (Tally, Vec<String>) {
        World::new(self, breach, run, true).live()
    }
}

/// A rule that executors break, to show that the judgement notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// None is broken.
    None,
    /// Storage is used without its lock.
    NoLock,
    /// The lock is given back after each load and each store.
    ShortLock,
    /// What announces a refresh is said to be stored, and is not.
    SilentAnnouncements,
    /// Storage is said to be the process's own.
    SaidToBeOwn,
    /// A request is sent whenever its process wakes, and an answer waited for without end.
    NoTimeLimits,
    /// What cannot be read is said to be empty.
    UnreadableIsEmpty,
}

/// All of them, with their names.
pub const BREACHES: &[(&str, Breach)] = &[
    ("no-lock", Breach::NoLock),
    ("short-lock", Breach::ShortLock),
    ("silent-announcements", Breach::SilentAnnouncements),
    ("said-to-be-own", Breach::SaidToBeOwn),
    ("no-time-limits", Breach::NoTimeLimits),
    ("unreadable-is-empty", Breach::UnreadableIsEmpty),
];
