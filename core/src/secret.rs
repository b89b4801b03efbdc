//! Comparing and wiping bytes that must not leak.

use crate::error::Error;

/// Refuses bytes that are all alike: no generator has drawn them.
pub(crate) fn check_random(random: &[u8]) -> Result<(), Error> {
    let is_drawn = random.iter().any(|byte| Some(byte) != random.first());
    if is_drawn { Ok(()) } else { Err(Error::NotRandom) }
}

/// Whether `a` and `b` are the same bytes, in a time that depends only on their lengths.
///
/// ```
/// assert!(tokenward::ct_eq(b"token", b"token"));
/// assert!(!tokenward::ct_eq(b"token", b"taken"));
/// ```
#[must_use]
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && ct_eq_iter(a.iter().copied(), b)
}

pub(crate) fn ct_eq_iter(a: impl Iterator<Item = u8>, b: &[u8]) -> bool {
    let mut different = 0;
    let mut expected = b.iter();
    for byte in a {
        match expected.next() {
            Some(other) => different |= core::hint::black_box(byte ^ other),
            None => return false,
        }
    }
    expected.next().is_none() && core::hint::black_box(different) == 0
}

/// Overwrites `bytes` with zeros, even if the compiler sees that nobody reads them again.
///
/// For the caller's own buffers: those that a request, a header or a snapshot was written to.
///
/// ```
/// let mut header = *b"Bearer 2YotnFZFEjr1zCsicMWpAA";
/// tokenward::wipe(&mut header);
/// assert!(header.iter().all(|&byte| byte == 0));
/// ```
#[inline(never)]
pub fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    // Safe Rust has no volatile write; a value that black_box has seen must be in memory.
    core::hint::black_box(bytes);
}
