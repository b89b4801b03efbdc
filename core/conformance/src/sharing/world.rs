//! One run: processes with the real core, their loop, storage, the network, people, and the judge.

use std::collections::BTreeMap;

use tokenward::parts::ClientAuthentication;
use tokenward::storage::{Found, Storage};
use tokenward::{
    Answer, Credentials, Error, Grant, Identity, Instant, Next, Options, Outcome, Poll, Provider,
    RefreshPolicy, RequestId, Slots, TokenManager, TokenResponse, UnixTime,
};

use super::service::{NEVER, Presented, Service};
use super::{Breach, Primary, Setting, Tally};
use crate::dice::Dice;

const KEY: [u8; 32] = [7; 32];
const CREDENTIALS: Credentials<'static> = Credentials {
    client_id: "id",
    client_secret: "secret",
    username: "name",
    password: "word",
    bearer: "",
    assertion: None,
};
const BEGINNING_S: u64 = 1_700_000_000;
const HOUR_MS: u64 = 3_600_000;
const SAMPLE_MS: u64 = 5_000;
/// How long a process waits for the lock.
const LOCK_MS: u64 = 5_000;
/// In good storage an answer is stored after this time, whatever failed before.
const STORED_SOON_MS: u64 = 6_000;

/// The timeouts of different processes, in seconds.
const TIMEOUTS_S: [u64; 3] = [10, 30, 60];
const POLICIES: [RefreshPolicy; 3] = {
    const fn policy(timeout_s: u64) -> RefreshPolicy {
        RefreshPolicy { response_timeout_ms: timeout_s * 1000, ..RefreshPolicy::DEFAULT }
    }
    [policy(TIMEOUTS_S[0]), policy(TIMEOUTS_S[1]), policy(TIMEOUTS_S[2])]
};
static PROVIDERS: [[Provider<'static>; 3]; 3] = {
    const fn provider(timeout: usize, primary_grant: Option<Grant>) -> Provider<'static> {
        const P: &[RefreshPolicy; 3] = &POLICIES;
        Provider {
            name: "simulated",
            base_url: Some("https://login.example"),
            token_path: Some("/token"),
            authentication: Some(ClientAuthentication::BASIC),
            policy: Some(&P[timeout]),
            primary_grant,
            refresh_grant: true,
            ..Provider::custom()
        }
    }
    const fn providers(primary_grant: Option<Grant>) -> [Provider<'static>; 3] {
        [provider(0, primary_grant), provider(1, primary_grant), provider(2, primary_grant)]
    }
    [providers(None), providers(Some(Grant::ClientCredentials)), providers(Some(Grant::Password))]
};

/// Which tokens bytes hold: the number of the refresh token, and of the access token; 0 is none.
fn tokens(bytes: &[u8]) -> (u32, u32) {
    let number = |name: &str| {
        let digits = |text: &[u8]| std::str::from_utf8(text).ok()?.strip_prefix(name)?.parse().ok();
        bytes.windows(11).find_map(digits).unwrap_or(0)
    };
    (number("rt-"), number("at-"))
}

fn texts(token: u32) -> (String, String) {
    (format!("at-{token:08}"), format!("rt-{token:08}"))
}

/// A slot with something in it.
#[derive(Clone)]
struct Written {
    bytes: Vec<u8>,
    /// None: it is torn.
    whole: Option<Whole>,
}

/// What a snapshot is, as who knows everything sees it.
#[derive(Clone, Copy)]
struct Whole {
    revision: u64,
    refresh: u32,
    access: u32,
    act: usize,
}

