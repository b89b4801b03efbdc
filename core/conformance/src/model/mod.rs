//! A naive token manager, written from the description of the behaviour alone: plain, slow and obvious.
//!
//! `run` replays a scenario and says for every step all that its `expect` may name. `generate` makes random scenarios.

mod device;

/// The body of an answer.
fn body(step: &Value) -> Vec<u8> {
    match step["body_hex"].as_str() {
        Some(hex) => unhex(hex),
        None => step["body"].as_str().unwrap_or("").as_bytes().to_vec(),
    }
}

/// What a step's request presents: the file's, if it says no other.
fn credentials<'v>(step: &'v Value, scenario: &'v Value) -> &'v Value {
    step.get("credentials").unwrap_or(&scenario["credentials"])
}

/// What stands for `{name}` in a request that no manager asks for.
fn values(step: &Value, scenario: &Value) -> Value {
    json!({"values": step.get("additions").unwrap_or(&scenario["additions"])["values"]})
}

#[cfg(test)]
mod examples;
pub(crate) mod generate;
pub(crate) mod json;
pub(crate) mod presets;
mod revocation;
mod sign_in;
pub(crate) mod storage;
pub(crate) mod wire;

use crate::dice::Dice;
use device::Device;
use presets::{Grant, MissingLifetime, Policy, Provider};
use serde_json::{Map, Value, json};
use sign_in::{SigningIn, StoredSignIn};
use std::cell::Cell;
use std::rc::Rc;
use storage::{Slots, Source, Storage, Task};
use wire::{Answer, Installed, Refusal, TokenResponse};

/// Replays a scenario: one object for each step.
pub(crate) fn run(scenario: &Value) -> Vec<Value> {
    let mut replay = Replay::new(scenario);
    scenario["steps"].as_array().into_iter().flatten().map(|step| replay.step(step)).collect()
}

/// Notes that a scenario has come to a rule, for the test that asks how often the random ones do.
fn reached(rule: &'static str) {
    #[cfg(test)]
    examples::REACHED.with_borrow_mut(|rules| rules.insert(rule));
    #[cfg(not(test))]
    let _ = rule;
}

/// An integer, written as a number or, beyond 2^53, as a string.
pub(crate) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn written(value: u64) -> Value {
    if value > 1 << 53 { json!(value.to_string()) } else { json!(value) }
}

/// `x · u`, floored.
fn times(x: i128, u: i128) -> i128 {
    (x * u) >> 32
}

fn or_an_hour(seconds: u64) -> u64 {
    if seconds == 0 {
        reached("1.30 zero");
        return 3600;
    }
    seconds
}

/// Statuses under which an answer is no word of the service, whatever it says.
fn in_trouble(status: u64) -> bool {
    status >= 500 || [408, 425, 429].contains(&status)
}

/// Back into the range of an instant.
fn instant(value: i128) -> u64 {
    u64::try_from(value.max(0)).unwrap_or(u64::MAX)
}

// ---- what a manager holds

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Windows {
    pub(crate) refresh_at: u64,
    pub(crate) usable_until: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) bytes: Vec<u8>,
    /// None: it has no end (a static token).
    pub(crate) windows: Option<Windows>,
    /// A 401 ended it.
    pub(crate) ended: bool,
    /// None: long ago (it was restored).
    pub(crate) received: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Out {
    pub(crate) id: u64,
    pub(crate) grant: Grant,
    pub(crate) begun: u64,
    /// The refresh token that it presented.
    presented: Option<Vec<u8>>,
    /// Past its timeout: it has failed, but its answer still commits.
    pub(crate) late: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next {
    Nothing,
    Request(Grant),
    /// Whether it is something else than an answer of the token endpoint.
    Await(bool),
    Wait,
    Supply(String),
    Load,
    /// The slot.
    Store(u64),
}

/// Name, environment, origin of the base URL, account, site and whether there is one.
type Identity = (String, String, String, String, String, bool);

/// What a failed request waits for.
enum Wait {
    Computed,
    /// A token did not fit: the longest backoff.
    Longest,
}

/// A permanent failure.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) reason: &'static str,
    /// When it lifts itself, if it does.
    pub(crate) lifts_at: Option<u64>,
}

/// A configuration that was refused is asked again after this.
const RECHECK_MS: u64 = 3_600_000;
/// From a `begin` on no other such request is due for this long.
const SECOND_MS: u64 = 1000;
/// The codes that say that the configuration is at fault.
const CONFIGURATION: [&str; 5] =
    ["invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_request"];
const SLOW_DOWN_MS: u64 = 5000;
const SLOWEST_MS: u64 = 3_600_000;

#[derive(Clone, Debug)]
pub(crate) struct Manager {
    pub(crate) provider: Provider,
    pub(crate) policy: Policy,
    pub(crate) site: String,
    account: String,
    allow_loopback_http: bool,
    capacity: (u64, u64),

    pub(crate) clock: u64,
    random: Dice,
    pub(crate) spread_until: u64,

    pub(crate) token: Option<Token>,
    pub(crate) refresh: Option<Vec<u8>>,
    pub(crate) ends: RefreshEnds,
    pub(crate) generation: u64,

    pub(crate) out: Option<Out>,
    last_id: u64,
    /// The last request: when, and with which grant.
    last_begin: Option<(u64, Grant)>,
    failures: u64,
    pub(crate) backoff_until: Option<u64>,
    slow_down_ms: u64,
    /// ε times 2^32.
    pub(crate) epsilon: Option<i128>,
    /// Refusals of the refresh grant, or of the password while no refresh token is held.
    pub(crate) refusals: u64,
    /// It is the primary grant's turn, although a refresh token is held.
    pub(crate) primary_turn: bool,
    /// The password has had its turn for the refresh token held.
    pub(crate) turn_used: bool,
    pub(crate) failure: Option<Failure>,
    /// The 401s of a token that never expires, since it was stored or restored.
    revocations: u64,
    /// The refresh token that `invalid_grant` ended.
    refused: Option<Vec<u8>>,

    pub(crate) storage: Option<Storage>,
    pub(crate) source: Source,
    /// The last number that was drawn, in whatever manager.
    numbers: Rc<Cell<u64>>,
}

type Refused = &'static str;

/// When the refresh token ends, where that is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct RefreshEnds {
    /// By what the service said.
    pub(crate) told: Option<u64>,
    /// If it is not used.
    pub(crate) idle: Option<u64>,
    /// What storage has heard, or is to hear.
    pub(crate) heard: Option<u64>,
}

