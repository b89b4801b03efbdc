//! A string of JSON where it stands: compared, measured and copied without being unescaped first.

use crate::ascii::{eq_ignore_case, hexadecimal, low_byte};
use crate::error::Error;
use crate::machine::{WIDE, inlined_if_wide};
use crate::secret::ct_eq_iter;
use crate::wire::input::{Input, Slice, Text};

/// Stands for a lone surrogate among the bytes of [`Unescape`]: no byte of UTF-8.
pub(crate) const LONE_SURROGATE: u8 = 0xFF;

/// Set in the length of a string that a form spells.
const OF_FORM: usize = !(usize::MAX >> 1);

impl Text {
    /// What a form spells in so many bytes more.
    pub(crate) const fn of_form(saved: usize) -> Self {
        Self(saved | OF_FORM)
    }
}

/// The UTF-8 bytes of a raw string that [`crate::wire::json::walk`] or [`crate::wire::form::walk`] has let through.
#[derive(Clone)]
pub(crate) struct Unescape<'a> {
    raw: core::slice::Iter<'a, u8>,
    /// Not for a string that never was JSON.
    escapes: bool,
    /// A form spells it.
    of_form: bool,
    /// What is left of an escaped character, the next byte lowest: none of these bytes is zero.
    pending: u32,
}

impl Unescape<'_> {
    fn hexadecimal(&mut self, digits: usize) -> u32 {
        let digits = self.raw.by_ref().take(digits);
        digits.fold(0, |unit, digit| (unit << 4) | u32::from(hexadecimal(*digit).unwrap_or(0)))
    }

    #[inline(never)]
    fn unicode(&mut self) -> u8 {
        let mut code = self.hexadecimal(4);
        if code & 0xF800 == 0xD800 {
            let place = self.raw.clone();
            let low = match (self.raw.next(), self.raw.next()) {
                (Some(b'\\'), Some(b'u')) => self.hexadecimal(4),
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

    inlined_if_wide! {
        fn next(&mut self) -> Option<u8> {
            if self.pending != 0 {
                let byte = low_byte(self.pending);
                self.pending >>= 8;
                return Some(byte);
            }
            let byte = *self.raw.next()?;
            if !self.escapes {
                return Some(byte);
            }
            match byte {
                b'%' if self.of_form => Some(low_byte(self.hexadecimal(2))),
                b'+' if self.of_form => Some(b' '),
                b'\\' => Some(match *self.raw.next()? {
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
    /// Bytes that it takes unescaped: fewer if something is escaped. A form's has [`OF_FORM`] then.
    len: usize,
}

impl<'a> JsonStr<'a> {
    /// What stands between the quotes of a JSON text.
    #[inline(always)]
    pub(crate) const fn read(raw: &'a [u8], text: Text) -> Self {
        Self { raw, len: raw.len().wrapping_sub(text.0) }
    }

    /// A string that never was JSON.
    pub(crate) const fn literal(text: &'a [u8]) -> Self {
        Self { raw: text, len: text.len() }
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
        let escapes = self.as_plain().is_none();
        Unescape { raw: self.raw.iter(), escapes, of_form: self.len >= OF_FORM, pending: 0 }
    }

    /// Bytes that it takes unescaped.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len & !OF_FORM
    }

    /// Whether it is `text`, compared in constant time for strings of one length.
    #[must_use]
    pub fn ct_eq(&self, text: &[u8]) -> bool {
        self.len() == text.len() && ct_eq_iter(self.unescape(), text)
    }

    /// Copies it unescaped to the start of `out`; gives back what was written.
    ///
    /// # Errors
    /// - [`Error::BufferTooSmall`]: nothing was written.
    pub fn copy_to<'b>(&self, out: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let needed = self.len();
        let out = out.get_mut(..needed).ok_or(Error::BufferTooSmall { needed })?;
        if let Some(plain) = self.as_plain() {
            copy(plain, out);
            return Ok(out);
        }
        let (mut room, mut rest) = (&mut *out, self.unescape());
        loop {
            if !rest.of_form {
                let start = Slice::new(rest.raw.as_slice());
                let mut escape = start.clone();
                while !escape.is_at_end() && escape.peek() != b'\\' {
                    escape.bump();
                    escape = escape.skip_plain();
                }
                room = copy(start.until(&escape).unwrap_or_default(), room);
                rest.raw = escape.rest().iter();
            }
            loop {
                let Some(byte) = rest.next() else { return Ok(out) };
                room = copy(&[byte], room);
                if rest.pending == 0 {
                    break;
                }
            }
        }
    }

    /// The bytes where they stand, if nothing is escaped.
    #[must_use]
    pub const fn as_plain(&self) -> Option<&'a [u8]> {
        if self.len == self.raw.len() { Some(self.raw) } else { None }
    }

    inlined_if_wide! {
        /// Whether it is `text`; not for secrets.
        pub(crate) fn is(&self, text: &[u8]) -> bool {
            match self.as_plain() {
                Some(plain) => plain == text,
                None => self.ct_eq(text),
            }
        }
    }

    /// Whether it is `text`, whatever the case.
    pub(crate) fn is_in_any_case(&self, text: &str) -> bool {
        if WIDE && let Some(plain) = self.as_plain() {
            return eq_ignore_case(plain, text.as_bytes());
        }
        let mut others = text.bytes();
        let is_next = |byte: u8| others.next().is_some_and(|other| byte.eq_ignore_ascii_case(&other));
        self.len() == text.len() && self.unescape().all(is_next)
    }
}

inlined_if_wide! {
    /// Copies `run` to the start of `room`; gives back what is left of that.
    fn copy<'b>(run: &[u8], room: &'b mut [u8]) -> &'b mut [u8] {
        let (to, rest) = room.split_at_mut_checked(run.len()).unwrap_or_default();
        for (place, byte) in to.iter_mut().zip(run) {
            *place = *byte;
        }
        rest
    }
}

impl core::fmt::Debug for JsonStr<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("JsonStr(..)")
    }
}
