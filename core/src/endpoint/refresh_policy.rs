//! The numbers that the refresh decision works with.

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
    /// A token is not sent in the last part of its life: this much, at most a tenth of the lifetime.
    pub margin_ms: u64,
    /// No refresh sooner than this after a token was asked for.
    pub min_interval_ms: u64,
    /// The first request waits up to this long from the start, drawn from the seed.
    pub startup_spread_ms: u64,
    /// A request without an answer has failed after this time.
    pub response_timeout_ms: u64,
    /// The wait after the first failure without a usable token; it doubles with each further failure.
    pub first_backoff_ms: u64,
    /// The longest wait after a failure.
    pub max_backoff_ms: u64,
    /// A server's lifetime in seconds counts up to this.
    pub max_lifetime_s: u64,
    /// A refresh is due after this part of the lifetime.
    pub fraction_permille: u32,
    /// A refresh comes up to this part of the lifetime earlier, drawn from the seed; 0 turns every draw off.
    pub jitter_permille: u32,
    /// So many refusals with codes that RFC 6749 does not define end a refresh token.
    pub refresh_attempts: u32,
    /// Another process uses the same snapshot.
    pub shared_storage: bool,
}

impl RefreshPolicy {
    /// Refresh at 80 % of the lifetime; see the fields.
    pub const DEFAULT: Self = Self {
        fraction_permille: 800,
        margin_ms: 10_000,
        min_interval_ms: 30_000,
        jitter_permille: 50,
        startup_spread_ms: 0,
        response_timeout_ms: 30_000,
        first_backoff_ms: 2_000,
        max_backoff_ms: 300_000,
        max_lifetime_s: 315_360_000,
        refresh_attempts: 3,
        shared_storage: false,
    };
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}