impl Manager {
    fn new(
        now: u64,
        provider: Provider,
        policy: Policy,
        scenario: &Value,
        step: &Value,
        seed: u64,
        numbers: Rc<Cell<u64>>,
    ) -> Manager {
        let named = |name: &str| named(scenario, step, name);
        numbers.set(numbers.get() + 1);
        let capacity = step.get("capacity").unwrap_or(&scenario["capacity"]);
        let mut manager = Manager {
            provider,
            policy,
            site: named("site"),
            account: named("account"),
            allow_loopback_http: scenario["allow_loopback_http"] == true,
            capacity: (
                number(&capacity["access"]).unwrap_or(2048),
                number(&capacity["refresh"]).unwrap_or(2048),
            ),
            clock: now,
            random: Dice(seed),
            spread_until: now,
            token: None,
            refresh: None,
            ends: RefreshEnds::default(),
            generation: 0,
            out: None,
            last_id: 0,
            last_begin: None,
            failures: 0,
            backoff_until: None,
            slow_down_ms: 0,
            epsilon: None,
            refusals: 0,
            primary_turn: false,
            turn_used: false,
            failure: None,
            revocations: 0,
            refused: None,
            storage: Storage::new(&scenario["storage"], number(&step["floor"]), now, numbers.get()),
            source: Source::new(&scenario["source"]),
            numbers,
        };
        let u = manager.draw();
        let spread = (i128::from(manager.policy.startup_spread_ms) * u) >> 32;
        manager.spread_until = instant(i128::from(now) + spread);
        manager
    }

    /// `u` times 2^32: the upper half of the next SplitMix64 value.
    fn draw(&mut self) -> i128 {
        if self.policy.jitter_permille == 0 {
            return 0;
        }
        i128::from(self.random.next() >> 32)
    }

    fn identity(&self) -> Identity {
        let Provider { name, environment, base_url, .. } = &self.provider;
        let origin = match wire::read_url(base_url) {
            Some(url) => format!("{}://{}:{}", url.scheme, url.host, url.port),
            None => base_url.clone(),
        };
        let site = self.site.clone();
        (name.clone(), environment.clone(), origin, self.account.clone(), site, !self.site.is_empty())
    }

    // ---- time

    /// Moves the clock, never back, and lets what ends by itself end.
    fn advance(&mut self, now: u64) {
        self.clock = self.clock.max(now);
        if self.failure.as_ref().is_some_and(|f| f.lifts_at.is_some_and(|at| at <= self.clock)) {
            self.failure = None;
        }
        if let Some(out) = self.out.clone() {
            let timeout = out.begun.saturating_add(self.policy.response_timeout_ms);
            if !out.late && self.clock >= timeout {
                self.out = Some(Out { late: true, ..out.clone() });
                self.fail(timeout, Wait::Computed, None);
                self.give_the_turn_back(&out, false);
            }
        }
        self.let_go_of_the_lock();
    }

    fn at(&self, now: u64) -> Manager {
        let mut then = self.clone();
        then.advance(now);
        then
    }

    fn usable_at(&self, now: u64) -> bool {
        match &self.token {
            None => false,
            Some(token) => {
                !token.ended
                    && !self.revoked()
                    && token.windows.is_none_or(|w| now < w.usable_until)
                    && self.storage_lets_use(now)
            }
        }
    }

    fn revoked(&self) -> bool {
        self.failure.as_ref().is_some_and(|f| f.reason == "revoked")
    }

    fn refresh_is_due(&self, now: u64) -> bool {
        match &self.token {
            None => true,
            Some(token) => token.ended || token.windows.is_some_and(|w| w.refresh_at <= now),
        }
    }

    /// 2.107: when the refresh token that is held ends.
    fn refresh_end(&self) -> Option<u64> {
        self.refresh.as_ref()?;
        [self.ends.told, self.ends.idle].into_iter().flatten().min()
    }

    /// 2.109
    pub(crate) fn can_refresh(&self) -> bool {
        self.refresh.is_some() && self.refresh_end().is_none_or(|end| self.clock < end)
    }

    /// 2.110
    fn sign_in_by(&self) -> Option<u64> {
        let forever = self.token.as_ref().is_some_and(|token| token.windows.is_none() && !token.ended);
        self.refresh_end().filter(|_| self.provider.primary().is_none() && !forever)
    }

    /// 2.107 and 2.108; whether storage must hear of it, by 5.8.
    fn keep_ends(&mut self, begun: u64, life: Option<u64>, refreshed: bool, rotated: bool) -> bool {
        if !self.provider.knows_refresh_life() || self.refresh.is_none() {
            return rotated;
        }
        let after =
            |seconds: u64| begun.checked_add(seconds.checked_mul(1000)?).filter(|end| *end != u64::MAX);
        if life.is_some() || !refreshed {
            self.ends.told = life.and_then(after);
        }
        let idle = self.provider.refresh_idle_s;
        self.ends.idle = if idle > 0 { after(idle) } else { None };
        let Some(end) = self.refresh_end() else {
            if rotated {
                self.ends.heard = None;
            }
            return rotated;
        };
        let half = end.saturating_sub(self.clock) / 2;
        let soonest = begun.saturating_add(self.policy.min_interval_ms);
        if let Some(windows) = self.token.as_mut().and_then(|token| token.windows.as_mut()) {
            let latest = self.clock.saturating_add(half).max(soonest);
            reached(if latest < windows.refresh_at { "2.108 earlier" } else { "2.108 as it was" });
            windows.refresh_at = windows.refresh_at.min(latest);
        }
        let later = self.ends.heard.map_or(0, |heard| end.saturating_sub(heard));
        let tells = rotated || (self.ends.heard.is_some() && later >= half.max(1));
        if tells {
            self.ends.heard = Some(end);
        }
        tells
    }

    /// What section 2 says to do next, once the clock has been moved.
    fn base(&self) -> Next {
        let now = self.clock;
        if let Some(failure) = &self.failure {
            return Next::Supply(failure.reason.to_owned());
        }
        if self.out.as_ref().is_some_and(|out| !out.late) {
            return Next::Await(false);
        }
        if !self.refresh_is_due(now) {
            return Next::Nothing;
        }
        let refreshes = self.can_refresh() && !self.primary_turn;
        let grant = if refreshes { Some(Grant::RefreshToken) } else { self.provider.primary() };
        let Some(grant) = grant else { return Next::Supply("no_token".to_owned()) };
        let backing_off = self.backoff_until.is_some_and(|until| now < until);
        if now < self.spread_until || backing_off || self.within_a_second(now, grant) {
            return Next::Wait;
        }
        Next::Request(grant)
    }

