//! When a source is asked for a token that no grant obtains, and what tasks that can fail have in common.

use crate::endpoint::provider::Provider;
use crate::error::Error;
use crate::machine::inlined_if_wide;
use crate::manager::session::{Next, Reason, RequestId, Session};
use crate::time::{Instant, sum};

/// Where a token comes from that no grant obtains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Source {
    /// From nowhere: somebody installs it.
    #[default]
    None = 0,
    /// Somebody must sign in.
    Person = 1,
    /// A program that can be asked again at any time.
    Program = 2,
}

/// How often a task was tried, and how long it waits.
#[derive(Clone, Copy)]
pub(crate) struct Tries {
    id: u64,
    /// The end of the wait after a failure.
    pub(crate) wait_until: u64,
    /// How often it has failed in a row.
    pub(crate) failures: u32,
    /// It is being done.
    pub(crate) taken: bool,
}

impl Tries {
    /// Of a task whose first id is `id`.
    #[inline(always)]
    pub(crate) const fn new(id: u64) -> Self {
        Self { id, wait_until: 0, failures: 0, taken: false }
    }

    pub(crate) const fn id(&self) -> RequestId {
        RequestId(self.id)
    }

    /// Nobody answers to the id any more.
    pub(crate) const fn spend(&mut self) {
        self.id = self.id.wrapping_add(1);
        self.taken = false;
    }

    pub(crate) const fn succeeded(&mut self) {
        self.spend();
        self.failures = 0;
        self.wait_until = 0;
    }

    /// It has failed once more, and waits for what `wait` says of the failures in a row.
    pub(crate) fn failed(&mut self, clock: u64, wait: impl FnOnce(u32) -> u64) {
        self.spend();
        self.failures = self.failures.saturating_add(1);
        self.wait_until = sum(clock, wait(self.failures));
    }

    pub(crate) fn take_up(&mut self, id: RequestId) -> Result<(), Error> {
        self.expect(id)?;
        self.taken = true;
        Ok(())
    }

    /// Refuses any id but this task's own.
    pub(crate) fn expect(&self, id: RequestId) -> Result<(), Error> {
        if id.0 == self.id { Ok(()) } else { Err(Error::StaleRequest) }
    }
}

/// The first id of a kind of task: apart from those of requests, and of other kinds.
#[inline(always)]
pub(crate) const fn first_id(salt: u64, kind: u64) -> u64 {
    (salt ^ kind << 62).wrapping_add(1)
}

/// What an id grows by when what was asked for is of no use any more; by one when it is only answered.
const OUTDATED: u64 = 1 << 32;

/// A source, and when it is asked.
pub(crate) struct Supply {
    pub(crate) source: Source,
    pub(crate) tries: Tries,
}

impl Supply {
    #[inline(always)]
    pub(crate) const fn new(salt: u64) -> Self {
        Self { source: Source::None, tries: Tries::new(first_id(salt, 1)) }
    }

    inlined_if_wide! {
        /// What to do where the decision without a source says `base`.
        pub(crate) fn next(&self, base: Next, clock: u64) -> Next {
            match base {
                Next::Supply(..) if self.tries.taken => Next::Await(self.tries.id()),
                Next::Supply(..) if clock < self.tries.wait_until => Next::Wait,
                Next::Supply(_, reason) => Next::Supply(self.tries.id(), reason),
                next => next,
            }
        }
    }

    /// When that changes by itself; `next` is what it is now, and `base` comes with when that does. The session is at its
    /// own disposal.
    pub(crate) fn changes_at(
        &self,
        next: Next,
        base: (Next, Option<u64>),
        session: &mut Session,
        provider: &Provider<'_>,
    ) -> Option<u64> {
        let (base, until) = base;
        // Until then it is the same, whatever a source would be asked for.
        let ends = match next {
            Next::Wait => Some(self.tries.wait_until),
            Next::Await(_) => None,
            _ => return until,
        };
        if !matches!(base, Next::Supply(..)) {
            return until;
        }
        let comes_first = |lifts_at: &u64| ends.is_none_or(|ends| *lifts_at < ends);
        let Some(lifts_at) = until.filter(comes_first) else { return ends };
        let _ = session.advance(Instant::from_millis(lifts_at), provider);
        match session.base(provider) {
            (Next::Supply(..), _) => ends,
            (Next::Wait, until) if next == Next::Wait => until,
            _ => Some(lifts_at),
        }
    }

    /// It brought nothing. `usable`: there is a token all the same.
    pub(crate) fn failed(
        &mut self,
        retryable: bool,
        usable: bool,
        session: &mut Session,
        provider: &Provider<'_>,
    ) {
        let (clock, policy) = (session.clock(), provider.policy());
        let source = self.source;
        self.tries.failed(clock, |failures| match source {
            Source::None | Source::Person => 0,
            Source::Program if retryable => session.wait_after(failures, usable, policy),
            Source::Program => policy.max_backoff_ms,
        });
    }

    /// What was asked for is of no use any more, in whatever way: the upper half of the id says that too.
    pub(crate) const fn outdate(&mut self) {
        self.tries.spend();
        self.tries.id = self.tries.id.wrapping_add(OUTDATED);
        self.tries.wait_until = 0;
    }

    /// Whether nobody has signed out or in since `id` was this task's own.
    pub(crate) const fn is_current(&self, id: RequestId) -> bool {
        self.tries.id.wrapping_sub(id.0) < OUTDATED
    }

    /// Asks again by itself, whatever a person would have to do.
    pub(crate) fn asks_program(&self, reason: Reason) -> bool {
        self.source == Source::Program
            && matches!(
                reason,
                Reason::NoToken
                    | Reason::Revoked
                    | Reason::RefreshTokenRejected
                    | Reason::GrantRejected
                    | Reason::Damaged
                    | Reason::TooLong
            )
    }
}
