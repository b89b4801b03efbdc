//! The `tokenward` command, as a library: so that its tests run what it runs.

pub mod scenario;
