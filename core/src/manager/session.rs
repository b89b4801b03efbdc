//! The refresh decision: timers and states, numbers alone. No bytes, no lifetimes, no generics.
//!
//! Every call first moves the clock ([`Session::advance`]), which lets a request time out and a lease end
//! at their own instants; what follows is a function of the state and the clock. Spurious calls do nothing.

use crate::endpoint::authorization::Generation;
use crate::endpoint::error_response::ErrorCode;
use crate::endpoint::provider::{Grant, Provider};
use crate::endpoint::refresh_policy::RefreshPolicy;
use crate::error::Error;
use crate::table::{named, table};
use crate::time::{Instant, difference, product, quotient, scale, sum};

/// What to do next, whether the token may be sent, and when to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Poll {
    /// What the caller is to do.
    pub next: Next,
    /// Whether the stored token may be sent now.
    pub usable: bool,
    /// The earliest instant at which this answer changes by itself; `None`: never.
    pub poll_at: Option<Instant>,
}

named! {
    /// What the caller is to do.
    pub enum Next: u8 {
        Nothing = 0, "nothing",
            "There is nothing to do: the token is fresh.";
        /// Call [`crate::TokenManager::begin`] and send what it writes.
        Request(Grant) = 1, "request",
            "A token request is due: begin it, and send what that writes.";
        /// Answer it with [`crate::TokenManager::answer`] or [`crate::TokenManager::failed`].
        Await(RequestId) = 2, "await",
            "A token request is out: hand in its answer, or say that there is none.";
        Wait = 3, "wait",
            "Wait: backing off after a failure, spreading at the start, or another process is refreshing.";
        /// `restore` what is newer than what this manager wrote last (`snapshot_revision` tells), else say
        /// [`crate::TokenManager::reloaded`].
        Reload = 4, "reload",
            "Read storage again before you write to it: it may hold the pair of another process.";
        Supply(Reason) = 5, "supply",
            "Install a token, sign in, or fix the configuration: a usable token stays usable.";
    }
}

/// Names one request, so that a late answer to an older one changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

table! {
    /// Why the caller must act, or why a resource server's refusal is the caller's to handle.
    pub enum Reason: u8 {
        NoToken = 1, "no_token",
            "There is no token and no grant that obtains one: sign in, or install a token.";
        /// There is no other grant.
        RefreshTokenRejected = 2, "refresh_token_rejected",
            "The session has ended because the refresh token is refused: sign in again.";
        /// The primary grant.
        GrantRejected = 3, "grant_rejected",
            "The user name or password is refused: check them and sign in again.";
        /// A resource server refused a token without an end.
        Revoked = 4, "revoked",
            "The token has been revoked: install a new one.";
        /// The token endpoint answered `invalid_client`.
        InvalidClient = 5, "invalid_client",
            "The token service refuses the client id or secret: check them.";
        /// The token endpoint answered `unauthorized_client`.
        UnauthorizedClient = 6, "unauthorized_client",
            "The client may not use this grant: ask the token service to allow it.";
        /// The token endpoint answered `unsupported_grant_type`.
        UnsupportedGrantType = 7, "unsupported_grant_type",
            "The token service does not know this grant: check the provider's grants.";
        /// The token endpoint answered `invalid_scope`.
        InvalidScope = 8, "invalid_scope",
            "The token service does not grant this scope: check it.";
        /// The token endpoint answered `invalid_request`.
        InvalidRequest = 9, "invalid_request",
            "The token service does not understand the request: check the provider's values.";
        /// A 401 for a token that had just been received.
        Rejected = 10, "rejected",
            "The API refuses a token that is new: check the API's address and the account's rights.";
        /// A 403.
        Forbidden = 11, "forbidden",
            "The token is good but may not do this: ask for the right to do it.";
        /// A 401 with the challenge `insufficient_scope`.
        InsufficientScope = 12, "insufficient_scope",
            "The request needs a scope that the token does not have: ask for a token with that scope.";
        /// A status other than 401 and 403.
        NotAnAuthenticationFailure = 13, "not_an_authentication_failure",
            "The token is not at fault: look at the answer itself.";
    }
}

