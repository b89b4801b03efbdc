//! Storage, read and written when tokenward_poll() says so.

use core::ffi::c_char;

use tokenward::storage::Found;
use tokenward::{Instant, RequestId};

use crate::config::TOKENWARD_STORAGE_SLOTS;
use crate::edge::{Edge, OUT_OF_RANGE, at_the_edge, tokenward_span, wrote};
use crate::manager::wall;
use crate::memory::tokenward_manager;
use crate::result::*;

/// What was found in storage: `TOKENWARD_FOUND_*`.
pub type tokenward_found = i32;

/// Hands over what was in each place of storage, after #TOKENWARD_NEXT_LOAD.
///
/// All that is refused but #TOKENWARD_ERR_STALE_REQUEST and wrong arguments has been read all the same: nothing in storage
/// was of use, and tokenward_poll() says what follows.
///
/// Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may
/// use the manager during the call.
///
/// @code
/// tokenward_found found;
/// int32_t result = tokenward_loaded(manager, now_ms, wall_s, next.id, key, &snapshot, 1, &found);
/// tokenward_wipe(buffer, sizeof buffer); // the snapshot was read into it
/// log_line(result == TOKENWARD_OK ? tokenward_found_name(found) : tokenward_result_text(result));
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] wall_s The time of day in Unix seconds; NULL if the device does not know it: then access tokens
/// that expire are not taken.
/// @param[in] id The `id` that tokenward_poll() gave with #TOKENWARD_NEXT_LOAD.
/// @param[in] key 32 random bytes.
/// @param[in] slots What was in each place of storage, in their order; NULL with 0 stands for a place in
/// which nothing is; one that exists and holds no bytes, as a file of length 0 does, has another pointer and the length 0, and
/// counts as damaged. The tokens are copied.
/// @param[in] count How many spans there are.
/// @param[out] found `TOKENWARD_FOUND_*`: written on success.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_OUT_OF_RANGE more than #TOKENWARD_STORAGE_SLOTS spans
/// @retval TOKENWARD_ERR_KEY the key does not have 32 bytes, or is all zeros
/// @retval TOKENWARD_ERR_STALE_REQUEST `id` is not that of the load
/// @retval TOKENWARD_ERR_INVALID_SNAPSHOT torn, truncated or tampered with
/// @retval TOKENWARD_ERR_OTHER_SNAPSHOT_VERSION written by another version
/// @retval TOKENWARD_ERR_OTHER_SNAPSHOT_KEY sealed with another key
/// @retval TOKENWARD_ERR_FOREIGN_SNAPSHOT of another provider, environment or subject
/// @retval TOKENWARD_ERR_STALE_SNAPSHOT older than the storage's floor
/// @retval TOKENWARD_ERR_TOO_LONG the access token is longer than its slot
/// @retval TOKENWARD_ERR_REFRESH_TOKEN_TOO_LONG the refresh token is longer than its slot
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_loaded(
    manager: *mut tokenward_manager,
    now_ms: u64,
    wall_s: *const u64,
    id: u64,
    key: tokenward_span,
    slots: *const tokenward_span,
    count: usize,
    found: *mut tokenward_found,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(found)?;
        let block = edge.manager_mut(manager)?;
        let (wall, key) = (wall(edge, wall_s), key_of(edge, key)?);
        let mut read = [None; TOKENWARD_STORAGE_SLOTS as usize];
        let spans = edge.list(slots, count);
        let slots = read.get_mut(..spans.len()).ok_or(OUT_OF_RANGE)?;
        for (slot, span) in slots.iter_mut().zip(spans) {
            let is_empty = span.ptr.is_null() && span.len == 0;
            *slot = (!is_empty).then(|| edge.bytes(*span));
        }
        edge.checked()?;
        let found = block.manager.loaded(Instant::from_millis(now_ms), wall, RequestId(id), key, slots)?;
        out.write(found_number(found));
        Ok(())
    })
}

/// Reports that storage could not be read: it is locked, or a folder is missing. That it holds nothing is no failure.
///
/// Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may
/// use the manager during the call.
///
/// @code
/// if (!flash_read(&snapshot)) {
///   int32_t result = tokenward_load_failed(manager, now_ms, next.id);
///   if (result != TOKENWARD_OK) return result;
/// }
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] id The `id` that tokenward_poll() gave with #TOKENWARD_NEXT_LOAD.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_STALE_REQUEST `id` is not that of the load
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_load_failed(manager: *mut tokenward_manager, now_ms: u64, id: u64) -> i32 {
    at_the_edge!(|edge| {
        let block = edge.manager_mut(manager)?;
        Ok(block.manager.load_failed(Instant::from_millis(now_ms), RequestId(id))?)
    })
}

