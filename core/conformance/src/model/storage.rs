//! Section 5, storage: what a manager reads and writes, and what several that share storage tell each other.

use super::presets::Grant;
use super::{HEAD, Identity, Manager, Next, Refused, Token, Windows, instant, reached, wire};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::rc::Rc;

/// How long a second announcement waits before its request.
const SECOND_WAIT_MS: u64 = 15_000;
/// How far clocks of processes may be apart.
const APART_S: u64 = 6;
/// A `Load` of up to this age is new enough.
const FRESH_MS: u64 = 1000;
const FIRST_LOOK_MS: u64 = 250;
const MAX_LOOK_MS: u64 = 60_000;
const MAX_LOOK_WHILE_WAITING_MS: u64 = 5000;
const MOST_SLOTS: u64 = 4;

// ---- what is in storage

/// What a snapshot says.
#[derive(Debug)]
pub(crate) struct Snapshot {
    identity: Identity,
    nonce: u64,
    revision: u64,
    session: u64,
    generation: u64,
    tombstone: bool,
    wall: Option<u64>,
    access: Option<SavedToken>,
    refresh: Option<Vec<u8>>,
    /// When the refresh token ends by what the service said, and if it is not used: seconds of the wall clock.
    refresh_ends: [Option<i128>; 2],
    /// An announcement in shared storage: its span in milliseconds.
    span: Option<u64>,
    /// The second of the wall clock at which that ends.
    ends: Option<u64>,
}

#[derive(Debug)]
struct SavedToken {
    bytes: Vec<u8>,
    deadlines: Deadlines,
}

#[derive(Debug)]
enum Deadlines {
    NoEnd,
    Unknown,
    Wall { refresh_at: i128, usable_until: i128 },
}

/// The bytes in a slot: those of a snapshot, and what has been done to them.
#[derive(Clone, Debug)]
pub(crate) struct Bytes {
    snapshot: Rc<Snapshot>,
    /// The bits that are not as they were written.
    flipped: BTreeSet<u64>,
    /// So many bytes are there, where it is not all of them.
    kept: Option<u64>,
}

impl Bytes {
    fn new(snapshot: Rc<Snapshot>) -> Bytes {
        Bytes { snapshot, flipped: BTreeSet::new(), kept: None }
    }

    pub(crate) fn flip(&mut self, bit: u64) {
        if !self.flipped.remove(&bit) {
            self.flipped.insert(bit);
        }
    }

    pub(crate) fn cut(&mut self, kept: u64) {
        self.kept = Some(self.kept.map_or(kept, |before| before.min(kept)));
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.kept.is_none()
    }

    /// The snapshot, or the name of why there is none (2.90).
    fn read(&self, identity: &Identity, floor: u64) -> Result<&Rc<Snapshot>, Refused> {
        let flipped = |bytes: std::ops::Range<u64>| self.flipped.iter().any(|bit| bytes.contains(&(bit / 8)));
        if self.kept.is_some_and(|kept| kept < HEAD) || flipped(0..3) {
            Err("invalid_snapshot")
        } else if flipped(3..4) {
            Err("other_snapshot_version")
        } else if flipped(4..HEAD) {
            Err("other_snapshot_key")
        } else if self.kept.is_some() || !self.flipped.is_empty() {
            Err("invalid_snapshot")
        } else if self.snapshot.identity != *identity {
            Err("foreign_snapshot")
        } else if self.snapshot.revision < floor {
            Err("stale_snapshot")
        } else {
            Ok(&self.snapshot)
        }
    }
}

/// What each place of storage holds.
pub(crate) type Slots = Vec<Option<Bytes>>;

// ---- what a manager knows of it

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Found {
    Empty,
    SignedOut,
    Known,
    Taken,
    Kept,
    Damaged,
    TooLong(Refused),
}