named! {
    /// What to do with a request that a resource server refused.
    #[must_use]
    pub enum Retry: u8 {
        Now = 1, "now",
            "Send it again at once with the current token: it is newer than the refused one.";
        AfterRefresh = 2, "after_refresh",
            "Send it again when there is a new token.";
        Surface(Reason) = 3, "surface",
            "Hand the refusal to the user or the log.";
    }
}

/// The access token, as far as the decision needs it.
#[derive(Clone, Copy, PartialEq)]
enum Token {
    None,
    /// It ends at `usable_until`.
    Timed,
    /// It has no end.
    Static,
    /// A 401 ended it; its bytes are kept, to know it again.
    Ended,
    /// A token without an end that a 401 ended.
    Revoked,
}

#[derive(Clone, Copy, PartialEq)]
enum Flight {
    Idle,
    Out(Grant),
    /// Timed out; until the next request its answer still commits.
    Late(Grant),
}

#[derive(Clone, Copy, PartialEq)]
enum Hold {
    None,
    /// The refused refresh token may have been rotated by another process.
    ReloadRefused,
    /// Another process is refreshing until `wait_until`.
    Lease,
    /// The other process has had its time.
    ReloadLease,
}

/// Where the windows of a token lie that a snapshot holds.
#[cfg(feature = "snapshot")]
pub(crate) struct Deadlines {
    pub(crate) refresh_at: u64,
    /// `None` for a token without an end.
    pub(crate) usable_until: Option<u64>,
}

/// The state machine of one manager.
#[derive(Clone, Copy)]
pub(crate) struct Session {
    /// The largest `now` that was seen.
    clock: u64,
    refresh_at: u64,
    usable_until: u64,
    /// A 401 before this instant is not the token's fault.
    trusted_until: u64,
    generation: u64,
    request_id: u64,
    began_at: u64,
    /// The end of the backoff, or of the lease.
    wait_until: u64,
    spread_until: u64,
    seed: u64,
    /// Failed requests since the last stored token.
    failures: u32,
    /// How often the server said `slow_down`.
    slow_downs: u32,
    /// Codes that no RFC lists, against the same refresh token.
    refusals: u32,
    token: Token,
    flight: Flight,
    hold: Hold,
    failure: Option<Reason>,
    refresh_token: bool,
}

const _: () = assert!(size_of::<Session>() <= 128);

/// A request whose id is spent, and so what its answer may still do.
#[derive(Clone, Copy)]
pub(crate) struct Answered {
    pub(crate) grant: Grant,
    pub(crate) began_at: u64,
    /// Its timeout has been counted as its failure.
    late: bool,
}

impl Session {
    /// Without a token, from `now` on. Built in its place: a caller that moves it pays for it twice on the stack.
    #[inline(always)]
    pub(crate) fn new(now: Instant, policy: &RefreshPolicy, mut seed: u64) -> Self {
        let clock = now.as_millis();
        let u = draw(&mut seed, policy);
        Self {
            clock,
            refresh_at: 0,
            usable_until: 0,
            trusted_until: 0,
            generation: 0,
            request_id: 0,
            began_at: 0,
            wait_until: 0,
            spread_until: sum(clock, scale(policy.startup_spread_ms, u)),
            seed,
            failures: 0,
            slow_downs: 0,
            refusals: 0,
            token: Token::None,
            flight: Flight::Idle,
            hold: Hold::None,
            failure: None,
            refresh_token: false,
        }
    }

    /// Moves the clock to `now`, or leaves it where it is.
    pub(crate) fn advance(&mut self, now: Instant, provider: &Provider<'_>) {
        let policy = provider.policy();
        self.clock = self.clock.max(now.as_millis());
        if let Flight::Out(grant) = self.flight {
            let timeout = sum(self.began_at, policy.response_timeout_ms);
            if timeout <= self.clock {
                self.flight = Flight::Late(grant);
                self.fail(timeout, policy, false);
            }
        }
        if self.hold == Hold::Lease && self.wait_until <= self.clock {
            self.hold = Hold::ReloadLease;
        }
    }

