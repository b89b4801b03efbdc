//! A seal of the caller's own: the HMAC-SHA-256 that a device has in hardware, or in a library that it links anyway.

use core::ffi::c_void;

#[cfg(feature = "snapshot")]
use core::alloc::Layout;

#[cfg(feature = "snapshot")]
use tokenward::storage::{Pieces, Seal};

#[cfg(feature = "snapshot")]
use crate::edge::Edge;
#[cfg(feature = "snapshot")]
use crate::result::*;

/// Computes the HMAC-SHA-256 (RFC 2104) that seals snapshots, for #tokenward_storage_own_with_seal and
/// #tokenward_storage_shared_with_seal: three functions, as PSA, mbedTLS and hardware have them. Calls that change the
/// manager call them, one after the other. They must not call anything here. What they are given are tokens: nothing of it
/// may stay behind.
///
/// The object must live and stay unchanged for as long as the manager. Managers that are used concurrently need one each,
/// unless `state` is not used.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_seal {
    /// Starts anew, under the 32 bytes at `key`: those that the call was given, or zeros. A seal with a key of its own, in
    /// a secure element, ignores them.
    pub start: Option<unsafe extern "C" fn(state: *mut c_void, key: *const u8)>,
    /// Goes on with `len` bytes.
    pub add: Option<unsafe extern "C" fn(state: *mut c_void, bytes: *const u8, len: usize)>,
    /// Writes the 32 bytes of the result to `tag`. Where that is not done they are zeros, which open nothing: what is
    /// stored counts as damaged.
    pub finish: Option<unsafe extern "C" fn(state: *mut c_void, tag: *mut u8)>,
    /// What the functions are given; NULL if they need nothing.
    pub state: *mut c_void,
}

// SAFETY: its functions are called only by calls that have their manager to themselves, and managers that are used
// concurrently do not share it, by the word of the caller of `Edge::new`.
#[cfg(feature = "snapshot")]
unsafe impl Sync for tokenward_seal {}

#[cfg(feature = "snapshot")]
impl Seal for tokenward_seal {
    fn hmac_sha256(&self, key: &[u8; 32], pieces: &mut Pieces<'_>) -> [u8; 32] {
        let mut tag = [0; 32];
        let (Some(start), Some(add), Some(finish)) = (self.start, self.add, self.finish) else { return tag };
        // SAFETY: functions of this type, by the word of the caller of `Edge::new`; 32 bytes are at `key`.
        unsafe { start(self.state, key.as_ptr()) };
        pieces(&mut |piece| {
            // SAFETY: as above; so many bytes are at this address.
            unsafe { add(self.state, piece.as_ptr(), piece.len()) };
        });
        // SAFETY: as above; there is room for 32 bytes.
        unsafe { finish(self.state, tag.as_mut_ptr()) };
        tag
    }
}

/// Stands where the configuration's seal will.
#[cfg(feature = "snapshot")]
pub(crate) static NO_SEAL: tokenward_seal =
    tokenward_seal { start: None, add: None, finish: None, state: core::ptr::null_mut() };

#[cfg(feature = "snapshot")]
impl Edge<'_> {
    /// A seal, or NULL. A function that is NULL is refused.
    pub(crate) fn seal(&mut self, ptr: *const tokenward_seal) -> Option<&'static dyn Seal> {
        if ptr.is_null() || !self.may_read(ptr.addr(), 1, Layout::new::<tokenward_seal>()) {
            return None;
        }
        // SAFETY: not NULL, aligned, apart from all that this call writes to; alive and unchanged for as long as the
        // manager, which alone keeps it, by the word of the caller of `Edge::new`.
        let seal: &'static tokenward_seal = unsafe { &*ptr };
        if seal.start.is_none() || seal.add.is_none() || seal.finish.is_none() {
            self.fail(TOKENWARD_ERR_NULL);
        }
        Some(seal)
    }
}
