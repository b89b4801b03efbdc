//! What every implementation of tokenward's behaviour must do, whatever its language: scenarios (docs/SCENARIOS.md), a
//! naive model of the behaviour, random scenarios with the model's answers, and the one place that compares.
//!
//! Rust is driven here; another language by a program that executes scenarios and prints what came of each step.

#![forbid(unsafe_code)]

mod compare;
pub mod description;
mod dice;
mod driver;
pub mod fleet;
mod members;
mod model;
pub mod sharing;
mod suite;

pub use compare::difference;
pub use driver::{Run, State, Step, run};
pub use members::bytes_of_hex;
pub use suite::{Scenario, files, replay};
