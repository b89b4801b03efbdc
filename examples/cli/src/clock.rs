//! The two clocks of a machine, and dates for people.

use std::time::{SystemTime, UNIX_EPOCH};

use tokenward::{Instant, UnixTime};

/// The machine's monotonic clock, sleep included: a laptop's lid does not stretch a token's life.
pub(crate) fn now() -> Instant {
    #[cfg(unix)]
    {
        use rustix::time::{ClockId, clock_gettime};
        #[cfg(any(target_os = "linux", target_os = "android"))]
        const CLOCK: ClockId = ClockId::Boottime;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        const CLOCK: ClockId = ClockId::Monotonic;
        let time = clock_gettime(CLOCK);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let millis = u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000;
        Instant::from_millis(seconds.saturating_mul(1000).saturating_add(millis))
    }
    #[cfg(not(unix))]
    {
        use std::sync::OnceLock;
        static START: OnceLock<std::time::Instant> = OnceLock::new();
        let since = START.get_or_init(std::time::Instant::now).elapsed().as_millis();
        Instant::from_millis(u64::try_from(since).unwrap_or(u64::MAX))
    }
}

/// The time of day; none on a machine whose clock is not set.
pub(crate) fn wall() -> Option<UnixTime> {
    // A machine without a battery starts in 1970, or with the date of its firmware.
    const SET: u64 = 1_700_000_000;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    (since >= SET).then_some(UnixTime::from_secs(since))
}

/// `1994-11-06T08:49:37Z`, by the proleptic Gregorian calendar.
pub(crate) fn rfc3339(time: UnixTime) -> String {
    let (days, second) = (time.as_secs() / 86_400, time.as_secs() % 86_400);
    // Counted in eras of 400 years from 1 March of year 0, so that a leap day is an era's last.
    let day = days.saturating_add(719_468);
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era.saturating_mul(400).saturating_add(year + carry);
    let (hour, minute, second) = (second / 3600, second % 3600 / 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::rfc3339;
    use tokenward::UnixTime;

    #[test]
    fn a_unix_time_is_written_as_a_date() {
        let written = |seconds| rfc3339(UnixTime::from_secs(seconds));
        assert_eq!(written(0), "1970-01-01T00:00:00Z");
        assert_eq!(written(784_111_777), "1994-11-06T08:49:37Z");
        assert_eq!(written(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(written(4_107_542_399), "2100-02-28T23:59:59Z");
        assert_eq!(written(4_107_542_400), "2100-03-01T00:00:00Z");
        assert_eq!(written(253_402_300_799), "9999-12-31T23:59:59Z");
    }
}
