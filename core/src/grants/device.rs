//! The device authorization grant (RFC 8628): a person signs in elsewhere, with a code that a device shows.

use crate::endpoint::answer_format::AnswerFormat;
use crate::endpoint::authorization::Generation;
use crate::endpoint::credentials::{Additions, Credentials};
use crate::endpoint::error_response::{ErrorCode, ErrorResponse};
use crate::endpoint::parameter::Target;
use crate::endpoint::provider::{Provider, TokenRequest};
use crate::endpoint::refresh_policy::RefreshPolicy;
use crate::endpoint::request::{Request, text};
use crate::error::Error;
use crate::manager::session::RequestId;
use crate::manager::sign_in::SignIn;
use crate::manager::{Outcome, ParsedAnswer, TokenManager, is_trouble};
use crate::secret::wipe;
use crate::table::named;
use crate::time::{Instant, product, sum};
use crate::wire::json::{Item, object, walk};
use crate::wire::json_str::JsonStr;
use crate::wire::seconds::told_seconds;

/// Between two requests, unless the service says otherwise (RFC 8628 section 3.2).
const INTERVAL_MS: u64 = 5_000;
/// What `slow_down` adds (RFC 8628 section 3.5).
const SLOW_DOWN_MS: u64 = 5_000;
const SECOND_MS: u64 = 1_000;
const HOUR_MS: u64 = 3_600_000;

named! {
    /// What a device authorization asks for now.
    pub enum DeviceNext: u8 {
        Off = 0, "off", "Nobody has started it.";
        Show = 1, "show", "Show the user code and where to enter it, then say so.";
        Request = 2, "request", "Send a request.";
        Await = 3, "await", "A request is out.";
        Wait = 4, "wait", "Wait until it is time for the next request.";
        Done = 5, "done", "The person has signed in, and the manager holds the token.";
        Expired = 6, "expired", "The code has expired: start anew if somebody asks for it.";
        Denied = 7, "denied", "The person or the service has said no.";
    }
}

/// What [`DeviceAuthorization::poll`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct DevicePoll {
    /// What to do.
    pub next: DeviceNext,
    /// The earliest instant at which this changes without a call; none if it never does. While something is to be shown
    /// it is the end of the code's life.
    pub poll_at: Option<Instant>,
}

/// What an answer to a request of a device authorization was.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub enum DeviceOutcome<'a> {
    /// There is a code to show.
    Code,
    /// The person has signed in, and the token is kept.
    Token(Generation),
    /// The service said why not, or not yet; [`DeviceAuthorization::poll`] says what to do.
    Error(ErrorResponse<'a>),
}

/// A device authorization, from its start to its token (RFC 8628).
///
/// `M` is the caller's memory for the codes and for where to enter them, as the service sends them: some hundred bytes.
/// The device code is a secret, and none of it is stored.
///
/// ```
/// use tokenward::grants::{DeviceAuthorization, DeviceNext, DeviceOutcome};
/// use tokenward::parts::ClientAuthentication;
/// use tokenward::{Credentials, Identity, Instant, ParsedAnswer, Provider, Slots, TokenManager};
///
/// const ACME: Provider<'static> = Provider {
///     name: "acme",
///     base_url: Some("https://login.acme.example"),
///     token_path: Some("/token"),
///     device_path: Some("/device"),
///     authentication: Some(ClientAuthentication::NONE),
///     refresh_grant: true,
///     ..Provider::custom()
/// };
/// let at = Instant::from_millis;
/// let slots = Slots::new([0; 512], 256);
/// let mut manager = TokenManager::new(at(0), &ACME, Identity::CLIENT, slots, 42).unwrap();
/// let gateway = Credentials { client_id: "gateway", ..Credentials::default() };
/// let said = |status, body| ParsedAnswer { status, retry_after: None, body, wall: None };
/// let mut out = [0; 512];
///
/// // 1. Somebody presses a button.
/// let mut device = DeviceAuthorization::new([0; 256]);
/// device.start(at(0));
/// let (id, request) = device.begin(at(0), &manager, &gateway, &[], &mut out).unwrap();
/// assert_eq!(request.url(), "https://login.acme.example/device");
/// let body = br#"{"device_code":"GmRhmhcxhwAzkoEqiMEg","user_code":"WDJB-MJHT",
///     "verification_uri":"https://acme.example/device","expires_in":900,"interval":5}"#;
/// assert!(matches!(device.answer(at(90), &mut manager, id, &said(200, body)), Ok(DeviceOutcome::Code)));
/// // 2. Show the code.
/// assert_eq!(device.poll(at(90), &manager).next, DeviceNext::Show);
/// assert_eq!((device.user_code(), device.verification_uri()), ("WDJB-MJHT", "https://acme.example/device"));
/// device.shown(at(90), &manager);
/// // 3. Ask until the person has entered it.
/// assert_eq!(device.poll(at(90), &manager).next, DeviceNext::Wait);
/// let (id, request) = device.begin(at(5_090), &manager, &gateway, &[], &mut out).unwrap();
/// assert_eq!(request.url(), "https://login.acme.example/token");
/// let body = br#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer","expires_in":3600}"#;
/// assert!(device.answer(at(5_200), &mut manager, id, &said(200, body)).is_ok());
/// assert_eq!(device.poll(at(5_200), &manager).next, DeviceNext::Done);
/// ```
pub struct DeviceAuthorization<M: AsRef<[u8]> + AsMut<[u8]> + ?Sized> {
    flow: Flow,
    /// How long device code, user code, where to enter it, and the same with the code in it are, which stand one behind
    /// the other.
    lengths: [usize; 4],
    /// For a service that has [`crate::parts::DevicePkce`].
    random: [u8; 32],
    /// Last, so that it may be of a size that only its owner knows.
    memory: M,
}

