//! A scenario's timeline as one static picture: windows, requests, answers, refusals.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use tokenward_conformance::{Run, State, Step};

/// Pixels.
const LEFT: f64 = 148.0;
const RIGHT: f64 = 32.0;
const ROW: f64 = 21.0;
const LANE: f64 = 24.0;
const USABLE_Y: f64 = 100.0;
const NEXT_Y: f64 = 134.0;
const EVENTS_Y: f64 = 186.0;
const NARROWEST: f64 = 880.0;

/// What a mark stands for, in the order of the legend.
const KINDS: [Kind; 6] = [
    Kind { name: "request", colour: "#2563eb" },
    Kind { name: "token", colour: "#15803d" },
    Kind { name: "error answer", colour: "#b45309" },
    Kind { name: "refused", colour: "#b91c1c" },
    Kind { name: "storage", colour: "#7e22ce" },
    Kind { name: "other call", colour: "#64748b" },
];

/// The colours of what `poll` answers.
const NEXT: [Kind; 7] = [
    Kind { name: "nothing", colour: "#e2e8f0" },
    Kind { name: "request", colour: "#93c5fd" },
    Kind { name: "await", colour: "#c7d2fe" },
    Kind { name: "wait", colour: "#fde68a" },
    Kind { name: "supply", colour: "#fecaca" },
    Kind { name: "load", colour: "#e9d5ff" },
    Kind { name: "store", colour: "#d8b4fe" },
];

const USABLE: &str = "#86efac";

struct Kind {
    name: &'static str,
    colour: &'static str,
}

/// Draws a scenario that ran.
pub(crate) fn draw(run: &Run) -> String {
    let axis = Axis::of(run);
    let marks: Vec<_> = run.steps.iter().map(Mark::of).collect();
    let width = (axis.end() + RIGHT).max(NARROWEST);
    let events = stacked(&marks, &axis);
    let list_y = events.bottom + 40.0;
    let height = list_y + ROW * (marks.len() as f64) + if run.difference.is_some() { 52.0 } else { 24.0 };

    let mut svg = Svg(String::new());
    svg.add(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"system-ui, 'DejaVu Sans', sans-serif\" \
         font-size=\"12\" fill=\"#0f172a\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        escaped(&run.name)
    ));
    svg.text(LEFT, 32.0, "start", "font-size=\"17\" font-weight=\"600\"", &run.name);
    svg.legend();
    svg.axis(&axis, events.bottom);
    svg.lanes(run, &axis);
    svg.text(LEFT - 12.0, EVENTS_Y + 5.0, "end", "", "steps");
    for (mark, (x, y)) in marks.iter().zip(&events.places) {
        svg.mark(mark, *x, *y, 9.0);
    }
    for (n, mark) in marks.iter().enumerate() {
        let y = list_y + ROW * n as f64;
        svg.mark(mark, 28.0, y - 4.0, 8.0);
        svg.text(LEFT - 12.0, y, "end", "fill=\"#475569\"", &time(mark.at));
        svg.text(LEFT, y, "start", "font-weight=\"600\"", &mark.action);
        svg.text(LEFT + 88.0, y, "start", "", &mark.came);
    }
    if let Some(difference) = &run.difference {
        let y = list_y + ROW * marks.len() as f64 + 14.0;
        svg.text(LEFT, y, "start", "fill=\"#b91c1c\" font-weight=\"600\"", &format!("differs: {difference}"));
    }
    svg.0.push_str("</svg>\n");
    svg.0
}

/// Where an instant stands. Scenarios have milliseconds and months: gaps are drawn by their logarithm.
struct Axis {
    places: Vec<(u64, f64)>,
}

impl Axis {
    fn of(run: &Run) -> Self {
        const SHORTEST: f64 = 26.0;
        const PER_DECADE: f64 = 17.0;
        let instants: BTreeSet<u64> =
            run.steps.iter().map(|step| step.at).chain(run.states.iter().map(|state| state.from)).collect();
        let mut x = LEFT + 14.0;
        let mut places: Vec<(u64, f64)> = Vec::new();
        for at in instants {
            if let Some((before, _)) = places.last() {
                x += SHORTEST + PER_DECADE * ((at - before) as f64 / 100.0).max(1.0).log10();
            }
            places.push((at, x));
        }
        // What holds after the last instant holds on.
        if let Some((at, x)) = places.last().copied() {
            places.push((at.saturating_add(1), x + 60.0));
        }
        Self { places }
    }

