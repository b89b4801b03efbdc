//! The one difference between machines: where registers have 64 bits speed is wanted, elsewhere flash is dear.

/// Whether registers have 64 bits. Both ways of a question by this constant give the same result.
pub(crate) const WIDE: bool = cfg!(target_pointer_width = "64");

/// Puts a function into each of its callers where registers have 64 bits, and into flash once elsewhere.
macro_rules! inlined_if_wide {
    ($($function:tt)*) => {
        #[cfg_attr(target_pointer_width = "64", inline(always))]
        #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
        $($function)*
    };
}
pub(crate) use inlined_if_wide;
