//! ASCII as the RFCs count on it: characters of a set, names without case, digits.

use crate::machine::inlined_if_wide;

inlined_if_wide! {
    /// Whether `byte` is a letter, a digit, or one of `others`.
    #[expect(clippy::manual_contains, reason = "`contains` is a search made for long texts, and itself long")]
    pub(crate) fn is_alphanumeric_or(byte: u8, others: &[u8]) -> bool {
        byte.is_ascii_alphanumeric() || others.iter().any(|other| *other == byte)
    }
}

inlined_if_wide! {
    /// Whether both are the same name, whatever the case.
    pub(crate) fn eq_ignore_case(one: &[u8], other: &[u8]) -> bool {
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.eq_ignore_ascii_case(other))
    }
}

/// The value of a decimal digit.
pub(crate) const fn decimal(byte: u8) -> Option<u8> {
    if byte.is_ascii_digit() { Some(byte & 0xF) } else { None }
}

inlined_if_wide! {
    /// The value of a hexadecimal digit.
    pub(crate) const fn hexadecimal(byte: u8) -> Option<u8> {
        match byte {
            b'0'..=b'9' => Some(byte & 0xF),
            b'A'..=b'F' | b'a'..=b'f' => Some((byte & 0xF).wrapping_add(9)),
            _ => None,
        }
    }
}

inlined_if_wide! {
    /// `number` with one more decimal digit; `None` where that is too large.
    pub(crate) fn with_digit(number: u64, digit: u8) -> Option<u64> {
        const TENTH: u64 = u64::MAX / 10;
        if number > TENTH {
            return None;
        }
        // Ten times by shifts: a product of 64 bits is long where registers have 32.
        (number << 3).wrapping_add(number << 1).checked_add(u64::from(digit))
    }
}

/// The lowest eight bits.
pub(crate) const fn low_byte(word: u32) -> u8 {
    let [low, ..] = word.to_le_bytes();
    low
}
