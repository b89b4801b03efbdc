//! A strict RFC 8259 reader: one pass, no recursion, no tree, nothing copied.
//!
//! It hands out each value with the depth of the container that holds it; what lies between is checked and forgotten.
//! It reads any [`Input`], so that the same grammar serves a body in memory and the payload of a JWT that is decoded
//! while it is read. An input is a value: what is moved is a copy in registers.

use crate::ascii::hexadecimal;
use crate::error::Error;
use crate::machine::{WIDE, inlined_if_wide};
use crate::wire::input::{Input, Slice, Text};
use crate::wire::json_str::JsonStr;

/// Containers that may be open at once, the top one included: one bit each of a word.
const MAX_DEPTH: u32 = u32::BITS;

/// A value and where it stands.
pub(crate) struct Item<S> {
    /// Open containers around the value; 0 for the top value.
    pub(crate) depth: u32,
    /// The raw name, if the container is an object.
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
    /// The name, if there is one.
    #[inline(always)]
    pub(crate) fn name(&self) -> Option<JsonStr<'a>> {
        self.name.map(|name| JsonStr::read(name, self.name_text))
    }

    /// The value, if it is a string of Unicode text.
    #[inline(always)]
    pub(crate) fn text(&self) -> Option<JsonStr<'a>> {
        let is_text = self.kind == b'"' && self.text != Text::LONE_SURROGATE;
        is_text.then(|| JsonStr::read(self.value, self.text))
    }
}

/// Is handed one value after the other.
pub(crate) type Each<'e, S> = dyn FnMut(&Item<S>) -> Result<(), Error> + 'e;

inlined_if_wide! {
    /// Reads a document and hands each value that lies in `1..=shown` containers to `each`, in document order, until that
    /// refuses one. Gives back the input behind the document. The names that are `likely` are looked for before the end of
    /// a name is, where that is faster.
    ///
    /// - [`Error::Truncated`], [`Error::Malformed`], [`Error::TooDeep`]: the document is not whole; the offset is that from
    ///   `start` to the byte that cannot stand where it stands.
    pub(crate) fn walk<I: Input>(
        start: &I,
        mut at: I,
        shown: u32,
        likely: &[&str],
        each: &mut Each<'_, I::Span>,
    ) -> Result<I, Error> {
        // The open containers, the innermost in bit 0: set for an object.
        let (mut kinds, mut depth) = (0_u32, 0_u32);
        'value: loop {
            let object = kinds & 1 == 1;
            let (mut name, mut name_text) = (None, Text::PLAIN);
            let mut kind = token(&mut at);
            if object {
                if kind != b'"' {
                    break;
                }
                let Some((span, text)) = string(&mut at, likely) else { break };
                (name, name_text) = (Some(span), text);
                if token(&mut at) != b':' {
                    break;
                }
                at.bump();
                kind = token(&mut at);
            }
            let opens = matches!(kind, b'{' | b'[');
            let (value, text) = if kind == b'"' {
                let Some(string) = string(&mut at, &[]) else { break };
                string
            } else if opens {
                if depth == MAX_DEPTH {
                    return Err(Error::TooDeep { offset: start.distance(&at) });
                }
                let value = at.clone().until_end();
                at.bump();
                (value, Text::PLAIN)
            } else {
                let first = at.clone();
                if !scalar(&mut at, kind) {
                    break;
                }
                let Some(value) = first.until(&at) else { break };
                (value, Text::PLAIN)
            };
            if depth.wrapping_sub(1) < shown {
                each(&Item { depth, name, name_text, value, kind, text })?;
            }
            if opens {
                kinds = (kinds << 1) | u32::from(kind == b'{');
                depth = depth.wrapping_add(1);
                if token(&mut at) != closing(kinds) {
                    continue;
                }
            }
            // Behind a value, or at a bracket that closes an empty container.
            while depth != 0 {
                let byte = token(&mut at);
                if byte == b',' {
                    at.bump();
                    continue 'value;
                }
                if byte != closing(kinds) {
                    break 'value;
                }
                at.bump();
                kinds >>= 1;
                depth = depth.wrapping_sub(1);
            }
            token(&mut at);
            if at.is_at_end() {
                return Ok(at);
            }
            break;
        }
        let offset = start.distance(&at);
        Err(if at.is_at_end() { Error::Truncated { offset } } else { Error::Malformed { offset } })
    }
}

