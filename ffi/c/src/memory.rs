//! The block of the caller's memory that is a manager.
//!
//! A head, the manager's state, then the slots of the tokens: `TokenManager<'static, [u8]>` is a type of
//! a size that only the caller knows, so a reference to it is made in each call, from the block's address
//! and the length of the slots in its head. Nothing in the block points into it: it may be copied and moved.

use core::alloc::Layout;
use core::ffi::{c_char, c_void};
use core::ptr;

use tokenward::{Error, Instant, Slots, TokenManager};

use crate::config::{options_of, tokenward_config, whose};
use crate::edge::{Edge, at_the_edge};
use crate::provider::TOKENWARD_ABI_VERSION;
use crate::result::*;

/// A manager: one token of one provider, environment and subject, kept alive in the caller's memory.
///
/// One task at a time may use it, but functions that take it as `const` may run concurrently.
pub struct tokenward_manager {
    _opaque: [u8; 0],
}

/// The library's version: `0.1.0`. The header's is #TOKENWARD_VERSION.
///
/// May be called from any thread and from an interrupt handler.
///
/// @code
/// if (strcmp(tokenward_version(), TOKENWARD_VERSION) != 0) {
///   log_line("header and library are of different versions");
/// }
/// @endcode
///
/// @return A string that lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn tokenward_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The library's #TOKENWARD_ABI_VERSION. Where the header has another, header and library do not run together:
/// tokenward_init() and tokenward_describe() answer #TOKENWARD_ERR_ABI, and nothing else is to be called.
///
/// May be called from any thread and from an interrupt handler.
///
/// @code
/// if (tokenward_abi_version() != TOKENWARD_ABI_VERSION) return TOKENWARD_ERR_ABI; // at the start, before anything else
/// @endcode
///
/// @return The number.
#[unsafe(no_mangle)]
pub extern "C" fn tokenward_abi_version() -> u32 {
    TOKENWARD_ABI_VERSION
}

/// Bytes of memory beside the slots, on this target: the header says the same in C. The block needs a little
/// less, so that it may grow without a new ABI version.
pub(crate) const HEAD: usize = FIXED_HEAD + POINTERS_OF_HEAD * size_of::<usize>();
pub(crate) const FIXED_HEAD: usize = 528;
pub(crate) const POINTERS_OF_HEAD: usize = 16;
const _: () = assert!(size_of::<Block<[u8; 0]>>() <= HEAD);

/// What a block begins with where it is a manager.
const MAGIC: u64 = u64::from_le_bytes(*b"tokenw\xF5\x01");

#[repr(C)]
pub(crate) struct Block<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized> {
    magic: u64,
    /// Bytes of both slots.
    slots: usize,
    /// The complement of `slots`: a head that was written over does not pass for one.
    not_slots: usize,
    pub(crate) manager: TokenManager<'static, S>,
}

/// The compiler lays out `Block<[u8]>` as it does `Block<[u8; N]>` of any `N`: it turns one into the other.
const _: fn(&Block<[u8; 0]>) -> &Block<[u8]> = |block| block;

/// Bytes of memory for a manager with `slots` bytes of slots, a whole number of its alignment.
fn size_with(slots: usize) -> Option<usize> {
    HEAD.checked_add(slots)?.checked_next_multiple_of(align_of::<Block<[u8; 0]>>())
}

impl<'c> Edge<'c> {
    /// A manager to change.
    #[inline(always)]
    pub(crate) fn manager_mut(&mut self, ptr: *mut tokenward_manager) -> Result<&'c mut Block<[u8]>, Fault> {
        let slots = self.slots(ptr, Self::may_write)?;
        let block = ptr::slice_from_raw_parts_mut(ptr.cast::<u8>(), slots) as *mut Block<[u8]>;
        // SAFETY: aligned, and `tokenward_init` has made a block with so many bytes of slots there, or it was
        // copied from one; apart from all else in the call; the rest is the word of the caller of `Edge::new`.
        Ok(unsafe { &mut *block })
    }

    /// A manager to ask.
    #[inline(always)]
    pub(crate) fn manager(&mut self, ptr: *const tokenward_manager) -> Result<&'c Block<[u8]>, Fault> {
        let slots = self.slots(ptr, Self::may_read)?;
        let block = ptr::slice_from_raw_parts(ptr.cast::<u8>(), slots) as *const Block<[u8]>;
        // SAFETY: as in `manager_mut`; nobody writes to it while `const` functions run.
        Ok(unsafe { &*block })
    }

    /// How many bytes of slots the manager has that lies at `ptr`, where it may.
    #[inline(never)]
    fn slots(
        &mut self,
        ptr: *const tokenward_manager,
        may: fn(&mut Self, usize, usize, Layout) -> bool,
    ) -> Result<usize, Fault> {
        let (slots, size) = locate(ptr)?;
        may(self, ptr.addr(), size, Layout::new::<u8>());
        self.checked()?;
        Ok(slots)
    }
}

