//! Text for people: colours where a terminal shows them, and nothing that a terminal would obey.

use std::fmt::{Display, Formatter, Result};

use anstyle::{AnsiColor, Style};

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const NOTE: Style = AnsiColor::Yellow.on_default();
pub(crate) const ACTION: Style = AnsiColor::Cyan.on_default();

/// `text` in `style`; the stream drops the style where it is not a terminal.
pub(crate) struct Painted<T>(pub(crate) Style, pub(crate) T);

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self(style, text) = self;
        write!(f, "{style}")?;
        text.fmt(f)?;
        write!(f, "{style:#}")
    }
}

/// A server's text with everything spelled out that a terminal would act on.
pub(crate) fn harmless(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
    };
    text.chars()
        .flat_map(|c| {
            let (plain, escaped) = if acts(c) { (None, Some(c.escape_default())) } else { (Some(c), None) };
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

/// What stands for a secret of `len` bytes.
pub(crate) fn redacted(len: usize) -> String {
    format!("[redacted, {len} {}]", if len == 1 { "byte" } else { "bytes" })
}

/// Seconds as `47 min 12 s`.
pub(crate) fn span(seconds: u64) -> String {
    let parts = [
        (seconds / 86_400, "d"),
        (seconds % 86_400 / 3600, "h"),
        (seconds % 3600 / 60, "min"),
        (seconds % 60, "s"),
    ];
    let shown: Vec<_> =
        parts.iter().filter(|(n, _)| *n > 0).take(2).map(|(n, unit)| format!("{n} {unit}")).collect();
    if shown.is_empty() { "0 s".to_owned() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::{harmless, span};

    #[test]
    fn a_terminal_is_shown_nothing_that_it_would_obey() {
        assert_eq!(harmless("a\u{1b}[31mb\r\nc\u{202E}é"), "a\\u{1b}[31mb\\r\\nc\\u{202e}é");
    }

    #[test]
    fn a_span_shows_its_two_largest_units() {
        assert_eq!(
            [0, 59, 3599, 3600, 90_061].map(span),
            ["0 s", "59 s", "59 min 59 s", "1 h", "1 d 1 h"].map(str::to_owned)
        );
    }
}
