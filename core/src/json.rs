//! A strict RFC 8259 pull reader: one pass, no recursion, no tree, nothing copied.
//!
//! The reader hands out each value with the depth of the container that holds it; what lies between is
//! checked and forgotten. It reads any [`Input`], so that the same grammar serves a body in memory and
//! the payload of a JWT that is decoded while it is read.

use crate::Error;

/// Containers that may be open at once, the top one included: one bit each in [`Reader::kinds`].
const MAX_DEPTH: u32 = u32::BITS;

/// Bytes with a cursor. Cloning the cursor marks a place.
pub(crate) trait Input: Clone {
    /// A stretch of the input.
    type Span;
    /// The byte under the cursor.
    fn peek(&self) -> Option<u8>;
    /// Moves the cursor by one byte.
    fn bump(&mut self);
    /// Moves over bytes that are plain inside a string (0x20–0x7F but `"` and `\`); may stop early.
    fn skip_plain(&mut self) {}
    /// Bytes before the cursor.
    fn offset(&self) -> usize;
    /// From this place to `end`, or to the end of the input.
    fn span(self, end: Option<&Self>) -> Self::Span;
}

/// A body in memory.
#[derive(Clone)]
pub(crate) struct Slice<'a> {
    rest: core::slice::Iter<'a, u8>,
    len: usize,
}

impl<'a> Slice<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes.iter(), len: bytes.len() }
    }

    #[inline(always)]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.as_slice().get(bytes..).unwrap_or_default().iter();
    }

    #[inline(never)]
    fn skip_plain_blocks(&mut self) {
        while let Some((block, tail)) = self.rest.as_slice().split_first_chunk::<32>() {
            let stop = |byte: u8| (byte.cast_signed() < 0x20) | (byte == b'"') | (byte == b'\\');
            if block.iter().fold(0, |stops, &byte| stops | u8::from(stop(byte))) != 0 {
                break;
            }
            self.rest = tail.iter();
        }
    }
}

impl<'a> Input for Slice<'a> {
    type Span = &'a [u8];

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.rest.as_slice().first().copied()
    }

    #[inline(always)]
    fn bump(&mut self) {
        self.rest.next();
    }

    /// A machine word at a time, and in long strings a block at a time where there are vector registers.
    #[inline(always)]
    fn skip_plain(&mut self) {
        let mut words = 0;
        while let Some((word, tail)) = self.rest.as_slice().split_first_chunk() {
            let plain = plain_bytes(usize::from_le_bytes(*word));
            if plain < word.len() {
                self.advance(plain);
                return;
            }
            self.rest = tail.iter();
            words = u32::saturating_add(words, 1);
            if cfg!(target_pointer_width = "64") && words == 3 {
                self.skip_plain_blocks();
            }
        }
    }

    #[inline(always)]
    fn offset(&self) -> usize {
        self.len.wrapping_sub(self.rest.len())
    }

    #[inline(always)]
    fn span(self, end: Option<&Self>) -> &'a [u8] {
        let from = self.rest.as_slice();
        let after = end.map_or(0, |end| end.rest.len());
        from.get(..from.len().wrapping_sub(after)).unwrap_or_default()
    }
}

/// How many of the bytes of a little-endian word, from the first, are plain inside a string: a byte is not
/// where subtracting makes its high bit borrow.
#[inline(always)]
fn plain_bytes(word: usize) -> usize {
    const fn each(byte: u8) -> usize {
        usize::from_le_bytes([byte; size_of::<usize>()])
    }
    let quote = word ^ each(b'"');
    let backslash = word ^ each(b'\\');
    let stops =
        word.wrapping_sub(each(0x20)) | quote.wrapping_sub(each(1)) | backslash.wrapping_sub(each(1)) | word;
    usize::try_from((stops & each(0x80)).trailing_zeros() / 8).unwrap_or_default()
}

