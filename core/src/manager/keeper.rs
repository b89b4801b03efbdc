//! What storage is owed, when it is read and when it is written: numbers alone. The rules are section 5 of
//! `docs/BEHAVIOUR.md`. A manager reaches them through its storage's [`StorageRules`] only, or from calls that only
//! storage needs, so that no image without storage carries them.

use crate::endpoint::grant::Grant;
use crate::endpoint::provider::Provider;
use crate::error::Error;
#[cfg(feature = "snapshot")]
use crate::manager::seal;
use crate::manager::session::{Next, Reason, RequestId, Session};
use crate::manager::store::Store;
use crate::manager::supply::{Supply, Tries, first_id};
use crate::time::{Instant, difference, product, quotient, sum};

/// How a manager's tokens outlive it. `Storage::OWN` and `Storage::SHARED` are to be copied from; they bring the code
/// that decides when storage is read and written, which no image without them carries.
#[derive(Clone, Copy)]
pub struct Storage {
    /// The code that it brings: that of `Storage::OWN`.
    pub rules: &'static StorageRules,
    /// What seals a snapshot.
    #[cfg(feature = "snapshot")]
    pub seal: &'static dyn seal::Seal,
    /// Whether other processes use it too. Then its lock is held from the first [`crate::Next::Load`] until `poll` says
    /// neither that nor [`crate::Next::Store`].
    pub shared: bool,
    /// What is stored: everything, or the refresh token alone for flash that wears out.
    pub stored: SnapshotScope,
    /// How many places storage has, 1 to 4. Where a write may tear, two are needed.
    pub slots: u8,
    /// The oldest revision that is accepted: the last one that the caller knows it stored
    /// ([`crate::TokenManager::revision`]), or 0.
    pub floor: Revision,
    /// In storage of its own too, prove before each refresh that there is room for its answer: a full disk is noticed
    /// before a refresh token is spent. Without effect if only the refresh token is stored.
    pub prove_room: bool,
}

/// Which part of the state a snapshot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotScope {
    /// Only the refresh token, for flash that wears out: it is written only when that changes.
    RefreshToken,
    /// The access token too.
    All,
}

/// Counts what was written to storage: a snapshot's is greater than that of any before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

#[cfg(feature = "snapshot")]
impl Storage {
    /// Storage that no other process uses: one slot, everything is stored.
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
    pub const OWN: Self = Self {
        rules: &RULES,
        seal: &seal::HmacSha256,
        shared: false,
        stored: SnapshotScope::All,
        slots: 1,
        floor: Revision(0),
        prove_room: false,
    };

    /// Storage that several processes use.
    pub const SHARED: Self = Self { shared: true, ..Self::OWN };
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

/// The code that storage brings.
pub struct StorageRules {
    pub(crate) next: for<'a> fn(&Keeper, &Asked<'a>) -> Next,
    pub(crate) changes_at: for<'a> fn(&Keeper, &Asked<'a>, Next, bool) -> Option<u64>,
    pub(crate) lends: for<'a> fn(&Keeper, u64, &Provider<'a>) -> bool,
    pub(crate) note: for<'a> fn(&mut Keeper, Event, &Context<'a>),
    pub(crate) settle: for<'a> fn(&mut Keeper, &Supply, &Context<'a>),
    fingerprint: fn(&Storage, &[u8]) -> u64,
    make: fn(&mut Option<Keeper>, &Storage, &Session),
}

#[cfg(feature = "snapshot")]
pub(crate) static RULES: StorageRules = StorageRules {
    next: Keeper::next,
    changes_at: Keeper::changes_at,
    lends: Keeper::lends,
    fingerprint: |storage, token| seal::fingerprint(storage.seal, token),
    note: Keeper::note,
    settle: Keeper::settle,
    make: Keeper::make,
};

