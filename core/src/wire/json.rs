//! A strict RFC 8259 pull reader: one pass, no recursion, no tree, nothing copied.
//!
//! The reader hands out each value with the depth of the container that holds it; what lies between is
//! checked and forgotten. It reads any [`Input`], so that the same grammar serves a body in memory and
//! the payload of a JWT that is decoded while it is read.

use crate::ascii::hexadecimal;
use crate::error::Error;
use crate::machine::WIDE;
use crate::wire::json_str::JsonStr;

/// Containers that may be open at once, the top one included: one bit each in [`Reader::kinds`].
const MAX_DEPTH: u32 = u32::BITS;

/// Bytes with a cursor. Cloning the cursor marks a place.
pub(crate) trait Input: Clone {
    /// A stretch of the input.
    type Span;
    /// The byte under the cursor; 0 at the end, as no document goes on at a 0 either.
    fn peek(&self) -> u8;
    /// Tells that 0 from one that stands there.
    fn is_at_end(&self) -> bool;
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
    fn peek(&self) -> u8 {
        self.rest.as_slice().first().copied().unwrap_or(0)
    }

    #[inline(always)]
    fn is_at_end(&self) -> bool {
        self.rest.as_slice().is_empty()
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
            if WIDE && words == 3 {
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
    /// The raw name, where the container is an object.
    pub(crate) name: Option<S>,
    /// What the name holds.
    pub(crate) name_text: Text,
    /// The raw value: a string without its quotes, a container from its bracket to the end of the input.
    pub(crate) value: S,
    /// The first byte of the value, which tells its kind.
    pub(crate) kind: u8,
    /// What a string holds.
    pub(crate) text: Text,
}

impl<'a> Item<&'a [u8]> {
    /// Whether the value is a string of Unicode text.
    pub(crate) fn is_text(&self) -> bool {
        self.kind == b'"' && self.text != Text::LoneSurrogate
    }

    /// The value, where it is such a string.
    pub(crate) fn json_str(&self) -> JsonStr<'a> {
        JsonStr::raw(self.value, self.text == Text::Escaped)
    }
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
    /// At a byte that cannot stand where it stands, or at the end of an unfinished document.
    Broken,
    /// At a bracket that opens one container too many.
    TooDeep,
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

    /// The next value in document order; `None` behind the top value, and where the document is broken.
    #[inline(never)]
    pub(crate) fn next(&mut self) -> Option<Item<I::Span>> {
        self.next_inlined()
    }

    /// The same in the caller's own loop, for the one reader that must be fast.
    #[inline(always)]
    pub(crate) fn next_inlined(&mut self) -> Option<Item<I::Span>> {
        loop {
            let place = self.place;
            if place == Place::Behind && self.depth == 0 {
                return None;
            }
            // Until the value is read whole.
            self.place = Place::Broken;
            let mut first = self.token();
            let object = self.kinds & 1 == 1;
            if place != Place::Start {
                if first == if object { b'}' } else { b']' } {
                    self.input.bump();
                    self.kinds >>= 1;
                    self.depth = self.depth.wrapping_sub(1);
                    self.place = Place::Behind;
                    continue;
                }
                if place == Place::Behind {
                    if first != b',' {
                        return None;
                    }
                    self.input.bump();
                    first = self.token();
                }
            }
            let depth = self.depth;
            let (mut name, mut name_text) = (None, Text::Plain);
            // One place that reads strings serves names and values.
            let value = loop {
                if first == b'"' {
                    let string = self.string()?;
                    if !object || name.is_some() {
                        break string;
                    }
                    (name, name_text) = (Some(string), self.text);
                    if self.token() != b':' {
                        return None;
                    }
                    self.input.bump();
                    first = self.token();
                } else if object && name.is_none() {
                    return None;
                } else {
                    let start = self.input.clone();
                    if let b'{' | b'[' = first {
                        self.open(first)?;
                        return Some(Item {
                            depth,
                            name,
                            name_text,
                            value: start.span(None),
                            kind: first,
                            text: self.text,
                        });
                    }
                    self.scalar(first)?;
                    break start.span(Some(&self.input));
                }
            };
            self.place = Place::Behind;
            return Some(Item { depth, name, name_text, value, kind: first, text: self.text });
        }
    }

    /// Checks that the document is whole and nothing but white space stands behind it; gives the input back.
    pub(crate) fn finish(mut self) -> Result<I, Error> {
        let whole = self.place == Place::Behind && self.depth == 0;
        if whole {
            self.token();
        }
        let offset = self.input.offset();
        match self.place {
            Place::TooDeep => Err(Error::TooDeep { offset }),
            _ if !self.input.is_at_end() => Err(Error::Malformed { offset }),
            _ if !whole => Err(Error::Truncated { offset }),
            _ => Ok(self.input),
        }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.input.is_at_end()
    }

    /// The first byte behind white space; 0 where there is none.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn token(&mut self) -> u8 {
        loop {
            match self.input.peek() {
                b' ' | b'\t' | b'\n' | b'\r' => self.input.bump(),
                byte => return byte,
            }
        }
    }