    /// A request was begun less than a second ago after which none with this grant is due.
    fn within_a_second(&self, now: u64, grant: Grant) -> bool {
        if self.policy.fraction_permille == 0 && self.policy.min_interval_ms == 0 {
            return false;
        }
        self.last_begin.is_some_and(|(at, begun)| {
            now < at.saturating_add(SECOND_MS) && (grant == Grant::RefreshToken || grant == begun)
        })
    }

    /// All instants at which something may change by itself.
    pub(crate) fn instants(&self) -> Vec<u64> {
        let mut all = vec![self.spread_until];
        if let Some(windows) = self.token.as_ref().and_then(|t| t.windows) {
            all.push(windows.refresh_at);
            all.push(windows.usable_until);
        }
        if let Some(out) = &self.out {
            all.push(out.begun.saturating_add(self.policy.response_timeout_ms));
        }
        all.extend(self.refresh_end());
        all.extend(self.backoff_until);
        all.extend(self.last_begin.map(|(at, _)| at.saturating_add(SECOND_MS)));
        all.extend(self.failure.as_ref().and_then(|f| f.lifts_at));
        all.extend(self.storage_instants());
        all.sort_unstable();
        all
    }

    pub(crate) fn next_at(&self, now: u64) -> (Next, bool) {
        let then = self.at(now);
        (then.next(), then.usable_at(then.clock))
    }

    pub(crate) fn poll_at(&self, now: u64) -> Option<u64> {
        let here = self.at(now);
        let answer = here.next_at(here.clock);
        let mut instants = here.instants();
        // A timeout brings instants of its own.
        instants.extend(here.instants().into_iter().flat_map(|t| here.at(t).instants()));
        instants.sort_unstable();
        instants.into_iter().find(|t| *t > here.clock && here.next_at(*t) != answer)
    }

    fn poll(&self, now: u64) -> Value {
        let (next, usable) = self.next_at(now);
        if next == Next::Wait && self.at(now).within_a_second(self.clock.max(now), Grant::RefreshToken) {
            reached("2.97 poll");
        }
        reached(self.at(now).next_by_rule().1);
        let mut answer = Map::new();
        let name = match &next {
            Next::Nothing => "nothing",
            Next::Request(_) => "request",
            Next::Await(_) => "await",
            Next::Wait => "wait",
            Next::Supply(_) => "supply",
            Next::Load => "load",
            Next::Store(_) => "store",
        };
        answer.insert("next".to_owned(), json!(name));
        match next {
            Next::Request(grant) => _ = answer.insert("grant".to_owned(), json!(grant.name())),
            Next::Supply(reason) => _ = answer.insert("reason".to_owned(), json!(reason)),
            Next::Store(slot) => _ = answer.insert("slot".to_owned(), json!(slot)),
            _ => {}
        }
        answer.insert("usable".to_owned(), json!(usable));
        answer.insert("poll_at".to_owned(), self.poll_at(now).map_or(Value::Null, written));
        answer.insert("sign_in_by".to_owned(), self.sign_in_by().map_or(Value::Null, written));
        Value::Object(answer)
    }

    // ---- requests and answers

    fn begin(&mut self, now: u64, credentials: &Value, additions: &Value) -> Result<Value, Refused> {
        self.advance(now);
        let grant = match self.next() {
            Next::Request(grant) => grant,
            _ if self.out.as_ref().is_some_and(|out| !out.late) => return Err("request_in_flight"),
            _ => return Err("not_due"),
        };
        let asked = wire::Asked {
            site: &self.site,
            credentials,
            additions,
            access_token: self.token.as_ref().map(|token| &token.bytes[..]),
            audience: wire::audience(&self.provider, &self.site),
        };
        let request = wire::write_request(&self.provider, grant, &asked, self.refresh.as_deref())?;
        if !self.usable_at(self.clock) {
            self.epsilon = None;
        }
        self.last_id += 1;
        self.last_begin = Some((self.clock, grant));
        let presented = self.refresh.clone().filter(|_| grant == Grant::RefreshToken);
        self.out = Some(Out { id: self.last_id, grant, begun: self.clock, presented, late: false });
        self.storage_hears_of_begin();
        Ok(request)
    }

    /// A request has failed: wait before the next one.
    fn fail(&mut self, when: u64, wait: Wait, retry_after_s: Option<u64>) {
        self.failures = self.failures.saturating_add(1);
        self.epsilon = None;
        self.storage_hears_of_a_failure(when);
        let wait = match retry_after_s {
            Some(seconds) => self.told_wait(seconds),
            None => self.computed_wait(when, wait),
        };
        self.backoff_until = Some(instant(i128::from(when) + wait));
    }

    /// The wait that a `Retry-After` asks for.
    fn told_wait(&mut self, seconds: u64) -> i128 {
        reached("2.54");
        let w = i128::from(seconds.clamp(1, 3600)) * 1000;
        let x = (w / 10).clamp(1000, 300_000);
        w + times(x, self.draw())
    }

    fn computed_wait(&mut self, when: u64, wait: Wait) -> i128 {
        if matches!(wait, Wait::Longest) {
            reached("2.52");
            let d = i128::from(self.policy.max_backoff_ms);
            return d - times(d / 2, self.draw()) + i128::from(self.slow_down_ms);
        }
        self.wait_after(when, self.failures, self.slow_down_ms)
    }

