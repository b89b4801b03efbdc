//! The seal of a snapshot: HMAC-SHA-256 (RFC 2104).

use sha2::block_api::compress256;

use crate::ascii::low_byte;

pub(crate) const TAG_LEN: usize = 32;

/// HMAC-SHA-256 (RFC 2104).
#[inline(never)]
pub(crate) fn seal_of(key: &[u8], contents: &[u8]) -> [u8; TAG_LEN] {
    let inner = keyed_hash(key, 0x36, contents);
    keyed_hash(key, 0x5C, &inner)
}

#[inline(never)]
fn keyed_hash(key: &[u8], pad: u8, message: &[u8]) -> [u8; TAG_LEN] {
    let mut hash = Hash::new();
    if key.len() > BLOCK_LEN {
        hash.update(key);
        return keyed_hash(&hash.finish(), pad, message);
    }
    key.iter().for_each(|byte| hash.push(byte ^ pad));
    while hash.len < BLOCK_LEN {
        hash.push(pad);
    }
    hash.update(message);
    hash.finish()
}

const BLOCK_LEN: usize = 64;
/// Where the message's length stands in its last block.
const LENGTH_AT: usize = 56;

/// SHA-256 (FIPS 180-4) while it is computed: one block and the state, where the crates `digest` and `hmac` move and
/// copy several of each on the stack. The function on a block is that of `sha2`.
pub(crate) struct Hash {
    state: [u32; 8],
    block: [u8; BLOCK_LEN],
    len: usize,
}

impl Hash {
    pub(crate) const fn new() -> Self {
        let state = [
            0x6A09_E667,
            0xBB67_AE85,
            0x3C6E_F372,
            0xA54F_F53A,
            0x510E_527F,
            0x9B05_688C,
            0x1F83_D9AB,
            0x5BE0_CD19,
        ];
        Self { state, block: [0; BLOCK_LEN], len: 0 }
    }

    #[inline(never)]
    pub(crate) fn push(&mut self, byte: u8) {
        if let Some(place) = self.block.get_mut(self.len % BLOCK_LEN) {
            *place = byte;
        }
        self.len = self.len.wrapping_add(1);
        if self.len.is_multiple_of(BLOCK_LEN) {
            compress256(&mut self.state, core::slice::from_ref(&self.block));
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.push(*byte));
    }

    #[inline(never)]
    pub(crate) fn finish(&mut self) -> [u8; TAG_LEN] {
        let bits = u64::try_from(self.len).unwrap_or(u64::MAX) << 3;
        self.push(0x80);
        while self.len % BLOCK_LEN != LENGTH_AT {
            self.push(0);
        }
        self.update(&bits.to_be_bytes());
        let mut hash = [0; TAG_LEN];
        let mut places = hash.iter_mut();
        for word in &self.state {
            for shift in (0..u32::BITS).step_by(8).rev() {
                places.next().into_iter().for_each(|to| *to = low_byte(word >> shift));
            }
        }
        hash
    }
}
