//! What storage is owed, when it is read and when it is written: numbers alone. The rules are section 5 of
//! `docs/BEHAVIOUR.md`.

use crate::endpoint::provider::{Grant, Provider};
use crate::endpoint::refresh_policy::RefreshPolicy;
use crate::error::Error;
use crate::manager::revision::{Revision, SnapshotScope};
#[cfg(feature = "snapshot")]
use crate::manager::seal;
use crate::manager::session::{Next, Reason, RequestId, Session};
use crate::time::{Instant, difference, sum};

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

/// How a manager's tokens outlive it. `Storage::OWN` and `Storage::SHARED` are to be copied from; they bring the code
/// that decides when storage is read and written, which no image without them carries.
#[derive(Clone, Copy)]
pub struct Storage {
    /// The code that it brings: that of `Storage::OWN`.
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
    next: for<'a> fn(&Keeper, &Asked<'a>) -> Next,
    changes_at: ChangesAt,
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
    const fn proves_room(&self) -> bool {
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

/// What is asked of the rules of storage.
#[derive(Clone, Copy)]
struct Asked<'a> {
    storage: &'a Storage,
    session: &'a Session,
    provider: &'a Provider<'a>,
    /// What the decision says without storage.
    base: Next,
    look_at: u64,
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
    act: u64,
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
    const fn counts_from(self) -> u64 {
        if self.second { self.at.saturating_add(SECOND_LOOK_MS) } else { self.at }
    }
}

/// Why a refresh must not be announced over what storage holds.
#[derive(Clone, Copy, PartialEq)]
enum Obstacle {
    None,
    Damaged,
    TooLong,
}

/// A kind of task that can fail, and wait.
#[derive(Clone, Copy)]
struct Tries {
    id: u64,
    /// How often it has failed in a row.
    failures: u32,
    /// The end of the wait after a failure.
    wait_until: u64,
}

/// Kinds of tasks.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Task {
    Load,
    Store,
    Supply,
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

#[derive(Clone, Copy)]
pub(crate) struct Keeper {
    storage: Option<Storage>,
    source: Source,
    made_at: u64,
    pub(crate) revision: u64,
    pub(crate) session: u64,
    /// Names what this manager writes, once it has written anything.
    pub(crate) writer: Option<u64>,
    /// What was in the slots when the find was last taken or known.
    seen: Candidates,
    owed: Owed,
    /// Counts what became owed, and what was taken.
    act: u64,
    /// The refresh token that the owed answer's request presented.
    presented: Option<u64>,
    attempt_failed: bool,
    /// Whether a `Load` has succeeded.
    loaded: bool,
    /// Whether anything was ever taken or stored.
    stored_before: bool,
    load_wanted: bool,
    locked: bool,
    /// The load or the store that is being done.
    taken: Option<Task>,
    supply_taken: bool,
    load: Tries,
    store: Tries,
    supply: Tries,
    last_task: u64,
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
    #[inline(always)]
    pub(crate) fn new(now: Instant, storage: Option<Storage>, source: Source, salt: u64) -> Self {
        // Apart from the ids of requests.
        let salt = salt ^ 1 << 63;
        let tries = |id: u64| Tries { id: salt.wrapping_add(id), failures: 0, wait_until: 0 };
        Self {
            storage,
            source,
            made_at: now.as_millis(),
            revision: match storage {
                Some(storage) => storage.floor.0,
                None => 0,
            },
            session: 0,
            writer: None,
            seen: [NO_CANDIDATE; MAX_SLOTS],
            owed: Owed::Nothing,
            act: 0,
            presented: None,
            attempt_failed: false,
            loaded: false,
            stored_before: false,
            load_wanted: false,
            locked: false,
            taken: None,
            supply_taken: false,
            load: tries(1),
            store: tries(2),
            supply: tries(3),
            last_task: salt.wrapping_add(3),
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
        }
    }

    /// Tells numbers that are drawn at one instant apart.
    pub(crate) const fn salt(&self) -> u64 {
        self.last_task ^ self.revision ^ self.act.rotate_left(32)
    }

    /// None without the feature `snapshot`, with which alone one can be made: what only storage needs is not linked then.
    pub(crate) const fn storage(&self) -> Option<&Storage> {
        if cfg!(feature = "snapshot") { self.storage.as_ref() } else { None }
    }

    const fn stores(&self) -> bool {
        self.storage().is_some()
    }

    pub(crate) fn stores_all(&self) -> bool {
        self.storage().is_some_and(|storage| storage.stored == SnapshotScope::All)
    }

