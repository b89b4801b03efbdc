//! Runs scenarios (docs/SCENARIOS.md) against the core through its public API.

use bumpalo::Bump;
use serde_json::{Map, Value, json};
use tokenward::{
    Answer, ApiOrigins, BasicEncoding, BodyFormat, ClientAuthentication, Credentials, Environment, Error,
    Exposure, Generation, Grant, Instant, IssuedBy, MissingLifetime, Next, Outcome, Provider, RefreshPolicy,
    RequestId, Retry, Revision, Route, Slots, SnapshotScope, Subject, TokenAlphabet, TokenAnswer, TokenKind,
    TokenManager, UnixTime, ZeroLifetime, providers, token_answer,
};

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
    /// `nothing`, `request`, `await`, `wait`, `reload` or `supply`.
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

/// The sealing key of every scenario: what it proves does not depend on it.
const KEY: [u8; 32] = [0x5C; 32];

type Manager<'a> = TokenManager<'a, Vec<u8>>;

struct Driver<'a> {
    scenario: &'a Map<String, Value>,
    arena: &'a Bump,
    manager: Manager<'a>,
    /// Unix seconds at `epoch` milliseconds.
    wall: Option<u64>,
    epoch: u64,
    requests: Vec<(String, RequestId)>,
    last_request: Option<RequestId>,
    /// The last snapshot: its bytes, scope and revision.
    snapshot: Option<(Vec<u8>, SnapshotScope, Revision)>,
}

impl<'a> Driver<'a> {
    fn new(scenario: &'a Value, arena: &'a Bump) -> Result<Self, String> {
        let scenario = scenario.as_object().ok_or("a scenario is an object")?;
        let manager = new_manager(scenario, arena.alloc(Map::new()), 0, arena)?;
        Ok(Self {
            scenario,
            arena,
            manager,
            wall: optional(scenario, "wall", integer)?,
            epoch: 0,
            requests: Vec::new(),
            last_request: None,
            snapshot: None,
        })
    }

    fn run(mut self) -> Result<Run, String> {
        let name = optional(self.scenario, "name", text)?.unwrap_or_default().to_owned();
        let steps = self.scenario.get("steps").and_then(Value::as_array).ok_or("`steps` is an array")?;
        let mut run = Run { name, steps: Vec::new(), states: Vec::new(), difference: None };
        let empty = Map::new();
        for (index, step) in steps.iter().enumerate() {
            let within = |fault| format!("step {index}: {fault}");
            let step = step.as_object().ok_or_else(|| within("a step is an object".to_owned()))?;
            let at = required(step, "at", integer).map_err(within)?;
            let action = required(step, "do", text).map_err(within)?;
            let result = self.step(step, action, at).map_err(within)?;
            let mut actual = match result {
                Ok(actual) => actual,
                Err(error) => members([("error", json!(error.name()))]),
            };
            let unpersisted = |scope| json!(self.manager.unpersisted(scope).is_some());
            actual.insert("unpersisted".to_owned(), unpersisted(SnapshotScope::All));
            actual.insert("unpersisted_refresh_token".to_owned(), unpersisted(SnapshotScope::RefreshToken));
            let expect = match step.get("expect") {
                None => &empty,
                Some(expect) => {
                    expect.as_object().ok_or_else(|| within("`expect` is an object".to_owned()))?
                }
            };
            run.difference =
                difference(expect, &actual).map(|fault| format!("step {index} ({action} at {at}): {fault}"));
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
            let poll = self.manager.poll(Instant::from_millis(from));
            states.push(State { from, usable: poll.usable, next: next_name(poll.next) });
            match poll.poll_at.map(Instant::as_millis) {
                Some(later) if from < later && later < until => from = later,
                _ => break,
            }
        }
    }

