//! The driver for Rust: runs scenarios against the core through its public API.

use bumpalo::Bump;
use serde_json::{Map, Value, json};
use tokenward::grants::{AuthorizationCode, Callback, Code, DeviceAuthorization, DeviceOutcome, Revocation};
use tokenward::parts::SignatureAlgorithm;
use tokenward::storage::HmacSha256;
use tokenward::{
    Additions, Answer, Assertion, Credentials, Error, Generation, Instant, Nested, Next, Outcome, OwnMembers,
    ParsedAnswer, Provider, Request, RequestId, Retry, Slots, TokenAnswer, TokenManager, TokenResponse,
    UnixTime, token_answer,
};

use crate::compare::step_difference;
use crate::description;
use crate::members::{bytes_of_hex, integer, list, optional, pair, required, text};

/// What one step did: all that its `expect` may name.
pub struct Step {
    /// The step's place in the file, from 0.
    pub index: usize,
    /// When, in milliseconds.
    pub at: u64,
    /// What was done.
    pub action: String,
    /// What came of it, as the members of an `expect`.
    pub actual: Map<String, Value>,
}

/// What `poll` answers from an instant on, until the next state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// In milliseconds.
    pub from: u64,
    /// Whether the token may be sent.
    pub usable: bool,
    /// `nothing`, `request`, `await`, `wait`, `supply`, `load` or `store`.
    pub next: &'static str,
}

/// A scenario that ran.
pub struct Run {
    /// The scenario's own name.
    pub name: String,
    /// Its steps, up to the first that differs.
    pub steps: Vec<Step>,
    /// What `poll` answered all along, in the order of time.
    pub states: Vec<State>,
    /// The first difference, in one line.
    pub difference: Option<String>,
}

/// Runs a scenario; stops at the first difference.
///
/// # Errors
/// A sentence, where the file is no scenario.
pub fn run(scenario: &Value) -> Result<Run, String> {
    let arena = Bump::new();
    Driver::new(scenario, &arena)?.run()
}

/// The manager that is made at 0.
const FIRST: &str = "a";

/// The sealing key of every scenario: what it proves does not depend on it.
const KEY: [u8; 32] = [0x5C; 32];

type Manager<'a> = TokenManager<'a, Vec<u8>>;

struct Driver<'a> {
    scenario: &'a Map<String, Value>,
    arena: &'a Bump,
    /// One that has no other name.
    hand: Hand<'a>,
    /// The managers that share the storage, but for that whose turn it is.
    others: Vec<(String, Hand<'a>)>,
    name: String,
    made: u64,
    /// What is in storage.
    slots: Vec<Option<Vec<u8>>>,
    /// What is stored of a sign-in.
    sign_in: Option<Vec<u8>>,
}

/// A manager, and what is in the hands of the process that it lives in.
struct Hand<'a> {
    manager: Manager<'a>,
    /// Unix seconds at `epoch` milliseconds.
    wall: Option<u64>,
    epoch: u64,
    requests: Vec<(String, RequestId)>,
    last_request: Option<RequestId>,
    /// What `poll` last said of a load, a store and a supply.
    load: RequestId,
    store: (RequestId, u8),
    supply: RequestId,
    /// The slots as they were read.
    read: Option<Vec<Option<Vec<u8>>>>,
    sign_in: Option<AuthorizationCode<'a>>,
    /// What the last callback brought.
    code: Option<Code<'a>>,
    device: DeviceAuthorization<Vec<u8>>,
    device_requests: Vec<(String, RequestId)>,
    last_device_request: RequestId,
}

impl<'a> Hand<'a> {
    fn new(manager: Manager<'a>, device_memory: usize, wall: Option<u64>, epoch: u64) -> Self {
        Self {
            manager,
            wall,
            epoch,
            requests: Vec::new(),
            last_request: None,
            load: RequestId(0),
            store: (RequestId(0), 0),
            supply: RequestId(0),
            read: None,
            sign_in: None,
            code: None,
            device: DeviceAuthorization::new(vec![0; device_memory]),
            device_requests: Vec::new(),
            last_device_request: RequestId(0),
        }
    }

