#![no_std]
#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(test),
    deny(
        clippy::alloc_instead_of_core,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::std_instead_of_core,
        clippy::string_slice,
        clippy::todo,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

mod ascii;
mod authorization;
mod error;
mod error_response;
mod form;
mod http_date;
mod json;
mod jwt;
mod manager;
mod provider;
pub mod providers;
mod refresh_policy;
mod retry_after;
mod secret;
mod session;
#[cfg(feature = "snapshot")]
mod snapshot;
mod store;
mod time;
mod token_request;
mod token_response;
mod url;
mod www_authenticate;

pub use authorization::{Bearer, Generation, basic};
pub use error::Error;
pub use error_response::{ErrorCode, ErrorResponse};
pub use form::form_encode;
pub use http_date::http_date;
pub use json::JsonStr;
#[cfg(feature = "serde")]
pub use jwt::jwt_claims_into;
pub use jwt::{Claims, jwt_claims};
pub use manager::{Answer, Outcome, Revision, SnapshotScope, TokenManager};
pub use provider::{
    ApiOrigins, BasicEncoding, BodyFormat, ClientAuthentication, Exposure, Grant, MissingLifetime, Provider,
    Route, Subject, TokenAlphabet, TokenKind, ZeroLifetime,
};
pub use providers::{Environment, IssuedBy};
pub use refresh_policy::RefreshPolicy;
pub use retry_after::retry_after;
pub use secret::{ct_eq, wipe};
pub use session::{Next, Poll, Reason, RequestId, Retry};
#[cfg(feature = "snapshot")]
pub use snapshot::snapshot_revision;
pub use store::Slots;
pub use time::{Instant, TickWidener, UnixTime};
#[cfg(feature = "heapless")]
pub use token_request::OwnedRequest;
pub use token_request::{Credentials, Request, TokenRequest};
pub use token_response::{Scope, TokenAnswer, TokenResponse, token_answer};
pub use www_authenticate::{Challenge, Challenges, ParamValue};
