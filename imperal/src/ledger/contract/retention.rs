//! Removing what is old.

use std::future::Future;

use super::LedgerResult;
use crate::ledger::{Pruned, RetentionPolicy};

/// Retention. Used by the pruning loop, on every node at once.
///
/// Everything of an owner from the oldest call on that has no reply or a running task is kept,
/// however old: events, turns, calls and tasks.
pub trait Retention: Send + Sync {
    /// Removes rows that are older than the policy allows, by the ledger's clock, of some owners: about
    /// `limit` rows at most, in a short transaction of its own that need not be durable when it
    /// returns. Start with `from` 0 and continue with [`Pruned::next`] until that is `None`.
    ///
    /// A row that is old enough may stay for a later pass: one that unfinished work may need, one that
    /// another transaction holds, and, after the clock was set back, one behind a younger row.
    fn prune(
        &self,
        policy: &RetentionPolicy,
        from: u64,
        limit: u32,
    ) -> impl Future<Output = LedgerResult<Pruned>> + Send;
}