/// What is asked of the rules of storage.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) session: &'a Session,
    pub(crate) provider: &'a Provider<'a>,
    pub(crate) supply: &'a Supply,
    /// What the decision says without storage.
    pub(crate) base: Next,
    /// A request did so at that instant, and no call has noticed yet.
    pub(crate) timed_out: Option<u64>,
}

/// What has happened to a manager, as far as storage is concerned.
pub(crate) enum Event {
    /// A request is out.
    Begun(Grant),
    /// A request came to nothing at that instant.
    Failed(u64),
    /// A request has brought a token, or another refresh token alone.
    Answered {
        /// What it was made with.
        grant: Grant,
        /// The refresh token is another than before, or there is none any more.
        rotated: bool,
    },
    /// A token came from outside.
    Installed,
    /// Somebody signs out here.
    Cleared,
    /// An answer or an install has brought a refresh token.
    RefreshTokenBrought,
    /// Another refresh token is held, or none: what was announced was for the one before.
    RefreshTokenChanged,
    /// The service refuses the refresh token, which is still in the store: storage may hold another.
    Refused,
    /// Waits are lifted.
    Retried,
}

/// What the rules know of a manager when something has happened.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) session: &'a Session,
    pub(crate) provider: &'a Provider<'a>,
    access_token: &'a [u8],
    refresh_token: &'a [u8],
}

/// What storage is owed.
#[derive(Clone, Copy, PartialEq)]
enum Owed {
    Nothing,
    Answer,
    Install,
    /// So many times.
    Tombstone(u8),
}

/// Tells any two snapshots apart: a writer's revisions grow.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Written {
    /// Never 0.
    pub(crate) writer: u64,
    pub(crate) revision: u64,
}

/// What each slot holds.
pub(crate) type Candidates = [Written; MAX_SLOTS];

/// No candidate.
pub(crate) const NO_CANDIDATE: Written = Written { writer: 0, revision: 0 };

/// A snapshot that was written for a [`Next::Store`] whose end is not known yet.
#[derive(Clone, Copy)]
struct Pending {
    /// The count of what happened when it was made.
    act: u32,
    at: u64,
    slot: u8,
    announces: bool,
    second: bool,
}

/// An announcement of this manager's own.
#[derive(Clone, Copy)]
struct Announced {
    /// When its snapshot was made.
    at: u64,
    second: bool,
}

impl Announced {
    fn counts_from(self) -> u64 {
        if self.second { sum(self.at, SECOND_LOOK_MS) } else { self.at }
    }
}

/// Why a refresh must not be announced over what storage holds.
#[derive(Clone, Copy, PartialEq)]
enum Obstacle {
    None,
    Damaged,
    TooLong,
}

/// How a `Load` came out, as far as numbers say.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    /// What is owed wins.
    Kept,
    /// Somebody has signed out.
    Emptied,
    Empty,
    Damaged,
    Known,
    /// Take it.
    Take,
}

/// What is asked of a find.
pub(crate) struct Find<'a> {
    pub(crate) slot: u8,
    pub(crate) written: Written,
    pub(crate) session: u64,
    pub(crate) tombstone: bool,
    pub(crate) refresh_token: &'a [u8],
    /// All that the snapshot holds.
    pub(crate) sealed: &'a [u8],
}

/// Another's announcement, as it stands in a snapshot.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Announcement {
    /// How long it holds, in milliseconds.
    pub(crate) span_ms: u64,
    /// The wall time at which it ends.
    pub(crate) end: Option<u64>,
}

/// The most places that storage may have.
pub(crate) const MAX_SLOTS: usize = 4;
/// A second look at storage before a refresh, where another's announcement has run out.
const SECOND_LOOK_MS: u64 = 15_000;
/// How old a `Load` may be where a request must know what storage holds.
const FRESH_MS: u64 = 1_000;
const FIRST_LOOK_MS: u64 = 250;
const LONGEST_LOOK_MS: u64 = 60_000;
const LONGEST_LOOK_WHILE_WAITING_MS: u64 = 5_000;
const LONGEST_LOAD_BACKOFF_MS: u64 = 60_000;
const LONGEST_OWED_BACKOFF_MS: u64 = 5_000;
/// What an announcement's span has beyond its request's time: clocks are apart.
const FIRST_SPAN_MS: u64 = 6_000;
/// The same for one that looks twice.
const SECOND_SPAN_MS: u64 = FIRST_SPAN_MS + SECOND_LOOK_MS;

