//! Writing into the caller's buffer: raw, form-encoded, percent-encoded, as a JSON string, as base64.

use crate::ascii::{Class, split_class};
use crate::error::Error;
use crate::machine::inlined_if_wide;
use crate::secret::wipe;
use crate::time::quotient;
use crate::wire::base64;

/// Writes `value` as `application/x-www-form-urlencoded` has names and values (RFC 6749 Appendix B); gives
/// back what was written: ASCII.
///
/// ```
/// let mut out = [0; 32];
/// assert_eq!(tokenward::wire::form_encode("s&cret 1", &mut out).unwrap(), b"s%26cret+1");
/// ```
///
/// # Errors
/// - [`Error::BufferTooSmall`]: with the size that it takes; `out` is wiped.
pub fn form_encode<'b>(value: &str, out: &'b mut [u8]) -> Result<&'b [u8], Error> {
    let mut out = Writer::new(out);
    out.form(value.as_bytes());
    Ok(out.finish()?)
}

/// Writes to the start of a buffer and goes on counting behind its end.
pub(crate) struct Writer<'b> {
    out: &'b mut [u8],
    written: usize,
}

impl<'b> Writer<'b> {
    pub(crate) const fn new(out: &'b mut [u8]) -> Self {
        Self { out, written: 0 }
    }

    /// Bytes so far, those that found no room included.
    pub(crate) const fn written(&self) -> usize {
        self.written
    }

    /// What was written, whole; else the buffer is wiped.
    pub(crate) fn finish(self) -> Result<&'b mut [u8], Error> {
        let needed = self.written;
        if needed > self.out.len() {
            wipe(self.out);
            return Err(Error::BufferTooSmall { needed });
        }
        Ok(self.out.get_mut(..needed).unwrap_or_default())
    }

    #[inline(never)]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let end = self.written.saturating_add(bytes.len());
        if let Some(room) = self.out.get_mut(self.written..end) {
            room.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
        }
        self.written = end;
    }

    /// As `application/x-www-form-urlencoded` (RFC 6749 Appendix B).
    pub(crate) fn form(&mut self, bytes: &[u8]) {
        self.escaped(bytes, Class::FORM, |out, byte| match byte {
            b' ' => out.bytes(b"+"),
            _ => out.percent(byte),
        });
    }

    /// As one segment of a path: all but the unreserved characters of RFC 3986 are escaped.
    pub(crate) fn segment(&mut self, bytes: &[u8]) {
        self.escaped(bytes, Class::UNRESERVED, Self::percent);
    }

    /// UTF-8 as the inside of a JSON string (RFC 8259 section 7).
    pub(crate) fn json(&mut self, bytes: &[u8]) {
        self.escaped(bytes, Class::JSON, |out, byte| match byte {
            b'"' | b'\\' => out.bytes(&[b'\\', byte]),
            _ => {
                let [high, low] = hexadecimal(byte);
                out.bytes(&[b'\\', b'u', b'0', b'0', high | 0x20, low | 0x20]);
            }
        });
    }

    /// In decimal digits.
    pub(crate) fn decimal(&mut self, number: u64) {
        let (mut digits, mut rest, mut unused) = ([0; 20], number, 20_usize);
        for digit in digits.iter_mut().rev() {
            let tens = quotient(rest, 10);
            let [last, ..] = rest.wrapping_sub(tens.wrapping_mul(10)).to_le_bytes();
            *digit = b'0'.wrapping_add(last);
            unused = unused.saturating_sub(1);
            rest = tens;
            if rest == 0 {
                break;
            }
        }
        self.bytes(digits.get(unused..).unwrap_or_default());
    }

    /// What was written since `start` becomes base64.
    pub(crate) fn base64(&mut self, start: usize) {
        let len = self.written.saturating_sub(start);
        self.written = start.saturating_add(base64::encoded_len(len));
        if let Some(room) = self.out.get_mut(start..self.written) {
            base64::encode_in_place(room, len);
        }
    }

    inlined_if_wide! {
        fn escaped(&mut self, bytes: &[u8], kept: Class, escape: fn(&mut Self, u8)) {
            let mut rest = bytes;
            loop {
                let (run, behind) = split_class(rest, kept);
                self.bytes(run);
                let [byte, behind @ ..] = behind else { return };
                escape(self, *byte);
                rest = behind;
            }
        }
    }

    /// What was written since `start` becomes base64url without padding.
    pub(crate) fn base64url(&mut self, start: usize) {
        let len = self.written.saturating_sub(start);
        let room = self.out.get_mut(start..).unwrap_or_default();
        self.written = start.saturating_add(base64::encode_url_in_place(room, len));
    }

    pub(crate) fn bytes_as_base64url(&mut self, bytes: &[u8]) {
        let start = self.written;
        self.bytes(bytes);
        self.base64url(start);
    }

    /// What was written since `start`; nothing if it found no room.
    #[cfg(feature = "snapshot")]
    pub(crate) fn since(&self, start: usize) -> &[u8] {
        self.out.get(start..self.written).unwrap_or_default()
    }

    fn percent(&mut self, byte: u8) {
        let [high, low] = hexadecimal(byte);
        self.bytes(&[b'%', high, low]);
    }
}

/// Two digits, upper-case.
fn hexadecimal(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 0xF].map(|digit| digit.wrapping_add(if digit > 9 { b'A' - 10 } else { b'0' }))
}

#[cfg(test)]
pub(crate) mod tests {
    extern crate std;

    use std::format;
    use std::string::String;

    use super::Writer;

    pub(crate) fn encoded(site: &str) -> String {
        let mut out = [0; 64];
        let mut writer = Writer::new(&mut out);
        writer.segment(site.as_bytes());
        let written = writer.written();
        out[..written].iter().copied().map(char::from).collect()
    }

    #[test]
    fn a_number_is_written_in_its_digits() {
        for number in [0, 1, 9, 10, 99, 100, 12_345_678_901, u64::MAX - 1, u64::MAX] {
            let mut out = [0; 32];
            let mut writer = Writer::new(&mut out);
            writer.decimal(number);
            assert_eq!(writer.finish().expect("room"), format!("{number}").as_bytes());
        }
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
