//! Each operation of the core twice, the second time for `callgrind`, which collects in `counted` and writes a file
//! whenever that returns. Prints the operations in that order, after one that does nothing. None may allocate.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokenward_bench::{core, side};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is the system's own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller vouches for the layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller vouches for both.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[inline(never)]
fn counted(run: &mut dyn FnMut(u32)) {
    run(black_box(1));
}

fn main() {
    let nothing = side("nothing", "", "", || _ = black_box(0));
    for mut side in std::iter::once(nothing).chain(core()) {
        (side.run)(1);
        let before = ALLOCATIONS.load(Relaxed);
        counted(&mut side.run);
        assert_eq!(ALLOCATIONS.load(Relaxed), before, "{} allocates", side.group);
        println!("{}: {}", side.group, side.case);
    }
}
