#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod admin;
mod api;
mod clock;
mod config;
mod dialect;
mod fault;
mod kind;
mod log;
mod random;
mod reply;
mod request;
mod service;
mod sign_in;
mod store;
mod token;
mod wire;

pub use api::{Route, TokenKind};
pub use clock::Clock;
pub use config::{Config, Credentials, WrongToken};
pub use fault::Fault;
pub use kind::{Environment, Kind, UnknownKind};
pub use log::Exchange;
pub use service::Service;
pub use sign_in::Person;