    fn x(&self, at: u64) -> f64 {
        let place = self.places.iter().find(|(instant, _)| *instant >= at);
        place.map_or_else(|| self.end(), |(_, x)| *x)
    }

    fn end(&self) -> f64 {
        self.places.last().map_or(LEFT, |(_, x)| *x)
    }
}

/// One step, as a mark and as a line of the list.
struct Mark {
    number: usize,
    at: u64,
    action: String,
    came: String,
    colour: &'static str,
}

impl Mark {
    fn of(step: &Step) -> Self {
        let member = |name: &str| step.actual.get(name).and_then(Value::as_str);
        let number = |name: &str| step.actual.get(name).and_then(Value::as_u64);
        let refused = member("error");
        let (kind, came) = match (step.action.as_str(), refused) {
            (_, Some(error)) => (3, format!("refused: {error}")),
            ("poll", _) => {
                let next = member("next").unwrap_or_default();
                let detail = member("grant").or(member("reason")).map(|detail| format!(" {detail}"));
                let usable = step.actual.get("usable") == Some(&Value::Bool(true));
                let usable = if usable { ", usable" } else { ", not usable" };
                let until = number("poll_at").map_or(String::new(), |at| format!(", until {}", time(at)));
                (5, format!("{next}{}{usable}{until}", detail.unwrap_or_default()))
            }
            ("begin", _) => {
                (0, format!("{} {}", member("method").unwrap_or_default(), member("url").unwrap_or_default()))
            }
            ("answer", _) => match member("error_code") {
                Some(code) => (2, format!("error {code}")),
                None => (1, format!("token, generation {}", number("generation").unwrap_or_default())),
            },
            ("install", _) => (1, format!("token, generation {}", number("generation").unwrap_or_default())),
            ("failed", _) => (2, "no answer".to_owned()),
            ("rejected", _) => {
                let reason = member("reason").map_or(String::new(), |reason| format!(": {reason}"));
                (
                    2,
                    format!(
                        "a resource server refuses; retry {}{reason}",
                        member("retry").unwrap_or_default()
                    ),
                )
            }
            // The picture may be shown around: the header is not.
            ("authorize", _) => {
                (5, format!("allowed, generation {}", number("generation").unwrap_or_default()))
            }
            ("loaded", _) => (4, member("found").unwrap_or_default().to_owned()),
            ("make" | "tamper" | "read" | "load_failed" | "write" | "stored" | "store_failed", _) => {
                (4, String::new())
            }
            _ => (5, String::new()),
        };
        Self {
            number: step.index + 1,
            at: step.at,
            action: step.action.clone(),
            came,
            colour: KINDS.get(kind).map_or("#64748b", |kind| kind.colour),
        }
    }
}

/// Where the marks stand: those of one instant below each other.
struct Stacked {
    places: Vec<(f64, f64)>,
    bottom: f64,
}

fn stacked(marks: &[Mark], axis: &Axis) -> Stacked {
    let mut places: Vec<(f64, f64)> = Vec::new();
    for mark in marks {
        let x = axis.x(mark.at);
        let below = places.iter().filter(|(other, _)| (other - x).abs() < 1.0).count();
        places.push((x, EVENTS_Y + LANE * below as f64));
    }
    let bottom = places.iter().map(|(_, y)| *y).fold(EVENTS_Y, f64::max) + 18.0;
    Stacked { places, bottom }
}

struct Svg(String);

