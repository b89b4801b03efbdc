//! The refresh decision: timers and states, numbers alone. No bytes, no lifetimes, no generics.
//!
//! Every call first moves the clock ([`Session::advance`]), which lets a request time out at its own instant; what follows is a function of the state and the clock. Spurious calls do nothing.

use crate::endpoint::authorization::Generation;
use crate::endpoint::error_response::ErrorCode;
use crate::endpoint::grant::Grant;
use crate::endpoint::provider::{Identity, Provider};
use crate::endpoint::refresh_life::Due;
use crate::endpoint::refresh_policy::RefreshPolicy;
use crate::error::Error;
use crate::machine::inlined_if_wide;
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
        /// [`crate::TokenManager::supplied`] answers exactly this id.
        Supply(RequestId, Reason) = 4, "supply",
            "Install a token, sign in, or fix the configuration: a usable token stays usable.";
        /// `loaded` takes what is in each slot, `load_failed` says that storage cannot be read.
        Load(RequestId) = 5, "load",
            "Read storage, whose lock is taken first if it is shared, and hand over what is in each slot.";
        /// Say `stored` or `store_failed` afterwards.
        Store(RequestId, u8) = 6, "store",
            "Write what the snapshot for it says into this slot, atomically if storage can.";
    }
}

impl Next {
    /// Why a token must be supplied, if it must.
    #[must_use]
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Supply(_, reason) => Some(reason),
            _ => None,
        }
    }
}

/// Names one request, one [`Next::Load`], [`Next::Store`] or [`Next::Supply`], so that a late answer to an older one
/// changes nothing.
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
        /// Storage held something, but nothing that could be read.
        Damaged = 14, "damaged",
            "The stored session is damaged: sign in again.";
        /// Storage holds a token that is longer than its slot.
        TooLong = 15, "stored_too_long",
            "The stored session is longer than its slots: give the token manager more room, or sign in again.";
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
        Surface {
            /// Why.
            reason: Reason,
            /// When the same 401 will be answered otherwise; `None`: that does not come by itself.
            retry_at: Option<Instant>,
        } = 3, "surface",
            "Hand the refusal to the user or the log.";
    }
}

/// The access token, as far as the decision needs it.
#[derive(Clone, Copy, PartialEq)]
enum Token {
    None,
    /// It ends at `usable_until`.
    Timed,
    /// It has no end. Under [`Reason::Revoked`] it rests.
    Static,
    /// A 401 ended it; its bytes are kept, to know it again.
    Ended,
}

#[derive(Clone, Copy, PartialEq)]
enum Flight {
    Idle,
    Out(Grant),
    /// Timed out; until the next request its answer still commits.
    Late(Grant),
}

/// Whose turn it is where a refresh token is held and there is a primary grant.
#[derive(Clone, Copy, PartialEq)]
enum Turn {
    RefreshToken,
    Primary,
    /// The password has had its one turn.
    RefreshTokenAlone,
}

/// What an answer that stores no token says about the grant, its status not being that of a gateway in trouble.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Refusal {
    /// Nothing: there is no such answer.
    None,
    /// The server answered, but did not refuse the grant.
    Otherwise,
    /// A 4xx without a readable code.
    Unreadable,
    /// A code that no RFC lists.
    Unlisted,
}

/// An id that nobody has.
const NO_ID: RequestId = RequestId(0);

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
    due: Due,
    usable_until: u64,
    /// A 401 before this instant is not the token's fault.
    trusted_until: u64,
    generation: u64,
    request_id: u64,
    began_at: u64,
    /// The end of the backoff.
    wait_until: u64,
    spread_until: u64,
    /// When the failure lifts itself; [`NEVER`]: it does not.
    lifts_at: u64,
    seed: u64,
    /// Failed requests since the last stored token, or 401s against one without an end.
    failures: u32,
    /// What `slow_down` adds to each wait.
    slow_down_ms: u32,
    /// Refusals that the standard has no code for, against the same refresh token, or against a password.
    refusals: u32,
    /// How much of the jitter the next token's refresh comes early, over 2³², if it is kept.
    early: u32,
    keeps_early: bool,
    token: Token,
    flight: Flight,
    turn: Turn,
    failure: Option<Reason>,
    refresh_token: bool,
    /// Whether the last request was one with the refresh grant; `None`: there was none.
    refreshed_last: Option<bool>,
}

