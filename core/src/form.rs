//! Writing into the caller's buffer: raw, form-encoded, as a JSON string, as base64.

use crate::Error;

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
    let written = write_whole(out, |out| out.bytes(form_encoded(value.bytes())))?;
    Ok(out.get(..written).unwrap_or_default())
}

/// Writes to the start of a buffer and goes on counting behind its end.
pub(crate) struct Writer<'b> {
    room: core::slice::IterMut<'b, u8>,
    written: usize,
}

impl Writer<'_> {
    #[inline]
    pub(crate) fn byte(&mut self, byte: u8) {
        if let Some(place) = self.room.next() {
            *place = byte;
        }
        self.written = self.written.saturating_add(1);
    }

    pub(crate) fn bytes(&mut self, bytes: impl IntoIterator<Item = u8>) {
        bytes.into_iter().for_each(|byte| self.byte(byte));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.bytes());
    }

    /// Bytes so far, those that found no room included.
    pub(crate) const fn written(&self) -> usize {
        self.written
    }

    /// The inside of a JSON string (RFC 8259 section 7); `value` is UTF-8.
    pub(crate) fn json(&mut self, value: &[u8]) {
        for &byte in value {
            match byte {
                b'"' | b'\\' => self.bytes([b'\\', byte]),
                0..0x20 => {
                    self.text("\\u00");
                    self.bytes(hex(byte).map(|digit| digit.to_ascii_lowercase()));
                }
                _ => self.byte(byte),
            }
        }
    }

    /// base64 with padding (RFC 4648 section 4).
    pub(crate) fn base64(&mut self, mut bytes: impl Iterator<Item = u8>) {
        while let Some(first) = bytes.next() {
            let second = bytes.next();
            let third = bytes.next();
            let group = u32::from_be_bytes([0, first, second.unwrap_or(0), third.unwrap_or(0)]);
            self.byte(base64_digit(group >> 18));
            self.byte(base64_digit(group >> 12));
            self.byte(if second.is_some() { base64_digit(group >> 6) } else { b'=' });
            self.byte(if third.is_some() { base64_digit(group) } else { b'=' });
        }
    }
}

/// Runs `write` into `out`, whole or not at all; gives back how many bytes it took.
pub(crate) fn write_whole(out: &mut [u8], mut write: impl FnMut(&mut Writer<'_>)) -> Result<usize, Error> {
    let mut count = Writer { room: [].iter_mut(), written: 0 };
    write(&mut count);
    let needed = count.written;
    if needed > out.len() {
        return Err(Error::BufferTooSmall { needed });
    }
    write(&mut Writer { room: out.iter_mut(), written: 0 });
    Ok(needed)
}

/// The bytes of `value` as `application/x-www-form-urlencoded` has them (RFC 6749 Appendix B): `A–Z a–z 0–9 - . _ *` stay, space is `+`.
pub(crate) fn form_encoded(value: impl Iterator<Item = u8>) -> impl Iterator<Item = u8> {
    value.flat_map(|byte| {
        let [high, low] = hex(byte);
        let (first, rest) = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => (byte, None),
            b' ' => (b'+', None),
            _ => (b'%', Some([high, low])),
        };
        core::iter::once(first).chain(rest.into_iter().flatten())
    })
}

/// The two upper-case hexadecimal digits of a byte.
pub(crate) fn hex(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 0xF].map(|digit| if digit < 10 { b'0' | digit } else { digit.wrapping_add(b'A' - 10) })
}

/// The digit for the low six bits of `group`.
fn base64_digit(group: u32) -> u8 {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    DIGITS.get(usize::from(crate::json::low_byte(group & 0x3F))).copied().unwrap_or_default()
}