impl Whole {
    /// Somebody has signed out.
    const fn is_tombstone(&self) -> bool {
        self.refresh == 0 && self.access == 0
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Doing {
    Nothing,
    WaitingForLock,
    Loading(RequestId),
    Storing(RequestId),
    FetchingCredentials,
}

/// A request on its way.
#[derive(Clone, Copy)]
struct Out {
    process: usize,
    life: u32,
    id: RequestId,
    /// The refresh token that it presents; 0 is none.
    refresh: u32,
    began_at: u64,
    late: bool,
}

struct Process {
    manager: TokenManager<'static, [u8; 64]>,
    alive: bool,
    life: u32,
    /// What its monotonic clock is ahead of true time.
    booted: u64,
    /// What its wall clock is ahead of true time, in milliseconds; none: it has none.
    wall: Option<i64>,
    timeout: usize,
    takes_up: bool,
    doing: Doing,
    holds_lock: bool,
    /// Counts what it waits for, so that an older waking does nothing.
    wake: u32,
    asleep_until: u64,
    writing: Option<(usize, Written)>,
    polled: Option<Poll>,
    /// The refresh token in its memory, as far as one can see from outside.
    refresh: u32,
    /// The act in its memory that it has not been told is stored, and since when.
    unsaved: Option<(usize, u64)>,
    /// It holds an answer that it has not been told is stored.
    unsaved_answer: bool,
    /// Whom storage named when it looked last, or wrote.
    saw: Option<usize>,
    last_lent_wrongly: Option<usize>,
    signed_out_by: usize,
    request: Option<Out>,
    supply: Option<RequestId>,
    /// It wants somebody to sign in.
    asks: bool,
    /// Since when it has wanted that without a token, although there is a session.
    needless_since: Option<u64>,
    without_token_since: u64,
}

enum Event {
    Start(usize),
    Wake(usize, u32, u32),
    LockTimeout(usize, u32, u32),
    Loaded(usize, u32),
    Stored(usize, u32),
    CredentialsCame(usize, u32),
    Send(Out),
    Serve(Out),
    Answer(Out, Said),
    GiveUp(Out),
    Crash(usize, u32),
    Sleep(usize, u64),
    SignIn { process: usize, only_if_out: bool },
    SignOut(usize),
    Supplied(usize, u32, RequestId),
    Delete,
    Reload(usize),
    Unauthorized(usize),
    Sample,
}

#[derive(Clone, Copy)]
enum Said {
    Token(u32),
    InvalidGrant,
    Nothing,
}

/// What a person did: the family that came of it, or none for a sign-out.
struct Act {
    family: Option<usize>,
    stored: bool,
}

pub(super) struct World {
    setting: Setting,
    breach: Breach,
    tally: Tally,
    dice: Dice,
    now: u64,
    end: u64,
    events: BTreeMap<(u64, u64), Event>,
    events_so_far: u64,
    processes: Vec<Process>,
    slots: Vec<Option<Written>>,
    lock: Option<usize>,
    waiting: Vec<usize>,
    service: Service,
    acts: Vec<Act>,
    /// Whom storage names.
    named: usize,
    /// The newest act that was ever stored.
    newest_stored: usize,
    unreadable: Vec<(u64, u64)>,
    full: Vec<(u64, u64)>,
    crossing_planned: bool,
    tracing: bool,
    lines: Vec<String>,
}

macro_rules! trace {
    ($world:expr, $($text:tt)*) => {
        if $world.tracing {
            let line = format!("{:>9.3}  {}", $world.now as f64 / 1000.0, format_args!($($text)*));
            $world.lines.push(line);
        }
    };
}

impl World {
    pub(super) fn new(setting: &Setting, breach: Breach, run: u64, tracing: bool) -> Self {
        let mut dice = Dice(run ^ 0x5EED);
        dice.next();
        let end = setting.hours * HOUR_MS;
        let windows = |dice: &mut Dice| {
            let count = if setting.outages { dice.below(5) } else { 0 };
            let window = |dice: &mut Dice| {
                let (from, longest) = (dice.below(end), 1000 << dice.below(11));
                (from, from + longest / 2 + dice.below(longest))
            };
            (0..count).map(|_| window(dice)).collect::<Vec<_>>()
        };
        let (unreadable, full) = (windows(&mut dice), windows(&mut dice));
        let service = Service::new((300 + dice.below(601)) * 1000, setting.grace_ms);
        let mut world = Self {
            setting: *setting,
            breach,
            tally: Tally { runs: 1, ..Tally::default() },
            dice,
            now: 0,
            end,
            events: BTreeMap::new(),
            events_so_far: 0,
            processes: Vec::new(),
            slots: vec![None; if setting.torn { 2 } else { 1 }],
            lock: None,
            waiting: Vec::new(),
            service,
            acts: vec![Act { family: None, stored: true }],
            named: 0,
            newest_stored: 0,
            unreadable,
            full,
            crossing_planned: false,
            tracing,
            lines: Vec::new(),
        };
        world.populate();
        world
    }

    fn populate(&mut self) {
        let Setting { processes: (least, most), clocks_apart_s, without_clock, timeouts, .. } = self.setting;
        let count = least + self.dice.below(most - least + 1);
        let without = if without_clock && self.dice.permille(700) { self.dice.below(count) } else { count };
        for number in 0..count {
            let timeout = if timeouts { self.dice.pick(&[0, 1, 2]) } else { 1 };
            let apart = clocks_apart_s as i64 * 1000;
            let wall = match apart {
                0 => 0,
                _ => self.dice.pick(&[-apart, 0, apart]) + self.dice.below(900) as i64,
            };
            let process = Process {
                manager: self.manager(timeout, 0),
                alive: false,
                life: 0,
                booted: 0,
                wall: (number != without).then_some(wall),
                timeout,
                takes_up: self.dice.permille(500),
                doing: Doing::Nothing,
                holds_lock: false,
                wake: 0,
                asleep_until: 0,
                writing: None,
                polled: None,
                refresh: 0,
                unsaved: None,
                unsaved_answer: false,
                saw: None,
                last_lent_wrongly: None,
                signed_out_by: 0,
                request: None,
                supply: None,
                asks: false,
                needless_since: None,
                without_token_since: 0,
            };
            self.processes.push(process);
        }
    }

    fn manager(&mut self, timeout: usize, at: u64) -> TokenManager<'static, [u8; 64]> {
        let storage = Storage {
            shared: !self.setting.own && self.breach != Breach::SaidToBeOwn,
            slots: self.slots.len() as u8,
            prove_room: self.setting.prove_room,
            ..Storage::OWN
        };
        let options = Options { storage: Some(storage), ..Options::default() };
        let provider = &PROVIDERS[self.setting.primary as usize][timeout];
        let slots = Slots::new([0; 64], 32);
        let now = Instant::from_millis(at);
        TokenManager::with_options(now, provider, Identity::CLIENT, slots, self.dice.next(), options)
            .expect("a manager")
    }

    /// The run from its beginning to its end.
    pub(super) fn live(mut self) -> (Tally, Vec<String>) {
        self.plan();
        while let Some(((at, _), event)) = self.events.pop_first() {
            if at > self.end {
                break;
            }
            self.now = at;
            match self.sleeper(&event) {
                // It happens to a process that sleeps when that wakes.
                Some(wakes_at) => self.at(wakes_at, event),
                None => self.happen(event),
            }
        }
        (self.tally, self.lines)
    }

    fn at(&mut self, at: u64, event: Event) {
        self.events_so_far += 1;
        self.events.insert((at, self.events_so_far), event);
    }

    fn after(&mut self, ms: u64, event: Event) {
        self.at(self.now + ms, event);
    }

    /// What does not depend on what happens.
    fn plan(&mut self) {
        let (count, end, setting) = (self.processes.len(), self.end, self.setting);
        for process in 0..count {
            let late = setting.late_starts && process > 0 && self.dice.permille(300);
            let at = self.dice.below(if late { HOUR_MS } else { SAMPLE_MS });
            self.at(at, Event::Start(process));
            let naps = if setting.sleeps { self.dice.below(4) } else { 0 };
            for _ in 0..naps {
                let longest = self.dice.pick(&[2 * HOUR_MS, 120_000]);
                let (at, ms) = (self.dice.below(end), self.dice.below(longest));
                self.at(at, Event::Sleep(process, ms));
            }
            self.now_and_then(if setting.reloads { 2_400_000 } else { 0 }, || Event::Reload(process));
            self.now_and_then(4 * HOUR_MS, || Event::Unauthorized(process));
        }
        if setting.primary == Primary::None {
            self.at(10_000, Event::SignIn { process: 0, only_if_out: false });
        }
        if setting.users.is_some() {
            let mut at = 600_000;
            loop {
                at += 300_000 + self.dice.below(HOUR_MS);
                if at > end {
                    break;
                }
                self.plan_users(at, 600);
            }
        }
        if setting.deletions && self.dice.permille(400) {
            let at = 600_000 + self.dice.below(end);
            self.at(at, Event::Delete);
            let later = at + 30_000 + self.dice.below(900_000);
            self.at(later, Event::SignIn { process: 0, only_if_out: true });
        }
        self.after(SAMPLE_MS, Event::Sample);
    }

    /// As often as `longest` says; never if it is 0.
    fn now_and_then(&mut self, longest: u64, event: impl Fn() -> Event) {
        if longest == 0 {
            return;
        }
        let mut at = self.dice.below(longest);
        while at <= self.end {
            self.at(at, event());
            at += self.dice.below(longest);
        }
    }

    /// Somebody signs in over who is there, or signs out, and another in.
    fn plan_users(&mut self, at: u64, sign_outs_permille: u64) {
        let count = self.processes.len() as u64;
        let process = self.dice.below(count) as usize;
        if !self.dice.permille(sign_outs_permille) {
            return self.at(at, Event::SignIn { process, only_if_out: false });
        }
        self.at(at, Event::SignOut(process));
        let other = if self.dice.permille(500) { process } else { self.dice.below(count) as usize };
        let longest = if self.dice.permille(300) { 3_000 } else { 600_000 };
        let later = at + 1 + self.dice.below(longest);
        self.at(later, Event::SignIn { process: other, only_if_out: true });
    }

    fn sleeper(&self, event: &Event) -> Option<u64> {
        let process = match event {
            Event::Wake(process, ..)
            | Event::LockTimeout(process, ..)
            | Event::Loaded(process, _)
            | Event::Stored(process, _)
            | Event::CredentialsCame(process, _)
            | Event::Send(Out { process, .. })
            | Event::Answer(Out { process, .. }, _)
            | Event::GiveUp(Out { process, .. })
            | Event::SignIn { process, .. }
            | Event::SignOut(process)
            | Event::Supplied(process, ..)
            | Event::Reload(process)
            | Event::Unauthorized(process) => *process,
            Event::Start(_)
            | Event::Serve(_)
            | Event::Crash(..)
            | Event::Sleep(..)
            | Event::Delete
            | Event::Sample => return None,
        };
        let wakes_at = self.processes[process].asleep_until;
        (wakes_at > self.now).then_some(wakes_at)
    }

    fn lives(&self, process: usize, life: u32) -> bool {
        self.processes[process].alive && self.processes[process].life == life
    }

    fn instant(&self, process: usize) -> Instant {
        Instant::from_millis(self.now + self.processes[process].booted)
    }

    fn wall(&self, process: usize) -> Option<UnixTime> {
        let ahead = self.processes[process].wall?;
        let ms = (BEGINNING_S * 1000 + self.now).saturating_add_signed(ahead);
        Some(UnixTime::from_secs(ms / 1000))
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start(process) => self.start(process),
            Event::Wake(process, life, wake)
                if self.lives(process, life) && self.processes[process].wake == wake =>
            {
                self.go_on(process);
            }
            Event::LockTimeout(process, life, wake) => self.lock_timeout(process, life, wake),
            Event::Loaded(process, life) if self.lives(process, life) => self.loaded(process),
            Event::Stored(process, life) if self.lives(process, life) => self.stored(process),
            Event::CredentialsCame(process, life) if self.lives(process, life) => self.begin(process),
            Event::Send(out) if self.lives(out.process, out.life) => self.send(out),
            Event::Serve(out) => self.serve(out),
            Event::Answer(out, said) if self.lives(out.process, out.life) => self.answer(out, said),
            Event::GiveUp(out) if self.lives(out.process, out.life) => self.give_up(out),
            Event::Crash(process, life) if self.lives(process, life) => self.crash(process),
            Event::Sleep(process, ms) => self.sleep(process, ms),
            Event::SignIn { process, only_if_out } => self.sign_in(process, only_if_out),
            Event::SignOut(process) => self.sign_out(process),
            Event::Supplied(process, life, id) if self.lives(process, life) => self.supplied(process, id),
            Event::Delete => self.delete(),
            Event::Reload(process) if self.processes[process].alive => {
                self.processes[process].manager.reload();
                self.go_on(process);
            }
            Event::Unauthorized(process) if self.processes[process].alive => {
                let now = self.instant(process);
                let manager = &mut self.processes[process].manager;
                let generation = manager.generation();
                let _ = manager.rejected(now, generation, 401, None);
                trace!(self, "P{process} 401");
                self.go_on(process);
            }
            Event::Sample => {
                self.sample();
                self.after(SAMPLE_MS, Event::Sample);
            }
            _ => {}
        }
    }

