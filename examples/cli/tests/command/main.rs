//! The command as its users run it: a process of its own, its streams and its exit status.

mod answers;
mod demo;
mod generated;
mod keep;
mod kill;
mod lines;
mod process;
mod redaction;
mod replay;
mod single;
mod token;
