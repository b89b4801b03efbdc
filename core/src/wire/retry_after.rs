//! The Retry-After field (RFC 9110 section 10.2.3).

use crate::ascii::{decimal, with_digit};
use crate::error::Error;
use crate::time::UnixTime;
use crate::wire::http_date::{http_date, trim_ows};

/// Seconds from now until a `Retry-After` field lets the request be sent again (RFC 9110 section 10.2.3).
///
/// The value is a number of seconds, or an HTTP-date, which needs `now`; a date in the past is 0.
/// A number above `u64::MAX` saturates. White space around the value is ignored.
///
/// # Errors
///
/// - [`Error::InvalidRetryAfter`]: neither form, or a date without `now`.
///
/// ```
/// use tokenward::wire::retry_after;
/// use tokenward::UnixTime;
///
/// assert_eq!(retry_after(b"120", None), Ok(120));
/// let now = UnixTime::from_secs(784_111_717);
/// assert_eq!(retry_after(b"Sun, 06 Nov 1994 08:49:37 GMT", Some(now)), Ok(60));
/// ```
pub fn retry_after(value: &[u8], now: Option<UnixTime>) -> Result<u64, Error> {
    let seconds = delay_seconds(value).or_else(|| {
        let now = now?;
        let date = http_date(value, Some(now)).ok()?;
        Some(date.saturating_secs_since(now))
    });
    seconds.ok_or(Error::InvalidRetryAfter)
}

/// The form that is a number of seconds.
fn delay_seconds(value: &[u8]) -> Option<u64> {
    let digits = trim_ows(value);
    let start = (!digits.is_empty()).then_some(0)?;
    digits.iter().try_fold(start, |seconds, byte| {
        let digit = decimal(*byte)?;
        Some(with_digit(seconds, digit).unwrap_or(u64::MAX))
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
    fn anything_else_is_refused() {
        for wrong in ["", " ", "-1", "+1", "1.5", "1e3", "1 2", "12 s", "0x10", "soon", "\n1", "1,2", "١٢"]
        {
            assert_eq!(retry_after(wrong.as_bytes(), NOW), Err(Error::InvalidRetryAfter), "{wrong}");
        }
    }
}
