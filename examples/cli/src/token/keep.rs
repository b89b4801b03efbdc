//! `token --keep`: stays, refreshes ahead, and does what `poll` says until it is told to end.

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tokenward::{Generation, Instant, Next, Poll, Reason};

use super::holder::Holder;
use super::mend;
use crate::clock;
use crate::failure::{Failure, Status};
use crate::paint::{BAD, DIM, GOOD, NOTE, Painted, span};

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    End,
    Reread,
}

/// A machine that slept wakes up without a timer: look at the clock again after this at the latest.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

pub(crate) fn run(holder: &mut Holder<'_>, json: bool) -> Result<Status, Failure> {
    let orders = orders()?;
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let terminal = std::io::stdout().is_terminal() && !dumb && !json;
    let name = format!("{} {}", holder.provider.name, holder.provider.environment.unwrap_or_default())
        .trim_end()
        .to_owned();
    let mut teller = Teller { name, terminal, json, supplied: None, unsaved: None, unheard: None };
    if holder.asks() {
        // A prompt now, not in an hour.
        holder.ask()?;
    }
    loop {
        holder.sync()?;
        teller.unsaved(holder.trouble.as_ref());
        // A full disk passes: nothing is given up before the state is saved.
        if holder.trouble.is_none()
            && let Some(why) = teller.unheard.take()
        {
            return Err(why);
        }
        let poll = holder.poll();
        let mut pause = teller.pause(poll, clock::now());
        match poll.next {
            Next::Request(grant) => {
                teller.event("request", json!({ "grant": grant.name() }), grant.name());
                match holder.send() {
                    Ok(None) => continue,
                    Ok(Some(sent)) => {
                        holder.sync()?;
                        match sent.status() {
                            Status::Ok => teller.token(holder),
                            _ => teller.failed(holder, &sent.said()),
                        }
                        continue;
                    }
                    // Nothing was sent: the credentials are to be mended.
                    Err(failure) => {
                        teller.failed(holder, &failure.message);
                        pause = LONGEST_SLEEP;
                    }
                }
            }
            Next::Supply(id, reason) if !holder.asks() && teller.supplied != Some(reason) => {
                match holder.supply(Some(id)) {
                    Ok(()) => {
                        holder.sync()?;
                        teller.token(holder);
                    }
                    Err(failure) if holder.manager.generation() == Generation::default() => {
                        return Err(failure);
                    }
                    Err(failure) => {
                        teller.failed(holder, &failure.message);
                        if let Next::Supply(_, reason) = holder.poll().next {
                            teller.supply(reason);
                        }
                    }
                }
                continue;
            }
            Next::Supply(_, reason) => teller.supply(reason),
            _ => teller.supplied = None,
        }
        teller.status_line(holder, poll);
        match orders.recv_timeout(pause) {
            Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => {
                holder.manager.retry();
                holder.sync()?;
                if let Some(failure) = holder.trouble.take() {
                    return Err(failure);
                }
                teller.event("end", json!({}), "told to end");
                return teller.unheard.map_or(Ok(Status::Ok), Err);
            }
            Ok(Order::Reread) => {
                holder.reread();
                teller.supplied = None;
                teller.event("reread", json!({}), "credentials read again");
                if !holder.asks()
                    && let Err(failure) = holder.supply(None)
                {
                    teller.failed(holder, &failure.message);
                }
                holder.manager.retry();
                holder.manager.reload();
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn stored(holder: &Holder<'_>) -> String {
    let now = clock::now();
    let windows = holder.windows();
    let ahead = |at: Option<Instant>| at.map(|at| span(at.saturating_millis_since(now) / 1000));
    let life = match (ahead(windows.usable_until), ahead(windows.refresh_at)) {
        (Some(end), Some(due)) => format!("usable for {end}, refresh in {due}"),
        (Some(end), None) => format!("usable for {end}"),
        _ => "without an end".to_owned(),
    };
    match ahead(holder.manager.sign_in_by()) {
        Some(by) => format!("{life}, to be signed in again within {by}"),
        None => life,
    }
}

/// The signals, as a channel. A second request to end is not answered: what is out is waited for, because
/// its answer may carry the only refresh token.
fn orders() -> Result<Receiver<Order>, Failure> {
    let (sender, receiver) = channel();
    listen(sender).map_err(|error| Failure::unavailable(format!("cannot listen for signals: {error}")))?;
    Ok(receiver)
}

#[cfg(unix)]
fn listen(sender: Sender<Order>) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let order = if signal == SIGHUP { Order::Reread } else { Order::End };
            if sender.send(order).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

/// Elsewhere the process is ended from outside: what it keeps is saved all along.
#[cfg(not(unix))]
fn listen(sender: Sender<Order>) -> std::io::Result<()> {
    std::mem::forget(sender);
    Ok(())
}

/// Says what happens: one line that is drawn again on a terminal, a line for each event elsewhere.
struct Teller {
    name: String,
    terminal: bool,
    json: bool,
    /// What was asked for, so that it is asked once.
    supplied: Option<Reason>,
    /// Why the state is not saved, so that it is said once.
    unsaved: Option<String>,
    /// Why nothing can be said any more. It ends the command, but not before the state is saved.
    unheard: Option<Failure>,
}

impl Teller {
    fn event(&mut self, event: &str, members: Value, shown: &str) {
        let wall = clock::wall();
        let line = if self.json {
            let mut all = json!({ "event": event, "at": wall.map(|wall| wall.as_secs()) });
            if let (Value::Object(all), Value::Object(own)) = (&mut all, members) {
                all.extend(own);
            }
            format!("{all}\n")
        } else {
            let style = match event {
                "token" => GOOD,
                "failed" | "supply" | "unsaved" => BAD,
                _ => DIM,
            };
            let time = Painted(DIM, wall.map_or(String::new(), clock::rfc3339));
            format!("{time}  {}  {}  {shown}\n", self.name, Painted(style, format!("{event:8}")))
        };
        self.say(&line);
    }

    /// Writes over the status line where there is one.
    fn say(&mut self, text: &str) {
        let write = || {
            if self.terminal {
                // Cursor control is no colour: it is written whatever NO_COLOR says.
                std::io::stdout().write_all(b"\r\x1b[2K")?;
            }
            let mut out = anstream::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()
        };
        if let Err(error) = write() {
            self.unheard = Some(error.into());
        }
    }

    fn token(&mut self, holder: &Holder<'_>) {
        self.told("token", holder, &stored(holder));
    }

    fn failed(&mut self, holder: &Holder<'_>, why: &str) {
        self.told("failed", holder, why);
    }

    fn told(&mut self, event: &str, holder: &Holder<'_>, detail: &str) {
        let generation = holder.manager.generation().0;
        let mut members = json!({ "generation": generation, "detail": detail });
        if let (Some(by), Some(wall)) = (holder.manager.sign_in_by(), clock::wall()) {
            let seconds = by.saturating_millis_since(clock::now()) / 1000;
            members["sign_in_by"] = json!(wall.as_secs().saturating_add(seconds));
        }
        self.event(event, members, detail);
    }

    fn supply(&mut self, reason: Reason) {
        if self.supplied == Some(reason) {
            return;
        }
        self.supplied = Some(reason);
        let shown = format!("{}: {}, then send SIGHUP", reason.name(), mend(reason));
        self.event("supply", json!({ "reason": reason.name(), "detail": shown }), &shown);
    }

    fn unsaved(&mut self, failure: Option<&Failure>) {
        let said = failure.map(|failure| failure.message.clone());
        if said != self.unsaved {
            match &said {
                Some(message) => self.event("unsaved", json!({ "detail": message }), message),
                None => self.event("saved", json!({}), "the state is saved again"),
            }
            self.unsaved = said;
        }
    }

    fn pause(&self, poll: Poll, now: Instant) -> Duration {
        let until =
            poll.poll_at.map_or(LONGEST_SLEEP, |at| Duration::from_millis(at.saturating_millis_since(now)));
        let longest = if self.terminal { Duration::from_secs(1) } else { LONGEST_SLEEP };
        until.clamp(Duration::from_millis(1), longest)
    }

    fn status_line(&mut self, holder: &Holder<'_>, poll: Poll) {
        if !self.terminal {
            return;
        }
        let now = clock::now();
        let ahead = |at: Option<Instant>| at.map(|at| span(at.saturating_millis_since(now).div_ceil(1000)));
        let next = match (poll.next, ahead(poll.poll_at)) {
            (Next::Nothing, Some(when)) => format!("refresh in {when}"),
            (Next::Wait, Some(when)) => format!("next try in {when}"),
            (Next::Supply(_, reason), _) => format!("waiting for you: {}", reason.name()),
            _ => String::new(),
        };
        let state = match (poll.usable, ahead(holder.windows().usable_until)) {
            (true, Some(end)) => Painted(GOOD, format!("usable for {end}")),
            (true, None) => Painted(GOOD, "usable".to_owned()),
            (false, _) => Painted(NOTE, "no usable token".to_owned()),
        };
        let generation = holder.manager.generation().0;
        self.say(&format!("{}  token {generation}  {state}  {}", self.name, Painted(DIM, next)));
    }
}