    /// The time of day at a step, which counts on from the scenario's or the last restart's.
    fn wall(&self, at: u64) -> Option<UnixTime> {
        let since = at.saturating_sub(self.epoch) / 1000;
        self.wall.map(|wall| UnixTime::from_secs(wall.saturating_add(since)))
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
                Ok(self.manager.failed(now, id).map(|()| Map::new()))
            }
            "rejected" => self.rejected(step, now),
            "authorize" => self.authorize(step, now),
            "install" => self.install(step, now),
            "snapshot" => {
                let scope = match optional(step, "scope", text)? {
                    None | Some("all") => SnapshotScope::All,
                    Some("refresh_token") => SnapshotScope::RefreshToken,
                    Some(other) => return Err(format!("no scope {other:?}")),
                };
                let mut out = vec![0; 1 << 17];
                let wall = self.wall(at);
                Ok(self.manager.snapshot(now, wall, scope, &KEY, &mut out).map(|bytes| {
                    self.snapshot = Some((bytes.to_vec(), scope, self.manager.revision()));
                    Map::new()
                }))
            }
            "persisted" => {
                let (_, scope, revision) = self.snapshot.as_ref().ok_or("`persisted` without a snapshot")?;
                self.manager.persisted(*scope, *revision);
                nothing()
            }
            "reloaded" => {
                self.manager.reloaded();
                nothing()
            }
            "retry" => {
                self.manager.retry();
                nothing()
            }
            "renew" => {
                self.manager.renew();
                nothing()
            }
            "clear" => {
                self.manager.clear();
                nothing()
            }
            "restore" => {
                let wall = self.wall(at);
                self.restore(step, now, wall)
            }
            "restart" => {
                self.manager = new_manager(self.scenario, step, at, self.arena)?;
                self.wall = optional(step, "wall", integer)?;
                self.epoch = at;
                self.requests.clear();
                self.last_request = None;
                let wall = self.wall(at);
                if step.get("restore") == Some(&Value::Bool(false)) || self.snapshot.is_none() {
                    return nothing();
                }
                self.restore(step, now, wall)
            }
            other => Err(format!("nothing is called {other:?}")),
        }
    }

    fn poll(&self, now: Instant) -> Map<String, Value> {
        let poll = self.manager.poll(now);
        let mut actual = members([
            ("usable", json!(poll.usable)),
            ("poll_at", json!(poll.poll_at.map(Instant::as_millis))),
        ]);
        match poll.next {
            Next::Request(grant) => {
                actual.insert("grant".to_owned(), json!(grant.name()));
            }
            Next::Supply(reason) => {
                actual.insert("reason".to_owned(), json!(reason.name()));
            }
            _ => {}
        }
        actual.insert("next".to_owned(), json!(next_name(poll.next)));
        actual
    }

    fn begin(
        &mut self,
        step: &'a Map<String, Value>,
        now: Instant,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let credentials = credentials(step.get("credentials").or(self.scenario.get("credentials")))?;
        let mut out = vec![0; 1 << 17];
        let (id, request) = match self.manager.begin(now, &credentials, &mut out) {
            Ok(begun) => begun,
            Err(error) => return Ok(Err(error)),
        };
        self.last_request = Some(id);
        if let Some(name) = optional(step, "as", text)? {
            self.requests.retain(|(known, _)| known != name);
            self.requests.push((name.to_owned(), id));
        }
        let headers: Vec<_> = request.headers().map(|(name, value)| json!([name, value])).collect();
        Ok(Ok(members([
            ("method", json!(request.method())),
            ("url", json!(request.url())),
            ("headers", json!(headers)),
            ("body", json!(String::from_utf8_lossy(request.body()))),
        ])))
    }

    fn request(&self, step: &Map<String, Value>) -> Result<RequestId, String> {
        // An id that was never given out, for a request that another process sent.
        const NEVER: RequestId = RequestId(u64::MAX);
        Ok(match optional(step, "request", text)? {
            None => self.last_request.unwrap_or(NEVER),
            Some(name) => self.requests.iter().find(|(known, _)| known == name).map_or(NEVER, |(_, id)| *id),
        })
    }

    fn answer(
        &mut self,
        step: &'a Map<String, Value>,
        now: Instant,
        at: u64,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let id = self.request(step)?;
        let status = required(step, "status", integer)?;
        let status = u16::try_from(status).map_err(|_| "`status` is a status code")?;
        let headers = pairs(step)?;
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let body = match (step.get("body"), step.get("body_hex")) {
            (Some(Value::String(body)), None) => body.as_bytes().to_vec(),
            (None, Some(Value::String(hex))) => bytes_of_hex(hex)?,
            (None, None) => Vec::new(),
            _ => return Err("one of `body` and `body_hex`, a string".to_owned()),
        };
        let answer = Answer { status, headers: &headers, body: &body, wall: self.wall(at) };
        Ok(self.manager.answer(now, id, &answer).map(|outcome| match outcome {
            Outcome::Token(generation) => {
                members([("outcome", json!("token")), ("generation", json!(generation.0))])
            }
            Outcome::Error(response) => {
                let code: Vec<u8> = response.error().bytes().collect();
                members([("outcome", json!("error")), ("error_code", json!(String::from_utf8_lossy(&code)))])
            }
        }))
    }

    fn rejected(
        &mut self,
        step: &Map<String, Value>,
        now: Instant,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let generation = optional(step, "generation", integer)?.map_or(self.manager.generation(), Generation);
        let status = required(step, "status", integer)?;
        let status = u16::try_from(status).map_err(|_| "`status` is a status code")?;
        let challenges: Vec<_> = pairs(step)?
            .into_iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"))
            .map(|(_, value)| value)
            .collect();
        let challenge = challenges.join(", ");
        let challenge = (!challenges.is_empty()).then_some(challenge.as_bytes());
        Ok(Ok(match self.manager.rejected(now, generation, status, challenge) {
            Retry::Now => members([("retry", json!("now"))]),
            Retry::AfterRefresh => members([("retry", json!("after_refresh"))]),
            Retry::Surface(reason) => {
                members([("retry", json!("surface")), ("reason", json!(reason.name()))])
            }
        }))
    }

    fn authorize(
        &self,
        step: &Map<String, Value>,
        now: Instant,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let (method, url) = (required(step, "method", text)?, required(step, "url", text)?);
        let bearer = match self.manager.authorize(now, method, url) {
            Ok(bearer) => bearer,
            Err(error) => return Ok(Err(error)),
        };
        let mut out = vec![0; bearer.encoded_len()];
        let header = bearer.write(&mut out).map_err(|error| error.name())?;
        Ok(Ok(members([
            ("header", json!(String::from_utf8_lossy(header))),
            ("generation", json!(bearer.generation().0)),
        ])))
    }

    fn install(
        &mut self,
        step: &Map<String, Value>,
        now: Instant,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let body = step.get("token").ok_or("`token` is missing")?.to_string();
        // The members of RFC 6749 section 5.1 stand flat, wherever the provider's own answers have them.
        let provider = provider(self.scenario, self.arena.alloc(Map::new()), self.arena)?;
        let flat = Provider { member_path: "", error_path: "", ..*provider };
        let refused = match token_answer(200, body.as_bytes(), &flat) {
            Ok(TokenAnswer::Token(token)) => {
                let installed = self.manager.install(now, &token);
                return Ok(installed.map(|generation| members([("generation", json!(generation.0))])));
            }
            Ok(TokenAnswer::Error(_)) => Error::InvalidAccessToken,
            Err(error) => error,
        };
        // An install that is refused moves the clock too.
        let moved = self.manager.failed(now, RequestId(u64::MAX));
        debug_assert_eq!(moved, Err(Error::StaleRequest));
        Ok(Err(refused))
    }

    fn restore(
        &mut self,
        step: &Map<String, Value>,
        now: Instant,
        wall: Option<UnixTime>,
    ) -> Result<Result<Map<String, Value>, Error>, String> {
        let (bytes, ..) = self.snapshot.as_ref().ok_or("`restore` without a snapshot")?;
        let mut bytes = bytes.clone();
        if let Some(bit) = optional(step, "flip", integer)? {
            let place = usize::try_from(bit / 8).unwrap_or(usize::MAX) % bytes.len();
            bytes[place] ^= 1 << (bit % 8);
        }
        if let Some(kept) = optional(step, "cut", integer)? {
            bytes.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        }
        let floor = Revision(optional(step, "floor", integer)?.unwrap_or(0));
        Ok(self.manager.restore(now, wall, floor, &KEY, &bytes).map(|()| Map::new()))
    }
}

