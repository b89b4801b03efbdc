//! What a manager writes to storage, and takes from it.

use crate::error::Error;
use crate::manager::TokenManager;
use crate::manager::revision::{Revision, SnapshotScope};
use crate::manager::seal::fingerprint;
use crate::manager::session::{Deadlines, Session};
use crate::manager::snapshot::{Contents, identity};
use crate::time::{Instant, UnixTime, product, quotient};
use crate::wire::json_str::JsonStr;

impl<S: AsRef<[u8]> + AsMut<[u8]> + ?Sized> TokenManager<'_, S> {
    /// Writes the state into `out`, sealed under `key`; gives back what was written.
    ///
    /// The seal (HMAC-SHA-256) proves that nobody without the key has changed it. It is no secrecy:
    /// the tokens stand in it. It is no freshness either: that needs the floor of
    /// [`TokenManager::restore`].
    ///
    /// ```
    /// use tokenward::*;
    ///
    /// let identity = Identity { base_url: Some("https://api.example"), ..Identity::CLIENT };
    /// let slots = || Slots::new([0; 64], 64);
    /// let (start, key, wall) = (Instant::from_millis(0), [7; 32], Some(UnixTime::from_secs(1_700_000_000)));
    /// let mut manager = TokenManager::new(start, &providers::FLIP_ENERGY_CLIENT, identity, slots(), 0).unwrap();
    /// manager.install(start, None, &TokenResponse::new("client-token")).unwrap();
    ///
    /// let mut out = [0; 256];
    /// let revision = manager.unpersisted(SnapshotScope::All).unwrap();
    /// let snapshot = manager.snapshot(start, wall, SnapshotScope::All, &key, &mut out).unwrap();
    /// // Write `snapshot` to storage, then:
    /// manager.persisted(SnapshotScope::All, revision);
    ///
    /// let mut again = TokenManager::new(start, &providers::FLIP_ENERGY_CLIENT, identity, slots(), 0).unwrap();
    /// again.restore(start, wall, revision, &key, snapshot).unwrap();
    /// assert!(again.poll(start).usable);
    /// ```
    ///
    /// # Errors
    /// - [`Error::BufferTooSmall`]: with the size that it takes; `out` is wiped.
    /// - [`Error::TooLong`]: a token of more than four gigabytes.
    ///
    /// # Security
    /// `out` holds the tokens afterwards.
    pub fn snapshot<'b>(
        &self,
        now: Instant,
        wall: Option<UnixTime>,
        scope: SnapshotScope,
        key: &[u8; 32],
        out: &'b mut [u8],
    ) -> Result<&'b [u8], Error> {
        let session = self.session.at(now, self.provider);
        self.contents(&session, wall, scope).seal(key, out)
    }

    /// What a snapshot holds.
    pub(super) fn contents(
        &self,
        session: &Session,
        wall: Option<UnixTime>,
        scope: SnapshotScope,
    ) -> Contents<'_> {
        let policy = self.provider.policy();
        let deadlines = session.deadlines().filter(|_| scope == SnapshotScope::All);
        // Whole seconds, floored: a deadline never moves out.
        let to_wall = |instant: u64| {
            let ahead = quotient(instant.saturating_sub(session.clock()), 1000);
            let behind = begun_seconds(session.clock().saturating_sub(instant));
            wall.map_or(0, |wall| wall.as_secs().saturating_add(ahead).saturating_sub(behind))
        };
        let end = deadlines.as_ref().map(|deadlines| deadlines.usable_until);
        Contents {
            identity: identity(self.provider, &self.identity),
            revision: self.revisions.current,
            generation: session.generation().0,
            wall: wall.map(UnixTime::as_secs),
            refresh_at: deadlines.as_ref().map_or(0, |deadlines| to_wall(deadlines.refresh_at)),
            usable_until: end.flatten().map_or(0, to_wall),
            timeless: end == Some(None),
            lease: session
                .lease_age_ms(policy)
                .map(|age| wall.map_or(0, |wall| wall.as_secs().saturating_sub(begun_seconds(age)))),
            scope,
            access_token: if deadlines.is_some() { self.store.access_token() } else { &[] },
            refresh_token: self.store.refresh_token(),
            writer: 0,
            session: 0,
            tombstone: false,
            announcement: None,
            padded_to: None,
        }
    }

    /// Takes the state of a snapshot: its pair replaces the manager's, reload, backoff and failure end,
    /// a request that is out is stale. Access tokens need a wall clock on both sides, refresh tokens
    /// and tokens without an end do not. `floor` is the oldest revision that may be restored: the last
    /// one that the caller knows it wrote, or [`Revision::default`].
    ///
    /// # Errors
    /// Refused whole: the manager stays as it was, but for its clock.
    /// - [`Error::InvalidSnapshot`]: torn, truncated or tampered with.
    /// - [`Error::OtherSnapshotVersion`], [`Error::OtherSnapshotKey`]: written by another version, or under another key.
    /// - [`Error::ForeignSnapshot`]: of another provider, environment or subject.
    /// - [`Error::StaleSnapshot`]: older than `floor`, or than what this manager last restored or
    ///   persisted.
    /// - [`Error::TooLong`], [`Error::RefreshTokenTooLong`]: a token is longer than its slot.
    pub fn restore(
        &mut self,
        now: Instant,
        wall: Option<UnixTime>,
        floor: Revision,
        key: &[u8; 32],
        bytes: &[u8],
    ) -> Result<(), Error> {
        self.advance(now);
        let snapshot = Contents::open(key, bytes)?;
        if snapshot.identity != identity(self.provider, &self.identity) {
            return Err(Error::ForeignSnapshot);
        }
        let known = if self.session.in_reload() { 0 } else { self.revisions.known };
        if snapshot.revision < floor.0.max(known) {
            return Err(Error::StaleSnapshot);
        }
        let deadlines = self.restored_deadlines(&snapshot, wall, 0);
        let provider = self.provider;
        let access_token = JsonStr::literal(snapshot.access_token);
        let deadlines = deadlines.filter(|_| provider.token_alphabet.has(access_token));
        let kept = if provider.refresh_grant { snapshot.refresh_token } else { &[] };
        let refresh_token = JsonStr::literal(kept);
        if deadlines.is_some() {
            self.store.check_access_token(&access_token)?;
        }
        self.store.check_refresh_token(&refresh_token)?;

        let differs = deadlines.is_some() && !access_token.ct_eq(self.store.access_token());
        let keeps_own = deadlines.is_none() && !self.store.access_token().is_empty();
        self.session.adopt_generation(snapshot.generation, differs);
        if let Some(deadlines) = &deadlines {
            self.store.set_access_token(&access_token);
            self.session.restored(deadlines);
        }
        let held = self.store.holds_refresh_token(&refresh_token);
        self.session.settle();
        self.session.forget_spread();
        let refused = self.restore_refresh_token(kept);
        if let Some(left_ms) = self.lease_left(&snapshot, wall) {
            self.session.lease(left_ms);
        }

        let revisions = &mut self.revisions;
        revisions.current = revisions.current.max(snapshot.revision);
        revisions.persisted_refresh_token = revisions.current;
        let unsaved = match snapshot.scope {
            SnapshotScope::All => keeps_own && revisions.access_token > revisions.persisted,
            // Storage of the other scope has another refresh token.
            SnapshotScope::RefreshToken => !held && revisions.persisted > 0,
        };
        if unsaved {
            revisions.access_token = revisions.current;
            revisions.persisted = revisions.persisted.min(revisions.current.saturating_sub(1));
        } else if snapshot.scope == SnapshotScope::All {
            revisions.persisted = revisions.current;
        }
        revisions.known = revisions.known.max(snapshot.revision);
        revisions.stored_before = true;
        if refused || self.session.generation().0 != snapshot.generation {
            revisions.changed(true, refused);
        }
        Ok(())
    }

    /// Whether the snapshot brings a refresh token that the server has refused.
    pub(super) fn restore_refresh_token(&mut self, token: &[u8]) -> bool {
        let token_text = JsonStr::literal(token);
        if !token.is_empty() && self.refused == Some(fingerprint(token)) {
            self.store.drop_refresh_token();
            self.session.end_refresh_token(self.provider, false);
            return true;
        }
        self.replace_refresh_token((!token.is_empty()).then_some(&token_text));
        false
    }

    /// The windows of the snapshot's access token, if it may be used: never longer than they were.
    /// A snapshot may be so many seconds ahead of the wall clock.
    pub(super) fn restored_deadlines(
        &self,
        snapshot: &Contents<'_>,
        wall: Option<UnixTime>,
        ahead: u64,
    ) -> Option<Deadlines> {
        if snapshot.access_token.is_empty() {
            return None;
        }
        if snapshot.timeless {
            return Some(Deadlines { refresh_at: 0, usable_until: None });
        }
        let (wall, then) = (wall?.as_secs(), snapshot.wall?);
        if then > wall.saturating_add(ahead) {
            return None;
        }
        let wall = wall.max(then);
        let clock = self.session.clock();
        let to_instant = |deadline: u64| {
            let ahead = product(deadline.saturating_sub(wall), 1000);
            let behind = product(wall.saturating_sub(deadline), 1000).saturating_add(1000);
            clock.saturating_add(ahead).saturating_sub(behind)
        };
        let usable_until = to_instant(snapshot.usable_until);
        let refresh_at = to_instant(snapshot.refresh_at);
        (usable_until > clock).then_some(Deadlines { refresh_at, usable_until: Some(usable_until) })
    }

    /// What is left of the time that another process has for its refresh.
    fn lease_left(&self, snapshot: &Contents<'_>, wall: Option<UnixTime>) -> Option<u64> {
        let began = snapshot.lease?;
        let gone = match (snapshot.wall, wall) {
            (Some(_), Some(wall)) => product(wall.as_secs().saturating_sub(began), 1000),
            _ => 0,
        };
        Some(self.provider.policy().response_timeout_ms.saturating_sub(gone)).filter(|left| *left > 0)
    }
}

/// Seconds that have begun in so many milliseconds.
fn begun_seconds(millis: u64) -> u64 {
    let whole = quotient(millis, 1000);
    whole.saturating_add(u64::from(product(whole, 1000) != millis))
}