/// Writes what #TOKENWARD_NEXT_STORE is for into `buf`, sealed under `key` (HMAC-SHA-256). It goes into the place `slot`
/// that tokenward_poll() named.
///
/// The seal proves that nobody without the key has changed it. It does not encrypt the tokens, nor does it prove
/// that the snapshot is the newest: that takes the floor of #tokenward_storage.
///
/// Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may
/// use the manager during the call.
///
/// @code
/// size_t len;
/// int32_t result = tokenward_snapshot(manager, now_ms, wall_s, next.id, key, buffer, sizeof buffer, &len);
/// bool written = result == TOKENWARD_OK && flash_write(buffer, len);
/// tokenward_wipe(buffer, sizeof buffer);
/// return written ? tokenward_stored(manager, now_ms, next.id) : tokenward_store_failed(manager, now_ms, next.id);
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] wall_s The time of day in Unix seconds; NULL if the device does not know it: then a restart keeps
/// only the refresh token.
/// @param[in] id The `id` that tokenward_poll() gave with #TOKENWARD_NEXT_STORE.
/// @param[in] key 32 random bytes.
/// @param[out] buf Where it is written. It holds the tokens afterwards.
/// @param[in] cap Bytes of `buf`.
/// @param[out] len Bytes that were written; if `buf` is too small, the bytes needed.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_KEY the key does not have 32 bytes, or is all zeros
/// @retval TOKENWARD_ERR_STALE_REQUEST `id` is not that of the store
/// @retval TOKENWARD_ERR_NOT_DUE tokenward_poll() does not say #TOKENWARD_NEXT_STORE any more
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_snapshot(
    manager: *mut tokenward_manager,
    now_ms: u64,
    wall_s: *const u64,
    id: u64,
    key: tokenward_span,
    buf: *mut u8,
    cap: usize,
    len: *mut usize,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(len)?;
        let buf = edge.buffer(buf, cap);
        let block = edge.manager_mut(manager)?;
        let (wall, key) = (wall(edge, wall_s), key_of(edge, key)?);
        edge.checked()?;
        wrote(block.manager.snapshot(Instant::from_millis(now_ms), wall, RequestId(id), key, buf), out)
    })
}

/// Reports that the snapshot of #TOKENWARD_NEXT_STORE is in its place.
///
/// Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may
/// use the manager during the call.
///
/// @code
/// if (flash_write(snapshot.ptr, snapshot.len)) {
///   int32_t result = tokenward_stored(manager, now_ms, next.id);
///   if (result != TOKENWARD_OK) return result;
/// }
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] id The `id` that tokenward_poll() gave with #TOKENWARD_NEXT_STORE.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_STALE_REQUEST `id` is not that of the store
/// @retval TOKENWARD_ERR_NOT_DUE tokenward_snapshot() has not written a snapshot for it
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_stored(manager: *mut tokenward_manager, now_ms: u64, id: u64) -> i32 {
    at_the_edge!(|edge| {
        let block = edge.manager_mut(manager)?;
        Ok(block.manager.stored(Instant::from_millis(now_ms), RequestId(id))?)
    })
}

/// Reports that the snapshot of #TOKENWARD_NEXT_STORE could not be written, or that it is not known whether it was.
///
/// Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may
/// use the manager during the call.
///
/// @code
/// if (!flash_write(snapshot.ptr, snapshot.len)) {
///   int32_t result = tokenward_store_failed(manager, now_ms, next.id);
///   if (result != TOKENWARD_OK) return result;
/// }
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] id The `id` that tokenward_poll() gave with #TOKENWARD_NEXT_STORE.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_STALE_REQUEST `id` is not that of the store
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_store_failed(
    manager: *mut tokenward_manager,
    now_ms: u64,
    id: u64,
) -> i32 {
    at_the_edge!(|edge| {
        let block = edge.manager_mut(manager)?;
        Ok(block.manager.store_failed(Instant::from_millis(now_ms), RequestId(id))?)
    })
}

/// Makes tokenward_poll() say #TOKENWARD_NEXT_LOAD now: others may have changed what is in storage.
///
/// Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may
/// use the manager during the call.
///
/// @code
/// int32_t result = tokenward_reload(manager); // somebody has signed out on the panel, which shares the storage
/// if (result != TOKENWARD_OK) return result;
/// wake_token_task();
/// @endcode
///
/// @param[in,out] manager The manager.
/// @retval TOKENWARD_OK done
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_reload(manager: *mut tokenward_manager) -> i32 {
    at_the_edge!(|edge| {
        edge.manager_mut(manager)?.manager.reload();
        Ok(())
    })
}

/// The name of what was found in storage in snake_case, the same in every language: `signed_out`.
///
/// Only in a library that was built with the feature `snapshot`. May be called from any thread and from an interrupt
/// handler.
///
/// @code
/// tokenward_found found;
/// int32_t result = tokenward_loaded(manager, now_ms, wall_s, next.id, key, &snapshot, 1, &found);
/// if (result != TOKENWARD_OK) return result;
/// log_line(tokenward_found_name(found)); // signed_out
/// @endcode
///
/// @param[in] found `TOKENWARD_FOUND_*`.
/// @return A string that lives as long as the program; `unknown` for any other number.
#[unsafe(no_mangle)]
pub extern "C" fn tokenward_found_name(found: tokenward_found) -> *const c_char {
    word(Found::NAMES, Found::NUMBERS, found)
}

const fn found_number(found: Found) -> tokenward_found {
    found.code() as tokenward_found
}

pub(crate) fn key_of<'c>(edge: &mut Edge<'c>, key: tokenward_span) -> Result<&'c [u8; 32], Fault> {
    let bytes = edge.bytes(key);
    edge.checked()?;
    let key = <&[u8; 32]>::try_from(bytes).map_err(|_| Fault(TOKENWARD_ERR_KEY))?;
    // Memory that nobody has filled in would seal with a key that everybody knows.
    if key.iter().fold(0, |seen, byte| seen | byte) == 0 { Err(Fault(TOKENWARD_ERR_KEY)) } else { Ok(key) }
}