/// The bracket that closes the innermost container.
#[inline(always)]
fn closing(kinds: u32) -> u8 {
    if kinds & 1 == 1 { b'}' } else { b']' }
}

/// What a body begins with that is compressed by gzip (RFC 1952 section 2.3.1).
const GZIP: &[u8] = &[0x1F, 0x8B];

inlined_if_wide! {
    /// Where a body that is to be an object starts, and the place of its `{`, behind a byte order mark and white space.
    pub(crate) fn object(body: &[u8]) -> Result<(Slice<'_>, Slice<'_>), Error> {
        let mut at = Slice::new(if let [0xEF, 0xBB, 0xBF, text @ ..] = body { text } else { body });
        if !matches!(token(&mut at), b'{') && !at.is_at_end() {
            return Err(if body.starts_with(GZIP) { Error::EncodedBody } else { Error::NotJson });
        }
        Ok((Slice::new(body), at))
    }
}

inlined_if_wide! {
    /// Moves to the first byte behind white space: that byte, 0 if there is none.
    pub(crate) fn token<I: Input>(at: &mut I) -> u8 {
        loop {
            match at.peek() {
                b' ' | b'\t' | b'\n' | b'\r' => at.bump(),
                byte => return byte,
            }
        }
    }
}

inlined_if_wide! {
    /// Moves over a string and gives back what stands between its quotes; `None` at a byte that cannot stand there.
    fn string<I: Input>(at: &mut I, likely: &[&str]) -> Option<(I::Span, Text)> {
        at.bump();
        let first = at.clone();
        if !(WIDE && likely.iter().any(|text| skip_whole(at, text.as_bytes()))) {
            *at = at.clone().skip_plain();
        }
        let mut text = Text::PLAIN;
        if at.peek() != b'"' {
            let (end, uncommon) = uncommon_string(at.clone());
            *at = end;
            text = uncommon?;
        }
        let string = first.until(at)?;
        at.bump();
        Some((string, text))
    }
}

/// Moves over these bytes if they and a quote are the next.
#[inline(always)]
fn skip_whole<I: Input>(at: &mut I, text: &[u8]) -> bool {
    let mut end = at.clone();
    let is_whole = end.skip(text) && end.peek() == b'"';
    if is_whole {
        *at = end;
    }
    is_whole
}

/// Moves to the quote at the end of a string with escapes, with characters beyond ASCII, or near the end of the input.
#[inline(never)]
fn uncommon_string<I: Input>(mut at: I) -> (I, Option<Text>) {
    let (mut saved, mut waits, mut lone) = (0_usize, false, false);
    loop {
        // Whether the first half of a surrogate pair waits for the second.
        let first_half = core::mem::take(&mut waits);
        let byte = at.peek();
        if byte != b'\\' {
            lone |= first_half;
        }
        match byte {
            b'"' => return (at, Some(if lone { Text::LONE_SURROGATE } else { Text(saved) })),
            b'\\' => {
                at.bump();
                let escaped = at.peek();
                if !matches!(escaped, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u') {
                    return (at, None);
                }
                at.bump();
                let mut saves = 1;
                if escaped == b'u' {
                    let Some(unit) = unit(&mut at) else { return (at, None) };
                    saves = match unit {
                        0..0x80 => 5,
                        0x80..0x800 => 4,
                        _ => 3,
                    };
                    match unit & 0xFC00 {
                        0xD800 => {
                            lone |= first_half;
                            waits = true;
                            // Of twelve bytes four are left; the second half saves three.
                            saves = 5;
                        }
                        0xDC00 => lone |= !first_half,
                        _ => lone |= first_half,
                    }
                } else {
                    lone |= first_half;
                }
                saved = saved.wrapping_add(saves);
            }
            b' '..=0x7F => at.bump(),
            byte => {
                if beyond_ascii(&mut at, byte).is_none() {
                    return (at, None);
                }
            }
        }
        if !waits {
            at = at.skip_plain();
        }
    }
}

