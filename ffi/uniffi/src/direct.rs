//! `authorize` in one plain call: the structures that uniffi passes by value take JNA thirty times as long.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::Arc;

use uniffi::Handle;

use crate::{CoreError, CoreManager};

/// [`CoreManager::authorize`] into the caller's memory: the value of the `Authorization` field to `out`, the
/// token's generation to `generation`. Gives the bytes written to `out`.
///
/// -1 where the bridge is to be asked, which says why: the token may not be sent, `out` is too small, a pointer is
/// NULL, a length is negative, a text is no UTF-8, a panic was caught. Then nothing is written.
///
/// `out` holds the token afterwards: the caller overwrites it.
///
/// # Safety
/// - `manager` is 0, or a handle that uniffi gave for a [`CoreManager`] and that is not freed before this returns.
/// - Behind each pointer that is not NULL is memory of the size that goes with it, initialised, and touched by
///   nobody else before this returns. `generation` needs no alignment.
#[unsafe(export_name = "tokenwardAuthorize")]
pub unsafe extern "C" fn direct_authorize(
    manager: u64,
    now: u64,
    method: *const u8,
    method_len: i32,
    url: *const u8,
    url_len: i32,
    out: *mut u8,
    capacity: i32,
    generation: *mut u64,
) -> i32 {
    // What a panic leaves half done is behind a lock, which it poisons.
    let written = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the caller's word, for all three.
        let (manager, method, url) =
            unsafe { (manager_of(manager)?, text(method, method_len)?, text(url, url_len)?) };
        let capacity = length(out, capacity)?;
        length(generation, 1)?;
        // SAFETY: not NULL, no longer than an object may be; the rest is the caller's word.
        let out = unsafe { slice::from_raw_parts_mut(out, capacity) };
        let (written, newest) = manager.authorize_into(now, method, url, out)?;
        // SAFETY: not NULL; the rest is the caller's word.
        unsafe { generation.write_unaligned(newest) };
        i32::try_from(written).map_err(|_| CoreError::internal())
    }));
    written.ok().and_then(Result::ok).unwrap_or(-1)
}

/// # Safety
/// As [`direct_authorize`].
unsafe fn manager_of(handle: u64) -> Result<Arc<CoreManager>, CoreError> {
    // SAFETY: 0, which is refused, or a handle: the caller's word.
    let handle = unsafe { Handle::from_raw(handle) }.ok_or_else(CoreError::invalid_argument)?;
    // SAFETY: uniffi made it of an `Arc<CoreManager>`, and nobody frees it meanwhile: the caller's word.
    Ok(unsafe { handle.into_arc_borrowed() })
}

/// # Safety
/// As [`direct_authorize`].
unsafe fn text<'a>(ptr: *const u8, len: i32) -> Result<&'a str, CoreError> {
    let len = length(ptr, len)?;
    // SAFETY: not NULL, no longer than an object may be; the rest is the caller's word.
    let bytes = unsafe { slice::from_raw_parts(ptr, len) };
    str::from_utf8(bytes).map_err(|_| CoreError::invalid_argument())
}

