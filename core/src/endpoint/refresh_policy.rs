//! The numbers that the refresh decision works with.

/// Defines the policy by one row for each number: what it means, and its default.
macro_rules! policy {
    ($($name:ident: $Type:ty = $default:literal => $meaning:literal;)+) => {
        /// When a token is refreshed and how failures are spaced. Milliseconds unless the name says otherwise.
        ///
        /// ```
        /// use tokenward::RefreshPolicy;
        ///
        /// // A new token before each use.
        /// let policy = RefreshPolicy { fraction_permille: 0, min_interval_ms: 0, ..RefreshPolicy::DEFAULT };
        /// assert_eq!(policy.margin_ms, 10_000);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(C)]
        pub struct RefreshPolicy {
            $(
                #[doc = concat!($meaning, " Default: ", $default, ".")]
                pub $name: $Type,
            )+
        }

        impl RefreshPolicy {
            /// Refresh at 80 % of the lifetime; see the fields.
            pub const DEFAULT: Self = Self { $($name: $default),+ };
            /// Name, default and meaning of each number: for `tokenward.h` and the documents.
            #[doc(hidden)]
            pub const NUMBERS: &'static [(&'static str, &'static str, &'static str)] =
                &[$((stringify!($name), concat!($default), $meaning)),+];
        }
    };
}

policy! {
    margin_ms: u64 = 10_000 =>
        "A token is not sent in the last part of its life: this much, at most a tenth of the lifetime; 0: all of it is used.";
    min_interval_ms: u64 = 30_000 =>
        "No refresh is due sooner than this after a token was asked for, unless the token ends sooner.";
    startup_spread_ms: u64 = 0 =>
        "The first request waits up to this long from the start, drawn from the seed.";
    response_timeout_ms: u64 = 30_000 =>
        "A request without an answer has failed after this time.";
    first_backoff_ms: u64 = 2_000 =>
        "The wait after the first failure without a usable token; it doubles with each further failure.";
    max_backoff_ms: u64 = 300_000 =>
        "The longest wait after a failure.";
    max_lifetime_s: u64 = 315_360_000 =>
        "A lifetime that the server gives in seconds counts up to this.";
    fraction_permille: u32 = 800 =>
        "A refresh is due after this part of the lifetime.";
    jitter_permille: u32 = 200 =>
        "A refresh comes up to this part of the lifetime earlier, until a fleet is spread; 0 turns every draw off.";
    refresh_attempts: u32 = 3 =>
        "After this many refusals without a standard error code use the primary grant or, if there is none, give up the refresh token.";
    recheck: bool = true =>
        "Ask again after an hour when the service refuses the client, the scope or the request; never with a password.";
}

impl RefreshPolicy {
    /// Whether every number is 0 and every flag false, as C leaves a policy that nobody fills in: the default is meant.
    pub(crate) const fn is_unset(&self) -> bool {
        // In no other policy is this number 0.
        self.response_timeout_ms == 0
    }

    /// Whether there is a new token before each use, so that requests may follow each other at once.
    pub(crate) const fn asks_before_each_use(&self) -> bool {
        self.fraction_permille == 0 && self.min_interval_ms == 0
    }

    /// Whether its numbers can work.
    pub(crate) const fn is_valid(&self) -> bool {
        let Self { margin_ms, min_interval_ms, startup_spread_ms, response_timeout_ms, .. } = *self;
        let Self { first_backoff_ms, max_backoff_ms, max_lifetime_s, refresh_attempts, .. } = *self;
        let Self { fraction_permille, jitter_permille, recheck, .. } = *self;
        let may_be_zero =
            margin_ms | min_interval_ms | startup_spread_ms == 0 && fraction_permille | jitter_permille == 0;
        let timeouts = response_timeout_ms | first_backoff_ms | max_backoff_ms;
        let is_default = may_be_zero && timeouts | max_lifetime_s == 0 && refresh_attempts == 0 && !recheck;
        let is_filled = response_timeout_ms != 0
            && first_backoff_ms != 0
            && max_backoff_ms != 0
            && max_lifetime_s != 0
            && refresh_attempts != 0;
        is_default || (is_filled && fraction_permille <= 1000 && jitter_permille <= 1000)
    }
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::RefreshPolicy;
    use crate::endpoint::provider::Provider;

    const NOTHING: RefreshPolicy = RefreshPolicy {
        margin_ms: 0,
        min_interval_ms: 0,
        startup_spread_ms: 0,
        response_timeout_ms: 0,
        first_backoff_ms: 0,
        max_backoff_ms: 0,
        max_lifetime_s: 0,
        fraction_permille: 0,
        jitter_permille: 0,
        refresh_attempts: 0,
        recheck: false,
    };

    fn fault(policy: RefreshPolicy) -> Option<&'static str> {
        Provider { name: "acme", policy: Some(&policy), ..Provider::custom() }.fault()
    }

    #[test]
    fn a_policy_of_zeroes_is_the_default() {
        let provider = Provider { name: "acme", policy: Some(&NOTHING), ..Provider::custom() };
        assert_eq!((provider.fault(), provider.policy()), (None, &RefreshPolicy::DEFAULT));
    }

    #[test]
    fn a_policy_that_cannot_work_is_a_fault_of_the_description() {
        let default = RefreshPolicy::DEFAULT;
        for policy in [
            RefreshPolicy { margin_ms: 1, ..NOTHING },
            RefreshPolicy { min_interval_ms: 1, ..NOTHING },
            RefreshPolicy { startup_spread_ms: 1, ..NOTHING },
            RefreshPolicy { response_timeout_ms: 1, ..NOTHING },
            RefreshPolicy { first_backoff_ms: 1, ..NOTHING },
            RefreshPolicy { max_backoff_ms: 1, ..NOTHING },
            RefreshPolicy { max_lifetime_s: 1, ..NOTHING },
            RefreshPolicy { fraction_permille: 1, ..NOTHING },
            RefreshPolicy { jitter_permille: 1, ..NOTHING },
            RefreshPolicy { refresh_attempts: 1, ..NOTHING },
            RefreshPolicy { recheck: true, ..NOTHING },
            RefreshPolicy { response_timeout_ms: 0, ..default },
            RefreshPolicy { first_backoff_ms: 0, ..default },
            RefreshPolicy { max_backoff_ms: 0, ..default },
            RefreshPolicy { max_lifetime_s: 0, ..default },
            RefreshPolicy { refresh_attempts: 0, ..default },
            RefreshPolicy { fraction_permille: 1001, ..default },
            RefreshPolicy { jitter_permille: 1001, ..default },
        ] {
            assert_eq!(fault(policy), Some("policy"), "{policy:?}");
        }
        let least = RefreshPolicy {
            margin_ms: 0,
            min_interval_ms: 0,
            startup_spread_ms: 0,
            fraction_permille: 0,
            jitter_permille: 0,
            recheck: false,
            ..default
        };
        for policy in
            [default, least, RefreshPolicy { fraction_permille: 1000, jitter_permille: 1000, ..default }]
        {
            assert_eq!(fault(policy), None, "{policy:?}");
        }
    }
}
