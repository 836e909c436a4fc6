//! Output: what a terminal gets and a pipe does not, JSON lines for programs, the log.
//!
//! Owns colours (`NO_COLOR` is honoured), the width, and that text of extensions and services
//! cannot steer the terminal. Tables and data are laid out elsewhere (`table.rs`, `data.rs`).

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use console::Term;
use serde::Serialize;
use serde_json::json;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::exit::CliError;
use crate::trace::Traces;

/// Logs go to standard error; `RUST_LOG` chooses what. Spans go where `traces` sends them.
pub(super) fn start_log(server: bool, traces: Option<&Traces>) {
    let log = tracing_subscriber::registry().with(lines(server)).with(traces.map(Traces::layer));
    // Failing means that the binary has set up a log of its own.
    if log.try_init().is_err() && traces.is_some() {
        tracing::warn!("spans are not sent: the binary has set up a `tracing` subscriber of its own");
    }
    if server {
        Traces::explain();
    }
}

/// What is said while the log is not there yet stands in it all the same.
pub(super) fn before_the_log<T>(server: bool, work: impl FnOnce() -> T) -> T {
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines(server)), work)
}

fn lines<S>(server: bool) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    // Each connection that broke is a line of the pool's; what that means is said by the ledger.
    let default = if server { "info,deadpool=error" } else { "warn" };
    let asked = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // Without the hint, all that the log leaves out would be asked for.
    let news = filter_fn(Traces::is_news).with_max_level_hint(LevelFilter::TRACE);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(Look::of_stderr().colour);
    lines.with_filter(asked.and(news))
}

/// What the reader of an output can be shown.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Look {
    /// Somebody looks at it: marks, short ids, "2 min ago".
    pub(super) terminal: bool,
    pub(super) colour: bool,
    /// Columns; none in a pipe, where nothing is cut.
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

impl Look {
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

/// One JSON object, one line.
pub(super) fn json(value: &impl Serialize) {
    if let Ok(line) = serde_json::to_string(value) {
        say(&line);
    }
}

/// A line on standard output; a reader that has gone away is no error.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A remark for the person, which no program reads, on standard error.
pub(super) fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{}", Look::of_stderr().paint(Paint::Dim, text));
}

/// Why the command failed, on standard error.
pub(super) fn error(error: &CliError, as_json: bool) {
    if as_json {
        let mut said = json!({ "message": error.text });
        if let Some(code) = &error.code {
            said["code"] = code.as_str().into();
        }
        if let Some(hint) = &error.hint {
            said["hint"] = hint.as_str().into();
        }
        let _ = writeln!(io::stderr(), "{}", json!({ "error": said }));
        return;
    }
    let look = Look::of_stderr();
    let code = error.code.as_ref().map_or_else(String::new, |code| look.paint(Paint::Dim, &format!(" ({code})")));
    let _ = writeln!(io::stderr(), "{} {}{code}", look.paint(Paint::Red, "error:"), plain(&error.text));
    if let Some(hint) = &error.hint {
        let _ = writeln!(io::stderr(), "{}", plain(hint));
    }
}

/// Text of others without what would steer a terminal: control characters become a mark.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.contains(steers) {
        Cow::Owned(text.replace("\r\n", "\n").replace(steers, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The first line of a text, cut to so many columns.
pub(super) fn one_line(text: &str, width: usize) -> String {
    let text = plain(text);
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

    #[test]
    fn text_cannot_steer_the_terminal() {
        assert_eq!(plain("a\x1b[2Jb\x07\r\nc\td"), "a\u{fffd}[2Jb\u{fffd}\nc\td");
    }

    #[test]
    fn a_line_is_cut_by_columns_and_not_by_characters() {
        assert_eq!(one_line("日本語のテキスト", 9), "日本語の…");
        assert_eq!(one_line("short", 9), "short");
        assert_eq!(one_line("two\nlines", 9), "two…");
    }
}
