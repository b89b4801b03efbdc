//! The C surface of `tokenward`. What it promises to C stands in `include/tokenward/tokenward.h`, which is
//! generated from the documentation of this crate's items; how it keeps that stands in `README.md`.
#![no_std]
#![expect(non_camel_case_types, reason = "types bear the names that they have in C")]
#![expect(clippy::missing_safety_doc, reason = "tokenward.h says at each function what it asks")]
#![allow(rustdoc::broken_intra_doc_links, reason = "Doxygen reads the comments: `[in]` is no link there")]

#[cfg(all(panic = "abort", any(feature = "panic-handler", feature = "link-gate")))]
mod panic;

// Elsewhere `std` has the panic handler, but for bare metal, where the image that links this has it.
#[cfg(not(any(
    target_os = "none",
    all(panic = "abort", any(feature = "panic-handler", feature = "link-gate"))
)))]
extern crate std;

mod config;
mod edge;
mod grants;
mod manager;
mod memory;
mod parts;
mod presets;
mod provider;
mod readers;
mod request;
mod result;
mod seal;
#[cfg(feature = "snapshot")]
mod storage;
mod writers;

pub use config::*;
pub use edge::tokenward_span;
pub use grants::*;
pub use manager::*;
pub use memory::*;
pub use parts::*;
pub use presets::*;
pub use provider::*;
pub use readers::*;
pub use request::*;
pub use result::*;
pub use seal::*;
#[cfg(feature = "snapshot")]
pub use storage::*;
pub use writers::*;