    /// The same session at `now`, for calls that change nothing.
    pub(crate) fn at(mut self, now: Instant, provider: &Provider<'_>) -> Self {
        self.advance(now, provider);
        self
    }

    pub(crate) const fn clock(&self) -> u64 {
        self.clock
    }

    pub(crate) const fn generation(&self) -> Generation {
        Generation(self.generation)
    }

    /// Whether the token may be sent at `now`.
    pub(crate) fn usable(&self, now: Instant) -> bool {
        self.usable_at(self.clock.max(now.as_millis()))
    }

    fn usable_at(&self, instant: u64) -> bool {
        match self.token {
            Token::Timed => instant < self.usable_until,
            Token::Static => true,
            Token::None | Token::Ended | Token::Revoked => false,
        }
    }

    /// The decision for the clock.
    pub(crate) fn poll(&self, provider: &Provider<'_>) -> Poll {
        let policy = provider.policy();
        let usable = self.usable_at(self.clock);
        let end = (usable && self.token == Token::Timed).then_some(self.usable_until);
        let (next, changes_at) = self.next(provider, policy);
        let poll_at = match (end, changes_at) {
            (Some(end), Some(changes_at)) => Some(end.min(changes_at)),
            (end, changes_at) => end.or(changes_at),
        };
        Poll { next, usable, poll_at: poll_at.map(Instant::from_millis) }
    }

    /// What to do, and when that changes; the end of the token aside.
    fn next(&self, provider: &Provider<'_>, policy: &RefreshPolicy) -> (Next, Option<u64>) {
        if matches!(self.flight, Flight::Out(_)) {
            let timeout = sum(self.began_at, policy.response_timeout_ms);
            return (Next::Await(RequestId(self.request_id)), Some(timeout));
        }
        if let Some(reason) = self.failure {
            return (Next::Supply(reason), None);
        }
        if self.token == Token::Revoked {
            return (Next::Supply(Reason::Revoked), None);
        }
        match self.hold {
            Hold::ReloadRefused | Hold::ReloadLease => return (Next::Reload, None),
            Hold::Lease => return (Next::Wait, Some(self.wait_until)),
            Hold::None => {}
        }
        match self.token {
            Token::Timed if self.clock < self.refresh_at => return (Next::Nothing, Some(self.refresh_at)),
            Token::Static => return (Next::Nothing, None),
            Token::Timed | Token::None | Token::Ended | Token::Revoked => {}
        }
        let grant = if self.refresh_token { Some(Grant::RefreshToken) } else { provider.primary_grant };
        let wait_until = self.wait_until.max(self.spread_until);
        match grant {
            None => (Next::Supply(Reason::NoToken), None),
            Some(_) if self.clock < wait_until => (Next::Wait, Some(wait_until)),
            Some(grant) => (Next::Request(grant), None),
        }
    }

    /// The grant that may be begun now.
    pub(crate) fn due(&self, provider: &Provider<'_>) -> Result<Grant, Error> {
        match self.poll(provider).next {
            Next::Request(grant) => Ok(grant),
            Next::Await(_) => Err(Error::RequestInFlight),
            _ => Err(Error::NotDue),
        }
    }

    /// A request is out. Its lifetime counts from here.
    pub(crate) fn begin(&mut self, grant: Grant) -> RequestId {
        self.request_id = sum(self.request_id, 1);
        self.began_at = self.clock;
        self.flight = Flight::Out(grant);
        RequestId(self.request_id)
    }