impl Svg {
    fn add(&mut self, part: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(part);
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, attributes: &str, text: &str) {
        let text = escaped(text);
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {attributes}>{text}</text>\n"
        ));
    }

    fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str) {
        self.add(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\" fill=\"{colour}\"/>\n"
        ));
    }

    fn mark(&mut self, mark: &Mark, x: f64, y: f64, radius: f64) {
        let Mark { colour, number, .. } = mark;
        self.add(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{colour}\"/>\n"));
        let style = "fill=\"#ffffff\" font-size=\"10\" font-weight=\"600\"";
        self.text(x, y + 3.5, "middle", style, &number.to_string());
    }

    fn legend(&mut self) {
        let y = 58.0;
        let mut x = LEFT;
        self.text(LEFT - 12.0, y, "end", "fill=\"#475569\"", "steps");
        for kind in &KINDS {
            self.add(format_args!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" fill=\"{}\"/>\n",
                x + 5.0,
                y - 4.0,
                kind.colour
            ));
            self.text(x + 16.0, y, "start", "fill=\"#475569\"", kind.name);
            x += 32.0 + 7.0 * kind.name.len() as f64;
        }
        let (y, mut x) = (80.0, LEFT);
        self.text(LEFT - 12.0, y, "end", "fill=\"#475569\"", "token and next");
        let usable = [Kind { name: "usable", colour: USABLE }];
        for kind in usable.iter().chain(&NEXT) {
            self.rect(x, y - 10.0, 12.0, 12.0, kind.colour);
            self.text(x + 18.0, y, "start", "fill=\"#475569\"", kind.name);
            x += 36.0 + 7.0 * kind.name.len() as f64;
        }
        self.text(x + 8.0, y, "start", "fill=\"#94a3b8\"", "gaps are drawn by their logarithm");
    }

    fn axis(&mut self, axis: &Axis, bottom: f64) {
        let Some((_, instants)) = axis.places.split_last() else { return };
        let mut free_from = 0.0;
        for (at, x) in instants {
            self.add(format_args!(
                "<line x1=\"{x:.1}\" y1=\"{USABLE_Y}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" stroke=\"#cbd5e1\" stroke-width=\"0.75\"/>\n"
            ));
            let label = time(*at);
            let half = 3.2 * label.chars().count() as f64;
            // A label that would touch the one before is left to the list.
            if x - half > free_from {
                self.text(*x, bottom + 13.0, "middle", "font-size=\"10.5\" fill=\"#475569\"", &label);
                free_from = x + half + 4.0;
            }
        }
    }

    fn lanes(&mut self, run: &Run, axis: &Axis) {
        self.text(LEFT - 12.0, USABLE_Y + 16.0, "end", "", "token");
        self.text(LEFT - 12.0, NEXT_Y + 16.0, "end", "", "next");
        for (_, from, to) in
            segments(&run.states, axis, |state| state.usable).into_iter().filter(|(usable, ..)| *usable)
        {
            self.rect(from, USABLE_Y, to - from, LANE, USABLE);
        }
        for (name, from, to) in segments(&run.states, axis, |state| state.next) {
            let colour = NEXT.iter().find(|next| next.name == name).map_or("#ffffff", |next| next.colour);
            self.rect(from, NEXT_Y, to - from, LANE, colour);
            if to - from > 10.0 + 6.6 * name.len() as f64 {
                self.text(from + 6.0, NEXT_Y + 16.0, "start", "font-size=\"11\" fill=\"#334155\"", name);
            }
        }
    }
}

/// One aspect of the states with where each value begins and ends; what has no width is left out.
fn segments<T: PartialEq>(states: &[State], axis: &Axis, aspect: impl Fn(&State) -> T) -> Vec<(T, f64, f64)> {
    let mut segments: Vec<(T, f64, f64)> = Vec::new();
    for (n, state) in states.iter().enumerate() {
        let from = axis.x(state.from);
        let to = states.get(n + 1).map_or(axis.end(), |later| axis.x(later.from));
        let value = aspect(state);
        match segments.last_mut() {
            _ if to <= from => {}
            Some((last, _, end)) if *last == value && (*end - from).abs() < 0.5 => *end = to,
            _ => segments.push((value, from, to)),
        }
    }
    segments
}

/// Milliseconds as a person reads them: `0:00.250`, `48:00`, `30 d 01:00:00`.
fn time(millis: u64) -> String {
    let (seconds, rest) = (millis / 1000, millis % 1000);
    let fraction = if rest > 0 { format!(".{rest:03}") } else { String::new() };
    let (days, hours, minutes, seconds) =
        (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{seconds:02}{fraction}"),
        (0, _) => format!("{hours}:{minutes:02}:{seconds:02}{fraction}"),
        _ => format!("{days}d {hours}:{minutes:02}:{seconds:02}{fraction}"),
    }
}

fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            // XML has no other control characters.
            c if c.is_control() => "\u{FFFD}".to_owned(),
            c => c.to_string(),
        })
        .collect()
}