    /// The time of day at a step, which counts on from the scenario's or from when the manager was made.
    fn wall_at(&self, at: u64) -> Option<UnixTime> {
        let since = at.saturating_sub(self.epoch) / 1000;
        self.wall.map(|wall| UnixTime::from_secs(wall.saturating_add(since)))
    }
}

impl<'a> Driver<'a> {
    fn new(scenario: &'a Value, arena: &'a Bump) -> Result<Self, String> {
        let scenario = scenario.as_object().ok_or("a scenario is an object")?;
        let seed = optional(scenario, "seed", integer)?.unwrap_or(0);
        let manager = new_manager(scenario, arena.alloc(Map::new()), 0, seed, arena)?;
        let slots = match scenario.get("storage").and_then(Value::as_object) {
            Some(storage) => optional(storage, "slots", integer)?.unwrap_or(1),
            None => 0,
        };
        Ok(Self {
            scenario,
            arena,
            hand: Hand::new(manager, device_memory(scenario)?, optional(scenario, "wall", integer)?, 0),
            others: Vec::new(),
            name: FIRST.to_owned(),
            made: 0,
            slots: vec![None; usize::try_from(slots).unwrap_or_default()],
            sign_in: None,
        })
    }

    fn run(mut self) -> Result<Run, String> {
        let name = optional(self.scenario, "name", text)?.unwrap_or_default().to_owned();
        let steps = self.scenario.get("steps").and_then(Value::as_array).ok_or("`steps` is an array")?;
        let mut run = Run { name, steps: Vec::new(), states: Vec::new(), difference: None };
        for (index, step) in steps.iter().enumerate() {
            let within = |fault| format!("step {index}: {fault}");
            let step = step.as_object().ok_or_else(|| within("a step is an object".to_owned()))?;
            let at = required(step, "at", integer).map_err(within)?;
            let action = required(step, "do", text).map_err(within)?;
            self.turn(step, action).map_err(within)?;
            let result = self.step(step, action, at).map_err(within)?;
            let actual = match result {
                Ok(actual) => actual,
                Err(error) => members([("error", json!(error.name()))]),
            };
            run.difference = step_difference(index, step, &actual).map_err(within)?;
            run.steps.push(Step { index, at, action: action.to_owned(), actual });
            let until = steps.get(index + 1).and_then(|step| step.get("at")).and_then(Value::as_u64);
            self.observe(at, until.unwrap_or(u64::MAX), &mut run.states);
            if run.difference.is_some() {
                break;
            }
        }
        Ok(run)
    }

    /// What `poll` answers from `at` until the next step: asking changes nothing.
    fn observe(&self, at: u64, until: u64, states: &mut Vec<State>) {
        // An answer changes by itself a few times at most: refresh due, no longer usable, a wait over.
        const CHANGES: usize = 8;
        let mut from = at;
        for _ in 0..CHANGES {
            let poll = self.hand.manager.poll(Instant::from_millis(from));
            states.push(State { from, usable: poll.usable, next: poll.next.name() });
            match poll.poll_at.map(Instant::as_millis) {
                Some(later) if from < later && later < until => from = later,
                _ => break,
            }
        }
    }

    fn wall(&self, at: u64) -> Option<UnixTime> {
        self.hand.wall_at(at)
    }