    /// 2.50 and 2.51.
    fn wait_after(&mut self, when: u64, failures: u64, slow_down_ms: u64) -> i128 {
        let u = self.draw();
        let slow_down = i128::from(slow_down_ms);
        let longest = i128::from(self.policy.max_backoff_ms);
        let min_interval = i128::from(self.policy.min_interval_ms);
        let drawn = |d: i128| d - times(d / 2, u);
        let renewed = |d: i128| drawn(d).max(min_interval.min(d));
        if self.usable_at(when) {
            // Only a `Load`, a `Store` or a `Supply` fails beside a token without an end.
            let until = self.token.as_ref().and_then(|t| t.windows).map_or(u64::MAX, |w| w.usable_until);
            let rem = i128::from(until) - i128::from(when);
            let d = (rem / 2).max(min_interval).min(longest);
            let b = rem + times(min_interval.min(30_000), u);
            reached(match d <= rem {
                true if renewed(d) + slow_down > b => "2.50 at most b",
                true if slow_down > 0 => "2.50 with slow_down",
                true => "2.50 d",
                false => "2.50 b",
            });
            return if d <= rem { (renewed(d) + slow_down).min(b) } else { b };
        }
        let doublings = (failures - 1).min(60);
        let d = (i128::from(self.policy.first_backoff_ms) << doublings).min(longest);
        drawn(d) + slow_down
    }

    /// A permanent failure begins that lifts itself: `d` less up to its half, from now.
    fn fail_until(&mut self, reason: &'static str, d: u64) {
        let d = i128::from(d);
        let wait = d - times(d / 2, self.draw());
        // At the last instant there is it never lifts itself.
        let lifts_at = Some(instant(i128::from(self.clock) + wait)).filter(|at| *at < u64::MAX);
        self.failure = Some(Failure { reason, lifts_at });
    }

    fn fail_for_good(&mut self, reason: &'static str) {
        self.failure = Some(Failure { reason, lifts_at: None });
    }

    /// A request with the primary grant has brought no token. `answered`: by an answer that is the service's own word.
    fn give_the_turn_back(&mut self, out: &Out, answered: bool) {
        match out.grant {
            Grant::RefreshToken => {}
            Grant::Password if answered => {
                if self.primary_turn {
                    reached(if out.late { "2.102 password used late" } else { "2.102 password used" });
                }
                self.primary_turn = false;
                self.turn_used = true;
            }
            Grant::Password => {
                if self.primary_turn {
                    reached("2.102 password keeps its turn");
                }
            }
            _ => {
                if self.primary_turn {
                    reached("2.102 turn given back");
                }
                self.primary_turn = false;
            }
        }
    }

    /// Another token is stored, or another refresh token is held.
    fn forget_refusals(&mut self) {
        self.refusals = 0;
        self.primary_turn = false;
        self.turn_used = false;
    }

    /// An answer that is a refusal; `unlisted`: by an error code. It has been counted as a failure.
    fn refusal(&mut self, out: &Out, unlisted: bool) {
        if out.late {
            reached("2.37 late refusal");
            return;
        }
        reached(if unlisted { "2.61 by a code" } else { "2.61 refused by section 1" });
        let primary = self.provider.primary();
        match out.grant {
            Grant::RefreshToken if primary.is_some() => {
                self.refusals += 1;
                if self.refusals >= self.policy.refresh_attempts {
                    reached(match (self.turn_used, self.refusals > self.policy.refresh_attempts) {
                        (true, _) => "2.102 no further turn",
                        (false, false) => "2.61 turn",
                        (false, true) => "2.102 another turn",
                    });
                    self.primary_turn = !self.turn_used;
                }
            }
            Grant::RefreshToken if unlisted => {
                self.refusals += 1;
                if self.refusals >= self.policy.refresh_attempts {
                    reached("2.61 ends the refresh token");
                    self.end_the_refresh_token();
                }
            }
            Grant::Password if !self.can_refresh() => {
                self.refusals += 1;
                if self.refusals >= self.policy.refresh_attempts {
                    reached("2.103");
                    self.refusals = 0;
                    self.fail_for_good("grant_rejected");
                }
            }
            _ => {}
        }
    }

    /// The service has refused the refresh token.
    fn end_the_refresh_token(&mut self) {
        let token = self.refresh.take();
        self.forget_refusals();
        self.refused = token;
        self.storage_hears_of_another_refresh_token();
        self.storage_hears_of_a_refused_refresh_token();
        if self.provider.primary().is_none() {
            self.fail_for_good("refresh_token_rejected");
        }
    }

    fn answer(
        &mut self,
        now: u64,
        id: Option<u64>,
        step: &Value,
        body: &[u8],
        wall: Option<u64>,
    ) -> Result<Value, Refused> {
        self.advance(now);
        let out = self.take_out(id)?;
        let status = number(&step["status"]).unwrap_or(200);
        let retry_after = wire::retry_after_s(&step["headers"], wall);
        if retry_after.is_some() && wire::lines(&step["headers"], "Retry-After").len() > 1 {
            reached("2.98 several lines");
        }
        let refused = match wire::read_answer(&self.provider, status, body) {
            Ok(Answer::Token(response)) => match self.accept(&response, Some(&out), out.begun, wall) {
                Ok(()) => return Ok(json!({"outcome": "token", "generation": written(self.generation)})),
                Err(name) => {
                    let (refresh, refresh_life) = (response.refresh, response.refresh_life);
                    Refusal { name, refresh, refresh_life }
                }
            },
            Ok(Answer::Error(code, standard)) => {
                self.error_answer(&out, status, &standard, retry_after);
                return Ok(json!({"outcome": "error", "error_code": code}));
            }
            Err(refusal) => refusal,
        };
        reached(refused.name);
        self.refused_answer(&out, status, &refused, retry_after);
        Err(refused.name)
    }

    fn failed(&mut self, now: u64, id: Option<u64>) -> Result<Value, Refused> {
        self.advance(now);
        let out = self.take_out(id)?;
        self.fail_once(&out, Wait::Computed, None);
        self.give_the_turn_back(&out, false);
        Ok(json!({}))
    }

    /// Spends the id of the request that is out.
    fn take_out(&mut self, id: Option<u64>) -> Result<Out, Refused> {
        match &self.out {
            Some(out) if Some(out.id) == id => self.out.take().ok_or("stale_request"),
            _ => Err("stale_request"),
        }
    }

    /// One request fails at most once; after its timeout only `Retry-After` still acts.
    fn fail_once(&mut self, out: &Out, wait: Wait, retry_after_s: Option<u64>) {
        if !out.late {
            self.fail(self.clock, wait, retry_after_s);
        } else if let Some(seconds) = retry_after_s {
            reached("2.54 late");
            let wait = self.told_wait(seconds);
            self.backoff_until = Some(instant(i128::from(self.clock) + wait));
        }
    }