/// The four digits of a UTF-16 code unit.
fn unit<I: Input>(at: &mut I) -> Option<u32> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = hexadecimal(at.peek())?;
        at.bump();
        unit = (unit << 4) | u32::from(digit);
    }
    Some(unit)
}

/// A character beyond ASCII (RFC 3629 section 4, so no surrogate and no overlong form).
fn beyond_ascii<I: Input>(at: &mut I, byte: u8) -> Option<()> {
    let (more, low, high) = behind_first(byte)?;
    at.bump();
    if !take(at, low, high) {
        return None;
    }
    for _ in 1..more {
        if !take(at, 0x80, 0xBF) {
            return None;
        }
    }
    Some(())
}

/// How many bytes follow this one in a character, and the least and the greatest that the next may be.
#[inline(always)]
fn behind_first(byte: u8) -> Option<(u8, u8, u8)> {
    let more = match byte {
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
    Some((more, low, high))
}

/// Whether bytes are UTF-8.
pub(crate) fn is_utf8(mut bytes: impl Iterator<Item = u8>) -> bool {
    while let Some(byte) = bytes.next() {
        let Some((more, mut low, mut high)) =
            (if byte < 0x80 { Some((0, 0, 0)) } else { behind_first(byte) })
        else {
            return false;
        };
        for _ in 0..more {
            if !bytes.next().is_some_and(|byte| low <= byte && byte <= high) {
                return false;
            }
            (low, high) = (0x80, 0xBF);
        }
    }
    true
}

inlined_if_wide! {
    /// Moves over a number or one of the three literals; false at a byte that cannot stand there.
    fn scalar<I: Input>(at: &mut I, first: u8) -> bool {
        let word: &[u8] = match first {
            b't' => b"true",
            b'f' => b"false",
            b'n' => b"null",
            _ => return number(at),
        };
        word.iter().all(|byte| take(at, *byte, *byte))
    }
}

inlined_if_wide! {
    fn number<I: Input>(at: &mut I) -> bool {
        take(at, b'-', b'-');
        if !take(at, b'0', b'0') && !digits(at) {
            return false;
        }
        if take(at, b'.', b'.') && !digits(at) {
            return false;
        }
        if at.peek() | 0x20 != b'e' {
            return true;
        }
        at.bump();
        if let b'+' | b'-' = at.peek() {
            at.bump();
        }
        digits(at)
    }
}

inlined_if_wide! {
    fn digits<I: Input>(at: &mut I) -> bool {
        let some = take(at, b'0', b'9');
        while take(at, b'0', b'9') {}
        some
    }
}

inlined_if_wide! {
    /// Moves over a byte from `low` to `high`; false if there is another.
    fn take<I: Input>(at: &mut I, low: u8, high: u8) -> bool {
        let byte = at.peek();
        let is_there = low <= byte && byte <= high;
        if is_there {
            at.bump();
        }
        is_there
    }
}

/// The strings of an array that [`walk`] has let through, up to an element that is none, and whether that was all.
pub(crate) struct Strings<'a>(Slice<'a>);

impl<'a> Strings<'a> {
    /// `array` begins with its bracket.
    pub(crate) fn new(array: &'a [u8]) -> Self {
        Self(Slice::new(array))
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.0.peek() == b']'
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = JsonStr<'a>;

    fn next(&mut self) -> Option<JsonStr<'a>> {
        if self.is_at_end() {
            return None;
        }
        // At the opening bracket, or at a comma.
        self.0.bump();
        if token(&mut self.0) != b'"' {
            return None;
        }
        let mut end = self.0.clone();
        let (string, text) = string(&mut end, &[])?;
        if text == Text::LONE_SURROGATE {
            return None;
        }
        token(&mut end);
        self.0 = end;
        Some(JsonStr::read(string, text))
    }
}

/// The container that `value` begins with, for a body that [`walk`] has let through.
#[cfg(feature = "serde")]
pub(crate) fn container(value: &[u8]) -> &[u8] {
    let start = Slice::new(value);
    let end = match walk(&start, start.clone(), 0, &[], &mut |_| Ok(())) {
        Err(Error::Malformed { offset }) => offset,
        _ => value.len(),
    };
    value.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