fn next_name(next: Next) -> &'static str {
    match next {
        Next::Nothing => "nothing",
        Next::Request(_) => "request",
        Next::Await(_) => "await",
        Next::Wait => "wait",
        Next::Reload => "reload",
        Next::Supply(_) => "supply",
    }
}

/// More than any token that fits into a header field.
const MAX_SLOT: usize = 1 << 20;

fn new_manager<'a>(
    scenario: &'a Map<String, Value>,
    overrides: &'a Map<String, Value>,
    at: u64,
    arena: &'a Bump,
) -> Result<Manager<'a>, String> {
    let provider = provider(scenario, overrides, arena)?;
    let site = optional(overrides, "site", text)?.or(optional(scenario, "site", text)?);
    let subject = site.map_or(Subject::Client, |site| Subject::Site(arena.alloc_str(site)));
    let capacity = scenario.get("capacity").and_then(Value::as_object);
    let slot = |name| match capacity {
        Some(capacity) => optional(capacity, name, integer).map(|slot| slot.unwrap_or(2048)),
        None => Ok(2048),
    };
    let slot = |name| {
        let bytes = usize::try_from(slot(name)?).ok().filter(|bytes| *bytes <= MAX_SLOT);
        bytes.ok_or_else(|| "a slot is too large".to_owned())
    };
    let (access, refresh) = (slot("access")?, slot("refresh")?);
    let seed = optional(scenario, "seed", integer)?.unwrap_or(0);
    let slots = Slots::new(vec![0; access + refresh], access);
    TokenManager::new(Instant::from_millis(at), provider, subject, slots, seed)
        .map_err(|error| format!("no manager: {}", error.name()))
}

