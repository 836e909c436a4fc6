//! When a call is written: at its beginning, or together with its reply.
//!
//! A call is in the ledger before its handler runs, so that a crash cannot lose what the handler did. A *read* does
//! nothing that could be lost. Its handler begins at once, and if it answers within [`DEFERRED`], the call and its reply
//! are one transaction: one synced commit instead of two. A read that takes longer, or uses a surface that writes for the
//! call, is written at that moment, as every other call is at its beginning.

use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Node;
use crate::context::Origin;

/// How long a read runs before it is written.
pub(super) const DEFERRED: Duration = Duration::from_millis(5);

/// Whether a running read is in the ledger.
#[derive(Debug, Default)]
pub(super) struct Acceptance {
    wanted: Notify,
    accepted: CancellationToken,
    over: CancellationToken,
}

impl Acceptance {
    /// Completes when the call has to be written.
    pub(super) async fn due(&self) {
        tokio::select! {
            () = self.wanted.notified() => {}
            () = tokio::time::sleep(DEFERRED) => {}
        }
    }

    /// Has the call written soon.
    pub(super) fn request(&self) {
        self.wanted.notify_one();
    }

    pub(super) fn note_accepted(&self) {
        self.accepted.cancel();
    }

    /// The call's end: whether it is in the ledger does not change after the guard is dropped.
    pub(super) fn over(&self) -> DropGuard {
        self.over.clone().drop_guard()
    }
}

impl Node {
    /// Completes once the work's call is in the ledger: at once, but for a read that just began. A call that the ledger
    /// refuses ends its handler, so this does not complete for it.
    pub(super) async fn wait_for_acceptance(&self, origin: &Origin) {
        if let Some(acceptance) = self.active.find(origin).and_then(|work| work.acceptance) {
            acceptance.request();
            acceptance.accepted.cancelled().await;
        }
    }

    /// Whether the call that runs here under this id is in the ledger. Waits until that is known.
    pub(super) async fn is_accepted(&self, origin: &Origin) -> bool {
        let Some(work) = self.active.find(origin) else { return false };
        let Some(acceptance) = work.acceptance else { return true };
        acceptance.request();
        tokio::select! {
            () = acceptance.accepted.cancelled() => {}
            () = acceptance.over.cancelled() => {}
        }
        acceptance.accepted.is_cancelled()
    }

    /// Has the work's call written soon, without waiting for it.
    pub(super) fn request_acceptance(&self, origin: &Origin) {
        if let Some(acceptance) = self.active.find(origin).and_then(|work| work.acceptance) {
            acceptance.request();
        }
    }
}
