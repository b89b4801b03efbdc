//! The edge to C: what comes in is checked here, and nowhere else is a pointer followed.
//!
//! A function first names what it writes to, then what it reads. Each is refused where it is NULL,
//! misaligned, too long, or overlaps something that is written to; what is left to the caller's word is
//! what no code can check: that memory of that size is there, lives for the call, and that nobody else
//! writes to it meanwhile.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::slice;

use tokenward::Error;

use crate::result::*;

/// Borrowed bytes: `len` of them at `ptr`. NULL with 0 is empty.
///
/// No NUL follows them. #TOKENWARD_TEXT makes a span from a literal, tokenward_text() from a string.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_span {
    /// The first byte.
    pub ptr: *const u8,
    /// How many there are.
    pub len: usize,
}

impl tokenward_span {
    pub(crate) const NONE: Self = Self { ptr: core::ptr::null(), len: 0 };

    pub(crate) const fn of(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// Nothing where it is empty.
    pub(crate) const fn or_none(bytes: &[u8]) -> Self {
        if bytes.is_empty() { Self::NONE } else { Self::of(bytes) }
    }
}

/// Addresses from `start` up to `end`.
#[derive(Clone, Copy)]
struct Region {
    start: usize,
    end: usize,
}

impl Region {
    /// `count` values of this layout at `start`, as objects may lie.
    fn new(start: usize, count: usize, layout: Layout) -> Result<Self, Fault> {
        const TOO_LONG: Fault = Fault(TOKENWARD_ERR_LENGTH);
        let len = count.checked_mul(layout.size()).ok_or(TOO_LONG)?;
        let end = start.checked_add(len).ok_or(TOO_LONG)?;
        if start == 0 && len > 0 {
            Err(Fault(TOKENWARD_ERR_NULL))
        } else if len > isize::MAX as usize {
            Err(TOO_LONG)
        } else if start & layout.align().wrapping_sub(1) != 0 {
            Err(Fault(TOKENWARD_ERR_MISALIGNED))
        } else {
            Ok(Self { start, end })
        }
    }

    fn overlaps(self, other: Self) -> bool {
        self.start.max(other.start) < self.end.min(other.end)
    }
}

/// Checks the arguments of one call. All that it lends lives for `'c`.
///
/// The first fault is kept, and what comes with it is empty: [`Edge::checked`] says whether there was one.
pub(crate) struct Edge<'c> {
    /// What the call writes to: at most the manager, a buffer and a result.
    written: [Region; 3],
    fault: tokenward_result,
    lent: PhantomData<&'c ()>,
}

impl<'c> Edge<'c> {
    /// # Safety
    /// What is passed to the methods comes from a caller in C who has read `tokenward.h`: behind each
    /// pointer is memory of the size that goes with it, initialised where it is read, alive for `'c`, and
    /// written to by nobody else for as long.
    pub(crate) unsafe fn new() -> Self {
        let nowhere = Region { start: 0, end: 0 };
        Self { written: [nowhere, nowhere, nowhere], fault: TOKENWARD_OK, lent: PhantomData }
    }

    /// The first fault. To be asked before anything is done with what was lent.
    pub(crate) fn checked(&self) -> Result<(), Fault> {
        if self.fault == TOKENWARD_OK { Ok(()) } else { Err(Fault(self.fault)) }
    }

    /// Notes a fault, if it is the first.
    pub(crate) fn fail(&mut self, fault: tokenward_result) {
        if self.fault == TOKENWARD_OK {
            self.fault = fault;
        }
    }

    /// Whether `count` values may be read at `start`, apart from all that is written to.
    pub(crate) fn may_read(&mut self, start: usize, count: usize, layout: Layout) -> bool {
        self.region(start, count, layout).is_some()
    }

    /// Whether `count` values may be written at `start`. From now on everything else must lie apart from them.
    pub(crate) fn may_write(&mut self, start: usize, count: usize, layout: Layout) -> bool {
        let Some(region) = self.region(start, count, layout) else { return false };
        let [_, before, last] = self.written;
        self.written = [before, last, region];
        true
    }