fn credentials(value: Option<&Value>) -> Result<Credentials<'_>, String> {
    let Some(value) = value else { return Ok(Credentials::default()) };
    let object = value.as_object().ok_or("`credentials` is an object")?;
    let member = |name| optional(object, name, text).map(Option::unwrap_or_default);
    Ok(Credentials {
        client_id: member("client_id")?,
        client_secret: member("client_secret")?,
        username: member("username")?,
        password: member("password")?,
        bearer: member("bearer")?,
    })
}

/// The scenario's provider: a preset by its name, or an object.
fn provider<'a>(
    scenario: &'a Map<String, Value>,
    overrides: &'a Map<String, Value>,
    arena: &'a Bump,
) -> Result<&'a Provider<'a>, String> {
    let member = |name| match optional(overrides, name, text)? {
        Some(value) => Ok(value),
        None => required(scenario, name, text),
    };
    let environment = || match member("environment")? {
        "sandbox" => Ok(Environment::Sandbox),
        "production" => Ok(Environment::Production),
        other => Err(format!("no environment {other:?}")),
    };
    let mut provider = match scenario.get("provider") {
        Some(Value::String(name)) => match name.as_str() {
            "flip_utility" => providers::flip_utility(environment()?),
            "flip_utility_api_key" => providers::flip_utility_api_key(environment()?),
            "flip_energy_client" => providers::flip_energy_client(member("base_url")?),
            "flip_energy_site" => {
                let issued_by = match member("issued_by")? {
                    "client_token" => IssuedBy::ClientToken,
                    "backend" => IssuedBy::Backend,
                    other => return Err(format!("no issuer {other:?}")),
                };
                providers::flip_energy_site(member("base_url")?, issued_by)
            }
            "flume" => providers::flume(member("base_url")?),
            "opower" => providers::opower(member("base_url")?),
            "flute" => providers::flute(environment()?),
            other => return Err(format!("no preset {other:?}")),
        },
        Some(Value::Object(object)) => {
            let mut provider = custom_provider(object, arena)?;
            if let Some(environment) = optional(overrides, "environment", text)? {
                provider.environment = environment;
            }
            if let Some(base_url) = optional(overrides, "base_url", text)? {
                provider.base_url = base_url;
            }
            provider
        }
        _ => return Err("`provider` is a preset's name or an object".to_owned()),
    };
    provider.allow_loopback_http = scenario.get("allow_loopback_http") == Some(&Value::Bool(true));
    provider.policy.jitter_permille = 0;
    let policies =
        [scenario.get("provider").and_then(|provider| provider.get("policy")), scenario.get("policy")];
    for policy in policies.into_iter().flatten() {
        override_policy(&mut provider.policy, policy.as_object().ok_or("`policy` is an object")?)?;
    }
    Ok(arena.alloc(provider))
}