    fn step(
        &mut self,
        step: &'a Map<String, Value>,
        action: &str,
        at: u64,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let now = Instant::from_millis(at);
        let nothing = || Ok(Ok(Map::new()));
        match action {
            "poll" => Ok(Ok(self.poll(now))),
            "begin" => self.begin(step, now),
            "answer" => self.answer(step, now, at),
            "failed" => {
                let id = self.request(step)?;
                Ok(self.hand.manager.failed(now, id).map(|()| Map::new()))
            }
            "rejected" => self.rejected(step, now),
            "authorize" => self.authorize(step, now),
            "install" => self.install(step, now, at, None),
            "supplied" => self.install(step, now, at, Some(self.hand.supply)),
            "retry" => {
                self.hand.manager.retry();
                nothing()
            }
            "renew" => {
                self.hand.manager.renew();
                nothing()
            }
            "clear" => {
                self.hand.manager.clear();
                nothing()
            }
            "revoke" => self.revoke(step),
            "signing_input" => {
                let credentials = credentials(step, self.scenario, self.arena)?;
                let mut out = vec![0; 1 << 17];
                let input = self.hand.manager.signing_input(&credentials, &mut out);
                Ok(input.map(|input| members([("signing_input", json!(String::from_utf8_lossy(input)))])))
            }
            "answer_revocation" => {
                let (status, body) = (status(step)?, body(step)?);
                let answer = ParsedAnswer { status, retry_after: None, body: &body, wall: None };
                Ok(Ok(match self.hand.manager.revoked(&answer) {
                    Revocation::Done => members([("outcome", json!("revoked"))]),
                    Revocation::Later => members([("outcome", json!("later"))]),
                    Revocation::Refused(error) => {
                        let code = error.map(|error| error.error().bytes().collect::<Vec<_>>());
                        let code = code.map(|code| String::from_utf8_lossy(&code).into_owned());
                        members([("outcome", json!("refused")), ("error_code", json!(code))])
                    }
                }))
            }
            "make" => {
                self.make(step, at)?;
                nothing()
            }
            "tamper" => {
                self.tamper(step)?;
                nothing()
            }
            "read" => {
                self.hand.read = Some(self.slots.clone());
                nothing()
            }
            "loaded" => {
                let wall = self.wall(at);
                Ok(self.loaded(now, wall))
            }
            "load_failed" => Ok(self.hand.manager.load_failed(now, self.hand.load).map(|()| Map::new())),
            "write" => {
                let wall = self.wall(at);
                self.write(step, now, wall)
            }
            "stored" => Ok(self.hand.manager.stored(now, self.hand.store.0).map(|()| Map::new())),
            "store_failed" => Ok(self.hand.manager.store_failed(now, self.hand.store.0).map(|()| Map::new())),
            "took" => {
                let id = match required(step, "what", text)? {
                    "load" => self.hand.load,
                    "store" => self.hand.store.0,
                    "supply" => self.hand.supply,
                    other => return Err(format!("nothing is taken up that is called {other:?}")),
                };
                Ok(self.hand.manager.took(now, id).map(|()| Map::new()))
            }
            "supply_failed" => {
                let retryable = step.get("retryable") == Some(&Value::Bool(true));
                Ok(self.hand.manager.supply_failed(now, self.hand.supply, retryable).map(|()| Map::new()))
            }
            "reload" => {
                self.hand.manager.reload();
                nothing()
            }
            "sign_in" | "sign_in_resumed" => self.sign_in(step, action, at),
            "sign_in_url" | "sign_in_stored" | "sign_in_deleted" | "callback" | "begin_sign_in"
            | "answer_sign_in" => self.signing_in(step, action, now, at),
            "start_device" | "cancel_device" | "shown_device" | "poll_device" | "begin_device"
            | "answer_device" | "failed_device" => self.device(step, action, now, at),
            other => Err(format!("nothing is called {other:?}")),
        }
    }

    /// What the device authorization of this manager does.
    fn device(
        &mut self,
        step: &'a Map<String, Value>,
        action: &str,
        now: Instant,
        at: u64,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let wall = self.wall(at);
        let Hand { manager, device, device_requests, last_device_request, .. } = &mut self.hand;
        let id = match optional(step, "request", text)? {
            None => *last_device_request,
            Some(name) => {
                let known = device_requests.iter().find(|(known, _)| known == name);
                known.map_or(RequestId(u64::MAX), |(_, id)| *id)
            }
        };
        Ok(match action {
            "start_device" => {
                match optional(step, "random_hex", text)? {
                    None => device.start(now),
                    Some(random) => {
                        let random = bytes_of_hex(random)?;
                        let random = random.try_into().map_err(|_| "`random_hex` is 32 bytes")?;
                        device.start_with_random(now, &random);
                    }
                }
                Ok(Map::new())
            }
            "cancel_device" => {
                device.cancel();
                Ok(Map::new())
            }
            "shown_device" => {
                device.shown(now, manager);
                Ok(Map::new())
            }
            "poll_device" => {
                let poll = device.poll(now, manager);
                Ok(members([
                    ("next", json!(poll.next.name())),
                    ("poll_at", json!(poll.poll_at.map(Instant::as_millis))),
                    ("user_code", json!(device.user_code())),
                    ("verification_uri", json!(device.verification_uri())),
                    ("verification_uri_complete", json!(device.verification_uri_complete())),
                    ("expires_at", json!(device.expires_at().map(Instant::as_millis))),
                ]))
            }
            "begin_device" => {
                let credentials = credentials(step, self.scenario, self.arena)?;
                let (values, _) = additions(step, self.scenario)?.unwrap_or_default();
                let mut out = vec![0; 1 << 17];
                let begun = device.begin(now, manager, &credentials, &values, &mut out);
                let name = optional(step, "as", text)?;
                begun.map(|(id, request)| {
                    *last_device_request = id;
                    if let Some(name) = name {
                        device_requests.retain(|(known, _)| known != name);
                        device_requests.push((name.to_owned(), id));
                    }
                    written(&request)
                })
            }
            "failed_device" => device.failed(now, manager, id).map(|()| Map::new()),
            _ => {
                let (status, body) = (status(step)?, body(step)?);
                let headers = fields(step)?;
                let answer = Answer { status, headers: &headers, body: &body, wall };
                device.answer(now, manager, id, &answer.parsed()).map(|outcome| match outcome {
                    DeviceOutcome::Code => members([("outcome", json!("code"))]),
                    DeviceOutcome::Token(generation) => answered(&Outcome::Token(generation)),
                    DeviceOutcome::Error(error) => answered(&Outcome::Error(error)),
                })
            }
        })
    }

