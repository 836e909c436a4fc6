//! The audit trail.

use std::future::Future;

use super::LedgerResult;
use crate::ledger::{AuditFilter, AuditRow, ChainEnds, NewAudit, Owner, Page};

/// The audit trail. Used by access checks, operators and the check of the chains.
///
/// Rows are only added; retention alone removes them, oldest first. Each owner's rows form one hash
/// chain, so owners do not wait for each other: a row carries
/// [`AuditHash::of`](crate::ledger::AuditHash::of) the hash before it, its time and its content. The
/// transaction that adds a row also stores its hash as the end of the owner's chain. The transaction
/// that removes rows stores the hash of the last removed row, which the first kept row follows.
pub trait AuditTrail: Send + Sync {
    /// Writes an audit row and nothing else.
    fn write_audit(&self, row: NewAudit) -> impl Future<Output = LedgerResult<()>> + Send;

    /// Audit rows in the order of their numbers.
    fn audit_rows(&self, filter: AuditFilter) -> impl Future<Output = LedgerResult<Page<AuditRow>>> + Send;

    /// The ends of each owner's chain, or of this owner's only. An owner without rows has none.
    fn chain_ends(&self, owner: Option<Owner>) -> impl Future<Output = LedgerResult<Vec<(Owner, ChainEnds)>>> + Send;
}
