//! What obtains the first token of a person. Each is a small state machine beside a manager and ends in it: nothing of
//! it is linked where it is not named.

#[cfg(feature = "snapshot")]
mod authorization_code;
mod device;
mod revocation;

#[cfg(feature = "snapshot")]
pub use authorization_code::{AuthorizationCode, AuthorizationError, Callback, Code};
pub use device::{DeviceAuthorization, DeviceNext, DeviceOutcome, DevicePoll};
pub use revocation::Revocation;