    /// Whether a token that section 2 calls usable may be lent.
    pub(crate) fn lends(&self, clock: u64, provider: &Provider<'_>) -> bool {
        !self.stores()
            || if self.owed == Owed::Nothing {
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

    /// What to do, given what the decision says without storage. `timed_out`: the request did so at that instant, and
    /// no call has noticed yet.
    pub(crate) fn next(&self, session: &Session, provider: &Provider<'_>, timed_out: Option<u64>) -> Next {
        match self.taken.filter(|_| self.stores()) {
            Some(Task::Load) => Next::Await(RequestId(self.load.id)),
            Some(Task::Store) => Next::Await(RequestId(self.store.id)),
            Some(Task::Supply) | None => self.untaken(session, provider, timed_out),
        }
    }

    fn untaken(&self, session: &Session, provider: &Provider<'_>, timed_out: Option<u64>) -> Next {
        let base = session.base(provider).0;
        match self.storage() {
            None => self.supplied_next(base, session.clock()),
            Some(storage) => {
                let look_at = self.look_at(timed_out);
                (storage.rules.next)(self, &Asked { storage, session, provider, base, look_at })
            }
        }
    }

    /// When to look again at storage. A request that has timed out makes it soon.
    fn look_at(&self, timed_out: Option<u64>) -> u64 {
        timed_out.map_or(self.look_at, |at| sum(at, FIRST_LOOK_MS))
    }

    /// When the answer, which is `next` and `usable` now, changes by itself.
    pub(crate) fn changes_at(
        &self,
        next: Next,
        usable: bool,
        session: &Session,
        provider: &Provider<'_>,
        timed_out: Option<u64>,
    ) -> Option<u64> {
        if let Some(storage) = self.storage() {
            return (storage.rules.changes_at)(self, next, usable, session, provider, timed_out);
        }
        let end = session.end().filter(|_| usable);
        earliest(end, self.changes_at_without_storage(next, session, provider))
    }

    fn changes_at_without_storage(
        &self,
        next: Next,
        session: &Session,
        provider: &Provider<'_>,
    ) -> Option<u64> {
        let (base, until) = session.base(provider);
        let wait_until = self.supply.wait_until;
        match (base, until) {
            (Next::Supply(..), Some(lifts_at)) if next == Next::Wait && lifts_at < wait_until => {
                match session.at(Instant::from_millis(lifts_at), provider).base(provider) {
                    (Next::Wait, until) => until,
                    _ => Some(lifts_at),
                }
            }
            (Next::Supply(..), _) if next == Next::Wait => Some(wait_until),
            _ => until,
        }
    }

    /// The same with storage: the first of all instants at which a rule may come to hold, or hold no longer, at which
    /// the answer is another.
    fn changes_at_with_storage(
        &self,
        next: Next,
        usable: bool,
        session: &Session,
        provider: &Provider<'_>,
        timed_out: Option<u64>,
    ) -> Option<u64> {
        let mut earliest = None;
        let look_at = self.look_at(timed_out);
        for border in self.borders(provider, look_at).into_iter().chain(session.borders(provider)) {
            if border <= session.clock() || earliest.is_some_and(|earliest| earliest <= border) {
                continue;
            }
            let mut then = *session;
            let timed_out = then.advance(Instant::from_millis(border), provider).or(timed_out);
            let lent = then.is_usable() && self.lends(border, provider);
            if lent != usable || self.next(&then, provider, timed_out) != next {
                earliest = Some(border);
            }
        }
        earliest
    }

    /// The instants at which a rule may come to hold, or hold no longer.
    fn borders(&self, provider: &Provider<'_>, look_at: u64) -> [u64; 10] {
        let quarter = provider.policy().response_timeout_ms >> 2;
        let announced = self.announced.map(|announced| announced.counts_from());
        [
            self.load.wait_until,
            self.store.wait_until,
            self.supply.wait_until,
            self.goes_on_from(provider).unwrap_or(0),
            self.awaited_until,
            look_at,
            sum(self.loaded_at, FRESH_MS + 1),
            announced.unwrap_or(0),
            announced.map_or(0, |from| sum(sum(from, quarter), 1)),
            self.confirmed_at.map_or(0, |at| sum(at, FRESH_MS + 1)),
        ]
    }

    /// A `Supply` that was taken up or has failed.
    fn supplied_next(&self, base: Next, clock: u64) -> Next {
        match base {
            Next::Supply(..) if self.supply_taken => Next::Await(RequestId(self.supply.id)),
            Next::Supply(..) if clock < self.supply.wait_until => Next::Wait,
            Next::Supply(_, reason) => Next::Supply(RequestId(self.supply.id), self.reason(reason)),
            next => next,
        }
    }

    fn reason(&self, reason: Reason) -> Reason {
        match self.obstacle {
            Obstacle::Damaged if reason == Reason::NoToken => Reason::Damaged,
            Obstacle::TooLong if reason == Reason::NoToken => Reason::TooLong,
            _ => reason,
        }
    }

    /// Rule 5.13 of the behaviour.
    fn with_storage(&self, asked: &Asked<'_>) -> Next {
        let Asked { storage, session, provider, .. } = *asked;
        let clock = session.clock();
        let load = Next::Load(RequestId(self.load.id));
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
            return if storage.shared && !self.locked { load } else { self.store_next() };
        }
        self.with_base(asked)
    }

    /// From the fifth point on.
    fn with_base(&self, asked: &Asked<'_>) -> Next {
        let Asked { storage, session, provider, base, look_at } = *asked;
        let clock = session.clock();
        if matches!(base, Next::Await(_) | Next::Nothing) {
            return base;
        }
        let load = Next::Load(RequestId(self.load.id));
        let can_load = self.load.wait_until <= clock;
        let usable = session.is_usable() && self.lends(clock, provider);
        let waits = clock < self.awaited_until || base == Next::Wait;
        let looks = storage.shared && !usable && can_load && look_at <= clock;
        if looks && (waits || matches!(base, Next::Supply(..))) {
            return load;
        }
        if waits {
            return Next::Wait;
        }
        match base {
            Next::Supply(..) => self.supplied_next(base, clock),
            Next::Request(Grant::RefreshToken) if storage.shared || storage.proves_room() => {
                self.announced_request(asked, usable)
            }
            Next::Request(grant)
                if grant != Grant::RefreshToken
                    && storage.shared
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
        let Asked { storage, session, provider, look_at, .. } = *asked;
        let clock = session.clock();
        let load = Next::Load(RequestId(self.load.id));
        let can_load = self.load.wait_until <= clock;
        let request = Next::Request(Grant::RefreshToken);
        if let Some(announced) = self.announced {
            if !storage.shared {
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
        if storage.shared && self.obstacle != Obstacle::None && (self.locked || clock < look_at) {
            return match primary {
                Some(grant) => Next::Request(grant),
                None if usable => Next::Wait,
                None => self.supplied_next(Next::Supply(RequestId(0), Reason::NoToken), clock),
            };
        }
        if storage.shared && !self.locked { load } else { self.store_next() }
    }

    fn store_next(&self) -> Next {
        let next = self.newest.map_or(0, |newest| newest.saturating_add(1));
        let slot = if usize::from(next) < self.slots() { next } else { 0 };
        Next::Store(RequestId(self.store.id), slot)
    }

    /// After a call: the lock is given back when neither a load nor a store is due.
    pub(crate) fn settle_lock(&mut self, session: &Session, provider: &Provider<'_>) {
        if self.stores()
            && self.locked
            && !matches!(self.untaken(session, provider, None), Next::Load(_) | Next::Store(..))
        {
            self.locked = false;
        }
    }

    /// The slot that the `Store` is for, if one is due.
    pub(crate) fn store_slot(&self, session: &Session, provider: &Provider<'_>) -> Option<u8> {
        match self.untaken(session, provider, None) {
            Next::Store(_, slot) => Some(slot),
            _ => None,
        }
    }

    /// Which task `id` is.
    pub(crate) fn task(&self, id: RequestId) -> Result<Task, Error> {
        match id.0 {
            id if id == self.load.id && self.stores() => Ok(Task::Load),
            id if id == self.store.id && self.stores() => Ok(Task::Store),
            id if id == self.supply.id => Ok(Task::Supply),
            _ => Err(Error::StaleRequest),
        }
    }

    pub(crate) fn expect(&self, task: Task, id: RequestId) -> Result<(), Error> {
        if self.task(id)? == task { Ok(()) } else { Err(Error::StaleRequest) }
    }

    pub(crate) fn take_up(&mut self, id: RequestId) -> Result<(), Error> {
        match self.task(id)? {
            Task::Supply => self.supply_taken = true,
            task => self.taken = Some(task),
        }
        Ok(())
    }

    const fn tries(&mut self, task: Task) -> &mut Tries {
        match task {
            Task::Load => &mut self.load,
            Task::Store => &mut self.store,
            Task::Supply => &mut self.supply,
        }
    }

    /// The task is done or has failed: its id is spent.
    fn spend(&mut self, task: Task) {
        let id = self.last_task.wrapping_add(1);
        self.last_task = id;
        self.tries(task).id = id;
        if self.taken == Some(task) {
            self.taken = None;
        }
        match task {
            Task::Load => {}
            Task::Store => self.pending = None,
            Task::Supply => self.supply_taken = false,
        }
    }

    /// A task failed: it waits as a failed request does.
    pub(crate) fn task_failed(
        &mut self,
        task: Task,
        retryable: bool,
        session: &mut Session,
        provider: &Provider<'_>,
    ) {
        let policy = provider.policy();
        let clock = session.clock();
        self.spend(task);
        let owes = self.owed != Owed::Nothing;
        if task != Task::Supply && owes {
            self.attempt_failed = true;
        }
        let tries = self.tries(task);
        tries.failures = tries.failures.saturating_add(1);
        let failures = tries.failures;
        let usable = session.is_usable() && self.lends(clock, provider);
        let shared = self.storage().is_some_and(|storage| storage.shared);
        let wait = match task {
            Task::Supply if self.source != Source::Program => 0,
            Task::Supply if !retryable => policy.max_backoff_ms,
            _ => session.wait_after(failures, usable, policy),
        };
        let longest = match task {
            Task::Supply => u64::MAX,
            _ if shared && owes => LONGEST_OWED_BACKOFF_MS,
            Task::Load => LONGEST_LOAD_BACKOFF_MS,
            Task::Store => u64::MAX,
        };
        self.tries(task).wait_until = sum(clock, wait.min(longest));
    }

    /// Something is owed from now on.
    fn owe(&mut self, owed: Owed) {
        if self.stores() {
            self.owed = owed;
            self.act = self.act.wrapping_add(1);
            self.attempt_failed = false;
            self.load.wait_until = 0;
            self.store.wait_until = 0;
        }
    }

    /// A request has brought what must be stored. `presented`: the refresh token that it sent.
    pub(crate) fn owe_answer(&mut self, presented: Option<u64>, session: u64) {
        if !self.stores() {
            return;
        }
        self.session = session;
        if matches!(self.owed, Owed::Tombstone(_) | Owed::Install) {
            self.owe(Owed::Install);
        } else {
            self.presented = presented;
            self.owe(Owed::Answer);
        }
    }

    /// A token came from outside.
    pub(crate) fn installed(&mut self, session: u64) {
        if self.stores() {
            self.session = session;
        }
        self.forget_announcements();
        self.owe(Owed::Install);
        self.outdate_supply();
        self.supply.failures = 0;
    }

    /// Somebody signs out here.
    pub(crate) fn cleared(&mut self, session: u64) {
        if self.stores() {
            self.session = session;
        }
        self.forget_announcements();
        self.owe(Owed::Tombstone(u8::try_from(self.slots()).unwrap_or(1)));
        self.outdate_supply();
    }

    /// Announcements, both one's own and those of others.
    fn forget_announcements(&mut self) {
        self.begun();
        if self.stores() {
            self.others_announcement = false;
        }
    }

    fn outdate_supply(&mut self) {
        self.spend(Task::Supply);
        self.supply.wait_until = 0;
    }

    /// A request is out.
    pub(crate) fn begun(&mut self) {
        if self.stores() {
            self.announced = None;
            self.awaited_until = 0;
        }
    }

    /// Another refresh token is held, or none: what was announced was for the one before.
    pub(crate) fn refresh_token_changed(&mut self) {
        if self.stores() {
            self.announced = None;
        }
    }

    /// The refresh token was refused: storage may hold another.
    pub(crate) fn refused(&mut self, clock: u64) {
        if self.stores() {
            self.load_wanted = true;
            self.look_again(clock);
        }
    }

    /// Others may have done what this manager could not: look soon, from `instant` on.
    pub(crate) fn look_again(&mut self, instant: u64) {
        if self.stores() {
            self.look_ms = FIRST_LOOK_MS;
            self.look_at = sum(instant, FIRST_LOOK_MS);
        }
    }

    pub(crate) fn reload(&mut self) {
        if self.stores() {
            self.load_wanted = true;
            self.load.wait_until = 0;
        }
    }

    pub(crate) fn retry(&mut self) {
        self.load.wait_until = 0;
        self.store.wait_until = 0;
        self.supply.wait_until = 0;
    }

    /// Asks again by itself, whatever a person would have to do.
    pub(crate) fn asks_program(&self, reason: Reason) -> bool {
        self.source == Source::Program
            && matches!(
                reason,
                Reason::NoToken
                    | Reason::Revoked
                    | Reason::RefreshTokenRejected
                    | Reason::GrantRejected
                    | Reason::Damaged
                    | Reason::TooLong
            )
    }

    fn is_known(&self, snapshot: Written) -> bool {
        self.writer == Some(snapshot.writer) || self.seen.contains(&snapshot)
    }

    /// How many places are read and written.
    pub(crate) fn slots(&self) -> usize {
        self.storage().map_or(0, |storage| usize::from(storage.slots).clamp(1, MAX_SLOTS))
    }

    /// A `Load` has succeeded. `candidates`: what each slot holds; `empty`: none holds anything; `holds`: this manager
    /// holds a token.
    pub(crate) fn loaded(
        &mut self,
        clock: u64,
        find: Option<&Find<'_>>,
        candidates: Candidates,
        empty: bool,
        holds: bool,
    ) -> Verdict {
        self.spend(Task::Load);
        self.loaded = true;
        self.load_wanted = false;
        self.load.failures = 0;
        self.load.wait_until = 0;
        self.loaded_at = clock;
        self.locked = self.storage().is_some_and(|storage| storage.shared);
        let longest =
            if clock < self.awaited_until { LONGEST_LOOK_WHILE_WAITING_MS } else { LONGEST_LOOK_MS };
        self.look_ms = sum(self.look_ms, self.look_ms).min(longest);
        self.look_at = sum(clock, self.look_ms);
        let was_damaged = self.obstacle == Obstacle::Damaged;
        self.obstacle = Obstacle::None;
        self.confirmed_at = None;
        self.spend(Task::Store);
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
            self.seen = candidates;
            return Verdict::Known;
        }
        if self.owed == Owed::Answer && !find.tombstone {
            let found = match find.refresh_token {
                [] => None,
                token => self.storage().map(|storage| storage.fingerprint(token)),
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
    pub(crate) fn emptied(&mut self) {
        self.forget_announcements();
        self.stored_before = false;
        self.owed = Owed::Nothing;
        self.act = self.act.wrapping_add(1);
        self.outdate_supply();
    }

    /// The find is in the manager.
    pub(crate) fn took(
        &mut self,
        clock: u64,
        find: &Find<'_>,
        candidates: Candidates,
        announcement: Option<Announcement>,
        wall: Option<u64>,
    ) {
        self.seen = candidates;
        self.owed = Owed::Nothing;
        self.act = self.act.wrapping_add(1);
        self.stored_before = true;
        self.forget_announcements();
        if find.tombstone || find.session != self.session {
            self.outdate_supply();
        }
        self.supply.wait_until = 0;
        self.session = find.session;
        self.look_again(clock);
        let announcement = announcement.filter(|_| self.storage().is_some_and(|storage| storage.shared));
        self.others_announcement = announcement.is_some();
        if let Some(Announcement { span_ms, end }) = announcement {
            let left = match (end, wall) {
                (Some(end), Some(wall)) => end.saturating_sub(wall).saturating_mul(1000).min(span_ms),
                _ => span_ms,
            };
            self.awaited_until = sum(clock, left);
        }
    }

    /// What the snapshot for a `Store` says, beside what the manager holds.
    pub(crate) fn writes(&self, policy: &RefreshPolicy, wall: Option<u64>) -> Writes {
        let tombstone = matches!(self.owed, Owed::Tombstone(_));
        let announces = self.owed == Owed::Nothing;
        let shared = self.storage().is_some_and(|storage| storage.shared);
        let second = announces && shared && self.others_announcement;
        let timeout = policy.response_timeout_ms;
        let span_ms = sum(sum(timeout, timeout >> 2), if second { SECOND_SPAN_MS } else { FIRST_SPAN_MS });
        let seconds = span_ms.div_ceil(1000).saturating_add(1);
        Writes {
            tombstone,
            announces,
            second,
            announcement: (announces && shared)
                .then_some(Announcement { span_ms, end: wall.map(|wall| wall.saturating_add(seconds)) }),
        }
    }

    /// The snapshot was written for the caller.
    pub(crate) fn wrote(&mut self, at: u64, slot: u8, written: Written, writes: &Writes) {
        self.revision = written.revision;
        self.writer = Some(written.writer);
        let Writes { announces, second, .. } = *writes;
        self.pending = Some(Pending { act: self.act, at, slot, announces, second });
    }

    /// The `Store` succeeded, into `slot`.
    pub(crate) fn stored(&mut self) -> Result<(), Error> {
        let Pending { act, at, slot, announces, second } = self.pending.ok_or(Error::NotDue)?;
        self.newest = Some(slot);
        self.spend(Task::Store);
        self.store.failures = 0;
        self.store.wait_until = 0;
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
    pub(crate) tombstone: bool,
    pub(crate) announces: bool,
    second: bool,
    pub(crate) announcement: Option<Announcement>,
}

/// The earlier of two instants, of which either may never come.
fn earliest(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