    /// A sign-in of this manager, new or as it was stored.
    fn sign_in(
        &mut self,
        step: &'a Map<String, Value>,
        action: &str,
        at: u64,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let made = if action == "sign_in" {
            let random = bytes_of_hex(required(step, "random_hex", text)?)?;
            let random = random.try_into().map_err(|_| "`random_hex` is 32 bytes")?;
            AuthorizationCode::new(random, required(step, "redirect_uri", text)?)
        } else {
            let mut stored = self.sign_in.clone().ok_or("no sign-in is stored")?;
            flip(step, &mut stored)?;
            let stored = self.arena.alloc_slice_copy(&stored);
            AuthorizationCode::open(&self.hand.manager, self.wall(at), &HmacSha256, &KEY, stored)
        };
        self.hand.code = None;
        Ok(made.map(|made| {
            self.hand.sign_in = Some(made);
            Map::new()
        }))
    }

    /// What the sign-in of this manager does.
    fn signing_in(
        &mut self,
        step: &'a Map<String, Value>,
        action: &str,
        now: Instant,
        at: u64,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let wall = self.wall(at);
        let credentials = credentials(step, self.scenario, self.arena)?;
        let (values, _) = additions(step, self.scenario)?.unwrap_or_default();
        let mut out = vec![0; 1 << 17];
        let Hand { manager, sign_in, code, .. } = &mut self.hand;
        let sign_in = sign_in.as_mut().ok_or("nobody signs in")?;
        Ok(match action {
            "sign_in_url" => {
                sign_in.url(manager, &credentials, &mut out).map(|url| members([("url", json!(url))]))
            }
            "sign_in_stored" => {
                let sealed = sign_in.seal(manager, wall, &HmacSha256, &KEY, &mut out);
                sealed.map(|sealed| {
                    self.sign_in = Some(sealed.to_vec());
                    Map::new()
                })
            }
            "sign_in_deleted" => {
                sign_in.deleted();
                self.sign_in = None;
                Ok(Map::new())
            }
            "callback" => sign_in.callback(manager, required(step, "url", text)?).map(|callback| {
                let text = |bytes: Vec<u8>| json!(String::from_utf8_lossy(&bytes));
                match callback {
                    Callback::Code(brought) => {
                        *code = Some(brought);
                        members([
                            ("callback", json!("code")),
                            ("code", text(brought.text().bytes().collect())),
                        ])
                    }
                    Callback::Error(error) => members([
                        ("callback", json!("error")),
                        ("error_code", text(error.error().bytes().collect())),
                    ]),
                }
            }),
            "begin_sign_in" => {
                let code = code.ok_or("no callback has brought a code")?;
                sign_in
                    .begin(now, manager, &credentials, &values, &code, &mut out)
                    .map(|request| written(&request))
            }
            _ => {
                let (status, body) = (status(step)?, body(step)?);
                let answer = ParsedAnswer { status, retry_after: None, body: &body, wall };
                sign_in.answer(now, manager, &answer).map(|outcome| answered(&outcome))
            }
        })
    }