    fn start(&mut self, number: usize) {
        let booted = self.dice.below(1 << 30);
        let manager = self.manager(self.processes[number].timeout, self.now + booted);
        let process = &mut self.processes[number];
        process.life += 1;
        process.alive = true;
        process.booted = booted;
        process.manager = manager;
        process.doing = Doing::Nothing;
        process.polled = None;
        process.refresh = 0;
        process.unsaved = None;
        process.unsaved_answer = false;
        process.saw = None;
        process.last_lent_wrongly = None;
        process.request = None;
        process.supply = None;
        process.asks = false;
        process.needless_since = None;
        process.without_token_since = self.now;
        let (life, timeout_s) = (process.life, TIMEOUTS_S[process.timeout]);
        trace!(
            self,
            "P{number} starts: timeout {timeout_s} s, wall clock {:?} ms", self.processes[number].wall
        );
        self.go_on(number);
        if self.setting.crashes > 0 {
            let after = 1000 + self.dice.below(20_000_000);
            self.after(after, Event::Crash(number, life));
        }
    }

    fn crash(&mut self, number: usize) {
        self.tally.crashes += 1;
        trace!(self, "P{number} crashes: {:?}", self.processes[number].doing);
        if let Some((slot, written)) = self.processes[number].writing.take() {
            match self.dice.below(3) {
                0 => {}
                1 => self.write(number, slot, written),
                _ => self.tear(slot, &written),
            }
        }
        let process = &mut self.processes[number];
        process.alive = false;
        process.asleep_until = 0;
        process.doing = Doing::Nothing;
        self.waiting.retain(|waiting| *waiting != number);
        self.unlock(number);
        let after = 500 + self.dice.below(20_000);
        self.after(after, Event::Start(number));
    }

