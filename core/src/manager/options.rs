//! What a manager has beside its slots: storage, and a source of tokens.

use crate::endpoint::provider::Provider;
use crate::manager::keeper::{Asked, Keeper};
use crate::manager::revision::{Revision, SnapshotScope};
#[cfg(feature = "snapshot")]
use crate::manager::seal;
use crate::manager::session::{Next, Session};

/// What a manager has beside its slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Where its tokens outlive it. Without storage there is neither [`crate::Next::Load`] nor [`crate::Next::Store`].
    pub storage: Option<Storage>,
    /// Where a token comes from that no grant obtains.
    pub source: Source,
}

/// Where a token comes from that no grant obtains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Source {
    /// From nowhere: somebody installs it.
    #[default]
    None = 0,
    /// Somebody must sign in.
    Person = 1,
    /// A program that can be asked again at any time.
    Program = 2,
}

/// How a manager's tokens outlive it. [`Storage::OWN`] and [`Storage::SHARED`] are to be copied from; they bring the code
/// that decides when storage is read and written, which no image without them carries.
///
/// ```
/// use tokenward::storage::Storage;
///
/// // Flash that may tear a write, for this device alone.
/// let flash = Storage { slots: 2, ..Storage::OWN };
/// // A file that an app and its extension share.
/// let file = Storage { slots: 1, ..Storage::SHARED };
/// assert!(flash != file);
/// ```
#[derive(Clone, Copy)]
pub struct Storage {
    /// The code that it brings: that of [`Storage::OWN`].
    pub rules: &'static StorageRules,
    /// Whether other processes use it too. Then its lock is held from the first [`Next::Load`] until `poll` says
    /// neither that nor [`Next::Store`].
    pub shared: bool,
    /// What is stored: everything, or the refresh token alone for flash that wears out.
    pub stored: SnapshotScope,
    /// How many places storage has, 1 to 4. Where a write may tear, two are needed.
    pub slots: u8,
    /// The oldest revision that is accepted: the last one that the caller knows it stored, or 0.
    pub floor: Revision,
    /// In storage of its own too, prove before each refresh that there is room for its answer: a full disk is noticed
    /// before a refresh token is spent. Without effect if only the refresh token is stored.
    pub prove_room: bool,
}

type ChangesAt = for<'a> fn(&Keeper, Next, bool, &Session, &Provider<'a>, Option<u64>) -> Option<u64>;

/// The code that storage brings.
pub struct StorageRules {
    pub(super) next: for<'a> fn(&Keeper, &Asked<'a>) -> Next,
    pub(super) changes_at: ChangesAt,
    fingerprint: fn(&[u8]) -> u64,
}

#[cfg(feature = "snapshot")]
static RULES: StorageRules = StorageRules {
    next: |keeper, asked| keeper.with_storage(asked),
    changes_at: |keeper, next, usable, session, provider, timed_out| {
        keeper.changes_at_with_storage(next, usable, session, provider, timed_out)
    },
    fingerprint: seal::fingerprint,
};

#[cfg(feature = "snapshot")]
impl Storage {
    /// Storage that no other process uses: one slot, everything is stored.
    pub const OWN: Self = Self {
        rules: &RULES,
        shared: false,
        stored: SnapshotScope::All,
        slots: 1,
        floor: Revision(0),
        prove_room: false,
    };

    /// Storage that several processes use.
    pub const SHARED: Self = Self { shared: true, ..Self::OWN };
}

impl Storage {
    /// A manager's own announcements are written although nobody else reads them.
    pub(super) const fn proves_room(&self) -> bool {
        self.prove_room && matches!(self.stored, SnapshotScope::All)
    }

    /// Which refresh token it is, without keeping it.
    pub(crate) fn fingerprint(&self, token: &[u8]) -> u64 {
        (self.rules.fingerprint)(token)
    }
}

impl PartialEq for Storage {
    fn eq(&self, other: &Self) -> bool {
        let facts = |of: &Self| (of.shared, of.stored, of.slots, of.floor, of.prove_room);
        facts(self) == facts(other)
    }
}

impl Eq for Storage {}

impl core::fmt::Debug for Storage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Storage")
            .field("shared", &self.shared)
            .field("stored", &self.stored)
            .field("slots", &self.slots)
            .field("floor", &self.floor)
            .field("prove_room", &self.prove_room)
            .finish()
    }
}
