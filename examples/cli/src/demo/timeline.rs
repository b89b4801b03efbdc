//! What happens, as it happens, and whether it was what is expected.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;

use anstyle::Style;
use serde_json::{Map, Value, json};
use tokenward::Instant;

use super::clock::DemoClock;
use crate::paint::{ACTION, BAD, BOLD, DIM, GOOD, NOTE, Painted};

/// The kinds of event, which `--json` names and a terminal colours.
#[derive(Clone, Copy)]
pub(super) enum Event {
    Request,
    Token,
    Failed,
    Call,
    Refused,
    Wait,
    Load,
    Store,
    Restart,
    Supply,
    Service,
}

impl Event {
    const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Token => "token",
            Self::Failed => "failed",
            Self::Call => "call",
            Self::Refused => "refused",
            Self::Wait => "wait",
            Self::Load => "load",
            Self::Store => "store",
            Self::Restart => "restart",
            Self::Supply => "supply",
            Self::Service => "changes",
        }
    }

    const fn style(self) -> Style {
        match self {
            Self::Request | Self::Restart | Self::Load => ACTION,
            Self::Token => GOOD,
            Self::Failed | Self::Refused | Self::Supply => NOTE,
            Self::Wait | Self::Store => DIM,
            Self::Call | Self::Service => Style::new(),
        }
    }
}

/// The expectations of one system.
pub(super) struct Tally {
    pub(super) system: &'static str,
    held: usize,
    failed: Vec<String>,
}

/// Prints one system's events and counts its expectations.
pub(super) struct Timeline {
    system: &'static str,
    json: bool,
    clock: Arc<DemoClock>,
    tally: RefCell<Tally>,
    /// The first failure of standard output; nothing is printed after it.
    broken: RefCell<Option<io::Error>>,
}

impl Timeline {
    pub(super) fn new(system: &'static str, json: bool, clock: Arc<DemoClock>) -> Self {
        let tally = RefCell::new(Tally { system, held: 0, failed: Vec::new() });
        Self { system, json, clock, tally, broken: RefCell::new(None) }
    }

    /// The system and where it listens.
    pub(super) fn title(&self, title: &str, about: &str, members: Value) {
        if self.json {
            self.object("system", title, members);
        } else {
            self.line(format_args!("\n{}  {}", Painted(BOLD, title), Painted(DIM, about)));
        }
    }

    /// What the next events are about.
    pub(super) fn chapter(&self, title: &str) {
        if self.json {
            self.object("chapter", title, json!({}));
        } else {
            self.line(format_args!("\n  {}", Painted(BOLD, title)));
        }
    }

    /// `who` is the manager, or the service.
    pub(super) fn event(&self, who: &str, event: Event, text: &str, members: Value) {
        if self.json {
            let mut all = json!({ "who": who });
            extend(&mut all, members);
            self.object(event.name(), text, all);
        } else {
            let time = Painted(DIM, format!("{:>16}", shown(self.clock.now())));
            let name = Painted(event.style(), format!("{:8}", event.name()));
            self.line(format_args!("  {time}  {who:11}  {name}  {text}"));
        }
    }

    /// Counts an expectation and says whether it held.
    pub(super) fn expect(&self, sentence: &str, held: bool) {
        let mut tally = self.tally.borrow_mut();
        if held {
            tally.held += 1;
        } else {
            tally.failed.push(sentence.to_owned());
        }
        if self.json {
            self.object("expectation", sentence, json!({ "held": held }));
        } else {
            let (style, mark) = if held { (GOOD, "ok") } else { (BAD, "FAILED") };
            self.line(format_args!(
                "  {:16}  {:11}  {}  {sentence}",
                "",
                "",
                Painted(style, format!("{mark:8}"))
            ));
        }
    }

    pub(super) fn finish(self) -> io::Result<Tally> {
        self.broken.into_inner().map_or(Ok(self.tally.into_inner()), Err)
    }

    fn object(&self, event: &str, text: &str, members: Value) {
        let at = self.clock.now().as_millis();
        let mut object = json!({ "event": event, "system": self.system, "at_ms": at, "text": text });
        extend(&mut object, members);
        self.line(format_args!("{object}"));
    }

    fn line(&self, line: std::fmt::Arguments<'_>) {
        let mut broken = self.broken.borrow_mut();
        if broken.is_none() {
            let mut out = anstream::stdout().lock();
            *broken = writeln!(out, "{line}").and_then(|()| out.flush()).err();
        }
    }
}

fn extend(object: &mut Value, members: Value) {
    if let (Value::Object(object), Value::Object(members)) = (object, members) {
        object.extend(members);
    }
}

/// Time since the demo's start, as `6d 01:02:03.004`.
pub(super) fn shown(at: Instant) -> String {
    let millis = at.as_millis();
    let (days, seconds) = (millis / 86_400_000, millis / 1000 % 86_400);
    let (hours, minutes, seconds) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
    let days = if days > 0 { format!("{days}d ") } else { String::new() };
    format!("{days}{hours:02}:{minutes:02}:{seconds:02}.{:03}", millis % 1000)
}

/// The last lines: which systems did what they should. True if all did.
pub(super) fn summary(tallies: &[Tally], json: bool) -> io::Result<bool> {
    let held: usize = tallies.iter().map(|tally| tally.held).sum();
    let failed: usize = tallies.iter().map(|tally| tally.failed.len()).sum();
    let mut out = anstream::stdout().lock();
    if json {
        let systems: Map<_, _> = tallies
            .iter()
            .map(|tally| (tally.system.to_owned(), json!({ "held": tally.held, "failed": tally.failed })))
            .collect();
        let object = json!({
            "event": "summary", "ok": failed == 0, "held": held, "failed": failed, "systems": systems,
        });
        writeln!(out, "{object}")?;
        return Ok(failed == 0);
    }
    writeln!(out, "\n{}", Painted(BOLD, "Summary"))?;
    for tally in tallies {
        let total = tally.held + tally.failed.len();
        let (style, mark) = if tally.failed.is_empty() { (GOOD, "ok") } else { (BAD, "FAILED") };
        let mark = Painted(style, format!("{mark:6}"));
        writeln!(out, "  {mark}  {:12}  {} of {total} expectations held", tally.system, tally.held)?;
        for sentence in &tally.failed {
            writeln!(out, "          {}", Painted(BAD, sentence))?;
        }
    }
    Ok(failed == 0)
}