    /// Checks a token response in full, then stores it. `out` is absent for an installed token; `begun` is when its life
    /// began.
    fn accept(
        &mut self,
        response: &TokenResponse,
        out: Option<&Out>,
        begun: u64,
        wall: Option<u64>,
    ) -> Result<(), Refused> {
        if !wire::supported_type(&self.provider, response.token_type.as_deref()) {
            return Err("unsupported_token_type");
        }
        let lifetime = self.lifetime(response, wall)?;
        if response.access.len() as u64 > self.capacity.0 {
            return Err("too_long");
        }
        if response.refresh.as_ref().is_some_and(|r| r.len() as u64 > self.capacity.1) {
            return Err("refresh_token_too_long");
        }

        let start = i128::from(begun);
        let now = i128::from(self.clock);
        let ends = lifetime.map(|seconds| {
            let l = i128::from(seconds.saturating_mul(1000));
            let m = i128::from(self.policy.margin_ms).min(l / 10);
            (l, m)
        });
        let last = i128::from(u64::MAX);
        if ends.is_some_and(|(l, m)| (start + l - m).min(last) <= now) {
            return Err("already_expired");
        }
        if let (Some(_), Some(stored)) = (out, &self.token) {
            let soon =
                ends.is_some_and(|(l, m)| start + l - m - now < i128::from(self.policy.min_interval_ms));
            if stored.bytes == response.access && (stored.ended || soon) {
                return Err("same_token");
            }
        }

        if out.is_none() {
            self.epsilon = None;
        }
        let windows = ends.map(|(l, m)| {
            reached(if self.epsilon.is_some() { "2.94 kept" } else { "2.94 drawn" });
            let epsilon = self.epsilon.unwrap_or_else(|| self.draw());
            self.epsilon = Some(self.less_spread(epsilon));
            let most = (l * i128::from(self.policy.jitter_permille)).min(i128::from(u64::MAX));
            let j = most * epsilon / (1000 << 32);
            let min_interval = i128::from(self.policy.min_interval_ms);
            let part = (l * i128::from(self.policy.fraction_permille)).min(i128::from(u64::MAX)) / 1000;
            let wanted = min_interval.max(part).min(l - m) - j;
            Windows {
                refresh_at: instant(start + wanted.max(min_interval.min(l - m))),
                usable_until: instant(start + l - m),
            }
        });
        let keeps = out.is_some_and(|out| out.grant == Grant::RefreshToken);
        let refresh =
            if keeps && response.refresh.is_none() { self.refresh.clone() } else { response.refresh.clone() };
        let refresh_changes = refresh != self.refresh;
        if response.refresh.is_some() {
            self.refused = None;
        }
        self.refresh = refresh;
        self.token =
            Some(Token { bytes: response.access.clone(), windows, ended: false, received: Some(self.clock) });
        self.generation += 1;
        if refresh_changes {
            self.storage_hears_of_another_refresh_token();
        }
        let refreshed = out.is_some_and(|out| out.grant == Grant::RefreshToken);
        let tells = self.keep_ends(begun, response.refresh_life, refreshed, refresh_changes);
        if let Some(out) = out {
            self.owe_answer(out.grant, out.presented.clone(), tells);
        }
        self.stored();
        if self.slow_down_ms > 0 {
            reached("2.60 halved");
        }
        self.slow_down_ms /= 2;
        Ok(())
    }

    /// What the storing of an answer's or an installed token ends.
    fn stored(&mut self) {
        self.failures = 0;
        self.forget_refusals();
        self.backoff_until = None;
        self.failure = None;
        self.revocations = 0;
    }

    /// The ε of the next token.
    fn less_spread(&self, epsilon: i128) -> i128 {
        let fraction = i128::from(self.policy.fraction_permille);
        let jitter = i128::from(self.policy.jitter_permille);
        if jitter >= fraction { 0 } else { epsilon * (fraction - jitter) / fraction }
    }

    /// The lifetime of a token in seconds, capped; `None` is never.
    fn lifetime(&self, response: &TokenResponse, wall: Option<u64>) -> Result<Option<u64>, Refused> {
        let seconds = match response.expires_in {
            Some(0) if self.provider.zero_is_never => return Ok(None),
            Some(seconds) => seconds,
            None if response.expires_at == Some(0) && self.provider.zero_is_never => return Ok(None),
            None if response.expires_at.is_some() && wall.is_some() => {
                let in_a_second = self.provider.expires_at.as_ref().map_or(1, |(_, units)| *units);
                (response.expires_at.unwrap_or(0) / in_a_second).saturating_sub(wall.unwrap_or(0))
            }
            None => match self.provider.missing_lifetime {
                MissingLifetime::Never => return Ok(None),
                MissingLifetime::Refuse => return Err("missing_lifetime"),
                MissingLifetime::Assume(seconds) => or_an_hour(seconds),
                MissingLifetime::JwtExpiryElse(seconds) => match (wire::jwt_expiry(&response.access), wall) {
                    (Some(expiry), Some(wall)) => expiry.saturating_sub(wall),
                    _ => or_an_hour(seconds),
                },
            },
        };
        Ok(Some(seconds.min(self.policy.max_lifetime_s)))
    }

    /// An answer that is no token and no error response: a failure, which may still have rotated the refresh token.
    fn refused_answer(&mut self, out: &Out, status: u64, refused: &Refusal, retry_after: Option<u64>) {
        let wait = match refused.name {
            "too_long" | "refresh_token_too_long" => Wait::Longest,
            _ => Wait::Computed,
        };
        self.fail_once(out, wait, retry_after);
        self.give_the_turn_back(out, !in_trouble(status));
        if (400..500).contains(&status) && !in_trouble(status) {
            self.refusal(out, false);
        }

        let rotates = [
            "invalid_access_token",
            "invalid_token_type",
            "invalid_scope_member",
            "invalid_expires_in",
            "unsupported_token_type",
            "missing_lifetime",
            "too_long",
            "already_expired",
            "same_token",
        ];
        if let Some(rotated) = &refused.refresh {
            let fits = rotated.len() as u64 <= self.capacity.1;
            if rotates.contains(&refused.name) && fits && self.refresh.as_ref() != Some(rotated) {
                self.refused = None;
                self.refresh = Some(rotated.clone());
                let refreshed = out.grant == Grant::RefreshToken;
                self.keep_ends(out.begun, refused.refresh_life, refreshed, true);
                self.storage_hears_of_another_refresh_token();
                self.owe_answer(out.grant, out.presented.clone(), true);
                self.forget_refusals();
            }
        }
    }

