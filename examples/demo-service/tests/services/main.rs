//! The five services over real HTTP.

mod answers;
mod environments;
mod faults;
mod flip_energy;
mod handle;
mod http;
mod log;
mod orders;
mod program;
mod refusals;
mod rotation;
mod sign_in;
mod time;
