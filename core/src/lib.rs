#![no_std]
#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod error;
mod time;

pub use error::Error;
pub use time::{Instant, TickWidener, UnixTime};
