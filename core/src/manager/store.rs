//! Token bytes in the caller's memory: two slots in one block, replaced at once, wiped behind.

use crate::error::Error;
use crate::secret::wipe;
use crate::wire::json_str::JsonStr;

/// The memory that a manager keeps its tokens in: one block, split into a slot for the access token and
/// one for the refresh token.
///
/// ```
/// use tokenward::Slots;
///
/// // 2,048 bytes for the access token, 512 for the refresh token.
/// let slots = Slots::new([0; 2560], 2048);
/// assert_eq!(slots.capacities(), (2048, 512));
/// ```
#[derive(Clone, Copy)]
pub struct Slots<S> {
    block: S,
    access_capacity: usize,
}

impl<S: AsRef<[u8]> + AsMut<[u8]>> Slots<S> {
    /// A block whose first `access_capacity` bytes (at most all) are for the access token.
    pub const fn new(block: S, access_capacity: usize) -> Self {
        Self { block, access_capacity }
    }

    /// Bytes for the access token and for the refresh token.
    pub fn capacities(&self) -> (usize, usize) {
        capacities(self.block.as_ref(), self.access_capacity)
    }
}

fn capacities(block: &[u8], access_capacity: usize) -> (usize, usize) {
    let access = access_capacity.min(block.len());
    (access, block.len().saturating_sub(access))
}

impl<S> core::fmt::Debug for Slots<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Slots(..)")
    }
}

/// The slots with what is in them. It wipes a slot before it writes to it, and both when it is dropped.
pub(crate) struct Store<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized> {
    access_capacity: usize,
    access_len: usize,
    refresh_len: usize,
    /// Last, so that it may be of a size that only its owner knows.
    block: S,
}

impl<S: AsRef<[u8]> + AsMut<[u8]>> Store<S> {
    #[inline(always)]
    pub(crate) fn new(slots: Slots<S>) -> Self {
        let Slots { mut block, access_capacity } = slots;
        wipe(block.as_mut());
        Self { access_capacity, access_len: 0, refresh_len: 0, block }
    }
}

impl<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized> Store<S> {
    pub(crate) fn capacities(&self) -> (usize, usize) {
        capacities(self.block.as_ref(), self.access_capacity)
    }

    fn split(&self) -> (&[u8], &[u8]) {
        self.block.as_ref().split_at_checked(self.capacities().0).unwrap_or_default()
    }

    fn split_mut(&mut self) -> (&mut [u8], &mut [u8]) {
        let (access, _) = self.capacities();
        self.block.as_mut().split_at_mut_checked(access).unwrap_or_default()
    }

    /// The access token; empty if there is none.
    pub(crate) fn access_token(&self) -> &[u8] {
        self.split().0.get(..self.access_len).unwrap_or_default()
    }

    /// The refresh token; empty if there is none.
    pub(crate) fn refresh_token(&self) -> &[u8] {
        self.split().1.get(..self.refresh_len).unwrap_or_default()
    }

    pub(crate) fn check_access_token(&self, token: &JsonStr<'_>) -> Result<(), Error> {
        fits(token.len(), self.capacities().0).map_err(|needed| Error::TooLong { needed })
    }

    pub(crate) fn check_refresh_token(&self, token: &JsonStr<'_>) -> Result<(), Error> {
        fits(token.len(), self.capacities().1).map_err(|needed| Error::RefreshTokenTooLong { needed })
    }

    /// Replaces the access token by one that fits.
    pub(crate) fn set_access_token(&mut self, token: &JsonStr<'_>) {
        self.access_len = replace(self.split_mut().0, token);
    }

    /// Replaces the refresh token by one that fits.
    pub(crate) fn set_refresh_token(&mut self, token: &JsonStr<'_>) {
        self.refresh_len = replace(self.split_mut().1, token);
    }

    pub(crate) fn drop_access_token(&mut self) {
        self.access_len = 0;
        wipe(self.split_mut().0);
    }

    pub(crate) fn drop_refresh_token(&mut self) {
        self.refresh_len = 0;
        wipe(self.split_mut().1);
    }

    /// Whether `token` is the refresh token that is held.
    pub(crate) fn holds_refresh_token(&self, token: &JsonStr<'_>) -> bool {
        token.ct_eq(self.refresh_token())
    }

    pub(crate) fn wipe(&mut self) {
        wipe(self.block.as_mut());
        (self.access_len, self.refresh_len) = (0, 0);
    }
}

impl<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized> Drop for Store<S> {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// Or how much is needed.
fn fits(needed: usize, capacity: usize) -> Result<(), usize> {
    if needed > capacity { Err(needed) } else { Ok(()) }
}

fn replace(slot: &mut [u8], token: &JsonStr<'_>) -> usize {
    wipe(slot);
    token.copy_to(slot).map_or(0, <[u8]>::len)
}
