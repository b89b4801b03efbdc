//! A naive token manager, written from the description of the behaviour alone: plain, slow and obvious.
//!
//! `run` replays a scenario and says for every step all that its `expect` may name. `generate` makes random scenarios.

#[cfg(test)]
mod examples;
pub(crate) mod generate;
pub(crate) mod json;
pub(crate) mod presets;
pub(crate) mod wire;

use presets::{Grant, MissingLifetime, Policy, Provider};
use serde_json::{Map, Value, json};
use wire::{Answer, TokenResponse};

/// Replays a scenario: one object for each step.
pub(crate) fn run(scenario: &Value) -> Vec<Value> {
    let mut replay = Replay::new(scenario);
    scenario["steps"].as_array().into_iter().flatten().map(|step| replay.step(step)).collect()
}

/// An integer, written as a number or, beyond 2^53, as a string.
pub(crate) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn written(value: u64) -> Value {
    if value > 1 << 53 { json!(value.to_string()) } else { json!(value) }
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
    /// Past its timeout: it has failed, but its answer still commits.
    pub(crate) late: bool,
}

/// A refresh that another process has begun.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) begun: i128,
    pub(crate) until: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next {
    Nothing,
    Request(Grant),
    Await,
    Wait,
    Reload,
    Supply(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scope {
    RefreshToken,
    All,
}

#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    identity: Identity,
    scope: Scope,
    wall: Option<u64>,
    access: Option<SavedToken>,
    refresh: Option<Vec<u8>>,
    generation: u64,
    revision: u64,
    /// A refresh was out: when it began, as wall time where there was a wall clock.
    begun: Option<Option<i128>>,
}

#[derive(Clone, Debug)]
struct SavedToken {
    bytes: Vec<u8>,
    deadlines: Deadlines,
}

#[derive(Clone, Debug)]
enum Deadlines {
    NoEnd,
    Unknown,
    Wall { refresh_at: i128, usable_until: i128 },
}

/// Name, environment, origin of the base URL, account, site and whether there is one.
type Identity = (String, String, String, String, String, bool);

/// What a failed request waits for.
enum Wait {
    Computed,
    /// A token did not fit: the longest backoff.
    Longest,
}

#[derive(Clone, Debug)]
pub(crate) struct Manager {
    pub(crate) provider: Provider,
    pub(crate) policy: Policy,
    pub(crate) site: String,
    account: String,
    allow_loopback_http: bool,
    capacity: (u64, u64),

    pub(crate) clock: u64,
    random: u64,
    pub(crate) spread_until: u64,

    pub(crate) token: Option<Token>,
    pub(crate) refresh: Option<Vec<u8>>,
    pub(crate) generation: u64,

    pub(crate) out: Option<Out>,
    last_id: u64,
    failures: u64,
    pub(crate) backoff_until: Option<u64>,
    slow_down_ms: u64,
    /// Unlisted codes for the refresh token held.
    refusals: u64,
    pub(crate) failure: Option<String>,
    /// In `Reload` because of `invalid_grant`.
    reload: bool,
    /// The refresh token that `invalid_grant` ended.
    refused: Option<Vec<u8>>,
    pub(crate) lease: Option<Lease>,

    revision: u64,
    /// The revision of the last change of the access token's part, and of the refresh token's part.
    access_changed: u64,
    refresh_changed: u64,
    persisted_all: Option<u64>,
    persisted_refresh: Option<u64>,
    ever_persisted_or_restored: bool,
    /// The last revision restored or persisted.
    last_revision: u64,
}

type Refused = &'static str;

impl Manager {
    fn new(
        now: u64,
        provider: Provider,
        policy: Policy,
        named: &dyn Fn(&str) -> String,
        scenario: &Value,
    ) -> Manager {
        let mut manager = Manager {
            provider,
            policy,
            site: named("site"),
            account: named("account"),
            allow_loopback_http: scenario["allow_loopback_http"] == true,
            capacity: (
                number(&scenario["capacity"]["access"]).unwrap_or(2048),
                number(&scenario["capacity"]["refresh"]).unwrap_or(2048),
            ),
            clock: now,
            random: number(&scenario["seed"]).unwrap_or(0),
            spread_until: now,
            token: None,
            refresh: None,
            generation: 0,
            out: None,
            last_id: 0,
            failures: 0,
            backoff_until: None,
            slow_down_ms: 0,
            refusals: 0,
            failure: None,
            reload: false,
            refused: None,
            lease: None,
            revision: 0,
            access_changed: 0,
            refresh_changed: 0,
            persisted_all: None,
            persisted_refresh: None,
            ever_persisted_or_restored: false,
            last_revision: 0,
        };
        let u = manager.draw();
        let spread = i128::from(manager.policy.startup_spread_ms) * u / (1 << 32);
        manager.spread_until = instant(i128::from(now) + spread);
        manager
    }

    /// `u` times 2^32: the upper half of the next SplitMix64 value.
    fn draw(&mut self) -> i128 {
        if self.policy.jitter_permille == 0 {
            return 0;
        }
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        i128::from(z >> 32)
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

    /// Moves the clock, never back, and lets a request that is out run into its timeout.
    fn advance(&mut self, now: u64) {
        self.clock = self.clock.max(now);
        if let Some(out) = &mut self.out {
            let timeout = out.begun.saturating_add(self.policy.response_timeout_ms);
            if !out.late && self.clock >= timeout {
                out.late = true;
                self.fail(timeout, Wait::Computed, None);
            }
        }
    }

    fn at(&self, now: u64) -> Manager {
        let mut then = self.clone();
        then.advance(now);
        then
    }

    fn usable_at(&self, now: u64) -> bool {
        match &self.token {
            None => false,
            Some(token) => !token.ended && token.windows.is_none_or(|w| now < w.usable_until),
        }
    }

    fn refresh_is_due(&self, now: u64) -> bool {
        match &self.token {
            None => true,
            Some(token) => token.ended || token.windows.is_some_and(|w| w.refresh_at <= now),
        }
    }

    /// What to do next, once the clock has been moved.
    fn next(&self) -> Next {
        let now = self.clock;
        if let Some(reason) = &self.failure {
            return Next::Supply(reason.clone());
        }
        if self.reload {
            return Next::Reload;
        }
        if let Some(lease) = &self.lease {
            return if now < lease.until { Next::Wait } else { Next::Reload };
        }
        if self.out.as_ref().is_some_and(|out| !out.late) {
            return Next::Await;
        }
        if !self.refresh_is_due(now) {
            return Next::Nothing;
        }
        let grant = if self.refresh.is_some() { Some(Grant::RefreshToken) } else { self.provider.primary() };
        let Some(grant) = grant else { return Next::Supply("no_token".to_owned()) };
        if now < self.spread_until || self.backoff_until.is_some_and(|until| now < until) {
            return Next::Wait;
        }
        Next::Request(grant)
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
        all.extend(self.backoff_until);
        all.extend(self.lease.as_ref().map(|l| l.until));
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
        here.instants().into_iter().find(|t| *t > here.clock && here.next_at(*t) != answer)
    }

    fn poll(&self, now: u64) -> Value {
        let (next, usable) = self.next_at(now);
        let mut answer = Map::new();
        let name = match &next {
            Next::Nothing => "nothing",
            Next::Request(_) => "request",
            Next::Await => "await",
            Next::Wait => "wait",
            Next::Reload => "reload",
            Next::Supply(_) => "supply",
        };
        answer.insert("next".to_owned(), json!(name));
        match next {
            Next::Request(grant) => _ = answer.insert("grant".to_owned(), json!(grant.name())),
            Next::Supply(reason) => _ = answer.insert("reason".to_owned(), json!(reason)),
            _ => {}
        }
        answer.insert("usable".to_owned(), json!(usable));
        answer.insert("poll_at".to_owned(), self.poll_at(now).map_or(Value::Null, written));
        Value::Object(answer)
    }

    // ---- requests and answers

    fn begin(&mut self, now: u64, credentials: &Value) -> Result<Value, Refused> {
        self.advance(now);
        let grant = match self.next() {
            Next::Request(grant) => grant,
            Next::Await => return Err("request_in_flight"),
            _ => return Err("not_due"),
        };
        let request =
            wire::write_request(&self.provider, &self.site, grant, credentials, self.refresh.as_deref())
                .ok_or("wrong_credentials")?;
        self.last_id += 1;
        self.out = Some(Out { id: self.last_id, grant, begun: self.clock, late: false });
        if grant == Grant::RefreshToken && self.policy.shared_storage {
            self.changed(true, true);
        }
        Ok(request)
    }

    /// A request has failed: wait before the next one.
    fn fail(&mut self, when: u64, wait: Wait, retry_after: Option<u64>) {
        self.failures = self.failures.saturating_add(1);
        let wait = match retry_after {
            Some(ms) => i128::from(ms),
            None => self.computed_backoff(when, wait) + i128::from(self.slow_down_ms),
        };
        self.backoff_until = Some(instant(i128::from(when) + wait));
    }

    fn computed_backoff(&mut self, when: u64, wait: Wait) -> i128 {
        let longest = i128::from(self.policy.max_backoff_ms);
        if matches!(wait, Wait::Longest) {
            return longest;
        }
        if self.usable_at(when) {
            // A token without an end is never renewed, so a usable one has windows.
            let until = self.token.as_ref().and_then(|t| t.windows).map_or(u64::MAX, |w| w.usable_until);
            let rem = i128::from(until) - i128::from(when);
            return (rem / 2).max(i128::from(self.policy.min_interval_ms)).min(rem).min(longest);
        }
        let doublings = (self.failures - 1).min(60);
        let d = (i128::from(self.policy.first_backoff_ms) << doublings).min(longest);
        let u = self.draw();
        // d - d/2 * u, each operation floored.
        d - (((d / 2) * u) >> 32)
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
        let retry_after = wire::retry_after_ms(&step["headers"], wall);
        match wire::read_answer(&self.provider, status, body) {
            Ok(Answer::Token(response)) => match self.accept(&response, Some(&out), wall) {
                Ok(()) => Ok(json!({"outcome": "token", "generation": written(self.generation)})),
                Err(name) => {
                    self.refused_answer(&out, name, response.refresh, retry_after);
                    Err(name)
                }
            },
            Ok(Answer::Error(code, standard)) => {
                self.error_answer(&out, status, &standard, retry_after);
                Ok(json!({"outcome": "error", "error_code": code}))
            }
            Err(refusal) => {
                self.refused_answer(&out, refusal.name, refusal.refresh, retry_after);
                Err(refusal.name)
            }
        }
    }

    fn failed(&mut self, now: u64, id: Option<u64>) -> Result<Value, Refused> {
        self.advance(now);
        let out = self.take_out(id)?;
        self.fail_once(&out, Wait::Computed, None);
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
    fn fail_once(&mut self, out: &Out, wait: Wait, retry_after: Option<u64>) {
        if !out.late {
            self.fail(self.clock, wait, retry_after);
        } else if let Some(ms) = retry_after {
            self.backoff_until = Some(self.clock.saturating_add(ms));
        }
    }

    /// Checks a token response in full, then stores it. `out` is absent for an installed token.
    fn accept(
        &mut self,
        response: &TokenResponse,
        out: Option<&Out>,
        wall: Option<u64>,
    ) -> Result<(), Refused> {
        if !wire::supported_type(&self.provider, response.token_type.as_deref()) {
            return Err("unsupported_token_type");
        }
        let lifetime = self.lifetime(response, wall)?;
        if response.access.len() as u64 > self.capacity.0
            || response.refresh.as_ref().is_some_and(|r| r.len() as u64 > self.capacity.1)
        {
            return Err("too_long");
        }

        let start = i128::from(out.map_or(self.clock, |out| out.begun));
        let now = i128::from(self.clock);
        let ends = lifetime.map(|seconds| {
            let l = i128::from(seconds) * 1000;
            let m = i128::from(self.policy.margin_ms).min(l / 10);
            (l, m)
        });
        if ends.is_some_and(|(l, m)| start + l - m <= now) {
            return Err("already_expired");
        }
        if let (Some(_), Some(stored)) = (out, &self.token) {
            let soon =
                ends.is_some_and(|(l, m)| start + l - m - now < i128::from(self.policy.min_interval_ms));
            if stored.bytes == response.access && (stored.ended || soon) {
                return Err("same_token");
            }
        }

        let windows = ends.map(|(l, m)| {
            let u = self.draw();
            let jitter = l * i128::from(self.policy.jitter_permille) * u / (1000 << 32);
            let fraction = l * i128::from(self.policy.fraction_permille) / 1000;
            let wanted = fraction.max(i128::from(self.policy.min_interval_ms)).min(l - m);
            Windows {
                refresh_at: instant(start + (wanted - jitter).max(0)),
                usable_until: instant(start + l - m),
            }
        });
        let keeps = out.is_some_and(|out| out.grant == Grant::RefreshToken);
        let refresh =
            if keeps && response.refresh.is_none() { self.refresh.clone() } else { response.refresh.clone() };
        let refresh_changes = refresh != self.refresh;
        if refresh.is_some() && refresh == self.refused {
            self.refused = None;
        }
        self.refresh = refresh;
        self.token =
            Some(Token { bytes: response.access.clone(), windows, ended: false, received: Some(self.clock) });
        self.generation += 1;
        self.changed(true, refresh_changes);
        self.failures = 0;
        self.refusals = 0;
        self.backoff_until = None;
        self.failure = None;
        Ok(())
    }

    /// The lifetime of a token in seconds, capped; `None` is never.
    fn lifetime(&self, response: &TokenResponse, wall: Option<u64>) -> Result<Option<u64>, Refused> {
        let seconds = match response.expires_in {
            Some(0) if self.provider.zero_is_never => return Ok(None),
            Some(seconds) => seconds,
            None => match self.provider.missing_lifetime {
                MissingLifetime::Never => return Ok(None),
                MissingLifetime::Refuse => return Err("missing_lifetime"),
                MissingLifetime::Assume(seconds) => seconds,
                MissingLifetime::JwtExpiryElse(seconds) => match (wire::jwt_expiry(&response.access), wall) {
                    (Some(expiry), Some(wall)) => expiry.saturating_sub(wall),
                    _ => seconds,
                },
            },
        };
        Ok(Some(seconds.min(self.policy.max_lifetime_s)))
    }

    /// An answer that is no token and no error response: a failure, which may still have rotated the refresh token.
    fn refused_answer(
        &mut self,
        out: &Out,
        name: Refused,
        rotated: Option<Vec<u8>>,
        retry_after: Option<u64>,
    ) {
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
        if let Some(rotated) = rotated {
            let fits = rotated.len() as u64 <= self.capacity.1;
            if rotates.contains(&name) && fits && self.refresh.as_ref() != Some(&rotated) {
                if self.refused.as_ref() == Some(&rotated) {
                    self.refused = None;
                }
                self.refresh = Some(rotated);
                self.refusals = 0;
                self.changed(false, true);
            }
        }
        let wait = if name == "too_long" { Wait::Longest } else { Wait::Computed };
        self.fail_once(out, wait, retry_after);
    }

    fn error_answer(&mut self, out: &Out, status: u64, code: &str, retry_after: Option<u64>) {
        if status >= 500 || [408, 425, 429].contains(&status) {
            self.fail_once(out, Wait::Computed, retry_after);
            return;
        }
        match code {
            "invalid_client"
            | "unauthorized_client"
            | "unsupported_grant_type"
            | "invalid_scope"
            | "invalid_request" => self.failure = Some(code.to_owned()),
            "invalid_grant" if out.grant == Grant::RefreshToken => {
                let token = self.refresh.take();
                self.refusals = 0;
                self.changed(false, true);
                let first_time = token != self.refused;
                self.refused = token;
                if self.ever_persisted_or_restored && first_time {
                    self.reload = true;
                } else if self.provider.primary().is_none() {
                    self.failure = Some("refresh_token_rejected".to_owned());
                }
            }
            "invalid_grant" => self.failure = Some("grant_rejected".to_owned()),
            "slow_down" => {
                self.slow_down_ms = self.slow_down_ms.saturating_add(5000);
                self.fail_once(out, Wait::Computed, retry_after);
            }
            _ => {
                self.fail_once(out, Wait::Computed, retry_after);
                if out.grant == Grant::RefreshToken && !out.late {
                    self.refusals += 1;
                    if self.refusals >= self.policy.refresh_attempts {
                        self.refresh = None;
                        self.refusals = 0;
                        self.changed(false, true);
                        if self.provider.primary().is_none() {
                            self.failure = Some("refresh_token_rejected".to_owned());
                        }
                    }
                }
            }
        }
    }

    // ---- the other calls

    fn rejected(&mut self, now: u64, generation: Option<u64>, status: u64, headers: &Value) -> Value {
        self.advance(now);
        let surface = |reason: &str| json!({"retry": "surface", "reason": reason});
        let insufficient = wire::field(headers, "WWW-Authenticate")
            .is_some_and(|c| wire::bearer_error_is(&c, "insufficient_scope"));
        match status {
            403 => return surface("forbidden"),
            401 if insufficient => return surface("insufficient_scope"),
            401 => {}
            _ => return surface("not_an_authentication_failure"),
        }
        let generation = generation.unwrap_or(self.generation);
        let usable = self.usable_at(self.clock);
        let given_out = generation != 0 && generation <= self.generation;
        if let Some(token) = self.token.as_mut().filter(|_| given_out) {
            if generation < self.generation && usable {
                return json!({"retry": "now"});
            }
            let fixed = token.windows.is_none();
            let just_received = token.received.is_some_and(|at| {
                i128::from(self.clock) - i128::from(at) < i128::from(self.policy.min_interval_ms)
            });
            if !fixed && just_received {
                return surface("rejected");
            }
            if !token.ended {
                token.ended = true;
                if fixed {
                    self.failure = Some("revoked".to_owned());
                }
                self.changed(true, false);
            }
        }
        match self.next() {
            Next::Supply(reason) => surface(&reason),
            _ => json!({"retry": "after_refresh"}),
        }
    }

    fn renew(&mut self) {
        let token = self.token.as_mut().filter(|t| !t.ended);
        let windows = token.and_then(|t| t.windows.as_mut());
        if let Some(windows) = windows.filter(|w| w.refresh_at > self.clock) {
            windows.refresh_at = self.clock;
            self.changed(true, false);
        }
    }

    fn retry(&mut self) {
        // A revoked token stays revoked until another one is installed.
        if self.failure.as_deref() != Some("revoked") {
            self.failure = None;
        }
    }

    fn install(&mut self, now: u64, token: &Value) -> Result<Value, Refused> {
        self.advance(now);
        let response = wire::read_installed(&self.provider, token).map_err(|refusal| refusal.name)?;
        self.accept(&response, None, None)?;
        self.out = None;
        self.reload = false;
        self.lease = None;
        Ok(json!({"generation": written(self.generation)}))
    }

    fn clear(&mut self) {
        if self.token.is_some() || self.refresh.is_some() || self.lease.is_some() {
            self.changed(true, true);
        }
        self.token = None;
        self.refresh = None;
        self.out = None;
        self.failures = 0;
        self.backoff_until = None;
        self.refusals = 0;
        self.failure = None;
        self.reload = false;
        self.refused = None;
        self.lease = None;
        self.ever_persisted_or_restored = false;
    }

    fn reloaded(&mut self) {
        if self.reload {
            self.reload = false;
            if self.provider.primary().is_none() {
                self.failure = Some("refresh_token_rejected".to_owned());
            }
        } else {
            self.lease = None;
        }
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
                "header": format!("Bearer {}", String::from_utf8_lossy(&token.bytes)),
                "generation": written(then.generation),
            })),
            _ => Err("not_usable"),
        }
    }

    // ---- storage

    /// What a snapshot holds has changed.
    fn changed(&mut self, access: bool, refresh: bool) {
        self.revision = self.revision.saturating_add(1);
        if access {
            self.access_changed = self.revision;
        }
        if refresh {
            self.refresh_changed = self.revision;
        }
    }

    pub(crate) fn unpersisted(&self, scope: Scope) -> bool {
        match scope {
            Scope::RefreshToken => self.refresh_changed > self.persisted_refresh.unwrap_or(0),
            Scope::All => self.access_changed.max(self.refresh_changed) > self.persisted_all.unwrap_or(0),
        }
    }

    fn persisted(&mut self, scope: Scope, revision: u64) {
        if revision > self.revision {
            return;
        }
        self.persisted_refresh = self.persisted_refresh.max(Some(revision));
        if scope == Scope::All {
            self.persisted_all = self.persisted_all.max(Some(revision));
        }
        self.last_revision = self.last_revision.max(revision);
        self.ever_persisted_or_restored = true;
    }

    fn snapshot(&self, now: u64, wall: Option<u64>, scope: Scope) -> Snapshot {
        let then = self.at(now);
        let now = i128::from(then.clock);
        let as_wall = |instant: i128| wall.map(|w| (i128::from(w) + (instant - now).div_euclid(1000)).max(0));
        let access = match (scope, &then.token) {
            (Scope::All, Some(token)) if !token.ended => Some(SavedToken {
                bytes: token.bytes.clone(),
                deadlines: match token.windows {
                    None => Deadlines::NoEnd,
                    Some(w) => match (as_wall(w.refresh_at.into()), as_wall(w.usable_until.into())) {
                        (Some(refresh_at), Some(usable_until)) => {
                            Deadlines::Wall { refresh_at, usable_until }
                        }
                        _ => Deadlines::Unknown,
                    },
                },
            }),
            _ => None,
        };
        let own = then
            .out
            .as_ref()
            .filter(|out| self.policy.shared_storage && out.grant == Grant::RefreshToken && !out.late)
            .map(|out| i128::from(out.begun));
        let elsewhere = then.lease.as_ref().filter(|l| now < i128::from(l.until)).map(|l| l.begun);
        Snapshot {
            identity: then.identity(),
            scope,
            wall,
            access,
            refresh: then.refresh.clone(),
            generation: then.generation,
            revision: then.revision,
            begun: own.or(elsewhere).map(as_wall),
        }
    }

    fn restore(
        &mut self,
        now: u64,
        wall: Option<u64>,
        floor: u64,
        snapshot: Option<&Snapshot>,
    ) -> Result<Value, Refused> {
        self.advance(now);
        let snapshot = snapshot.ok_or("invalid_snapshot")?;
        if snapshot.identity != self.identity() {
            return Err("foreign_snapshot");
        }
        if snapshot.revision < floor {
            return Err("stale_snapshot");
        }
        if self.next() != Next::Reload && snapshot.revision < self.last_revision {
            return Err("stale_snapshot");
        }

        let now = i128::from(self.clock);
        let from_the_future = matches!((snapshot.wall, wall), (Some(then), Some(here)) if here < then);
        let restored = |deadline: i128, wall: u64| instant(now + (deadline - i128::from(wall)) * 1000 - 1000);
        let access = snapshot.access.as_ref().and_then(|saved| {
            let windows = match (&saved.deadlines, wall) {
                (Deadlines::NoEnd, _) => None,
                (Deadlines::Wall { refresh_at, usable_until }, Some(wall)) if !from_the_future => {
                    let usable_until = restored(*usable_until, wall);
                    if i128::from(usable_until) <= now {
                        return None;
                    }
                    Some(Windows { refresh_at: restored(*refresh_at, wall), usable_until })
                }
                _ => return None,
            };
            Some(Token { bytes: saved.bytes.clone(), windows, ended: false, received: None })
        });

        self.out = None;
        self.backoff_until = None;
        self.failure = None;
        self.reload = false;
        self.lease = None;

        // The generation.
        let differs =
            access.as_ref().is_some_and(|new| self.token.as_ref().map(|t| &t.bytes) != Some(&new.bytes));
        self.generation = if self.generation == 0 {
            snapshot.generation
        } else {
            self.generation.max(snapshot.generation) + u64::from(differs)
        };

        // The pair.
        let mut refresh = snapshot.refresh.clone();
        let dropped = refresh.is_some() && refresh == self.refused;
        if dropped {
            refresh = None;
            if self.provider.primary().is_none() {
                self.failure = Some("refresh_token_rejected".to_owned());
            }
        }
        let refresh_differs = refresh != self.refresh;
        if refresh_differs || access.is_some() {
            self.refusals = 0;
        }
        self.refresh = refresh;
        let takes_access = access.is_some();
        if takes_access {
            self.token = access;
            self.failures = 0;
        }

        // The refresh that is in flight elsewhere.
        if let Some(begun) = snapshot.begun {
            let timeout = i128::from(self.policy.response_timeout_ms);
            let ago = match (begun, wall) {
                (Some(begun), Some(wall)) => (i128::from(wall) - begun) * 1000,
                _ => 0,
            };
            if ago < timeout {
                let until = now + (timeout - ago).min(timeout);
                self.lease = Some(Lease { begun: until - timeout, until: instant(until) });
            }
        }

        // What of it is in storage now.
        self.revision = self.revision.max(snapshot.revision);
        self.last_revision = self.last_revision.max(snapshot.revision);
        self.ever_persisted_or_restored = true;
        self.settle_with_storage(snapshot.scope, refresh_differs, takes_access);
        if dropped || self.generation != snapshot.generation {
            self.changed(true, dropped);
        }
        Ok(json!({}))
    }

    /// After a restore: which scopes hold what storage holds.
    fn settle_with_storage(&mut self, scope: Scope, refresh_differs: bool, takes_access: bool) {
        self.persisted_refresh = Some(self.revision);
        match scope {
            Scope::All => {
                let own_access_waits = !takes_access
                    && self.token.is_some()
                    && self.access_changed > self.persisted_all.unwrap_or(0);
                self.persisted_all = Some(self.revision);
                if own_access_waits {
                    self.access_changed = self.revision;
                    self.persisted_all = Some(self.revision.saturating_sub(1));
                }
            }
            Scope::RefreshToken => {
                // Storage of the other scope holds what it held.
                if self.persisted_all.is_some() && refresh_differs {
                    self.access_changed = self.revision;
                    self.persisted_all = Some(self.revision.saturating_sub(1));
                }
            }
        }
    }
}