    fn sleep(&mut self, number: usize, ms: u64) {
        if self.processes[number].alive {
            let until = self.processes[number].asleep_until.max(self.now + ms);
            trace!(self, "P{number} sleeps for {} s: {:?}", ms / 1000, self.processes[number].doing);
            let process = &mut self.processes[number];
            process.asleep_until = until;
            process.without_token_since = until;
            process.needless_since = None;
            process.unsaved = process.unsaved.map(|(act, _)| (act, until));
            let (life, wake) = (process.life, process.wake);
            self.at(until, Event::Wake(number, life, wake));
        }
    }

    // The loop.

    /// Does what `poll` says, until something takes time.
    fn go_on(&mut self, number: usize) {
        if self.processes[number].doing != Doing::Nothing {
            return;
        }
        let now = self.instant(number);
        let poll = self.processes[number].manager.poll(now);
        let life = self.processes[number].life;
        self.processes[number].wake += 1;
        let wake = self.processes[number].wake;
        self.processes[number].polled = Some(poll);
        self.processes[number].asks &= !matches!(poll.next, Next::Request(_) | Next::Nothing);
        match poll.next {
            Next::Load(id) => {
                if self.lock(number) {
                    self.load(number, id);
                } else {
                    self.processes[number].doing = Doing::WaitingForLock;
                    self.after(LOCK_MS, Event::LockTimeout(number, life, wake));
                }
                return;
            }
            Next::Store(id, slot) => return self.store(number, id, usize::from(slot)),
            _ => self.unlock(number),
        }
        match poll.next {
            Next::Request(_) => {
                let late = self.setting.late_credentials && self.dice.permille(100);
                let longest = if late { TIMEOUTS_S[self.processes[number].timeout] * 250 } else { 5 };
                self.processes[number].doing = Doing::FetchingCredentials;
                let ms = self.dice.below(longest);
                return self.after(ms, Event::CredentialsCame(number, life));
            }
            Next::Supply(id, reason) => self.supply(number, id, reason.name()),
            _ => {}
        }
        if let Some(at) = poll.poll_at {
            if at <= now {
                self.tally.idle_polls += 1;
                trace!(self, "P{number} IDLES: {poll:?} at {now:?}");
            }
            let at = at.as_millis().saturating_sub(self.processes[number].booted).max(self.now + 1);
            self.at(at, Event::Wake(number, life, wake));
        }
    }

    /// Whether the process may use storage.
    fn lock(&mut self, number: usize) -> bool {
        let process = &mut self.processes[number];
        if process.holds_lock || self.setting.own || self.breach == Breach::NoLock {
            return true;
        }
        if self.lock.is_some() {
            self.waiting.push(number);
            return false;
        }
        process.holds_lock = true;
        self.lock = Some(number);
        true
    }

    fn unlock(&mut self, number: usize) {
        if !std::mem::take(&mut self.processes[number].holds_lock) {
            return;
        }
        self.lock = None;
        if self.waiting.is_empty() {
            return;
        }
        let place = self.dice.below(self.waiting.len() as u64) as usize;
        let next = self.waiting.remove(place);
        self.processes[next].holds_lock = true;
        self.lock = Some(next);
        self.processes[next].doing = Doing::Nothing;
        let (life, wake) = (self.processes[next].life, self.processes[next].wake);
        self.after(0, Event::Wake(next, life, wake));
    }

    fn lock_timeout(&mut self, number: usize, life: u32, wake: u32) {
        let process = &self.processes[number];
        let waits =
            self.lives(number, life) && process.doing == Doing::WaitingForLock && process.wake == wake;
        if !waits {
            return;
        }
        self.waiting.retain(|waiting| *waiting != number);
        self.processes[number].doing = Doing::Nothing;
        let now = self.instant(number);
        if let Next::Load(id) = self.processes[number].manager.poll(now).next {
            trace!(self, "P{number} gives up on the lock");
            let failed = self.processes[number].manager.load_failed(now, id);
            self.expect(number, "load_failed", failed);
        }
        self.go_on(number);
    }

    fn step_ms(&mut self) -> u64 {
        let longest = if self.dice.permille(50) { 2000 } else { 20 };
        self.dice.below(longest)
    }

    fn load(&mut self, number: usize, id: RequestId) {
        self.take_up(number, id);
        self.processes[number].doing = Doing::Loading(id);
        let (life, ms) = (self.processes[number].life, self.step_ms());
        self.after(ms, Event::Loaded(number, life));
    }

    fn take_up(&mut self, number: usize, id: RequestId) {
        let now = self.instant(number);
        let process = &mut self.processes[number];
        if process.takes_up {
            let took = process.manager.took(now, id);
            self.expect(number, "took", took);
        }
    }

    /// A call in its order is not refused.
    fn expect<T>(&mut self, number: usize, call: &str, result: Result<T, Error>) {
        if let Err(error) = result {
            self.tally.refused_calls += 1;
            trace!(self, "P{number} REFUSES {call}: {error:?}");
        }
    }

    fn within(windows: &[(u64, u64)], now: u64) -> bool {
        windows.iter().any(|(from, until)| (*from..*until).contains(&now))
    }

    fn loaded(&mut self, number: usize) {
        let Doing::Loading(id) = self.processes[number].doing else { return };
        self.processes[number].doing = Doing::Nothing;
        self.tally.loads += 1;
        let (now, wall) = (self.instant(number), self.wall(number));
        let unreadable =
            Self::within(&self.unreadable, self.now) || (self.setting.outages && self.dice.permille(5));
        if unreadable && self.breach != Breach::UnreadableIsEmpty {
            let failed = self.processes[number].manager.load_failed(now, id);
            self.expect(number, "load_failed", failed);
            trace!(self, "P{number} cannot load");
        } else {
            let slots = self.slots.iter().map(|slot| slot.as_ref().filter(|_| !unreadable));
            let slots: Vec<_> = slots.map(|slot| slot.map(|slot| slot.bytes.as_slice())).collect();
            let process = &mut self.processes[number];
            let found = process.manager.loaded(now, wall, id, &KEY, &slots);
            self.found(number, found);
        }
        if self.breach == Breach::ShortLock {
            self.unlock(number);
        }
        self.judge_lending(number);
        self.go_on(number);
    }