    /// Puts the manager of this step into the hand.
    fn turn(&mut self, step: &'a Map<String, Value>, action: &str) -> Result<(), String> {
        let name = optional(step, "manager", text)?.unwrap_or(FIRST);
        if name == self.name || action == "make" || action == "tamper" {
            return Ok(());
        }
        let (other, hand) = self
            .others
            .iter_mut()
            .find(|(other, _)| other == name)
            .ok_or_else(|| format!("no manager {name:?}"))?;
        core::mem::swap(hand, &mut self.hand);
        core::mem::swap(other, &mut self.name);
        Ok(())
    }

    /// Another manager on the same storage, or the same one anew.
    fn make(&mut self, step: &'a Map<String, Value>, at: u64) -> Result<(), String> {
        let name = optional(step, "manager", text)?.unwrap_or(FIRST);
        self.made += 1;
        let seed = optional(self.scenario, "seed", integer)?.unwrap_or(0).wrapping_add(self.made);
        let seed = optional(step, "seed", integer)?.unwrap_or(seed);
        let manager = new_manager(self.scenario, step, at, seed, self.arena)?;
        let hand = Hand::new(manager, device_memory(self.scenario)?, optional(step, "wall", integer)?, at);
        let before = core::mem::replace(&mut self.hand, hand);
        let name_before = core::mem::replace(&mut self.name, name.to_owned());
        self.others.push((name_before, before));
        self.others.retain(|(other, _)| other != name);
        Ok(())
    }

    /// Somebody changes what is in a slot.
    fn tamper(&mut self, step: &Map<String, Value>) -> Result<(), String> {
        let place = |name| -> Result<Option<usize>, String> {
            Ok(optional(step, name, integer)?.map(|slot| usize::try_from(slot).unwrap_or(usize::MAX)))
        };
        let from = match place("from")? {
            Some(from) => Some(self.slots.get(from).ok_or("no such slot")?.clone()),
            None => None,
        };
        let cut = place("cut")?;
        let slot = place("slot")?.unwrap_or(0);
        let slot = self.slots.get_mut(slot).ok_or("no such slot")?;
        if let Some(from) = from {
            *slot = from;
        }
        if let Some(bytes) = slot {
            flip(step, bytes)?;
            bytes.truncate(cut.unwrap_or(usize::MAX));
        }
        if step.get("erase") == Some(&Value::Bool(true)) {
            *slot = None;
        }
        Ok(())
    }

    fn loaded(&mut self, now: Instant, wall: Option<UnixTime>) -> Result<Map<String, Value>, Error> {
        let read = self.hand.read.take().unwrap_or_else(|| self.slots.clone());
        let slots: Vec<Option<&[u8]>> = read.iter().map(Option::as_deref).collect();
        let found = self.hand.manager.loaded(now, wall, self.hand.load, &KEY, &slots)?;
        Ok(members([("found", json!(found.name()))]))
    }

