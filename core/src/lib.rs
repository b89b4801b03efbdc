#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
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

// The floors, the lowest first: a module imports from the floors below it, by the path of what it takes, and never from
// one above. `time`, `error`, `secret`, `ascii` and `machine` are the ground; `wire` has the grammars of the RFCs and
// knows nothing of OAuth; `endpoint` describes a token service, writes what is asked of it and reads what it answers;
// `manager` keeps one token alive: the decision in `session`, the bytes in `store`, when
// storage is read and written in `keeper`, and what is read and written there in `storage`; `grants` has what obtains the
// first token of a person, and puts it into a manager.
mod ascii;
#[cfg(feature = "defmt")]
mod defmt_format;
mod endpoint;
mod error;
pub mod grants;
#[cfg(feature = "snapshot")]
mod hmac_sha256;
mod machine;
mod manager;
mod secret;
mod table;
mod time;
pub mod wire;

/// What the repository's README shows is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

pub use endpoint::authorization::{Bearer, Generation, basic, basic_raw};
pub use endpoint::credentials::{Additions, Assertion, Credentials};
pub use endpoint::error_response::{ErrorCode, ErrorResponse};
pub use endpoint::grant::Grant;
pub use endpoint::lifetime::MissingLifetime;
pub use endpoint::nested::Nested;
pub use endpoint::own_members::OwnMembers;
pub use endpoint::parameter::{Parameter, Target};
pub use endpoint::provider::{Exposure, Identity, Provider, Requests, TokenRequest, ZeroLifetime};
pub use endpoint::providers;
pub use endpoint::refresh_life::RefreshLife;
pub use endpoint::refresh_policy::RefreshPolicy;
#[cfg(feature = "heapless")]
pub use endpoint::request::OwnedRequest;
pub use endpoint::request::Request;
pub use endpoint::routes::{Route, Routes};
pub use endpoint::token_alphabet::TokenAlphabet;
pub use endpoint::token_header::TokenHeader;
pub use endpoint::token_response::{Scope, TokenAnswer, TokenResponse, token_answer};
pub use error::Error;
pub use manager::keeper::{Revision, SnapshotScope};
pub use manager::options::Options;
pub use manager::session::{Next, Poll, Reason, RequestId, Retry};
pub use manager::store::Slots;
pub use manager::{Answer, Outcome, ParsedAnswer, TokenManager};
pub use secret::{ct_eq, wipe};
pub use time::{Instant, TickWidener, UnixTime};
pub use wire::json_str::JsonStr;

pub mod storage {
    //! How a manager's tokens outlive it, and where they come from that no grant obtains.

    #[cfg(feature = "snapshot")]
    pub use crate::hmac_sha256::Pieces;
    pub use crate::manager::keeper::{Storage, StorageRules};
    #[cfg(feature = "snapshot")]
    pub use crate::manager::seal::{HmacSha256, Seal};
    #[cfg(feature = "snapshot")]
    pub use crate::manager::storage::Found;
    pub use crate::manager::supply::Source;
}

pub mod parts {
    //! Values that bring their code: what a description may name, linked only if it does.

    pub use crate::endpoint::answer_format::AnswerFormat;
    pub use crate::endpoint::body_format::BodyFormat;
    pub use crate::endpoint::lifetime::TokenExpiry;
    pub use crate::endpoint::loopback::LoopbackHttp;
    pub use crate::endpoint::nested::NestedReader;
    pub use crate::endpoint::own_members::MemberReader;
    pub use crate::endpoint::pkce::DevicePkce;
    pub use crate::endpoint::provider::ClientAuthentication;
    pub use crate::endpoint::provider::RequestWriter;
    pub use crate::endpoint::refresh_life::RefreshLifeRules;
    pub use crate::endpoint::routes::RouteTable;
    pub use crate::endpoint::signature::SignatureAlgorithm;
    pub use crate::endpoint::site::SitePath;
}
