//! Output: colours and short forms on a terminal, plain text in a pipe, JSON lines for programs.
//!
//! Owns colours (`NO_COLOR` turns them off), the width, and the rule that text of users, extensions and services
//! cannot control the terminal: it passes [`OutputStyle::sanitize`], [`OutputStyle::sanitize_line`] or
//! [`fit_line`]. Layout is in `table.rs` and `data.rs`, the log in `log.rs`.

use std::io::{self, IsTerminal, Write};

use console::Term;
use serde::Serialize;
use serde_json::json;

use super::exit::CliError;
use crate::visible;

/// The style of an output: colours and width.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OutputStyle {
    /// A person reads it: marks, short ids, "2 min ago".
    pub(super) terminal: bool,
    pub(super) colour: bool,
    /// Columns. `None` in a pipe, where nothing is cut.
    pub(super) width: Option<usize>,
}

/// How a word is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl OutputStyle {
    pub(super) fn of_stdout() -> Self {
        Self::of(io::stdout().is_terminal(), &Term::stdout())
    }

    pub(super) fn of_stderr() -> Self {
        Self::of(io::stderr().is_terminal(), &Term::stderr())
    }

    fn of(terminal: bool, term: &Term) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let width = terminal.then(|| term.size_checked().map(|(_, columns)| usize::from(columns))).flatten();
        Self { terminal, colour: terminal && !plain, width: width.filter(|width| *width > 0) }
    }

    /// Text of foreign origin. Characters that control a terminal become a mark. On a terminal right-to-left
    /// text is isolated from the text around it. Line breaks stay.
    pub(super) fn sanitize(self, text: &str) -> String {
        let text = visible::on_terminal(text);
        if self.terminal { visible::isolated(&text).into_owned() } else { text.into_owned() }
    }

    /// Text of foreign origin, whole and on one line.
    pub(super) fn sanitize_line(self, text: &str) -> String {
        self.sanitize(&text.replace(['\n', '\t'], " "))
    }

    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Red => "31",
            Paint::Green => "32",
            Paint::Yellow => "33",
            Paint::Cyan => "36",
        };
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// One JSON object on one line. Hidden characters are escaped, because a terminal may show the line.
pub(super) fn print_json(value: &impl Serialize) {
    if let Ok(line) = serde_json::to_string(value) {
        print_line(&visible::in_json(&line));
    }
}

/// A line on standard output. A reader that went away is not an error.
pub(super) fn print_line(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A note for the person on standard error. Programs do not read it.
pub(super) fn print_note(text: &str) {
    let _ = writeln!(io::stderr(), "{}", OutputStyle::of_stderr().paint(Paint::Dim, text));
}

/// A number with its noun: "1 user", "2 users".
pub(super) fn count(number: impl TryInto<u64>, noun: &str) -> String {
    match number.try_into() {
        Ok(1) => format!("1 {noun}"),
        Ok(number) => format!("{number} {noun}s"),
        Err(_) => format!("many {noun}s"),
    }
}

/// Why the command failed, on standard error.
pub(super) fn print_error(error: &CliError, as_json: bool) {
    if as_json {
        let mut body = json!({ "message": error.text });
        if let Some(code) = &error.code {
            body["code"] = code.as_str().into();
        }
        if let Some(hint) = &error.hint {
            body["hint"] = hint.as_str().into();
        }
        let _ = writeln!(io::stderr(), "{}", visible::in_json(&json!({ "error": body }).to_string()));
        return;
    }
    let style = OutputStyle::of_stderr();
    let code = error
        .code
        .as_ref()
        .map_or_else(String::new, |code| style.paint(Paint::Dim, &format!(" ({})", style.sanitize_line(code))));
    let _ = writeln!(io::stderr(), "{} {}{code}", style.paint(Paint::Red, "error:"), style.sanitize(&error.text));
    if let Some(hint) = &error.hint {
        let _ = writeln!(io::stderr(), "{}", style.sanitize(hint));
    }
}

/// The first line of a text of foreign origin, cut to `width` columns.
pub(super) fn fit_line(text: &str, width: usize, style: OutputStyle) -> String {
    let first = first_line(text, width);
    // Isolated after the cut: an isolate without its end would reorder the rest of the line.
    if style.terminal { visible::isolated(&first).into_owned() } else { first }
}

fn first_line(text: &str, width: usize) -> String {
    let text = visible::on_terminal(text);
    let first = text.lines().next().unwrap_or_default();
    let more = first.len() < text.trim_end().len();
    if console::measure_text_width(first) <= width && !more {
        return first.to_owned();
    }
    if more && console::measure_text_width(first) < width {
        return format!("{first}…");
    }
    console::truncate_str(first, width, "…").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: OutputStyle = OutputStyle { terminal: true, colour: false, width: None };

    #[test]
    fn isolates_right_to_left_text_on_a_terminal_after_the_cut() {
        assert_eq!(TERMINAL.sanitize("\u{202e}שלום\x1b"), "\u{2068}\u{fffd}שלום\u{fffd}\u{2069}");
        assert_eq!(OutputStyle::default().sanitize("שלום\x1b"), "שלום\u{fffd}");
        assert_eq!(TERMINAL.sanitize_line("two\nlines"), "two lines");
        assert_eq!(fit_line("שלום עולם", 5, TERMINAL), "\u{2068}שלום…\u{2069}");
        assert_eq!(console::measure_text_width("\u{2068}שלום…\u{2069}"), 5, "isolates have no width");
    }

    #[test]
    fn characters_that_change_the_direction_are_shown_as_marks() {
        for c in ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}') {
            let text = format!("photo_{c}gnp.exe");
            for style in [TERMINAL, OutputStyle::default()] {
                assert_eq!(style.sanitize(&text), "photo_\u{fffd}gnp.exe", "{}", c.escape_unicode());
                assert_eq!(fit_line(&text, 40, style), "photo_\u{fffd}gnp.exe", "{}", c.escape_unicode());
            }
        }
    }

    #[test]
    fn cuts_lines_by_columns() {
        assert_eq!(fit_line("日本語のテキスト", 9, TERMINAL), "日本語の…");
        assert_eq!(fit_line("short", 9, TERMINAL), "short");
        assert_eq!(fit_line("two\nlines", 9, TERMINAL), "two…");
    }
}
