//! One token of one provider, environment and subject, kept alive.

use crate::ascii::eq_ignore_case;
use crate::endpoint::authorization::{Bearer, Generation};
use crate::endpoint::credentials::{Additions, Credentials};
use crate::endpoint::destination;
use crate::endpoint::error_response::{ErrorCode, ErrorResponse};
use crate::endpoint::grant::Grant;
use crate::endpoint::lifetime::MissingLifetime;
use crate::endpoint::members::{Member, Members};
use crate::endpoint::parameter::Target;
use crate::endpoint::provider::{Identity, Provider, TokenRequest, ZeroLifetime};
use crate::endpoint::refresh_life::{Kept, RefreshEnds};
use crate::endpoint::refresh_policy::RefreshPolicy;
use crate::endpoint::request::Request;
use crate::endpoint::token_response::{Said, TokenResponse};
use crate::error::Error;
use crate::time::{Instant, UnixTime, product};
use crate::wire::json_str::JsonStr;
use crate::wire::retry_after::retry_after;
use crate::wire::www_authenticate::is_insufficient_scope;
#[cfg_attr(not(feature = "snapshot"), expect(dead_code, reason = "without snapshots there is no storage"))]
pub(crate) mod keeper;
pub(crate) mod options;
#[cfg(feature = "snapshot")]
pub(crate) mod seal;
pub(crate) mod session;
pub(crate) mod sign_in;
#[cfg(feature = "snapshot")]
pub(crate) mod snapshot;
mod state_line;
#[cfg(feature = "snapshot")]
pub(crate) mod storage;
pub(crate) mod store;
pub(crate) mod supply;

use keeper::{Asked, Event, Keeper, Revision};
use options::Options;
use session::{Answered, Next, Poll, Refusal, RequestId, Retry, Session};
use store::{Slots, Store};
use supply::Supply;

/// What the token endpoint answered, as the caller's HTTP client has it. An [`Outcome`] borrows the body and not the
/// fields, which a caller may put together only for the call.
#[derive(Clone, Copy)]
pub struct Answer<'b, 'h> {
    /// The status code.
    pub status: u16,
    /// The header fields; only `Retry-After` is read.
    pub headers: &'h [(&'h str, &'h [u8])],
    /// The whole body.
    pub body: &'b [u8],
    /// The time of day, for HTTP dates and for JWTs without `expires_in`.
    pub wall: Option<UnixTime>,
}

impl core::fmt::Debug for Answer<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl<'b> Answer<'b, '_> {
    /// The same with its `Retry-After` fields read.
    #[must_use]
    #[inline]
    pub fn parsed(&self) -> ParsedAnswer<'b> {
        let Self { status, body, wall, .. } = *self;
        ParsedAnswer { status, retry_after: self.retry_after(), body, wall }
    }

    /// The most seconds that a `Retry-After` field asks to wait (RFC 9110 section 10.2.3); a date needs the wall clock.
    fn retry_after(&self) -> Option<u64> {
        let fields = self.headers.iter().filter(|(name, _)| eq_ignore_case(name.as_bytes(), b"retry-after"));
        fields.filter_map(|(_, value)| retry_after(value, self.wall).ok()).max()
    }
}

/// What the token endpoint answered, by an HTTP client that has read the header fields itself.
#[derive(Clone, Copy)]
pub struct ParsedAnswer<'a> {
    /// The status code.
    pub status: u16,
    /// Seconds that `Retry-After` asks to wait; none: there is no such field, or it is not understood.
    pub retry_after: Option<u64>,
    /// The whole body.
    pub body: &'a [u8],
    /// The time of day, for JWTs without `expires_in`.
    pub wall: Option<UnixTime>,
}

impl core::fmt::Debug for ParsedAnswer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ParsedAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// What an answer was.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub enum Outcome<'a> {
    /// The token is kept. With storage [`TokenManager::poll`] says to store it before it is lent.
    Token(Generation),
    /// The server said why not; [`TokenManager::poll`] says what to do.
    Error(ErrorResponse<'a>),
}

