//! Pages: how many rows one read returns.
//!
//! A page ends at a number of rows or of stored bytes, whichever comes first, so that long texts do
//! not fill a reader's memory. It has at least one row: a reader makes progress, however large a row is.

use std::ops::Deref;
use std::vec;

use super::AuditScope;

/// The bounds of one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageLimit {
    /// Most rows.
    pub rows: u32,
    /// Most bytes of stored text. A first row may be larger.
    pub bytes: u64,
}

impl PageLimit {
    /// The default for bytes: 2 MiB.
    pub const BYTES: u64 = 2 << 20;

    /// A limit on rows, with [`PageLimit::BYTES`].
    pub const fn rows(rows: u32) -> Self {
        Self { rows, bytes: Self::BYTES }
    }

    /// The same limit with other bytes.
    #[must_use]
    pub const fn bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }
}

/// Selects audit rows.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AuditFilter {
    /// The owners whose rows to read.
    pub scope: AuditScope,
    /// Only rows with a higher number.
    pub after: u64,
    /// The limit of the page.
    pub limit: PageLimit,
}

impl AuditFilter {
    /// The rows of a scope from the first one on.
    pub fn new(scope: impl Into<AuditScope>, limit: PageLimit) -> Self {
        Self { scope: scope.into(), after: 0, limit }
    }

    /// Only rows with a higher number.
    #[must_use]
    pub fn after(self, after: u64) -> Self {
        Self { after, ..self }
    }
}

/// Rows of one read, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Whether the read ended before the last row. False if the limit is 0 rows.
    pub more: bool,
}

impl<T> Page<T> {
    /// A page from its parts, for backends that end it themselves.
    pub fn new(rows: Vec<T>, more: bool) -> Self {
        Self { rows, more }
    }

    /// Takes rows up to a limit; `size` is the stored bytes of a row.
    pub fn take(rows: impl IntoIterator<Item = T>, limit: PageLimit, size: impl Fn(&T) -> u64) -> Self {
        let mut page = PageBuilder::new(limit);
        for row in rows {
            if !page.accepts(size(&row)) {
                return page.end(true);
            }
            page.push(row);
        }
        page.end(false)
    }

    /// The same page with its rows in reverse order.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.rows.reverse();
        self
    }
}

impl<T> Page<Option<T>> {
    /// The same page without the rows that are `None`.
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

/// Collects the rows of a page.
#[derive(Debug)]
pub(super) struct PageBuilder<T> {
    limit: PageLimit,
    bytes: u64,
    rows: Vec<T>,
}

impl<T> PageBuilder<T> {
    pub(super) fn new(limit: PageLimit) -> Self {
        Self { limit, bytes: 0, rows: Vec::new() }
    }

    /// Whether the next row, of this size, belongs to the page.
    pub(super) fn accepts(&mut self, bytes: u64) -> bool {
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

    fn page(limit: PageLimit, sizes: &[u64]) -> (usize, bool) {
        let page = Page::take(sizes, limit, |size| **size);
        (page.len(), page.more)
    }

    #[test]
    fn a_page_ends_at_its_rows_or_bytes_and_has_at_least_one_row() {
        let limit = PageLimit::rows(3).bytes(10);
        assert_eq!(page(limit, &[]), (0, false));
        assert_eq!(page(limit, &[1, 1, 1]), (3, false));
        assert_eq!(page(limit, &[1, 1, 1, 1]), (3, true));
        assert_eq!(page(limit, &[5, 5]), (2, false), "exactly full");
        assert_eq!(page(limit, &[5, 5, 1]), (2, true));
        assert_eq!(page(limit, &[11]), (1, false), "one row is larger than a page");
        assert_eq!(page(limit, &[11, 1]), (1, true));
        assert_eq!(page(limit, &[1, 11, 1]), (1, true));
        assert_eq!(page(PageLimit::rows(0), &[1]), (0, false));
    }
}
