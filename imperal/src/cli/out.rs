//! Output: tables for people, JSON lines for programs, the log on standard error.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use tracing_subscriber::EnvFilter;

/// Logs go to standard error; `RUST_LOG` chooses what.
pub(super) fn start_log(server: bool) {
    let default = if server { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let ansi = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // Failing means that the binary has set up a log of its own.
    let _ = builder.with_ansi(ansi).try_init();
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

/// Columns as wide as their widest cell, the last one free.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let mut text = String::new();
        for (at, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            text.push_str(cell);
            if at + 1 < widths.len() {
                text.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
            }
        }
        text
    };
    let head = line(head.to_vec());
    if io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        say(&format!("\x1b[1m{head}\x1b[0m"));
    } else {
        say(&head);
    }
    for row in rows {
        say(&line(row.iter().map(String::as_str).collect()));
    }
}

/// The first line of a text, cut for a table.
pub(super) fn one_line(text: &str, width: usize) -> String {
    let first = text.lines().next().unwrap_or_default();
    if first.chars().count() <= width && first.len() == text.trim_end().len() {
        return first.to_owned();
    }
    let mut cut: String = first.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}