    fn write(
        &mut self,
        step: &Map<String, Value>,
        now: Instant,
        wall: Option<UnixTime>,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let mut out = vec![0; 1 << 17];
        let (id, slot) = self.hand.store;
        let bytes = match self.hand.manager.snapshot(now, wall, id, &KEY, &mut out) {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Err(error)),
        };
        let whole = bytes.len();
        let kept =
            optional(step, "torn", integer)?.map_or(whole, |kept| usize::try_from(kept).unwrap_or(whole));
        if step.get("lost") != Some(&Value::Bool(true)) {
            let place = self.slots.get_mut(usize::from(slot)).ok_or("no such slot")?;
            *place = Some(bytes.iter().copied().take(kept).collect());
        }
        Ok(Ok(Map::new()))
    }

    fn poll(&mut self, now: Instant) -> Map<String, Value> {
        let poll = self.hand.manager.poll(now);
        let mut actual = members([
            ("usable", json!(poll.usable)),
            ("poll_at", json!(poll.poll_at.map(Instant::as_millis))),
            ("sign_in_by", json!(self.hand.manager.sign_in_by().map(Instant::as_millis))),
        ]);
        match poll.next {
            Next::Request(grant) => {
                actual.insert("grant".to_owned(), json!(grant.name()));
            }
            Next::Load(id) => self.hand.load = id,
            Next::Store(id, slot) => {
                self.hand.store = (id, slot);
                actual.insert("slot".to_owned(), json!(slot));
            }
            Next::Supply(id, reason) => {
                self.hand.supply = id;
                actual.insert("reason".to_owned(), json!(reason.name()));
            }
            _ => {}
        }
        actual.insert("next".to_owned(), json!(poll.next.name()));
        actual
    }

    fn begin(
        &mut self,
        step: &'a Map<String, Value>,
        now: Instant,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let credentials = credentials(step, self.scenario, self.arena)?;
        let mut out = vec![0; 1 << 17];
        let begun = match additions(step, self.scenario)? {
            None => self.hand.manager.begin(now, &credentials, &mut out),
            Some((values, parameters)) => {
                let additions = Additions { values: &values, parameters: &parameters };
                self.hand.manager.begin_with(now, &credentials, &additions, &mut out)
            }
        };
        let (id, request) = match begun {
            Ok(begun) => begun,
            Err(error) => return Ok(Err(error)),
        };
        self.hand.last_request = Some(id);
        if let Some(name) = optional(step, "as", text)? {
            self.hand.requests.retain(|(known, _)| known != name);
            self.hand.requests.push((name.to_owned(), id));
        }
        Ok(Ok(written(&request)))
    }

    fn revoke(&mut self, step: &'a Map<String, Value>) -> Result<Result<Map<String, Value>, Error>, String> {
        let credentials = credentials(step, self.scenario, self.arena)?;
        let (values, _) = additions(step, self.scenario)?.unwrap_or_default();
        let mut out = vec![0; 1 << 17];
        let written_request = self.hand.manager.revoke(&credentials, &values, &mut out);
        Ok(written_request.map(|request| request.map_or_else(Map::new, |request| written(&request))))
    }

    fn request(&self, step: &Map<String, Value>) -> Result<RequestId, String> {
        // An id that was never given out, for a request that another process sent.
        const NEVER: RequestId = RequestId(u64::MAX);
        Ok(match optional(step, "request", text)? {
            None => self.hand.last_request.unwrap_or(NEVER),
            Some(name) => {
                self.hand.requests.iter().find(|(known, _)| known == name).map_or(NEVER, |(_, id)| *id)
            }
        })
    }

    fn answer(
        &mut self,
        step: &'a Map<String, Value>,
        now: Instant,
        at: u64,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let id = self.request(step)?;
        let status = status(step)?;
        let headers = fields(step)?;
        let body = body(step)?;
        let answer = Answer { status, headers: &headers, body: &body, wall: self.wall(at) };
        Ok(self.hand.manager.answer(now, id, &answer).map(|outcome| answered(&outcome)))
    }

    fn rejected(
        &mut self,
        step: &Map<String, Value>,
        now: Instant,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let generation =
            optional(step, "generation", integer)?.map_or(self.hand.manager.generation(), Generation);
        let status = status(step)?;
        let challenges: Vec<_> = pairs(step, "headers")?
            .into_iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"))
            .map(|(_, value)| value)
            .collect();
        let challenge = challenges.join("\n");
        let challenge = (!challenges.is_empty()).then_some(challenge.as_bytes());
        let retry = self.hand.manager.rejected(now, generation, status, challenge);
        let mut actual = members([("retry", json!(retry.name()))]);
        if let Retry::Surface { reason, retry_at } = retry {
            actual.insert("reason".to_owned(), json!(reason.name()));
            actual.insert("retry_at".to_owned(), json!(retry_at.map(Instant::as_millis)));
        }
        Ok(Ok(actual))
    }

    fn authorize(
        &self,
        step: &Map<String, Value>,
        now: Instant,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let (method, url) = (required(step, "method", text)?, required(step, "url", text)?);
        let bearer = match self.hand.manager.authorize(now, method, url) {
            Ok(bearer) => bearer,
            Err(error) => return Ok(Err(error)),
        };
        let mut out = vec![0; bearer.encoded_len()];
        let header = bearer.write(&mut out).map_err(|error| error.name())?;
        Ok(Ok(members([
            ("header", json!(String::from_utf8_lossy(header))),
            ("name", json!(bearer.name())),
            ("generation", json!(bearer.generation().0)),
        ])))
    }

    fn install(
        &mut self,
        step: &Map<String, Value>,
        now: Instant,
        at: u64,
        supply: Option<RequestId>,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let token = step.get("token").ok_or("`token` is missing")?;
        let mut install = |token: &TokenResponse<'_>| match supply {
            Some(id) => self.hand.manager.supplied(now, self.hand.wall_at(at), id, token),
            None => self.hand.manager.install(now, self.hand.wall_at(at), token),
        };
        if token.get("access_token").is_none_or(Value::is_null) {
            let member = |name| token.get(name).and_then(Value::as_str).unwrap_or_default();
            let alone = TokenResponse::refresh_token_alone(member("refresh_token"));
            let life = token.get("refresh_expires_in").map(integer).transpose()?.unwrap_or(0);
            let alone = alone.with_token_type(member("token_type")).with_refresh_expires_in(life);
            let installed = install(&alone);
            return Ok(installed.map(|generation| members([("generation", json!(generation.0))])));
        }
        let body = token.to_string();
        // The members of RFC 6749 section 5.1 stand flat, wherever the provider's own answers have them.
        let (provider, _) =
            description::of_scenario(self.scenario, self.arena.alloc(Map::new()), self.arena)?;
        let own = OwnMembers { refresh_expires_in: Some(&["refresh_expires_in"]), ..OwnMembers::FOUND };
        let flat = Provider { nested: Nested::NONE, members: own, ..*provider };
        let refused = match token_answer(200, body.as_bytes(), &flat) {
            Ok(TokenAnswer::Token(token)) => {
                let installed = install(&token);
                return Ok(installed.map(|generation| members([("generation", json!(generation.0))])));
            }
            Ok(TokenAnswer::Error(_)) => Error::InvalidAccessToken,
            Err(error) => error,
        };
        // A call that is refused moves the clock too, and an id that is stale is refused first.
        let stale = install(&TokenResponse::new("")) == Err(Error::StaleRequest);
        Ok(Err(if stale { Error::StaleRequest } else { refused }))
    }
}