/// The decision: numbers alone.
#[derive(Clone, Copy)]
struct Flow {
    clock: u64,
    phase: Phase,
    out: Option<Out>,
    last_id: u64,
    interval_ms: u64,
    /// How often a request has come to nothing in a row.
    failures: u32,
    wait_until: u64,
    expires_at: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// Nothing is asked for, and why.
    Ended(DeviceNext),
    Starts,
    Shows,
    Polls,
}

/// A request that is out.
#[derive(Clone, Copy)]
struct Out {
    sign_in: SignIn,
    began_at: u64,
    /// It has failed, but its answer still counts.
    late: bool,
}

impl Flow {
    /// Moves the clock, and lets a request that is out time out.
    fn advance(&mut self, now: Instant, policy: &RefreshPolicy) {
        self.clock = self.clock.max(now.as_millis());
        if let Some(out) = &mut self.out
            && !out.late
            && self.clock >= sum(out.began_at, policy.response_timeout_ms)
        {
            out.late = true;
            let at = sum(out.began_at, policy.response_timeout_ms);
            self.trouble(at, None, policy);
        }
    }

    /// A request has come to nothing, and the next one waits.
    fn trouble(&mut self, at: u64, retry_after: Option<u64>, policy: &RefreshPolicy) {
        self.failures = self.failures.saturating_add(1);
        let doubled = product(self.interval_ms, 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let wait = match retry_after {
            Some(seconds) => product(seconds, 1000).clamp(SECOND_MS, HOUR_MS),
            None => doubled.min(policy.max_backoff_ms.max(self.interval_ms)),
        };
        self.wait_until = sum(at, wait);
    }

    /// The service has answered: not yet.
    fn pending(&mut self) {
        self.failures = 0;
        self.wait_until = sum(self.clock, self.interval_ms);
    }

    fn next(&self, policy: &RefreshPolicy) -> (DeviceNext, Option<u64>) {
        if let Some(out) = self.out
            && !out.late
        {
            return (DeviceNext::Await, Some(sum(out.began_at, policy.response_timeout_ms)));
        }
        let lives_until = match self.phase {
            Phase::Ended(next) => return (next, None),
            Phase::Starts => u64::MAX,
            Phase::Shows | Phase::Polls => self.expires_at,
        };
        let ends = Some(lives_until).filter(|end| *end != u64::MAX);
        match self.phase {
            _ if self.clock >= lives_until => (DeviceNext::Expired, None),
            Phase::Shows => (DeviceNext::Show, ends),
            _ if self.clock < self.wait_until => (DeviceNext::Wait, Some(self.wait_until.min(lives_until))),
            _ => (DeviceNext::Request, ends),
        }
    }
}

impl<M: AsRef<[u8]> + AsMut<[u8]>> DeviceAuthorization<M> {
    /// One that nobody has started. The memory is wiped.
    pub fn new(mut memory: M) -> Self {
        wipe(memory.as_mut());
        let flow = Flow {
            clock: 0,
            phase: Phase::Ended(DeviceNext::Off),
            out: None,
            last_id: 0,
            interval_ms: INTERVAL_MS,
            failures: 0,
            wait_until: 0,
            expires_at: 0,
        };
        Self { flow, lengths: [0; 4], random: [0; 32], memory }
    }
}

impl<M: AsRef<[u8]> + AsMut<[u8]> + ?Sized> DeviceAuthorization<M> {
    /// Somebody wants to sign in: a code is asked for, in place of the one before. Nothing else does that: a code that
    /// has expired unseen is not replaced.
    pub fn start(&mut self, now: Instant) {
        self.forget();
        let clock = self.flow.clock.max(now.as_millis());
        self.flow = Flow {
            clock,
            phase: Phase::Starts,
            out: None,
            interval_ms: INTERVAL_MS,
            failures: 0,
            wait_until: clock,
            ..self.flow
        };
    }