    fn region(&mut self, start: usize, count: usize, layout: Layout) -> Option<Region> {
        // Behind a fault no pointer is followed.
        self.checked().ok()?;
        match Region::new(start, count, layout) {
            Err(Fault(fault)) => self.fail(fault),
            Ok(region) if self.written.iter().any(|written| written.overlaps(region)) => {
                self.fail(TOKENWARD_ERR_OVERLAP);
            }
            Ok(region) => return Some(region),
        }
        None
    }

    /// A place for a result.
    pub(crate) fn out<T>(&mut self, ptr: *mut T) -> Result<Out<'c, T>, Fault> {
        if self.may_write(ptr.addr(), 1, Layout::new::<T>()) {
            Ok(Out { place: ptr, lent: PhantomData })
        } else {
            Err(Fault(self.fault))
        }
    }

    /// A buffer to write to. NULL with 0 is one without room.
    pub(crate) fn buffer(&mut self, ptr: *mut u8, cap: usize) -> &'c mut [u8] {
        if !self.may_write(ptr.addr(), cap, Layout::new::<u8>()) || cap == 0 {
            return &mut [];
        }
        // SAFETY: not NULL, no longer than an object may be, apart from all else that this call writes to
        // or, by the order of the checks, reads; the rest is the word of the caller of `Edge::new`.
        unsafe { slice::from_raw_parts_mut(ptr, cap) }
    }

    /// Bytes to read.
    pub(crate) fn bytes(&mut self, span: tokenward_span) -> &'c [u8] {
        self.list(span.ptr, span.len)
    }

    /// Text to read: UTF-8.
    pub(crate) fn text(&mut self, span: tokenward_span) -> &'c str {
        let bytes = self.bytes(span);
        if !is_utf8(bytes) {
            self.fail(TOKENWARD_ERR_NOT_UTF8);
            return "";
        }
        // SAFETY: it is UTF-8.
        unsafe { core::str::from_utf8_unchecked(bytes) }
    }

    /// `count` values to read, each of which any bits make. NULL with 0 is an empty list.
    pub(crate) fn list<T: Plain>(&mut self, ptr: *const T, count: usize) -> &'c [T] {
        if !self.may_read(ptr.addr(), count, Layout::new::<T>()) || count == 0 {
            return &[];
        }
        // SAFETY: not NULL, aligned, no longer than an object may be, apart from all that this call writes
        // to; any bits are a `T`; the rest is the word of the caller of `Edge::new`.
        unsafe { slice::from_raw_parts(ptr, count) }
    }

    /// One value to read. NULL is a fault.
    pub(crate) fn value<T: Plain>(&mut self, ptr: *const T) -> Result<&'c T, Fault> {
        match self.list(ptr, 1) {
            [value] => Ok(value),
            _ => Err(Fault(self.fault)),
        }
    }

    /// One value to read, or none where the pointer is NULL.
    pub(crate) fn optional<T: Plain>(&mut self, ptr: *const T) -> Option<&'c T> {
        if ptr.is_null() { None } else { self.list(ptr, 1).first() }
    }
}

/// Whether `bytes` are UTF-8 (RFC 3629 section 4). The standard library's check is five times as long: it is
/// made to be fast.
fn is_utf8(bytes: &[u8]) -> bool {
    let mut rest = bytes.iter();
    while let Some(&first) = rest.next() {
        let (more, low, high) = match first {
            0..=0x7F => continue,
            0xC2..=0xDF => (0, 0x80, 0xBF),
            0xE0 => (1, 0xA0, 0xBF),
            0xED => (1, 0x80, 0x9F),
            0xE1..=0xEF => (1, 0x80, 0xBF),
            0xF0 => (2, 0x90, 0xBF),
            0xF1..=0xF3 => (2, 0x80, 0xBF),
            0xF4 => (2, 0x80, 0x8F),
            _ => return false,
        };
        let mut follows = |low: u8, high: u8| rest.next().is_some_and(|byte| low <= *byte && *byte <= high);
        if !follows(low, high) || (0..more).any(|_| !follows(0x80, 0xBF)) {
            return false;
        }
    }
    true
}