    fn open(&mut self, bracket: u8) -> Option<()> {
        if self.depth == MAX_DEPTH {
            self.place = Place::TooDeep;
            return None;
        }
        self.input.bump();
        self.kinds = (self.kinds << 1) | u32::from(bracket == b'{');
        self.depth = self.depth.wrapping_add(1);
        self.place = Place::Opened;
        Some(())
    }

    /// A string: the span between its quotes.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn string(&mut self) -> Option<I::Span> {
        self.input.bump();
        let start = self.input.clone();
        self.text = Text::Plain;
        self.high_surrogate = 0;
        loop {
            self.input.skip_plain();
            match self.input.peek() {
                b'"' => {
                    let span = start.span(Some(&self.input));
                    self.input.bump();
                    if self.high_surrogate != 0 {
                        self.text = Text::LoneSurrogate;
                    }
                    return Some(span);
                }
                b' '..=b'[' | b']'..=0x7F => self.input.bump(),
                byte => self.uncommon(byte)?,
            }
        }
    }

    /// An escape or a character beyond ASCII (RFC 3629 section 4, so no surrogate and no overlong form).
    #[inline(never)]
    fn uncommon(&mut self, byte: u8) -> Option<()> {
        let more = match byte {
            b'\\' => return self.escape(),
            0xC2..=0xDF => 1,
            0xE0..=0xEF => 2,
            0xF0..=0xF4 => 3,
            _ => return None,
        };
        let low = match byte {
            0xE0 => 0xA0,
            0xF0 => 0x90,
            _ => 0x80,
        };
        let high = match byte {
            0xED => 0x9F,
            0xF4 => 0x8F,
            _ => 0xBF,
        };
        self.input.bump();
        self.take(low, high)?;
        for _ in 1..more {
            self.take(0x80, 0xBF)?;
        }
        Some(())
    }

    fn escape(&mut self) -> Option<()> {
        if self.text == Text::Plain {
            self.text = Text::Escaped;
        }
        let start = self.input.offset();
        self.input.bump();
        let escaped = self.input.peek();
        if !matches!(escaped, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u') {
            return None;
        }
        self.input.bump();
        if escaped != b'u' {
            return Some(());
        }
        let mut unit = 0;
        for _ in 0..4 {
            let digit = hexadecimal(self.input.peek())?;
            self.input.bump();
            unit = (unit << 4) | u32::from(digit);
        }
        let pairs = self.high_surrogate == start;
        match unit & 0xFC00 {
            0xD800 if self.high_surrogate == 0 => self.high_surrogate = self.input.offset(),
            0xDC00 if pairs => self.high_surrogate = 0,
            0xD800 | 0xDC00 => self.text = Text::LoneSurrogate,
            _ => {}
        }
        Some(())
    }

    /// A number or one of the three literals.
    fn scalar(&mut self, first: u8) -> Option<()> {
        let word: &[u8] = match first {
            b't' => b"true",
            b'f' => b"false",
            b'n' => b"null",
            _ => return self.number(),
        };
        word.iter().try_for_each(|byte| self.take(*byte, *byte))
    }

    fn number(&mut self) -> Option<()> {
        self.take(b'-', b'-');
        if self.take(b'0', b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.', b'.').is_some() {
            self.digits()?;
        }
        if let b'e' | b'E' = self.input.peek() {
            self.input.bump();
            if let b'+' | b'-' = self.input.peek() {
                self.input.bump();
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        self.take(b'0', b'9')?;
        while self.take(b'0', b'9').is_some() {}
        Some(())
    }

    /// Moves over a byte from `low` to `high`; `None` where there is another.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn take(&mut self, low: u8, high: u8) -> Option<()> {
        let byte = self.input.peek();
        (low <= byte && byte <= high).then(|| self.input.bump())
    }
}

/// The container that `value` begins with, for a body that a [`Reader`] has let through.
#[cfg(feature = "serde")]
pub(crate) fn container(value: &[u8]) -> &[u8] {
    let mut reader = Reader::new(Slice::new(value));
    while reader.next().is_some() {}
    value.get(..reader.input.offset()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
