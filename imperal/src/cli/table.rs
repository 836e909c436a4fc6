//! Tables: columns as wide as their widest cell, cut where the terminal is narrower.
//!
//! Where cut columns are still too wide, those that say least are left out, then the last ones.

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
    /// Heads of columns that a narrow window can do without, in this order.
    spare: &'static [&'static str],
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&text| Cell::painted(text, Paint::Bold)).collect(), rows: Vec::new(), spare: &[] }
    }

    /// The columns that a narrow window does without, the first one first.
    #[must_use]
    pub(super) fn spare(self, heads: &'static [&'static str]) -> Self {
        Self { spare: heads, ..self }
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

    /// The width of each column. Columns without one are left out.
    fn widths(&self, style: OutputStyle) -> Vec<Option<usize>> {
        let mut widths: Vec<_> = self.full_widths(style).into_iter().map(Some).collect();
        let Some(columns) = style.width else { return widths };
        let least = |widths: &[Option<usize>]| {
            let shown = widths.iter().flatten();
            shown.clone().map(|width| GAP + (*width).min(MIN_WIDTH)).sum::<usize>().saturating_sub(GAP)
        };
        let spare = self.spare.iter().filter_map(|name| self.head.iter().position(|head| head.text == **name));
        let last_to_second = (1..widths.len()).rev();
        for column in spare.chain(last_to_second) {
            if least(&widths) <= columns {
                break;
            }
            widths[column] = None;
        }
        let gaps = GAP * widths.iter().flatten().count().saturating_sub(1);
        let room = columns.saturating_sub(gaps);
        loop {
            let over = widths.iter().flatten().sum::<usize>().saturating_sub(room);
            let widest = widths.iter_mut().flatten().max().filter(|width| over > 0 && **width > 1);
            let Some(widest) = widest else { return widths };
            *widest -= 1;
        }
    }

    fn full_widths(&self, style: OutputStyle) -> Vec<usize> {
        let mut widths = vec![0; self.head.len()];
        for row in std::iter::once(&self.head).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                let shown = out::fit_line(&cell.text, usize::MAX, style);
                *width = (*width).max(measure_text_width(&shown));
            }
        }
        widths
    }
}

fn line(cells: &[Cell], widths: &[Option<usize>], style: OutputStyle) -> String {
    let mut text = String::new();
    let last = widths.iter().rposition(Option::is_some);
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let Some(width) = *width else { continue };
        let shown = out::fit_line(&cell.text, width, style);
        let pad = width.saturating_sub(measure_text_width(&shown)) + GAP;
        match cell.paint {
            Some(paint) => text.push_str(&style.paint(paint, &shown)),
            None => text.push_str(&shown),
        }
        if Some(at) != last {
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
    fn columns_that_do_not_fit_are_left_out() {
        let style = |width| OutputStyle { terminal: true, colour: false, width: Some(width) };
        let mut table = Table::new(&["FIRST", "SECOND", "THIRD", "LAST"]).spare(&["THIRD", "SECOND"]);
        table.add_row(["a first cell", "a second cell", "a third cell", "a last cell"].map(Cell::plain));
        let heads = |width| table.lines(style(width))[0].split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(heads(40), ["FIRST", "SECOND", "THIRD", "LAST"]);
        assert_eq!(heads(36), ["FIRST", "SECOND", "LAST"]);
        assert_eq!(heads(20), ["FIRST", "LAST"]);
        assert_eq!(heads(9), ["FIRST"]);
        for width in 1..60 {
            for line in table.lines(style(width)) {
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