    fn error_answer(&mut self, out: &Out, status: u64, code: &str, retry_after: Option<u64>) {
        self.epsilon = None;
        self.give_the_turn_back(out, !in_trouble(status));
        if in_trouble(status) {
            self.fail_once(out, Wait::Computed, retry_after);
            return;
        }
        let refreshing = out.grant == Grant::RefreshToken;
        let instead = refreshing && self.provider.primary().is_some();
        match code {
            "invalid_grant" if refreshing => self.end_the_refresh_token(),
            "invalid_request" | "unauthorized_client" | "unsupported_grant_type" if instead => {
                reached("2.101");
                self.end_the_refresh_token();
            }
            "invalid_grant" => self.fail_for_good("grant_rejected"),
            "slow_down" => {
                reached(if out.late { "2.60 late" } else { "2.60" });
                self.slow_down_ms = (self.slow_down_ms + SLOW_DOWN_MS).min(SLOWEST_MS);
                self.fail_once(out, Wait::Computed, retry_after);
            }
            _ => match CONFIGURATION.iter().find(|listed| **listed == code) {
                Some(listed) if self.policy.recheck && out.grant != Grant::Password => {
                    reached(if out.late { "2.99 late" } else { "2.99" });
                    // 9.4
                    let asserts = self.provider.authentication.asserts();
                    if asserts && *listed == "invalid_client" {
                        reached("9.4");
                        self.fail_until(listed, self.policy.max_backoff_ms);
                    } else {
                        self.fail_until(listed, RECHECK_MS);
                    }
                }
                Some(listed) => {
                    reached("2.55 for good");
                    self.fail_for_good(listed);
                }
                None => {
                    self.fail_once(out, Wait::Computed, retry_after);
                    self.refusal(out, true);
                }
            },
        }
    }

    // ---- the other calls

    /// 5.43: a program can be asked.
    fn rejected(&mut self, now: u64, generation: Option<u64>, status: u64, headers: &Value) -> Value {
        const ASKED_FOR: [&str; 6] =
            ["no_token", "revoked", "refresh_token_rejected", "grant_rejected", "damaged", "stored_too_long"];
        let answer = self.told_of_a_refusal(now, generation, status, headers);
        if self.source.is_a_program() && ASKED_FOR.iter().any(|reason| answer["reason"] == *reason) {
            reached("5.43");
            return json!({"retry": "after_refresh"});
        }
        answer
    }

    fn told_of_a_refusal(
        &mut self,
        now: u64,
        generation: Option<u64>,
        status: u64,
        headers: &Value,
    ) -> Value {
        self.advance(now);
        let surface = |reason: &str, at: Option<u64>| {
            if at.is_some() {
                reached("2.105");
            }
            json!({"retry": "surface", "reason": reason, "retry_at": at.map_or(Value::Null, written)})
        };
        let lines = wire::lines(headers, "WWW-Authenticate");
        let insufficient = lines.iter().any(|line| wire::bearer_error_is(line, "insufficient_scope"));
        let expired = status == 401 || self.provider.expired_status.contains(&status);
        match status {
            _ if expired && insufficient => return surface("insufficient_scope", None),
            _ if expired => {}
            403 => return surface("forbidden", None),
            _ => return surface("not_an_authentication_failure", None),
        }
        let generation = generation.unwrap_or(self.generation);
        let usable = self.usable_at(self.clock);
        let given_out = generation != 0 && generation <= self.generation;
        if let Some(token) = self.token.clone().filter(|_| given_out) {
            if generation < self.generation && usable {
                return json!({"retry": "now"});
            }
            if generation < self.generation && self.token_is_held_back() {
                reached("5.46");
                return json!({"retry": "after_refresh"});
            }
            let again = token.received.map(|at| at.saturating_add(self.policy.min_interval_ms));
            match token.windows {
                None if !self.revoked() => {
                    self.revocations += 1;
                    reached(if self.revocations > 1 { "2.100 again" } else { "2.100" });
                    let doublings = (self.revocations - 1).min(60);
                    let d = (u128::from(self.policy.max_backoff_ms) << doublings).min(RECHECK_MS.into());
                    self.fail_until("revoked", d as u64);
                }
                None => {}
                Some(_) if again.is_some_and(|at| self.clock < at) => return surface("rejected", again),
                Some(_) if !token.ended => {
                    self.token = Some(Token { ended: true, ..token });
                    self.epsilon = None;
                }
                Some(_) => {}
            }
        }
        match self.next() {
            Next::Supply(reason) => surface(&reason, self.failure.as_ref().and_then(|f| f.lifts_at)),
            _ => json!({"retry": "after_refresh"}),
        }
    }

    fn renew(&mut self) {
        let token = self.token.as_mut().filter(|t| !t.ended);
        let windows = token.and_then(|t| t.windows.as_mut());
        if let Some(windows) = windows.filter(|w| w.refresh_at > self.clock) {
            windows.refresh_at = self.clock;
            self.epsilon = None;
        }
    }

    fn retry(&mut self) {
        self.failure = None;
        self.end_the_waits();
    }

    fn install(&mut self, now: u64, token: &Value, wall: Option<u64>) -> Result<Value, Refused> {
        self.advance(now);
        match wire::read_installed(&self.provider, token).map_err(|refusal| refusal.name)? {
            Installed::Token(response) => {
                if response.expires_in.is_none()
                    && wire::jwt_expiry(&response.access).is_some()
                    && wall.is_some()
                {
                    reached("1.31 installed");
                }
                self.accept(&response, None, self.clock, wall)?;
            }
            Installed::Refresh(refresh, life) => self.accept_refresh_token(refresh, life)?,
        }
        self.out = None;
        self.owe_install();
        Ok(json!({"generation": written(self.generation)}))
    }

    /// A refresh token is installed alone.
    fn accept_refresh_token(&mut self, refresh: Vec<u8>, life: Option<u64>) -> Result<(), Refused> {
        if refresh.len() as u64 > self.capacity.1 {
            return Err("refresh_token_too_long");
        }
        reached("2.106");
        self.refused = None;
        self.token = None;
        self.refresh = Some(refresh);
        self.keep_ends(self.clock, life, false, true);
        self.epsilon = None;
        self.stored();
        Ok(())
    }

    fn clear(&mut self) {
        self.wipe();
        self.owe_tombstone();
    }

