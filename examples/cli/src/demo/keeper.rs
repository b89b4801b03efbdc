//! A manager of the core, driven over real HTTP against a service of the demo.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokenward::storage::{Found, Storage};
use tokenward::{
    Answer, Error, Generation, Identity, Instant, Next, Options, Outcome, Poll, Provider, Request, RequestId,
    Retry, Slots, TokenAnswer, TokenManager, TokenResponse, token_answer,
};

use super::clock::DemoClock;
use super::timeline::{Event, Timeline, shown};
use crate::credentials::Presented;
use crate::failure::Failure;
use crate::http::Http;
use crate::windows::Windows;

/// Real time for one exchange on loopback.
const TIMEOUT: Duration = Duration::from_secs(10);
const KEY: [u8; 32] = *b"the demo's key, which is no key.";

impl From<tokenward_demo_service::Credentials> for Presented {
    fn from(accepted: tokenward_demo_service::Credentials) -> Self {
        Self {
            client_id: accepted.client_id.unwrap_or_default(),
            client_secret: accepted.client_secret.unwrap_or_default(),
            username: accepted.username.unwrap_or_default(),
            password: accepted.password.unwrap_or_default(),
            bearer: accepted.bearer.unwrap_or_default(),
            key: None,
            values: Vec::new(),
        }
    }
}

/// The one place of storage, where processes that share it look.
type Place = Rc<RefCell<Option<Vec<u8>>>>;

pub(super) struct Keeper<'p> {
    pub(super) name: String,
    pub(super) provider: &'p Provider<'p>,
    identity: Identity<'p>,
    /// The origin of the protected API.
    api: &'p str,
    pub(super) manager: TokenManager<'p, Vec<u8>>,
    /// What it presents to the token endpoint; changed by the demo as a user would.
    pub(super) held: Presented,
    rules: Storage,
    place: Place,
    /// What the last load came to.
    found: Result<Found, Error>,
    pub(super) http: Http,
    clock: Arc<DemoClock>,
    speed: f64,
    /// When the last request began.
    pub(super) began_at: Instant,
    /// Requests to the token endpoint so far, and what the last one came to.
    pub(super) requests: usize,
    pub(super) last: Result<(), &'static str>,
    /// Whether the last answer brought another refresh token.
    pub(super) rotated: bool,
    refresh_token: Vec<u8>,
}

impl<'p> Keeper<'p> {
    pub(super) fn new(
        name: &str,
        provider: &'p Provider<'p>,
        identity: Identity<'p>,
        api: &'p str,
        held: Presented,
        clock: &Arc<DemoClock>,
        speed: f64,
    ) -> Result<Self, Failure> {
        // Only a refresh token can be presented twice.
        let rules = if provider.refresh_grant { Storage::SHARED } else { Storage::OWN };
        Ok(Self {
            name: name.to_owned(),
            provider,
            identity,
            api,
            manager: manager(provider, identity, clock.now(), rules)?,
            held,
            rules,
            place: Place::default(),
            found: Ok(Found::Empty),
            http: Http::new(api, TIMEOUT).map_err(Failure::unavailable)?,
            clock: Arc::clone(clock),
            speed,
            began_at: clock.now(),
            requests: 0,
            last: Ok(()),
            rotated: false,
            refresh_token: Vec::new(),
        })
    }

    /// Another process with the same storage.
    pub(super) fn beside(&self, name: &str) -> Result<Self, Failure> {
        let Self { provider, identity, api, held, clock, speed, .. } = self;
        let other = Self::new(name, provider, *identity, api, held.clone(), clock, *speed)?;
        Ok(Self { place: Rc::clone(&self.place), ..other })
    }

    pub(super) fn poll(&self) -> Poll {
        self.manager.poll(self.clock.now())
    }

    /// Reads and writes storage as `poll` says: nobody else does meanwhile, which is the lock here.
    pub(super) fn sync(&mut self, line: &Timeline) -> Poll {
        loop {
            let poll = self.poll();
            match poll.next {
                Next::Load(id) => {
                    let (now, wall) = (self.clock.now(), Some(self.clock.wall()));
                    let bytes = self.place.borrow();
                    self.found = self.manager.loaded(now, wall, id, &KEY, &[bytes.as_deref()]);
                    drop(bytes);
                    self.tell_found(line);
                }
                Next::Store(id, _) => self.store(id, line),
                _ => return poll,
            }
        }
    }