/// A value and where it stands.
pub(crate) struct Item<S> {
    /// Open containers around the value; 0 for the top value.
    pub(crate) depth: u32,
    /// The raw name, where the container is an object: from its opening quote up to its closing one.
    pub(crate) name: Option<S>,
    /// What the name holds.
    pub(crate) name_text: Text,
    /// The raw value, its first byte tells its kind: a string up to its closing quote, a container from
    /// its bracket to the end of the input.
    pub(crate) value: S,
    /// That first byte.
    pub(crate) kind: u8,
    /// What a string holds.
    pub(crate) text: Text,
}

/// What unescaping a string will meet.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Text {
    /// No escape.
    Plain,
    Escaped,
    /// An escape that is half of a surrogate pair, so that the string is no Unicode text.
    LoneSurrogate,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Before the top value.
    Start,
    /// Behind an opening bracket.
    Opened,
    /// Behind a value.
    Behind,
}

/// The reader. Read with [`Reader::next`] until `None`, then [`Reader::finish`].
pub(crate) struct Reader<I> {
    input: I,
    /// The open containers, the innermost in bit 0: set for an object.
    kinds: u32,
    depth: u32,
    place: Place,
    /// What the string that was read last holds.
    text: Text,
    /// Where the first half of a surrogate pair ended that waits for its second.
    high_surrogate: usize,
}

impl<I: Input> Reader<I> {
    pub(crate) fn new(input: I) -> Self {
        Self { input, kinds: 0, depth: 0, place: Place::Start, text: Text::Plain, high_surrogate: 0 }
    }

    /// The next value in document order; `None` behind the top value.
    #[inline(never)]
    pub(crate) fn next(&mut self) -> Result<Option<Item<I::Span>>, Error> {
        self.next_inlined()
    }

    /// The same in the caller's own loop, for the one reader that must be fast.
    #[inline(always)]
    pub(crate) fn next_inlined(&mut self) -> Result<Option<Item<I::Span>>, Error> {
        loop {
            if self.place == Place::Behind && self.depth == 0 {
                return Ok(None);
            }
            let mut first = self.token()?;
            let object = self.kinds & 1 == 1;
            if self.place != Place::Start {
                if first == if object { b'}' } else { b']' } {
                    self.input.bump();
                    self.kinds >>= 1;
                    self.depth = self.depth.wrapping_sub(1);
                    self.place = Place::Behind;
                    continue;
                }
                if self.place == Place::Behind {
                    if first != b',' {
                        return Err(self.malformed());
                    }
                    self.input.bump();
                    first = self.token()?;
                }
            }
            let depth = self.depth;
            let (mut name, mut name_text) = (None, Text::Plain);
            self.place = Place::Behind;
            // One place that reads strings serves names and values.
            let value = loop {
                if first == b'"' {
                    let string = self.string()?;
                    if !object || name.is_some() {
                        break string;
                    }
                    (name, name_text) = (Some(string), self.text);
                    if self.token()? != b':' {
                        return Err(self.malformed());
                    }
                    self.input.bump();
                    first = self.token()?;
                } else if object && name.is_none() {
                    return Err(self.malformed());
                } else {
                    break match first {
                        b'{' | b'[' => self.open(first)?,
                        _ => self.scalar(first)?,
                    };
                }
            };
            return Ok(Some(Item { depth, name, name_text, value, kind: first, text: self.text }));
        }
    }

    /// Checks that nothing but white space stands behind the top value; gives the input back.
    pub(crate) fn finish(mut self) -> Result<I, Error> {
        match self.token() {
            Ok(_) => Err(self.malformed()),
            Err(_) => Ok(self.input),
        }
    }

