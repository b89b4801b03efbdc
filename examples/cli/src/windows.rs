//! When a refresh is due and when a token is over: read off `poll`, which changes nothing.

use tokenward::{Instant, Next, TokenManager};

/// The windows of the stored token; none where it has no end.
#[derive(Clone, Copy, Default)]
pub(crate) struct Windows {
    pub(crate) refresh_at: Option<Instant>,
    pub(crate) usable_until: Option<Instant>,
}

impl Windows {
    pub(crate) fn of<S: AsRef<[u8]> + AsMut<[u8]>>(manager: &TokenManager<'_, S>, now: Instant) -> Self {
        let mut windows = Self::default();
        let mut at = now;
        // Fresh, then due for a refresh or held back, then over.
        for _ in 0..4 {
            let poll = manager.poll(at);
            let Some(later) = poll.poll_at.filter(|later| *later > at && poll.usable) else { break };
            if poll.next == Next::Nothing {
                windows.refresh_at = Some(later);
            }
            windows.usable_until = Some(later);
            at = later;
        }
        windows
    }
}