/// Keeps one token alive: decides when to ask for one, writes the request, reads the answer, keeps the
/// token and lends it for the `Authorization` field. It does no I/O and reads no clock.
///
/// `S` is the caller's memory: `[u8; N]`, `&mut [u8]` or a heapless vector of full length. Nothing points into the
/// manager, so it may be moved and may live in a `static`; the old bytes stay where it was moved from.
///
/// ```
/// use tokenward::*;
///
/// let provider = &providers::FLIP_UTILITY_SANDBOX;
/// let credentials = Credentials { client_id: "id", client_secret: "secret", ..Credentials::default() };
/// let at = Instant::from_millis;
/// let mut manager =
///     TokenManager::new(at(0), provider, Identity::CLIENT, Slots::new([0; 512], 512), 42).unwrap();
///
/// // 1. Ask what to do.
/// assert_eq!(manager.poll(at(0)).next, Next::Request(Grant::ClientCredentials));
/// // 2. Write the request and send it over your own HTTP.
/// let mut out = [0; 512];
/// let (id, request) = manager.begin(at(0), &credentials, &mut out).unwrap();
/// assert_eq!(request.url(), "https://oauth.flip.energy/token");
/// // 3. Hand in what came back.
/// let body = br#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer","expires_in":3600}"#;
/// let answer = Answer { status: 200, headers: &[], body, wall: None };
/// assert!(matches!(manager.answer(at(250), id, &answer), Ok(Outcome::Token(_))));
/// // 4. Borrow the header for each call of the API.
/// let url = "https://api-utility-sandbox.flip.energy/v1/programs";
/// let bearer = manager.authorize(at(300), "GET", url).unwrap();
/// assert_eq!(bearer.write(&mut out).unwrap(), b"Bearer 2YotnFZFEjr1zCsicMWpAA");
/// ```
pub struct TokenManager<'p, S: AsRef<[u8]> + AsMut<[u8]> + ?Sized> {
    provider: &'p Provider<'p>,
    identity: Identity<'p>,
    session: Session,
    supply: Supply,
    refresh_ends: RefreshEnds,
    #[cfg(feature = "snapshot")]
    keeper: Option<Keeper>,
    store: Store<S>,
}

