//! The three forms of an HTTP-date (RFC 9110 section 5.6.7).

use crate::error::Error;
use crate::time::UnixTime;

/// Reads an HTTP-date: IMF-fixdate, rfc850-date or asctime-date (RFC 9110 section 5.6.7).
///
/// The result is in seconds since 1970-01-01T00:00:00Z; an earlier date is 0, and the leap second `:60` is
/// the first second of the next minute. The name of the day must be one, but need not be that of the date.
/// White space around the value is ignored.
///
/// The year of an rfc850-date has two digits: it is the latest such year that puts the date at most 50 years
/// after `now`. Without `now` that form is refused.
///
/// # Errors
///
/// - [`Error::InvalidHttpDate`]: none of the three forms, or no date of the calendar.
///
/// ```
/// use tokenward::wire::http_date;
/// use tokenward::UnixTime;
///
/// assert_eq!(http_date(b"Sun, 06 Nov 1994 08:49:37 GMT", None), Ok(UnixTime::from_secs(784_111_777)));
/// ```
pub fn http_date(value: &[u8], now: Option<UnixTime>) -> Result<UnixTime, Error> {
    read(trim_ows(value), now).ok_or(Error::InvalidHttpDate)
}

/// The value without optional white space around it (RFC 9110 section 5.6.3).
pub(crate) fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn read(value: &[u8], now: Option<UnixTime>) -> Option<UnixTime> {
    let mut cursor = Cursor(value);
    let day_name = cursor.take(3)?;
    let (_, rest_of_long_name) = DAYS.iter().find(|(short, _)| *short == day_name)?;
    let date = if cursor.literal(b", ").is_some() {
        imf_fixdate(&mut cursor)
    } else if cursor.literal(b" ").is_some() {
        asctime_date(&mut cursor)
    } else {
        cursor.literal(rest_of_long_name)?;
        cursor.literal(b", ")?;
        rfc850_date(&mut cursor, now?)
    }?;
    (cursor.0.is_empty() && date.exists()).then(|| date.unix_time())
}

/// `06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(cursor: &mut Cursor<'_>) -> Option<Date> {
    let day = cursor.number(2)?;
    cursor.literal(b" ")?;
    let month = cursor.month()?;
    cursor.literal(b" ")?;
    let year = cursor.number(4)?;
    cursor.literal(b" ")?;
    let second = cursor.time_of_day()?;
    cursor.literal(b" GMT")?;
    Some(Date { year, month, day, second })
}

/// `06-Nov-94 08:49:37 GMT`
fn rfc850_date(cursor: &mut Cursor<'_>, now: UnixTime) -> Option<Date> {
    let day = cursor.number(2)?;
    cursor.literal(b"-")?;
    let month = cursor.month()?;
    cursor.literal(b"-")?;
    let short_year = cursor.number(2)?;
    cursor.literal(b" ")?;
    let second = cursor.time_of_day()?;
    cursor.literal(b" GMT")?;
    let date = |year| Date { year, month, day, second };
    // A date is at most 50 years after now where the same date 50 years earlier is not after now.
    let in_reach = |year: &u32| date(year.wrapping_sub(50)).unix_time() <= now;
    let in_century = |century: u32| century.wrapping_mul(100).wrapping_add(short_year);
    let year = (20..100).map(in_century).take_while(in_reach).last();
    Some(date(year.unwrap_or(in_century(19))))
}

/// `Nov  6 08:49:37 1994`
fn asctime_date(cursor: &mut Cursor<'_>) -> Option<Date> {
    let month = cursor.month()?;
    cursor.literal(b" ")?;
    let day = if cursor.literal(b" ").is_some() { cursor.number(1) } else { cursor.number(2) }?;
    cursor.literal(b" ")?;
    let second = cursor.time_of_day()?;
    cursor.literal(b" ")?;
    let year = cursor.number(4)?;
    Some(Date { year, month, day, second })
}