    /// Spends the id of the request that is out.
    pub(crate) fn answered(&mut self, id: RequestId) -> Result<Answered, Error> {
        let (grant, late) = match self.flight {
            Flight::Out(grant) => (grant, false),
            Flight::Late(grant) => (grant, true),
            Flight::Idle => return Err(Error::StaleRequest),
        };
        if id.0 != self.request_id {
            return Err(Error::StaleRequest);
        }
        self.flight = Flight::Idle;
        Ok(Answered { grant, began_at: self.began_at, late })
    }

    /// The request failed, unless its timeout has been that already. A server's `Retry-After` in seconds
    /// beats the backoff, late or not.
    pub(crate) fn failed(
        &mut self,
        answered: Answered,
        policy: &RefreshPolicy,
        too_long: bool,
        retry_after: Option<u64>,
    ) {
        if !answered.late {
            // Where the server names the wait there is no backoff to draw for.
            if retry_after.is_some() {
                self.failures = self.failures.saturating_add(1);
            } else {
                self.fail(self.clock, policy, too_long);
            }
        }
        if let Some(seconds) = retry_after {
            self.wait_until = sum(self.clock, product(seconds.clamp(1, 3600), 1000));
        }
    }

    /// Backs off from `instant`: while the token is usable as a DHCP client renews, then exponentially.
    fn fail(&mut self, instant: u64, policy: &RefreshPolicy, too_long: bool) {
        self.failures = self.failures.saturating_add(1);
        let backoff = if too_long {
            policy.max_backoff_ms
        } else if self.usable_at(instant) {
            let left = difference(self.usable_until, instant);
            (left >> 1).max(policy.min_interval_ms).min(left).min(policy.max_backoff_ms)
        } else {
            let mut longest = policy.first_backoff_ms;
            for _ in 1..self.failures.min(64) {
                longest = sum(longest, longest);
            }
            longest = longest.min(policy.max_backoff_ms);
            difference(longest, scale(longest >> 1, draw(&mut self.seed, policy)))
        };
        let slow_down = u64::from(self.slow_downs).wrapping_mul(5_000);
        self.wait_until = sum(sum(instant, backoff), slow_down);
    }

    /// The server asks for more time between requests (RFC 8628 section 3.5).
    pub(crate) fn slow_down(&mut self) {
        self.slow_downs = self.slow_downs.saturating_add(1);
    }

    /// A code that ends things until the caller acts; true if it ends the refresh token.
    pub(crate) fn refused(&mut self, answered: Answered, code: ErrorCode) -> bool {
        let reason = match code {
            ErrorCode::InvalidClient => Reason::InvalidClient,
            ErrorCode::UnauthorizedClient => Reason::UnauthorizedClient,
            ErrorCode::UnsupportedGrantType => Reason::UnsupportedGrantType,
            ErrorCode::InvalidScope => Reason::InvalidScope,
            ErrorCode::InvalidRequest => Reason::InvalidRequest,
            _ if answered.grant == Grant::RefreshToken => return true,
            _ => Reason::GrantRejected,
        };
        self.failure = Some(reason);
        false
    }

    /// A code that no RFC lists; true if it was one too many for the refresh token.
    pub(crate) fn unlisted(&mut self, answered: Answered, policy: &RefreshPolicy) -> bool {
        if answered.late || answered.grant != Grant::RefreshToken {
            return false;
        }
        self.refusals = self.refusals.saturating_add(1);
        self.refusals >= policy.refresh_attempts
    }

    /// The refresh token is dead: read storage again, or go on with the primary grant, or give up.
    pub(crate) fn end_refresh_token(&mut self, provider: &Provider<'_>, reload: bool) {
        self.hold_refresh_token(false);
        if reload {
            self.hold = Hold::ReloadRefused;
        } else if provider.primary_grant.is_none() {
            self.failure = Some(Reason::RefreshTokenRejected);
        }
    }

    /// Another refresh token, or none, is in the store.
    pub(crate) fn hold_refresh_token(&mut self, held: bool) {
        self.refresh_token = held;
        self.refusals = 0;
    }

    pub(crate) const fn holds_refresh_token(&self) -> bool {
        self.refresh_token
    }