/// Makes a manager without a token in the caller's memory: what the macro tokenward_init() calls.
///
/// Whatever was in the memory is overwritten, even a manager. The manager lives in that memory; it may be copied
/// to other memory of the same size and alignment, and works there.
///
/// Not from an interrupt handler; nothing else may use the memory during the call.
///
/// @code
/// tokenward_manager *manager;
/// int32_t result = tokenward_init_abi(&manager, memory, sizeof memory, &config, TOKENWARD_ABI_VERSION, sizeof config);
/// if (result == TOKENWARD_ERR_ABI) log_line("header and library are of different versions");
/// return result;
/// @endcode
///
/// @param[out] out The manager: written on success.
/// @param[in,out] memory Aligned as `uint64_t`, of #TOKENWARD_MANAGER_WORDS words: the manager's for as long
/// as it is used. It may be in a `static`, on a stack or on a heap.
/// @param[in] size Bytes of the memory.
/// @param[in] config See its members for what must live on.
/// @param[in] abi_version #TOKENWARD_ABI_VERSION of the header.
/// @param[in] config_size `sizeof(tokenward_config)` of the header.
/// @retval TOKENWARD_OK done
/// @retval TOKENWARD_ERR_ABI header and library are of different versions
/// @retval TOKENWARD_ERR_LENGTH the sum of the capacities is longer than an object may be
/// @retval TOKENWARD_ERR_BUFFER_TOO_SMALL `size` is too small for the capacities
/// @retval TOKENWARD_ERR_INVALID_PROVIDER the token endpoint needs a site and there is none, or the site is `.`
/// or `..`
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenward_init_abi(
    out: *mut *mut tokenward_manager,
    memory: *mut c_void,
    size: usize,
    config: *const tokenward_config,
    abi_version: u32,
    config_size: usize,
) -> i32 {
    at_the_edge!(|edge| {
        if (abi_version, config_size) != (TOKENWARD_ABI_VERSION, size_of::<tokenward_config>()) {
            return Err(Fault(TOKENWARD_ERR_ABI));
        }
        let out = edge.out(out)?;
        let block = memory.cast::<Block<[u8; 0]>>();
        if block.is_null() {
            edge.fail(TOKENWARD_ERR_NULL);
        } else if !block.is_aligned() {
            edge.fail(TOKENWARD_ERR_MISALIGNED);
        }
        let memory = edge.buffer(memory.cast(), size);
        let config = edge.value(config)?;
        let (service, identity) = whose(edge, config)?;
        let options = options_of(edge, config)?;
        edge.checked()?;
        let slots = config.access_capacity.checked_add(config.refresh_capacity);
        let slots = slots.ok_or(Fault(TOKENWARD_ERR_LENGTH))?;
        let size = size_with(slots).ok_or(Fault(TOKENWARD_ERR_LENGTH))?;
        let memory = memory.get_mut(..size).ok_or(Fault::of(Error::BufferTooSmall { needed: 0 }))?;
        let now = Instant::from_millis(config.now_ms);
        let none = Slots::new([], config.access_capacity);
        let manager = TokenManager::new(now, service, identity, none, config.seed)?;
        tokenward::wipe(memory);
        // SAFETY: not NULL, aligned, and as long as a block without slots, which this is the front of; a manager in the end.
        unsafe {
            (&raw mut (*block).magic).write(MAGIC);
            (&raw mut (*block).slots).write(slots);
            (&raw mut (*block).not_slots).write(!slots);
            (&raw mut (*block).manager).write(manager);
            (*block).manager.set_options(&options);
        }
        out.write(block.cast());
        Ok(())
    })
}

/// How many bytes of slots the manager has, and how many there are in all.
fn locate(ptr: *const tokenward_manager) -> Result<(usize, usize), Fault> {
    let block = ptr.cast::<Block<[u8; 0]>>();
    if block.is_null() {
        return Err(Fault(TOKENWARD_ERR_NULL));
    }
    if !block.is_aligned() {
        return Err(Fault(TOKENWARD_ERR_MISALIGNED));
    }
    let nothing_here = Fault(TOKENWARD_ERR_UNINITIALIZED);
    // SAFETY: not NULL, aligned; an integer, which any bits make; the rest is the word of the caller of
    // `Edge::new`, through whose methods alone this is called.
    if unsafe { (*block).magic } != MAGIC {
        return Err(nothing_here);
    }
    // SAFETY: as above, and what begins so is long enough for integers behind it.
    let (slots, not_slots) = unsafe { ((*block).slots, (*block).not_slots) };
    if not_slots != !slots {
        return Err(nothing_here);
    }
    Ok((slots, size_with(slots).ok_or(nothing_here)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = include_str!("../include/tokenward/tokenward.h");

    #[test]
    fn the_header_reserves_what_a_manager_takes() {
        let head = std::format!("({FIXED_HEAD} + {POINTERS_OF_HEAD} * sizeof(void *))");
        assert!(HEADER.contains(&std::format!("#define TOKENWARD_MANAGER_HEAD {head}")));
    }

    #[test]
    fn the_header_has_the_version_of_the_library() {
        let version = env!("CARGO_PKG_VERSION");
        assert!(HEADER.contains(&std::format!("#define TOKENWARD_VERSION \"{version}\"")));
    }
}
