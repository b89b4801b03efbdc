//! Instants, wall time and lifetimes. Nothing here reads a clock: `now` is always an argument.

use crate::machine::{WIDE, inlined_if_wide};

/// A point on the caller's clock, in milliseconds.
///
/// The clock is monotonic **including sleep**, its epoch is arbitrary (boot, start of the process).
/// Arithmetic saturates, and a manager works with the largest instant that it has seen: a clock that steps back
/// never panics and never makes a token live longer.
///
/// ```
/// use tokenward::Instant;
///
/// let boot = Instant::from_millis(0);
/// assert_eq!(boot.saturating_add_millis(1_500).as_millis(), 1_500);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The instant `millis` milliseconds after the clock's epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the clock's epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This instant `millis` milliseconds later, or the last instant there is.
    #[must_use]
    pub const fn saturating_add_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this instant; 0 if `earlier` is not earlier.
    #[must_use]
    pub const fn saturating_millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Wall time in seconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// Only persistence, HTTP dates and JWT claims need it; deadlines never do.
///
/// ```
/// use tokenward::UnixTime;
///
/// assert_eq!(UnixTime::from_secs(784_111_777).as_secs(), 784_111_777);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The time `secs` seconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Seconds from `earlier` to this time; 0 if `earlier` is not earlier.
    #[must_use]
    pub const fn saturating_secs_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Widens a 32-bit tick counter that wraps (milliseconds: every 49.7 days) to [`Instant`]s.
///
/// Feed it at least once for each half wrap of the counter. Ticks that were read out of order, by an interrupt
/// handler beside the main loop, are told from a wrap and give the last instant again.
///
/// ```
/// use tokenward::{Instant, TickWidener};
///
/// let mut ticks = TickWidener::new();
/// assert_eq!(ticks.widen(u32::MAX).as_millis(), 0xFFFF_FFFF);
/// assert_eq!(ticks.widen(5).as_millis(), 0x1_0000_0005);
/// let mut ticks = TickWidener::resume(Instant::from_millis(0x1_0000_0005));
/// assert_eq!(ticks.widen(6).as_millis(), 0x1_0000_0006);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TickWidener {
    last: Option<u64>,
}

impl TickWidener {
    /// A widener whose counter has not wrapped yet: its first ticks are what they are.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// A widener that goes on from the instant that one gave last.
    #[must_use]
    pub const fn resume(last: Instant) -> Self {
        Self { last: Some(last.0) }
    }

    /// The instant of the counter value `ticks`, in milliseconds.
    pub fn widen(&mut self, ticks: u32) -> Instant {
        let ticks = u64::from(ticks);
        let last = self.last.unwrap_or(ticks);
        let passed = ticks.wrapping_sub(last) & 0xFFFF_FFFF;
        // More than half a wrap ahead is a little behind.
        let now = if passed < 1 << 31 { last.saturating_add(passed) } else { last };
        self.last = Some(now);
        Instant(now)
    }
}

/// `value / divisor`, floored. Machines of 32 bits have no instruction for it, and the general routine is long.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
pub(crate) fn quotient(value: u64, divisor: u16) -> u64 {
    if WIDE {
        return value.checked_div(u64::from(divisor)).unwrap_or(0);
    }
    // By hand, sixteen bits at a time: the rest stays below the divisor.
    let (mut quotient, mut rest) = (0_u64, 0_u32);
    for sixteen in value.to_be_bytes().as_chunks().0 {
        rest = (rest << 16) | u32::from(u16::from_be_bytes(*sixteen));
        let digit = rest.checked_div(u32::from(divisor)).unwrap_or(0);
        rest = rest.wrapping_sub(digit.wrapping_mul(u32::from(divisor)));
        quotient = (quotient << 16) | u64::from(digit);
    }
    quotient
}

/// `value · factor`, in two halves: what is above 2³², and the lowest 32 bits.
#[cfg_attr(not(target_pointer_width = "64"), inline(never))]
fn halves(value: u64, factor: u32) -> (u64, u64) {
    let (high, low, factor) = (value >> 32, value & 0xFFFF_FFFF, u64::from(factor));
    let low = low.wrapping_mul(factor);
    (high.wrapping_mul(factor).wrapping_add(low >> 32), low & 0xFFFF_FFFF)
}

/// `value · factor`, saturating.
pub(crate) fn product(value: u64, factor: u32) -> u64 {
    let (high, low) = halves(value, factor);
    if high >> 32 == 0 { (high << 32) | low } else { u64::MAX }
}

/// `value · part / 2³²`, floored.
pub(crate) fn scale(value: u64, part: u32) -> u64 {
    halves(value, part).0
}

inlined_if_wide! {
    /// `a + b`, saturating.
    pub(crate) fn sum(a: u64, b: u64) -> u64 {
        a.saturating_add(b)
    }
}

inlined_if_wide! {
    /// `a - b`, saturating.
    pub(crate) fn difference(a: u64, b: u64) -> u64 {
        a.saturating_sub(b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_32_bit_tick_counter_is_widened_over_every_wrap() {
        let mut ticks = TickWidener::new();
        let step = 0x4000_0000_u32;
        let (mut counter, mut expected) = (0_u32, 0_u64);
        for _ in 0..20 {
            assert_eq!(ticks.widen(counter).as_millis(), expected);
            assert_eq!(ticks.widen(counter).as_millis(), expected, "the same tick again is no wrap");
            counter = counter.wrapping_add(step);
            expected += u64::from(step);
        }
    }

    #[test]
    fn the_first_ticks_are_taken_as_they_are() {
        assert_eq!(TickWidener::new().widen(3_000_000_000).as_millis(), 3_000_000_000);
    }

    #[test]
    fn ticks_read_out_of_order_never_jump_a_wrap_ahead() {
        let mut ticks = TickWidener::resume(Instant::from_millis(0x1_0000_0005));
        assert_eq!(ticks.widen(3).as_millis(), 0x1_0000_0005);
        assert_eq!(ticks.widen(u32::MAX).as_millis(), 0x1_0000_0005);
        assert_eq!(ticks.widen(6).as_millis(), 0x1_0000_0006);
    }

    #[test]
    fn arithmetic_on_instants_saturates() {
        let last = Instant::from_millis(u64::MAX);
        assert_eq!(last.saturating_add_millis(1), last);
        assert_eq!(Instant::from_millis(1).saturating_millis_since(last), 0);
        assert_eq!(UnixTime::from_secs(1).saturating_secs_since(UnixTime::from_secs(2)), 0);
    }
}
