//! What every system goes through, each with what is expected of the core.

use tokenward::{Error, Grant, Next, Reason, Retry, Revision};
use tokenward_demo_service::{Fault, Service};

use super::keeper::Keeper;
use super::timeline::{Event, Timeline};
use crate::failure::Failure;

/// What the chapters are played with.
pub(super) struct Scene<'s> {
    pub(super) service: &'s Service,
    /// An endpoint of the API that the token opens.
    pub(super) path: &'s str,
    pub(super) lifetime_s: u64,
    /// Whether refresh tokens rotate here.
    pub(super) rotates: bool,
}

impl Scene<'_> {
    /// The grant that a refresh uses here.
    const fn refresh_grant(&self, primary: Grant) -> Grant {
        if self.rotates { Grant::RefreshToken } else { primary }
    }

    pub(super) fn first_token(&self, keeper: &mut Keeper<'_>, line: &Timeline) {
        line.chapter("The first token");
        let primary = keeper.provider.primary_grant;
        let before = keeper.poll();
        line.expect(
            "an empty manager asks for its primary grant",
            Some(before.next) == primary.map(Next::Request),
        );
        line.expect("nothing is usable before the first token", !before.usable);
        let after = keeper.run(line);
        line.expect("the service hands out a token", keeper.last.is_ok() && after.usable);
        line.expect("the API accepts it", keeper.opens(self.path, line));
    }

    pub(super) fn refresh_ahead(&self, keeper: &mut Keeper<'_>, line: &Timeline) {
        line.chapter("Ahead of the end");
        let due = keeper.windows().refresh_at;
        let after = due.map(|due| due.saturating_millis_since(keeper.began_at));
        // 80 % of the lifetime less a spread of up to 20 %; whole seconds where it was restored.
        let life = self.lifetime_s * 1000;
        let in_time = after.is_some_and(|after| (life / 100 * 60..=life / 100 * 80).contains(&after));
        line.expect("the refresh is due after 60 to 80 % of the lifetime", in_time);
        keeper.wait(line, "the token is fresh");
        let due = keeper.poll();
        let grant = keeper.provider.primary_grant.map(|primary| self.refresh_grant(primary));
        line.expect("a refresh is due, by the right grant", Some(due.next) == grant.map(Next::Request));
        line.expect("the old token stays usable meanwhile", due.usable);
        let before = keeper.manager.generation();
        let _ = keeper.run(line);
        line.expect(
            "the refresh brings another token",
            keeper.last.is_ok() && keeper.manager.generation() > before,
        );
        if self.rotates {
            line.expect("the refresh token rotates", keeper.rotated);
        }
        line.expect("the API accepts the new one", keeper.opens(self.path, line));
    }

    pub(super) fn refused_by_api(&self, keeper: &mut Keeper<'_>, line: &Timeline) {
        line.chapter("A 401 and the retry");
        // A token that is refused within 30 s of its receipt would be refused again.
        keeper.wait_for(60, line, "a token that has been in use for a minute");
        self.service.revoke_access_tokens();
        line.event("service", Event::Service, "every access token is revoked", serde_json::json!({}));
        let before = keeper.requests;
        let (status, decisions) = keeper.call("GET", self.path, line);
        line.expect("the core says: retry after a refresh", decisions == [Retry::AfterRefresh]);
        line.expect("one refresh mends it", keeper.requests == before + 1);
        line.expect("the retry succeeds", status == 200);
    }

    /// `date` sends Retry-After as an HTTP-date.
    pub(super) fn unavailable(&self, keeper: &mut Keeper<'_>, date: bool, line: &Timeline) {
        const SECONDS: u64 = 120;
        const SLOW_S: u64 = 10;
        line.chapter("A 503 with Retry-After");
        keeper.wait(line, "the token is fresh");
        let value = if date { self.service.clock().http_date(SECONDS) } else { SECONDS.to_string() };
        self.service.fault(Fault::Status503 { retry_after: Some(value) });
        let failed = keeper.run(line);
        let answered = keeper.windows();
        line.expect("the core waits", failed.next == Next::Wait);
        line.expect("the good token stays usable", failed.usable && answered.usable_until.is_some());
        line.expect("the API accepts it", keeper.opens(self.path, line));
        let before = keeper.requests;
        keeper.wait(line, "Retry-After");
        let waited = keeper.poll().poll_at.is_some() && keeper.requests == before;
        let since = self.since_begin(keeper);
        // An HTTP-date has whole seconds; a busy machine is slow to answer.
        let wanted = SECONDS - u64::from(date)..=SECONDS + SLOW_S;
        line.expect("it asks again when Retry-After is over, not sooner", waited && wanted.contains(&since));
        let _ = keeper.run(line);
        line.expect("the service is back", keeper.last.is_ok());
    }

    fn since_begin(&self, keeper: &Keeper<'_>) -> u64 {
        keeper.now().saturating_millis_since(keeper.began_at) / 1000
    }

    /// An HTML page and half an answer, in place of a token.
    pub(super) fn broken_answers(&self, keeper: &mut Keeper<'_>, line: &Timeline) {
        line.chapter("Answers that are none");
        keeper.wait(line, "the token is fresh");
        let before = keeper.manager.generation();
        for (fault, reason) in [(Fault::Html, "not_json"), (Fault::Truncated, "truncated")] {
            self.service.fault(fault);
            let failed = keeper.run(line);
            line.expect(&format!("the answer is refused as {reason}"), keeper.last == Err(reason));
            let same = keeper.manager.generation() == before;
            line.expect("the good token stays good", failed.usable && same && keeper.opens(self.path, line));
            keeper.wait(line, "backing off");
        }
        let _ = keeper.run(line);
        // Where tokens rotate, the half answer carried the only new refresh token away.
        if self.rotates {
            let lost = "the refresh token that the half answer replaced is given up for the primary grant";
            line.expect(lost, keeper.last.is_ok() && keeper.rotated);
        }
        line.expect(
            "the next answer is a token",
            keeper.last.is_ok() && keeper.manager.generation() > before,
        );
        line.expect("the API accepts it", keeper.opens(self.path, line));
    }

    /// `older` is a snapshot that storage had before.
    pub(super) fn restart(&self, keeper: &mut Keeper<'_>, line: &Timeline) -> Result<(), Failure> {
        line.chapter("A restart from the sealed snapshot");
        let Some(older) = keeper.stored.clone() else { return Ok(()) };
        keeper.wait(line, "the token is fresh");
        let _ = keeper.run(line);
        let Some(latest) = keeper.stored.clone() else { return Ok(()) };
        let (generation, requests) = (keeper.manager.generation(), keeper.requests);
        keeper.restart(line)?;

        let mut tampered = latest.clone();
        if let Some(byte) = tampered.bytes.get_mut(80) {
            *byte ^= 1;
        }
        let floor = latest.revision;
        let restored = keeper.try_restore(&tampered, floor, "a snapshot with one bit changed", line);
        line.expect("a changed snapshot is refused whole", restored == Err(Error::InvalidSnapshot));
        let restored = keeper.try_restore(&older, floor, "the snapshot before", line);
        line.expect("an older snapshot is below the floor", restored == Err(Error::StaleSnapshot));
        let restored = keeper.try_restore(&latest, floor, "the latest snapshot", line);
        let poll = keeper.poll();
        line.expect(
            "the latest one is usable at once",
            restored.is_ok() && poll.usable && poll.next == Next::Nothing,
        );
        let opens = keeper.opens(self.path, line);
        let same = keeper.manager.generation() == generation && keeper.requests == requests;
        line.expect("the API accepts the same token, and no request was sent", opens && same);
        Ok(())
    }

    /// The service's operator rotates the client's secret.
    pub(super) fn secret_rotated(&self, keeper: &mut Keeper<'_>, line: &Timeline) {
        const SECRET: &str = "rotated+secret/with=signs&more";
        line.chapter("A rotated client secret");
        keeper.wait(line, "the token is fresh");
        self.service.rotate_client_secret(SECRET);
        line.event("service", Event::Service, "only a new client secret is accepted", serde_json::json!({}));
        let stuck = keeper.run(line);
        line.expect(
            "the core asks for other credentials",
            stuck.next.reason() == Some(Reason::InvalidClient),
        );
        line.expect("the token stays usable meanwhile", stuck.usable && keeper.opens(self.path, line));
        let before = keeper.requests;
        let _ = keeper.run(line);
        line.expect("it does not ask the service again by itself", keeper.requests == before);
        SECRET.clone_into(&mut keeper.held.client_secret);
        keeper.manager.retry();
        keeper.wait_for(1, line, "requests are a second apart");
        let _ = keeper.run(line);
        line.expect("with the new secret there is a new token", keeper.last.is_ok());
        line.expect("the API accepts it", keeper.opens(self.path, line));
    }

    /// A backup of storage comes back and brings a refresh token that was used since.
    pub(super) fn old_refresh_token(
        &self,
        keeper: &mut Keeper<'_>,
        ends_family: bool,
        line: &Timeline,
    ) -> Result<(), Failure> {
        line.chapter("A refresh token that was used before");
        let Some(backup) = keeper.stored.clone() else { return Ok(()) };
        keeper.wait(line, "the token is fresh");
        let _ = keeper.run(line);
        line.expect("the refresh token rotates", keeper.last.is_ok() && keeper.rotated);
        let Some(latest) = keeper.stored.clone() else { return Ok(()) };
        keeper.restart(line)?;
        let restored = keeper.try_restore(&backup, latest.revision, "a backup", line);
        line.expect(
            "with a floor it is refused before anything is sent",
            restored == Err(Error::StaleSnapshot),
        );
        let restored = keeper.try_restore(&backup, Revision::default(), "the backup without a floor", line);
        line.expect("without a floor it is taken", restored.is_ok());
        if keeper.poll().next == Next::Nothing {
            keeper.wait(line, "the backup's token is fresh");
        }
        let before = keeper.requests;
        let _ = keeper.run(line);
        let reused = self.service.log().last().and_then(|exchange| exchange.detail.clone());
        let twice = reused.as_deref() == Some("the refresh token was used before");
        line.expect("the service sees a refresh token used twice", twice);
        line.expect(
            "storage has the pair that replaced it",
            keeper.poll().usable && keeper.requests == before + 1,
        );
        let opens = keeper.opens(self.path, line);
        if ends_family {
            let log = self.service.log();
            let primary = log.iter().rev().find_map(|exchange| exchange.grant_type.as_deref());
            let primary = primary == keeper.provider.primary_grant.map(Grant::name);
            line.expect(
                "the service has ended the whole family: the primary grant recovers",
                primary && opens,
            );
        } else {
            line.expect(
                "the API accepts it, and no other request was sent",
                opens && keeper.requests == before + 1,
            );
        }
        Ok(())
    }

    /// The service forgets all refresh tokens. `recover` is what the user does where the core asks.
    pub(super) fn refresh_token_lost(
        &self,
        keeper: &mut Keeper<'_>,
        line: &Timeline,
        recover: impl FnOnce(&mut Keeper<'_>, &Timeline),
    ) {
        line.chapter("A revoked refresh token");
        keeper.wait(line, "the token is fresh");
        self.service.revoke_refresh_tokens();
        line.event("service", Event::Service, "every refresh token is revoked", serde_json::json!({}));
        let before = keeper.manager.generation();
        let _ = keeper.run(line);
        recover(keeper, line);
        let recovered = keeper.last.is_ok() && keeper.manager.generation() > before;
        line.expect("the primary grant brings a token and a refresh token", recovered && keeper.rotated);
        line.expect("the API accepts it", keeper.opens(self.path, line));
    }

    /// A token without an end: an API key, a client token.
    pub(super) fn static_token_revoked(
        &self,
        keeper: &mut Keeper<'_>,
        what: &str,
        new: &str,
        line: &Timeline,
    ) {
        let poll = keeper.poll();
        line.expect(
            "it is usable, and nothing is ever due",
            poll.next == Next::Nothing && poll.poll_at.is_none(),
        );
        line.expect("the API accepts it", keeper.opens(self.path, line));
        self.service.rotate_bearer(new);
        line.event(
            "service",
            Event::Service,
            &format!("the {what} is revoked, a new one is accepted"),
            serde_json::json!({}),
        );
        let (_, decisions) = keeper.call("GET", self.path, line);
        line.expect(
            "a 401 surfaces as revoked",
            matches!(decisions[..], [Retry::Surface { reason: Reason::Revoked, .. }]),
        );
        line.expect("the core asks for a new one", keeper.run(line).next.reason() == Some(Reason::Revoked));
        let installed = keeper.install(&tokenward::TokenResponse::new(new), line);
        line.expect("the new one is installed", installed.is_ok());
        line.expect("the API accepts the new one", keeper.opens(self.path, line));
    }
}