/// What a manager with storage keeps beside its session.
pub(crate) struct Keeper {
    pub(crate) storage: Storage,
    made_at: u64,
    pub(crate) revision: u64,
    /// Tells one sign-in from another.
    pub(crate) session: u64,
    /// Names what this manager writes; 0: it has written nothing.
    writer: u64,
    /// What was in the slots when the find was last taken or known.
    seen: Candidates,
    owed: Owed,
    /// Counts what became owed, and what was taken.
    act: u32,
    /// The refresh token that the last request presented, told apart without keeping it; 0: it presented none.
    sent: u64,
    /// The same of the request whose answer is owed.
    presented: u64,
    /// The refresh token that the service refused last, to know it when storage brings it back; 0: none.
    pub(crate) refused: u64,
    attempt_failed: bool,
    /// Whether a `Load` has succeeded.
    loaded: bool,
    /// Whether anything was ever taken or stored.
    stored_before: bool,
    load_wanted: bool,
    locked: bool,
    pub(crate) load: Tries,
    pub(crate) store: Tries,
    pending: Option<Pending>,
    announced: Option<Announced>,
    /// When a `Load` last found what was known.
    confirmed_at: Option<u64>,
    /// The last find that was taken announced a refresh, and none of this manager's own was stored since.
    others_announcement: bool,
    /// Until when another's refresh is waited for.
    awaited_until: u64,
    look_ms: u64,
    look_at: u64,
    loaded_at: u64,
    obstacle: Obstacle,
    newest: Option<u8>,
}

impl Keeper {
    /// Puts one for `storage` into its place, by the rules that the storage brings: a move of it would take stack.
    pub(crate) fn place(place: &mut Option<Self>, storage: &Storage, session: &Session) {
        (storage.rules.make)(place, storage, session);
    }

    #[inline(never)]
    fn make(place: &mut Option<Self>, storage: &Storage, session: &Session) {
        let salt = session.salt();
        *place = Some(Self {
            storage: *storage,
            made_at: session.clock(),
            revision: storage.floor.0,
            session: 0,
            writer: 0,
            seen: [NO_CANDIDATE; MAX_SLOTS],
            owed: Owed::Nothing,
            act: 0,
            sent: 0,
            presented: 0,
            refused: 0,
            attempt_failed: false,
            loaded: false,
            stored_before: false,
            load_wanted: false,
            locked: false,
            load: Tries::new(first_id(salt, 2)),
            store: Tries::new(first_id(salt, 3)),
            pending: None,
            announced: None,
            confirmed_at: None,
            others_announcement: false,
            awaited_until: 0,
            look_ms: FIRST_LOOK_MS,
            look_at: 0,
            loaded_at: 0,
            obstacle: Obstacle::None,
            newest: None,
        });
    }

    pub(crate) fn stores_all(&self) -> bool {
        self.storage.stored == SnapshotScope::All
    }

    /// A manager's own announcements are written although nobody else reads them.
    fn proves_room(&self) -> bool {
        self.storage.prove_room && self.stores_all()
    }

    /// Whether a token that section 2 calls usable may be lent.
    fn lends(&self, clock: u64, provider: &Provider<'_>) -> bool {
        if self.owed == Owed::Nothing {
            self.loaded || self.goes_on(clock, provider)
        } else {
            self.attempt_failed
        }
    }

    /// Whether it goes on without a `Load` that has succeeded, and from when it does.
    fn goes_on_from(&self, provider: &Provider<'_>) -> Option<u64> {
        if !provider.refresh_grant {
            return (self.load.failures > 0).then_some(0);
        }
        provider.primary_grant.map(|_| sum(self.made_at, provider.policy().max_backoff_ms))
    }

