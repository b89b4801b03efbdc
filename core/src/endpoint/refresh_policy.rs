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
        "A token is not sent in the last part of its life: this much, at most a tenth of the lifetime.";
    min_interval_ms: u64 = 30_000 =>
        "No refresh is due sooner than this after a token was asked for.";
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
    jitter_permille: u32 = 50 =>
        "A refresh comes up to this part of the lifetime earlier, drawn from the seed; 0 turns every draw off.";
    refresh_attempts: u32 = 3 =>
        "Give up the refresh token after this many refusals with a non-standard error code.";
    shared_storage: bool = false =>
        "Another process uses the same snapshot.";
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}
