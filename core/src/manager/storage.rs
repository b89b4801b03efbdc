//! Reads storage and writes it when [`crate::Next::Load`] and [`crate::Next::Store`] ask for it.

use crate::error::Error;
use crate::manager::TokenManager;
use crate::manager::keeper::{Candidates, Find, MAX_SLOTS, NO_CANDIDATE, Task, Verdict, Written};
use crate::manager::revision::SnapshotScope;
use crate::manager::session::RequestId;
use crate::manager::snapshot::{Contents, identity};
use crate::table::{named, table};
use crate::time::{Instant, UnixTime};
use crate::wire::json_str::JsonStr;

/// How far a snapshot may be ahead of the wall clock and still be of now.
const CLOCKS_APART_S: u64 = 6;

table! {
    /// What a load found.
    pub enum Found: u8 {
        Empty = 1, "empty",
            "Nothing is stored, and nothing is lost by that.";
        SignedOut = 2, "signed_out",
            "Somebody has signed out: there is no token any more.";
        Known = 3, "known",
            "Storage holds what this manager took or wrote itself.";
        Taken = 4, "taken",
            "What another process stored, or an earlier life of this one, is taken.";
        Kept = 5, "kept",
            "What this manager has not stored yet wins over what was found.";
    }
}

impl<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized> TokenManager<'_, S> {
    /// Storage was read: what was in each of its slots, empty ones too, in their order. A slot that exists and holds no
    /// bytes, as a file of length 0 does, is not empty but damaged: `Some(&[])`.
    ///
    /// ```
    /// use tokenward::storage::{Found, Storage};
    /// use tokenward::*;
    ///
    /// let identity = Identity { base_url: Some("https://api.example"), ..Identity::CLIENT };
    /// let options = Options { storage: Some(Storage::OWN), ..Options::default() };
    /// let (now, key, wall) = (Instant::from_millis(0), [7; 32], Some(UnixTime::from_secs(1_700_000_000)));
    /// let manager = || {
    ///     let slots = Slots::new([0; 64], 64);
    ///     TokenManager::with_options(now, &providers::FLIP_ENERGY_CLIENT, identity, slots, 0, options).unwrap()
    /// };
    ///
    /// let mut first = manager();
    /// let Next::Load(id) = first.poll(now).next else { panic!() };
    /// assert_eq!(first.loaded(now, wall, id, &key, &[None]), Ok(Found::Empty));
    /// first.install(now, wall, &TokenResponse::new("client-token")).unwrap();
    /// let Next::Store(id, 0) = first.poll(now).next else { panic!() };
    /// let mut out = [0; 256];
    /// let stored = first.snapshot_for(now, wall, id, &key, &mut out).unwrap();
    /// first.stored(now, id).unwrap();
    /// assert!(first.poll(now).usable);
    ///
    /// let mut second = manager();
    /// let Next::Load(id) = second.poll(now).next else { panic!() };
    /// assert_eq!(second.loaded(now, wall, id, &key, &[Some(stored)]), Ok(Found::Taken));
    /// assert!(second.poll(now).usable);
    /// ```
    ///
    /// # Errors
    /// But for the first, the load has succeeded all the same, and nothing in storage was of use.
    /// - [`Error::StaleRequest`]: `id` is not that of the load.
    /// - [`Error::InvalidSnapshot`], [`Error::OtherSnapshotVersion`], [`Error::OtherSnapshotKey`],
    ///   [`Error::ForeignSnapshot`], [`Error::StaleSnapshot`]: why the first slot that is not empty was refused, where
    ///   no slot held anything better.
    /// - [`Error::TooLong`], [`Error::RefreshTokenTooLong`]: a stored token is longer than its slot.
    pub fn loaded(
        &mut self,
        now: Instant,
        wall: Option<UnixTime>,
        id: RequestId,
        key: &[u8; 32],
        slots: &[Option<&[u8]>],
    ) -> Result<Found, Error> {
        self.advance(now);
        self.keeper.expect(Task::Load, id)?;
        let found = self.take_up_slots(wall, key, slots);
        self.settle();
        found
    }

    fn take_up_slots(
        &mut self,
        wall: Option<UnixTime>,
        key: &[u8; 32],
        slots: &[Option<&[u8]>],
    ) -> Result<Found, Error> {
        let own = identity(self.provider, &self.identity);
        let floor = self.keeper.storage().map_or(0, |storage| storage.floor.0);
        let mut best: Option<(Find<'_>, Contents<'_>)> = None;
        let mut candidates: Candidates = [NO_CANDIDATE; MAX_SLOTS];
        let mut refused = None;
        for ((slot, candidate), bytes) in (0_u8..).zip(&mut candidates).take(self.keeper.slots()).zip(slots) {
            let Some(bytes) = bytes else { continue };
            let opened = Contents::open(key, bytes).and_then(|contents| match contents {
                Contents { identity, .. } if identity != own => Err(Error::ForeignSnapshot),
                Contents { revision, .. } if revision < floor => Err(Error::StaleSnapshot),
                contents => Ok(contents),
            });
            match opened {
                Ok(contents) => {
                    let find = contents.find(slot);
                    *candidate = find.written;
                    self.keeper.revision = self.keeper.revision.max(contents.revision);
                    if best.as_ref().is_none_or(|(_, best)| contents.revision > best.revision) {
                        best = Some((find, contents));
                    }
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        let find = best.as_ref().map(|(find, _)| find);
        let holds = !self.store.is_empty();
        match self.keeper.loaded(self.session.clock(), find, candidates, refused.is_none(), holds) {
            Verdict::Kept => Ok(Found::Kept),
            Verdict::Known => Ok(Found::Known),
            Verdict::Empty => Ok(Found::Empty),
            Verdict::Emptied => {
                self.forget();
                self.keeper.emptied();
                Ok(Found::SignedOut)
            }
            Verdict::Damaged => Err(refused.unwrap_or(Error::InvalidSnapshot)),
            Verdict::Take => match best {
                Some((find, contents)) => self.take(wall, &find, &contents, candidates),
                None => Ok(Found::Kept),
            },
        }
    }

    /// Takes what another process stored, or an earlier life of this one.
    fn take(
        &mut self,
        wall: Option<UnixTime>,
        find: &Find<'_>,
        contents: &Contents<'_>,
        candidates: Candidates,
    ) -> Result<Found, Error> {
        let clock = self.session.clock();
        let wall_seconds = wall.map(UnixTime::as_secs);
        if find.tombstone {
            self.forget();
            self.keeper.took(clock, find, candidates, None, wall_seconds);
            return Ok(Found::SignedOut);
        }
        let access_token = JsonStr::literal(contents.access_token);
        let refresh_token = JsonStr::literal(contents.refresh_token);
        let fits = self.store.check_access_token(&access_token);
        if let Err(error) = fits.and_then(|()| self.store.check_refresh_token(&refresh_token)) {
            self.replace_refresh_token(None);
            self.keeper.too_long();
            return Err(error);
        }
        let provider = self.provider;
        let deadlines = self.restored_deadlines(contents, wall, CLOCKS_APART_S);
        let deadlines = deadlines.filter(|_| provider.token_alphabet.has(access_token));
        let same = access_token.ct_eq(self.store.access_token());
        let brought = deadlines.filter(|_| !same);
        self.session.adopt_generation(contents.generation, brought.is_some());
        match &brought {
            Some(deadlines) => {
                self.store.set_access_token(&access_token);
                self.session.restored(deadlines);
            }
            None if same || find.session == self.keeper.session => {}
            None => {
                self.store.drop_access_token();
                self.session.drop_access_token();
            }
        }
        self.session.settle();
        self.session.forget_spread();
        let kept = if provider.refresh_grant { contents.refresh_token } else { &[] };
        self.restore_refresh_token(kept);
        self.keeper.took(clock, find, candidates, contents.announcement, wall_seconds);
        Ok(Found::Taken)
    }

    /// Storage could not be read: it is locked, or a folder is missing. That it holds nothing is no failure.
    ///
    /// # Errors
    /// - [`Error::StaleRequest`]: `id` is not that of the load.
    pub fn load_failed(&mut self, now: Instant, id: RequestId) -> Result<(), Error> {
        self.task_failed(now, Task::Load, id, true)
    }

    /// Writes into `out` what the `Store` is for, sealed under `key`; gives back what was written. It goes into the slot
    /// that `poll` named, and then [`TokenManager::stored`] is said, or [`TokenManager::store_failed`].
    ///
    /// # Errors
    /// - [`Error::StaleRequest`]: `id` is not that of the store.
    /// - [`Error::NotDue`]: no store is due any more.
    /// - [`Error::BufferTooSmall`]: with the size that it takes; `out` is wiped.
    /// - [`Error::TooLong`]: a token of more than four gigabytes.
    ///
    /// # Security
    /// The seal (HMAC-SHA-256) proves that nobody without the key has changed it. It is no secrecy: `out` holds the
    /// tokens afterwards. It is no freshness either: that needs the floor of [`crate::storage::Storage`].
    pub fn snapshot_for<'b>(
        &mut self,
        now: Instant,
        wall: Option<UnixTime>,
        id: RequestId,
        key: &[u8; 32],
        out: &'b mut [u8],
    ) -> Result<&'b [u8], Error> {
        self.advance(now);
        self.keeper.expect(Task::Store, id)?;
        let slot = self.keeper.store_slot(&self.session, self.provider).ok_or(Error::NotDue)?;
        let writes = self.keeper.writes(self.provider.policy(), wall.map(UnixTime::as_secs));
        let written = Written {
            writer: self.keeper.writer.unwrap_or_else(|| self.draw()),
            revision: self.keeper.revision.saturating_add(1),
        };
        let all = self.keeper.stores_all();
        let capacities = self.store.capacities();
        let contents = Contents {
            revision: written.revision,
            writer: written.writer,
            session: self.keeper.session,
            tombstone: writes.tombstone,
            announcement: writes.announcement,
            padded_to: (writes.announces && writes.announcement.is_none()).then_some(capacities),
            lease: None,
            ..self.contents(
                &self.session,
                wall,
                if all { SnapshotScope::All } else { SnapshotScope::RefreshToken },
            )
        };
        let out = contents.seal(key, out)?;
        self.keeper.wrote(self.session.clock(), slot, written, &writes);
        Ok(out)
    }

    /// The snapshot is in its slot.
    ///
    /// # Errors
    /// - [`Error::StaleRequest`]: `id` is not that of the store.
    /// - [`Error::NotDue`]: no snapshot was written for it.
    pub fn stored(&mut self, now: Instant, id: RequestId) -> Result<(), Error> {
        self.advance(now);
        self.keeper.expect(Task::Store, id)?;
        self.keeper.stored()?;
        self.settle();
        Ok(())
    }

    /// The snapshot could not be written, or it is not known whether it was.
    ///
    /// # Errors
    /// - [`Error::StaleRequest`]: `id` is not that of the store.
    pub fn store_failed(&mut self, now: Instant, id: RequestId) -> Result<(), Error> {
        self.task_failed(now, Task::Store, id, true)
    }

    /// Read storage now, as an app does that comes to the foreground: `poll` says `Load`.
    pub fn reload(&mut self) {
        self.keeper.reload();
        self.settle();
    }
}