    fn tell_found(&self, line: &Timeline) {
        match self.found {
            Ok(Found::Empty | Found::Known | Found::Kept) => {}
            Ok(found) => {
                let text = match found {
                    Found::SignedOut => "finds in storage that somebody has signed out".to_owned(),
                    _ => format!("takes what storage holds{}", self.life()),
                };
                line.event(
                    &self.name,
                    Event::Load,
                    &text,
                    json!({ "generation": self.manager.generation().0 }),
                );
            }
            Err(error) => {
                let text = format!("storage holds what is refused: {}", error.name());
                line.event(&self.name, Event::Refused, &text, json!({ "reason": error.name() }));
            }
        }
    }

    fn store(&mut self, id: RequestId, line: &Timeline) {
        let mut out = vec![0; 16 << 10];
        let (now, wall) = (self.clock.now(), Some(self.clock.wall()));
        let written = self.manager.snapshot(now, wall, id, &KEY, &mut out).map(<[u8]>::to_vec);
        tokenward::wipe(&mut out);
        let stored = written.and_then(|bytes| {
            let revision = self.manager.revision().0;
            let text = format!("revision {revision}, {} bytes, sealed", bytes.len());
            line.event(&self.name, Event::Store, &text, json!({ "revision": revision }));
            *self.place.borrow_mut() = Some(bytes);
            self.manager.stored(now, id)
        });
        if let Err(error) = stored {
            line.expect(&format!("a snapshot can be written ({})", error.name()), false);
        }
    }

    /// How this process uses its storage, which it takes nothing older from than it has written itself.
    pub(super) fn floored(&self) -> Storage {
        Storage { floor: self.manager.revision(), ..self.rules }
    }

    /// What storage holds.
    pub(super) fn stored(&self) -> Option<Vec<u8>> {
        self.place.borrow().clone()
    }

    /// Somebody else puts something into storage, or empties it.
    pub(super) fn put(&self, bytes: Option<Vec<u8>>) {
        *self.place.borrow_mut() = bytes;
    }

    /// Looks at storage now.
    pub(super) fn look(&mut self, line: &Timeline) -> Result<Found, Error> {
        self.manager.reload();
        let _ = self.sync(line);
        self.found
    }