pub(crate) fn override_policy(
    policy: &mut RefreshPolicy,
    members: &Map<String, Value>,
) -> Result<(), String> {
    let small = |value: &Value| u32::try_from(integer(value)?).map_err(|_| "is too large".to_owned());
    for (name, value) in members {
        let within = |fault| format!("policy {name}: {fault}");
        match name.as_str() {
            "fraction_permille" => policy.fraction_permille = small(value).map_err(within)?,
            "margin_ms" => policy.margin_ms = integer(value).map_err(within)?,
            "min_interval_ms" => policy.min_interval_ms = integer(value).map_err(within)?,
            "jitter_permille" => policy.jitter_permille = small(value).map_err(within)?,
            "startup_spread_ms" => policy.startup_spread_ms = integer(value).map_err(within)?,
            "response_timeout_ms" => policy.response_timeout_ms = integer(value).map_err(within)?,
            "first_backoff_ms" => policy.first_backoff_ms = integer(value).map_err(within)?,
            "max_backoff_ms" => policy.max_backoff_ms = integer(value).map_err(within)?,
            "max_lifetime_s" => policy.max_lifetime_s = integer(value).map_err(within)?,
            "refresh_attempts" => policy.refresh_attempts = small(value).map_err(within)?,
            "shared_storage" => {
                policy.shared_storage = value.as_bool().ok_or("`shared_storage` is a boolean")?
            }
            _ => return Err(format!("no policy number {name:?}")),
        }
    }
    Ok(())
}