/// Beyond every instant.
const NEVER: u64 = u64::MAX;
/// The least time between two requests with one grant.
const FLOOR_MS: u64 = 1_000;
/// The longest rest of a token without an end, the longest `slow_down`, and when configuration is asked again.
const HOUR_MS: u32 = 3_600_000;
/// Tokens of a fleet that end together are asked for over this time at most.
const SPREAD_AT_END_MS: u64 = 30_000;

const _: () = assert!(size_of::<Session>() <= 128);

/// A request whose id is spent, and so what its answer may still do.
#[derive(Clone, Copy)]
pub(crate) struct Answered {
    pub(crate) grant: Grant,
    pub(crate) began_at: u64,
    /// Its timeout has been counted as its failure.
    pub(crate) late: bool,
}

impl Session {
    /// Without a token, from `now` on. Built in its place: a caller that moves it pays for it twice on the stack.
    #[inline(always)]
    pub(crate) fn new(now: Instant, policy: &RefreshPolicy, mut seed: u64, salt: u64) -> Self {
        let clock = now.as_millis();
        let u = draw(&mut seed, policy);
        Self {
            clock,
            due: Due { refresh_at: 0, refresh_last: NEVER },
            usable_until: 0,
            trusted_until: 0,
            generation: 0,
            request_id: salt,
            began_at: 0,
            wait_until: 0,
            spread_until: sum(clock, scale(policy.startup_spread_ms, u)),
            lifts_at: 0,
            seed,
            failures: 0,
            slow_down_ms: 0,
            refusals: 0,
            early: 0,
            keeps_early: false,
            token: Token::None,
            flight: Flight::Idle,
            turn: Turn::RefreshToken,
            failure: None,
            refresh_token: false,
            refreshed_last: None,
        }
    }

    /// Moves the clock to `now`, or leaves it where it is. Gives back when a request has timed out meanwhile.
    pub(crate) fn advance(&mut self, now: Instant, provider: &Provider<'_>) -> Option<u64> {
        let policy = provider.policy();
        let mut timed_out = None;
        self.clock = self.clock.max(now.as_millis());
        if let Flight::Out(grant) = self.flight {
            let timeout = sum(self.began_at, policy.response_timeout_ms);
            if timeout <= self.clock {
                self.flight = Flight::Late(grant);
                self.fail(timeout, policy, false);
                self.pass_turn(grant, Refusal::None);
                timed_out = Some(timeout);
            }
        }
        if self.has_lifted(self.clock) {
            self.failure = None;
        }
        timed_out
    }

    pub(crate) const fn clock(&self) -> u64 {
        self.clock
    }

    /// What the ids start from, where there was no request yet.
    pub(crate) const fn salt(&self) -> u64 {
        self.request_id
    }

    pub(crate) const fn generation(&self) -> Generation {
        Generation(self.generation)
    }

    /// Whether the token may be sent at `now`.
    pub(crate) fn usable(&self, now: Instant) -> bool {
        self.usable_at(self.seen(now))
    }

    /// The clock as it is at `now`.
    pub(crate) fn seen(&self, now: Instant) -> u64 {
        self.clock.max(now.as_millis())
    }

    fn usable_at(&self, instant: u64) -> bool {
        match self.token {
            Token::Timed => instant < self.usable_until,
            Token::Static => self.failure != Some(Reason::Revoked) || self.has_lifted(instant),
            Token::None | Token::Ended => false,
        }
    }

    /// Whether the failure, if there is one, has lifted itself by `instant`.
    const fn has_lifted(&self, instant: u64) -> bool {
        self.lifts_at <= instant && self.lifts_at != NEVER
    }

    /// Whether the token may be sent by the clock.
    pub(crate) fn is_usable(&self) -> bool {
        self.usable_at(self.clock)
    }

