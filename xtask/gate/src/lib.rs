//! One entry for each public function of `tokenward`, for the link gate (`cargo xtask test panic-free`).
//!
//! Every argument passes through [`black_box`], so that the optimiser must assume any value. A function that is
//! not called here is not proved free of panics: add an entry with each public function.
#![no_std]

use core::hint::black_box;
use core::panic::PanicInfo;
use tokenward::{Error, Instant, TickWidener, UnixTime};

unsafe extern "C" {
    /// Nobody defines it: an image that can panic does not link.
    safe fn tokenward_panic_reached() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    tokenward_panic_reached()
}

/// Defines the root `tokenward_gate_…` that the linker keeps or drops.
macro_rules! entry {
    ($(#[$attribute:meta])* $name:ident, $body:block) => {
        $(#[$attribute])*
        /// A root of the link gate.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name() {
            black_box($body);
        }
    };
}

/// Bytes of any length and content, as far as the optimiser knows.
fn bytes() -> &'static [u8] {
    black_box(&[])
}

entry!(tokenward_gate_control, { bytes()[black_box(0_usize)] });

entry!(tokenward_gate_instant, {
    let instant = Instant::from_millis(black_box(0)).saturating_add_millis(black_box(0));
    instant.saturating_millis_since(Instant::from_millis(black_box(0)))
});

entry!(tokenward_gate_unix_time, {
    UnixTime::from_secs(black_box(0)).saturating_secs_since(UnixTime::from_secs(black_box(0)))
});

entry!(tokenward_gate_tick_widener, { black_box(TickWidener::new()).widen(black_box(0)) });

entry!(tokenward_gate_error, {
    let error = black_box(Error::NotJson);
    (error.name(), error.code())
});
