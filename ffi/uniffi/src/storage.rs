//! How a manager's tokens outlive it, and where they come from that no grant obtains.

use tokenward::storage::{Source, Storage};
use tokenward::{Options, Revision};

/// What a manager has beside its slots.
#[derive(Clone, Debug, Default, PartialEq, Eq, uniffi::Record)]
pub struct OptionsRecord {
    /// Where its tokens outlive it; none: nowhere.
    pub storage: Option<StorageRecord>,
    /// Where a token comes from that no grant obtains.
    pub source: SourceRecord,
}

/// How a manager's tokens outlive it.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct StorageRecord {
    /// Whether other processes use it too. Then its lock is held from the first [`crate::TokenNext::Load`] until `poll`
    /// says neither that nor [`crate::TokenNext::Store`].
    pub shared: bool,
    /// Everything is stored, not the refresh token alone.
    pub all: bool,
    /// How many places storage has, 1 to 4. Where a write may tear, two are needed.
    pub slots: u8,
    /// The oldest revision that is accepted.
    pub floor: u64,
    /// In storage of its own too, prove before each refresh that there is room for its answer.
    pub prove_room: bool,
}

/// Where a token comes from that no grant obtains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, uniffi::Enum)]
pub enum SourceRecord {
    /// From nowhere: somebody installs it.
    #[default]
    None,
    /// Somebody must sign in.
    Person,
    /// A program that can be asked again at any time.
    Program,
}

/// What a load found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum FoundRecord {
    /// Nothing is stored, and nothing is lost by that.
    Empty,
    /// Somebody has signed out: there is no token any more.
    SignedOut,
    /// What this manager took or wrote itself.
    Known,
    /// What another process stored, or an earlier life of this one, is taken.
    Taken,
    /// What this manager has not stored yet wins over what was found.
    Kept,
}

same! {
    FoundRecord = storage::Found { Empty, SignedOut, Known, Taken, Kept }
}

/// The most places that storage may have.
const MAX_SLOTS: u8 = 8;

impl OptionsRecord {
    /// None where storage has no place, or too many.
    pub(crate) fn core(&self) -> Option<Options> {
        let Self { storage, source } = self;
        let storage = match storage {
            Some(StorageRecord { slots: 0, .. }) => return None,
            Some(StorageRecord { slots, .. }) if *slots > MAX_SLOTS => return None,
            Some(storage) => Some(storage.core()),
            None => None,
        };
        let source = match source {
            SourceRecord::None => Source::None,
            SourceRecord::Person => Source::Person,
            SourceRecord::Program => Source::Program,
        };
        Some(Options { storage, source })
    }
}

impl StorageRecord {
    fn core(&self) -> Storage {
        let Self { shared, all, slots, floor, prove_room } = *self;
        let base = if shared { Storage::SHARED } else { Storage::OWN };
        Storage { stored: crate::manager::scope(all), slots, floor: Revision(floor), prove_room, ..base }
    }
}

/// The snake_case name, the same in every language.
#[uniffi::export]
#[must_use]
pub fn found_name(found: FoundRecord) -> String {
    found.core().name().to_owned()
}