    fn goes_on(&self, clock: u64, provider: &Provider<'_>) -> bool {
        self.goes_on_from(provider).is_some_and(|from| from <= clock)
    }

    fn next(&self, asked: &Asked<'_>) -> Next {
        match (self.load.taken, self.store.taken) {
            (true, _) => Next::Await(self.load.id()),
            (false, true) => Next::Await(self.store.id()),
            (false, false) => self.untaken(asked),
        }
    }

    /// When to look again at storage. A request that has timed out makes it soon.
    fn look_at(&self, timed_out: Option<u64>) -> u64 {
        timed_out.map_or(self.look_at, |at| sum(at, FIRST_LOOK_MS))
    }

    /// When the answer, which is `next` and `usable` now, changes by itself: the first of all instants at which a rule may
    /// come to hold, or hold no longer, at which the answer is another.
    fn changes_at(&self, asked: &Asked<'_>, next: Next, usable: bool) -> Option<u64> {
        let Asked { session, provider, supply, timed_out, .. } = *asked;
        let mut earliest = None;
        let borders = self.borders(provider, self.look_at(timed_out));
        let borders = borders.into_iter().chain([supply.tries.wait_until]).chain(session.borders(provider));
        for border in borders {
            if border <= session.clock() || earliest.is_some_and(|earliest| earliest <= border) {
                continue;
            }
            let mut then = *session;
            let timed_out = then.advance(Instant::from_millis(border), provider).or(timed_out);
            let lent = then.is_usable() && self.lends(border, provider);
            let base = then.base(provider).0;
            if lent != usable || self.next(&Asked { session: &then, base, timed_out, ..*asked }) != next {
                earliest = Some(border);
            }
        }
        earliest
    }

    /// The instants at which a rule may come to hold, or hold no longer.
    fn borders(&self, provider: &Provider<'_>, look_at: u64) -> [u64; 9] {
        let quarter = provider.policy().response_timeout_ms >> 2;
        let announced = self.announced.map(|announced| announced.counts_from());
        [
            self.load.wait_until,
            self.store.wait_until,
            self.goes_on_from(provider).unwrap_or(0),
            self.awaited_until,
            look_at,
            sum(self.loaded_at, FRESH_MS + 1),
            announced.unwrap_or(0),
            announced.map_or(0, |from| sum(sum(from, quarter), 1)),
            self.confirmed_at.map_or(0, |at| sum(at, FRESH_MS + 1)),
        ]
    }

    /// What the source is to do, if that is what the decision says.
    fn supplied(&self, asked: &Asked<'_>, base: Next) -> Next {
        let next = asked.supply.next(base, asked.session.clock());
        match (next, self.obstacle) {
            (Next::Supply(id, Reason::NoToken), Obstacle::Damaged) => Next::Supply(id, Reason::Damaged),
            (Next::Supply(id, Reason::NoToken), Obstacle::TooLong) => Next::Supply(id, Reason::TooLong),
            _ => next,
        }
    }

    /// Rule 5.13 of the behaviour.
    fn untaken(&self, asked: &Asked<'_>) -> Next {
        let Asked { session, provider, .. } = *asked;
        let clock = session.clock();
        let load = Next::Load(self.load.id());
        let can_load = self.load.wait_until <= clock;
        if !self.loaded {
            if can_load {
                return load;
            }
            if !self.goes_on(clock, provider) {
                return Next::Wait;
            }
        }
        if self.load_wanted && can_load {
            return load;
        }
        if self.owed != Owed::Nothing && self.loaded && can_load && self.store.wait_until <= clock {
            return if self.storage.shared && !self.locked { load } else { self.store_next() };
        }
        self.with_base(asked)
    }