    /// The same for a service that has [`crate::parts::DevicePkce`]: `random` is from a generator that nobody can predict,
    /// anew for each start.
    pub fn start_with_random(&mut self, now: Instant, random: &[u8; 32]) {
        self.start(now);
        self.random = *random;
    }

    /// Nobody wants to sign in any more: what is out comes to nothing.
    pub fn cancel(&mut self) {
        self.end(DeviceNext::Off);
    }

    /// What to do at `now`, and when to ask again. Changes nothing.
    pub fn poll<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized>(
        &self,
        now: Instant,
        manager: &TokenManager<'_, S>,
    ) -> DevicePoll {
        let policy = manager.service().0.policy();
        let mut flow = self.flow;
        flow.advance(now, policy);
        let (next, poll_at) = flow.next(policy);
        DevicePoll { next, poll_at: poll_at.map(Instant::from_millis) }
    }

    /// The code is shown: from now on the service is asked whether somebody has entered it.
    pub fn shown<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized>(
        &mut self,
        now: Instant,
        manager: &TokenManager<'_, S>,
    ) {
        self.flow.advance(now, manager.service().0.policy());
        if self.flow.phase == Phase::Shows {
            self.flow.phase = Phase::Polls;
        }
    }

    /// Writes the request that [`DeviceAuthorization::poll`] asks for (RFC 8628 sections 3.1 and 3.4). `values` stand for
    /// `{name}` in the provider's parameters and header fields.
    ///
    /// # Errors
    /// A refused call changes nothing but the clock.
    /// - [`Error::RequestInFlight`]: one is out and has not timed out.
    /// - [`Error::NotDue`]: `poll` says something other than `Request`.
    /// - [`Error::InvalidProvider`]: it has no device path.
    /// - [`Error::NotRandom`]: it has [`crate::parts::DevicePkce`], and no random bytes were given, or bytes that are all
    ///   alike.
    /// - [`Error::WrongCredentials`], [`Error::BufferTooSmall`], [`Error::BadUrl`], [`Error::OriginNotAllowed`]: as
    ///   [`TokenRequest::write`].
    ///
    /// # Security
    /// `out` holds secrets afterwards: [`crate::wipe`] it when the request is sent.
    pub fn begin<'b, S: AsRef<[u8]> + AsMut<[u8]> + ?Sized>(
        &mut self,
        now: Instant,
        manager: &TokenManager<'_, S>,
        credentials: &Credentials<'_>,
        values: &[(&str, &str)],
        out: &'b mut [u8],
    ) -> Result<(RequestId, Request<'b>), Error> {
        let (provider, identity) = manager.service();
        self.flow.advance(now, provider.policy());
        match self.flow.next(provider.policy()).0 {
            DeviceNext::Request => {}
            DeviceNext::Await => return Err(Error::RequestInFlight),
            _ => return Err(Error::NotDue),
        }
        let starts = self.flow.phase == Phase::Starts;
        let path = if starts { provider.device_path } else { Some(provider.token_path.unwrap_or_default()) };
        let path = path.ok_or(Error::InvalidProvider)?;
        if let Some(pkce) = provider.device_pkce {
            (pkce.check)(&self.random)?;
        }
        let target = if starts { Target::Device } else { Target::Code };
        let additions = Additions { values, parameters: &[] };
        let request =
            TokenRequest::beside(provider, *identity, target, credentials).with_additions(&additions);
        let (device_code, random) = (self.text(0), &self.random);
        let request = request.write_beside(path, out, |body| {
            if starts {
                body.parameter("scope", provider.scope.unwrap_or_default().as_bytes());
                if let Some(pkce) = provider.device_pkce {
                    (pkce.write_challenge)(body, random);
                }
            } else {
                body.parameter("grant_type", b"urn:ietf:params:oauth:grant-type:device_code");
                body.parameter("device_code", device_code);
                if let Some(pkce) = provider.device_pkce {
                    (pkce.write_verifier)(body, random);
                }
            }
        })?;
        self.flow.last_id = self.flow.last_id.wrapping_add(1);
        self.flow.out =
            Some(Out { sign_in: manager.begin_sign_in(now), began_at: self.flow.clock, late: false });
        Ok((RequestId(self.flow.last_id), request))
    }