/// The name of a day in IMF-fixdate and asctime-date, and what rfc850-date adds to it.
const DAYS: [(&[u8], &[u8]); 7] = [
    (b"Mon", b"day"),
    (b"Tue", b"sday"),
    (b"Wed", b"nesday"),
    (b"Thu", b"rsday"),
    (b"Fri", b"day"),
    (b"Sat", b"urday"),
    (b"Sun", b"day"),
];

const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn literal(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// A number of so many digits, four at most.
    fn number(&mut self, digits: usize) -> Option<u32> {
        self.take(digits)?.iter().try_fold(0_u32, |number, byte| {
            let digit = char::from(*byte).to_digit(10)?;
            Some(number.wrapping_mul(10).wrapping_add(digit))
        })
    }

    /// `Jan` is 1.
    fn month(&mut self) -> Option<u32> {
        let name = self.take(3)?;
        (1..=12).zip(MONTHS.chunks_exact(3)).find(|(_, month)| *month == name).map(|(number, _)| number)
    }

    /// `08:49:37`, in seconds since midnight; 86,400 for the leap second of a day's end.
    fn time_of_day(&mut self) -> Option<u32> {
        let hour = self.number(2)?;
        self.literal(b":")?;
        let minute = self.number(2)?;
        self.literal(b":")?;
        let second = self.number(2)?;
        let minutes = hour.wrapping_mul(60).wrapping_add(minute);
        (hour <= 23 && minute <= 59 && second <= 60).then(|| minutes.wrapping_mul(60).wrapping_add(second))
    }
}

/// A date of the Gregorian calendar, also before there was one. The year has four digits at most.
struct Date {
    year: u32,
    /// 1–12, as read.
    month: u32,
    /// As read: 0–99.
    day: u32,
    /// Seconds since midnight.
    second: u32,
}