/// `len`, unless it is negative or `ptr` is NULL.
fn length<T>(ptr: *const T, len: i32) -> Result<usize, CoreError> {
    match usize::try_from(len) {
        Ok(len) if !ptr.is_null() => Ok(len),
        _ => Err(CoreError::invalid_argument()),
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::{TokenIdentity, TokenPreset, preset_provider};

    const API: &str = "https://sandbox.api.flute.com/";
    const TOKEN: &str = "token";
    const HEADER: &[u8] = b"Bearer token";

    fn manager() -> Arc<CoreManager> {
        let provider = preset_provider(TokenPreset::FluteSandbox);
        let identity = TokenIdentity::default();
        let manager = CoreManager::new(0, provider, identity, 64, 64, 0, true, None).expect("a manager");
        assert_eq!(manager.install(0, None, TOKEN.to_owned(), None, Some(3600), None, None), Ok(1));
        Arc::new(manager)
    }

    /// The arguments of one call. All of them are good, unless a test spoils one.
    struct Call {
        manager: u64,
        method: *const u8,
        method_len: i32,
        url: *const u8,
        url_len: i32,
        out: *mut u8,
        capacity: i32,
        generation: *mut u64,
    }

    /// What `spoil` makes of a good call: its answer, and what stands in `out` and `generation` then.
    fn call(manager: &Arc<CoreManager>, spoil: impl FnOnce(&mut Call)) -> (i32, [u8; 32], u64) {
        let (mut out, mut generation) = ([0; 32], 0);
        let handle = Handle::from_arc(Arc::clone(manager));
        let mut call = Call {
            manager: handle.as_raw(),
            method: b"GET".as_ptr(),
            method_len: 3,
            url: API.as_ptr(),
            url_len: i32::try_from(API.len()).expect("short"),
            out: out.as_mut_ptr(),
            capacity: 32,
            generation: &raw mut generation,
        };
        spoil(&mut call);
        let Call { manager, method, method_len, url, url_len, out: to, capacity, generation: which } = call;
        // SAFETY: each pointer is NULL or the start of what `call` was made with, and each length is negative or
        // no longer than that; the handle is freed below.
        let written =
            unsafe { direct_authorize(manager, 0, method, method_len, url, url_len, to, capacity, which) };
        // SAFETY: it was made above, and is used no more.
        drop(unsafe { handle.into_arc::<CoreManager>() });
        (written, out, generation)
    }

    #[track_caller]
    fn refused(manager: &Arc<CoreManager>, spoil: impl FnOnce(&mut Call)) {
        assert_eq!(call(manager, spoil), (-1, [0; 32], 0));
    }

    #[test]
    fn the_header_and_the_generation_are_those_of_the_bridge() {
        let manager = manager();
        for generation in 1..4 {
            let (written, out, which) = call(&manager, |_| ());
            let header = str::from_utf8(&out[..written as usize]).expect("text");
            let bridged = manager.authorize(0, "GET".to_owned(), API.to_owned());
            assert_eq!((Ok(format!("{which} {header}")), which), (bridged, generation));
            assert!(out[written as usize..].iter().all(|byte| *byte == 0), "what is behind it is left alone");
            manager.install(0, None, TOKEN.repeat(2), None, Some(3600), None, None).expect("a token");
        }
        assert_eq!(Arc::strong_count(&manager), 1);
    }

    #[test]
    fn a_null_is_refused() {
        let manager = manager();
        refused(&manager, |call| call.manager = 0);
        refused(&manager, |call| call.method = ptr::null());
        refused(&manager, |call| (call.method, call.method_len) = (ptr::null(), 0));
        refused(&manager, |call| call.url = ptr::null());
        refused(&manager, |call| call.out = ptr::null_mut());
        refused(&manager, |call| (call.out, call.capacity) = (ptr::null_mut(), 0));
        refused(&manager, |call| call.generation = ptr::null_mut());
    }

    #[test]
    fn a_negative_length_is_refused() {
        let manager = manager();
        for len in [-1, i32::MIN] {
            refused(&manager, |call| call.method_len = len);
            refused(&manager, |call| call.url_len = len);
            refused(&manager, |call| call.capacity = len);
        }
    }

    #[test]
    fn a_text_that_is_no_utf_8_is_refused() {
        let manager = manager();
        refused(&manager, |call| (call.method, call.method_len) = (b"G\xFF".as_ptr(), 2));
        refused(&manager, |call| {
            (call.url, call.url_len) = (b"https://sandbox.api.flute.com/\xC3".as_ptr(), 31)
        });
    }

    #[test]
    fn a_buffer_that_is_too_small_stays_as_it_is() {
        let manager = manager();
        for capacity in 0..12 {
            refused(&manager, |call| call.capacity = capacity);
        }
        let (written, out, generation) = call(&manager, |call| call.capacity = 12);
        assert_eq!((written, &out[..12], generation), (12, HEADER, 1));
    }

    #[test]
    fn a_token_that_may_not_be_sent_is_not_written() {
        let manager = manager();
        let astray = "https://evil.example/";
        refused(&manager, |call| (call.url, call.url_len) = (astray.as_ptr(), 21));
        refused(&manager, |call| call.url_len = 0);
        manager.clear().expect("cleared");
        refused(&manager, |_| ());
    }

    #[test]
    fn a_manager_lives_until_its_last_handle_is_freed() {
        let manager = manager();
        let alive = Arc::downgrade(&manager);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let manager = Arc::clone(&manager);
                scope.spawn(move || {
                    for _ in 0..1000 {
                        let (written, out, generation) = call(&manager, |_| ());
                        assert_eq!((written, &out[..12], generation), (12, HEADER, 1));
                    }
                });
            }
            drop(manager);
        });
        assert!(alive.upgrade().is_none());
    }
}
