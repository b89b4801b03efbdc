//! Writing into the caller's buffer: raw, form-encoded, percent-encoded, as a JSON string, as base64.

use crate::ascii::{is_alphanumeric_or, low_byte};
use crate::error::Error;

/// Writes `value` as `application/x-www-form-urlencoded` has names and values (RFC 6749 Appendix B); gives
/// back what was written: ASCII.
///
/// ```
/// let mut out = [0; 32];
/// assert_eq!(tokenward::form_encode("s&cret 1", &mut out).unwrap(), b"s%26cret+1");
/// ```
///
/// # Errors
/// - [`Error::BufferTooSmall`]: with the size that it takes.
pub fn form_encode<'b>(value: &str, out: &'b mut [u8]) -> Result<&'b [u8], Error> {
    let written = write_whole(out, |out| out.encoded(value.as_bytes(), Encoding::Form))?;
    Ok(out.get(..written).unwrap_or_default())
}

/// How bytes are written.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Encoding {
    Raw,
    /// `application/x-www-form-urlencoded` (RFC 6749 Appendix B).
    Form,
    /// One segment of a path: all but the unreserved characters of RFC 3986 are escaped.
    Percent,
    /// The inside of a JSON string (RFC 8259 section 7); the bytes are UTF-8.
    Json,
}

impl Encoding {
    #[inline(always)]
    fn keeps(self, byte: u8) -> bool {
        match self {
            Self::Raw => true,
            Self::Form => is_alphanumeric_or(byte, b"-._*"),
            Self::Percent => is_alphanumeric_or(byte, b"-._~"),
            Self::Json => byte >= b' ' && byte != b'"' && byte != b'\\',
        }
    }
}

/// Writes to the start of a buffer and goes on counting behind its end.
pub(crate) struct Writer<'b> {
    room: core::slice::IterMut<'b, u8>,
    written: usize,
    /// Up to two bytes that wait for the third of their base64 group, behind a 1; 0 outside of base64.
    group: u32,
}

impl<'b> Writer<'b> {
    pub(crate) fn new(out: &'b mut [u8]) -> Self {
        Self { room: out.iter_mut(), written: 0, group: 0 }
    }

    fn place(&mut self, byte: u8) {
        if let Some(place) = self.room.next() {
            *place = byte;
        }
        self.written = self.written.saturating_add(1);
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn byte(&mut self, byte: u8) {
        if self.group == 0 {
            return self.place(byte);
        }
        self.group = (self.group << 8) | u32::from(byte);
        if self.group >> 24 != 0 {
            self.end_group();
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        if cfg!(target_pointer_width = "64") && self.group == 0 {
            return self.run(bytes);
        }
        bytes.iter().for_each(|byte| self.byte(*byte));
    }

    /// Bytes as they are, outside of base64.
    pub(crate) fn run(&mut self, bytes: &[u8]) {
        bytes.iter().zip(self.room.by_ref()).for_each(|(byte, place)| *place = *byte);
        self.written = self.written.saturating_add(bytes.len());
    }

    /// Bytes so far, those that found no room included.
    pub(crate) const fn written(&self) -> usize {
        self.written
    }

    #[inline(never)]
    pub(crate) fn encoded(&mut self, bytes: &[u8], encoding: Encoding) {
        let mut rest = bytes;
        loop {
            let plain = rest.iter().position(|byte| !encoding.keeps(*byte)).unwrap_or(rest.len());
            let (run, behind) = rest.split_at_checked(plain).unwrap_or_default();
            self.bytes(run);
            let [byte, tail @ ..] = behind else { return };
            let byte = *byte;
            rest = tail;
            let mut lower_case = 0;
            match (encoding, byte) {
                (Encoding::Form, b' ') => {
                    self.byte(b'+');
                    continue;
                }
                (Encoding::Json, b'"' | b'\\') => {
                    self.bytes(&[b'\\', byte]);
                    continue;
                }
                (Encoding::Json, _) => {
                    self.bytes(b"\\u00");
                    lower_case = 0x20;
                }
                _ => self.byte(b'%'),
            }
            self.byte(hex_digit(byte >> 4) | lower_case);
            self.byte(hex_digit(byte & 0xF) | lower_case);
        }
    }

    /// What is written from here to [`Writer::end_base64`] becomes base64 with padding (RFC 4648 section 4).
    pub(crate) fn start_base64(&mut self) {
        self.group = 1;
    }

    pub(crate) fn end_base64(&mut self) {
        if self.group > 1 {
            self.end_group();
        }
        self.group = 0;
    }

    /// Writes the group; what it lacks is padding.
    fn end_group(&mut self) {
        if self.room.as_slice().is_empty() {
            // Counting goes on without digits.
            self.written = self.written.saturating_add(4);
            self.group = 1;
            return;
        }
        let (mut group, mut digits) = (self.group, 4_u32);
        while group >> 24 == 0 {
            group <<= 8;
            digits = digits.wrapping_sub(1);
        }
        for _ in 0..4 {
            self.place(if digits == 0 { b'=' } else { base64_digit(group >> 18) });
            digits = digits.saturating_sub(1);
            group <<= 6;
        }
        self.group = 1;
    }
}

/// Runs `write` into `out`, whole or not at all; gives back how many bytes it took.
pub(crate) fn write_whole(out: &mut [u8], mut write: impl FnMut(&mut Writer<'_>)) -> Result<usize, Error> {
    // The first round counts. Both are one loop, so that what is written is in the program once.
    let mut writer = Writer::new(&mut []);
    let mut out = Some(out);
    loop {
        write(&mut writer);
        let needed = writer.written;
        match out.take() {
            None => return Ok(needed),
            Some(out) if needed > out.len() => return Err(Error::BufferTooSmall { needed }),
            Some(out) => writer = Writer::new(out),
        }
    }
}

/// Of a number up to 15, upper-case.
fn hex_digit(number: u8) -> u8 {
    number.wrapping_add(if number > 9 { b'A' - 10 } else { b'0' })
}

/// The digit for the low six bits of `group`.
fn base64_digit(group: u32) -> u8 {
    if cfg!(target_pointer_width = "64") {
        // As a table: fast, and 64 bytes.
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let place = usize::from(low_byte(group & 0x3F));
        return DIGITS.get(place).copied().unwrap_or_default();
    }
    match low_byte(group & 0x3F) {
        six @ 0..26 => six.wrapping_add(b'A'),
        six @ 26..52 => six.wrapping_add(b'a' - 26),
        six @ 52..62 => six.wrapping_sub(52).wrapping_add(b'0'),
        62 => b'+',
        _ => b'/',
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;
    use std::string::String;

    use super::{Encoding, Writer};

    fn encoded(site: &str) -> String {
        let mut out = [0; 64];
        let mut writer = Writer::new(&mut out);
        writer.encoded(site.as_bytes(), Encoding::Percent);
        let written = writer.written();
        out[..written].iter().copied().map(char::from).collect()
    }

    #[test]
    fn all_but_unreserved_bytes_are_escaped_in_upper_case() {
        assert_eq!(encoded(""), "");
        assert_eq!(encoded("AZaz09-._~"), "AZaz09-._~");
        assert_eq!(encoded("a b/c\\é%+"), "a%20b%2Fc%5C%C3%A9%25%2B");
        for code in 0..=127_u8 {
            let character = char::from(code);
            let kept = character.is_ascii_alphanumeric() || "-._~".contains(character);
            let expected = if kept { String::from(character) } else { format!("%{code:02X}") };
            assert_eq!(encoded(&String::from(character)), expected);
        }
    }
}
