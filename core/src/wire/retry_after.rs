//! The Retry-After field (RFC 9110 section 10.2.3).

use crate::ascii::{decimal, with_digit};
use crate::error::Error;
use crate::time::UnixTime;
use crate::wire::http_date::{http_date, trim_ows};

/// Seconds from now until a `Retry-After` field lets the request be sent again (RFC 9110 section 10.2.3).
///
/// A value is a number of seconds, or an HTTP-date, which needs `now`; a date in the past is 0. A number above
/// `u64::MAX` saturates. Some servers send more than the RFC has: a fraction counts as the next whole second, and of
/// several values, with commas between them or on lines of their own (a line feed between them), the longest counts.
/// A line with anything else in it does not count. White space around a value is ignored.
///
/// # Errors
///
/// - [`Error::InvalidRetryAfter`]: no line counts.
///
/// ```
/// use tokenward::wire::retry_after;
/// use tokenward::UnixTime;
///
/// assert_eq!(retry_after(b"120", None), Ok(120));
/// assert_eq!(retry_after(b"0.5, 2", None), Ok(2));
/// let now = UnixTime::from_secs(784_111_717);
/// assert_eq!(retry_after(b"Sun, 06 Nov 1994 08:49:37 GMT", Some(now)), Ok(60));
/// ```
pub fn retry_after(value: &[u8], now: Option<UnixTime>) -> Result<u64, Error> {
    let lines = value.split(|byte| *byte == b'\n');
    lines.filter_map(|line| longest(line, now)).max().ok_or(Error::InvalidRetryAfter)
}

/// The longest of the values of one line.
fn longest(mut line: &[u8], now: Option<UnixTime>) -> Option<u64> {
    let mut longest = 0;
    loop {
        let (first, behind) = element(line, 1);
        let (seconds, rest) = match delay_seconds(first).or_else(|| date_seconds(first, now)) {
            Some(seconds) => (seconds, behind),
            None => {
                // Two of the three forms of a date have a comma.
                let (date, behind) = element(line, 2);
                (date_seconds(date, now)?, behind)
            }
        };
        longest = seconds.max(longest);
        match rest {
            Some(rest) => line = rest,
            None => return Some(longest),
        }
    }
}

/// What stands before the first comma, or the second, and what stands behind it.
fn element(line: &[u8], commas: usize) -> (&[u8], Option<&[u8]>) {
    let mut left = commas;
    let mut parts = line.splitn(2, |byte| {
        left = left.saturating_sub(usize::from(*byte == b','));
        left == 0
    });
    (trim_ows(parts.next().unwrap_or_default()), parts.next())
}

/// The form that is a date.
fn date_seconds(value: &[u8], now: Option<UnixTime>) -> Option<u64> {
    let date = http_date(value, now).ok()?;
    Some(date.saturating_secs_since(now?))
}

/// The form that is a number of seconds, with what the RFC does not have: a fraction, which is rounded up.
fn delay_seconds(value: &[u8]) -> Option<u64> {
    let mut parts = value.splitn(2, |byte| *byte == b'.');
    let seconds = digits(parts.next()?)?;
    let fraction = parts.next().map_or(Some(0), digits)?;
    Some(seconds.saturating_add(u64::from(fraction > 0)))
}

fn digits(digits: &[u8]) -> Option<u64> {
    let start = (!digits.is_empty()).then_some(0)?;
    digits.iter().try_fold(start, |number, byte| {
        let digit = decimal(*byte)?;
        Some(with_digit(number, digit).unwrap_or(u64::MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::retry_after;
    use crate::{Error, UnixTime};

    const NOW: Option<UnixTime> = Some(UnixTime::from_secs(784_111_777));

    #[test]
    fn a_number_is_seconds_with_and_without_a_wall_clock() {
        for now in [None, NOW] {
            assert_eq!(retry_after(b"0", now), Ok(0));
            assert_eq!(retry_after(b"120", now), Ok(120));
            assert_eq!(retry_after(b"000120", now), Ok(120));
            assert_eq!(retry_after(b" \t120\t ", now), Ok(120));
        }
    }

    #[test]
    fn a_number_saturates() {
        assert_eq!(retry_after(b"18446744073709551614", None), Ok(u64::MAX - 1));
        assert_eq!(retry_after(b"18446744073709551615", None), Ok(u64::MAX));
        assert_eq!(retry_after(b"18446744073709551616", None), Ok(u64::MAX));
        assert_eq!(retry_after(b"99999999999999999999999999999999", None), Ok(u64::MAX));
        assert_eq!(retry_after(b"9999999999999999999999999999999x", None), Err(Error::InvalidRetryAfter));
    }

    #[test]
    fn a_date_counts_from_now_in_each_form() {
        assert_eq!(retry_after(b"Sun, 06 Nov 1994 08:50:37 GMT", NOW), Ok(60));
        assert_eq!(retry_after(b" Sunday, 06-Nov-94 08:50:37 GMT ", NOW), Ok(60));
        assert_eq!(retry_after(b"Sun Nov  6 08:50:37 1994", NOW), Ok(60));
    }

    #[test]
    fn a_date_that_is_past_is_no_wait() {
        assert_eq!(retry_after(b"Sun, 06 Nov 1994 08:49:36 GMT", NOW), Ok(0));
        assert_eq!(retry_after(b"Sun, 06 Nov 1994 08:49:37 GMT", NOW), Ok(0));
        assert_eq!(retry_after(b"Fri, 31 Dec 1999 23:59:59 GMT", Some(UnixTime::from_secs(u64::MAX))), Ok(0));
    }

    #[test]
    fn a_date_needs_a_wall_clock() {
        assert_eq!(retry_after(b"Sun, 06 Nov 1994 08:50:37 GMT", None), Err(Error::InvalidRetryAfter));
    }

    #[test]
    fn a_fraction_counts_as_the_next_whole_second() {
        for (value, seconds) in [
            ("292.052427053", 293),
            ("0.503", 1),
            ("120.0", 120),
            ("1.000000000000000000000000000001", 2),
            ("18446744073709551615.5", u64::MAX),
            (" 1.5\t", 2),
        ] {
            assert_eq!(retry_after(value.as_bytes(), None), Ok(seconds), "{value}");
        }
    }

    #[test]
    fn of_several_values_the_longest_counts() {
        for (value, seconds) in [
            ("2814, 2", 2814),
            ("2,2814", 2814),
            ("1 , 2.5\t,0", 3),
            ("Sun, 06 Nov 1994 08:50:37 GMT, 2", 60),
            ("2, Sunday, 06-Nov-94 08:50:37 GMT, 1", 60),
            ("90,Sun Nov  6 08:50:37 1994", 90),
            ("Sun, 06 Nov 1994 08:50:37 GMT, Sun, 06 Nov 1994 08:51:37 GMT", 120),
            ("1\n2", 2),
            ("soon\n2", 2),
            ("2\n1, soon", 2),
        ] {
            assert_eq!(retry_after(value.as_bytes(), NOW), Ok(seconds), "{value}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            "",
            " ",
            "-1",
            "+1",
            "1.",
            ".5",
            "1.5.",
            "1.5e3",
            "1e3",
            "1 2",
            "12 s",
            "0x10",
            "soon",
            "1,",
            ",1",
            "1,,2",
            "1, soon",
            "Sun, 06 Nov 1994 08:50:37",
            "Sun, 06 Nov 1994 08:50:37 GMT,",
            "١٢",
        ] {
            assert_eq!(retry_after(wrong.as_bytes(), NOW), Err(Error::InvalidRetryAfter), "{wrong}");
        }
    }
}