const _: () = assert!(size_of::<TokenManager<'_, [u8; 0]>>() <= 640);

impl<'p, S: AsRef<[u8]> + AsMut<[u8]>> TokenManager<'p, S> {
    /// A manager without a token, for the token that `identity` says. The slots are wiped. `seed` differs from device
    /// to device, so that a fleet does not ask for tokens in step, and from process to process where they share storage;
    /// it needs no secrecy.
    ///
    /// # Errors
    /// - [`Error::InvalidProvider`]: the token endpoint wants a site and the identity has none, or the site is empty or
    ///   a dot segment.
    #[inline(always)]
    pub fn new(
        now: Instant,
        provider: &'p Provider<'p>,
        identity: Identity<'p>,
        slots: Slots<S>,
        seed: u64,
    ) -> Result<Self, Error> {
        if !identity.fits(provider) {
            return Err(Error::InvalidProvider);
        }
        let salt = session::salt(seed, provider, &identity);
        Ok(Self {
            provider,
            identity,
            session: Session::new(now, provider.policy(), seed, salt),
            supply: Supply::new(salt),
            refresh_ends: RefreshEnds::UNKNOWN,
            #[cfg(feature = "snapshot")]
            keeper: None,
            store: Store::new(slots),
        })
    }

    /// The same with storage, or with a source of tokens that can be asked ([`Options`]).
    ///
    /// # Errors
    /// As [`TokenManager::new`].
    pub fn with_options(
        now: Instant,
        provider: &'p Provider<'p>,
        identity: Identity<'p>,
        slots: Slots<S>,
        seed: u64,
        options: Options,
    ) -> Result<Self, Error> {
        let mut manager = Self::new(now, provider, identity, slots, seed)?;
        manager.set_options(&options);
        Ok(manager)
    }
}

impl<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized> TokenManager<'_, S> {
    /// Gives a new manager its options where it lies: a move of it would take stack.
    #[doc(hidden)]
    pub fn set_options(&mut self, options: &Options) {
        self.supply.source = options.source;
        #[cfg(feature = "snapshot")]
        if let Some(storage) = &options.storage {
            Keeper::place(&mut self.keeper, storage, &self.session);
        }
    }

    /// What to do at `now`, whether the token may be sent, and when to ask again. Changes nothing.
    pub fn poll(&self, now: Instant) -> Poll {
        let provider = self.provider;
        let mut session = self.session;
        let timed_out = session.advance(now, provider);
        let base = session.base(provider);
        let next;
        let mut usable = session.is_usable();
        let poll_at;
        if let Some(keeper) = self.keeper() {
            let rules = keeper.storage.rules;
            let asked = Asked { session: &session, provider, supply: &self.supply, base: base.0, timed_out };
            next = (rules.next)(keeper, &asked);
            usable = usable && (rules.lends)(keeper, session.clock(), provider);
            poll_at = (rules.changes_at)(keeper, &asked, next, usable);
        } else {
            next = self.supply.next(base.0, session.clock());
            let end = session.end().filter(|_| usable);
            let changes_at = self.supply.changes_at(next, base, &mut session, provider);
            poll_at = earliest(end, changes_at);
        }
        Poll { next, usable, poll_at: poll_at.map(Instant::from_millis) }
    }

    /// Until when a person must have signed in again, if the service tells how long a refresh token lives and no grant
    /// obtains a token without one. It stays when it is past, and moves when a refresh brings more.
    #[must_use]
    pub fn sign_in_by(&self) -> Option<Instant> {
        self.session.sign_in_by(self.provider)
    }

    /// None without the feature `snapshot`, with which alone one can be made: what only storage needs is not linked then.
    const fn keeper(&self) -> Option<&Keeper> {
        #[cfg(feature = "snapshot")]
        let keeper = self.keeper.as_ref();
        #[cfg(not(feature = "snapshot"))]
        let keeper = None;
        keeper
    }

    /// What to do by the manager's own clock.
    fn next(&self) -> Next {
        let (session, provider, supply) = (&self.session, self.provider, &self.supply);
        let base = session.base(provider).0;
        match self.keeper() {
            None => supply.next(base, session.clock()),
            Some(keeper) => (keeper.storage.rules.next)(
                keeper,
                &Asked { session, provider, supply, base, timed_out: None },
            ),
        }
    }

    /// Whether a token that may be sent by the clock may be lent.
    fn lends(&self, clock: u64) -> bool {
        self.keeper().is_none_or(|keeper| (keeper.storage.rules.lends)(keeper, clock, self.provider))
    }

    /// Tells storage what has happened.
    fn note(&mut self, event: Event) {
        #[cfg(feature = "snapshot")]
        if let Some(keeper) = &mut self.keeper {
            let context = keeper::Context::of(&self.session, self.provider, &self.store);
            (keeper.storage.rules.note)(keeper, event, &context);
        }
        #[cfg(not(feature = "snapshot"))]
        let _ = event;
    }

    /// What has to be done when time has moved, and last by a call that changed something.
    fn settle(&mut self) {
        #[cfg(feature = "snapshot")]
        if let Some(keeper) = &mut self.keeper {
            let context = keeper::Context::of(&self.session, self.provider, &self.store);
            (keeper.storage.rules.settle)(keeper, &self.supply, &context);
        }
    }

    /// Moves the clock to `now`.
    fn advance(&mut self, now: Instant) {
        if let Some(at) = self.session.advance(now, self.provider) {
            self.note(Event::Failed(at));
        }
        self.settle();
    }

    /// Writes what the caller's key signs, for a client that authenticates by
    /// [`crate::parts::ClientAuthentication::PRIVATE_KEY_JWT`]: the signature goes with the credentials of the request that
    /// follows, be it the manager's, a sign-in's or a revocation.
    ///
    /// # Errors
    /// As [`TokenRequest::signing_input`].
    pub fn signing_input<'b>(
        &self,
        credentials: &Credentials<'_>,
        out: &'b mut [u8],
    ) -> Result<&'b [u8], Error> {
        TokenRequest::beside(self.provider, self.identity, Target::Primary, credentials).signing_input(out)
    }

    /// Writes the request that [`TokenManager::poll`] asks for into `out`. The token's lifetime counts
    /// from here.
    ///
    /// # Errors
    /// A refused call changes nothing but the clock.
    /// - [`Error::RequestInFlight`]: one is out and has not timed out.
    /// - [`Error::NotDue`]: `poll` answers something other than `Request`.
    /// - [`Error::WrongCredentials`], [`Error::BufferTooSmall`], [`Error::BadUrl`],
    ///   [`Error::OriginNotAllowed`]: as [`TokenRequest::write`].
    ///
    /// # Security
    /// `out` holds secrets afterwards: [`crate::wipe`] it when the request is sent.
    pub fn begin<'b>(
        &mut self,
        now: Instant,
        credentials: &Credentials<'_>,
        out: &'b mut [u8],
    ) -> Result<(RequestId, Request<'b>), Error> {
        self.begin_by(now, credentials, out, |request, out| request.write_own(out))
    }

    /// The same with more than its credentials.
    ///
    /// # Errors
    /// As [`TokenManager::begin`].
    /// - [`Error::DuplicateParameter`]: an added parameter has the name of another or of one that is sent anyway
    ///   (RFC 6749 section 3.2).
    pub fn begin_with<'b>(
        &mut self,
        now: Instant,
        credentials: &Credentials<'_>,
        additions: &Additions<'_>,
        out: &'b mut [u8],
    ) -> Result<(RequestId, Request<'b>), Error> {
        self.begin_by(now, credentials, out, |request, out| request.with_additions(additions).write(out))
    }

    #[inline(always)]
    fn begin_by<'b>(
        &mut self,
        now: Instant,
        credentials: &Credentials<'_>,
        out: &'b mut [u8],
        write: impl FnOnce(TokenRequest<'_>, &'b mut [u8]) -> Result<Request<'b>, Error>,
    ) -> Result<(RequestId, Request<'b>), Error> {
        self.advance(now);
        let grant = match self.next() {
            Next::Request(grant) => grant,
            _ if self.session.is_out() => return Err(Error::RequestInFlight),
            _ => return Err(Error::NotDue),
        };
        let request = TokenRequest::new(self.provider, self.identity, grant, credentials)
            .with_stored(self.store.access_token(), self.store.refresh_token());
        let request = write(request, out)?;
        let id = self.session.begin(grant);
        self.note(Event::Begun(grant));
        self.settle();
        Ok((id, request))
    }

    /// Reads the answer to the request `id` and keeps its token. Everything is checked before anything is
    /// replaced: a token that was good stays good. An id is spent by its answer, whatever that was.
    ///
    /// # Errors
    /// Every refusal except a stale one counts as a failed request.
    /// - [`Error::StaleRequest`]: `id` is not that of the request that is out.
    /// - those of [`crate::token_answer`].
    /// - [`Error::UnsupportedTokenType`], [`Error::MissingLifetime`], [`Error::TooLong`],
    ///   [`Error::AlreadyExpired`], [`Error::SameToken`]: a token that cannot be used.
    pub fn answer<'b>(
        &mut self,
        now: Instant,
        id: RequestId,
        answer: &Answer<'b, '_>,
    ) -> Result<Outcome<'b>, Error> {
        self.answer_parsed(now, id, &answer.parsed())
    }

    /// The same for a caller whose HTTP client has read `Retry-After` already: nothing that reads it is linked.
    ///
    /// # Errors
    /// As [`TokenManager::answer`].
    pub fn answer_parsed<'a>(
        &mut self,
        now: Instant,
        id: RequestId,
        answer: &ParsedAnswer<'a>,
    ) -> Result<Outcome<'a>, Error> {
        let provider = self.provider;
        self.advance(now);
        let answered = self.session.answered(id)?;
        let mut members = Members::NONE;
        let refused = match members.read_answer(answer.status, answer.body, provider) {
            Ok(Said::Error(code)) => {
                let meant = ErrorCode::meant(code, provider);
                self.error(answered, answer, meant);
                self.settle();
                return Ok(Outcome::Error(members.error(code, meant)));
            }
            Ok(Said::Token(expires_in)) => {
                match self.keep(answered.began_at, &members, expires_in, answer.wall, Some(answered.grant)) {
                    Ok(generation) => {
                        self.settle();
                        return Ok(Outcome::Token(generation));
                    }
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        let refusal = match answer.status {
            status if is_trouble(status) => Refusal::None,
            400..500 => Refusal::Unreadable,
            _ => Refusal::Otherwise,
        };
        let too_long = matches!(refused, Error::TooLong { .. } | Error::RefreshTokenTooLong { .. });
        self.fail(answered, answer.retry_after, too_long, refusal);
        self.keep_rotated(refused, &members, answered.grant);
        self.settle();
        Err(refused)
    }

    /// The request `id` came to nothing: no connection, a time-out of the caller's own, an answer that was
    /// cut off.
    ///
    /// # Errors
    /// - [`Error::StaleRequest`]: `id` is not that of the request that is out.
    pub fn failed(&mut self, now: Instant, id: RequestId) -> Result<(), Error> {
        self.advance(now);
        let answered = self.session.answered(id)?;
        self.fail(answered, None, false, Refusal::None);
        self.settle();
        Ok(())
    }

    /// Lends the token for a request of `method` to `url`: first checks that it may be sent there.
    ///
    /// # Errors
    /// The first fault wins.
    /// - [`Error::BadUrl`]: not an absolute URL with only one meaning.
    /// - [`Error::OriginNotAllowed`]: not an origin of the provider and environment, or not `https`.
    /// - [`Error::UnknownRoute`], [`Error::RouteNeedsOtherToken`], [`Error::OtherSite`]: by the provider's
    ///   route table.
    /// - [`Error::NotUsable`]: there is no token that may be sent now.
    pub fn authorize(&self, now: Instant, method: &str, url: &str) -> Result<Bearer<'_>, Error> {
        destination::check(self.provider, &self.identity, method, url)?;
        if !self.session.usable(now) || !self.lends(self.session.seen(now)) {
            return Err(Error::NotUsable);
        }
        match self.store.access_token() {
            [] => Err(Error::NotUsable),
            token => Ok(Bearer::stored(token, self.session.generation(), self.provider.header())),
        }
    }

    /// A resource server refused a request that carried the token `generation`: what to do with it.
    /// `challenge` is the `WWW-Authenticate` field; several lines of it with a line feed between them.
    pub fn rejected(
        &mut self,
        now: Instant,
        generation: Generation,
        status: u16,
        challenge: Option<&[u8]>,
    ) -> Retry {
        let insufficient_scope =
            self.provider.says_expired(status) && challenge.is_some_and(is_insufficient_scope);
        self.rejected_parsed(now, generation, status, insufficient_scope)
    }

    /// The same for a caller that has read the challenge already ([`crate::wire::Challenges`]): nothing that reads it is
    /// linked. `insufficient_scope`: it is a Bearer challenge with that error (RFC 6750 section 3.1).
    pub fn rejected_parsed(
        &mut self,
        now: Instant,
        generation: Generation,
        status: u16,
        insufficient_scope: bool,
    ) -> Retry {
        self.advance(now);
        let lent = self.lends(self.session.clock());
        let answered = self.session.rejected(generation, status, insufficient_scope, lent, self.provider);
        if let Some(retry) = answered {
            return retry;
        }
        self.settle();
        match self.next() {
            Next::Supply(_, reason) if !self.supply.asks_program(reason) => {
                Retry::Surface { reason, retry_at: self.session.lifts_at() }
            }
            _ => Retry::AfterRefresh,
        }
    }

    /// Keeps a token that someone else obtained: an app's own backend, a portal. It replaces access and
    /// refresh token, ends backoff and failure, and makes a request that is out stale. Its
    /// lifetime counts from `now`; `wall` is the time of day, for a JWT without a lifetime. A refresh token may come
    /// alone ([`TokenResponse::refresh_token_alone`]): then there is no access token until it has been used.
    ///
    /// # Errors
    /// A refused token changes nothing but the clock.
    /// - [`Error::InvalidAccessToken`]: a byte outside the provider's alphabet; or none, and no refresh token that the
    ///   provider has the grant for.
    /// - [`Error::UnsupportedTokenType`], [`Error::MissingLifetime`], [`Error::TooLong`],
    ///   [`Error::RefreshTokenTooLong`], [`Error::AlreadyExpired`]: a token that cannot be used.
    pub fn install(
        &mut self,
        now: Instant,
        wall: Option<UnixTime>,
        token: &TokenResponse<'_>,
    ) -> Result<Generation, Error> {
        self.advance(now);
        let generation = self.install_now(wall, token)?;
        self.settle();
        Ok(generation)
    }

    fn install_now(
        &mut self,
        wall: Option<UnixTime>,
        token: &TokenResponse<'_>,
    ) -> Result<Generation, Error> {
        let members = Members::of(token, self.provider);
        if token.access_token().is_empty()
            && let Some(refresh_token) = members.refresh_token()
        {
            return self.install_refresh_token(&members, &refresh_token);
        }
        if !self.provider.token_alphabet.has(token.access_token()) {
            return Err(Error::InvalidAccessToken);
        }
        self.keep(self.session.clock(), &members, token.says_expires_in(), wall, None)
    }

    fn install_refresh_token(
        &mut self,
        members: &Members<'_>,
        refresh_token: &JsonStr<'_>,
    ) -> Result<Generation, Error> {
        if !members.is_bearer(self.provider) {
            return Err(Error::UnsupportedTokenType);
        }
        self.store.check_refresh_token(refresh_token)?;
        self.store.drop_access_token();
        self.replace_refresh_token(Some(refresh_token));
        self.note(Event::RefreshTokenBrought);
        self.session.stored_refresh_token();
        let began_at = self.session.clock();
        self.keep_ends(began_at, members, None, true);
        self.installed();
        Ok(self.session.generation())
    }

    /// What a [`crate::Next::Supply`] brought, from wherever tokens come that no grant obtains. It is an
    /// [`TokenManager::install`] that counts only for its id: what was asked for before somebody signed out or in comes
    /// too late.
    ///
    /// # Errors
    /// A refused token changes nothing but the clock.
    /// - [`Error::StaleRequest`]: `id` is none that `poll` would give now.
    /// - those of [`TokenManager::install`].
    pub fn supplied(
        &mut self,
        now: Instant,
        wall: Option<UnixTime>,
        id: RequestId,
        token: &TokenResponse<'_>,
    ) -> Result<Generation, Error> {
        self.advance(now);
        self.supply.tries.expect(id)?;
        self.install(now, wall, token)
    }

    /// A [`crate::Next::Supply`] brought nothing: a closure failed, or somebody did not sign in. `retryable`: it may soon
    /// be otherwise.
    ///
    /// # Errors
    /// - [`Error::StaleRequest`]: `id` is none that `poll` would give now.
    pub fn supply_failed(&mut self, now: Instant, id: RequestId, retryable: bool) -> Result<(), Error> {
        self.advance(now);
        self.supply.tries.expect(id)?;
        let usable = self.session.is_usable() && self.lends(self.session.clock());
        self.supply.failed(retryable, usable, &mut self.session, self.provider);
        self.settle();
        Ok(())
    }

    /// A [`crate::Next::Load`], [`crate::Next::Store`] or [`crate::Next::Supply`] is being done: `poll` says `Await` in its
    /// place until its answer comes. A blocking loop that does what it is told before it polls again needs no such call.
    ///
    /// # Errors
    /// - [`Error::StaleRequest`]: `id` is none that `poll` would give now.
    pub fn took(&mut self, now: Instant, id: RequestId) -> Result<(), Error> {
        self.advance(now);
        #[cfg(feature = "snapshot")]
        if self.keeper.as_mut().is_some_and(|keeper| keeper.take_up(id)) {
            return Ok(());
        }
        self.supply.tries.take_up(id)
    }

    /// The generation of the newest token that was kept; 0 before the first.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.session.generation()
    }

    /// The greatest revision that this manager has written to storage, or found there; without storage 0.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        match self.keeper() {
            Some(keeper) => Revision(keeper.revision),
            None => Revision(0),
        }
    }

    /// Lifts a permanent failure: the configuration has been fixed, or the user wants to try again.
    pub fn retry(&mut self) {
        self.session.retry();
        self.supply.tries.wait_until = 0;
        self.note(Event::Retried);
        self.settle();
    }

    /// A refresh is due now; the token stays usable meanwhile.
    pub fn renew(&mut self) {
        self.session.renew();
        self.settle();
    }

    /// Signs out: wipes the tokens. With storage [`TokenManager::poll`] says to store that nobody is signed in.
    pub fn clear(&mut self) {
        self.forget();
        self.supply.outdate();
        self.note(Event::Cleared);
        self.settle();
    }

    fn forget(&mut self) {
        self.store.wipe();
        self.session.clear();
    }

    /// A token from outside is in the store.
    fn installed(&mut self) {
        self.supply.outdate();
        self.supply.tries.failures = 0;
        self.note(Event::Installed);
    }

    /// An error response: a failure that passes, or one that the caller must mend.
    fn error(&mut self, answered: Answered, answer: &ParsedAnswer<'_>, code: ErrorCode) {
        let refusal = match code {
            _ if is_trouble(answer.status) => Refusal::None,
            ErrorCode::Other => Refusal::Unlisted,
            ErrorCode::SlowDown => {
                self.session.slow_down();
                Refusal::Otherwise
            }
            _ => {
                if self.session.refused(answered, code, self.provider) {
                    self.end_refresh_token();
                }
                return;
            }
        };
        self.fail(answered, answer.retry_after, false, refusal);
    }

    /// The server refuses the refresh token; storage may hold another.
    fn end_refresh_token(&mut self) {
        self.note(Event::Refused);
        self.store.drop_refresh_token();
        self.session.end_refresh_token(self.provider);
    }

    fn fail(&mut self, answered: Answered, retry_after: Option<u64>, too_long: bool, refusal: Refusal) {
        self.session.failed(answered, self.provider.policy(), too_long, retry_after);
        if !answered.late {
            self.note(Event::Failed(self.session.clock()));
        }
        if self.session.without_token(answered, refusal, self.provider) {
            self.end_refresh_token();
        }
    }

    /// Checks all, then commits. `grant` is the one that obtained the token; an installed one has none.
    fn keep(
        &mut self,
        began_at: u64,
        members: &Members<'_>,
        expires_in: Option<u64>,
        wall: Option<UnixTime>,
        grant: Option<Grant>,
    ) -> Result<Generation, Error> {
        let provider = self.provider;
        let policy = provider.policy();
        let access_token = members.value(Member::AccessToken).ok_or(Error::InvalidAccessToken)?;
        if !members.is_bearer(provider) {
            return Err(Error::UnsupportedTokenType);
        }
        let lifetime_ms = lifetime_ms(members, access_token, expires_in, wall, provider, policy)?;
        let refresh_token = members.refresh_token();
        self.store.check_access_token(&access_token)?;
        if let Some(refresh_token) = &refresh_token {
            self.store.check_refresh_token(refresh_token)?;
        }
        let same = grant.is_some() && access_token.ct_eq(self.store.access_token());
        let end = Session::usable_until(began_at, lifetime_ms, policy);
        self.session.check(end, same, policy)?;

        // Only a refresh keeps the refresh token that it was made with.
        let keeps = refresh_token.is_none() && grant == Some(Grant::RefreshToken);
        let rotated = !keeps && self.replace_refresh_token(refresh_token.as_ref());
        if refresh_token.is_some() {
            self.note(Event::RefreshTokenBrought);
        }
        self.store.set_access_token(&access_token);
        if grant.is_none() {
            self.session.forget_spread();
        }
        let generation = self.session.stored(began_at, lifetime_ms, end, policy);
        let rotated = self.keep_ends(began_at, members, grant, rotated);
        match grant {
            None => self.installed(),
            Some(grant) => self.note(Event::Answered { grant, rotated }),
        }
        Ok(generation)
    }

    /// Puts another refresh token, or none, in the place of the one that is held; false if it is that one.
    fn replace_refresh_token(&mut self, token: Option<&JsonStr<'_>>) -> bool {
        let differs = match token {
            Some(token) => !self.store.holds_refresh_token(token),
            None => self.session.holds_refresh_token(),
        };
        if differs {
            match token {
                Some(token) => self.store.set_refresh_token(token),
                None => self.store.drop_refresh_token(),
            }
            self.session.hold_refresh_token(token.is_some());
            self.note(Event::RefreshTokenChanged);
        }
        differs
    }

    /// The server has rotated although its access token is of no use: without the new refresh token the
    /// grant would be lost.
    fn keep_rotated(&mut self, refused: Error, members: &Members<'_>, grant: Grant) {
        let rotates = matches!(
            refused,
            Error::InvalidAccessToken
                | Error::InvalidTokenType
                | Error::InvalidScopeMember
                | Error::InvalidExpiresIn
                | Error::UnsupportedTokenType
                | Error::MissingLifetime
                | Error::TooLong { .. }
                | Error::AlreadyExpired
                | Error::SameToken
        );
        if rotates
            && let Some(token) = &members.refresh_token()
            && self.store.check_refresh_token(token).is_ok()
            && self.replace_refresh_token(Some(token))
        {
            self.keep_ends(self.session.began_at(), members, Some(grant), true);
            self.note(Event::RefreshTokenBrought);
            self.note(Event::Answered { grant, rotated: true });
        }
    }

    /// Works out when the refresh token that is held ends, for a provider that tells; true if storage is to be told.
    fn keep_ends(
        &mut self,
        began_at: u64,
        members: &Members<'_>,
        grant: Option<Grant>,
        rotated: bool,
    ) -> bool {
        let life = &self.provider.refresh_life;
        let Some(rules) = life.rules.filter(|_| self.session.holds_refresh_token()) else {
            return rotated;
        };
        let refreshed = grant == Some(Grant::RefreshToken);
        let kept = Kept {
            clock: self.session.clock(),
            began_at,
            told_s: members.refresh_life_s,
            refreshed,
            rotated,
        };
        (rules.keep)(life, self.provider.policy(), self.session.due(), &mut self.refresh_ends, &kept)
    }
}

