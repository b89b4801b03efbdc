//! State that survives a restart: written to the caller's flash or disk, and taken back.

use tokenward::{Instant, Revision, snapshot_revision};

use crate::edge::{Edge, at_the_edge, tokenward_span};
use crate::manager::{scope_of, tokenward_snapshot_scope, wall};
use crate::memory::tokenward_manager;
use crate::result::*;

/// Writes the state into `buf`, sealed under `key` (HMAC-SHA-256). Changes nothing.
///
/// The seal proves that nobody without the key has changed it. It does not encrypt the tokens, nor does it prove
/// that the snapshot is the newest: that takes the floor of tokenward_restore(). Only in a library that was built
/// with the feature `snapshot`.
///
/// May run concurrently with other functions that take this manager as `const`.
///
/// @code
/// size_t len;
/// int32_t result =
///   tokenward_snapshot(manager, now_ms, wall_s, TOKENWARD_SNAPSHOT_ALL, key, buffer, sizeof buffer, &len);
/// bool written = result == TOKENWARD_OK && flash_write(buffer, len);
/// tokenward_wipe(buffer, sizeof buffer);
/// return written ? tokenward_persisted(manager, TOKENWARD_SNAPSHOT_ALL, state.revision) : result;
/// @endcode
///
/// @param[in] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] wall_s The time of day in Unix seconds; NULL if the device does not know it: then a restart keeps
/// only the refresh token.
/// @param[in] scope `TOKENWARD_SNAPSHOT_*`.
/// @param[in] key 32 random bytes.
/// @param[out] buf Where it is written. It holds the tokens afterwards.
/// @param[in] cap Bytes of `buf`.
/// @param[out] len Bytes that were written; if `buf` is too small, the bytes needed.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_KEY the key does not have 32 bytes, or is all zeros
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `cap` is too small; `buf` is wiped
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_snapshot(
    manager: *const tokenward_manager,
    now_ms: u64,
    wall_s: *const u64,
    scope: tokenward_snapshot_scope,
    key: tokenward_span,
    buf: *mut u8,
    cap: usize,
    len: *mut usize,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(len)?;
        let buf = edge.buffer(buf, cap);
        let block = edge.manager(manager)?;
        let (wall, key, scope) = (wall(edge, wall_s), key_of(edge, key)?, scope_of(scope)?);
        edge.checked()?;
        let now = Instant::from_millis(now_ms);
        match block.manager.snapshot(now, wall, scope, key, buf) {
            Ok(snapshot) => out.write(snapshot.len()),
            Err(error) => {
                out.write(detail(error));
                return Err(error.into());
            }
        }
        Ok(())
    })
}

/// Takes the state of a snapshot: its tokens replace the manager's, reload, backoff and failure end, and a
/// request in flight becomes stale. If the snapshot is refused, the manager stays as it was, except for its
/// clock.
///
/// Only in a library that was built with the feature `snapshot`. Not from an interrupt handler; nothing else may
/// use the manager during the call.
///
/// @code
/// int32_t result = tokenward_restore(manager, now_ms, wall_s, 0, key, snapshot);
/// tokenward_wipe(buffer, sizeof buffer); // the snapshot was read into it
/// if (result != TOKENWARD_OK) log_line(tokenward_result_text(result)); // it goes on without a token
/// @endcode
///
/// @param[in,out] manager The manager.
/// @param[in] now_ms The caller's clock.
/// @param[in] wall_s The time of day in Unix seconds; NULL if the device does not know it: then access tokens
/// that expire are not taken.
/// @param[in] floor The oldest revision that may be restored: the last one that the caller knows it wrote,
/// or 0.
/// @param[in] key 32 random bytes.
/// @param[in] snapshot What tokenward_snapshot() wrote. The tokens are copied.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_KEY the key does not have 32 bytes, or is all zeros
/// @retval TOKENWARD_ERR_INVALID_SNAPSHOT torn, truncated, tampered with, or of another version
/// @retval TOKENWARD_ERR_FOREIGN_SNAPSHOT of another provider, environment or subject
/// @retval TOKENWARD_ERR_STALE_SNAPSHOT older than `floor`, or than what this manager last kept
/// @retval TOKENWARD_ERR_TOO_LONG a token is longer than its slot
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_restore(
    manager: *mut tokenward_manager,
    now_ms: u64,
    wall_s: *const u64,
    floor: u64,
    key: tokenward_span,
    snapshot: tokenward_span,
) -> i32 {
    at_the_edge!(|edge| {
        let block = edge.manager_mut(manager)?;
        let (wall, key, snapshot) = (wall(edge, wall_s), key_of(edge, key)?, edge.bytes(snapshot));
        edge.checked()?;
        let now = Instant::from_millis(now_ms);
        Ok(block.manager.restore(now, wall, Revision(floor), key, snapshot)?)
    })
}

/// Gets the revision of a snapshot whose seal is right, without taking it: whether storage holds something newer
/// than the manager, when #TOKENWARD_NEXT_RELOAD asks for it to be read again.
///
/// Only in a library that was built with the feature `snapshot`. May be called from any thread.
///
/// @code
/// uint64_t stored;
/// int32_t result = tokenward_snapshot_revision(key, snapshot, &stored);
/// if (result != TOKENWARD_OK || stored <= state.revision) return tokenward_reloaded(manager);
/// return tokenward_restore(manager, now_ms, wall_s, stored, key, snapshot);
/// @endcode
///
/// @param[in] key 32 random bytes.
/// @param[in] snapshot What tokenward_snapshot() wrote.
/// @param[out] revision Written on success.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_KEY the key does not have 32 bytes, or is all zeros
/// @retval TOKENWARD_ERR_INVALID_SNAPSHOT torn, truncated, tampered with, or of another version
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_snapshot_revision(
    key: tokenward_span,
    snapshot: tokenward_span,
    revision: *mut u64,
) -> i32 {
    at_the_edge!(|edge| {
        let out = edge.out(revision)?;
        let (key, snapshot) = (key_of(edge, key)?, edge.bytes(snapshot));
        edge.checked()?;
        let Revision(revision) = snapshot_revision(key, snapshot)?;
        out.write(revision);
        Ok(())
    })
}

pub(crate) fn key_of<'c>(edge: &mut Edge<'c>, key: tokenward_span) -> Result<&'c [u8; 32], Fault> {
    let bytes = edge.bytes(key);
    edge.checked()?;
    let key = <&[u8; 32]>::try_from(bytes).map_err(|_| Fault(TOKENWARD_ERR_KEY))?;
    // Memory that nobody has filled in would seal with a key that everybody knows.
    if key.iter().fold(0, |seen, byte| seen | byte) == 0 { Err(Fault(TOKENWARD_ERR_KEY)) } else { Ok(key) }
}