    /// Until when a token that was asked for at `began_at` could be sent; `None`: forever.
    pub(crate) fn usable_until(
        began_at: u64,
        lifetime_ms: Option<u64>,
        policy: &RefreshPolicy,
    ) -> Option<u64> {
        let life = lifetime_ms?;
        Some(sum(began_at, difference(life, policy.margin_ms.min(quotient(life, 10)))))
    }

    /// Whether a token that is usable until `end` would be of use. `same`: it is the stored one again.
    pub(crate) fn check(&self, end: Option<u64>, same: bool, policy: &RefreshPolicy) -> Result<(), Error> {
        let left = end.map(|end| difference(end, self.clock));
        if left == Some(0) {
            return Err(Error::AlreadyExpired);
        }
        let ended = matches!(self.token, Token::Ended | Token::Revoked);
        if same && (ended || left.is_some_and(|left| left < policy.min_interval_ms)) {
            return Err(Error::SameToken);
        }
        Ok(())
    }

    /// A token is in the store: sets its windows, ends backoff, failure and reload.
    pub(crate) fn stored(
        &mut self,
        began_at: u64,
        lifetime_ms: Option<u64>,
        end: Option<u64>,
        policy: &RefreshPolicy,
    ) -> Generation {
        self.token = Token::Static;
        if let (Some(life), Some(usable_until)) = (lifetime_ms, end) {
            let draw = draw(&mut self.seed, policy);
            let latest = difference(usable_until, began_at);
            let early = quotient(scale(product(life, policy.jitter_permille), draw), 1000);
            let fraction = permille(life, policy.fraction_permille);
            let refresh_in = difference(policy.min_interval_ms.max(fraction).min(latest), early);
            self.token = Token::Timed;
            self.refresh_at = sum(began_at, refresh_in);
            self.usable_until = usable_until;
        }
        self.trusted_until = sum(self.clock, policy.min_interval_ms);
        self.generation = sum(self.generation, 1);
        self.failures = 0;
        self.refusals = 0;
        self.settle();
        self.generation()
    }

    /// Ends flight, reload, lease, backoff and failure, as a token from outside does.
    pub(crate) fn settle(&mut self) {
        self.flight = Flight::Idle;
        self.hold = Hold::None;
        self.wait_until = 0;
        self.failure = None;
        if self.token == Token::Revoked {
            self.token = Token::Ended;
        }
    }

    /// A resource server refused a request.
    pub(crate) fn rejected(
        &mut self,
        generation: Generation,
        status: u16,
        insufficient_scope: bool,
        provider: &Provider<'_>,
    ) -> (Retry, bool) {
        let surfaced = match status {
            401 if insufficient_scope => Some(Reason::InsufficientScope),
            401 => None,
            403 => Some(Reason::Forbidden),
            _ => Some(Reason::NotAnAuthenticationFailure),
        };
        if let Some(reason) = surfaced {
            return (Retry::Surface(reason), false);
        }
        let mut ended = false;
        // Generation 0 is none.
        let given_out = generation.0 != 0 && generation.0 <= self.generation;
        if given_out && self.token != Token::None {
            if generation.0 < self.generation && self.usable_at(self.clock) {
                return (Retry::Now, false);
            }
            match self.token {
                Token::Static | Token::Revoked => {
                    ended = self.token == Token::Static;
                    self.token = Token::Revoked;
                    return (Retry::Surface(Reason::Revoked), ended);
                }
                Token::Timed if self.clock < self.trusted_until => {
                    return (Retry::Surface(Reason::Rejected), false);
                }
                _ => {
                    ended = self.token == Token::Timed;
                    self.token = Token::Ended;
                }
            }
        }
        let retry = match self.poll(provider).next {
            Next::Supply(reason) => Retry::Surface(reason),
            _ => Retry::AfterRefresh,
        };
        (retry, ended)
    }

    /// A refresh is due now; true if it was not yet.
    pub(crate) fn renew(&mut self) -> bool {
        let later = self.token == Token::Timed && self.refresh_at > self.clock;
        if later {
            self.refresh_at = self.clock;
        }
        later
    }