    /// Signs out here.
    pub(super) fn sign_out(&mut self, line: &Timeline) {
        self.manager.clear();
        line.event(&self.name, Event::Restart, "signs out", json!({}));
        let _ = self.sync(line);
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(super) fn windows(&self) -> Windows {
        Windows::of(&self.manager, self.clock.now())
    }

    /// Does what `poll` asks for, until it asks for nothing that can be done now.
    pub(super) fn run(&mut self, line: &Timeline) -> Poll {
        loop {
            let poll = self.sync(line);
            match poll.next {
                Next::Request(_) => self.send(line),
                Next::Supply(_, reason) => {
                    let members = json!({ "reason": reason.name() });
                    line.event(
                        &self.name,
                        Event::Supply,
                        &format!("asks its caller: {}", reason.name()),
                        members,
                    );
                    return poll;
                }
                _ => return poll,
            }
        }
    }

    /// Lets the time pass until `poll` answers something else.
    pub(super) fn wait(&mut self, line: &Timeline, why: &str) {
        if let Some(until) = self.poll().poll_at {
            self.wait_until(until, line, why);
        }
    }

    pub(super) fn wait_for(&mut self, seconds: u64, line: &Timeline, why: &str) {
        let until = self.clock.now().saturating_add_millis(seconds.saturating_mul(1000));
        self.wait_until(until, line, why);
    }

    pub(super) fn wait_until(&self, until: Instant, line: &Timeline, why: &str) {
        let text = format!("until {}: {why}", shown(until));
        line.event(&self.name, Event::Wait, &text, json!({ "until_ms": until.as_millis() }));
        self.clock.wait_until(until, self.speed);
    }

    /// One request to the token endpoint: begin, send, answer.
    fn send(&mut self, line: &Timeline) {
        let mut out = vec![0; 16 << 10];
        let now = self.clock.now();
        let grant = match self.poll().next {
            Next::Request(grant) => grant.name(),
            _ => "none",
        };
        let (id, request) = match self.manager.begin(now, &self.held.credentials(), &mut out) {
            Ok(begun) => begun,
            Err(error) => return line.expect(&format!("a request can be written ({})", error.name()), false),
        };
        self.began_at = now;
        self.requests += 1;
        self.tell_request(&request, grant, line);
        let reply = self.http.exchange(&request);
        tokenward::wipe(&mut out);
        let now = self.clock.now();
        let reply = match reply {
            Ok(reply) => reply,
            Err(why) => {
                self.last = Err("no_answer");
                line.event(&self.name, Event::Failed, &format!("no answer: {why}"), json!({}));
                let spent = self.manager.failed(now, id);
                debug_assert_eq!(spent, Ok(()));
                return;
            }
        };
        let status = reply.status;
        let headers = reply.headers();
        let answer = Answer { status, headers: &headers, body: &reply.body, wall: Some(self.clock.wall()) };
        if let Ok(TokenAnswer::Token(token)) = token_answer(status, &reply.body, self.provider) {
            let brought = token.refresh_token().map_or(Vec::new(), |token| token.bytes().collect());
            self.rotated = !brought.is_empty() && brought != self.refresh_token;
            tokenward::wipe(&mut std::mem::replace(&mut self.refresh_token, brought));
        }
        match self.manager.answer(now, id, &answer) {
            Ok(Outcome::Token(generation)) => {
                self.last = Ok(());
                let _ = self.sync(line);
                let text = format!("{status}: token {}{}", generation.0, self.life());
                line.event(
                    &self.name,
                    Event::Token,
                    &text,
                    json!({ "status": status, "generation": generation.0 }),
                );
            }
            Ok(Outcome::Error(response)) => {
                self.last = Err(response.code().name());
                let code =
                    String::from_utf8_lossy(&response.error().bytes().collect::<Vec<_>>()).into_owned();
                let text = format!("{status}: the service answers {code}");
                line.event(&self.name, Event::Failed, &text, json!({ "status": status, "error": code }));
            }
            Err(error) => {
                self.last = Err(error.name());
                let retry =
                    reply.field("retry-after").map(|value| String::from_utf8_lossy(&value).into_owned());
                let again = retry.as_ref().map_or(String::new(), |value| format!(", Retry-After {value}"));
                let text = format!("{status}: refused as {}{again}", error.name());
                let members = json!({ "status": status, "reason": error.name(), "retry_after": retry });
                line.event(&self.name, Event::Failed, &text, members);
            }
        }
    }

    pub(super) fn tell_request(&self, request: &Request<'_>, grant: &str, line: &Timeline) {
        let path = request.url().strip_prefix(self.api).unwrap_or_default();
        line.event(&self.name, Event::Request, &format!("POST {path}  {grant}"), json!({ "grant": grant }));
    }

    fn life(&self) -> String {
        let windows = self.windows();
        match (windows.refresh_at, windows.usable_until) {
            (Some(due), Some(end)) => format!(", refresh due at {}, usable until {}", shown(due), shown(end)),
            (None, Some(end)) => format!(", usable until {}", shown(end)),
            _ => ", without an end".to_owned(),
        }
    }

    /// The token that someone else handed out, as an answer of RFC 6749 section 5.1.
    pub(super) fn install_answer(&mut self, body: &[u8], line: &Timeline) -> Result<Generation, Error> {
        match token_answer(200, body, self.provider)? {
            TokenAnswer::Token(token) => self.install(&token, line),
            TokenAnswer::Error(_) => Err(Error::InvalidAccessToken),
        }
    }

    pub(super) fn install(
        &mut self,
        token: &TokenResponse<'_>,
        line: &Timeline,
    ) -> Result<Generation, Error> {
        let generation = self.manager.install(self.clock.now(), None, token)?;
        let _ = self.sync(line);
        let text = format!("installed as token {}{}", generation.0, self.life());
        line.event(&self.name, Event::Token, &text, json!({ "generation": generation.0 }));
        Ok(generation)
    }

    /// A new process: nothing is left but what storage holds, which it reads first.
    pub(super) fn restart(
        &mut self,
        rules: Storage,
        what: &str,
        line: &Timeline,
    ) -> Result<Result<Found, Error>, Failure> {
        self.manager = manager(self.provider, self.identity, self.clock.now(), rules)?;
        let text = format!("the manager is dropped, a new one starts empty; storage holds {what}");
        line.event(&self.name, Event::Restart, &text, json!({}));
        let _ = self.sync(line);
        Ok(self.found)
    }

    /// Asks the core whether its token may go there; sends nothing.
    pub(super) fn check(&mut self, method: &str, url: &str, line: &Timeline) -> Result<(), Error> {
        let checked = self.manager.authorize(self.clock.now(), method, url).map(|_| ());
        if let Err(error) = checked {
            let text = format!("{method} {url}: {}", error.name());
            line.event(&self.name, Event::Refused, &text, json!({ "reason": error.name() }));
        }
        checked
    }

    /// The token, to be presented to the token endpoint itself.
    pub(super) fn lend(&self, method: &str, url: &str) -> Result<String, Error> {
        let bearer = self.manager.authorize(self.clock.now(), method, url)?;
        let mut header = vec![0; bearer.encoded_len()];
        bearer.write(&mut header)?;
        let token = header.strip_prefix(b"Bearer ").unwrap_or_default();
        Ok(String::from_utf8_lossy(token).into_owned())
    }

    /// Calls the protected API with the token; a 401 is handed to the core, and retried where it says so.
    /// Answers the last status and the core's decisions.
    pub(super) fn call(&mut self, method: &str, path: &str, line: &Timeline) -> (u16, Vec<Retry>) {
        const TRIES: usize = 2;
        let url = format!("{}{path}", self.api);
        let mut decisions = Vec::new();
        let mut status = 0;
        for _ in 0..TRIES {
            let Ok((generation, mut reply)) = self.call_once(method, &url, line) else {
                return (0, decisions);
            };
            status = reply.status;
            tokenward::wipe(&mut reply.body);
            let text = format!("{method} {path} with token {} -> {status}", generation.0);
            line.event(
                &self.name,
                Event::Call,
                &text,
                json!({ "status": status, "generation": generation.0 }),
            );
            if status != 401 && status != 403 {
                break;
            }
            let challenge = reply.field("www-authenticate");
            let retry = self.manager.rejected(self.clock.now(), generation, status, challenge.as_deref());
            decisions.push(retry);
            match retry {
                Retry::Now => {}
                Retry::AfterRefresh => {
                    let poll = self.run(line);
                    if poll.next == Next::Wait && !poll.usable {
                        self.wait(line, "the last request is less than a second old");
                        let _ = self.run(line);
                    }
                }
                Retry::Surface { reason, .. } => {
                    let text = format!("the refusal is the caller's: {}", reason.name());
                    line.event(&self.name, Event::Refused, &text, json!({ "reason": reason.name() }));
                    break;
                }
            }
        }
        (status, decisions)
    }

    fn call_once(
        &mut self,
        method: &str,
        url: &str,
        line: &Timeline,
    ) -> Result<(Generation, crate::http::Reply), ()> {
        let bearer = match self.manager.authorize(self.clock.now(), method, url) {
            Ok(bearer) => bearer,
            Err(error) => {
                let text = format!("{method} {url}: {}", error.name());
                line.event(&self.name, Event::Refused, &text, json!({ "reason": error.name() }));
                return Err(());
            }
        };
        let generation = bearer.generation();
        let mut header = vec![0; bearer.encoded_len()];
        let written = bearer.write(&mut header).map(|header| String::from_utf8_lossy(header).into_owned());
        tokenward::wipe(&mut header);
        let field = written.map_err(|_| ())?;
        let sent = self.http.send(method, url, [("Authorization", field.as_str())].into_iter(), b"");
        let mut field = field.into_bytes();
        tokenward::wipe(&mut field);
        match sent {
            Ok(reply) => Ok((generation, reply)),
            Err(why) => {
                line.event(
                    &self.name,
                    Event::Failed,
                    &format!("{method} {url}: no answer: {why}"),
                    json!({}),
                );
                Err(())
            }
        }
    }

    /// The body of an API call, for a backend that hands it on.
    pub(super) fn fetch(&mut self, method: &str, path: &str, line: &Timeline) -> Vec<u8> {
        let url = format!("{}{path}", self.api);
        match self.call_once(method, &url, line) {
            Ok((generation, mut reply)) => {
                let text = format!("{method} {path} with token {} -> {}", generation.0, reply.status);
                line.event(&self.name, Event::Call, &text, json!({ "status": reply.status }));
                std::mem::take(&mut reply.body)
            }
            Err(()) => Vec::new(),
        }
    }

    /// Whether the API accepts the token.
    pub(super) fn opens(&mut self, path: &str, line: &Timeline) -> bool {
        self.call("GET", path, line).0 == 200
    }
}

fn manager<'p>(
    provider: &'p Provider<'p>,
    identity: Identity<'p>,
    now: Instant,
    storage: Storage,
) -> Result<TokenManager<'p, Vec<u8>>, Failure> {
    const SEED: u64 = 2025;
    let slots = Slots::new(vec![0; 4096], 2048);
    let options = Options { storage: Some(storage), ..Options::default() };
    TokenManager::with_options(now, provider, identity, slots, SEED, options)
        .map_err(|error| Failure::usage(format!("{}: {error}", provider.name)))
}