    /// The first byte behind white space.
    #[inline(always)]
    pub(crate) fn token(&mut self) -> Result<u8, Error> {
        loop {
            match self.input.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.input.bump(),
                Some(byte) => return Ok(byte),
                None => return Err(self.truncated()),
            }
        }
    }

    fn open(&mut self, bracket: u8) -> Result<I::Span, Error> {
        if self.depth == MAX_DEPTH {
            return Err(Error::TooDeep { offset: self.input.offset() });
        }
        let start = self.input.clone();
        self.input.bump();
        self.kinds = (self.kinds << 1) | u32::from(bracket == b'{');
        self.depth = self.depth.wrapping_add(1);
        self.place = Place::Opened;
        Ok(start.span(None))
    }

    /// A string: the span from its opening quote up to its closing one.
    #[inline]
    fn string(&mut self) -> Result<I::Span, Error> {
        let start = self.input.clone();
        self.input.bump();
        self.text = Text::Plain;
        self.high_surrogate = 0;
        loop {
            self.input.skip_plain();
            match self.input.peek() {
                Some(b'"') => {
                    let span = start.span(Some(&self.input));
                    self.input.bump();
                    if self.high_surrogate != 0 {
                        self.text = Text::LoneSurrogate;
                    }
                    return Ok(span);
                }
                Some(b' '..=b'[' | b']'..=0x7F) => self.input.bump(),
                Some(byte) => self.uncommon(byte)?,
                None => return Err(self.truncated()),
            }
        }
    }

    /// An escape or a character beyond ASCII (RFC 3629 section 4, so no surrogate and no overlong form).
    #[inline(never)]
    fn uncommon(&mut self, byte: u8) -> Result<(), Error> {
        let (more, low, high) = match byte {
            b'\\' => return self.escape(),
            0xC2..=0xDF => (1, 0x80, 0xBF),
            0xE0 => (2, 0xA0, 0xBF),
            0xED => (2, 0x80, 0x9F),
            0xE1..=0xEF => (2, 0x80, 0xBF),
            0xF0 => (3, 0x90, 0xBF),
            0xF1..=0xF3 => (3, 0x80, 0xBF),
            0xF4 => (3, 0x80, 0x8F),
            _ => return Err(self.malformed()),
        };
        self.input.bump();
        self.expect(|next| low <= next && next <= high)?;
        for _ in 1..more {
            self.expect(|next| next & 0xC0 == 0x80)?;
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Error> {
        if self.text == Text::Plain {
            self.text = Text::Escaped;
        }
        let start = self.input.offset();
        self.input.bump();
        if self.input.peek() != Some(b'u') {
            return self
                .expect(|next| matches!(next, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'));
        }
        self.input.bump();
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.input.peek().and_then(|digit| char::from(digit).to_digit(16));
            self.expect(|_| digit.is_some())?;
            unit = (unit << 4) | digit.unwrap_or(0);
        }
        let pairs = self.high_surrogate == start;
        match unit & 0xFC00 {
            0xD800 if self.high_surrogate == 0 => self.high_surrogate = self.input.offset(),
            0xDC00 if pairs => self.high_surrogate = 0,
            0xD800 | 0xDC00 => self.text = Text::LoneSurrogate,
            _ => {}
        }
        Ok(())
    }

    /// A number or one of the three literals.
    fn scalar(&mut self, first: u8) -> Result<I::Span, Error> {
        let start = self.input.clone();
        match first {
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            _ => self.number()?,
        }
        Ok(start.span(Some(&self.input)))
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Error> {
        word.iter().try_for_each(|&byte| self.expect(|next| next == byte))
    }

    fn number(&mut self) -> Result<(), Error> {
        if self.input.peek() == Some(b'-') {
            self.input.bump();
        }
        if self.input.peek() == Some(b'0') {
            self.input.bump();
        } else {
            self.digits()?;
        }
        if self.input.peek() == Some(b'.') {
            self.input.bump();
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.input.peek() {
            self.input.bump();
            if let Some(b'+' | b'-') = self.input.peek() {
                self.input.bump();
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Error> {
        self.expect(|next| next.is_ascii_digit())?;
        while let Some(b'0'..=b'9') = self.input.peek() {
            self.input.bump();
        }
        Ok(())
    }

    #[inline(always)]
    fn expect(&mut self, good: impl Fn(u8) -> bool) -> Result<(), Error> {
        match self.input.peek() {
            Some(next) if good(next) => {
                self.input.bump();
                Ok(())
            }
            Some(_) => Err(self.malformed()),
            None => Err(self.truncated()),
        }
    }

    #[cold]
    fn malformed(&self) -> Error {
        Error::Malformed { offset: self.input.offset() }
    }

    #[cold]
    fn truncated(&self) -> Error {
        Error::Truncated { offset: self.input.offset() }
    }
}

/// The container that `value` begins with, for a body that a [`Reader`] has let through.
#[cfg(feature = "serde")]
pub(crate) fn container(value: &[u8]) -> &[u8] {
    let mut reader = Reader::new(Slice::new(value));
    while let Ok(Some(_)) = reader.next() {}
    value.get(..reader.input.offset()).unwrap_or_default()
}

/// What stands before the first backslash, and from it on.
fn split_at_escape(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut cursor = Slice::new(raw);
    loop {
        cursor.skip_plain();
        if cursor.peek()? == b'\\' {
            return raw.split_at_checked(cursor.offset());
        }
        cursor.bump();
    }
}

/// The lowest eight bits.
pub(crate) const fn low_byte(word: u32) -> u8 {
    let [low, ..] = word.to_le_bytes();
    low
}

/// Stands for a lone surrogate among the bytes of [`Unescape`]: no byte of UTF-8.
pub(crate) const LONE_SURROGATE: u8 = 0xFF;

/// The UTF-8 bytes of a raw string that a [`Reader`] has let through.
#[derive(Clone)]
pub(crate) struct Unescape<I> {
    raw: I,
    /// Not for a string that never was JSON.
    escapes: bool,
    /// What is left of an escaped character, the next byte lowest: none of these bytes is zero.
    pending: u32,
}

impl<I: Iterator<Item = u8> + Clone> Unescape<I> {
    pub(crate) fn new(raw: I, escapes: bool) -> Self {
        Self { raw, escapes, pending: 0 }
    }

    fn hex4(&mut self) -> u32 {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.raw.next().and_then(|byte| char::from(byte).to_digit(16)).unwrap_or(0);
            unit = (unit << 4) | digit;
        }
        unit
    }

    fn unicode(&mut self) -> u8 {
        let unit = self.hex4();
        let mut code = unit;
        if unit & 0xFC00 == 0xD800 {
            let place = self.raw.clone();
            let low = match (self.raw.next(), self.raw.next()) {
                (Some(b'\\'), Some(b'u')) => self.hex4(),
                _ => 0,
            };
            if low & 0xFC00 == 0xDC00 {
                code = 0x1_0000_u32.wrapping_add(((unit & 0x3FF) << 10) | (low & 0x3FF));
            } else {
                self.raw = place;
                return LONE_SURROGATE;
            }
        } else if unit & 0xFC00 == 0xDC00 {
            return LONE_SURROGATE;
        }
        let tail = |shift: u32| low_byte(0x80 | ((code >> shift) & 0x3F));
        let (first, pending) = match code {
            0..0x80 => (low_byte(code), 0),
            0x80..0x800 => (low_byte(0xC0 | (code >> 6)), u32::from(tail(0))),
            0x800..0x1_0000 => (low_byte(0xE0 | (code >> 12)), u32::from_le_bytes([tail(6), tail(0), 0, 0])),
            _ => (low_byte(0xF0 | (code >> 18)), u32::from_le_bytes([tail(12), tail(6), tail(0), 0])),
        };
        self.pending = pending;
        first
    }
}

impl<I: Iterator<Item = u8> + Clone> Iterator for Unescape<I> {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        if self.pending != 0 {
            let byte = low_byte(self.pending);
            self.pending >>= 8;
            return Some(byte);
        }
        match self.raw.next()? {
            b'\\' if self.escapes => Some(match self.raw.next()? {
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
        Unescape::new(self.raw.iter().copied(), self.escapes)
    }

    /// Bytes that it takes unescaped.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut len = 0_usize;
        self.runs(|run| len = len.saturating_add(run.len()));
        len
    }

    /// Whether it is `text`, compared in constant time for strings of one length.
    #[must_use]
    pub fn ct_eq(&self, text: &[u8]) -> bool {
        crate::secret::ct_eq_iter(self.bytes(), text)
    }

    /// Hands `take` its bytes, unescaped, in runs.
    fn runs(&self, mut take: impl FnMut(&[u8])) {
        let mut rest = self.raw;
        if self.escapes {
            while let Some((run, escape)) = split_at_escape(rest) {
                take(run);
                let mut character = Unescape::new(escape.iter().copied(), true);
                loop {
                    character.next().iter().for_each(|byte| take(core::slice::from_ref(byte)));
                    if character.pending == 0 {
                        break;
                    }
                }
                let read = escape.len().wrapping_sub(character.raw.len());
                rest = escape.get(read..).unwrap_or_default();
            }
        }
        take(rest);
    }

    /// Copies it unescaped to the start of `out`; gives back what was written.
    ///
    /// # Errors
    /// - [`Error::BufferTooSmall`]: nothing was written.
    pub fn copy_to<'b>(&self, out: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let needed = self.len();
        let room = out.get_mut(..needed).ok_or(Error::BufferTooSmall { needed })?;
        let mut places = room.iter_mut();
        self.runs(|run| places.by_ref().zip(run).for_each(|(to, byte)| *to = *byte));
        Ok(room)
    }

    /// The bytes where they stand, if nothing is escaped.
    #[must_use]
    pub fn as_plain(&self) -> Option<&'a [u8]> {
        (!self.escapes).then_some(self.raw)
    }

    /// Whether it is `text`; not for secrets.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.as_plain().map_or_else(|| self.bytes().eq(text.bytes()), |plain| plain == text.as_bytes())
    }
}

impl core::fmt::Debug for JsonStr<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("JsonStr(..)")
    }
}

/// A number of seconds, floored and saturating; `None` where it is negative (`-0` too).
pub(crate) fn whole_seconds(number: impl Iterator<Item = u8> + Clone) -> Option<u64> {
    let mut whole = 0_u64;
    for byte in number.clone() {
        match byte {
            b'-' => return None,
            b'0'..=b'9' => whole = whole.saturating_mul(10).saturating_add(u64::from(byte & 0xF)),
            _ => return Some(scaled_seconds(number)),
        }
    }
    Some(whole)
}

/// The same for a number with a fraction or an exponent.
#[cold]
fn scaled_seconds(number: impl Iterator<Item = u8> + Clone) -> u64 {
    // The exponent first: it says how many of the digits stand before the point.
    let mut exponent: i32 = 0;
    let mut digits_before = 0_i32;
    let mut at_point = false;
    let mut text = number.clone();
    while let Some(byte) = text.next() {
        match byte {
            b'.' => at_point = true,
            b'e' | b'E' => {
                let mut negative = false;
                for byte in text.by_ref() {
                    match byte {
                        b'-' => negative = true,
                        b'+' => {}
                        digit => {
                            exponent = exponent.saturating_mul(10).saturating_add(i32::from(digit & 0xF));
                        }
                    }
                }
                if negative {
                    exponent = exponent.saturating_neg();
                }
            }
            _ if !at_point => digits_before = digits_before.saturating_add(1),
            _ => {}
        }
    }
    let mut left = digits_before.saturating_add(exponent);
    let mut seconds = 0_u64;
    for byte in number {
        match byte {
            b'.' => {}
            b'0'..=b'9' if left > 0 => {
                seconds = seconds.saturating_mul(10).saturating_add(u64::from(byte & 0xF));
                left = left.saturating_sub(1);
            }
            _ => break,
        }
    }
    // Zeros that the exponent adds: twenty of them saturate.
    for _ in 0..left.clamp(0, 20) {
        seconds = seconds.saturating_mul(10);
    }
    seconds
}

#[cfg(test)]
mod tests;
