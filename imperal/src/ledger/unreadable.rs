//! Stored rows that could not be read: each is logged once and counted.
//!
//! The stand-in that a reader gets is made in `decode`.

#[cfg(feature = "platform")]
use std::collections::HashSet;
use std::sync::Arc;
#[cfg(feature = "platform")]
use std::sync::{Mutex, PoisonError};

#[cfg(feature = "platform")]
use super::Owner;
use crate::meters::Counter;

/// Rows that are remembered. Further ones are neither logged nor counted.
#[cfg(feature = "platform")]
const MAX_REPORTED: usize = 10_000;

/// The unreadable rows that this process has met.
#[derive(Debug, Clone, Default)]
pub(super) struct Unreadable(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: Counter,
    #[cfg(feature = "platform")]
    named: Mutex<HashSet<(&'static str, String)>>,
}

/// An unreadable row. Its content stays out of the log.
#[cfg(feature = "platform")]
#[derive(Debug, Clone, Copy)]
pub(super) struct UnreadableRow<'a> {
    /// The table, or the kind of row.
    pub(super) table: &'static str,
    /// The row's number.
    pub(super) row: &'a str,
    /// The owner, if known.
    pub(super) owner: Option<&'a Owner>,
    /// What is wrong.
    pub(super) why: &'a str,
}

impl Unreadable {
    /// Logs the row unless it was logged before.
    #[cfg(feature = "platform")]
    pub(super) fn report(&self, found: &UnreadableRow<'_>) {
        let UnreadableRow { table, row, owner, why } = *found;
        // Some numbers are counted per owner.
        let name = owner.map_or_else(|| row.to_owned(), |owner| format!("{row} of {owner:?}"));
        let mut named = self.0.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() >= MAX_REPORTED || !named.insert((table, name)) {
            return;
        }
        let full = named.len() >= MAX_REPORTED;
        drop(named);
        self.0.count.inc();
        let (tenant, user) = owner.map_or(("", ""), |owner| (&*owner.tenant_id, &*owner.user_id));
        tracing::error!(table, row, ?tenant, ?user, "ledger: a stored row cannot be read and is passed over: {why}");
        if full {
            tracing::error!(rows = MAX_REPORTED, "ledger: no more unreadable rows are named");
        }
    }

    pub(super) fn count(&self) -> &Counter {
        &self.0.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_counted_once() {
        let unreadable = Unreadable::default();
        let (anna, ben) = (Owner::new("t", "anna"), Owner::new("t", "ben"));
        for owner in [&anna, &ben, &anna] {
            unreadable.report(&UnreadableRow { table: "turn", row: "7", owner: Some(owner), why: "body is not JSON" });
        }
        assert_eq!(unreadable.count().get(), 2);
        for row in 0..2 * MAX_REPORTED {
            unreadable.report(&UnreadableRow { table: "task", row: &row.to_string(), owner: None, why: "" });
        }
        assert_eq!(unreadable.count().get(), MAX_REPORTED as u64);
    }
}
