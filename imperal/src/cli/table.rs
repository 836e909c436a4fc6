//! Tables: columns as wide as their widest cell, cut where the terminal is narrower.

use console::measure_text_width;

use super::out::{self, OutputStyle, Paint};

/// Between two columns.
const GAP: usize = 2;
/// A column that is cut keeps at least this.
const NARROWEST: usize = 8;

/// Rows under a head. Cells and head may be any text, without colours; `paint` colours them.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&cell| cell.to_owned()).collect(), rows: Vec::new() }
    }

    /// The lines. On a terminal that is too narrow the widest columns give way first.
    pub(super) fn lines(&self, style: OutputStyle, paint: impl Fn(usize, &str) -> Option<Paint>) -> Vec<String> {
        let widths = self.widths(style);
        let line = |cells: &[String], paint: &dyn Fn(usize, &str) -> Option<Paint>| {
            let mut text = String::new();
            for (at, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                let shown = out::fit_line(cell, *width, style);
                let pad = width.saturating_sub(measure_text_width(&shown)) + GAP;
                match paint(at, cell) {
                    Some(paint) => text.push_str(&style.paint(paint, &shown)),
                    None => text.push_str(&shown),
                }
                if at + 1 < widths.len() {
                    text.extend(std::iter::repeat_n(' ', pad));
                }
            }
            text.truncate(text.trim_end().len());
            text
        };
        let head = line(&self.head, &|_, _| Some(Paint::Bold));
        std::iter::once(head).chain(self.rows.iter().map(|row| line(row, &paint))).collect()
    }

    fn widths(&self, style: OutputStyle) -> Vec<usize> {
        let mut widths = vec![0; self.head.len()];
        for row in std::iter::once(&self.head).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                // As `one_line` shows it: the first line, and a mark where there are more.
                let shown = out::fit_line(cell, usize::MAX, style);
                *width = (*width).max(measure_text_width(&shown));
            }
        }
        let Some(columns) = style.width else { return widths };
        let room = columns.saturating_sub(GAP * widths.len().saturating_sub(1));
        loop {
            let over = widths.iter().sum::<usize>().saturating_sub(room);
            let Some(widest) = widths.iter_mut().max().filter(|width| over > 0 && **width > NARROWEST) else {
                return widths;
            };
            *widest -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "STAGE"]);
        table.rows.push(vec!["日本".into(), "Reading the whole of a rather long document".into()]);
        table.rows.push(vec!["a".into(), "short".into()]);
        table
    }

    #[test]
    fn a_pipe_gets_everything_in_columns() {
        let lines = table().lines(OutputStyle::default(), |_, _| None);
        assert_eq!(lines[0], "NAME  STAGE");
        assert_eq!(lines[1], "日本  Reading the whole of a rather long document");
        assert_eq!(lines[2], "a     short");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [20, 30, 80] {
            let style = OutputStyle { terminal: true, colour: true, width: Some(width) };
            for line in table().lines(style, |_, _| Some(Paint::Green)) {
                assert!(measure_text_width(&line) <= width, "{width}: {line}");
            }
        }
    }
}