/// A provider object; what it leaves out has the default of a custom provider.
pub(crate) fn custom_provider<'a>(
    object: &'a Map<String, Value>,
    arena: &'a Bump,
) -> Result<Provider<'a>, String> {
    const KNOWN: [&str; 20] = [
        "name",
        "environment",
        "token_url",
        "api_origins",
        "grants",
        "authentication",
        "body",
        "scope",
        "member_path",
        "error_path",
        "error_codes",
        "token_type_required",
        "token_type_aliases",
        "token_alphabet",
        "missing_lifetime",
        "zero_lifetime",
        "routes",
        "exposure",
        "policy",
        "comment",
    ];
    if let Some(unknown) = object.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!("a provider has no {unknown:?}"));
    }
    let string = |name| optional(object, name, text).map(Option::unwrap_or_default);
    let strings = |name| -> Result<&'a [&'a str], String> {
        let list = list(object, name)?.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        Ok(arena.alloc_slice_copy(&list))
    };
    let custom = Provider::custom();
    let origins = strings("api_origins")?;
    Ok(Provider {
        name: string("name")?,
        environment: string("environment")?,
        base_url: string("token_url")?,
        token_path: "",
        api_origins: if origins.is_empty() { ApiOrigins::AnyHttps } else { ApiOrigins::Listed(origins) },
        grants: {
            let grants = list(object, "grants")?.iter().map(grant).collect::<Result<Vec<_>, _>>()?;
            arena.alloc_slice_copy(&grants)
        },
        authentication: match optional(object, "authentication", text)? {
            None => custom.authentication,
            Some("basic") => ClientAuthentication::Basic(BasicEncoding::Rfc6749Form),
            Some("basic_raw") => ClientAuthentication::Basic(BasicEncoding::Raw),
            Some("post") => ClientAuthentication::Post,
            Some("bearer") => ClientAuthentication::Bearer,
            Some("none") => ClientAuthentication::None,
            Some(other) => return Err(format!("no authentication {other:?}")),
        },
        body: match optional(object, "body", text)? {
            None | Some("form") => BodyFormat::Form,
            Some("json") => BodyFormat::Json,
            Some(other) => return Err(format!("no body {other:?}")),
        },
        scope: string("scope")?,
        member_path: string("member_path")?,
        error_path: string("error_path")?,
        error_codes: match object.get("error_codes") {
            None => &[],
            Some(codes) => {
                let codes = codes.as_object().ok_or("`error_codes` is an object")?;
                let codes = codes
                    .iter()
                    .map(|(own, standard)| Ok((own.as_str(), text(standard)?)))
                    .collect::<Result<Vec<_>, String>>()?;
                arena.alloc_slice_copy(&codes)
            }
        },
        token_type_required: object.get("token_type_required") == Some(&Value::Bool(true)),
        token_type_aliases: strings("token_type_aliases")?,
        token_alphabet: match optional(object, "token_alphabet", text)? {
            None | Some("b64token") => TokenAlphabet::B64Token,
            Some("visible") => TokenAlphabet::Visible,
            Some(other) => return Err(format!("no alphabet {other:?}")),
        },
        missing_lifetime: match object.get("missing_lifetime") {
            None => custom.missing_lifetime,
            Some(Value::String(policy)) if policy == "never" => MissingLifetime::Never,
            Some(Value::String(policy)) if policy == "refuse" => MissingLifetime::Refuse,
            Some(Value::Object(policy)) => {
                if let Some(else_seconds) = optional(policy, "jwt_expiry_else", integer)? {
                    MissingLifetime::JwtExpiry { else_seconds }
                } else {
                    MissingLifetime::Assume(required(policy, "assume", integer)?)
                }
            }
            Some(other) => return Err(format!("no missing_lifetime {other}")),
        },
        zero_lifetime: match optional(object, "zero_lifetime", text)? {
            None | Some("expired") => ZeroLifetime::Expired,
            Some("never") => ZeroLifetime::Never,
            Some(other) => return Err(format!("no zero_lifetime {other:?}")),
        },
        routes: {
            let routes = list(object, "routes")?.iter().map(route).collect::<Result<Vec<_>, _>>()?;
            arena.alloc_slice_copy(&routes)
        },
        exposure: match optional(object, "exposure", text)? {
            None | Some("server_only") => Exposure::ServerOnly,
            Some("app_allowed") => Exposure::AppAllowed,
            Some(other) => return Err(format!("no exposure {other:?}")),
        },
        ..custom
    })
}

fn grant(value: &Value) -> Result<Grant, String> {
    let name = text(value)?;
    [Grant::ClientCredentials, Grant::Password, Grant::RefreshToken, Grant::SiteToken]
        .into_iter()
        .find(|grant| grant.name() == name)
        .ok_or_else(|| format!("no grant {name:?}"))
}

fn route(value: &Value) -> Result<Route<'_>, String> {
    let route = value.as_object().ok_or("a route is an object")?;
    Ok(Route {
        method: required(route, "method", text)?,
        path: required(route, "path", text)?,
        token: match required(route, "token", text)? {
            "client" => TokenKind::Client,
            "site" => TokenKind::Site,
            other => return Err(format!("no token kind {other:?}")),
        },
    })
}

