//! A date or a delay is a number that stands for what was written, or nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenward::UnixTime;
use tokenward::wire::{http_date, retry_after};

fuzz_target!(|input: (Option<u64>, &[u8])| {
    let (now, value) = input;
    let now = now.map(UnixTime::from_secs);
    let date = http_date(value, now);
    if date.is_ok() {
        assert!((24..=33).contains(&value.trim_ascii().len()), "no form is so long");
    }
    if let (Ok(date), Ok(seconds), Some(now)) = (date, retry_after(value, now), now) {
        assert_eq!(seconds, date.saturating_secs_since(now));
    }
});
