//! What a manager has beside its slots.

use crate::manager::keeper::Storage;
use crate::manager::supply::Source;

/// What a manager has beside its slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Where its tokens outlive it. Without storage there is neither [`crate::Next::Load`] nor [`crate::Next::Store`].
    pub storage: Option<Storage>,
    /// Where a token comes from that no grant obtains.
    pub source: Source,
}
