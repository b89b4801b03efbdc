#![doc = include_str!("../README.md")]

#[macro_use]
mod same;

mod direct;
mod error;
mod grants;
mod manager;
mod next;
mod provider;
mod storage;

use std::alloc::System;

use zeroizing_alloc::ZeroAlloc;

pub use direct::direct_authorize;
pub use error::{CoreError, error_sentence};
pub use grants::{
    CallbackRecord, CoreDevice, CoreSignIn, DeviceOutcomeRecord, DevicePollRecord, TokenDeviceNext,
    device_next_name,
};
pub use manager::{AssertionRecord, CoreManager, CoreRequest, OutcomeRecord, PollRecord, RetryRecord};
pub use next::{TokenNext, TokenReason, grant_name, reason_name};
pub use provider::{
    BodyFormat, ClientAuthentication, Exposure, MissingLifetime, RefreshPolicy, SignatureAlgorithm,
    TokenAlphabet, TokenErrorCode, TokenExpiresAt, TokenGrant, TokenIdentity, TokenMember, TokenPreset,
    TokenProvider, TokenRoute, ZeroLifetime, custom_provider, default_policy, preset_provider,
};
pub use storage::{FoundRecord, OptionsRecord, SourceRecord, StorageRecord, found_name};

/// Tokens pass through buffers that uniffi makes and never clears: all that is freed is wiped.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

/// The version of the library. A package of another version refuses to start.
#[uniffi::export]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

uniffi::setup_scaffolding!();
