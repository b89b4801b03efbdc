//! What a manager is made from.

use core::mem::MaybeUninit;

use tokenward::storage::{Source, Storage};
use tokenward::{Identity, Options, Provider, Revision, SnapshotScope};

use crate::edge::{Edge, OUT_OF_RANGE, Plain, tokenward_span};
use crate::manager::{scope_of, tokenward_snapshot_scope};
use crate::parts::tokenward_storage_part;
use crate::provider::{numbered, tokenward_service};
use crate::result::*;
use crate::seal::tokenward_seal;

/// Where a token comes from that no grant obtains: `TOKENWARD_SOURCE_*`.
pub type tokenward_source = i32;
/// From nowhere: the caller installs it.
pub const TOKENWARD_SOURCE_NONE: i32 = 0;
/// Somebody must sign in.
pub const TOKENWARD_SOURCE_PERSON: i32 = 1;
/// A program that can be asked again at any time.
pub const TOKENWARD_SOURCE_PROGRAM: i32 = 2;

numbered!(Source:
    None = TOKENWARD_SOURCE_NONE,
    Person = TOKENWARD_SOURCE_PERSON,
    Program = TOKENWARD_SOURCE_PROGRAM);

/// The most places that storage may have.
pub const TOKENWARD_STORAGE_SLOTS: u8 = 4;

/// How a manager's tokens outlive it. Zeros: they do not.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_storage {
    /// #tokenward_storage_own, #tokenward_storage_shared, or one of the two kinds with a seal: they bring the code that decides
    /// when storage is read and written. NULL: there is no storage.
    pub kind: *const tokenward_storage_part,
    /// What seals a snapshot, for #tokenward_storage_own_with_seal and #tokenward_storage_shared_with_seal; NULL with the others.
    pub seal: *const tokenward_seal,
    /// The oldest revision that is accepted: the last one that the caller knows it stored, or 0.
    pub floor: u64,
    /// `TOKENWARD_SNAPSHOT_*`: what is stored; 0: all.
    pub stored: tokenward_snapshot_scope,
    /// How many places storage has, up to #TOKENWARD_STORAGE_SLOTS; 0: one. If a write may tear, two are needed.
    pub slots: u8,
    /// In storage of its own too, prove before each refresh that there is room for its answer: a full disk is noticed
    /// before a refresh token is spent. No effect if only the refresh token is stored.
    pub prove_room: MaybeUninit<bool>,
}

/// What a manager is made from. The struct itself is read once; the service, and what the spans point to, must
/// live and stay unchanged for as long as the manager.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct tokenward_config {
    /// The token service: one of the header's, or the result of tokenward_describe().
    pub service: *const tokenward_service,
    /// The site that the token stands for; empty: the client itself.
    pub site: tokenward_span,
    /// The environment, a part of a token's identity; empty: the service's own.
    pub environment: tokenward_span,
    /// Scheme and authority of the token endpoint, and a path if one follows; empty: the service's own.
    pub base_url: tokenward_span,
    /// A name of the caller's own, such as a user or a client id: two people at one service must not restore each
    /// other's state. Empty: none.
    pub account: tokenward_span,
    /// Bytes of the slot for the access token.
    pub access_capacity: usize,
    /// Bytes of the slot for the refresh token; 0 if the service has none.
    pub refresh_capacity: usize,
    /// The caller's clock: milliseconds, monotonic, counting on through sleep, from any epoch.
    pub now_ms: u64,
    /// Differs from device to device, so that a fleet does not ask for tokens in step; needs no secrecy.
    pub seed: u64,
    /// How its tokens outlive it.
    pub storage: tokenward_storage,
    /// `TOKENWARD_SOURCE_*`: where a token comes from that no grant obtains.
    pub source: tokenward_source,
}

// SAFETY: spans, raw pointers, integers, and a byte that any bits make.
unsafe impl Plain for tokenward_config {}

/// What the manager has beside its slots.
pub(crate) fn options_of(edge: &mut Edge<'_>, config: &tokenward_config) -> Result<Options, Fault> {
    let source = match config.source {
        TOKENWARD_SOURCE_NONE => Source::None,
        TOKENWARD_SOURCE_PERSON => Source::Person,
        TOKENWARD_SOURCE_PROGRAM => Source::Program,
        _ => return Err(OUT_OF_RANGE),
    };
    let tokenward_storage { kind, seal, floor, stored, slots, prove_room } = config.storage;
    let prove_room = edge.boolean(&prove_room);
    let stored = if stored == 0 { SnapshotScope::All } else { scope_of(stored)? };
    if slots > TOKENWARD_STORAGE_SLOTS {
        return Err(OUT_OF_RANGE);
    }
    let storage = edge.storage(kind, seal).map(|storage| Storage {
        stored,
        slots: slots.max(1),
        floor: Revision(floor),
        prove_room,
        ..storage
    });
    Ok(Options { storage, source })
}

/// The service, and whose token it is.
pub(crate) fn whose<'c>(
    edge: &mut Edge<'c>,
    config: &tokenward_config,
) -> Result<(&'c Provider<'static>, Identity<'c>), Fault> {
    let mut given = |span| Some(edge.text(span)).filter(|text| !text.is_empty());
    let identity = Identity {
        site: given(config.site),
        environment: given(config.environment),
        base_url: given(config.base_url),
        account: given(config.account),
    };
    Ok((edge.service(config.service)?, identity))
}
