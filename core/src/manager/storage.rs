//! Reads storage and writes it when [`crate::Next::Load`] and [`crate::Next::Store`] ask for it.

use crate::endpoint::provider::Provider;
use crate::endpoint::refresh_life::RefreshEnds;
use crate::error::Error;
use crate::manager::TokenManager;
use crate::manager::keeper::{
    Candidates, Context, Find, Keeper, MAX_SLOTS, NO_CANDIDATE, Revision, Verdict, Writes, Written,
};
use crate::manager::session::{Deadlines, RequestId, Session};
use crate::manager::snapshot::{Contents, identity};
use crate::manager::supply::Tries;
use crate::table::{named, table};
use crate::time::{Instant, UnixTime, difference, product, quotient, sum};
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
    /// let stored = first.snapshot(now, wall, id, &key, &mut out).unwrap();
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
        self.expect(|keeper| &keeper.load, id)?;
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
        let keeper = self.keeper.as_mut().ok_or(Error::StaleRequest)?;
        let seal = keeper.storage.seal;
        let mut own = None;
        let mut best: Option<Find<'_>> = None;
        let mut candidates: Candidates = [NO_CANDIDATE; MAX_SLOTS];
        let mut refused = None;
        for ((slot, candidate), bytes) in (0_u8..).zip(&mut candidates).take(keeper.slots()).zip(slots) {
            let Some(bytes) = bytes else { continue };
            let found = Contents::sealed(seal, key, bytes).and_then(|sealed| {
                let own = own.get_or_insert_with(|| identity(seal, key, self.provider, &self.identity));
                found(slot, sealed, own, keeper.storage.floor)
            });
            match found {
                Ok(find) => {
                    *candidate = find.written;
                    keeper.revision = keeper.revision.max(find.written.revision);
                    if best.as_ref().is_none_or(|best| find.written.revision > best.written.revision) {
                        best = Some(find);
                    }
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        let holds = !self.store.access_token().is_empty() || !self.store.refresh_token().is_empty();
        match keeper.loaded(self.session.clock(), best.as_ref(), &candidates, refused.is_none(), holds) {
            Verdict::Kept => Ok(Found::Kept),
            Verdict::Known => Ok(Found::Known),
            Verdict::Empty => Ok(Found::Empty),
            Verdict::Emptied => {
                keeper.emptied(&mut self.supply);
                self.forget();
                Ok(Found::SignedOut)
            }
            Verdict::Damaged => Err(refused.unwrap_or(Error::InvalidSnapshot)),
            Verdict::Take => match &best {
                Some(find) => self.take(wall, find, &candidates),
                None => Ok(Found::Kept),
            },
        }
    }

    /// Takes what another process stored, or an earlier life of this one.
    #[inline(never)]
    fn take(
        &mut self,
        wall: Option<UnixTime>,
        find: &Find<'_>,
        candidates: &Candidates,
    ) -> Result<Found, Error> {
        let contents = Contents::read(find.sealed);
        // Not moved: it would stand on the stack twice.
        let Some(contents) = &contents else { return Err(Error::InvalidSnapshot) };
        if find.tombstone {
            self.forget();
            self.note_find(wall, find, contents, candidates);
            return Ok(Found::SignedOut);
        }
        let access_token = JsonStr::literal(contents.access_token);
        let refresh_token = JsonStr::literal(contents.refresh_token);
        let fits = self.store.check_access_token(&access_token);
        if let Err(error) = fits.and_then(|()| self.store.check_refresh_token(&refresh_token)) {
            self.replace_refresh_token(None);
            if let Some(keeper) = &mut self.keeper {
                keeper.too_long();
            }
            return Err(error);
        }
        let provider = self.provider;
        let deadlines = restored_deadlines(contents, wall, self.session.clock());
        let deadlines = deadlines.filter(|_| provider.token_alphabet.has(access_token));
        let same = access_token.ct_eq(self.store.access_token());
        let brought = deadlines.filter(|_| !same);
        self.session.adopt_generation(contents.generation, brought.is_some());
        match &brought {
            Some(deadlines) => {
                self.store.set_access_token(&access_token);
                self.session.restored(deadlines);
            }
            None if same || self.keeper.as_ref().is_some_and(|keeper| keeper.session == find.session) => {}
            None => {
                self.store.drop_access_token();
                self.session.drop_access_token();
            }
        }
        self.session.settle();
        self.session.forget_spread();
        let kept = if provider.refresh_grant { contents.refresh_token } else { &[] };
        let (ends, has_ended) = self.restored_ends(contents, wall);
        self.take_refresh_token(if has_ended { &[] } else { kept });
        self.session.due().refresh_last = ends.last();
        self.refresh_ends = ends;
        self.note_find(wall, find, contents, candidates);
        Ok(Found::Taken)
    }

    fn note_find(
        &mut self,
        wall: Option<UnixTime>,
        find: &Find<'_>,
        contents: &Contents<'_>,
        candidates: &Candidates,
    ) {
        let (clock, wall) = (self.session.clock(), wall.map(UnixTime::as_secs));
        if let Some(keeper) = &mut self.keeper {
            keeper.took(clock, find, candidates, contents.announcement, wall, &mut self.supply);
        }
    }

    /// Not the refresh token that the server has refused.
    fn take_refresh_token(&mut self, token: &[u8]) {
        let refused = |keeper: &Keeper| keeper.refused != 0 && keeper.refused == keeper.fingerprint(token);
        if !token.is_empty() && self.keeper.as_ref().is_some_and(refused) {
            self.store.drop_refresh_token();
            self.session.end_refresh_token(self.provider);
        } else {
            self.replace_refresh_token((!token.is_empty()).then_some(&JsonStr::literal(token)));
        }
    }

    /// When the refresh token that was found ends, not known without a wall clock, and whether it has ended.
    fn restored_ends(&self, contents: &Contents<'_>, wall: Option<UnixTime>) -> (RefreshEnds, bool) {
        let clock = self.session.clock();
        let mut has_ended = false;
        let [told, idle] = contents.refresh_ends.map(|end| {
            let end = if end == 0 { None } else { restored(end, contents, wall, clock) };
            has_ended |= end.is_some_and(|end| end <= clock);
            end.unwrap_or(0)
        });
        let ends = RefreshEnds { told, idle, stored: 0 };
        (RefreshEnds { stored: ends.last().wrapping_add(1), ..ends }, has_ended)
    }

    fn expect(&self, task: fn(&Keeper) -> &Tries, id: RequestId) -> Result<(), Error> {
        self.keeper.as_ref().map_or(Err(Error::StaleRequest), |keeper| task(keeper).expect(id))
    }

    fn task_failed(
        &mut self,
        now: Instant,
        id: RequestId,
        task: fn(&Keeper) -> &Tries,
        failed: fn(&mut Keeper, &mut Session, &Provider<'_>),
    ) -> Result<(), Error> {
        self.advance(now);
        self.expect(task, id)?;
        if let Some(keeper) = &mut self.keeper {
            failed(keeper, &mut self.session, self.provider);
        }
        self.settle();
        Ok(())
    }

    /// Storage could not be read: it is locked, or a folder is missing. That it holds nothing is no failure.
    ///
    /// # Errors
    /// - [`Error::StaleRequest`]: `id` is not that of the load.
    pub fn load_failed(&mut self, now: Instant, id: RequestId) -> Result<(), Error> {
        self.task_failed(now, id, |keeper| &keeper.load, Keeper::load_failed)
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
    pub fn snapshot<'b>(
        &mut self,
        now: Instant,
        wall: Option<UnixTime>,
        id: RequestId,
        key: &[u8; 32],
        out: &'b mut [u8],
    ) -> Result<&'b [u8], Error> {
        self.advance(now);
        self.expect(|keeper| &keeper.store, id)?;
        let clock = self.session.clock();
        let keeper = self.keeper.as_ref().ok_or(Error::StaleRequest)?;
        let context = Context::of(&self.session, self.provider, &self.store);
        let slot = keeper.store_slot(&self.supply, &context).ok_or(Error::NotDue)?;
        let writes = keeper.writes(wall.map(UnixTime::as_secs), &context);
        let seal = keeper.storage.seal;
        let own = identity(seal, key, self.provider, &self.identity);
        let out = self.contents(keeper, wall, &own, &writes).seal(seal, key, out)?;
        if let Some(keeper) = &mut self.keeper {
            keeper.wrote(clock, slot, &writes);
        }
        Ok(out)
    }

    /// What a snapshot holds.
    fn contents<'a>(
        &'a self,
        keeper: &Keeper,
        wall: Option<UnixTime>,
        identity: &'a [u8; 32],
        writes: &Writes,
    ) -> Contents<'a> {
        let session = &self.session;
        let deadlines = session.deadlines().filter(|_| keeper.stores_all());
        // Whole seconds, floored: a deadline never moves out.
        let to_wall = |instant: u64| {
            let ahead = quotient(difference(instant, session.clock()), 1000);
            let behind = begun_seconds(difference(session.clock(), instant));
            wall.map_or(0, |wall| difference(sum(wall.as_secs(), ahead), behind))
        };
        let end = deadlines.as_ref().map(|deadlines| deadlines.usable_until);
        let ends = &self.refresh_ends;
        let pads = writes.announces && writes.announcement.is_none();
        Contents {
            identity,
            revision: writes.written.revision,
            generation: session.generation().0,
            wall: wall.map(UnixTime::as_secs),
            refresh_at: deadlines.as_ref().map_or(0, |deadlines| to_wall(deadlines.refresh_at)),
            usable_until: end.flatten().map_or(0, to_wall),
            refresh_ends: [ends.told, ends.idle].map(|end| if end == 0 { 0 } else { to_wall(end) }),
            timeless: end == Some(None),
            access_token: if deadlines.is_some() { self.store.access_token() } else { &[] },
            refresh_token: if session.can_refresh() { self.store.refresh_token() } else { &[] },
            writer: writes.written.writer,
            session: writes.session,
            tombstone: writes.tombstone,
            announcement: writes.announcement,
            padded_to: pads.then(|| self.store.capacities()),
        }
    }

    /// The snapshot is in its slot.
    ///
    /// # Errors
    /// - [`Error::StaleRequest`]: `id` is not that of the store.
    /// - [`Error::NotDue`]: no snapshot was written for it.
    pub fn stored(&mut self, now: Instant, id: RequestId) -> Result<(), Error> {
        self.advance(now);
        self.expect(|keeper| &keeper.store, id)?;
        if let Some(keeper) = &mut self.keeper {
            keeper.stored()?;
        }
        self.settle();
        Ok(())
    }

    /// The snapshot could not be written, or it is not known whether it was.
    ///
    /// # Errors
    /// - [`Error::StaleRequest`]: `id` is not that of the store.
    pub fn store_failed(&mut self, now: Instant, id: RequestId) -> Result<(), Error> {
        self.task_failed(now, id, |keeper| &keeper.store, Keeper::store_failed)
    }

    /// Read storage now, as an app does that comes to the foreground: `poll` says `Load`.
    pub fn reload(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            keeper.reload();
        }
        self.settle();
    }
}