    fn find(&self) -> Option<Whole> {
        let wholes = self.slots.iter().flatten().filter_map(|slot| slot.whole);
        wholes.reduce(|best, whole| if whole.revision > best.revision { whole } else { best })
    }

    /// Keeps track of what the process knows.
    fn found(&mut self, number: usize, found: Result<Found, Error>) {
        let find = self.find();
        let empty = self.slots.iter().all(Option::is_none);
        let named = self.named;
        let process = &mut self.processes[number];
        if find.is_some() || empty {
            process.saw = Some(named);
        }
        if matches!(found, Ok(Found::Taken | Found::SignedOut)) {
            let refresh = find.map_or(0, |find| find.refresh);
            if let Some((act, _)) = process.unsaved.take()
                && find.is_none_or(|find| find.act != act)
            {
                let lost = if self.acts[act].family.is_some() {
                    &mut self.tally.installs_lost
                } else {
                    &mut self.tally.sign_outs_lost
                };
                *lost += 1;
                trace!(self, "P{number} FORGETS the act {act}");
            }
            let process = &mut self.processes[number];
            if std::mem::take(&mut process.unsaved_answer) && process.refresh != refresh {
                let family = self.service.family(process.refresh);
                family.dropped |= family.current == process.refresh;
                trace!(self, "P{number} drops the answer r{}", process.refresh);
            }
            self.processes[number].refresh = refresh;
        }
        if self.tracing {
            let find = find.map_or("nothing".to_owned(), |find| {
                format!("revision {} r{} a{} act {}", find.revision, find.refresh, find.access, find.act)
            });
            trace!(self, "P{number} loads {find}: {found:?}");
        }
    }

    fn store(&mut self, number: usize, id: RequestId, slot: usize) {
        let (now, wall) = (self.instant(number), self.wall(number));
        self.take_up(number, id);
        let mut out = [0; 512];
        let process = &mut self.processes[number];
        let bytes = match process.manager.snapshot(now, wall, id, &KEY, &mut out) {
            Ok(bytes) => bytes.to_vec(),
            Err(error) => {
                let failed = process.manager.store_failed(now, id);
                self.expect(number, "snapshot", Err::<(), _>(error).and(failed));
                return;
            }
        };
        let (refresh, access) = tokens(&bytes);
        let mut act = process.signed_out_by;
        for token in [access, refresh] {
            if token != 0 {
                act = self.service.act(token);
            }
        }
        let whole = Whole { revision: process.manager.revision().0, refresh, access, act };
        process.writing = Some((slot, Written { bytes, whole: Some(whole) }));
        process.doing = Doing::Storing(id);
        let (life, ms) = (process.life, self.step_ms());
        self.after(ms, Event::Stored(number, life));
    }

    fn stored(&mut self, number: usize) {
        let Doing::Storing(id) = self.processes[number].doing else { return };
        let Some((slot, written)) = self.processes[number].writing.take() else { return };
        self.processes[number].doing = Doing::Nothing;
        self.tally.stores += 1;
        let now = self.instant(number);
        let whole = written.whole.expect("a snapshot was written");
        let out_of_order = Self::within(&self.unreadable, self.now) || Self::within(&self.full, self.now);
        let by_chance = match self.setting {
            Setting { outages: true, .. } => self.dice.permille(10),
            Setting { torn: true, .. } => self.dice.permille(2),
            _ => false,
        };
        if out_of_order || by_chance {
            match self.dice.below(3) {
                1 if !out_of_order => self.write(number, slot, written),
                2 => self.tear(slot, &written),
                _ => {}
            }
            let failed = self.processes[number].manager.store_failed(now, id);
            self.expect(number, "store_failed", failed);
            trace!(self, "P{number} cannot store revision {}", whole.revision);
        } else {
            let announces = self.find().is_some_and(|find| find.refresh == whole.refresh);
            if announces && self.breach == Breach::SilentAnnouncements {
                self.processes[number].saw = Some(self.named);
            } else {
                self.write(number, slot, written);
            }
            let process = &mut self.processes[number];
            let stored = process.manager.stored(now, id);
            if process.unsaved.is_some_and(|(act, _)| act == whole.act) {
                process.unsaved = None;
            }
            process.unsaved_answer &= process.refresh != whole.refresh;
            trace!(
                self,
                "P{number} stores revision {} r{} a{} act {} in slot {slot}",
                whole.revision,
                whole.refresh,
                whole.access,
                whole.act
            );
            self.expect(number, "stored", stored);
        }
        if self.breach == Breach::ShortLock {
            self.unlock(number);
        }
        self.judge_lending(number);
        self.go_on(number);
    }

    fn tear(&mut self, slot: usize, written: &Written) {
        if self.setting.torn {
            trace!(self, "  slot {slot} is torn");
            let bytes = written.bytes[..written.bytes.len() / 2].to_vec();
            self.slots[slot] = Some(Written { bytes, whole: None });
        }
    }