    /// Reads the answer to the request `id` (RFC 8628 sections 3.2 and 3.5). A token is kept as by
    /// [`TokenManager::install`], but for its lifetime, which counts from the request.
    ///
    /// # Errors
    /// Every refusal except a stale one is trouble: the next request waits.
    /// - [`Error::StaleRequest`]: `id` is not that of the request that is out, or somebody has signed out or in
    ///   meanwhile, which ends it.
    /// - those of [`crate::token_answer`]; [`Error::InvalidDeviceAuthorization`]: a code, or where to enter it, is missing
    ///   or cannot be shown.
    /// - [`Error::BufferTooSmall`]: the codes do not fit into the memory.
    /// - [`Error::UnsupportedTokenType`], [`Error::MissingLifetime`], [`Error::TooLong`],
    ///   [`Error::RefreshTokenTooLong`], [`Error::AlreadyExpired`]: a token, or a code, that cannot be used.
    pub fn answer<'b, S: AsRef<[u8]> + AsMut<[u8]> + ?Sized>(
        &mut self,
        now: Instant,
        manager: &mut TokenManager<'_, S>,
        id: RequestId,
        answer: &ParsedAnswer<'b>,
    ) -> Result<DeviceOutcome<'b>, Error> {
        let (provider, _) = manager.service();
        let policy = provider.policy();
        let out = self.take_out(now, policy, id)?;
        let mut outcome = if self.flow.phase == Phase::Starts {
            self.code(out, answer, provider)
        } else {
            manager.answer_sign_in(now, out.sign_in, answer).map(|outcome| match outcome {
                Outcome::Token(generation) => DeviceOutcome::Token(generation),
                Outcome::Error(error) => DeviceOutcome::Error(error),
            })
        };
        if let Ok(DeviceOutcome::Error(error)) = &mut outcome {
            error.tell_device();
        }
        let failed = |flow: &mut Flow, retry_after| {
            if !out.late {
                flow.trouble(flow.clock, retry_after, policy);
            }
        };
        match &outcome {
            Ok(DeviceOutcome::Code) => {}
            Ok(DeviceOutcome::Token(_)) => self.end(DeviceNext::Done),
            Ok(DeviceOutcome::Error(_)) if is_trouble(answer.status) => {
                failed(&mut self.flow, answer.retry_after);
            }
            Ok(DeviceOutcome::Error(error)) => match error.code() {
                ErrorCode::SlowDown => {
                    self.flow.interval_ms = sum(self.flow.interval_ms, SLOW_DOWN_MS);
                    self.flow.pending();
                }
                ErrorCode::AuthorizationPending if self.flow.phase != Phase::Starts => self.flow.pending(),
                // A clock may be wrong.
                ErrorCode::InvalidClient if provider.authentication.is_some_and(|it| it.asserts) => {
                    failed(&mut self.flow, answer.retry_after);
                }
                ErrorCode::ExpiredToken => self.end(DeviceNext::Expired),
                _ => self.end(DeviceNext::Denied),
            },
            Err(Error::StaleRequest) => self.end(DeviceNext::Off),
            Err(_) => failed(&mut self.flow, answer.retry_after),
        }
        outcome
    }

    /// The request `id` came to nothing: no connection, a time-out of the caller's own. It backs off and does not end
    /// (RFC 8628 section 3.5).
    ///
    /// # Errors
    /// - [`Error::StaleRequest`]: `id` is not that of the request that is out.
    pub fn failed<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized>(
        &mut self,
        now: Instant,
        manager: &TokenManager<'_, S>,
        id: RequestId,
    ) -> Result<(), Error> {
        let policy = manager.service().0.policy();
        let out = self.take_out(now, policy, id)?;
        if !out.late {
            self.flow.trouble(self.flow.clock, None, policy);
        }
        Ok(())
    }

    /// The code to show; empty if there is none.
    #[must_use]
    pub fn user_code(&self) -> &str {
        text(self.text(1))
    }

    /// Where to enter it; empty if there is no code.
    #[must_use]
    pub fn verification_uri(&self) -> &str {
        text(self.text(2))
    }

    /// The same with the code in it, for a QR code.
    #[must_use]
    pub fn verification_uri_complete(&self) -> Option<&str> {
        Some(text(self.text(3))).filter(|uri| !uri.is_empty())
    }

    /// How long the code is good; none: there is no code, or it never expires.
    #[must_use]
    pub fn expires_at(&self) -> Option<Instant> {
        let ends = !self.text(1).is_empty() && self.flow.expires_at != u64::MAX;
        ends.then_some(Instant::from_millis(self.flow.expires_at))
    }

    /// What is to be shown, as UTF-8: user code, where to enter it, and the same with the code in it. For C, where text is
    /// bytes.
    #[doc(hidden)]
    pub fn shown_bytes(&self) -> [&[u8]; 3] {
        [self.text(1), self.text(2), self.text(3)]
    }

    /// Spends the id of the request that is out.
    fn take_out(&mut self, now: Instant, policy: &RefreshPolicy, id: RequestId) -> Result<Out, Error> {
        self.flow.advance(now, policy);
        if id.0 != self.flow.last_id {
            return Err(Error::StaleRequest);
        }
        self.flow.out.take().ok_or(Error::StaleRequest)
    }

    /// Takes the codes of an answer. Apart from a token's: each has the stack to itself.
    #[inline(never)]
    fn code<'b>(
        &mut self,
        out: Out,
        answer: &ParsedAnswer<'b>,
        provider: &Provider<'_>,
    ) -> Result<DeviceOutcome<'b>, Error> {
        let is_good = (200..300).contains(&answer.status);
        let mut found = [None; NAMES.len()];
        match members(answer.body, provider.answer, &mut found) {
            Err(fault) if is_good => return Err(fault),
            Err(_) => return Err(Error::HttpStatus { status: usize::from(answer.status) }),
            Ok(twice) if twice => return Err(Error::DuplicateMember),
            Ok(_) => {}
        }
        let member = |place: usize| found.get(place).copied().flatten();
        let text = |place| member(place).and_then(Member::text).filter(|text| !text.is_empty());
        if let Some(error) = text(ERROR) {
            let meant = ErrorCode::meant(error, provider);
            let error = ErrorResponse::new(error, text(ERROR_DESCRIPTION), text(ERROR_URI), meant);
            return Ok(DeviceOutcome::Error(error));
        }
        if !is_good {
            return Err(Error::NoErrorCode);
        }
        let mut texts = [JsonStr::literal(b""); VERIFICATION_URI_COMPLETE + 1];
        let mut needed = 0_usize;
        for (place, kept) in texts.iter_mut().enumerate() {
            let given = text(place).or_else(|| text(VERIFICATION_URL).filter(|_| place == VERIFICATION_URI));
            let can_be_shown = |byte: u8| match place {
                0 => true,
                USER_CODE => byte >= b' ' && byte != 0x7F,
                _ => byte.is_ascii_graphic() && byte != b'\\',
            };
            match given.filter(|given| given.bytes().all(can_be_shown)) {
                Some(given) => *kept = given,
                None if place == VERIFICATION_URI_COMPLETE => {}
                None => return Err(Error::InvalidDeviceAuthorization),
            }
            needed = needed.saturating_add(kept.len());
        }
        let seconds = |place| match member(place) {
            None => Ok(None),
            Some(member) => member.seconds().map(Some).ok_or(Error::InvalidExpiresIn),
        };
        let expires_in = seconds(EXPIRES_IN)?.ok_or(Error::InvalidExpiresIn)?;
        let interval = seconds(INTERVAL)?;
        let expires_at = sum(out.began_at, product(expires_in, 1000));
        if expires_at <= self.flow.clock {
            return Err(Error::AlreadyExpired);
        }
        let mut rest = self.memory.as_mut().get_mut(..needed).ok_or(Error::BufferTooSmall { needed })?;
        for (text, length) in texts.iter().zip(&mut self.lengths) {
            let (room, behind) = rest.split_at_mut_checked(text.len()).unwrap_or_default();
            *length = text.copy_to(room)?.len();
            rest = behind;
        }
        self.flow.phase = Phase::Shows;
        self.flow.expires_at = expires_at;
        if let Some(interval) = interval {
            self.flow.interval_ms = product(interval.max(1), 1000);
        }
        self.flow.pending();
        Ok(DeviceOutcome::Code)
    }

    /// One of the four texts.
    fn text(&self, place: usize) -> &[u8] {
        let start = self.lengths.iter().take(place).fold(0_usize, |start, len| start.saturating_add(*len));
        let len = self.lengths.get(place).copied().unwrap_or_default();
        self.memory.as_ref().get(start..).and_then(|rest| rest.get(..len)).unwrap_or_default()
    }

    fn end(&mut self, next: DeviceNext) {
        self.forget();
        self.flow.phase = Phase::Ended(next);
        self.flow.out = None;
    }

    fn forget(&mut self) {
        wipe(self.memory.as_mut());
        wipe(&mut self.random);
        self.lengths = [0; 4];
    }
}

