//! Texts that work is writing, as lines for standard error: the answer itself goes to standard output, once.
//!
//! A line is printed when it is complete, or when it is as wide as the terminal and can be broken at a blank.

use std::collections::HashMap;

use super::out::{OutputStyle, Paint};
use crate::ids::DraftId;
use crate::ledger::{DraftPiece, Work};

/// Columns of a line where the terminal has no width.
const WIDTH: usize = 100;

/// How far each text was printed.
#[derive(Debug, Default)]
pub(super) struct LiveTexts(HashMap<DraftId, LiveText>);

#[derive(Debug)]
struct LiveText {
    work: Option<Work>,
    /// The end of the known text.
    end: u64,
    /// The line that is not complete.
    line: String,
}

impl LiveTexts {
    /// What is new in a piece, and the lines that it completes. A stream that opens again begins with what is known.
    pub(super) fn take(&mut self, piece: DraftPiece, style: OutputStyle) -> Option<(DraftPiece, Vec<String>)> {
        let new = || LiveText { work: piece.work(), end: 0, line: String::new() };
        let text = self.0.entry(piece.draft_id).or_insert_with(new);
        let news = piece.from(text.end)?;
        text.end = news.end();
        text.line.push_str(&news.text);
        let width = style.width.unwrap_or(WIDTH).max(20);
        let mut lines = Vec::new();
        while let Some(line) = first_line(&mut text.line, width) {
            lines.push(shown(&line, style));
        }
        Some((news, lines))
    }

    /// The last lines of the texts of work that has ended.
    pub(super) fn end(&mut self, is_it: impl Fn(Work) -> bool, style: OutputStyle) -> Vec<String> {
        let is_over = |text: &LiveText| text.work.is_some_and(&is_it);
        let ended = self.0.extract_if(|_, text| is_over(text));
        ended.map(|(_, text)| text.line).filter(|line| !line.is_empty()).map(|line| shown(&line, style)).collect()
    }
}

fn shown(line: &str, style: OutputStyle) -> String {
    style.paint(Paint::Dim, &style.sanitize_line(line))
}

/// Takes the first line out of a text, if it is complete or too wide.
fn first_line(text: &mut String, width: usize) -> Option<String> {
    let (end, skipped) = match text.find('\n') {
        Some(end) if text[..end].chars().count() <= width => (end, 1),
        _ => {
            let (too_wide, _) = text.char_indices().nth(width)?;
            match text[..too_wide].rfind(' ') {
                Some(blank) if blank > 0 => (blank, 1),
                _ => (too_wide, 0),
            }
        }
    };
    let rest = text.split_off(end + skipped);
    let mut line = std::mem::replace(text, rest);
    line.truncate(end);
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_line_feeds_and_break_at_blanks() {
        let lines = |text: &str| {
            let mut rest = text.to_owned();
            let mut lines: Vec<String> = std::iter::from_fn(|| first_line(&mut rest, 8)).collect();
            lines.push(format!("<{rest}"));
            lines.join("|")
        };
        assert_eq!(lines("one\ntwo"), "one|<two");
        assert_eq!(lines("one two three"), "one two|<three");
        assert_eq!(lines("unbreakable"), "unbreaka|<ble");
        assert_eq!(lines("ünbreäk 😀😀😀"), "ünbreäk|<😀😀😀");
        assert_eq!(lines("a\n\nb\n"), "a||b|<");
        assert_eq!(lines("12345678"), "<12345678");
    }
}