    fn begin(&mut self, number: usize) {
        self.processes[number].doing = Doing::Nothing;
        let now = self.instant(number);
        let mut out = [0; 512];
        let process = &mut self.processes[number];
        let began = process.manager.begin(now, &CREDENTIALS, &mut out);
        let Ok((id, request)) = began else {
            self.tally.not_due += 1;
            trace!(self, "P{number} has credentials too late: {:?}", began.err());
            return self.go_on(number);
        };
        self.tally.requests += 1;
        let (refresh, _) = tokens(request.body());
        let life = process.life;
        if refresh != 0 && refresh != process.refresh {
            self.tally.refused_calls += 1;
            trace!(self, "P{number} PRESENTS r{refresh}, which it does not hold");
        }
        let out = Out { process: number, life, id, refresh, began_at: self.now, late: false };
        self.processes[number].request = Some(out);
        trace!(self, "P{number} begins with r{refresh}");
        let ms = 1 + self.dice.below(3);
        self.after(ms, Event::Send(out));
        if self.breach != Breach::NoTimeLimits {
            self.after(TIMEOUTS_S[self.processes[number].timeout] * 1000, Event::GiveUp(out));
        }
        if self.dice.permille(self.setting.users.unwrap_or(0)) && !self.crossing_planned {
            self.crossing_planned = self.setting.users.is_some_and(|users| users < 100);
            let at = self.now + self.dice.below(2500);
            self.plan_users(at, 500);
        }
        if self.dice.permille(self.setting.crashes) {
            let longest = 1 << self.dice.below(13);
            let ms = self.dice.below(longest);
            self.after(ms, Event::Crash(number, life));
        }
        if self.setting.sleeps && self.dice.permille(5) {
            let (soon, ms) = (self.dice.below(7), self.dice.below(200_000));
            self.after(soon, Event::Sleep(number, ms));
        }
        self.go_on(number);
    }

    // The network and the service.

    fn send(&mut self, out: Out) {
        let timeout = TIMEOUTS_S[self.processes[out.process].timeout] * 1000;
        let late = self.now - out.began_at > timeout / 4;
        if late && self.breach != Breach::NoTimeLimits {
            trace!(self, "P{} does not send so late", out.process);
        } else if self.dice.permille(10) {
            if self.dice.permille(500) {
                self.after(800, Event::Answer(out, Said::Nothing));
            }
        } else {
            let ms = 20 + self.dice.below(300);
            self.after(ms, Event::Serve(Out { late, ..out }));
        }
    }

    fn serve(&mut self, out: Out) {
        let timeout = TIMEOUTS_S[self.processes[out.process].timeout] * 1000;
        let ms = if self.dice.permille(self.setting.slow) {
            timeout / 2 + self.dice.below(timeout * 53 / 100)
        } else {
            50 + self.dice.below(1500)
        };
        let lost = self.dice.permille(self.setting.lost);
        let token = if out.refresh == 0 {
            self.service.grant(self.now, 0)
        } else {
            match self.service.present(self.now, out.refresh) {
                Presented::Rotated { token, early } => {
                    self.tally.rotations += 1;
                    self.tally.early_rotations += u64::from(early);
                    token
                }
                presented => {
                    if let Presented::Reused = presented {
                        self.judge_kill(&out);
                    }
                    return self.after(80, Event::Answer(out, Said::InvalidGrant));
                }
            }
        };
        trace!(
            self,
            "service: r{} of P{} becomes r{token}{}",
            out.refresh,
            out.process,
            if lost { ", lost" } else { "" }
        );
        let now = self.now;
        let family = self.service.family(token);
        family.receiver = Some((out.process, out.life));
        family.arrives_at = if lost { NEVER } else { now + ms };
        family.given_up_at = out.began_at + timeout;
        family.arrived_at = NEVER;
        if !lost {
            self.after(ms, Event::Answer(out, Said::Token(token)));
        }
    }

