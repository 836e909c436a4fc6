//! Joining and leaving: who may write.

use std::future::Future;
use std::time::Duration;

use super::LedgerResult;
use crate::ledger::{Incarnation, RenewalNews};

/// Leases of nodes. Used by the loop that keeps this node's lease.
///
/// A node writes under its [`Incarnation`]: its name, and an epoch that grows with every join. An
/// incarnation ends when its node joins again or leaves, or when
/// [`Recovery::expire_leases`](super::Recovery::expire_leases) finds that its lease has expired. A
/// write of an ended incarnation is refused with `Fenced` by the transaction that would have written.
pub trait Leases: Send + Sync {
    /// Starts a new incarnation of the node, with a higher epoch than every earlier one. The work of
    /// its earlier incarnations is orphaned in the same transaction. The lease runs from now.
    fn join(&self, node: &str, lease: Duration) -> impl Future<Output = LedgerResult<Incarnation>> + Send;

    /// Extends the lease, also one that has expired and was not ended yet. Returns this incarnation's
    /// running tasks and open calls that have a cancel request.
    ///
    /// # Errors
    /// `Fenced`.
    fn renew(
        &self,
        incarnation: &Incarnation,
        lease: Duration,
    ) -> impl Future<Output = LedgerResult<RenewalNews>> + Send;

    /// Notes that the node is stopping: an end of this incarnation is no crash of its durable tasks. It need not
    /// be durable when it returns.
    ///
    /// # Errors
    /// `Fenced`.
    fn drain(&self, incarnation: &Incarnation) -> impl Future<Output = LedgerResult<()>> + Send;

    /// Ends the incarnation and orphans its work. No error if it has ended already.
    fn leave(&self, incarnation: &Incarnation) -> impl Future<Output = LedgerResult<()>> + Send;
}
