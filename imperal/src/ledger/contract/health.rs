//! How the ledger is, and what it tells and measures.

use std::future::Future;

use super::LedgerResult;
use crate::ledger::{Feed, LedgerMeters};

/// What a ledger says about itself. Used by readiness, metrics and streams.
///
/// **Hints.** After a commit the backend tells its [`Feed`]: new events and, from
/// [`Tasks::note_progress`](super::Tasks::note_progress), progress. A lost hint costs time and never
/// an event.
pub trait Health: Send + Sync {
    /// Fails if the ledger cannot write right now.
    fn check_writable(&self) -> impl Future<Output = LedgerResult<()>> + Send;

    /// Where commits are announced.
    fn feed(&self) -> &Feed;

    /// What the ledger measures of itself.
    fn meters(&self) -> &LedgerMeters;
}
