//! The state of a manager in one line for a log.

use crate::error::Error;
use crate::manager::TokenManager;
use crate::manager::keeper::Revision;
use crate::manager::session::Next;
use crate::time::Instant;
use crate::wire::writer::Writer;

impl<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized> TokenManager<'_, S> {
    /// Writes the state at `now` as one line of ASCII for a log: no token, no credential, no site and no account is in
    /// it. Gives back what was written; 256 bytes hold any line of a preset.
    ///
    /// Members that say nothing are left out. What the words mean stands at [`Next`] and [`crate::Reason`].
    ///
    /// ```
    /// use tokenward::*;
    ///
    /// let start = Instant::from_millis(0);
    /// let slots = Slots::new([0; 64], 64);
    /// let manager = TokenManager::new(start, &providers::FLUTE_SANDBOX, Identity::CLIENT, slots, 0).unwrap();
    /// let mut out = [0; 256];
    /// assert_eq!(
    ///     manager.state_line(start, &mut out).unwrap(),
    ///     b"service=flute environment=sandbox usable=no next=request grant=client_credentials generation=0"
    /// );
    /// ```
    ///
    /// # Errors
    /// - [`Error::BufferTooSmall`]: with the size that it takes; `out` is wiped.
    pub fn state_line<'b>(&self, now: Instant, out: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let poll = self.poll(now);
        let mut out = Writer::new(out);
        let mut word = |name: &str, value: &str| {
            if !value.is_empty() {
                out.bytes(if out.written() == 0 { b"" } else { b" " });
                out.bytes(name.as_bytes());
                out.bytes(b"=");
                // A space or a line feed in a name of the caller's own does not break the line.
                out.segment(value.as_bytes());
            }
        };
        word("service", self.provider.name);
        word("environment", self.identity.environment.or(self.provider.environment).unwrap_or_default());
        word("usable", if poll.usable { "yes" } else { "no" });
        word("next", poll.next.name());
        match poll.next {
            Next::Request(grant) => word("grant", grant.name()),
            Next::Supply(_, reason) => word("reason", reason.name()),
            Next::Nothing | Next::Await(_) | Next::Wait | Next::Load(_) | Next::Store(..) => {}
        }
        let mut number = |name: &str, value: u64| {
            out.bytes(name.as_bytes());
            out.decimal(value);
        };
        if let Some(poll_at) = poll.poll_at {
            number(" poll_in_ms=", poll_at.saturating_millis_since(now));
        }
        if let Some(by) = self.sign_in_by() {
            number(" sign_in_in_ms=", by.saturating_millis_since(now));
        }
        number(" generation=", self.session.generation().0);
        if self.revision() > Revision(0) {
            number(" revision=", self.revision().0);
        }
        Ok(out.finish()?)
    }
}