    /// When a usable token ends.
    pub(crate) fn end(&self) -> Option<u64> {
        (self.token == Token::Timed).then_some(self.usable_until)
    }

    /// When a permanent failure lifts itself.
    pub(crate) const fn lifts_at(&self) -> Option<Instant> {
        if self.failure.is_some() && self.lifts_at != NEVER {
            Some(Instant::from_millis(self.lifts_at))
        } else {
            None
        }
    }

    /// What to do, and when that changes; the end of the token aside.
    pub(crate) fn base(&self, provider: &Provider<'_>) -> (Next, Option<u64>) {
        let policy = provider.policy();
        if matches!(self.flight, Flight::Out(_)) {
            let timeout = sum(self.began_at, policy.response_timeout_ms);
            return (Next::Await(RequestId(self.request_id)), Some(timeout));
        }
        if let Some(reason) = self.failure {
            return (Next::Supply(NO_ID, reason), (self.lifts_at != NEVER).then_some(self.lifts_at));
        }
        match self.token {
            Token::Timed if self.clock < self.due.refresh_at => {
                return (Next::Nothing, Some(self.due.refresh_at));
            }
            Token::Static => return (Next::Nothing, None),
            Token::Timed | Token::None | Token::Ended => {}
        }
        let refreshes = self.can_refresh() && self.turn != Turn::Primary;
        let grant = if refreshes { Some(Grant::RefreshToken) } else { provider.primary_grant };
        let backoff = self.wait_until.max(self.spread_until);
        let floored =
            if policy.asks_before_each_use() { backoff } else { backoff.max(sum(self.began_at, FLOOR_MS)) };
        // The primary grant may follow a refused refresh token at once.
        let primary = if self.refreshed_last == Some(false) { floored } else { backoff };
        let refresh = if self.refreshed_last.is_some() { floored } else { backoff };
        let wait_until = if refreshes { refresh } else { primary };
        let until = if refreshes { sum(self.due.refresh_last, 1) } else { NEVER };
        // Whose turn it is when the refresh token has ended.
        let without = if provider.primary_grant.is_some() { primary } else { 0 };
        match grant {
            None => (Next::Supply(NO_ID, Reason::NoToken), None),
            Some(_) if self.clock < wait_until => (Next::Wait, Some(wait_until.min(until.max(without)))),
            Some(grant) => (Next::Request(grant), (until != NEVER).then_some(until)),
        }
    }

    /// The instants at which what [`Session::base`] and [`Session::is_usable`] say may change by itself.
    pub(crate) fn borders(&self, provider: &Provider<'_>) -> [u64; 8] {
        [
            sum(self.began_at, provider.policy().response_timeout_ms),
            self.lifts_at,
            self.due.refresh_at,
            sum(self.due.refresh_last, 1),
            self.usable_until,
            self.wait_until,
            self.spread_until,
            sum(self.began_at, FLOOR_MS),
        ]
    }

    /// The primary grant, unless it is a password that has had its turn.
    pub(crate) fn primary_grant(&self, provider: &Provider<'_>) -> Option<Grant> {
        provider.primary_grant.filter(|_| self.turn != Turn::RefreshTokenAlone)
    }

    /// A number of its own for a session or a snapshot. `salt` tells those of one instant apart.
    pub(crate) fn number(&self, salt: u64) -> u64 {
        let mut number = self.seed ^ self.clock.rotate_left(32) ^ salt;
        split_mix(&mut number)
    }

    pub(crate) const fn is_out(&self) -> bool {
        matches!(self.flight, Flight::Out(_))
    }