    /// From the fifth point on.
    fn with_base(&self, asked: &Asked<'_>) -> Next {
        let Asked { session, provider, base, timed_out, .. } = *asked;
        let clock = session.clock();
        if matches!(base, Next::Await(_) | Next::Nothing) {
            return base;
        }
        let load = Next::Load(self.load.id());
        let shared = self.storage.shared;
        let can_load = self.load.wait_until <= clock;
        let usable = session.is_usable() && self.lends(clock, provider);
        let waits = clock < self.awaited_until || base == Next::Wait;
        let looks = shared && !usable && can_load && self.look_at(timed_out) <= clock;
        if looks && (waits || matches!(base, Next::Supply(..))) {
            return load;
        }
        if waits {
            return Next::Wait;
        }
        match base {
            Next::Supply(..) => self.supplied(asked, base),
            Next::Request(Grant::RefreshToken) if shared || self.proves_room() => {
                self.announced_request(asked, usable)
            }
            Next::Request(grant)
                if grant != Grant::RefreshToken
                    && shared
                    && self.loaded
                    && can_load
                    && difference(clock, self.loaded_at) > FRESH_MS =>
            {
                load
            }
            _ => base,
        }
    }

    /// A refresh is due and nobody else's is waited for: announce it first.
    fn announced_request(&self, asked: &Asked<'_>, usable: bool) -> Next {
        let Asked { session, provider, timed_out, .. } = *asked;
        let look_at = self.look_at(timed_out);
        let shared = self.storage.shared;
        let clock = session.clock();
        let load = Next::Load(self.load.id());
        let can_load = self.load.wait_until <= clock;
        let request = Next::Request(Grant::RefreshToken);
        if let Some(announced) = self.announced {
            if !shared {
                return request;
            }
            let from = announced.counts_from();
            if clock <= sum(from, provider.policy().response_timeout_ms >> 2) {
                if !announced.second {
                    return request;
                }
                if clock < from {
                    return Next::Wait;
                }
                return match self.confirmed_at {
                    Some(at) if at >= from && difference(clock, at) <= FRESH_MS => request,
                    _ if can_load && (self.obstacle != Obstacle::Damaged || look_at <= clock) => load,
                    _ => Next::Wait,
                };
            }
        }
        let primary = session.primary_grant(provider).filter(|_| !usable);
        if !can_load || clock < self.store.wait_until {
            return primary.map_or(Next::Wait, Next::Request);
        }
        if shared && self.obstacle != Obstacle::None && (self.locked || clock < look_at) {
            return match primary {
                Some(grant) => Next::Request(grant),
                None if usable => Next::Wait,
                None => self.supplied(asked, Next::Supply(RequestId(0), Reason::NoToken)),
            };
        }
        if shared && !self.locked { load } else { self.store_next() }
    }

    fn store_next(&self) -> Next {
        let next = self.newest.map_or(0, |newest| newest.saturating_add(1));
        let slot = if usize::from(next) < self.slots() { next } else { 0 };
        Next::Store(self.store.id(), slot)
    }

    /// Something has happened to the manager.
    fn note(&mut self, event: Event, context: &Context<'_>) {
        match event {
            Event::Begun(grant) => {
                self.begun();
                let presents = grant == Grant::RefreshToken;
                self.sent = if presents { self.fingerprint(context.refresh_token) } else { 0 };
            }
            Event::Failed(instant) => self.look_again(instant),
            Event::Answered { grant, rotated } if rotated || self.stores_all() => {
                self.answered(grant, context)
            }
            Event::Answered { .. } => {}
            Event::Installed => {
                self.session = self.draw(context);
                self.forget_announcements();
                self.owe(Owed::Install);
            }
            Event::Cleared => {
                self.session = self.draw(context);
                self.forget_announcements();
                self.refused = 0;
                self.owe(Owed::Tombstone(u8::try_from(self.slots()).unwrap_or(1)));
            }
            Event::RefreshTokenBrought => self.refused = 0,
            Event::RefreshTokenChanged => self.announced = None,
            Event::Refused => {
                self.refused = self.fingerprint(context.refresh_token);
                self.load_wanted = true;
                self.look_again(context.session.clock());
            }
            Event::Retried => {
                self.load.wait_until = 0;
                self.store.wait_until = 0;
            }
        }
    }

