//! Every build, test, drift and size gate.

fn main() {}