impl<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized> core::fmt::Debug for TokenManager<'_, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TokenManager")
            .field("provider", &self.provider.name)
            .field("generation", &self.session.generation())
            .finish_non_exhaustive()
    }
}

/// A gateway in trouble: whatever its body says, it says nothing about the grant.
pub(crate) const fn is_trouble(status: u16) -> bool {
    status >= 500 || matches!(status, 408 | 425 | 429)
}

/// The lifetime by the answer and the provider's policies, capped; `None` if there is no end.
fn lifetime_ms(
    members: &Members<'_>,
    access_token: JsonStr<'_>,
    expires_in: Option<u64>,
    wall: Option<UnixTime>,
    provider: &Provider<'_>,
    policy: &RefreshPolicy,
) -> Result<Option<u64>, Error> {
    if expires_in == Some(0) && provider.zero_lifetime == ZeroLifetime::Never {
        return Ok(None);
    }
    let seconds = match provider.members.lifetime(members, expires_in, wall) {
        Some(seconds) => seconds,
        None => match provider.missing_lifetime {
            MissingLifetime::Never => return Ok(None),
            MissingLifetime::Refuse => return Err(Error::MissingLifetime),
            MissingLifetime::Assume(seconds) => MissingLifetime::assumed(seconds),
            MissingLifetime::Told(else_seconds, expiry) => {
                let told =
                    wall.and_then(|wall| Some((expiry.read)(access_token)?.saturating_secs_since(wall)));
                told.unwrap_or(MissingLifetime::assumed(else_seconds))
            }
        },
    };
    Ok(Some(product(seconds.min(policy.max_lifetime_s), 1000)))
}

/// The earlier of two instants, of which either may never come.
fn earliest(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