/// What a slot holds, if it is what this manager may take. Apart: the seal has the stack to itself.
#[inline(never)]
fn found<'s>(slot: u8, sealed: &'s [u8], own: &[u8; 32], floor: Revision) -> Result<Find<'s>, Error> {
    let contents = Contents::read(sealed);
    let Some(&Contents { identity, revision, writer, session, tombstone, refresh_token, .. }) =
        contents.as_ref()
    else {
        return Err(Error::InvalidSnapshot);
    };
    if identity != own {
        return Err(Error::ForeignSnapshot);
    }
    if revision < floor.0 {
        return Err(Error::StaleSnapshot);
    }
    Ok(Find { slot, written: Written { writer, revision }, session, tombstone, refresh_token, sealed })
}

/// The windows of the snapshot's access token, if it may be used: never longer than they were.
fn restored_deadlines(snapshot: &Contents<'_>, wall: Option<UnixTime>, clock: u64) -> Option<Deadlines> {
    if snapshot.access_token.is_empty() {
        return None;
    }
    if snapshot.timeless {
        return Some(Deadlines { refresh_at: 0, usable_until: None });
    }
    let usable_until = restored(snapshot.usable_until, snapshot, wall, clock)?;
    let refresh_at = restored(snapshot.refresh_at, snapshot, wall, clock)?;
    (usable_until > clock).then_some(Deadlines { refresh_at, usable_until: Some(usable_until) })
}

/// The instant of a deadline of the snapshot, a second early; none without a wall clock on both sides.
fn restored(deadline: u64, snapshot: &Contents<'_>, wall: Option<UnixTime>, clock: u64) -> Option<u64> {
    let (wall, then) = (wall?.as_secs(), snapshot.wall?);
    if then > sum(wall, CLOCKS_APART_S) {
        return None;
    }
    let wall = wall.max(then);
    let ahead = product(difference(deadline, wall), 1000);
    let behind = sum(product(difference(wall, deadline), 1000), 1000);
    Some(difference(sum(clock, ahead), behind))
}

/// Seconds that have begun in so many milliseconds.
fn begun_seconds(millis: u64) -> u64 {
    let whole = quotient(millis, 1000);
    sum(whole, u64::from(product(whole, 1000) != millis))
}
