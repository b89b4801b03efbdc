//! What a panic would do: nothing in this crate reaches it, which the link gate proves.

use core::panic::PanicInfo;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    #[cfg(feature = "link-gate")]
    gate::tokenward_panic_reached();
    #[cfg(not(feature = "link-gate"))]
    loop {}
}

#[cfg(feature = "link-gate")]
mod gate {
    unsafe extern "C" {
        /// Nobody defines it: an image that can panic does not link.
        pub(super) safe fn tokenward_panic_reached() -> !;
    }

    /// Panics, so that an image with it shows what the gate does.
    ///
    /// cbindgen:ignore
    #[unsafe(no_mangle)]
    extern "C" fn tokenward_gate_control(index: usize) -> u8 {
        core::hint::black_box([0; 4])[index]
    }
}
