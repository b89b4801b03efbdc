//! Time for a demo: real while something is sent, compressed while the core waits.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as Real, SystemTime, UNIX_EPOCH};

use tokenward::{Instant, UnixTime};

/// The clock that the core and the services share.
pub(super) struct DemoClock {
    started_at: u64,
    pace: Mutex<Pace>,
}

/// From `since` on, which was `millis` here, time runs `speed` times as fast, up to `limit`.
struct Pace {
    since: Real,
    millis: f64,
    speed: f64,
    limit: f64,
}

impl Pace {
    fn millis(&self) -> f64 {
        (self.millis + self.since.elapsed().as_secs_f64() * 1000.0 * self.speed).min(self.limit)
    }
}

impl DemoClock {
    pub(super) fn new() -> Self {
        let started_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let pace = Pace { since: Real::now(), millis: 0.0, speed: 1.0, limit: f64::INFINITY };
        Self { started_at, pace: Mutex::new(pace) }
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_millis(self.pace().millis() as u64)
    }

    pub(super) fn unix(&self) -> u64 {
        self.started_at.saturating_add(self.now().as_millis() / 1000)
    }

    pub(super) fn wall(&self) -> UnixTime {
        UnixTime::from_secs(self.unix())
    }

    /// Lets time run `speed` times as fast until it is exactly `until`.
    pub(super) fn wait_until(&self, until: Instant, speed: f64) {
        let until = until.as_millis() as f64;
        let from = self.pace().millis();
        if until <= from {
            return;
        }
        self.set(from, speed, until);
        std::thread::sleep(
            Duration::try_from_secs_f64((until - from) / 1000.0 / speed).unwrap_or(Duration::MAX),
        );
        self.set(until, 1.0, f64::INFINITY);
    }

    fn set(&self, millis: f64, speed: f64, limit: f64) {
        *self.pace() = Pace { since: Real::now(), millis, speed, limit };
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
