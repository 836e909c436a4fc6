//! Output of this command itself: lines, notes and errors, coloured on a terminal.
//!
//! `NO_COLOR` and `TERM=dumb` turn colours off. Text of other origin passes `imperal_manifest::visible`, so
//! that it cannot move the cursor or forge a line.

use std::io::{self, IsTerminal, Write};

use imperal_manifest::visible;

use crate::error::CommandError;

/// How a word is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Bold,
    Dim,
    Red,
    Green,
    Cyan,
}

/// Whether standard output shows colours.
pub(crate) fn stdout_has_color() -> bool {
    io::stdout().is_terminal() && colors_allowed()
}

fn stderr_has_color() -> bool {
    io::stderr().is_terminal() && colors_allowed()
}

fn colors_allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

pub(crate) fn paint(paint: Paint, text: &str, color: bool) -> String {
    let code = match paint {
        Paint::Bold => "1",
        Paint::Dim => "2",
        Paint::Red => "31",
        Paint::Green => "32",
        Paint::Cyan => "36",
    };
    if color && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// A line on standard output. A reader that went away is not an error.
pub(crate) fn print_line(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A line of this command's own on standard error, marked as such: the extension writes there too.
pub(crate) fn print_note(color: Paint, text: &str) {
    let has_color = stderr_has_color();
    let mark = paint(Paint::Bold, "imperal:", has_color);
    let _ = writeln!(io::stderr(), "{mark} {}", paint(color, &visible::on_terminal(text), has_color));
}

/// Why the command failed, on standard error.
pub(crate) fn print_error(error: &CommandError) {
    let mark = paint(Paint::Red, "error:", stderr_has_color());
    let _ = writeln!(io::stderr(), "{mark} {}", visible::on_terminal(&error.text));
    if let Some(hint) = &error.hint {
        let _ = writeln!(io::stderr(), "{}", visible::on_terminal(hint));
    }
}