// ---- a scenario

/// Keeps what a driver keeps: the names of requests, the last snapshot, the wall clock.
pub(crate) struct Replay<'s> {
    scenario: &'s Value,
    pub(crate) manager: Manager,
    epoch: u64,
    pub(crate) epoch_at: u64,
    epoch_wall: Option<u64>,
    requests: Vec<(String, u64, u64)>,
    last_request: Option<(u64, u64)>,
    last_snapshot: Option<Snapshot>,
}

/// No real snapshot is shorter than this.
const SHORTEST_SNAPSHOT: u64 = 60;

impl<'s> Replay<'s> {
    pub(crate) fn new(scenario: &'s Value) -> Replay<'s> {
        Replay {
            scenario,
            manager: new_manager(scenario, &Value::Null, 0),
            epoch: 0,
            epoch_at: 0,
            epoch_wall: number(&scenario["wall"]),
            requests: Vec::new(),
            last_request: None,
            last_snapshot: None,
        }
    }

    fn wall(&self, at: u64) -> Option<u64> {
        let seconds = (i128::from(at) - i128::from(self.epoch_at)).div_euclid(1000);
        self.epoch_wall.map(|wall| instant(i128::from(wall) + seconds))
    }

    /// Does one step and says all that it may be asked for.
    pub(crate) fn step(&mut self, step: &Value) -> Value {
        let at = number(&step["at"]).unwrap_or(0);
        let mut answer = match self.act(at, step) {
            Ok(Value::Object(members)) => members,
            Ok(_) => Map::new(),
            Err(name) => Map::from_iter([("error".to_owned(), json!(name))]),
        };
        let manager = &self.manager;
        answer.insert("unpersisted".to_owned(), json!(manager.unpersisted(Scope::All)));
        answer
            .insert("unpersisted_refresh_token".to_owned(), json!(manager.unpersisted(Scope::RefreshToken)));
        Value::Object(answer)
    }

    fn act(&mut self, at: u64, step: &Value) -> Result<Value, Refused> {
        let wall = self.wall(at);
        let text = |name: &str| step[name].as_str().unwrap_or("").to_owned();
        match text("do").as_str() {
            "poll" => return Ok(self.manager.poll(at)),
            "begin" => {
                let credentials = step.get("credentials").unwrap_or(&self.scenario["credentials"]).clone();
                let request = self.manager.begin(at, &credentials)?;
                let made = (self.epoch, self.manager.last_id);
                self.last_request = Some(made);
                if let Some(name) = step["as"].as_str() {
                    self.requests.push((name.to_owned(), made.0, made.1));
                }
                return Ok(request);
            }
            "answer" => {
                let body = match step["body_hex"].as_str() {
                    Some(hex) => unhex(hex),
                    None => text("body").into_bytes(),
                };
                let id = self.request_id(step);
                return self.manager.answer(at, id, step, &body, wall);
            }
            "failed" => {
                let id = self.request_id(step);
                return self.manager.failed(at, id);
            }
            "rejected" => {
                let status = number(&step["status"]).unwrap_or(401);
                let generation = number(&step["generation"]);
                return Ok(self.manager.rejected(at, generation, status, &step["headers"]));
            }
            "authorize" => return self.manager.authorize(at, &text("method"), &text("url")),
            "install" => return self.manager.install(at, &step["token"]),
            "snapshot" => {
                let scope = if text("scope") == "refresh_token" { Scope::RefreshToken } else { Scope::All };
                self.last_snapshot = Some(self.manager.snapshot(at, wall, scope));
            }
            "persisted" => {
                if let Some(snapshot) = &self.last_snapshot {
                    self.manager.persisted(snapshot.scope, snapshot.revision);
                }
            }
            "reloaded" => self.manager.reloaded(),
            "retry" => self.manager.retry(),
            "renew" => self.manager.renew(),
            "clear" => self.manager.clear(),
            "restore" => {
                return self.manager.restore(at, wall, floor_of(step), intact(&self.last_snapshot, step));
            }
            "restart" => {
                self.manager = new_manager(self.scenario, step, at);
                self.epoch += 1;
                self.epoch_at = at;
                self.epoch_wall = number(&step["wall"]);
                if step["restore"] != false && self.last_snapshot.is_some() {
                    let wall = self.wall(at);
                    return self.manager.restore(at, wall, floor_of(step), intact(&self.last_snapshot, step));
                }
            }
            other => panic!("no such step: {other}"),
        }
        Ok(json!({}))
    }

    /// The id behind a name; one of an earlier manager is no id of this one.
    fn request_id(&self, step: &Value) -> Option<u64> {
        let (epoch, id) = match step["request"].as_str() {
            Some(name) => {
                self.requests.iter().rev().find(|(n, _, _)| n == name).map(|(_, epoch, id)| (*epoch, *id))?
            }
            None => self.last_request?,
        };
        if epoch == self.epoch { Some(id) } else { None }
    }
}

fn new_manager(scenario: &Value, step: &Value, at: u64) -> Manager {
    let named = |name: &str| step[name].as_str().or_else(|| scenario[name].as_str()).unwrap_or("").to_owned();
    let provider = presets::provider(scenario, &named("environment"), &named("base_url"));
    let mut policy = Policy::in_scenarios();
    policy.override_with(&scenario["provider"]["policy"]);
    policy.override_with(&scenario["policy"]);
    Manager::new(at, provider, policy, &named, scenario)
}

fn floor_of(step: &Value) -> u64 {
    number(&step["floor"]).unwrap_or(0)
}

fn intact<'a>(snapshot: &'a Option<Snapshot>, step: &Value) -> Option<&'a Snapshot> {
    let flipped = number(&step["flip"]).is_some();
    let cut = number(&step["cut"]).is_some_and(|kept| kept < SHORTEST_SNAPSHOT);
    if flipped || cut { None } else { snapshot.as_ref() }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).filter_map(|n| u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()).collect()
}