impl<M: AsRef<[u8]> + AsMut<[u8]> + ?Sized> Drop for DeviceAuthorization<M> {
    fn drop(&mut self) {
        self.forget();
    }
}

impl<M: AsRef<[u8]> + AsMut<[u8]> + ?Sized> core::fmt::Debug for DeviceAuthorization<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("DeviceAuthorization(..)")
    }
}

/// What of a device authorization response is read (RFC 8628 section 3.2, RFC 6749 section 5.2). Some services say
/// `verification_url`.
const NAMES: [&str; 10] = [
    "device_code",
    "user_code",
    "verification_uri",
    "verification_uri_complete",
    "expires_in",
    "interval",
    "error",
    "error_description",
    "error_uri",
    "verification_url",
];
/// Their places. What is kept is the first four: the device code, and what is shown.
const USER_CODE: usize = 1;
const VERIFICATION_URI: usize = 2;
const VERIFICATION_URI_COMPLETE: usize = 3;
const EXPIRES_IN: usize = 4;
const INTERVAL: usize = 5;
const ERROR: usize = 6;
const ERROR_DESCRIPTION: usize = 7;
const ERROR_URI: usize = 8;
const VERIFICATION_URL: usize = 9;

#[derive(Clone, Copy)]
struct Member<'b> {
    raw: JsonStr<'b>,
    /// It is a string of Unicode text.
    is_text: bool,
}

