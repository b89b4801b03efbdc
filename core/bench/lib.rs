//! Benchmarks of the core beside its peers: `cargo xtask bench`.