    fn answer(&mut self, out: Out, said: Said) {
        let number = out.process;
        let (now, wall) = (self.instant(number), self.wall(number));
        let process = &mut self.processes[number];
        let ours = process.request.is_some_and(|request| request.id == out.id);
        if !ours {
            self.tally.stale_answers += 1;
            trace!(self, "P{number} waits for the answer no longer");
            return;
        }
        process.request = None;
        let reply = |status, body: &str| (status, body.to_owned());
        let (status, body) = match said {
            Said::Nothing => {
                let _ = process.manager.failed(now, out.id);
                trace!(self, "P{number} has no connection");
                return self.go_on(number);
            }
            Said::InvalidGrant => reply(400, r#"{"error":"invalid_grant"}"#),
            Said::Token(token) => {
                let (access, refresh) = texts(token);
                let seconds = self.service.lifetime_s();
                let body = format!(
                    r#"{{"access_token":"{access}","refresh_token":"{refresh}","token_type":"Bearer","expires_in":{seconds}}}"#
                );
                (200, body)
            }
        };
        let answer = Answer { status, headers: &[], body: body.as_bytes(), wall };
        let outcome = process.manager.answer(now, out.id, &answer);
        match (said, outcome) {
            // Whoever slept has the refresh token all the same.
            (Said::Token(token), Ok(Outcome::Token(_)) | Err(Error::AlreadyExpired)) => {
                process.refresh = token;
                process.unsaved_answer = true;
                self.service.family(token).arrived_at = self.now;
                trace!(self, "P{number} has r{token}");
            }
            (Said::Token(token), Err(Error::StaleRequest)) => {
                self.tally.stale_answers += 1;
                let now = self.now;
                let family = self.service.family(token);
                family.dropped |= family.current == token && now < family.given_up_at;
                trace!(self, "P{number} finds the answer r{token} stale");
            }
            (Said::InvalidGrant, Ok(Outcome::Error(_))) => {
                self.tally.refused_tokens += 1;
                if process.refresh == out.refresh {
                    process.refresh = 0;
                    process.unsaved_answer = false;
                }
                trace!(self, "P{number} hears invalid_grant of r{}", out.refresh);
            }
            (Said::InvalidGrant, Err(Error::StaleRequest)) => {}
            (_, outcome) => {
                let said = format!("{outcome:?}");
                self.tally.refused_calls += 1;
                trace!(self, "P{number} READS an answer as {said}");
            }
        }
        self.judge_lending(number);
        self.go_on(number);
    }

    fn give_up(&mut self, out: Out) {
        let now = self.instant(out.process);
        let process = &mut self.processes[out.process];
        if process.request.take_if(|request| request.id == out.id).is_some() {
            let _ = process.manager.failed(now, out.id);
            trace!(self, "P{} waits no longer", out.process);
            self.go_on(out.process);
        }
    }

    // People.

    fn act(&mut self, family: Option<usize>) -> usize {
        self.acts.push(Act { family, stored: false });
        self.acts.len() - 1
    }

    fn newest_act(&self) -> usize {
        self.acts.len() - 1
    }

    fn somebody_is_in(&self) -> bool {
        self.acts[self.newest_act()].family.is_some()
    }

    fn sign_in(&mut self, number: usize, only_if_out: bool) {
        if !self.processes[number].alive {
            return self.after(5000, Event::SignIn { process: number, only_if_out });
        }
        if !(only_if_out && self.somebody_is_in()) {
            self.bring(number, None);
            self.go_on(number);
        }
    }

    /// A token comes from a person: into whatever is there, or as the answer to a question.
    fn bring(&mut self, number: usize, asked: Option<RequestId>) {
        let (now, wall) = (self.instant(number), self.wall(number));
        let token = self.service.grant(self.now, self.acts.len());
        let (access, refresh) = texts(token);
        let response = TokenResponse::new(&access)
            .with_refresh_token(&refresh)
            .with_expires_in(self.service.lifetime_s());
        let manager = &mut self.processes[number].manager;
        let came = match asked {
            Some(id) => manager.supplied(now, wall, id, &response),
            None => manager.install(now, wall, &response),
        };
        if asked.is_some() && matches!(came, Err(Error::StaleRequest)) {
            trace!(self, "P{number}: a sign-in comes too late");
            return;
        }
        let family = self.service.families.len() - 1;
        let act = self.act(Some(family));
        self.tally.sign_ins += 1;
        trace!(self, "P{number} SIGN-IN, act {act}: r{token}");
        self.expect(number, "install", came);
        let process = &mut self.processes[number];
        process.refresh = token;
        process.unsaved = Some((act, self.now));
        process.unsaved_answer = false;
        self.judge_lending(number);
    }

    fn sign_out(&mut self, number: usize) {
        if !self.processes[number].alive || !self.somebody_is_in() {
            return;
        }
        let act = self.act(None);
        self.tally.sign_outs += 1;
        trace!(self, "P{number} SIGN-OUT, act {act}");
        let process = &mut self.processes[number];
        process.manager.clear();
        process.refresh = 0;
        process.unsaved = Some((act, self.now));
        process.unsaved_answer = false;
        process.signed_out_by = act;
        self.judge_lending(number);
        self.go_on(number);
    }

    /// The process wants somebody to sign in.
    fn supply(&mut self, number: usize, id: RequestId, reason: &str) {
        if !std::mem::replace(&mut self.processes[number].asks, true) {
            let needless = self.setting.primary == Primary::None && self.session_is_there();
            self.tally.supplies += u64::from(needless);
            trace!(
                self,
                "P{number} asks for a sign-in: {reason}{}",
                if needless { ", NEEDLESSLY" } else { "" }
            );
        }
        if number == 0 && self.setting.primary == Primary::None && self.processes[0].supply != Some(id) {
            self.processes[0].supply = Some(id);
            let (life, ms) = (self.processes[0].life, 60_000 + self.dice.below(540_000));
            self.after(ms, Event::Supplied(0, life, id));
        }
    }

    /// Somebody has taken the time to sign in, if they want to be signed in.
    fn supplied(&mut self, number: usize, id: RequestId) {
        if self.somebody_is_in() || self.now > self.end * 5 / 6 {
            self.bring(number, Some(id));
            self.go_on(number);
        } else {
            let life = self.processes[number].life;
            self.after(60_000, Event::Supplied(number, life, id));
        }
    }

    fn delete(&mut self) {
        if self.lock.is_some() || self.slots.iter().all(Option::is_none) {
            return self.after(50, Event::Delete);
        }
        let act = self.act(None);
        self.acts[act].stored = true;
        (self.named, self.newest_stored) = (act, act);
        self.slots.iter_mut().for_each(|slot| *slot = None);
        trace!(self, "storage is DELETED, act {act}");
    }

    // The judge.

    fn write(&mut self, number: usize, slot: usize, written: Written) {
        let whole = written.whole.expect("a snapshot was written");
        let act = whole.act;
        let process = &self.processes[number];
        let own = process.unsaved.is_some_and(|(unsaved, _)| unsaved == act);
        if whole.is_tombstone() || own || act > self.newest_stored {
            if act < self.newest_stored {
                self.tally.overtaken += 1;
                trace!(self, "P{number} stores the act {act} over the later {}", self.newest_stored);
            }
        } else if act != self.named && self.setting.primary == Primary::None {
            if self.acts[self.named].family.is_none() {
                self.tally.undone += 1;
                trace!(self, "P{number} UNDOES the sign-out {} with the act {act}", self.named);
            } else {
                self.tally.former_written += 1;
                trace!(self, "P{number} WRITES the former user's act {act} over {}", self.named);
            }
        }
        if whole.access != 0
            && whole.refresh != 0
            && self.service.act(whole.access) != self.service.act(whole.refresh)
        {
            self.tally.former_written += 1;
            trace!(self, "P{number} WRITES tokens of two people");
        }
        self.acts[act].stored = true;
        self.newest_stored = self.newest_stored.max(act);
        self.named = act;
        self.processes[number].saw = Some(act);
        self.slots[slot] = Some(written);
    }

    /// A token that may be sent is that of whom storage named last, or of an act that is not stored yet.
    fn judge_lending(&mut self, number: usize) {
        let now = self.instant(number);
        let process = &self.processes[number];
        let usable = process.manager.poll(now).usable;
        let mut out = [0; 64];
        let bearer = process.manager.authorize(now, "GET", "https://login.example/");
        if usable != bearer.is_ok() {
            self.tally.refused_calls += 1;
            trace!(self, "P{number} LENDS otherwise than it says");
        }
        let Ok(bearer) = bearer else { return };
        let (_, access) = tokens(bearer.write(&mut out).unwrap_or_default());
        let act = self.service.act(access);
        let Some(saw) = process.saw else { return };
        let wrong = act != saw && process.unsaved.is_none_or(|(unsaved, _)| unsaved != act);
        if wrong && process.last_lent_wrongly != Some(saw) {
            self.processes[number].last_lent_wrongly = Some(saw);
            self.tally.lent += 1;
            trace!(self, "P{number} LENDS a token of act {act} although it saw {saw}");
        }
    }

    /// A family has died: could that have been avoided?
    fn judge_kill(&mut self, out: &Out) {
        let now = self.now;
        let newest_act = self.newest_act();
        let family = self.service.family(out.refresh);
        let current = family.current;
        let (arrives_at, arrived_at, given_up_at) =
            (family.arrives_at, family.arrived_at, family.given_up_at);
        let (receiver, dropped, act) = (family.receiver, family.dropped, family.act);
        let of_matter = self.setting.primary != Primary::None || act == newest_act;
        let holds = |written: &Written| written.whole.is_some_and(|whole| whole.refresh == current);
        let stored = self.slots.iter().flatten().any(holds)
            || self.processes.iter().any(|process| {
                process.alive && process.writing.as_ref().is_some_and(|(_, written)| holds(written))
            });
        let receiver =
            receiver.filter(|(process, life)| self.lives(*process, *life)).map(|(process, _)| process);
        let slept = receiver.is_some_and(|receiver| {
            let asleep = self.processes[receiver].asleep_until > out.began_at;
            receiver != out.process && (asleep || (arrived_at != NEVER && arrived_at > given_up_at))
        });
        let holder = self.processes.iter().find(|process| process.alive && process.refresh == current);
        let tally = &mut self.tally;
        let (count, cause) = if !of_matter {
            (&mut tally.killed_of_no_matter, "its user is gone")
        } else if out.late {
            (&mut tally.killed_late, "sent late")
        } else if slept {
            (&mut tally.killed_by_sleep, "who was sent the successor slept")
        } else if stored {
            (&mut tally.killed_though_stored, "AVOIDABLE, the successor is stored")
        } else if let Some(holder) = holder {
            let troubles = self.unreadable.iter().chain(&self.full).filter(|(from, _)| *from < now);
            let in_order_since =
                troubles.map(|(_, until)| (*until).min(now)).max().unwrap_or(0).max(arrived_at);
            if holder.asleep_until > now {
                (&mut tally.killed_by_sleep, "who holds the successor sleeps")
            } else if now - in_order_since > STORED_SOON_MS {
                (&mut tally.killed_though_held, "AVOIDABLE, the successor is held")
            } else {
                (&mut tally.killed_by_storage, "storage is out of order")
            }
        } else if receiver.is_some() && (now..given_up_at).contains(&arrives_at) {
            (&mut tally.killed_though_under_way, "AVOIDABLE, the successor is under way")
        } else if dropped {
            (&mut tally.killed_though_dropped, "AVOIDABLE, the successor was dropped")
        } else {
            (&mut tally.killed_inevitably, "the successor is lost")
        };
        *count += 1;
        trace!(self, "KILL by P{} with r{}, current r{current}: {cause}", out.process, out.refresh);
        // Who has the token is told by the API.
        for process in 0..self.processes.len() {
            let ms = self.dice.below(60_000);
            self.after(ms, Event::Unauthorized(process));
        }
    }

    fn storage_is_in_order(&self) -> bool {
        let now = self.now;
        let out_of_order = Self::within(&self.unreadable, now) || Self::within(&self.full, now);
        !out_of_order && self.lock.is_none_or(|holder| self.processes[holder].asleep_until <= now)
    }

    /// Storage is in order, and names who is signed in; storage or a process that is awake has the current token.
    fn session_is_there(&mut self) -> bool {
        let now = self.now;
        if !self.storage_is_in_order() {
            return false;
        }
        if self.setting.primary != Primary::None {
            return true;
        }
        let newest_act = self.newest_act();
        let Some(family) = self.acts[newest_act].family else { return false };
        let family = &self.service.families[family];
        let current = family.current;
        self.named == newest_act
            && family.alive
            && (self.find().is_some_and(|find| find.refresh == current)
                || self.processes.iter().any(|process| {
                    process.alive && process.asleep_until <= now && process.refresh == current
                }))
    }

    /// What must not last.
    fn sample(&mut self) {
        let there = self.session_is_there();
        // What fails in storage of one's own waits longer.
        let soon = if self.setting.own { 600_000 } else { 120_000 };
        let in_order = self.storage_is_in_order();
        for number in 0..self.processes.len() {
            let now = self.instant(number);
            let process = &mut self.processes[number];
            if !process.alive || process.asleep_until > self.now {
                process.without_token_since = self.now;
                continue;
            }
            let poll = process.manager.poll(now);
            if let Some(polled) = process.polled
                && process.doing == Doing::Nothing
                && (polled.next, polled.usable) != (poll.next, poll.usable)
                && polled.poll_at.is_none_or(|at| at > now)
            {
                self.tally.silent_changes += 1;
                trace!(self, "P{number} CHANGES without a word: {polled:?}, {poll:?}");
            }
            let process = &mut self.processes[number];
            if there {
                self.tally.good_ms += SAMPLE_MS;
                self.tally.without_token_ms += if poll.usable { 0 } else { SAMPLE_MS };
            }
            if poll.usable || !there {
                process.without_token_since = self.now;
            }
            match poll.next {
                _ if poll.usable || !there || self.setting.primary != Primary::None => {
                    process.needless_since = None
                }
                Next::Supply(..) => process.needless_since = process.needless_since.or(Some(self.now)),
                Next::Load(_) | Next::Await(_) => {}
                _ => process.needless_since = None,
            }
            if self.now.saturating_sub(process.without_token_since) > 600_000 {
                process.without_token_since = self.now + HOUR_MS;
                self.tally.deadlocks += 1;
                trace!(self, "P{number} DEADLOCK: {poll:?}");
            }
            if process.needless_since.is_some_and(|since| self.now.saturating_sub(since) > 120_000) {
                process.needless_since = Some(self.now + HOUR_MS);
                self.tally.sessions_lost += 1;
                trace!(self, "P{number} ASKS for a sign-in although there is a session");
            }
            match process.unsaved {
                Some((act, _)) if !in_order => process.unsaved = Some((act, self.now)),
                Some((act, since)) if self.now.saturating_sub(since) > soon && !self.acts[act].stored => {
                    process.unsaved = Some((act, self.now + HOUR_MS));
                    self.tally.unsaved_acts += 1;
                    trace!(self, "P{number} DOES NOT STORE the act {act}: {poll:?}");
                }
                _ => {}
            }
            self.judge_lending(number);
        }
    }
}
