//! Layout of help texts: headings, and two columns that fit the window.
//!
//! Wraps by itself, because clap would break a line of two columns at the window's edge and start the rest under the
//! first column.

use std::fmt::Write;
use std::io::{self, IsTerminal};

use clap::builder::styling::{AnsiColor, Effects, Styles};
use console::{Term, measure_text_width};

pub(super) const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Yellow.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default())
    .error(AnsiColor::Red.on_default().effects(Effects::BOLD))
    .valid(AnsiColor::Green.on_default())
    .invalid(AnsiColor::Yellow.on_default());

/// Widest first column. A longer text has its explanation on a line of its own.
const FIRST_COLUMN: usize = 44;
/// Narrowest second column.
const SECOND_COLUMN: usize = 24;
/// Columns where the width is unknown, as clap assumes.
const USUAL_WIDTH: usize = 100;

/// The width of the window, or of `COLUMNS` where the output is none.
pub(super) fn screen_width() -> usize {
    let of_window =
        io::stdout().is_terminal().then(|| Term::stdout().size_checked()).flatten().map(|(_, columns)| columns.into());
    let of_environment = || std::env::var("COLUMNS").ok()?.parse().ok();
    of_window.or_else(of_environment).filter(|width| *width > 0).unwrap_or(USUAL_WIDTH)
}

/// Two columns: commands and their effects. Where they do not fit, the effect is below.
pub(super) fn columns(rows: &[(String, String)], width: usize) -> String {
    let widths = rows.iter().map(|(typed, _)| measure_text_width(typed));
    let wide = widths.filter(|wide| *wide <= FIRST_COLUMN).max().unwrap_or(0);
    let start = wide + 4;
    let side_by_side = start + SECOND_COLUMN <= width;
    let mut text = String::new();
    for (typed, does) in rows {
        let taken = measure_text_width(typed);
        let lines = wrap(does, width.saturating_sub(if side_by_side { start } else { 6 }));
        let indent = " ".repeat(if side_by_side { start } else { 6 });
        let gap = if side_by_side && taken <= wide { " ".repeat(wide - taken + 2) } else { format!("\n{indent}") };
        let does = lines.join(&format!("\n{indent}"));
        let _ = writeln!(text, "  {}{gap}{does}", literal(typed));
    }
    text
}

/// Lines of at most `width` columns. A longer word has a line of its own.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && measure_text_width(&line) + 1 + measure_text_width(word) > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

pub(super) fn literal(text: &str) -> String {
    let style = STYLES.get_literal();
    format!("{style}{text}{style:#}")
}

pub(super) fn header(text: &str) -> String {
    let style = STYLES.get_header();
    format!("{style}{text}{style:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: usize) -> Vec<String> {
        let rows = [("refine call", "run a function and print its answer"), ("refine", "the chat page")];
        let rows = rows.map(|(typed, does)| (typed.to_owned(), does.to_owned()));
        console::strip_ansi_codes(&columns(&rows, width)).lines().map(str::to_owned).collect()
    }

    #[test]
    fn wide_window_has_two_columns() {
        assert_eq!(shown(80), ["  refine call  run a function and print its answer", "  refine       the chat page"]);
        assert_eq!(shown(44)[..2], ["  refine call  run a function and print its", "               answer"]);
    }

    #[test]
    fn narrow_window_has_the_explanation_below() {
        let lines =
            ["  refine call", "      run a function and print", "      its answer", "  refine", "      the chat page"];
        assert_eq!(shown(30), lines);
    }
}
