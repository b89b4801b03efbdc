//! The `tokenward` command, as a library: so that its tests run what it runs.
//!
//! It reaches the core through its public API alone, as any other program would.

#![forbid(unsafe_code)]

mod challenge;
mod cli;
mod client_key;
mod clock;
mod credentials;
mod date;
mod demo;
mod failure;
mod generated;
mod http;
mod inspect;
mod jwt;
mod lines;
mod paint;
mod presets;
mod replay;
mod request;
mod svg;
mod token;
mod which;
mod windows;

pub use cli::main;
