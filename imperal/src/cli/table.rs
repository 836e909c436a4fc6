//! Tables: columns as wide as their widest cell, cut where the terminal is narrower.

use console::measure_text_width;

use super::out::{self, OutputStyle, Paint};

/// Columns between two cells.
const GAP: usize = 2;
/// A cut column keeps at least this width.
const MIN_WIDTH: usize = 8;

/// A cell: any text, which may be of foreign origin, and its colour.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    paint: Option<Paint>,
}

impl Cell {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), paint: None }
    }

    pub(super) fn painted(text: impl Into<String>, paint: Paint) -> Self {
        Self { text: text.into(), paint: Some(paint) }
    }
}

/// Rows under a head.
#[derive(Debug)]
pub(super) struct Table {
    head: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&text| Cell::painted(text, Paint::Bold)).collect(), rows: Vec::new() }
    }

    /// Adds a row of as many cells as the head has.
    pub(super) fn add_row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines. On a terminal that is too narrow the widest columns are cut first.
    pub(super) fn lines(&self, style: OutputStyle) -> Vec<String> {
        let widths = self.widths(style);
        std::iter::once(&self.head).chain(&self.rows).map(|cells| line(cells, &widths, style)).collect()
    }

    fn widths(&self, style: OutputStyle) -> Vec<usize> {
        let mut widths = vec![0; self.head.len()];
        for row in std::iter::once(&self.head).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                let shown = out::fit_line(&cell.text, usize::MAX, style);
                *width = (*width).max(measure_text_width(&shown));
            }
        }
        let Some(columns) = style.width else { return widths };
        let room = columns.saturating_sub(GAP * widths.len().saturating_sub(1));
        loop {
            let over = widths.iter().sum::<usize>().saturating_sub(room);
            let Some(widest) = widths.iter_mut().max().filter(|width| over > 0 && **width > MIN_WIDTH) else {
                return widths;
            };
            *widest -= 1;
        }
    }
}

fn line(cells: &[Cell], widths: &[usize], style: OutputStyle) -> String {
    let mut text = String::new();
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let shown = out::fit_line(&cell.text, *width, style);
        let pad = width.saturating_sub(measure_text_width(&shown)) + GAP;
        match cell.paint {
            Some(paint) => text.push_str(&style.paint(paint, &shown)),
            None => text.push_str(&shown),
        }
        if at + 1 < widths.len() {
            text.extend(std::iter::repeat_n(' ', pad));
        }
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "STAGE"]);
        let stage = "Reading the whole of a rather long document";
        table.add_row([Cell::plain("日本"), Cell::painted(stage, Paint::Green)]);
        table.add_row([Cell::plain("a"), Cell::painted("short", Paint::Red)]);
        table
    }

    #[test]
    fn pipe_gets_whole_cells() {
        let lines = table().lines(OutputStyle::default());
        assert_eq!(lines[0], "NAME  STAGE");
        assert_eq!(lines[1], "日本  Reading the whole of a rather long document");
        assert_eq!(lines[2], "a     short");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [20, 30, 80] {
            let style = OutputStyle { terminal: true, colour: true, width: Some(width) };
            for line in table().lines(style) {
                assert!(measure_text_width(&line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn cells_have_their_colour() {
        let style = OutputStyle { terminal: true, colour: true, width: None };
        assert_eq!(table().lines(style)[2], "a     \u{1b}[31mshort\u{1b}[0m");
    }
}