impl Found {
    fn name(self) -> &'static str {
        match self {
            Found::Empty => "empty",
            Found::SignedOut => "signed_out",
            Found::Known => "known",
            Found::Taken => "taken",
            Found::Kept => "kept",
            Found::Damaged => "damaged",
            Found::TooLong(name) => name,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Owed {
    /// The refresh token that its request presented.
    Answer(Option<Vec<u8>>),
    Install,
    /// So many times.
    Tombstone(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Announcement {
    /// When its snapshot was made.
    at: u64,
    second: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Task {
    Load,
    Store,
    Supply,
}

/// The last snapshot of the `Store` that is asked for.
#[derive(Clone, Debug)]
struct Written {
    /// What had become owed last, by its number.
    owed_number: u64,
    /// What it announces, where nothing was owed.
    announces: Option<Announcement>,
    slot: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Storage {
    pub(crate) shared: bool,
    stored_all: bool,
    slots: u64,
    prove_room: bool,
    floor: u64,
    made_at: u64,
    revision: u64,

    pub(crate) load_id: u64,
    pub(crate) store_id: u64,
    /// The `Load` or the `Store` that was taken up last.
    pub(crate) taken_up: Option<Task>,

    /// The last `Load` that succeeded.
    loaded: Option<(u64, Found)>,
    load_has_failed: bool,
    load_wanted: bool,
    pub(crate) load_at: u64,
    pub(crate) store_at: u64,
    load_failures: u64,
    store_failures: u64,
    pub(crate) lock_held: bool,
    newest: Option<u64>,
    /// All snapshots that this manager has written.
    own: Vec<u64>,
    /// The candidates of the last `Load` whose find was taken or known.
    seen: Vec<u64>,
    /// A find was taken once, or something stored.
    used: bool,
    damaged: bool,
    too_long: bool,
    look_ms: u64,
    look_at: u64,

    pub(crate) owed: Option<Owed>,
    /// Counts what has become owed.
    owed_number: u64,
    attempt_failed: bool,
    written: Option<Written>,
    session: u64,

    other_until: Option<u64>,
    /// The last find that was taken had a span, and no announcement has been stored since.
    after_other: bool,
    pub(crate) announcement: Option<Announcement>,
}

impl Storage {
    /// The storage of a scenario, if it has any.
    pub(crate) fn new(described: &Value, floor: Option<u64>, now: u64, session: u64) -> Option<Storage> {
        let kind = described["kind"].as_str()?;
        let floor = floor.or_else(|| super::number(&described["floor"])).unwrap_or(0);
        Some(Storage {
            shared: kind == "shared",
            stored_all: described["stored"] != "refresh_token",
            slots: super::number(&described["slots"]).unwrap_or(1).min(MOST_SLOTS),
            prove_room: described["prove_room"] == true,
            floor,
            made_at: now,
            revision: floor,
            load_id: 1,
            store_id: 1,
            taken_up: None,
            loaded: None,
            load_has_failed: false,
            load_wanted: false,
            load_at: 0,
            store_at: 0,
            load_failures: 0,
            store_failures: 0,
            lock_held: false,
            newest: None,
            own: Vec::new(),
            seen: Vec::new(),
            used: false,
            damaged: false,
            too_long: false,
            look_ms: FIRST_LOOK_MS,
            look_at: 0,
            owed: None,
            owed_number: 0,
            attempt_failed: false,
            written: None,
            session,
            other_until: None,
            after_other: false,
            announcement: None,
        })
    }

    /// 5.42: the id of this task is spent.
    fn spend(&mut self, task: Task) {
        match task {
            Task::Load => self.load_id += 1,
            Task::Store => {
                self.store_id += 1;
                self.written = None;
            }
            Task::Supply => {}
        }
        self.taken_up = self.taken_up.filter(|taken_up| *taken_up != task);
    }

    /// 5.27
    fn slot(&self) -> u64 {
        self.newest.map_or(0, |newest| (newest + 1) % self.slots)
    }

    /// 5.31, its second half.
    fn look_soon(&mut self, from: u64) {
        self.look_ms = FIRST_LOOK_MS;
        self.look_at = from.saturating_add(FIRST_LOOK_MS);
    }

    fn waits_for_another(&self, now: u64) -> bool {
        self.other_until.is_some_and(|until| now < until)
    }

    /// 5.7, 5.10
    fn owe(&mut self, owed: Owed) {
        self.owed = Some(owed);
        self.owed_number += 1;
        self.load_at = 0;
        self.store_at = 0;
        self.attempt_failed = false;
    }

    /// All instants that a rule compares the clock with. An interval that holds its end is over one later.
    fn instants(&self, timeout: u64, max_backoff: u64) -> Vec<u64> {
        let mut all =
            vec![self.load_at, self.store_at, self.look_at, self.made_at.saturating_add(max_backoff)];
        all.extend(self.other_until);
        all.extend(self.loaded.map(|(at, _)| at.saturating_add(FRESH_MS + 1)));
        if let Some(Announcement { at, .. }) = self.announcement {
            let second = at.saturating_add(SECOND_WAIT_MS);
            all.push(second);
            all.push(at.saturating_add(timeout / 4 + 1));
            all.push(second.saturating_add(timeout / 4 + 1));
        }
        all
    }
}

/// Where a token comes from that no grant obtains, and the `Supply` that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    program: bool,
    pub(crate) id: u64,
    pub(crate) taken_up: bool,
    pub(crate) wait_until: u64,
    failures: u64,
    /// How often what was asked for, in whatever way, has become of no use.
    pub(crate) outdated: u64,
}

impl Source {
    pub(crate) fn new(source: &Value) -> Source {
        Source {
            program: source == "program",
            id: 1,
            taken_up: false,
            wait_until: 0,
            failures: 0,
            outdated: 0,
        }
    }

    pub(crate) fn is_a_program(&self) -> bool {
        self.program
    }

    fn spend(&mut self) {
        self.id += 1;
        self.taken_up = false;
    }

    fn make_stale(&mut self) {
        self.spend();
        self.outdated += 1;
    }
}

impl Manager {
    // ---- what poll says

    /// 5.12, but for what section 2 says.
    pub(super) fn storage_lets_use(&self, now: u64) -> bool {
        self.storage.as_ref().is_none_or(|storage| {
            let owed = storage.owed.is_some();
            (!owed || storage.attempt_failed)
                && (storage.loaded.is_some() || self.goes_on_without_a_load(storage, now) || owed)
        })
    }

    /// 5.46: only storage keeps the token from being sent.
    pub(super) fn token_is_held_back(&self) -> bool {
        let alone = Manager { storage: None, ..self.clone() };
        alone.usable_at(self.clock) && !self.usable_at(self.clock)
    }

    /// 5.15
    fn goes_on_without_a_load(&self, storage: &Storage, now: u64) -> bool {
        storage.loaded.is_none()
            && if !self.provider.refreshes() {
                storage.load_has_failed
            } else {
                self.provider.primary().is_some()
                    && now >= storage.made_at.saturating_add(self.policy.max_backoff_ms)
            }
    }

    /// What `poll` says to do, once the clock has been moved.
    pub(super) fn next(&self) -> Next {
        self.next_by_rule().0
    }

    /// The same with the rule that says so.
    pub(super) fn next_by_rule(&self) -> (Next, &'static str) {
        if self.storage.as_ref().is_some_and(|s| s.taken_up.is_some()) {
            return (Next::Await(true), "5.13.1");
        }
        self.next_were_nothing_taken_up()
    }

    /// 5.13, from 2 on.
    fn next_were_nothing_taken_up(&self) -> (Next, &'static str) {
        let c = self.clock;
        let base = self.base();
        let Some(storage) = &self.storage else {
            return match base {
                Next::Supply(reason) => self.supply(reason, "5.13.8 without storage"),
                base => (base, "section 2"),
            };
        };
        let usable = self.usable_at(c);
        let may_load = storage.load_at <= c;
        let others = storage.waits_for_another(c);
        // 2
        if storage.loaded.is_none() {
            if may_load {
                return (Next::Load, "5.13.2 load");
            }
            if !self.goes_on_without_a_load(storage, c) {
                return (Next::Wait, "5.13.2 wait");
            }
        }
        // 3
        if storage.load_wanted && may_load {
            return (Next::Load, "5.13.3");
        }
        // 4
        if storage.owed.is_some() && storage.loaded.is_some() && may_load && storage.store_at <= c {
            return if storage.shared && !storage.lock_held {
                (Next::Load, "5.13.4 load")
            } else {
                (Next::Store(storage.slot()), "5.13.4 store")
            };
        }
        // 5
        if matches!(base, Next::Await(_) | Next::Nothing) {
            return (base, "5.13.5");
        }
        // 6
        let stuck = matches!(base, Next::Supply(_) | Next::Wait) || others;
        if storage.shared && !usable && may_load && storage.look_at <= c && stuck {
            return (Next::Load, if others { "5.13.6 for another" } else { "5.13.6 stuck" });
        }
        // 7
        if base == Next::Wait || others {
            return (Next::Wait, if others { "5.13.7 for another" } else { "5.13.7" });
        }
        match base {
            // 8
            Next::Supply(reason) => self.supply(reason, "5.13.8"),
            // 9
            Next::Request(Grant::RefreshToken)
                if storage.shared || storage.prove_room && storage.stored_all =>
            {
                self.announced_refresh(storage, usable)
            }
            // 10
            Next::Request(grant) if grant != Grant::RefreshToken => {
                let old = storage.loaded.is_some_and(|(at, _)| c - at > FRESH_MS);
                if storage.shared && old && may_load {
                    (Next::Load, "5.13.10")
                } else {
                    (Next::Request(grant), "5.13.11 primary")
                }
            }
            // 11
            base => (base, "5.13.11"),
        }
    }

    /// 5.13.8
    fn supply(&self, reason: String, rule: &'static str) -> (Next, &'static str) {
        if self.source.taken_up {
            return (Next::Await(true), "5.13.8 await");
        }
        if self.clock < self.source.wait_until {
            return (Next::Wait, "5.13.8 wait");
        }
        let storage = self.storage.as_ref();
        if reason == "no_token" && storage.is_some_and(|s| s.damaged) {
            return (Next::Supply("damaged".to_owned()), "5.13.8 damaged");
        }
        if reason == "no_token" && storage.is_some_and(|s| s.too_long) {
            return (Next::Supply("stored_too_long".to_owned()), "5.13.8 stored_too_long");
        }
        (Next::Supply(reason), rule)
    }

    /// 5.32 to 5.36
    fn announced_refresh(&self, storage: &Storage, usable: bool) -> (Next, &'static str) {
        let c = self.clock;
        let quarter = self.policy.response_timeout_ms / 4;
        let may_load = storage.load_at <= c;
        // 5.34
        let primary = self.provider.primary().filter(|grant| {
            let used_up = *grant == Grant::Password && self.turn_used;
            !usable && !used_up
        });
        if let Some(Announcement { at, second }) = storage.announcement {
            let from = if second { at.saturating_add(SECOND_WAIT_MS) } else { at };
            let counts = !storage.shared || c <= from.saturating_add(quarter);
            if counts && !second {
                return (Next::Request(Grant::RefreshToken), "5.32");
            }
            if counts && c < from {
                return (Next::Wait, "5.33 wait");
            }
            let seen = storage.loaded.is_some_and(|(loaded_at, found)| {
                loaded_at >= from && c - loaded_at <= FRESH_MS && found == Found::Known
            });
            if counts && seen {
                return (Next::Request(Grant::RefreshToken), "5.33");
            }
            if counts && may_load && (!storage.damaged || storage.look_at <= c) {
                return (Next::Load, "5.33 load");
            }
            if counts {
                return (Next::Wait, "5.33 wait to load");
            }
        }
        if !may_load || storage.store_at > c {
            return match primary {
                Some(grant) => (Next::Request(grant), "5.34 primary"),
                None => (Next::Wait, "5.34 wait"),
            };
        }
        // 5.35
        let spoilt = storage.damaged || storage.too_long;
        if storage.shared && spoilt && (storage.lock_held || storage.look_at > c) {
            let reason = if storage.damaged { "damaged" } else { "stored_too_long" };
            return match primary {
                Some(grant) => (Next::Request(grant), "5.35 primary"),
                None if usable => (Next::Wait, "5.35 wait"),
                None => self.supply(reason.to_owned(), "5.35 supply"),
            };
        }
        // 5.36
        if storage.shared && !storage.lock_held {
            (Next::Load, "5.36 load")
        } else {
            (Next::Store(storage.slot()), "5.36 store")
        }
    }

    pub(super) fn storage_instants(&self) -> Vec<u64> {
        let mut all = vec![self.source.wait_until];
        if let Some(storage) = &self.storage {
            all.extend(storage.instants(self.policy.response_timeout_ms, self.policy.max_backoff_ms));
        }
        all
    }

    /// 5.17, before and after each call.
    pub(super) fn let_go_of_the_lock(&mut self) {
        let needed = matches!(self.next_were_nothing_taken_up().0, Next::Load | Next::Store(_));
        if let Some(storage) = &mut self.storage
            && !needed
        {
            storage.lock_held = false;
        }
    }

    // ---- what section 2 tells storage

    /// A number that is never drawn again.
    fn new_number(&self) -> u64 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    fn new_session(&mut self) {
        let number = self.new_number();
        if let Some(storage) = &mut self.storage {
            storage.session = number;
        }
    }

    /// A token of a request has been stored in the manager, or the refresh token of a refused answer been kept.
    pub(super) fn owe_answer(&mut self, grant: Grant, presented: Option<Vec<u8>>, refresh_changed: bool) {
        let Some(storage) = &mut self.storage else { return };
        if !storage.stored_all && !refresh_changed {
            return;
        }
        match storage.owed {
            Some(Owed::Tombstone(_) | Owed::Install) => {
                reached("5.7 answer over another");
                storage.owe(Owed::Install);
            }
            _ => storage.owe(Owed::Answer(presented)),
        }
        if grant != Grant::RefreshToken {
            self.new_session();
        }
    }

    pub(super) fn owe_install(&mut self) {
        self.new_session();
        self.source.make_stale();
        self.source.wait_until = 0;
        self.source.failures = 0;
        if let Some(storage) = &mut self.storage {
            storage.other_until = None;
            storage.after_other = false;
            storage.announcement = None;
            storage.owe(Owed::Install);
        }
    }

    pub(super) fn owe_tombstone(&mut self) {
        self.new_session();
        if let Some(storage) = &mut self.storage {
            let times = storage.slots;
            storage.owe(Owed::Tombstone(times));
        }
    }

    /// What `clear`, a tombstone that is taken and emptied storage end.
    pub(super) fn end_of_a_session(&mut self) {
        self.source.make_stale();
        self.source.wait_until = 0;
        if let Some(storage) = &mut self.storage {
            storage.after_other = false;
            storage.other_until = None;
            storage.announcement = None;
        }
    }

    pub(super) fn storage_hears_of_begin(&mut self) {
        if let Some(storage) = &mut self.storage {
            storage.other_until = None;
            storage.announcement = None;
        }
    }

    pub(super) fn storage_hears_of_a_failure(&mut self, when: u64) {
        if let Some(storage) = &mut self.storage {
            storage.look_soon(when);
        }
    }

    /// 5.16
    pub(super) fn storage_hears_of_a_refused_refresh_token(&mut self) {
        let clock = self.clock;
        if let Some(storage) = &mut self.storage {
            storage.load_wanted = true;
            storage.look_soon(clock);
        }
    }

    pub(super) fn storage_hears_of_another_refresh_token(&mut self) {
        if let Some(storage) = &mut self.storage {
            storage.announcement = None;
        }
    }

    // ---- the calls

    /// 5.38: when a `Load`, a `Store` or a `Supply` that failed for the `failures`th time is tried again.
    fn try_again_at(&mut self, failures: u64, most: u64) -> u64 {
        let wait = self.wait_after(self.clock, failures, 0);
        instant(i128::from(self.clock) + wait.min(i128::from(most)))
    }

    /// A `Load` or a `Store` has failed; the most that the next one waits.
    fn attempt_failed(&mut self) -> Option<u64> {
        let storage = self.storage.as_mut()?;
        storage.owed.as_ref()?;
        storage.attempt_failed = true;
        storage.shared.then_some(5000)
    }

    pub(super) fn load_failed(&mut self, now: u64, id: u64) -> Result<Value, Refused> {
        self.advance(now);
        let storage = self.storage.as_mut().filter(|s| s.load_id == id).ok_or("stale_request")?;
        storage.spend(Task::Load);
        storage.load_has_failed = true;
        storage.load_failures += 1;
        let failures = storage.load_failures;
        let most = self.attempt_failed().unwrap_or(60_000);
        let at = self.try_again_at(failures, most);
        if let Some(storage) = &mut self.storage {
            storage.load_at = at;
        }
        Ok(json!({}))
    }

    pub(super) fn store_failed(&mut self, now: u64, id: u64) -> Result<Value, Refused> {
        self.advance(now);
        let storage = self.storage.as_mut().filter(|s| s.store_id == id).ok_or("stale_request")?;
        storage.spend(Task::Store);
        storage.store_failures += 1;
        let failures = storage.store_failures;
        let most = self.attempt_failed().unwrap_or(u64::MAX);
        let at = self.try_again_at(failures, most);
        if let Some(storage) = &mut self.storage {
            storage.store_at = at;
        }
        Ok(json!({}))
    }

    /// 5.40
    pub(super) fn supply_failed(&mut self, now: u64, id: u64, retryable: bool) -> Result<Value, Refused> {
        self.advance(now);
        if self.source.id != id {
            return Err("stale_request");
        }
        self.source.spend();
        self.source.failures += 1;
        if self.source.program {
            self.source.wait_until = if retryable {
                self.try_again_at(self.source.failures, u64::MAX)
            } else {
                self.clock.saturating_add(self.policy.max_backoff_ms)
            };
        }
        Ok(json!({}))
    }

    /// 5.41
    pub(super) fn supplied(
        &mut self,
        now: u64,
        id: u64,
        token: &Value,
        wall: Option<u64>,
    ) -> Result<Value, Refused> {
        self.advance(now);
        if self.source.id != id {
            return Err("stale_request");
        }
        self.install(now, token, wall)
    }

    /// 5.39
    pub(super) fn took(&mut self, now: u64, task: Task, id: u64) -> Result<Value, Refused> {
        self.advance(now);
        let storage = self.storage.as_mut();
        match task {
            Task::Load => storage.filter(|s| s.load_id == id).ok_or("stale_request")?.taken_up = Some(task),
            Task::Store => storage.filter(|s| s.store_id == id).ok_or("stale_request")?.taken_up = Some(task),
            Task::Supply if self.source.id == id => self.source.taken_up = true,
            Task::Supply => return Err("stale_request"),
        }
        Ok(json!({}))
    }

    /// 5.44
    pub(super) fn reload(&mut self) {
        if let Some(storage) = &mut self.storage {
            storage.load_wanted = true;
            storage.load_at = 0;
        }
    }

    pub(super) fn end_the_waits(&mut self) {
        self.source.wait_until = 0;
        if let Some(storage) = &mut self.storage {
            storage.load_at = 0;
            storage.store_at = 0;
        }
    }

    /// 5.26: the bytes of the `Store` that is asked for.
    pub(super) fn write(&mut self, now: u64, id: u64, wall: Option<u64>) -> Result<Bytes, Refused> {
        self.advance(now);
        if self.storage.as_ref().is_none_or(|s| s.store_id != id) {
            return Err("stale_request");
        }
        let Next::Store(slot) = self.next_were_nothing_taken_up().0 else { return Err("not_due") };
        let nonce = self.new_number();
        let quarter = self.policy.response_timeout_ms / 4;
        let span = self.policy.response_timeout_ms.saturating_add(quarter).saturating_add(APART_S * 1000);
        let access = self.token.as_ref().filter(|t| !t.ended).map(|token| self.saved(token, wall));
        let refresh = self.refresh.clone().filter(|_| self.can_refresh());
        let (generation, clock) = (self.generation, self.clock);
        let refresh_ends = [self.ends.told, self.ends.idle].map(|end| {
            let left = i128::from(end?) - i128::from(clock);
            Some((i128::from(wall?) + left.div_euclid(1000)).max(0))
        });
        let identity = self.identity();
        let storage = self.storage.as_mut().ok_or("stale_request")?;
        storage.revision += 1;
        storage.own.push(nonce);
        let second = storage.shared && storage.after_other;
        let span = (storage.owed.is_none() && storage.shared)
            .then(|| span.saturating_add(if second { SECOND_WAIT_MS } else { 0 }));
        let announces = storage.owed.is_none().then_some(Announcement { at: clock, second });
        storage.written = Some(Written { owed_number: storage.owed_number, announces, slot });
        let tombstone = matches!(storage.owed, Some(Owed::Tombstone(_)));
        reached(match storage.owed {
            None if second => "5.33 written",
            None => "5.32 written",
            Some(Owed::Answer(_)) => "5.26 answer",
            Some(Owed::Install) => "5.26 install",
            Some(Owed::Tombstone(_)) => "5.26 tombstone",
        });
        Ok(Bytes::new(Rc::new(Snapshot {
            identity,
            nonce,
            revision: storage.revision,
            session: storage.session,
            generation,
            tombstone,
            wall,
            access: access.filter(|_| storage.stored_all && !tombstone),
            refresh: refresh.filter(|_| !tombstone),
            refresh_ends,
            span,
            ends: span
                .and_then(|span| wall.map(|wall| wall.saturating_add(span.div_ceil(1000)).saturating_add(1))),
        })))
    }

    fn saved(&self, token: &Token, wall: Option<u64>) -> SavedToken {
        let as_wall = |deadline: u64, wall: u64| {
            let left = i128::from(deadline) - i128::from(self.clock);
            (i128::from(wall) + left.div_euclid(1000)).max(0)
        };
        let deadlines = match (token.windows, wall) {
            (None, _) => Deadlines::NoEnd,
            (Some(_), None) => Deadlines::Unknown,
            (Some(windows), Some(wall)) => Deadlines::Wall {
                refresh_at: as_wall(windows.refresh_at, wall),
                usable_until: as_wall(windows.usable_until, wall),
            },
        };
        SavedToken { bytes: token.bytes.clone(), deadlines }
    }

    /// 5.28
    pub(super) fn stored_in_storage(&mut self, now: u64, id: u64) -> Result<Value, Refused> {
        self.advance(now);
        let storage = self.storage.as_mut().filter(|s| s.store_id == id).ok_or("stale_request")?;
        let written = storage.written.take().ok_or("not_due")?;
        storage.store_failures = 0;
        storage.newest = Some(written.slot);
        storage.used = true;
        storage.damaged = false;
        storage.too_long = false;
        if written.announces.is_some() {
            storage.other_until = None;
            storage.after_other = false;
        }
        if written.owed_number != storage.owed_number {
            reached("5.28 what has become owed since stays");
        } else if written.announces.is_some() {
            storage.announcement = written.announces;
        } else {
            storage.owed = match storage.owed {
                Some(Owed::Tombstone(times)) if times > 1 => Some(Owed::Tombstone(times - 1)),
                _ => None,
            };
        }
        storage.spend(Task::Store);
        Ok(json!({}))
    }

    /// 5.18 to 5.20
    pub(super) fn loaded(
        &mut self,
        now: u64,
        id: u64,
        slots: &[Option<Bytes>],
        wall: Option<u64>,
    ) -> Result<Value, Refused> {
        self.advance(now);
        let c = self.clock;
        let identity = self.identity();
        let holds_a_token = self.token.is_some() || self.refresh.is_some();
        let storage = self.storage.as_mut().filter(|s| s.load_id == id).ok_or("stale_request")?;
        // Places beyond these are none of this storage.
        let slots = &slots[..slots.len().min(storage.slots as usize)];
        storage.spend(Task::Load);
        storage.spend(Task::Store);
        let floor = storage.floor;
        storage.load_wanted = false;
        storage.load_failures = 0;
        storage.load_at = 0;
        let was_damaged = std::mem::take(&mut storage.damaged);
        storage.too_long = false;
        storage.lock_held = true;
        let most = if storage.waits_for_another(c) { MAX_LOOK_WHILE_WAITING_MS } else { MAX_LOOK_MS };
        storage.look_ms = (storage.look_ms * 2).min(most);
        storage.look_at = c.saturating_add(storage.look_ms);

        let mut find: Option<(u64, Rc<Snapshot>)> = None;
        let mut candidates = Vec::new();
        for (slot, bytes) in (0..).zip(slots) {
            let Some(Ok(candidate)) = bytes.as_ref().map(|b| b.read(&identity, storage.floor)) else {
                continue;
            };
            storage.revision = storage.revision.max(candidate.revision);
            candidates.push(candidate.nonce);
            if find.as_ref().is_none_or(|(_, best)| candidate.revision > best.revision) {
                find = Some((slot, Rc::clone(candidate)));
            }
        }
        storage.newest = find.as_ref().map(|(slot, _)| *slot);
        let find = find.map(|(_, find)| find);
        let known = find
            .as_ref()
            .is_some_and(|find| storage.own.contains(&find.nonce) || storage.seen.contains(&find.nonce));
        let (owed, session) = (storage.owed.clone(), storage.session);

        let found = match (owed, find) {
            // 1
            (Some(Owed::Install | Owed::Tombstone(_)), Some(find)) if find.session == session && !known => {
                reached("5.20.1 stored after all");
                self.take_if_it_fits(&find, wall)
            }
            (Some(Owed::Install | Owed::Tombstone(_)), _) => {
                reached("5.20.1 kept");
                Found::Kept
            }
            // 2
            _ if slots.iter().all(Option::is_none) => {
                if storage.used && holds_a_token {
                    reached("5.20.2");
                    storage.owed = None;
                    storage.used = false;
                    self.wipe();
                    Found::SignedOut
                } else {
                    Found::Empty
                }
            }
            // 3
            (_, None) => {
                reached("5.20.3");
                storage.damaged = true;
                if !was_damaged {
                    storage.look_soon(c);
                }
                Found::Damaged
            }
            // 4
            (_, Some(_)) if known => Found::Known,
            // 5
            (Some(Owed::Answer(presented)), Some(find)) if !find.tombstone && find.refresh == presented => {
                reached("5.20.5");
                Found::Kept
            }
            // 6 and 7
            (owed, Some(find)) => {
                if owed.is_some() {
                    reached("5.20.7 over an answer");
                }
                self.take_if_it_fits(&find, wall)
            }
        };
        if let Some(storage) = &mut self.storage {
            let went_by_one = matches!(found, Found::Taken | Found::SignedOut | Found::Known);
            if went_by_one && !candidates.is_empty() {
                storage.seen = candidates;
            }
            storage.loaded = Some((c, found));
        }
        match found {
            Found::Damaged => {
                let mut faults = slots.iter().flatten().map(|bytes| bytes.read(&identity, floor));
                return Err(faults.find_map(Result::err).unwrap_or("invalid_snapshot"));
            }
            Found::TooLong(name) => return Err(name),
            _ => {}
        }
        Ok(json!({"found": found.name()}))
    }

    /// 5.25, else 5.22.
    fn take_if_it_fits(&mut self, find: &Snapshot, wall: Option<u64>) -> Found {
        let (access, refresh) = self.capacity;
        let name = if find.access.as_ref().is_some_and(|saved| saved.bytes.len() as u64 > access) {
            "too_long"
        } else if find.refresh.as_ref().is_some_and(|token| token.len() as u64 > refresh) {
            "refresh_token_too_long"
        } else {
            return self.take(find, wall);
        };
        reached("5.25");
        if self.refresh.is_some() {
            reached("5.25 forgets a refresh token");
            self.refresh = None;
            self.forget_refusals();
        }
        if let Some(storage) = &mut self.storage {
            storage.announcement = None;
            storage.too_long = true;
            if matches!(storage.owed, Some(Owed::Answer(_))) {
                storage.owed = None;
            }
        }
        Found::TooLong(name)
    }

    /// 5.22
    fn take(&mut self, find: &Snapshot, wall: Option<u64>) -> Found {
        let c = self.clock;
        self.out = None;
        self.backoff_until = None;
        self.failure = None;
        self.epsilon = None;
        self.source.wait_until = 0;
        let Some(storage) = &mut self.storage else { return Found::Damaged };
        let same_session = storage.session == find.session;
        storage.session = find.session;
        storage.owed = None;
        storage.announcement = None;
        storage.other_until = None;
        storage.after_other = storage.shared && find.span.is_some();
        storage.used = true;
        storage.look_soon(c);
        if let (true, Some(span)) = (storage.shared, find.span) {
            let left = match (find.ends, wall) {
                (Some(ends), Some(wall)) => {
                    reached("5.30 by the wall clock");
                    (i128::from(ends) - i128::from(wall)).clamp(0, 1 << 70) * 1000
                }
                _ => {
                    reached("5.30 without a wall clock");
                    span.into()
                }
            };
            storage.other_until = Some(instant(i128::from(c) + left.min(span.into())));
        }
        if !same_session {
            self.source.make_stale();
        }
        if find.tombstone {
            reached("5.22 tombstone");
            self.wipe();
            return Found::SignedOut;
        }

        let own = self.token.as_ref().map(|t| &t.bytes);
        let same = find.access.as_ref().is_some_and(|saved| own == Some(&saved.bytes));
        let brought =
            find.access.as_ref().filter(|_| !same).and_then(|saved| self.brought(saved, find, wall));
        let brings = brought.is_some();
        let another = u64::from(brings && self.generation > 0);
        if brings {
            reached("5.22 access token");
            self.token = brought;
            self.failures = 0;
            self.revocations = 0;
        } else if !same && !same_session {
            reached("5.22 no access token");
            self.token = None;
        }
        self.generation = self.generation.max(find.generation) + another;

        let near = wall.zip(find.wall).filter(|(wall, theirs)| *theirs <= wall.saturating_add(APART_S));
        let [told, idle] = find.refresh_ends.map(|end| {
            let (wall, theirs) = near?;
            let w = i128::from(wall.max(theirs));
            Some(instant(i128::from(c) + (end? - w) * 1000 - 1000))
        });
        let mut refresh = find.refresh.clone().filter(|_| self.provider.refreshes());
        if [told, idle].into_iter().flatten().any(|end| end <= c) {
            refresh = None;
        }
        if refresh.is_some() && refresh == self.refused {
            reached("5.22 refused refresh token");
            refresh = None;
            if self.provider.primary().is_none() {
                self.fail_for_good("refresh_token_rejected");
            }
        }
        if refresh != self.refresh || brings {
            self.forget_refusals();
        }
        self.refresh = refresh;
        self.ends = super::RefreshEnds { told, idle, heard: None };
        self.ends.heard = self.refresh_end();
        Found::Taken
    }

    /// 5.23: an access token of a find, if it is usable.
    fn brought(&self, saved: &SavedToken, find: &Snapshot, wall: Option<u64>) -> Option<Token> {
        if !wire::allowed_token(&self.provider, &saved.bytes) {
            return None;
        }
        let windows = match saved.deadlines {
            Deadlines::NoEnd => None,
            Deadlines::Unknown => return None,
            Deadlines::Wall { refresh_at, usable_until } => {
                let (wall, theirs) = (wall?, find.wall?);
                if theirs > wall.saturating_add(APART_S) {
                    return None;
                }
                let w = i128::from(wall.max(theirs));
                let here = |deadline: i128| instant(i128::from(self.clock) + (deadline - w) * 1000 - 1000);
                let windows = Windows { refresh_at: here(refresh_at), usable_until: here(usable_until) };
                if windows.usable_until <= self.clock {
                    return None;
                }
                Some(windows)
            }
        };
        Some(Token { bytes: saved.bytes.clone(), windows, ended: false, received: None })
    }
}