    /// A request is out. Its lifetime counts from here.
    pub(crate) fn begin(&mut self, grant: Grant) -> RequestId {
        if !self.usable_at(self.clock) {
            self.keeps_early = false;
        }
        self.request_id = self.request_id.wrapping_add(1);
        self.refreshed_last = Some(grant == Grant::RefreshToken);
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
                self.count_failure();
            } else {
                self.fail(self.clock, policy, too_long);
            }
        }
        if let Some(seconds) = retry_after {
            let seconds = u32::try_from(seconds).unwrap_or(u32::MAX).clamp(1, 3600);
            let (wait, tenth) = (seconds.saturating_mul(1000), seconds.saturating_mul(100));
            let more = scale(u64::from(tenth.clamp(1_000, 300_000)), draw(&mut self.seed, policy));
            self.wait_until = sum(self.clock, sum(u64::from(wait), more));
        }
    }

    fn count_failure(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.keeps_early = false;
    }

    /// Backs off from `instant`.
    fn fail(&mut self, instant: u64, policy: &RefreshPolicy, too_long: bool) {
        self.count_failure();
        let wait = if too_long {
            sum(shortened(policy.max_backoff_ms, draw(&mut self.seed, policy)), u64::from(self.slow_down_ms))
        } else {
            let usable = self.usable_at(instant);
            self.backoff(instant, self.failures, usable, self.slow_down_ms, policy)
        };
        self.wait_until = sum(instant, wait);
    }

    /// How long to wait from `instant` on: while the token is usable as a DHCP client renews, then exponentially.
    fn backoff(
        &mut self,
        instant: u64,
        failures: u32,
        usable: bool,
        slow_down_ms: u32,
        policy: &RefreshPolicy,
    ) -> u64 {
        let u = draw(&mut self.seed, policy);
        let slow_down = u64::from(slow_down_ms);
        if !usable {
            let longest = doubled(policy.first_backoff_ms, failures).min(policy.max_backoff_ms);
            return sum(shortened(longest, u), slow_down);
        }
        let end = if self.token == Token::Timed { self.usable_until } else { NEVER };
        let left = difference(end, instant);
        let latest = sum(left, scale(policy.min_interval_ms.min(SPREAD_AT_END_MS), u));
        let longest = (left >> 1).max(policy.min_interval_ms).min(policy.max_backoff_ms);
        if longest > left {
            return latest;
        }
        let wait = shortened(longest, u).max(longest.min(policy.min_interval_ms));
        sum(wait, slow_down).min(latest)
    }

    /// How long storage or a source is left alone after so many failures in a row.
    pub(crate) fn wait_after(&mut self, failures: u32, usable: bool, policy: &RefreshPolicy) -> u64 {
        self.backoff(self.clock, failures, usable, 0, policy)
    }

    /// The server asks for more time between requests (RFC 8628 section 3.5).
    pub(crate) fn slow_down(&mut self) {
        self.slow_down_ms = self.slow_down_ms.saturating_add(5_000).min(HOUR_MS);
    }

    /// A code that ends things until the caller acts; true if it ends the refresh token.
    pub(crate) fn refused(&mut self, answered: Answered, code: ErrorCode, provider: &Provider<'_>) -> bool {
        self.keeps_early = false;
        let refreshes = answered.grant == Grant::RefreshToken;
        // A server may call a dead refresh token so, and the primary grant has not been refused.
        let gives_way = refreshes && provider.primary_grant.is_some();
        let reason = match code {
            ErrorCode::InvalidClient => Reason::InvalidClient,
            ErrorCode::InvalidScope => Reason::InvalidScope,
            ErrorCode::UnauthorizedClient if !gives_way => Reason::UnauthorizedClient,
            ErrorCode::UnsupportedGrantType if !gives_way => Reason::UnsupportedGrantType,
            ErrorCode::InvalidRequest if !gives_way => Reason::InvalidRequest,
            _ if refreshes => return true,
            _ => Reason::GrantRejected,
        };
        let policy = provider.policy();
        let asks_again =
            policy.recheck && reason != Reason::GrantRejected && answered.grant != Grant::Password;
        // An assertion may have been refused for its time: the clock may be right soon.
        let asserts = provider.authentication.is_some_and(|authentication| authentication.asserts);
        let longest = match reason {
            Reason::InvalidClient if asserts => policy.max_backoff_ms,
            _ => u64::from(HOUR_MS),
        };
        self.supply(reason, asks_again.then_some(longest), policy);
        self.pass_turn(answered.grant, Refusal::Otherwise);
        false
    }

    /// The caller must act; after `longest` at most it is tried again without that.
    fn supply(&mut self, reason: Reason, longest: Option<u64>, policy: &RefreshPolicy) {
        self.failure = Some(reason);
        self.lifts_at = match longest {
            Some(longest) => sum(self.clock, shortened(longest, draw(&mut self.seed, policy))),
            None => NEVER,
        };
    }

    /// A request brought no token; true if that was one refusal too many for the refresh token.
    pub(crate) fn without_token(
        &mut self,
        answered: Answered,
        refusal: Refusal,
        provider: &Provider<'_>,
    ) -> bool {
        let policy = provider.policy();
        let alternates = provider.primary_grant.is_some();
        let refreshes = answered.grant == Grant::RefreshToken;
        self.pass_turn(answered.grant, refusal);
        let counts = match refusal {
            Refusal::None | Refusal::Otherwise => false,
            Refusal::Unreadable => alternates,
            Refusal::Unlisted => true,
        };
        let of_password = answered.grant == Grant::Password && !self.can_refresh();
        if answered.late || !counts || !(refreshes || of_password) {
            return false;
        }
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals < policy.refresh_attempts {
            return false;
        }
        if of_password {
            self.refusals = 0;
            self.supply(Reason::GrantRejected, None, policy);
        } else if alternates && self.turn == Turn::RefreshToken {
            self.turn = Turn::Primary;
        }
        !alternates
    }

    /// A request with the primary grant brought no token: the refresh token has its turn again. A password that was
    /// answered has had its only one.
    fn pass_turn(&mut self, grant: Grant, refusal: Refusal) {
        self.turn = match grant {
            Grant::RefreshToken => return,
            Grant::Password if refusal == Refusal::None => return,
            Grant::Password => Turn::RefreshTokenAlone,
            Grant::ClientCredentials | Grant::SiteToken | Grant::Extension => Turn::RefreshToken,
        };
    }

    /// The refresh token is dead: go on with the primary grant, or give up.
    pub(crate) fn end_refresh_token(&mut self, provider: &Provider<'_>) {
        self.hold_refresh_token(false);
        if provider.primary_grant.is_none() {
            self.failure = Some(Reason::RefreshTokenRejected);
            self.lifts_at = NEVER;
        }
    }

    /// Another refresh token, or none, is in the store.
    pub(crate) fn hold_refresh_token(&mut self, held: bool) {
        self.refresh_token = held;
        self.forget_refusals();
    }

    fn forget_refusals(&mut self) {
        self.refusals = 0;
        self.turn = Turn::RefreshToken;
    }

    inlined_if_wide! {
        /// Whether a refresh token is held that has not ended.
        pub(crate) fn can_refresh(&self) -> bool {
            self.refresh_token && self.clock <= self.due.refresh_last
        }
    }

    /// Until when a person must have signed in again.
    pub(crate) fn sign_in_by(&self, provider: &Provider<'_>) -> Option<Instant> {
        let needs_person =
            self.refresh_token && provider.primary_grant.is_none() && self.token != Token::Static;
        let is_known = self.due.refresh_last != NEVER;
        (needs_person && is_known).then_some(Instant::from_millis(sum(self.due.refresh_last, 1)))
    }

    /// When the last request was begun.
    pub(crate) const fn began_at(&self) -> u64 {
        self.began_at
    }

    /// When a refresh is due, for what knows how long a refresh token lives.
    pub(crate) const fn due(&mut self) -> &mut Due {
        &mut self.due
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
        if same && (self.token == Token::Ended || left.is_some_and(|left| left < policy.min_interval_ms)) {
            return Err(Error::SameToken);
        }
        Ok(())
    }

    /// A token is in the store: sets its windows, ends backoff and failure.
    pub(crate) fn stored(
        &mut self,
        began_at: u64,
        lifetime_ms: Option<u64>,
        end: Option<u64>,
        policy: &RefreshPolicy,
    ) -> Generation {
        self.token = Token::Static;
        if let (Some(life), Some(usable_until)) = (lifetime_ms, end) {
            let (fraction, jitter) = (policy.fraction_permille, policy.jitter_permille);
            let part = if self.keeps_early { self.early } else { draw(&mut self.seed, policy) };
            self.early = share(part, fraction.saturating_sub(jitter), fraction);
            self.keeps_early = true;
            let latest = difference(usable_until, began_at);
            let early = quotient(scale(product(life, jitter), part), 1000);
            let soonest = policy.min_interval_ms.min(latest);
            let refresh_in =
                difference(quotient(product(life, fraction), 1000).min(latest).max(soonest), early)
                    .max(soonest);
            self.token = Token::Timed;
            self.due.refresh_at = sum(began_at, refresh_in);
            self.usable_until = usable_until;
        }
        self.trusted_until = sum(self.clock, policy.min_interval_ms);
        self.generation = sum(self.generation, 1);
        self.failures = 0;
        self.slow_down_ms >>= 1;
        self.forget_refusals();
        self.settle();
        self.generation()
    }

    /// A refresh token came without an access token.
    pub(crate) fn stored_refresh_token(&mut self) {
        self.token = Token::None;
        self.failures = 0;
        self.keeps_early = false;
        self.forget_refusals();
        self.settle();
    }

    /// What comes is not from a request: the next token is spread anew.
    pub(crate) fn forget_spread(&mut self) {
        self.keeps_early = false;
    }

    /// Ends flight, backoff and failure, as a token from outside does.
    pub(crate) fn settle(&mut self) {
        self.flight = Flight::Idle;
        self.wait_until = 0;
        self.failure = None;
    }

    /// A resource server refused a request. None: what `poll` says now is the answer.
    pub(crate) fn rejected(
        &mut self,
        generation: Generation,
        status: u16,
        insufficient_scope: bool,
        lent: bool,
        provider: &Provider<'_>,
    ) -> Option<Retry> {
        let surfaced = match status {
            _ if provider.says_expired(status) => insufficient_scope.then_some(Reason::InsufficientScope),
            403 => Some(Reason::Forbidden),
            _ => Some(Reason::NotAnAuthenticationFailure),
        };
        if let Some(reason) = surfaced {
            return Some(Retry::Surface { reason, retry_at: None });
        }
        // Generation 0 is none.
        let given_out = generation.0 != 0 && generation.0 <= self.generation;
        if given_out && self.token != Token::None {
            if generation.0 < self.generation && self.usable_at(self.clock) {
                // A token that is not stored yet is not to blame for an older one.
                return Some(if lent { Retry::Now } else { Retry::AfterRefresh });
            }
            match self.token {
                Token::Static if self.failure != Some(Reason::Revoked) => {
                    let policy = provider.policy();
                    self.failures = self.failures.saturating_add(1);
                    let longest = doubled(policy.max_backoff_ms, self.failures).min(u64::from(HOUR_MS));
                    self.supply(Reason::Revoked, Some(longest), policy);
                }
                Token::Static => {}
                Token::Timed if self.clock < self.trusted_until => {
                    let retry_at = Some(Instant::from_millis(self.trusted_until));
                    return Some(Retry::Surface { reason: Reason::Rejected, retry_at });
                }
                _ => {
                    self.token = Token::Ended;
                    self.keeps_early = false;
                }
            }
        }
        None
    }

    /// A refresh is due now.
    pub(crate) fn renew(&mut self) {
        if self.token == Token::Timed && self.due.refresh_at > self.clock {
            self.due.refresh_at = self.clock;
            self.keeps_early = false;
        }
    }

    /// Lifts a permanent failure.
    pub(crate) fn retry(&mut self) {
        self.failure = None;
    }

    /// Forgets the token; clock, ids, generations, draws and `slow_down` go on.
    pub(crate) fn clear(&mut self) {
        self.settle();
        self.token = Token::None;
        self.failures = 0;
        self.keeps_early = false;
        self.refreshed_last = None;
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
                Some(Deadlines { refresh_at: self.due.refresh_at, usable_until: Some(self.usable_until) })
            }
            Token::Static => Some(Deadlines { refresh_at: 0, usable_until: None }),
            Token::None | Token::Ended => None,
        }
    }

    /// There is no access token any more.
    pub(crate) fn drop_access_token(&mut self) {
        // Of a token without an end, 401s were counted here.
        if self.token == Token::Static {
            self.failures = 0;
        }
        self.token = Token::None;
    }

    /// A snapshot's access token is in the store: it counts as received long ago.
    pub(crate) fn restored(&mut self, deadlines: &Deadlines) {
        self.token = match deadlines.usable_until {
            Some(usable_until) => {
                self.due.refresh_at = deadlines.refresh_at;
                self.usable_until = usable_until;
                Token::Timed
            }
            None => Token::Static,
        };
        self.trusted_until = 0;
        self.failures = 0;
        self.forget_refusals();
    }

    /// The generation becomes the larger of both, plus one for another token.
    pub(crate) fn adopt_generation(&mut self, snapshot: u64, differs: bool) {
        let step = u64::from(differs && self.generation > 0);
        self.generation = self.generation.max(snapshot).saturating_add(step);
    }
}