    fn wipe(&mut self) {
        self.token = None;
        self.refresh = None;
        self.out = None;
        self.last_begin = None;
        self.epsilon = None;
        self.stored();
        self.refused = None;
        self.end_of_a_session();
    }

    fn authorize(&self, now: u64, method: &str, url: &str) -> Result<Value, Refused> {
        let url = wire::read_url(url).ok_or("bad_url")?;
        let routed = !self.provider.routes.is_empty();
        if routed && wire::ambiguous_path(&url.path) {
            return Err("bad_url");
        }
        if !wire::origin_allowed(&url, &self.provider, self.allow_loopback_http) {
            return Err("origin_not_allowed");
        }
        if routed {
            let rows = wire::route(&self.provider, method, &url.path);
            if rows.is_empty() {
                return Err("unknown_route");
            }
            let kind = if self.site.is_empty() { "client" } else { "site" };
            let mine: Vec<_> = rows.into_iter().filter(|(token, _)| token == kind).collect();
            if mine.is_empty() {
                return Err("route_needs_other_token");
            }
            if !mine.iter().any(|(_, site)| site.as_ref().is_none_or(|s| s == self.site.as_bytes())) {
                return Err("other_site");
            }
        }
        let then = self.at(now);
        match &then.token {
            Some(token) if then.usable_at(then.clock) => Ok(json!({
                "name": self.provider.header.0,
                "header": format!("{} {}", self.provider.header.1, String::from_utf8_lossy(&token.bytes)).trim_start(),
                "generation": written(then.generation),
            })),
            _ => Err("not_usable"),
        }
    }
}

// ---- a scenario

/// A manager, and what a driver keeps of it: the names of requests, the wall clock, what `poll` said.
pub(crate) struct Held {
    name: String,
    pub(crate) manager: Manager,
    pub(crate) made_at: u64,
    made_wall: Option<u64>,
    requests: Vec<(String, u64)>,
    last_request: Option<u64>,
    /// The ids that `poll` gave last, 0 for none.
    load: u64,
    store: u64,
    supply: u64,
    slot: u64,
    copy: Option<Slots>,
    signing_in: SigningIn,
    device: Device,
}

impl Held {
    fn new(name: &str, manager: Manager, at: u64, wall: Option<u64>) -> Held {
        Held {
            name: name.to_owned(),
            manager,
            made_at: at,
            made_wall: wall,
            requests: Vec::new(),
            last_request: None,
            load: 0,
            store: 0,
            supply: 0,
            slot: 0,
            copy: None,
            signing_in: SigningIn::default(),
            device: Device::default(),
        }
    }

    pub(crate) fn wall(&self, at: u64) -> Option<u64> {
        let seconds = (i128::from(at) - i128::from(self.made_at)).div_euclid(1000);
        self.made_wall.map(|wall| instant(i128::from(wall) + seconds))
    }

    pub(crate) fn request_names(&self) -> Vec<String> {
        self.requests.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The id behind a name.
    fn request_id(&self, step: &Value) -> Option<u64> {
        match step["request"].as_str() {
            Some(name) => self.requests.iter().rev().find(|(known, _)| known == name).map(|(_, id)| *id),
            None => self.last_request,
        }
    }
}

/// Keeps what a driver keeps: the managers, and what is in storage.
pub(crate) struct Replay<'s> {
    scenario: &'s Value,
    held: Vec<Held>,
    /// Whose step it is.
    turn: usize,
    pub(crate) slots: Slots,
    /// What is stored of a sign-in.
    sign_in: Option<StoredSignIn>,
    /// How many managers have been made after the first.
    makes: u64,
    numbers: Rc<Cell<u64>>,
}

/// A snapshot begins with these many bytes of kind, version and the mark of its key.
pub(crate) const HEAD: u64 = 8;

