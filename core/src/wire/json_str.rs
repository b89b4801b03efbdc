//! A string of JSON where it stands: compared, measured and copied without being unescaped first.

use crate::ascii::{hexadecimal, low_byte};
use crate::error::Error;
use crate::machine::WIDE;
use crate::secret::ct_eq_iter;
use crate::wire::json::{Input, Slice};
use crate::wire::writer::Writer;

/// Stands for a lone surrogate among the bytes of [`Unescape`]: no byte of UTF-8.
pub(crate) const LONE_SURROGATE: u8 = 0xFF;

/// The UTF-8 bytes of a raw string that a [`Reader`] has let through.
#[derive(Clone)]
pub(crate) struct Unescape<'a> {
    raw: core::slice::Iter<'a, u8>,
    /// Not for a string that never was JSON.
    escapes: bool,
    /// What is left of an escaped character, the next byte lowest: none of these bytes is zero.
    pending: u32,
}

impl Unescape<'_> {
    fn hex4(&mut self) -> u32 {
        let digits = self.raw.by_ref().take(4);
        digits.fold(0, |unit, digit| (unit << 4) | u32::from(hexadecimal(*digit).unwrap_or(0)))
    }

    #[inline(never)]
    fn unicode(&mut self) -> u8 {
        let mut code = self.hex4();
        if code & 0xF800 == 0xD800 {
            let place = self.raw.clone();
            let low = match (self.raw.next(), self.raw.next()) {
                (Some(b'\\'), Some(b'u')) => self.hex4(),
                _ => 0,
            };
            if code & 0x400 != 0 || low & 0xFC00 != 0xDC00 {
                self.raw = place;
                return LONE_SURROGATE;
            }
            code = 0x1_0000_u32.wrapping_add(((code & 0x3FF) << 10) | (low & 0x3FF));
        }
        let more = match code {
            0..0x80 => return low_byte(code),
            0x80..0x800 => 1,
            0x800..0x1_0000 => 2,
            _ => 3,
        };
        for _ in 0..more {
            self.pending = (self.pending << 8) | 0x80 | (code & 0x3F);
            code >>= 6;
        }
        low_byte(code | (0x3F80 >> more))
    }
}

impl Iterator for Unescape<'_> {
    type Item = u8;

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn next(&mut self) -> Option<u8> {
        if self.pending != 0 {
            let byte = low_byte(self.pending);
            self.pending >>= 8;
            return Some(byte);
        }
        match *self.raw.next()? {
            b'\\' if self.escapes => Some(match *self.raw.next()? {
                b'b' => 0x08,
                b'f' => 0x0C,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'u' => self.unicode(),
                other => other,
            }),
            byte => Some(byte),
        }
    }
}

/// A string as it stands in a body: read, checked, and not copied.
///
/// It is redacted in `Debug` and has neither `Display` nor `PartialEq`: what it holds may be a token.
///
/// ```
/// use tokenward::{Provider, TokenAnswer};
///
/// let body = br#"{"access_token":"a\/b"}"#;
/// let Ok(TokenAnswer::Token(token)) = tokenward::token_answer(200, body, &Provider::custom()) else { panic!() };
/// let mut buffer = [0; 16];
/// assert_eq!(token.access_token().copy_to(&mut buffer).unwrap(), b"a/b");
/// ```
#[derive(Clone, Copy)]
pub struct JsonStr<'a> {
    raw: &'a [u8],
    escapes: bool,
}

impl<'a> JsonStr<'a> {
    /// The string between the quotes of a JSON text.
    pub(crate) const fn raw(raw: &'a [u8], escapes: bool) -> Self {
        Self { raw, escapes }
    }

    /// A string that never was JSON.
    pub(crate) const fn literal(text: &'a [u8]) -> Self {
        Self { raw: text, escapes: false }
    }

    /// Whether nothing stands in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Its UTF-8 bytes, unescaped.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        self.unescape()
    }

    fn unescape(&self) -> Unescape<'a> {
        Unescape { raw: self.raw.iter(), escapes: self.escapes, pending: 0 }
    }

    /// Bytes that it takes unescaped.
    #[must_use]
    pub fn len(&self) -> usize {
        self.write(&mut [])
    }

    /// Whether it is `text`, compared in constant time for strings of one length.
    #[must_use]
    pub fn ct_eq(&self, text: &[u8]) -> bool {
        ct_eq_iter(self.unescape(), text)
    }

    /// Writes what `out` has room for; gives back the bytes that it takes.
    #[inline(never)]
    pub(crate) fn write(&self, out: &mut [u8]) -> usize {
        let mut out = Writer::new(out);
        let mut rest = self.unescape();
        while rest.escapes {
            let raw = rest.raw.as_slice();
            let mut cursor = Slice::new(raw);
            while !cursor.is_at_end() && cursor.peek() != b'\\' {
                cursor.bump();
                if WIDE {
                    cursor.skip_plain();
                }
            }
            let (run, escape) = raw.split_at_checked(cursor.offset()).unwrap_or_default();
            out.bytes(run);
            rest.raw = escape.iter();
            let Some(byte) = rest.next() else { break };
            out.bytes(&[byte]);
            while rest.pending != 0 {
                rest.next().into_iter().for_each(|byte| out.bytes(&[byte]));
            }
        }
        out.bytes(rest.raw.as_slice());
        out.written()
    }

    /// Copies it unescaped to the start of `out`; gives back what was written.
    ///
    /// # Errors
    /// - [`Error::BufferTooSmall`]: nothing was written.
    pub fn copy_to<'b>(&self, out: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let needed = self.len();
        let room = out.get_mut(..needed).ok_or(Error::BufferTooSmall { needed })?;
        self.write(room);
        Ok(room)
    }

    /// The bytes where they stand, if nothing is escaped.
    #[must_use]
    pub fn as_plain(&self) -> Option<&'a [u8]> {
        (!self.escapes).then_some(self.raw)
    }

    /// Whether it is `text`; not for secrets.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        if self.escapes { self.is_escaped(text) } else { self.raw == text }
    }

    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn is_escaped(&self, text: &[u8]) -> bool {
        self.unescape().eq(text.iter().copied())
    }

    /// Whether it is `text`, whatever the case.
    pub(crate) fn is_in_any_case(&self, text: &str) -> bool {
        let lower = |byte: u8| byte.to_ascii_lowercase();
        self.unescape().map(lower).eq(text.bytes().map(lower))
    }
}

impl core::fmt::Debug for JsonStr<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("JsonStr(..)")
    }
}
