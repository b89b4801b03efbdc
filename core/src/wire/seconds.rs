//! A number of JSON as whole seconds.

use crate::ascii::{decimal, with_digit};
use crate::time::quotient;
use crate::wire::json_str::JsonStr;

/// The number that these digits are, if they are few enough for 32 bits: what most numbers of seconds are.
pub(crate) fn few_digits(digits: &[u8]) -> Option<u64> {
    let few = (1..=9).contains(&digits.len()).then_some(0_u32);
    let append =
        |number: u32, byte: &u8| Some(number.wrapping_mul(10).wrapping_add(u32::from(decimal(*byte)?)));
    digits.iter().try_fold(few?, append).map(u64::from)
}

/// The seconds of a member that is a number, or a string of digits alone; `None` if it is neither, or negative.
#[inline(always)]
pub(crate) fn told_seconds(value: JsonStr<'_>, is_string: bool) -> Option<u64> {
    let is_number = match value.as_plain() {
        Some([b'-' | b'0'..=b'9', ..]) => true,
        // Of a text the digits may be escaped.
        plain => is_string && !matches!(plain, Some([])),
    };
    if is_number { seconds_of(value.bytes(), is_string) } else { None }
}

/// A number of seconds, floored and saturating; `None` if it is negative (`-0` too).
pub(crate) fn whole_seconds(number: impl Iterator<Item = u8>) -> Option<u64> {
    seconds_of(number, false)
}

/// The same, or of digits alone.
fn seconds_of(number: impl Iterator<Item = u8>, of_digits: bool) -> Option<u64> {
    let mut seconds = Seconds { digits: 0, fits: true, scale: 0, exponent: 0, part: Part::Whole };
    for byte in number {
        if of_digits && decimal(byte).is_none() {
            return None;
        }
        seconds.read(byte)?;
    }
    Some(seconds.whole())
}

/// A number while it is read.
struct Seconds {
    /// The digits so far, as far as they fit.
    digits: u64,
    /// All did fit; behind the first that does not all are left out.
    fits: bool,
    /// The power of ten that the last digit in `digits` counts.
    scale: i32,
    exponent: i32,
    part: Part,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Whole,
    Fraction,
    Exponent,
    NegativeExponent,
}

impl Seconds {
    #[inline(never)]
    fn read(&mut self, byte: u8) -> Option<()> {
        let Some(digit) = decimal(byte) else {
            self.part = match (byte, self.part) {
                (b'.', _) => Part::Fraction,
                (b'-', Part::Whole) => return None,
                (b'-', _) => Part::NegativeExponent,
                _ => Part::Exponent,
            };
            return Some(());
        };
        if let Part::Exponent | Part::NegativeExponent = self.part {
            self.exponent = self.exponent.saturating_mul(10).saturating_add(i32::from(digit));
            return Some(());
        }
        match with_digit(self.digits, digit).filter(|_| self.fits) {
            Some(digits) => {
                self.digits = digits;
                self.scale = self.scale.wrapping_sub(i32::from(self.part == Part::Fraction));
            }
            None => {
                self.fits = false;
                self.scale = self.scale.wrapping_add(i32::from(self.part == Part::Whole));
            }
        }
        Some(())
    }

    #[inline(never)]
    fn whole(self) -> u64 {
        let negative = self.part == Part::NegativeExponent;
        let exponent = if negative { self.exponent.wrapping_neg() } else { self.exponent };
        let mut scale = self.scale.saturating_add(exponent);
        let mut seconds = self.digits;
        if scale > 0 && !self.fits {
            return u64::MAX;
        }
        while scale < 0 && seconds != 0 {
            seconds = quotient(seconds, 10);
            scale = scale.wrapping_add(1);
        }
        while scale > 0 && seconds != 0 {
            match with_digit(seconds, 0) {
                Some(more) => seconds = more,
                None => return u64::MAX,
            }
            scale = scale.wrapping_sub(1);
        }
        seconds
    }
}
