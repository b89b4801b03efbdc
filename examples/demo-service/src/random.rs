//! Token text: HMAC-SHA256 in counter mode under a key drawn once, so that no request can fail for
//! want of entropy and a seed makes a demo repeatable.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA256 under one key.
#[derive(Clone)]
pub(crate) struct Keyed(Hmac<Sha256>);

impl Keyed {
    pub(crate) fn new(key: [u8; 64]) -> Self {
        Keyed(<Hmac<Sha256> as KeyInit>::new(&key.into()))
    }

    pub(crate) fn tag(&self, message: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(message).finalize().into_bytes().into()
    }
}

pub(crate) struct Random {
    keyed: Keyed,
    counter: u64,
}

impl Random {
    pub(crate) fn new(keyed: Keyed) -> Self {
        Random { keyed, counter: 0 }
    }

    fn block(&mut self) -> [u8; 32] {
        self.counter = self.counter.wrapping_add(1);
        self.keyed.tag(&self.counter.to_be_bytes())
    }

    /// 43 characters of base64url.
    pub(crate) fn opaque(&mut self) -> String {
        URL_SAFE_NO_PAD.encode(self.block())
    }

    /// Base64url of exactly `length` characters.
    pub(crate) fn opaque_of(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length.saturating_add(43));
        while text.len() < length {
            text.push_str(&self.opaque());
        }
        text.truncate(length);
        text
    }

    /// `digits` lower-case hexadecimal digits, at most 64.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        let mut text: String = self.block().iter().map(|byte| format!("{byte:02x}")).collect();
        text.truncate(digits);
        text
    }

    /// A UUID, version 4.
    pub(crate) fn uuid(&mut self) -> String {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = self.block();
        let (g, i) = (g & 0x0f | 0x40, i & 0x3f | 0x80);
        format!(
            "{a:02x}{b:02x}{c:02x}{d:02x}-{e:02x}{f:02x}-{g:02x}{h:02x}-{i:02x}{j:02x}-\
             {k:02x}{l:02x}{m:02x}{n:02x}{o:02x}{p:02x}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_rfc_4231_hmac_sha256() {
        let mut key = [0; 64];
        key[..4].copy_from_slice(b"Jefe");
        let tag = Keyed::new(key).tag(b"what do ya want for nothing?");
        assert_eq!(tag[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert_eq!(tag[28..], [0x64, 0xec, 0x38, 0x43]);
    }

    #[test]
    fn texts_have_the_length_that_was_asked_for_and_never_repeat() {
        let mut random = Random::new(Keyed::new([7; 64]));
        assert_eq!(random.opaque_of(1000).len(), 1000);
        assert_eq!(random.opaque_of(0).len(), 0);
        assert_eq!(random.hex(40).len(), 40);
        let uuid = random.uuid();
        assert_eq!((uuid.len(), uuid.as_bytes()[14]), (36, b'4'));
        assert_ne!(uuid, random.uuid());
        assert_ne!(random.opaque(), random.opaque());
    }
}
