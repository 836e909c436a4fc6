//! The age of a node's lease, counted from the request for it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// When this node requested its current lease.
#[derive(Debug)]
pub(super) struct LeaseAge(watch::Sender<Instant>);

impl LeaseAge {
    pub(super) fn requested_at(at: Instant) -> Self {
        Self(watch::Sender::new(at))
    }

    pub(super) fn get(&self) -> Duration {
        self.0.borrow().elapsed()
    }

    /// Follows the time of the request.
    pub(super) fn subscribe(&self) -> watch::Receiver<Instant> {
        self.0.subscribe()
    }

    /// Counts from this request on.
    pub(super) fn note_request(&self, at: Instant) {
        self.0.send_replace(at);
    }
}
