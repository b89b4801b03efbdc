//! The run loop of tokenward for a program without an allocator, apart from how it sends bytes.
//!
//! `static-manager` feeds it canned answers, on the host and on a Cortex-M; `reqwless` drives the same
//! manager over an async HTTP client for small machines.
#![no_std]
#![forbid(unsafe_code)]

use static_cell::StaticCell;
use tokenward::{
    Credentials, Error, Grant, Identity, Instant, Next, Options, Provider, Reason, Request, RequestId, Slots,
    TokenManager,
};

/// Bytes for the access token.
pub const ACCESS: usize = 1024;
/// Bytes for the refresh token.
pub const REFRESH: usize = 256;

/// A manager with its slots inside: it may be moved, and it may live in a static.
pub type Manager = TokenManager<'static, [u8; ACCESS + REFRESH]>;

static MANAGER: StaticCell<Manager> = StaticCell::new();

/// The program's one manager, in static memory.
///
/// # Errors
/// Those of [`TokenManager::with_options`].
pub fn manager(
    now: Instant,
    provider: &'static Provider<'static>,
    identity: Identity<'static>,
    seed: u64,
    options: Options,
) -> Result<&'static mut Manager, Error> {
    let slots = Slots::new([0; ACCESS + REFRESH], ACCESS);
    Ok(MANAGER.init(TokenManager::with_options(now, provider, identity, slots, seed, options)?))
}

/// What the loop is to do now.
pub enum Step<'b> {
    /// Send this; hand the answer to [`TokenManager::answer`], or say [`TokenManager::failed`].
    Send(RequestId, Grant, Request<'b>),
    /// Come back then, or when something else happens.
    Sleep(Option<Instant>),
    /// Somebody must act.
    Stuck(Reason),
}

/// One turn of the loop.
///
/// # Errors
/// Those of [`TokenManager::begin`].
pub fn step<'b>(
    manager: &mut Manager,
    now: Instant,
    credentials: &Credentials<'_>,
    out: &'b mut [u8],
) -> Result<Step<'b>, Error> {
    let poll = manager.poll(now);
    match poll.next {
        Next::Request(grant) => {
            let (id, request) = manager.begin(now, credentials, out)?;
            Ok(Step::Send(id, grant, request))
        }
        Next::Supply(_, reason) => Ok(Step::Stuck(reason)),
        // `static-manager` has done what there is to load and store; without storage there is nothing.
        _ => Ok(Step::Sleep(poll.poll_at)),
    }
}