    /// The lock is given back when neither a load nor a store is due.
    fn settle(&mut self, supply: &Supply, context: &Context<'_>) {
        if self.locked && !matches!(self.untaken(&context.asked(supply)), Next::Load(_) | Next::Store(..)) {
            self.locked = false;
        }
    }

    /// Which refresh token it is, without keeping it.
    pub(crate) fn fingerprint(&self, token: &[u8]) -> u64 {
        (self.storage.rules.fingerprint)(&self.storage, token)
    }

    /// A number for a session or for what this manager writes, never 0. A device may draw the same ones after each start:
    /// the token in the slots tells them apart.
    fn draw(&self, context: &Context<'_>) -> u64 {
        let salt = self.load.id().0 ^ self.store.id().0.rotate_left(16) ^ self.revision;
        let salt = salt ^ u64::from(self.act).rotate_left(32);
        let token = match context.access_token {
            [] => context.refresh_token,
            token => token,
        };
        (context.session.number(salt) ^ self.fingerprint(token)) | 1
    }

    /// A request has brought what must be stored.
    fn answered(&mut self, grant: Grant, context: &Context<'_>) {
        if grant != Grant::RefreshToken {
            self.session = self.draw(context);
        }
        if matches!(self.owed, Owed::Tombstone(_) | Owed::Install) {
            self.owe(Owed::Install);
        } else {
            self.presented = self.sent;
            self.owe(Owed::Answer);
        }
    }

    /// Something is owed from now on.
    fn owe(&mut self, owed: Owed) {
        self.owed = owed;
        self.act = self.act.wrapping_add(1);
        self.attempt_failed = false;
        self.load.wait_until = 0;
        self.store.wait_until = 0;
    }

    /// Nothing is owed any more.
    fn owe_nothing(&mut self) {
        self.owed = Owed::Nothing;
        self.act = self.act.wrapping_add(1);
    }

    /// Announcements, both one's own and those of others.
    fn forget_announcements(&mut self) {
        self.begun();
        self.others_announcement = false;
    }

    fn begun(&mut self) {
        self.announced = None;
        self.awaited_until = 0;
    }

    /// Others may have done what this manager could not: look soon, from `instant` on.
    fn look_again(&mut self, instant: u64) {
        self.look_ms = FIRST_LOOK_MS;
        self.look_at = sum(instant, FIRST_LOOK_MS);
    }

    fn is_known(&self, snapshot: Written) -> bool {
        self.writer == snapshot.writer || self.seen.contains(&snapshot)
    }

    /// How many places are read and written.
    pub(crate) fn slots(&self) -> usize {
        usize::from(self.storage.slots).clamp(1, MAX_SLOTS)
    }
}

impl<'a> Context<'a> {
    pub(crate) fn of<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized>(
        session: &'a Session,
        provider: &'a Provider<'a>,
        store: &'a Store<S>,
    ) -> Self {
        let (access_token, refresh_token) = (store.access_token(), store.refresh_token());
        Self { session, provider, access_token, refresh_token }
    }

    fn asked(&self, supply: &'a Supply) -> Asked<'a> {
        let Self { session, provider, .. } = *self;
        Asked { session, provider, supply, base: session.base(provider).0, timed_out: None }
    }
}

/// What the calls need that only storage has.
#[cfg_attr(not(feature = "snapshot"), expect(dead_code, reason = "without snapshots there is no storage"))]
impl Keeper {
    /// The slot that the `Store` is for, if one is due.
    pub(crate) fn store_slot(&self, supply: &Supply, context: &Context<'_>) -> Option<u8> {
        match self.untaken(&context.asked(supply)) {
            Next::Store(_, slot) => Some(slot),
            _ => None,
        }
    }

