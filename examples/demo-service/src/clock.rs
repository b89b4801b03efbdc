//! The service's clock: expiry is judged on it alone, so that a demo can compress time.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// 9999-12-31T23:59:59Z, the last second that an HTTP-date can write.
const LAST_HTTP_DATE: u64 = 253_402_300_799;

/// A clock in whole Unix seconds. Clones share what [`Clock::advance`] added, so one clock given to
/// several services moves all of them.
///
/// ```
/// use tokenward_demo_service::Clock;
///
/// let clock = Clock::from_fn(|| 784_111_777);
/// clock.advance(60);
/// assert_eq!(clock.now(), 784_111_837);
/// assert_eq!(clock.http_date(0), "Sun, 06 Nov 1994 08:50:37 GMT");
/// ```
#[derive(Clone)]
pub struct Clock {
    source: Arc<dyn Fn() -> u64 + Send + Sync>,
    advanced: Arc<AtomicU64>,
}

impl Clock {
    /// A clock that reads the caller's closure, which answers Unix seconds.
    #[must_use]
    pub fn from_fn(source: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Clock { source: Arc::new(source), advanced: Arc::new(AtomicU64::new(0)) }
    }

    /// The system's wall clock.
    #[must_use]
    pub fn system() -> Self {
        Clock::from_fn(system_now)
    }

    /// Starts at the system's wall clock and runs `speed` times as fast.
    #[must_use]
    pub fn accelerated(speed: f64) -> Self {
        let (base, start) = (system_now(), Instant::now());
        Clock::from_fn(move || base.saturating_add((start.elapsed().as_secs_f64() * speed) as u64))
    }

    /// The Unix time now, in seconds.
    #[must_use]
    pub fn now(&self) -> u64 {
        (self.source)().saturating_add(self.advanced.load(Ordering::SeqCst))
    }

    /// Moves the clock ahead by `seconds`, at once.
    pub fn advance(&self, seconds: u64) {
        // Saturating, as `now` is: the closure always answers `Some`.
        let _ = self.advanced.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |advanced| {
            Some(advanced.saturating_add(seconds))
        });
    }

    /// The HTTP-date (RFC 9110 5.6.7) `seconds` from now, as `Retry-After` may carry it.
    #[must_use]
    pub fn http_date(&self, seconds: u64) -> String {
        let unix = self.now().saturating_add(seconds).min(LAST_HTTP_DATE);
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(unix))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Clock::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).finish()
    }
}

fn system_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
