//! ASCII as the RFCs count on it: characters of a set, names without case, digits.

use crate::machine::inlined_if_wide;

/// A set of characters: a bit in a table of all bytes.
#[derive(Clone, Copy)]
pub(crate) struct Class(u8);

impl Class {
    /// A scheme behind its first letter (RFC 3986 section 3.1).
    pub(crate) const SCHEME: Self = Self(1);
    /// A host that is a name or an IPv4 address.
    pub(crate) const HOST: Self = Self(1 << 1);
    /// The inside of an IPv6 address.
    pub(crate) const IPV6: Self = Self(1 << 2);
    /// A path: what is visible, but for what ends it and what belongs escaped.
    pub(crate) const PATH: Self = Self(1 << 3);
    /// A URL: what is visible, but for the backslash, which some readers take for a slash.
    pub(crate) const URL: Self = Self(1 << 4);
    /// What stays as it is in a segment of a path: unreserved (RFC 3986 section 2.3).
    pub(crate) const UNRESERVED: Self = Self(1 << 5);
    /// What stays as it is in `application/x-www-form-urlencoded` (RFC 6749 Appendix B).
    pub(crate) const FORM: Self = Self(1 << 6);
    /// What stays as it is in a JSON string (RFC 8259 section 7).
    pub(crate) const JSON: Self = Self(1 << 7);

    const TABLE: [u8; 256] = {
        let mut table = [0; 256];
        let (mut rest, mut byte): (&mut [u8], u8) = (&mut table, 0);
        while let [classes, behind @ ..] = rest {
            *classes = Self::of(byte);
            (rest, byte) = (behind, byte.wrapping_add(1));
        }
        table
    };

    const fn of(byte: u8) -> u8 {
        let alphanumeric = byte.is_ascii_alphanumeric();
        let url = byte.is_ascii_graphic() && byte != b'\\';
        let path = url && !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'?' | b'^' | b'`' | b'{'..=b'}');
        Self::SCHEME.holds(alphanumeric || matches!(byte, b'+' | b'-' | b'.'))
            | Self::HOST.holds(alphanumeric || matches!(byte, b'-' | b'.' | b'_'))
            | Self::IPV6.holds(byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':'))
            | Self::PATH.holds(path)
            | Self::URL.holds(url)
            | Self::UNRESERVED.holds(alphanumeric || matches!(byte, b'-' | b'.' | b'_' | b'~'))
            | Self::FORM.holds(alphanumeric || matches!(byte, b'*' | b'-' | b'.' | b'_'))
            | Self::JSON.holds(byte >= b' ' && !matches!(byte, b'"' | b'\\'))
    }

    const fn holds(self, held: bool) -> u8 {
        if held { self.0 } else { 0 }
    }

    /// Whether it has `byte`, asked where a constant is computed.
    pub(crate) const fn contains(self, byte: u8) -> bool {
        Self::of(byte) & self.0 != 0
    }

    #[inline(always)]
    fn has(self, byte: u8) -> bool {
        Self::TABLE.get(usize::from(byte)).is_some_and(|classes| classes & self.0 != 0)
    }
}

inlined_if_wide! {
    /// The characters of a class at the start of `text`, and what follows them.
    pub(crate) fn split_class(text: &[u8], class: Class) -> (&[u8], &[u8]) {
        let len = text.iter().position(|byte| !class.has(*byte)).unwrap_or(text.len());
        text.split_at_checked(len).unwrap_or_default()
    }
}

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

/// `tchar` (RFC 9110 section 5.6.2)
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~'
    ) || byte.is_ascii_alphanumeric()
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
/// `==` where a constant is computed.
pub(crate) const fn is_same(mut one: &[u8], mut other: &[u8]) -> bool {
    while let ([a, one_rest @ ..], [b, other_rest @ ..]) = (one, other) {
        if *a != *b {
            return false;
        }
        (one, other) = (one_rest, other_rest);
    }
    one.is_empty() && other.is_empty()
}

/// The same for ASCII without case.
pub(crate) const fn is_same_ignoring_case(mut one: &[u8], mut other: &[u8]) -> bool {
    while let ([a, one_rest @ ..], [b, other_rest @ ..]) = (one, other) {
        if !a.eq_ignore_ascii_case(b) {
            return false;
        }
        (one, other) = (one_rest, other_rest);
    }
    one.is_empty() && other.is_empty()
}
