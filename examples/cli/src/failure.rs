//! How the command ends: its exit status, and one line on stderr that says what to do.

use std::io;
use std::process::ExitCode;

/// The exit statuses that scripts may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// A token, or whatever else was asked for.
    Ok,
    /// The server's own error answer; a scenario or an expectation that does not hold.
    Error,
    /// The core refused what it was given.
    Refused,
    /// `EX_USAGE` of sysexits.h.
    Usage,
    /// `EX_UNAVAILABLE` of sysexits.h: a service, or a file of ours, cannot be had.
    Unavailable,
    /// The status that another program ended with, where this process cannot become it.
    #[cfg(not(unix))]
    Other(u8),
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Ok => 0,
            Status::Error => 1,
            Status::Refused => 2,
            Status::Usage => 64,
            Status::Unavailable => 69,
            #[cfg(not(unix))]
            Status::Other(status) => status,
        })
    }
}

/// Why the command cannot go on.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: Status,
    /// One line, what to do included; empty where there is nobody to tell.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Status::Usage, message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Status::Unavailable, message)
    }
}

impl From<io::Error> for Failure {
    /// What went wrong while printing. A reader that has seen enough is no fault.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Status::Ok, ""),
            _ => Self::unavailable(format!("cannot write: {error}")),
        }
    }
}
