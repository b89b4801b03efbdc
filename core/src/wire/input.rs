//! What a grammar reads: bytes with a cursor.

use crate::machine::{WIDE, inlined_if_wide};

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
    /// Moves over these bytes if they are the next; an input that would not be faster for it need not look.
    fn skip(&mut self, _bytes: &[u8]) -> bool {
        false
    }
    /// Moves over bytes that are plain inside a string (0x20–0x7F but `"` and `\`); may stop early.
    fn skip_plain(self) -> Self {
        self
    }
    /// Bytes from here to a later place.
    fn distance(&self, later: &Self) -> usize;
    /// From here to a later place; none where that is not later.
    fn until(self, later: &Self) -> Option<Self::Span>;
    /// From here to the end of the input.
    fn until_end(self) -> Self::Span;
}

/// A body in memory.
#[derive(Clone)]
pub(crate) struct Slice<'a>(core::slice::Iter<'a, u8>);

impl<'a> Slice<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter())
    }

    #[inline(always)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0.as_slice()
    }

    /// Moves over blocks that are plain whole.
    #[inline(never)]
    fn skip_plain_blocks(mut self) -> Self {
        self.skip_plain_blocks_of::<32>();
        self.skip_plain_blocks_of::<16>();
        self
    }

    #[inline(always)]
    fn skip_plain_blocks_of<const BLOCK: usize>(&mut self) {
        while let Some((block, tail)) = self.rest().split_first_chunk::<BLOCK>() {
            let stop = |byte: u8| ((byte ^ (b'"' ^ b' ')).cast_signed() <= 0x20) | (byte == b'\\');
            if block.iter().fold(0, |stops, &byte| stops | u8::from(stop(byte))) != 0 {
                break;
            }
            self.0 = tail.iter();
        }
    }
}

impl<'a> Input for Slice<'a> {
    type Span = &'a [u8];

    #[inline(always)]
    fn peek(&self) -> u8 {
        self.rest().first().copied().unwrap_or(0)
    }

    #[inline(always)]
    fn is_at_end(&self) -> bool {
        self.rest().is_empty()
    }

    #[inline(always)]
    fn bump(&mut self) {
        self.0.next();
    }

    #[inline(always)]
    fn skip(&mut self, bytes: &[u8]) -> bool {
        // The first byte tells most others at once.
        if self.rest().first() != bytes.first() {
            return false;
        }
        let behind = self.rest().strip_prefix(bytes);
        if let Some(behind) = behind {
            self.0 = behind.iter();
        }
        behind.is_some()
    }

    inlined_if_wide! {
        /// A machine word at a time, and in long strings a block at a time where there are vector registers.
        fn skip_plain(mut self) -> Self {
            loop {
                for _ in 0..2 {
                    let Some((word, tail)) = self.rest().split_first_chunk() else { return self };
                    let stops = stops_in(usize::from_le_bytes(*word));
                    if stops != 0 {
                        let plain = usize::try_from(stops.trailing_zeros() / 8).unwrap_or_default();
                        return Self(self.rest().get(plain..).unwrap_or_default().iter());
                    }
                    self.0 = tail.iter();
                }
                if WIDE {
                    self = self.skip_plain_blocks();
                }
            }
        }
    }

    #[inline(always)]
    fn distance(&self, later: &Self) -> usize {
        self.0.len().wrapping_sub(later.0.len())
    }

    #[inline(always)]
    fn until(self, later: &Self) -> Option<&'a [u8]> {
        self.rest().get(..self.distance(later))
    }

    #[inline(always)]
    fn until_end(self) -> &'a [u8] {
        self.rest()
    }
}

/// Marks the bytes of a little-endian word that are not plain inside a string by their high bit; behind the first mark
/// others may be wrong. A byte below 0x20 or a quote, which becomes 0x20, borrows; so does a backslash, which becomes 0.
#[inline(always)]
fn stops_in(word: usize) -> usize {
    const fn each(byte: u8) -> usize {
        usize::from_le_bytes([byte; size_of::<usize>()])
    }
    let quotes = (word ^ each(b'"' ^ b' ')).wrapping_sub(each(b' ' + 1));
    let backslashes = (word ^ each(b'\\')).wrapping_sub(each(1));
    (quotes | backslashes | word) & each(0x80)
}

/// What a string is unescaped: so many bytes shorter.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Text(pub(crate) usize);

impl Text {
    /// No escape.
    pub(crate) const PLAIN: Self = Self(0);
    /// An escape is half of a surrogate pair, so that the string is no Unicode text.
    pub(crate) const LONE_SURROGATE: Self = Self(usize::MAX);
}