    /// Lifts a permanent failure.
    pub(crate) fn retry(&mut self) {
        self.failure = None;
    }

    /// Whether a refresh that was in flight elsewhere is, or was, waited for.
    pub(crate) const fn holds_lease(&self) -> bool {
        matches!(self.hold, Hold::Lease | Hold::ReloadLease)
    }

    /// Storage holds nothing newer.
    pub(crate) fn reloaded(&mut self, provider: &Provider<'_>) {
        if self.hold == Hold::ReloadRefused && !self.refresh_token && provider.primary_grant.is_none() {
            self.failure = Some(Reason::RefreshTokenRejected);
        }
        if self.holds_lease() {
            self.wait_until = 0;
        }
        self.hold = Hold::None;
    }

    /// Forgets the token; clock, ids, generations, draws and `slow_down` go on.
    pub(crate) fn clear(&mut self) {
        self.settle();
        self.token = Token::None;
        self.failures = 0;
        self.hold_refresh_token(false);
    }
}

/// What a snapshot needs to know and to set.
#[cfg(feature = "snapshot")]
impl Session {
    /// The deadlines of a token that a snapshot holds: not of one that a 401 ended.
    pub(crate) fn deadlines(&self) -> Option<Deadlines> {
        match self.token {
            Token::Timed => {
                Some(Deadlines { refresh_at: self.refresh_at, usable_until: Some(self.usable_until) })
            }
            Token::Static => Some(Deadlines { refresh_at: 0, usable_until: None }),
            Token::None | Token::Ended | Token::Revoked => None,
        }
    }

    /// How long the refresh is out that another process must not cross: our own, or one that we wait for.
    pub(crate) fn lease_age_ms(&self, policy: &RefreshPolicy) -> Option<u64> {
        match (self.flight, self.hold) {
            (Flight::Out(Grant::RefreshToken), _) if policy.shared_storage => {
                Some(self.clock.saturating_sub(self.began_at))
            }
            (_, Hold::Lease) => {
                Some(policy.response_timeout_ms.saturating_sub(self.wait_until.saturating_sub(self.clock)))
            }
            _ => None,
        }
    }

    /// A snapshot's access token is in the store: it counts as received long ago.
    pub(crate) fn restored(&mut self, deadlines: &Deadlines) {
        self.token = match deadlines.usable_until {
            Some(usable_until) => {
                self.refresh_at = deadlines.refresh_at;
                self.usable_until = usable_until;
                Token::Timed
            }
            None => Token::Static,
        };
        self.trusted_until = 0;
        self.failures = 0;
        self.refusals = 0;
    }

    /// The generation becomes the larger of both, plus one for another token.
    pub(crate) fn adopt_generation(&mut self, snapshot: u64, differs: bool) {
        let step = u64::from(differs && self.generation > 0);
        self.generation = self.generation.max(snapshot).saturating_add(step);
    }

    pub(crate) const fn in_reload(&self) -> bool {
        matches!(self.hold, Hold::ReloadRefused | Hold::ReloadLease)
    }

    /// Another process is refreshing for so many milliseconds more.
    pub(crate) fn lease(&mut self, left_ms: u64) {
        self.hold = Hold::Lease;
        self.wait_until = self.clock.saturating_add(left_ms);
    }
}

/// The upper half of the next SplitMix64 value: `u` over 2³². Without jitter there are no draws.
#[inline(never)]
fn draw(seed: &mut u64, policy: &RefreshPolicy) -> u32 {
    if policy.jitter_permille == 0 {
        return 0;
    }
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or_default()
}

/// `value · thousandths / 1000`, floored, saturating.
fn permille(value: u64, thousandths: u32) -> u64 {
    let whole = quotient(value, 1000);
    let rest = value.wrapping_sub(product(whole, 1000));
    sum(product(whole, thousandths), quotient(product(rest, thousandths), 1000))
}