/// A request, as an `expect` names it.
fn written(request: &Request<'_>) -> Map<String, Value> {
    let headers: Vec<_> = request.headers().map(|(name, value)| json!([name, value])).collect();
    members([
        ("method", json!(request.method())),
        ("url", json!(request.url())),
        ("headers", json!(headers)),
        ("body", json!(String::from_utf8_lossy(request.body()))),
    ])
}

/// What an answer was, as an `expect` names it.
fn answered(outcome: &Outcome<'_>) -> Map<String, Value> {
    match outcome {
        Outcome::Token(generation) => {
            members([("outcome", json!("token")), ("generation", json!(generation.0))])
        }
        Outcome::Error(response) => {
            let code: Vec<u8> = response.error().bytes().collect();
            members([("outcome", json!("error")), ("error_code", json!(String::from_utf8_lossy(&code)))])
        }
    }
}

/// Bytes of memory for the codes of a device authorization.
fn device_memory(scenario: &Map<String, Value>) -> Result<usize, String> {
    let capacity = scenario.get("capacity").and_then(Value::as_object);
    let bytes = capacity.map_or(Ok(None), |capacity| optional(capacity, "device", integer))?;
    Ok(bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(1024))
}

fn status(step: &Map<String, Value>) -> Result<u16, String> {
    u16::try_from(required(step, "status", integer)?).map_err(|_| "`status` is a status code".to_owned())
}

fn body(step: &Map<String, Value>) -> Result<Vec<u8>, String> {
    match (step.get("body"), step.get("body_hex")) {
        (Some(Value::String(body)), None) => Ok(body.as_bytes().to_vec()),
        (None, Some(Value::String(hex))) => bytes_of_hex(hex),
        (None, None) => Ok(Vec::new()),
        _ => Err("one of `body` and `body_hex`, a string".to_owned()),
    }
}

/// Flips the bit that the step names.
fn flip(step: &Map<String, Value>, bytes: &mut [u8]) -> Result<(), String> {
    if let Some(bit) = optional(step, "flip", integer)?
        && !bytes.is_empty()
    {
        let place = usize::try_from(bit / 8).unwrap_or(usize::MAX) % bytes.len();
        bytes[place] ^= 1 << (bit % 8);
    }
    Ok(())
}

