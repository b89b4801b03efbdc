//! What every system goes through, each with what is expected of the core.

use tokenward::storage::{Found, Storage};
use tokenward::{Error, Grant, Next, Reason, Retry};
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
        let before = keeper.sync(line);
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
        let due = keeper.sync(line);
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

    pub(super) fn restart(&self, keeper: &mut Keeper<'_>, line: &Timeline) -> Result<(), Failure> {
        line.chapter("A restart from the sealed snapshot");
        let older = keeper.stored();
        keeper.wait(line, "the token is fresh");
        let _ = keeper.run(line);
        let (latest, rules) = (keeper.stored(), keeper.floored());
        let (generation, requests) = (keeper.manager.generation(), keeper.requests);

        let mut tampered = latest.clone();
        if let Some(byte) = tampered.as_mut().and_then(|bytes| bytes.get_mut(80)) {
            *byte ^= 1;
        }
        keeper.put(tampered);
        let found = keeper.restart(rules, "a snapshot with one bit changed", line)?;
        line.expect("a changed snapshot is refused whole", found == Err(Error::InvalidSnapshot));
        keeper.put(older);
        let found = keeper.restart(rules, "the snapshot before", line)?;
        line.expect("an older snapshot is below the floor", found == Err(Error::StaleSnapshot));
        keeper.put(latest);
        let found = keeper.restart(rules, "the latest snapshot", line)?;
        let poll = keeper.poll();
        line.expect(
            "the latest one is usable at once",
            found == Ok(Found::Taken) && poll.usable && poll.next == Next::Nothing,
        );
        let opens = keeper.opens(self.path, line);
        let same = keeper.manager.generation() == generation && keeper.requests == requests;
        line.expect("the API accepts the same token, and no request was sent", opens && same);
        Ok(())
    }

    /// An app and its extension, or two services on one machine.
    pub(super) fn two_processes(&self, keeper: &mut Keeper<'_>, line: &Timeline) -> Result<(), Failure> {
        line.chapter("Two processes, one storage");
        let mut other = keeper.beside("another")?;
        let found = other.look(line);
        line.expect(
            "the second process takes what the first one stored, and asks nobody",
            found == Ok(Found::Taken) && other.poll().usable && other.requests == 0,
        );
        keeper.wait(line, "the token is fresh");
        let due = keeper.sync(line);
        line.expect(
            "a refresh is announced in storage before it is sent",
            due.next == Next::Request(Grant::RefreshToken),
        );
        if other.poll().next == Next::Nothing {
            other.wait(line, "its own refresh is due a moment later");
        }
        let waiting = other.sync(line);
        line.expect(
            "the other finds that, waits, and goes on with the token that it has",
            waiting.next == Next::Wait && waiting.usable && other.opens(self.path, line),
        );
        let _ = keeper.run(line);
        line.expect("the refresh token rotates", keeper.last.is_ok() && keeper.rotated);
        other.wait(line, "until the announced refresh must be over");
        let taken = other.sync(line);
        line.expect(
            "the other takes the new pair: no refresh token was presented twice",
            taken.next == Next::Nothing && other.requests == 0 && other.opens(self.path, line),
        );

        keeper.sign_out(line);
        line.expect("who signs out has no token", !keeper.poll().usable);
        let found = other.look(line);
        line.expect(
            "the other finds the tombstone, and has none either",
            found == Ok(Found::SignedOut) && !other.poll().usable,
        );
        let _ = keeper.run(line);
        line.expect("after a new sign-in there is a token", keeper.last.is_ok() && keeper.poll().usable);
        let found = other.look(line);
        line.expect(
            "the other takes that",
            found == Ok(Found::Taken) && other.requests == 0 && other.opens(self.path, line),
        );
        keeper.put(None);
        line.event("user", Event::Service, "storage is deleted", serde_json::json!({}));
        let found = other.look(line);
        line.expect(
            "storage that has been emptied is a sign-out too",
            found == Ok(Found::SignedOut) && !other.poll().usable,
        );
        let found = keeper.look(line);
        let _ = keeper.run(line);
        line.expect(
            "whoever finds that signs in anew",
            found == Ok(Found::SignedOut) && keeper.last.is_ok() && keeper.opens(self.path, line),
        );
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
        keeper.wait_for(60, line, "somebody mends it");
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
        let backup = keeper.stored();
        keeper.wait(line, "the token is fresh");
        let _ = keeper.run(line);
        line.expect("the refresh token rotates", keeper.last.is_ok() && keeper.rotated);
        let latest = keeper.stored();
        keeper.put(backup.clone());
        let found = keeper.restart(keeper.floored(), "a backup", line)?;
        line.expect("with a floor it is refused before anything is sent", found == Err(Error::StaleSnapshot));
        keeper.put(backup.clone());
        let found = keeper.restart(Storage::SHARED, "the backup, and there is no floor", line)?;
        line.expect("without a floor it is taken", found == Ok(Found::Taken));
        keeper.put(latest.clone());
        let before = keeper.requests;
        let found = keeper.look(line);
        line.expect(
            "in shared storage the pair that replaced it is found in time",
            found == Ok(Found::Taken) && keeper.requests == before,
        );
        keeper.put(backup);
        let found = keeper.restart(Storage::OWN, "the backup, and is nobody else's", line)?;
        line.expect("it is taken again", found == Ok(Found::Taken));
        keeper.put(latest);
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
        let poll = keeper.sync(line);
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