/// The upper half of the next SplitMix64 value: `u` over 2³². Without jitter there are no draws.
#[inline(never)]
fn draw(seed: &mut u64, policy: &RefreshPolicy) -> u32 {
    if policy.jitter_permille == 0 {
        return 0;
    }
    u32::try_from(split_mix(seed) >> 32).unwrap_or_default()
}

/// The next value of SplitMix64.
#[inline(never)]
fn split_mix(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// What the ids of a manager's requests start from, so that those of two managers do not meet by chance.
pub(crate) fn salt(seed: u64, provider: &Provider<'_>, identity: &Identity<'_>) -> u64 {
    let salt = stirred(seed, Some(provider.name));
    let salt = stirred(salt, identity.environment(provider));
    let salt = stirred(salt, identity.base_url.or(provider.base_url));
    let salt = stirred(salt, identity.account);
    stirred(salt, identity.site)
}

/// The next salt, by a part of an identity: its bytes, and one more step for its end.
#[inline(never)]
fn stirred(mut salt: u64, part: Option<&str>) -> u64 {
    for byte in part.unwrap_or_default().bytes() {
        salt ^= u64::from(byte);
        salt = split_mix(&mut salt);
    }
    // No byte of text is this one.
    salt ^= 0xFF;
    split_mix(&mut salt)
}

/// Between all and half of `longest`, less by a draw.
fn shortened(longest: u64, u: u32) -> u64 {
    difference(longest, scale(longest >> 1, u))
}

/// `first`, doubled with each further time.
fn doubled(first: u64, times: u32) -> u64 {
    let mut longest = first;
    for _ in 1..times.min(64) {
        longest = sum(longest, longest);
    }
    longest
}

/// `value · part / whole`, floored; 0 of nothing.
fn share(value: u32, part: u32, whole: u32) -> u32 {
    let whole = u16::try_from(whole).unwrap_or(u16::MAX);
    if whole == 0 {
        return 0;
    }
    u32::try_from(quotient(product(u64::from(value), part), whole)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::BTreeSet;

    use super::salt;
    use crate::endpoint::provider::{Identity, Provider};

    #[test]
    fn the_ids_of_two_managers_do_not_meet() {
        let custom = Provider::custom();
        let providers = [
            Provider { name: "ab", ..custom },
            Provider { name: "a", environment: Some("b"), ..custom },
            Provider { name: "a", base_url: Some("b"), ..custom },
            Provider { name: "b", ..custom },
        ];
        let client = Identity::CLIENT;
        let identities =
            [client, Identity { account: Some("x"), ..client }, Identity::site("x"), Identity::site("y")];
        let mut salts: std::vec::Vec<u64> = std::vec::Vec::new();
        for (provider, identity) in providers.iter().flat_map(|p| identities.iter().map(move |i| (p, i))) {
            salts.extend((0..1_000).map(|seed| salt(seed, provider, identity)));
        }
        // Not one is less than a million requests away from another.
        let apart: BTreeSet<u64> = salts.iter().map(|salt| salt >> 20).collect();
        assert_eq!(apart.len(), salts.len());
    }
}