/// More than any token that fits into a header field.
const MAX_SLOT: usize = 1 << 20;

fn new_manager<'a>(
    scenario: &'a Map<String, Value>,
    overrides: &'a Map<String, Value>,
    at: u64,
    seed: u64,
    arena: &'a Bump,
) -> Result<Manager<'a>, String> {
    let (provider, identity) = description::of_scenario(scenario, overrides, arena)?;
    let capacity = overrides.get("capacity").or(scenario.get("capacity")).and_then(Value::as_object);
    let slot = |name| match capacity {
        Some(capacity) => optional(capacity, name, integer).map(|slot| slot.unwrap_or(2048)),
        None => Ok(2048),
    };
    let slot = |name| {
        let bytes = usize::try_from(slot(name)?).ok().filter(|bytes| *bytes <= MAX_SLOT);
        bytes.ok_or_else(|| "a slot is too large".to_owned())
    };
    let (access, refresh) = (slot("access")?, slot("refresh")?);
    let slots = Slots::new(vec![0; access + refresh], access);
    let options = description::options(scenario, overrides)?;
    TokenManager::with_options(Instant::from_millis(at), provider, identity, slots, seed, options)
        .map_err(|error| format!("no manager: {}", error.name()))
}

type Pairs<'s> = Vec<(&'s str, &'s str)>;

/// What the caller adds to a request: values and parameters.
fn additions<'s>(
    step: &'s Map<String, Value>,
    scenario: &'s Map<String, Value>,
) -> Result<Option<(Pairs<'s>, Pairs<'s>)>, String> {
    let Some(given) = step.get("additions").or(scenario.get("additions")) else { return Ok(None) };
    let given = given.as_object().ok_or("`additions` is an object")?;
    Ok(Some((pairs(given, "values")?, pairs(given, "parameters")?)))
}

fn credentials<'c>(
    step: &'c Map<String, Value>,
    scenario: &'c Map<String, Value>,
    arena: &'c Bump,
) -> Result<Credentials<'c>, String> {
    let given = step.get("credentials").or(scenario.get("credentials"));
    let Some(value) = given else { return Ok(Credentials::default()) };
    let object = value.as_object().ok_or("`credentials` is an object")?;
    let member = |name| optional(object, name, text).map(Option::unwrap_or_default);
    Ok(Credentials {
        client_id: member("client_id")?,
        client_secret: member("client_secret")?,
        username: member("username")?,
        password: member("password")?,
        bearer: member("bearer")?,
        assertion: object.get("assertion").map(|value| assertion(value, arena)).transpose()?,
    })
}

fn assertion<'c>(value: &'c Value, arena: &'c Bump) -> Result<&'c Assertion<'c>, String> {
    let object = value.as_object().ok_or("`assertion` is an object")?;
    let random = bytes_of_hex(required(object, "random_hex", text)?)?;
    Ok(arena.alloc(Assertion {
        random: random.try_into().map_err(|_| "an assertion takes 16 random bytes")?,
        wall: UnixTime::from_secs(optional(object, "wall", integer)?.unwrap_or_default()),
        key_id: optional(object, "key_id", text)?,
        certificate_thumbprint: optional(object, "certificate_thumbprint", text)?,
        algorithm: optional(object, "algorithm", text)?.map(algorithm).transpose()?,
        signature: optional(object, "signature_hex", text)?
            .map(|hex| Ok::<_, String>(&*arena.alloc_slice_copy(&bytes_of_hex(hex)?)))
            .transpose()?,
    }))
}

fn algorithm(name: &str) -> Result<&'static SignatureAlgorithm, String> {
    let named = SignatureAlgorithm::ALL.iter().find(|algorithm| algorithm.name() == name);
    named.copied().ok_or_else(|| format!("there is no algorithm `{name}`"))
}

fn members<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The header fields of an answer.
fn fields(step: &Map<String, Value>) -> Result<Vec<(&str, &[u8])>, String> {
    Ok(pairs(step, "headers")?.into_iter().map(|(name, value)| (name, value.as_bytes())).collect())
}

/// Names and values: header fields, say.
fn pairs<'s>(object: &'s Map<String, Value>, name: &str) -> Result<Pairs<'s>, String> {
    list(object, name)?.iter().map(pair).collect()
}
