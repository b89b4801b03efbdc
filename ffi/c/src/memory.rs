//! The block of the caller's memory that is a manager.
//!
//! A head, the manager's state, then the slots of the tokens: `TokenManager<'static, [u8], _>` is a type of
//! a size that only the caller knows, so a reference to it is made in each call, from the block's address
//! and the length of the slots in its head. Nothing in the block points into it: it may be copied and moved.

use core::alloc::Layout;
use core::ffi::c_char;
use core::ptr;

use tokenward::{Error, Instant, Provider, Slots, Subject, TokenManager};

use crate::edge::{Edge, tokenward_span};
use crate::manager::tokenward_config;
use crate::provider::Described;
use crate::result::*;

/// A manager: one token of one provider, environment and subject, kept alive in the caller's memory.
///
/// One task at a time may call it, but for functions that take it `const`: those may run together.
pub struct tokenward_manager {
    _opaque: [u8; 0],
}

/// The version of structs and functions. A library answers #TOKENWARD_ERR_ABI to a header of another one.
pub const TOKENWARD_ABI_VERSION: u32 = 1;

/// The library's version: `0.1.0`. That of the header is #TOKENWARD_VERSION.
///
/// May be called from any thread and from an interrupt handler.
///
/// @return A string that lives as long as the program.
#[unsafe(no_mangle)]
pub extern "C" fn tokenward_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Bytes of memory beside the slots, on this target: the header says the same in C. The block needs a little
/// less, so that it may grow without a new ABI version.
pub(crate) const HEAD: usize = FIXED_HEAD + POINTERS_OF_HEAD * size_of::<usize>();
pub(crate) const FIXED_HEAD: usize = 304;
pub(crate) const POINTERS_OF_HEAD: usize = 32;
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
    pub(crate) manager: TokenManager<'static, S, Provider<'static>>,
}

/// The compiler lays out `Block<[u8]>` as it does `Block<[u8; N]>` of any `N`: it turns one into the other.
const _: fn(&Block<[u8; 0]>) -> &Block<[u8]> = |block| block;

/// Bytes of memory for a manager with `slots` bytes of slots, a whole number of its alignment.
fn size_with(slots: usize) -> Option<usize> {
    HEAD.checked_add(slots)?.checked_next_multiple_of(align_of::<Block<[u8; 0]>>())
}

/// Memory for a manager, that `edge` has found apart from all else.
pub(crate) struct Memory<'c>(&'c mut [u8]);

impl<'c> Edge<'c> {
    /// Memory to make a manager in.
    pub(crate) fn memory(&mut self, ptr: *mut u8, size: usize) -> Memory<'c> {
        if ptr.is_null() {
            self.fail(TOKENWARD_ERR_NULL);
        } else if !ptr.cast::<Block<[u8; 0]>>().is_aligned() {
            self.fail(TOKENWARD_ERR_MISALIGNED);
        }
        Memory(self.buffer(ptr, size))
    }

    /// A manager to change.
    pub(crate) fn manager_mut(&mut self, ptr: *mut tokenward_manager) -> Result<&'c mut Block<[u8]>, Fault> {
        let (slots, size) = locate(ptr)?;
        self.may_write(ptr.addr(), size, Layout::new::<u8>());
        self.checked()?;
        let block = ptr::slice_from_raw_parts_mut(ptr.cast::<u8>(), slots) as *mut Block<[u8]>;
        // SAFETY: aligned, and `tokenward_init` has made a block with so many bytes of slots there, or it was
        // copied from one; apart from all else in the call; the rest is the word of the caller of `Edge::new`.
        Ok(unsafe { &mut *block })
    }

    /// A manager to ask.
    pub(crate) fn manager(&mut self, ptr: *const tokenward_manager) -> Result<&'c Block<[u8]>, Fault> {
        let (slots, size) = locate(ptr)?;
        self.bytes(tokenward_span { ptr: ptr.cast(), len: size });
        self.checked()?;
        let block = ptr::slice_from_raw_parts(ptr.cast::<u8>(), slots) as *const Block<[u8]>;
        // SAFETY: as in `manager_mut`; nobody writes to it while `const` functions run.
        Ok(unsafe { &*block })
    }
}

impl Memory<'_> {
    /// Makes a manager in the memory, whatever was there before.
    pub(crate) fn init(
        self,
        config: &tokenward_config,
        described: Described<'static>,
        site: &'static str,
    ) -> Result<*mut tokenward_manager, Fault> {
        const LENGTH: Fault = Fault(TOKENWARD_ERR_LENGTH);
        let slots = config.access_capacity.checked_add(config.refresh_capacity).ok_or(LENGTH)?;
        let memory = self.0.get_mut(..size_with(slots).ok_or(LENGTH)?);
        let memory = memory.ok_or(Fault::of(Error::BufferTooSmall { needed: 0 }))?;
        let subject = if site.is_empty() { Subject::Client } else { Subject::Site(site) };
        if !described.fits(subject) {
            return Err(Fault::of(Error::InvalidProvider));
        }
        tokenward::wipe(memory);
        let block = memory.as_mut_ptr().cast::<Block<[u8; 0]>>();
        let none = Slots::new([0_u8; 0], config.access_capacity);
        let manager = TokenManager::undescribed(subject, none);
        // SAFETY: aligned, and longer than a block without slots, which this is the front of.
        let block = unsafe {
            block.write(Block { magic: MAGIC, slots, not_slots: !slots, manager });
            &mut *block
        };
        block
            .manager
            .describe(Instant::from_millis(config.now_ms), config.seed, |provider| described.fill(provider));
        let block: *mut Block<[u8; 0]> = block;
        Ok(block.cast())
    }
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

    #[test]
    fn the_header_has_the_constants_of_the_core() {
        let flume = tokenward::providers::FLUME_BASE_URL;
        assert!(HEADER.contains(&std::format!("#define TOKENWARD_FLUME_BASE_URL \"{flume}\"")));
    }
}
