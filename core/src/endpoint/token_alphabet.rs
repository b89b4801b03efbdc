//! The bytes of an access token.

use crate::machine::WIDE;
use crate::wire::json_str::JsonStr;

/// The bytes that an access token may have. Whatever is stored can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum TokenAlphabet {
    /// `b64token` of RFC 6750 section 2.1.
    B64Token = 0,
    /// 0x21–0x7E, for services whose tokens have more (`Atza|…`).
    Visible = 1,
}

impl TokenAlphabet {
    /// Whether a token may be sent and so may be stored: never empty.
    pub(crate) fn has(self, token: JsonStr<'_>) -> bool {
        let Some(mut plain) = token.as_plain() else { return self.has_escaped(token) };
        if self == Self::B64Token {
            while let [rest @ .., b'='] = plain {
                plain = rest;
            }
        }
        !plain.is_empty()
            && match self {
                _ if !WIDE => plain.iter().all(|byte| self.maps_byte(*byte)),
                Self::Visible => all(plain, |byte| Self::Visible.has_byte(byte)),
                Self::B64Token => all(plain, |byte| Self::B64Token.has_byte(byte)),
            }
    }

    #[inline(never)]
    fn has_escaped(self, token: JsonStr<'_>) -> bool {
        let (mut body, mut padding) = (false, false);
        for byte in token.bytes() {
            if body && byte == b'=' && self == Self::B64Token {
                padding = true;
            } else if padding || !self.maps_byte(byte) {
                return false;
            } else {
                body = true;
            }
        }
        body
    }

    pub(crate) fn has_text(self, token: &str) -> bool {
        self.has(JsonStr::literal(token.as_bytes()))
    }

    #[inline(always)]
    const fn has_byte(self, byte: u8) -> bool {
        match self {
            Self::Visible => byte.wrapping_sub(0x21) < 0x5E,
            Self::B64Token => {
                ((byte | 0x20).wrapping_sub(b'a') < 26)
                    | (byte.wrapping_sub(b'-') < 13)
                    | (byte == b'_')
                    | (byte == b'~')
                    | (byte == b'+')
            }
        }
    }

    /// The same by a bit of a map: short, and fast without vector registers.
    #[inline(always)]
    fn maps_byte(self, byte: u8) -> bool {
        const VISIBLE: [u32; 4] = TokenAlphabet::Visible.map();
        const B64TOKEN: [u32; 4] = TokenAlphabet::B64Token.map();
        let map = match self {
            Self::Visible => &VISIBLE,
            Self::B64Token => &B64TOKEN,
        };
        map.get(usize::from(byte >> 5)).is_some_and(|word| (word >> (byte & 31)) & 1 == 1)
    }

    const fn map(self) -> [u32; 4] {
        [self.map_from(0), self.map_from(32), self.map_from(64), self.map_from(96)]
    }

    const fn map_from(self, first: u8) -> u32 {
        let (mut word, mut bit) = (0, 0);
        while bit < 32 {
            if self.has_byte(first.wrapping_add(bit)) {
                word |= 1 << bit;
            }
            bit = bit.wrapping_add(1);
        }
        word
    }
}

/// Whether all bytes are good: blocks are looked at without a branch for each byte. The last may hold bytes of the one
/// before.
#[inline(always)]
fn all(bytes: &[u8], good: impl Fn(u8) -> bool) -> bool {
    const BLOCK: usize = 16;
    let block_is_good =
        |block: &[u8; BLOCK]| block.iter().fold(0, |bad, &byte| bad | u8::from(!good(byte))) == 0;
    match bytes.last_chunk::<BLOCK>() {
        Some(last) => bytes.as_chunks::<BLOCK>().0.iter().all(block_is_good) && block_is_good(last),
        None => bytes.iter().all(|&byte| good(byte)),
    }
}