/// The first member of `expect` that `actual` has not, in one line.
fn difference(expect: &Map<String, Value>, actual: &Map<String, Value>) -> Option<String> {
    if let Some(refused) = actual.get("error") {
        match expect.get("error") {
            Some(Value::Bool(true)) => {}
            Some(expected) if expected == refused => {}
            expected => {
                return Some(format!(
                    "refused as {refused}, expected {}",
                    expected.unwrap_or(&json!("success"))
                ));
            }
        }
    } else if let Some(expected) = expect.get("error") {
        return Some(format!("succeeded, expected the refusal {expected}"));
    }
    expect.iter().filter(|(name, _)| *name != "error").find_map(|(name, expected)| {
        let found = actual.get(name).unwrap_or(&Value::Null);
        let same = match name.as_str() {
            "headers" => has_headers(found, expected),
            "body" => same_body(found, expected),
            _ => same_value(found, expected),
        };
        (!same).then(|| format!("{name} is {found}, expected {expected}"))
    })
}

/// Integers beyond 2⁵³ stand as strings in a scenario.
fn same_value(found: &Value, expected: &Value) -> bool {
    found == expected
        || match (found, expected) {
            (Value::Number(number), Value::String(text)) => number.to_string() == *text,
            _ => false,
        }
}

fn has_headers(found: &Value, expected: &Value) -> bool {
    let pairs = |value: &Value| -> Vec<(String, String)> {
        let pair = |pair: &Value| {
            Some((pair.get(0)?.as_str()?.to_ascii_lowercase(), pair.get(1)?.as_str()?.to_owned()))
        };
        value.as_array().into_iter().flatten().filter_map(pair).collect()
    };
    let found = pairs(found);
    let wanted = pairs(expected);
    expected.as_array().is_some_and(|list| list.len() == wanted.len())
        && wanted.iter().all(|pair| found.contains(pair))
}

fn same_body(found: &Value, expected: &Value) -> bool {
    let parsed = |value: &Value| match value {
        Value::String(text) => serde_json::from_str::<Value>(text).ok(),
        other => Some(other.clone()),
    };
    found == expected || matches!((parsed(found), parsed(expected)), (Some(a), Some(b)) if a == b)
}

fn members<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{value} is no string"))
}

/// A whole number, or a string of one beyond 2⁵³.
fn integer(value: &Value) -> Result<u64, String> {
    let number = match value {
        Value::String(digits) => digits.parse().ok(),
        other => other.as_u64(),
    };
    number.ok_or_else(|| format!("{value} is no whole number"))
}

fn optional<'v, T>(
    object: &'v Map<String, Value>,
    name: &str,
    read: impl Fn(&'v Value) -> Result<T, String>,
) -> Result<Option<T>, String> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(value).map(Some).map_err(|fault| format!("`{name}`: {fault}")),
    }
}

fn required<'v, T>(
    object: &'v Map<String, Value>,
    name: &str,
    read: impl Fn(&'v Value) -> Result<T, String>,
) -> Result<T, String> {
    optional(object, name, read)?.ok_or_else(|| format!("`{name}` is missing"))
}

fn list<'v>(object: &'v Map<String, Value>, name: &str) -> Result<&'v [Value], String> {
    match object.get(name) {
        None => Ok(&[]),
        Some(value) => value.as_array().map(Vec::as_slice).ok_or_else(|| format!("`{name}` is no list")),
    }
}

/// The step's header fields.
fn pairs(step: &Map<String, Value>) -> Result<Vec<(&str, &str)>, String> {
    list(step, "headers")?
        .iter()
        .map(|pair| match pair.as_array().map(Vec::as_slice) {
            Some([name, value]) => Ok((text(name)?, text(value)?)),
            _ => Err("a header field is a pair".to_owned()),
        })
        .collect()
}

fn bytes_of_hex(hex: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let bytes =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect::<Option<Vec<_>>>();
    bytes.filter(|_| rest.is_empty()).ok_or_else(|| "`body_hex` is pairs of hexadecimal digits".to_owned())
}