/// A checked place for a result.
pub(crate) struct Out<'c, T> {
    place: *mut T,
    lent: PhantomData<&'c mut T>,
}

impl<T> Out<'_, T> {
    pub(crate) fn write(self, value: T) {
        // SAFETY: not NULL, aligned, apart from all else in the call; the rest is the word of the caller of
        // `Edge::new`, whose lifetime this has.
        unsafe { self.place.write(value) }
    }
}

/// A type of C that any bits make a valid value of, padding aside.
///
/// # Safety
/// It is `repr(C)` and made of integers, raw pointers, and bytes that may be uninitialised.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: integers.
unsafe impl Plain for u8 {}
// SAFETY: integers.
unsafe impl Plain for u16 {}
// SAFETY: integers.
unsafe impl Plain for u32 {}
// SAFETY: integers.
unsafe impl Plain for u64 {}
// SAFETY: a raw pointer and an integer.
unsafe impl Plain for tokenward_span {}

pub(crate) const OUT_OF_RANGE: Fault = Fault(TOKENWARD_ERR_OUT_OF_RANGE);

/// Says how long what was written is, or would be.
pub(crate) fn wrote(written: Result<&[u8], Error>, out: Out<'_, usize>) -> Result<(), Fault> {
    match written {
        Ok(written) => out.write(written.len()),
        Err(error) => {
            if let Error::BufferTooSmall { needed } = error {
                out.write(needed);
            }
            return Err(error.into());
        }
    }
    Ok(())
}

/// Runs `write` into all but the last byte of `buf` and puts a NUL behind what it wrote. Gives the characters
/// without the NUL, or the room that they would take with it, and which of the two it is.
pub(crate) fn terminated(
    buf: &mut [u8],
    write: impl for<'b> FnOnce(&'b mut [u8]) -> Result<&'b [u8], Error>,
) -> Result<(usize, Result<(), Fault>), Fault> {
    const TOO_SMALL: Result<(), Fault> = Err(Fault::of(Error::BufferTooSmall { needed: 0 }));
    let room = buf.len().saturating_sub(1);
    let len = match write(buf.get_mut(..room).unwrap_or_default()) {
        Ok(written) => written.len(),
        Err(Error::BufferTooSmall { needed }) => return Ok((needed.saturating_add(1), TOO_SMALL)),
        Err(error) => return Err(error.into()),
    };
    match buf.get_mut(len) {
        Some(end) => {
            *end = 0;
            Ok((len, Ok(())))
        }
        None => Ok((1, TOO_SMALL)),
    }
}

/// The number of what `body` comes to.
pub(crate) fn run<'c>(
    mut edge: Edge<'c>,
    body: impl FnOnce(&mut Edge<'c>) -> Result<(), Fault>,
) -> tokenward_result {
    number(body(&mut edge).and_then(|()| edge.checked()))
}

/// Runs a function's body at the edge: its refusals become numbers.
macro_rules! at_the_edge {
    ($body:expr) => {{
        // SAFETY: the function is unsafe, and asks of its caller what `Edge::new` asks.
        let edge = unsafe { $crate::edge::Edge::new() };
        $crate::edge::run(edge, $body)
    }};
}
pub(crate) use at_the_edge;

#[cfg(test)]
mod tests {
    #[test]
    fn utf8_is_what_the_standard_library_says_it_is() {
        // Both sides of every border of RFC 3629 section 4.
        let edges = [
            0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
            0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ];
        for len in 0..=5_u32 {
            for n in 0..edges.len().pow(len) {
                let bytes = [0, 1, 2, 3, 4].map(|place| edges[n / edges.len().pow(place) % edges.len()]);
                let bytes = &bytes[..len as usize];
                assert_eq!(super::is_utf8(bytes), core::str::from_utf8(bytes).is_ok(), "{bytes:x?}");
            }
        }
    }
}
