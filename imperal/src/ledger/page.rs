//! How much one read gives, and what it gave.
//!
//! A page ends at so many rows or so many stored bytes, whichever comes first, so that nobody's long texts fill
//! the memory of a reader. At least one row always comes: a reader gets on, however large a row is.

use std::ops::Deref;
use std::vec;

use super::AuditScope;

/// The bounds of one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// At most so many rows.
    pub rows: u32,
    /// At most so many bytes, as they are stored; one row may be larger.
    pub bytes: u64,
}

impl Limit {
    /// Bytes of a page unless told otherwise: 2 MiB.
    pub const BYTES: u64 = 2 << 20;

    /// So many rows, and [`Limit::BYTES`].
    pub const fn rows(rows: u32) -> Self {
        Self { rows, bytes: Self::BYTES }
    }

    /// The same with other bytes.
    #[must_use]
    pub const fn bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }
}

/// Which audit rows.
#[derive(Debug, Clone)]
pub struct AuditFilter {
    /// Whose.
    pub scope: AuditScope,
    /// Only rows with a higher number.
    pub after: u64,
    /// At most so many.
    pub limit: Limit,
}

/// Rows of one read, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Whether there are more where these end. False when no rows were asked for.
    pub more: bool,
}

impl<T> Page<T> {
    /// Takes rows up to a limit from those that are there; `size` says how many bytes one has.
    pub fn take(rows: impl IntoIterator<Item = T>, limit: Limit, size: impl Fn(&T) -> u64) -> Self {
        let mut page = Filling::new(limit);
        for row in rows {
            if !page.takes(size(&row)) {
                return page.end(true);
            }
            page.push(row);
        }
        page.end(false)
    }

    /// The same page with its rows the other way round.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.rows.reverse();
        self
    }
}

impl<T> Page<Option<T>> {
    /// The same page without rows that came to nothing.
    #[cfg(feature = "platform")]
    pub(super) fn flattened(self) -> Page<T> {
        Page { rows: self.rows.into_iter().flatten().collect(), more: self.more }
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), more: false }
    }
}

impl<T> Deref for Page<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.rows
    }
}

impl<T: PartialEq<U>, U> PartialEq<[U]> for Page<T> {
    fn eq(&self, rows: &[U]) -> bool {
        *self.rows == *rows
    }
}

impl<T: PartialEq<U>, U, const N: usize> PartialEq<[U; N]> for Page<T> {
    fn eq(&self, rows: &[U; N]) -> bool {
        *self.rows == *rows
    }
}

impl<T> IntoIterator for Page<T> {
    type Item = T;
    type IntoIter = vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

/// A page while its rows are read.
#[derive(Debug)]
pub(super) struct Filling<T> {
    limit: Limit,
    bytes: u64,
    rows: Vec<T>,
}

impl<T> Filling<T> {
    pub(super) fn new(limit: Limit) -> Self {
        Self { limit, bytes: 0, rows: Vec::new() }
    }

    /// Whether the next row, of so many bytes, belongs to the page.
    pub(super) fn takes(&mut self, bytes: u64) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        self.rows.len() < self.limit.rows as usize && (self.rows.is_empty() || self.bytes <= self.limit.bytes)
    }

    pub(super) fn push(&mut self, row: T) {
        self.rows.push(row);
    }

    pub(super) fn end(self, more: bool) -> Page<T> {
        Page { more: more && self.limit.rows > 0, rows: self.rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(limit: Limit, sizes: &[u64]) -> (usize, bool) {
        let page = Page::take(sizes, limit, |size| **size);
        (page.len(), page.more)
    }

    #[test]
    fn a_page_ends_at_its_rows_or_bytes_and_has_at_least_one_row() {
        let limit = Limit::rows(3).bytes(10);
        assert_eq!(page(limit, &[]), (0, false));
        assert_eq!(page(limit, &[1, 1, 1]), (3, false));
        assert_eq!(page(limit, &[1, 1, 1, 1]), (3, true));
        assert_eq!(page(limit, &[5, 5]), (2, false), "exactly full");
        assert_eq!(page(limit, &[5, 5, 1]), (2, true));
        assert_eq!(page(limit, &[11]), (1, false), "one row is larger than a page");
        assert_eq!(page(limit, &[11, 1]), (1, true));
        assert_eq!(page(limit, &[1, 11, 1]), (1, true));
        assert_eq!(page(Limit::rows(0), &[1]), (0, false));
    }
}
