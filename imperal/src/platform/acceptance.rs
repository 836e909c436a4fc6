//! When a call is written: at its beginning, or together with its reply.
//!
//! A call is in the ledger before its handler runs, so that a crash cannot lose what the handler did. A *read* does
//! nothing that could be lost. Its handler begins at once, and if it answers within [`DEFERRED`], the call and its reply
//! are one transaction: one synced commit instead of two. A read that takes longer, or uses a surface that writes for the
//! call, is written at that moment, as every other call is at its beginning.

use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

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

    /// Waits until the call is written or over, so a clone of a refused call's context does not wait for ever. Returns whether it is in the ledger.
    pub(super) async fn decided(&self) -> bool {
        self.request();
        tokio::select! {
            () = self.accepted.cancelled() => {}
            () = self.over.cancelled() => {}
        }
        self.accepted.is_cancelled()
    }

    pub(super) fn note_accepted(&self) {
        self.accepted.cancel();
    }

    /// Marks the call's end when it is dropped: whether the call is in the ledger does not change any more.
    pub(super) fn over(&self) -> DropGuard {
        self.over.clone().drop_guard()
    }
}