    /// A `Load` failed.
    pub(crate) fn load_failed(&mut self, session: &mut Session, provider: &Provider<'_>) {
        self.task_failed(|keeper| &mut keeper.load, LONGEST_LOAD_BACKOFF_MS, session, provider);
    }

    /// A `Store` failed.
    pub(crate) fn store_failed(&mut self, session: &mut Session, provider: &Provider<'_>) {
        self.pending = None;
        self.task_failed(|keeper| &mut keeper.store, u64::MAX, session, provider);
    }

    /// A task failed: it waits as a failed request does, `longest` at most, less in shared storage that is owed something.
    fn task_failed(
        &mut self,
        task: fn(&mut Self) -> &mut Tries,
        longest: u64,
        session: &mut Session,
        provider: &Provider<'_>,
    ) {
        let owes = self.owed != Owed::Nothing;
        self.attempt_failed |= owes;
        let longest = if owes && self.storage.shared { LONGEST_OWED_BACKOFF_MS } else { longest };
        let clock = session.clock();
        let usable = session.is_usable() && self.lends(clock, provider);
        let wait = |failures| session.wait_after(failures, usable, provider.policy()).min(longest);
        task(self).failed(clock, wait);
    }

    /// A `Load` or a `Store` is being done; false: the id is that of neither. The one that was taken up last counts.
    pub(crate) fn take_up(&mut self, id: RequestId) -> bool {
        let (load, store) = (self.load.expect(id).is_ok(), self.store.expect(id).is_ok());
        if load || store {
            (self.load.taken, self.store.taken) = (load, store);
        }
        load || store
    }

    pub(crate) fn reload(&mut self) {
        self.load_wanted = true;
        self.load.wait_until = 0;
    }

    /// A `Load` has succeeded. `candidates`: what each slot holds; `empty`: none holds anything; `holds`: this manager
    /// holds a token.
    pub(crate) fn loaded(
        &mut self,
        clock: u64,
        find: Option<&Find<'_>>,
        candidates: &Candidates,
        empty: bool,
        holds: bool,
    ) -> Verdict {
        self.load.succeeded();
        self.loaded = true;
        self.load_wanted = false;
        self.loaded_at = clock;
        self.locked = self.storage.shared;
        let longest =
            if clock < self.awaited_until { LONGEST_LOOK_WHILE_WAITING_MS } else { LONGEST_LOOK_MS };
        self.look_ms = sum(self.look_ms, self.look_ms).min(longest);
        self.look_at = sum(clock, self.look_ms);
        let was_damaged = self.obstacle == Obstacle::Damaged;
        self.obstacle = Obstacle::None;
        self.confirmed_at = None;
        self.store.spend();
        self.pending = None;
        self.newest = find.map(|find| find.slot);
        let known = find.is_some_and(|find| self.is_known(find.written));
        if matches!(self.owed, Owed::Install | Owed::Tombstone(_)) {
            let went_on = find.is_some_and(|find| find.session == self.session) && !known;
            return if went_on { Verdict::Take } else { Verdict::Kept };
        }
        let Some(find) = find else {
            if empty {
                return if self.stored_before && holds { Verdict::Emptied } else { Verdict::Empty };
            }
            self.obstacle = Obstacle::Damaged;
            if !was_damaged {
                self.look_again(clock);
            }
            return Verdict::Damaged;
        };
        if known {
            self.confirmed_at = Some(clock);
            self.seen = *candidates;
            return Verdict::Known;
        }
        if self.owed == Owed::Answer && !find.tombstone {
            let found = match find.refresh_token {
                [] => 0,
                token => self.fingerprint(token),
            };
            if found == self.presented {
                return Verdict::Kept;
            }
        }
        Verdict::Take
    }

    /// The find is longer than the slots.
    pub(crate) fn too_long(&mut self) {
        if self.owed == Owed::Answer {
            self.owed = Owed::Nothing;
        }
        self.announced = None;
        self.obstacle = Obstacle::TooLong;
    }

