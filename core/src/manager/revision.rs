//! Counts what a snapshot holds, and knows what of it storage has.

use crate::time::sum;

/// Which part of the state a snapshot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotScope {
    /// Only the refresh token, for flash that wears out: it is written only when that changes.
    RefreshToken,
    /// The access token too.
    All,
}

/// Counts the changes of what a snapshot holds, from 0 in a new manager.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// Which revision storage has.
#[derive(Clone, Copy, Default)]
pub(crate) struct Revisions {
    pub(crate) current: u64,
    /// The last revision that changed the access token, its deadlines or its generation.
    pub(crate) access_token: u64,
    /// The last revision that changed the refresh token or who may use it.
    pub(crate) refresh_token: u64,
    pub(crate) persisted: u64,
    pub(crate) persisted_refresh_token: u64,
    /// What storage is known to hold: an older snapshot is stale.
    pub(crate) known: u64,
    /// Whether this manager was ever persisted or restored.
    pub(crate) stored_before: bool,
}

impl Revisions {
    #[inline(never)]
    pub(crate) fn changed(&mut self, access_token: bool, refresh_token: bool) {
        self.current = sum(self.current, 1);
        if access_token {
            self.access_token = self.current;
        }
        if refresh_token {
            self.refresh_token = self.current;
        }
    }
}
