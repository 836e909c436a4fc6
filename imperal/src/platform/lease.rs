//! Keeps this node's lease and knows its age.
//!
//! The renewal has a loop of its own, so a long recovery does not delay it. A lease that is older than its
//! length by this node's clock may belong to another node by now. The node is then not ready, and new calls
//! wait up to a second for the renewal.
//!
//! After the ledger was out of reach, the leases of healthy nodes may have lapsed too. The same holds after
//! this node was suspended, because its peers may have been suspended with it. A grace period of one lease
//! follows, in which this node expires no peer's lease, so that each peer can renew first.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Node;
use super::active::Lease;
use super::meters::Renewal;
use crate::codes;
use crate::error::Error;
use crate::failpoint;
use crate::ledger::LedgerError;
use crate::result::Result;

/// How long a new call waits for the renewal of a lapsed lease.
const RENEWAL_WAIT: Duration = Duration::from_secs(1);

impl Node {
    /// Renews the lease, and passes on cancels that other nodes received, until the platform ends.
    pub(super) async fn renewal_loop(self: Arc<Self>) {
        let mut tick = tokio::time::interval(self.settings.renew_every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut out_of_reach = false;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.ledger.feed().renewal_requested() => {}
                () = self.ended.cancelled() => return,
            }
            failpoint::hit("renewal");
            let lease = self.lease();
            let requested_at = Instant::now();
            match self.ledger.renew(&lease.incarnation, self.settings.lease).await {
                Ok(news) => {
                    self.meters.renewal(Renewal::Renewed);
                    self.note_renewal(requested_at);
                    for task_id in news.cancelled_tasks {
                        self.active.cancel_task(task_id);
                    }
                    for call_id in news.cancelled_calls {
                        self.active.cancel_call(call_id);
                    }
                    if std::mem::take(&mut out_of_reach) {
                        tracing::info!("the lease is renewed again");
                        self.start_grace_period();
                    }
                }
                // Leaving the ledger ends the incarnation too; that is no loss.
                Err(LedgerError::Fenced) if self.ended.is_cancelled() => return,
                Err(LedgerError::Fenced) => {
                    self.meters.renewal(Renewal::Lost);
                    self.rejoin(&lease).await;
                }
                Err(error) => {
                    out_of_reach = true;
                    self.meters.renewal(Renewal::Failed);
                    tracing::warn!(%error, "the lease could not be renewed");
                }
            }
        }
    }

    /// Whether this node's lease is older than its length, by the node's own clock.
    pub(super) fn may_have_lapsed(&self) -> bool {
        self.lease_age.get() >= self.settings.lease
    }

    /// Returns once the lease has not lapsed by this node's clock; usually at once.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the lease is not renewed within a second.
    pub(super) async fn wait_for_lease(&self) -> Result<()> {
        if !self.may_have_lapsed() {
            return Ok(());
        }
        let mut age = self.lease_age.subscribe();
        self.ledger.feed().request_renewal();
        let renewed = age.wait_for(|requested_at| requested_at.elapsed() < self.settings.lease);
        match tokio::time::timeout(RENEWAL_WAIT, renewed).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(self.lease_lapsed()),
        }
    }

    /// The error for a call that needs the lease.
    fn lease_lapsed(&self) -> Error {
        let why = format!("the lease was last renewed {} s ago", self.lease_age.get().as_secs());
        Error::platform(
            codes::UNAVAILABLE,
            "The platform cannot accept calls right now. Nothing was accepted; try again.",
        )
        .with_source(why)
    }

    /// Notes a renewal by the time of its request: the process may have been suspended between request and
    /// response.
    fn note_renewal(&self, requested_at: Instant) {
        if self.may_have_lapsed() {
            self.start_grace_period();
        }
        self.lease_age.note_request(requested_at);
    }

    /// Lets this node's peers renew: for one lease from now, this node expires none of theirs.
    pub(super) fn start_grace_period(&self) {
        let until = Instant::now() + self.settings.lease;
        *self.grace_until.write().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Joins again after another node took this one for dead, and drops all work under the lost lease.
    async fn rejoin(&self, lost: &Lease) {
        tracing::error!(node = %lost.incarnation.node, incarnation = lost.incarnation.number, "the lease was lost: dropping all work of this incarnation");
        self.active.end_lease(lost);
        let requested_at = Instant::now();
        match self.ledger.join(&self.settings.node, self.settings.lease).await {
            Ok(incarnation) => {
                *self.lease.write().unwrap_or_else(PoisonError::into_inner) = incarnation.into();
                self.note_renewal(requested_at);
            }
            Err(error) => tracing::warn!(%error, "joining again failed"),
        }
    }
}
