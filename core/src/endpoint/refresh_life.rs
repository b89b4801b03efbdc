//! When a refresh token ends, if the service or its page tells that. The RFCs have no member for it.

use crate::endpoint::refresh_policy::RefreshPolicy;
use crate::time::{difference, product, sum};

/// What is known of a refresh token's life.
///
/// ```
/// use tokenward::{OwnMembers, Provider, RefreshLife};
///
/// let keycloak = Provider {
///     members: OwnMembers { refresh_expires_in: Some(&["refresh_expires_in"]), ..OwnMembers::FOUND },
///     refresh_life: RefreshLife::KNOWN,
///     ..Provider::custom()
/// };
/// assert_eq!(keycloak.refresh_life.idle_s, 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct RefreshLife<'a> {
    /// What works the end out.
    pub rules: Option<&'a RefreshLifeRules>,
    /// Seconds after which a refresh token ends that is not used, as the service's page tells; 0: that is not known.
    pub idle_s: u64,
}

impl RefreshLife<'_> {
    /// Nothing is known of it.
    pub const NONE: Self = Self { rules: None, idle_s: 0 };
    /// It is what [`field@crate::OwnMembers::refresh_expires_in`] or a [`crate::TokenResponse`] says. To be copied from.
    pub const KNOWN: Self = Self { rules: Some(RefreshLifeRules::ENDS), ..Self::NONE };
}

/// Works out when a refresh token ends: a value that brings its code.
#[derive(Clone, Copy)]
pub struct RefreshLifeRules {
    number: u8,
    name: &'static str,
    pub(crate) keep: Keep,
}

/// Sets when a refresh token ends.
type Keep = fn(&RefreshLife<'_>, &RefreshPolicy, &mut Due, &mut RefreshEnds, &Kept) -> bool;

impl RefreshLifeRules {
    /// At the earlier of what the service says and what its page tells.
    pub const ENDS: &'static Self = &Self { number: 1, name: "ends", keep };
}

part!(RefreshLifeRules: ENDS);

/// When a refresh is due, and from when on it cannot be made any more.
#[derive(Clone, Copy)]
pub(crate) struct Due {
    pub(crate) refresh_at: u64,
    /// The last instant at which it can be made; [`u64::MAX`]: that is not known.
    pub(crate) refresh_last: u64,
}

/// The ends of the refresh token that is held; 0: not known.
#[derive(Clone, Copy)]
pub(crate) struct RefreshEnds {
    /// By what the service said.
    pub(crate) told: u64,
    /// If it is not used.
    pub(crate) idle: u64,
    /// As storage knows it, or is to know it.
    pub(crate) stored: u64,
}

impl RefreshEnds {
    pub(crate) const UNKNOWN: Self = Self { told: 0, idle: 0, stored: 0 };

    /// The last instant before the earlier one; [`u64::MAX`] where none is known.
    pub(crate) fn last(&self) -> u64 {
        self.told.wrapping_sub(1).min(self.idle.wrapping_sub(1))
    }
}

/// A refresh token that has been kept.
pub(crate) struct Kept {
    pub(crate) clock: u64,
    /// When what brought it was asked for.
    pub(crate) began_at: u64,
    /// Seconds that it lives, as the service says; 0: it does not.
    pub(crate) told_s: u32,
    /// A refresh has kept it or brought it.
    pub(crate) refreshed: bool,
    /// It is another one.
    pub(crate) rotated: bool,
}

/// Sets the ends by the clock. True if storage is to be told of the refresh token or its end.
fn keep(
    life: &RefreshLife<'_>,
    policy: &RefreshPolicy,
    due: &mut Due,
    ends: &mut RefreshEnds,
    kept: &Kept,
) -> bool {
    // An end that saturates is none.
    let after = |seconds| match sum(kept.began_at, product(seconds, 1000)) {
        u64::MAX => 0,
        _ if seconds == 0 => 0,
        end => end,
    };
    if kept.told_s != 0 || !kept.refreshed {
        ends.told = after(u64::from(kept.told_s));
    }
    ends.idle = after(life.idle_s);
    due.refresh_last = ends.last();
    let is_known = due.refresh_last != u64::MAX;
    let until = sum(due.refresh_last, 1);
    let half = difference(until, kept.clock) >> 1;
    if is_known {
        let soonest = sum(kept.began_at, policy.min_interval_ms);
        due.refresh_at = due.refresh_at.min(sum(kept.clock, half).max(soonest));
    }
    // An end that is not stored would cost whoever restarts half of the life that is left.
    let is_late = is_known && ends.stored != 0 && difference(until, ends.stored) >= half.max(1);
    let tells = kept.rotated || is_late;
    if tells {
        ends.stored = if is_known { until } else { 0 };
    }
    tells
}