impl<'s> Replay<'s> {
    pub(crate) fn new(scenario: &'s Value) -> Replay<'s> {
        let numbers = Rc::new(Cell::new(0));
        let manager = new_manager(scenario, &Value::Null, 0, 0, &numbers);
        let slots = match number(&scenario["storage"]["slots"]).unwrap_or(1) {
            _ if scenario["storage"].is_null() => Vec::new(),
            slots => vec![None; slots as usize],
        };
        Replay {
            scenario,
            held: vec![Held::new("a", manager, 0, number(&scenario["wall"]))],
            turn: 0,
            slots,
            sign_in: None,
            makes: 0,
            numbers,
        }
    }

    pub(crate) fn manager(&self) -> &Manager {
        &self.here().manager
    }

    pub(crate) fn here(&self) -> &Held {
        &self.held[self.turn]
    }

    pub(crate) fn device(&self) -> &Device {
        &self.here().device
    }

    pub(crate) fn signing_in(&self) -> &SigningIn {
        &self.here().signing_in
    }

    pub(crate) fn has_stored_sign_in(&self) -> bool {
        self.sign_in.is_some()
    }

    /// Makes it this manager's turn, if there is one of this name.
    pub(crate) fn turn_to(&mut self, name: &str) {
        self.turn = self.held.iter().position(|held| held.name == name).unwrap_or(self.turn);
    }

    /// The manager whose turn it is.
    pub(crate) fn name(&self) -> &str {
        &self.here().name
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.held.iter().map(|held| held.name.clone()).collect()
    }

    /// Does one step and says all that it may be asked for.
    pub(crate) fn step(&mut self, step: &Value) -> Value {
        let at = number(&step["at"]).unwrap_or(0);
        self.turn_to(step["manager"].as_str().unwrap_or("a"));
        let failure = self.manager().failure.clone();
        let answer = match self.act(at, step) {
            Ok(Value::Object(members)) => members,
            Ok(_) => Map::new(),
            Err(name) => Map::from_iter([("error".to_owned(), json!(name))]),
        };
        let manager = &mut self.held[self.turn].manager;
        manager.let_go_of_the_lock();
        if let Some(Failure { reason, lifts_at: Some(at) }) = failure
            && at <= manager.clock
        {
            reached(if reason == "revoked" { "2.100 lifted" } else { "2.99 lifted" });
        }
        if answer
            .get("error")
            .is_some_and(|name| name == "other_snapshot_key" || name == "other_snapshot_version")
        {
            reached("2.90");
        }
        Value::Object(answer)
    }

    fn act(&mut self, at: u64, step: &Value) -> Result<Value, Refused> {
        let text = |name: &str| step[name].as_str().unwrap_or("").to_owned();
        let action = text("do");
        match action.as_str() {
            "make" => {
                let name = step["manager"].as_str().unwrap_or("a").to_owned();
                self.makes += 1;
                let manager = new_manager(self.scenario, step, at, self.makes, &self.numbers);
                let held = Held::new(&name, manager, at, number(&step["wall"]));
                self.held.retain(|held| held.name != name);
                self.held.push(held);
                self.turn_to(&name);
                return Ok(json!({}));
            }
            "tamper" => {
                self.tamper(step);
                return Ok(json!({}));
            }
            _ => {}
        }
        let here = &mut self.held[self.turn];
        let wall = here.wall(at);
        let manager = &mut here.manager;
        match action.as_str() {
            "poll" => {
                let answer = manager.poll(at);
                match (answer["next"].as_str(), &manager.storage) {
                    (Some("load"), Some(storage)) => here.load = storage.load_id,
                    (Some("store"), Some(storage)) => {
                        here.store = storage.store_id;
                        here.slot = number(&answer["slot"]).unwrap_or(0);
                    }
                    (Some("supply"), _) => here.supply = manager.source.id,
                    _ => {}
                }
                return Ok(answer);
            }
            "begin" => {
                let credentials = credentials(step, self.scenario).clone();
                let additions = step.get("additions").unwrap_or(&self.scenario["additions"]).clone();
                let request = manager.begin(at, &credentials, &additions)?;
                here.last_request = Some(manager.last_id);
                if let Some(name) = step["as"].as_str() {
                    here.requests.push((name.to_owned(), manager.last_id));
                }
                return Ok(request);
            }
            "answer" => {
                let body = body(step);
                let id = here.request_id(step);
                return here.manager.answer(at, id, step, &body, wall);
            }
            "failed" => {
                let id = here.request_id(step);
                return here.manager.failed(at, id);
            }
            "rejected" => {
                let status = number(&step["status"]).unwrap_or(401);
                let generation = number(&step["generation"]);
                return Ok(manager.rejected(at, generation, status, &step["headers"]));
            }
            "authorize" => return manager.authorize(at, &text("method"), &text("url")),
            "install" => return manager.install(at, &step["token"], wall),
            "retry" => manager.retry(),
            "renew" => manager.renew(),
            "clear" => manager.clear(),
            "revoke" => {
                let credentials = credentials(step, self.scenario);
                return manager.revoke(credentials, &self::values(step, self.scenario));
            }
            "signing_input" => {
                let credentials = credentials(step, self.scenario);
                let input = wire::signing_input(&manager.provider, &manager.site, credentials)?;
                return Ok(json!({"signing_input": input}));
            }
            "answer_revocation" => {
                let body = body(step);
                return Ok(manager.revocation_answer(number(&step["status"]).unwrap_or(200), &body));
            }
            "read" => here.copy = Some(self.slots.clone()),
            "loaded" => {
                let slots = here.copy.take().unwrap_or_else(|| self.slots.clone());
                return manager.loaded(at, here.load, &slots, wall);
            }
            "load_failed" => return manager.load_failed(at, here.load),
            "write" => {
                let mut bytes = manager.write(at, here.store, wall)?;
                if let Some(kept) = number(&step["torn"]) {
                    bytes.cut(kept);
                }
                if step["lost"] != true {
                    self.slots[here.slot as usize] = Some(bytes);
                }
            }
            "stored" => return manager.stored_in_storage(at, here.store),
            "store_failed" => return manager.store_failed(at, here.store),
            "took" => {
                let (task, id) = match step["what"].as_str() {
                    Some("load") => (Task::Load, here.load),
                    Some("store") => (Task::Store, here.store),
                    _ => (Task::Supply, here.supply),
                };
                return manager.took(at, task, id);
            }
            "supplied" => return manager.supplied(at, here.supply, &step["token"], wall),
            "supply_failed" => return manager.supply_failed(at, here.supply, step["retryable"] == true),
            "reload" => manager.reload(),
            "sign_in" | "sign_in_url" | "sign_in_stored" | "sign_in_resumed" | "sign_in_deleted"
            | "callback" | "begin_sign_in" | "answer_sign_in" => {
                let credentials = credentials(step, self.scenario);
                let values = self::values(step, self.scenario);
                let Held { signing_in, manager, .. } = here;
                return signing_in.act(at, step, (credentials, &values), wall, manager, &mut self.sign_in);
            }
            "start_device" | "cancel_device" | "shown_device" | "poll_device" | "begin_device"
            | "answer_device" | "failed_device" => {
                let credentials = credentials(step, self.scenario);
                let values = self::values(step, self.scenario);
                let memory = number(&self.scenario["capacity"]["device"]).unwrap_or(1024);
                let Held { device, manager, .. } = here;
                return device.act(at, step, (credentials, &values), memory, wall, manager);
            }
            other => panic!("no such step: {other}"),
        }
        Ok(json!({}))
    }

    fn tamper(&mut self, step: &Value) {
        let slot = number(&step["slot"]).unwrap_or(0) as usize;
        if let Some(from) = number(&step["from"]) {
            self.slots[slot] = self.slots[from as usize].clone();
        }
        if step["erase"] == true {
            self.slots[slot] = None;
        }
        if let Some(bytes) = &mut self.slots[slot] {
            if let Some(bit) = number(&step["flip"]) {
                bytes.flip(bit);
            }
            if let Some(kept) = number(&step["cut"]) {
                bytes.cut(kept);
            }
        }
    }
}

/// A name of the scenario's, or what a step says in its place.
fn named(scenario: &Value, step: &Value, name: &str) -> String {
    step[name].as_str().or_else(|| scenario[name].as_str()).unwrap_or("").to_owned()
}

fn new_manager(scenario: &Value, step: &Value, at: u64, makes: u64, numbers: &Rc<Cell<u64>>) -> Manager {
    let named = |name: &str| named(scenario, step, name);
    let provider = presets::provider(scenario, &named("environment"), &named("base_url"));
    let mut policy = Policy::in_scenarios();
    policy.override_with(&scenario["provider"]["policy"]);
    policy.override_with(&scenario["policy"]);
    let seed = number(&step["seed"]).unwrap_or(number(&scenario["seed"]).unwrap_or(0) + makes);
    Manager::new(at, provider, policy, scenario, step, seed, Rc::clone(numbers))
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).filter_map(|n| u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()).collect()
}