impl<'b> Member<'b> {
    fn text(self) -> Option<JsonStr<'b>> {
        self.is_text.then_some(self.raw)
    }

    fn seconds(self) -> Option<u64> {
        told_seconds(self.raw, self.is_text)
    }
}

/// Finds the members of the top object that are read; none for `null`. Whether one of them stands twice.
#[inline(never)]
fn members<'b>(
    body: &'b [u8],
    format: Option<&AnswerFormat>,
    found: &mut [Option<Member<'b>>; NAMES.len()],
) -> Result<bool, Error> {
    let (mut seen, mut twice) = (0_u16, false);
    let mut each = |item: &Item<&'b [u8]>| {
        let mut bit = 1_u16;
        for (known, found) in NAMES.iter().zip(found.iter_mut()) {
            if item.name().is_some_and(|name| name.is(known.as_bytes())) {
                twice = twice || seen & bit != 0;
                seen |= bit;
                let raw = JsonStr::read(item.value, item.text);
                *found = (item.kind != b'n').then_some(Member { raw, is_text: item.text().is_some() });
            }
            bit <<= 1;
        }
        Ok(())
    };
    match (object(body), format) {
        (Ok((start, at)), _) => _ = walk(&start, at, 1, &[], &mut each)?,
        (Err(fault), Some(format)) => (format.walk)(body, fault, &mut each)?,
        (Err(fault), None) => return Err(fault),
    }
    Ok(twice)
}
