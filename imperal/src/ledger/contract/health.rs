//! Readiness, hints and metrics of a ledger.

use std::future::Future;

use super::LedgerResult;
use crate::ledger::{Feed, LedgerMeters};

/// Readiness, hints and metrics. Used by `/readyz`, `/metrics` and streams.
///
/// **Hints.** After a commit the backend tells its [`Feed`]: new events and, from
/// [`Tasks::note_progress`](super::Tasks::note_progress), progress; from
/// [`Drafts::write_drafts`](super::Drafts::write_drafts), pieces of drafts. A lost hint costs time and never an event.
pub trait Health: Send + Sync {
    /// Fails if the ledger cannot write right now.
    fn check_writable(&self) -> impl Future<Output = LedgerResult<()>> + Send;

    /// Where commits are announced.
    fn feed(&self) -> &Feed;

    /// The ledger's metrics.
    fn meters(&self) -> &LedgerMeters;
}