impl Date {
    fn exists(&self) -> bool {
        let of = |years| self.year.is_multiple_of(years);
        let leap_year = of(4) && (!of(100) || of(400));
        let days = match self.month {
            2 if leap_year => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        (1..=days).contains(&self.day)
    }

    /// Saturates at 1970. Nothing wraps: the numbers read are small, and 400 years go on top.
    fn unix_time(&self) -> UnixTime {
        /// What `days` is on 1970-01-01.
        const EPOCH: u32 = 865_566;
        // Years start in March: the leap day is the last, and every five months have 153 days.
        let (year, month) = match self.month {
            1 | 2 => (self.year.wrapping_add(399), self.month.wrapping_add(9)),
            _ => (self.year.wrapping_add(400), self.month.wrapping_sub(3)),
        };
        let leap_days = (year / 4).wrapping_sub(year / 100).wrapping_add(year / 400);
        let month_days = month.wrapping_mul(153).wrapping_add(2) / 5;
        let days =
            year.wrapping_mul(365).wrapping_add(leap_days).wrapping_add(month_days).wrapping_add(self.day);
        let seconds = days
            .checked_sub(EPOCH)
            .map(|days| u64::from(days).wrapping_mul(86_400).wrapping_add(u64::from(self.second)));
        UnixTime::from_secs(seconds.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;
    use std::string::String;

    use super::http_date;
    use crate::error::Error;
    use crate::time::UnixTime;

    const DAY: u64 = 86_400;
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

    fn read(value: &str) -> Option<u64> {
        http_date(value.as_bytes(), None).ok().map(UnixTime::as_secs)
    }

    fn read_at(now: u64, value: &str) -> Option<u64> {
        http_date(value.as_bytes(), Some(UnixTime::from_secs(now))).ok().map(UnixTime::as_secs)
    }

    /// Unix seconds of a date that the test spells itself.
    fn at(imf_fixdate: &str) -> u64 {
        read(imf_fixdate).unwrap_or(u64::MAX)
    }

    #[test]
    fn the_three_examples_of_the_rfc_are_one_instant() {
        let now = 1_000_000_000;
        assert_eq!(read_at(now, "Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(read_at(now, "Sunday, 06-Nov-94 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(read_at(now, "Sun Nov  6 08:49:37 1994"), Some(784_111_777));
    }

    #[test]
    fn every_day_from_1970_to_2200_is_read_in_all_three_forms() {
        let mut days = 0_u64;
        for year in 1970..=2200_u32 {
            let leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
            let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, length) in MONTHS.into_iter().zip(lengths) {
                for day in 1..=length {
                    let name = DAYS.into_iter().cycle().nth(usize::try_from((days + 3) % 7).unwrap_or(0));
                    let long = name.unwrap_or("");
                    let short: String = long.chars().take(3).collect();
                    let start = days * DAY;
                    let expected = Some(start + 86_399);
                    let imf = format!("{short}, {day:02} {month} {year} 23:59:59 GMT");
                    let asctime = format!("{short} {month} {day:2} 23:59:59 {year}");
                    let rfc850 = format!("{long}, {day:02}-{month}-{:02} 23:59:59 GMT", year % 100);
                    assert_eq!(read(&imf), expected, "{imf}");
                    assert_eq!(read(&asctime), expected, "{asctime}");
                    for years in [0, 49] {
                        assert_eq!(read_at(start + years * 365 * DAY, &rfc850), expected, "{rfc850}");
                        let earlier = start.saturating_sub(years * 365 * DAY);
                        assert_eq!(read_at(earlier, &rfc850), expected, "{rfc850}");
                    }
                    days += 1;
                }
                let after = format!("Mon, {:02} {month} {year} 00:00:00 GMT", length + 1);
                assert_eq!(read(&after), None, "{after}");
            }
        }
        assert_eq!(days * DAY, 7_289_654_400);
    }

    #[test]
    fn every_second_of_a_day_is_read() {
        for second in 0..DAY {
            let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
            assert_eq!(read(&format!("Fri Jan  2 {h:02}:{m:02}:{s:02} 1970")), Some(DAY + second));
        }
    }

    #[test]
    fn a_leap_second_is_the_start_of_the_next_minute() {
        assert_eq!(read("Sat, 31 Dec 2016 23:59:60 GMT"), Some(1_483_228_800));
        assert_eq!(read("Sun, 01 Jan 2017 00:00:00 GMT"), Some(1_483_228_800));
        assert_eq!(read("Sat, 31 Dec 2016 23:59:61 GMT"), None);
        assert_eq!(read("Wed, 31 Dec 1969 23:59:60 GMT"), Some(0));
    }

    #[test]
    fn a_date_before_1970_is_the_epoch_but_must_exist() {
        assert_eq!(read("Wed, 31 Dec 1969 23:59:59 GMT"), Some(0));
        assert_eq!(read("Mon, 01 Jan 0000 00:00:00 GMT"), Some(0));
        assert_eq!(read("Thu, 29 Feb 1900 00:00:00 GMT"), None);
        assert_eq!(read("Tue, 29 Feb 2000 00:00:00 GMT"), Some(951_782_400));
    }

    #[test]
    fn the_last_date_of_the_grammar_is_the_last_second_of_9999() {
        assert_eq!(read("Fri, 31 Dec 9999 23:59:59 GMT"), Some(253_402_300_799));
    }

    #[test]
    fn the_name_of_the_day_need_not_be_that_of_the_date_but_of_its_form() {
        assert_eq!(read("Mon, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        for wrong in [
            "Foo, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06 Nov 1994 08:49:37 GMT",
            "Sunday Nov  6 08:49:37 1994",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sunsday, 06-Nov-94 08:49:37 GMT",
        ] {
            assert_eq!(read_at(0, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn anything_but_the_strict_grammar_is_refused() {
        for wrong in [
            "",
            " ",
            "0",
            "sun, 06 Nov 1994 08:49:37 GMT",
            "SUN, 06 NOV 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 gmt",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun,  6 Nov 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 06 Nov 1994  08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT.",
            "Sun, 06 Nov 1994 08:49:37 GMT\r",
            "Sun, 06 Nov +994 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sunday, 06 Nov 94 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov  0 08:49:37 1994",
            "Sun Nov 06 08:49:37 94",
            "Sun Nov  6 08:49:37 1994 GMT",
        ] {
            let refused = http_date(wrong.as_bytes(), Some(UnixTime::from_secs(0)));
            assert_eq!(refused, Err(Error::InvalidHttpDate), "{wrong}");
        }
        assert_eq!(read("Sun Nov 06 08:49:37 1994"), Some(784_111_777));
    }

    #[test]
    fn white_space_around_a_date_is_ignored() {
        assert_eq!(read(" \tSun, 06 Nov 1994 08:49:37 GMT\t "), Some(784_111_777));
    }

    #[test]
    fn a_two_digit_year_needs_a_wall_clock() {
        assert_eq!(read("Sunday, 06-Nov-94 08:49:37 GMT"), None);
    }

    #[test]
    fn an_rfc850_date_exactly_fifty_years_ahead_is_in_the_future() {
        let now = at("Fri, 06 Nov 2026 08:49:37 GMT");
        let ahead = at("Fri, 06 Nov 2076 08:49:37 GMT");
        assert_eq!(read_at(now, "Friday, 06-Nov-76 08:49:37 GMT"), Some(ahead));
    }

    #[test]
    fn an_rfc850_year_more_than_fifty_years_ahead_is_the_most_recent_past_one() {
        let now = at("Fri, 06 Nov 2026 08:49:37 GMT");
        let past = at("Sat, 06 Nov 1976 08:49:38 GMT");
        assert_eq!(read_at(now, "Saturday, 06-Nov-76 08:49:38 GMT"), Some(past));
        assert_eq!(
            read_at(now, "Saturday, 01-Jan-77 00:00:00 GMT"),
            Some(at("Sat, 01 Jan 1977 00:00:00 GMT"))
        );
    }

    #[test]
    fn an_rfc850_year_may_lie_in_the_next_century() {
        let now = at("Sun, 01 Jan 2090 00:00:00 GMT");
        let next = at("Fri, 01 Jan 2106 00:00:00 GMT");
        assert_eq!(read_at(now, "Friday, 01-Jan-06 00:00:00 GMT"), Some(next));
    }

    #[test]
    fn an_rfc850_leap_day_must_exist_in_the_year_it_stands_for() {
        let leap_day = "Tuesday, 29-Feb-00 00:00:00 GMT";
        assert_eq!(read_at(at("Thu, 01 Jan 2026 00:00:00 GMT"), leap_day), Some(951_782_400));
        assert_eq!(read_at(at("Tue, 01 Jan 2069 00:00:00 GMT"), leap_day), None);
    }

    #[test]
    fn an_rfc850_date_is_read_on_any_clock() {
        let date = "Sunday, 06-Nov-94 08:49:37 GMT";
        assert_eq!(read_at(0, date), Some(784_111_777));
        assert_eq!(read_at(0, "Friday, 31-Dec-21 00:00:00 GMT"), Some(0));
        assert_eq!(read_at(u64::MAX, date), read("Sun, 06 Nov 9994 08:49:37 GMT"));
    }

    #[test]
    fn any_byte_anywhere_is_read_or_refused() {
        let now = Some(UnixTime::from_secs(784_111_777));
        for date in [
            &b"Sun, 06 Nov 1994 08:49:37 GMT"[..],
            b"Sunday, 06-Nov-94 08:49:37 GMT",
            b"Sun Nov  6 08:49:37 1994",
        ] {
            for position in 0..date.len() {
                for byte in 0..=u8::MAX {
                    let mut changed = date.to_vec();
                    changed.iter_mut().skip(position).take(1).for_each(|place| *place = byte);
                    let read = http_date(&changed, now);
                    assert!(read.is_ok() || read == Err(Error::InvalidHttpDate));
                    if !byte.is_ascii() {
                        assert_eq!(read, Err(Error::InvalidHttpDate));
                    }
                }
                let cut: std::vec::Vec<u8> = date.iter().copied().take(position).collect();
                assert_eq!(http_date(&cut, now), Err(Error::InvalidHttpDate));
            }
        }
    }
}