    /// Storage was emptied by somebody.
    pub(crate) fn emptied(&mut self, supply: &mut Supply) {
        self.forget_announcements();
        self.stored_before = false;
        self.refused = 0;
        self.owe_nothing();
        supply.outdate();
    }

    /// The find is in the manager.
    pub(crate) fn took(
        &mut self,
        clock: u64,
        find: &Find<'_>,
        candidates: &Candidates,
        announcement: Option<Announcement>,
        wall: Option<u64>,
        supply: &mut Supply,
    ) {
        self.seen = *candidates;
        self.owe_nothing();
        self.stored_before = true;
        self.forget_announcements();
        if find.tombstone {
            self.refused = 0;
        }
        if find.tombstone || find.session != self.session {
            supply.outdate();
        }
        supply.tries.wait_until = 0;
        self.session = find.session;
        self.look_again(clock);
        let announcement = announcement.filter(|_| self.storage.shared);
        self.others_announcement = announcement.is_some();
        if let Some(Announcement { span_ms, end }) = announcement {
            let left = match (end, wall) {
                (Some(end), Some(wall)) => product(difference(end, wall), 1000).min(span_ms),
                _ => span_ms,
            };
            self.awaited_until = sum(clock, left);
        }
    }

    /// What the snapshot for a `Store` says, beside what the manager holds.
    pub(crate) fn writes(&self, wall: Option<u64>, context: &Context<'_>) -> Writes {
        let shared = self.storage.shared;
        let announces = self.owed == Owed::Nothing;
        let second = announces && shared && self.others_announcement;
        let timeout = context.provider.policy().response_timeout_ms;
        let span_ms = sum(sum(timeout, timeout >> 2), if second { SECOND_SPAN_MS } else { FIRST_SPAN_MS });
        // Rounded up, and one more: the clock of whoever reads it may have moved on within its second.
        let seconds = sum(quotient(sum(span_ms, 999), 1000), 1);
        Writes {
            written: Written {
                writer: if self.writer == 0 { self.draw(context) } else { self.writer },
                revision: sum(self.revision, 1),
            },
            session: self.session,
            tombstone: matches!(self.owed, Owed::Tombstone(_)),
            announces,
            second,
            announcement: (announces && shared)
                .then_some(Announcement { span_ms, end: wall.map(|wall| sum(wall, seconds)) }),
        }
    }

    /// The snapshot was written for the caller.
    pub(crate) fn wrote(&mut self, at: u64, slot: u8, writes: &Writes) {
        let Writes { written, announces, second, .. } = *writes;
        (self.writer, self.revision) = (written.writer, written.revision);
        self.pending = Some(Pending { act: self.act, at, slot, announces, second });
    }

    /// The `Store` succeeded.
    pub(crate) fn stored(&mut self) -> Result<(), Error> {
        let Pending { act, at, slot, announces, second } = self.pending.take().ok_or(Error::NotDue)?;
        self.newest = Some(slot);
        self.store.succeeded();
        self.stored_before = true;
        self.obstacle = Obstacle::None;
        if announces {
            self.others_announcement = false;
            self.awaited_until = 0;
        }
        // What has happened since has its own snapshot to come.
        if self.act != act {
            return Ok(());
        }
        if announces {
            self.announced = Some(Announced { at, second });
        } else {
            self.owed = match self.owed {
                Owed::Tombstone(times) if times > 1 => Owed::Tombstone(times.saturating_sub(1)),
                _ => Owed::Nothing,
            };
        }
        Ok(())
    }
}

/// What a snapshot says beside what the manager holds.
pub(crate) struct Writes {
    pub(crate) written: Written,
    pub(crate) session: u64,
    pub(crate) tombstone: bool,
    pub(crate) announces: bool,
    second: bool,
    pub(crate) announcement: Option<Announcement>,
}
