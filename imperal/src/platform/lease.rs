//! Keeps this node's lease, and knows how old it is.
//!
//! The renewal runs in a loop of its own: a long recovery holds up no renewal. A lease that has lasted
//! its time by this node's clock may be another node's by now: the node is not ready then, and new
//! calls wait for the renewal, or are refused when none comes.
//!
//! After the ledger was out of reach, every lease may have lapsed, of nodes that are well too; and so
//! after this node stood still, since others may have stood still with it. For as long as a lease lasts
//! no other node's lease is ended then, so that each can be renewed first.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Node;
use super::active::Lease;
use super::meters::Renewal;
use crate::codes;
use crate::error::Error;
use crate::failpoint;
use crate::ledger::LedgerError;
use crate::result::Result;

/// How long a new call waits for the renewal of a lease that has lasted its time.
const RENEWAL_WAIT: Duration = Duration::from_secs(1);

/// When the lease that this node has was asked for.
#[derive(Debug)]
pub(super) struct LeaseAge(watch::Sender<Instant>);

impl LeaseAge {
    pub(super) fn requested_at(at: Instant) -> Self {
        Self(watch::Sender::new(at))
    }

    pub(super) fn get(&self) -> Duration {
        self.0.borrow().elapsed()
    }
}

impl Node {
    /// Renews, and listens for cancels asked of other nodes, until the platform ends.
    pub(super) async fn keep_alive(self: Arc<Self>) {
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
            let asked = Instant::now();
            match self.ledger.renew(&lease.incarnation, self.settings.lease).await {
                Ok(cancelled) => {
                    self.meters.renewal(Renewal::Renewed);
                    self.renewed(asked);
                    for task_id in cancelled {
                        self.active.cancel(task_id);
                    }
                    if std::mem::take(&mut out_of_reach) {
                        tracing::info!("the lease is renewed again");
                        self.start_grace_period();
                    }
                }
                // Signing off ends the life too, and then it is no loss.
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

    /// Whether this node's lease has lasted its time by the node's own clock.
    pub(super) fn may_have_lapsed(&self) -> bool {
        self.lease_age.get() >= self.settings.lease
    }

    /// Returns once the lease is this node's by its own clock; at once as a rule.
    ///
    /// # Errors
    /// `UNAVAILABLE` when it is not renewed within a second.
    pub(super) async fn wait_for_lease(&self) -> Result<()> {
        if !self.may_have_lapsed() {
            return Ok(());
        }
        let mut age = self.lease_age.0.subscribe();
        self.ledger.feed().request_renewal();
        let renewed = age.wait_for(|at| at.elapsed() < self.settings.lease);
        match tokio::time::timeout(RENEWAL_WAIT, renewed).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(self.lapsed()),
        }
    }

    /// The error for a call that needs the lease.
    fn lapsed(&self) -> Error {
        let why = format!("the lease was last renewed {} s ago", self.lease_age.get().as_secs());
        Error::platform(
            codes::UNAVAILABLE,
            "The platform cannot accept calls right now. Nothing was accepted; try again.",
        )
        .with_source(why)
    }

    /// The lease runs from some time after it was asked for: what stood still may have done so between.
    fn renewed(&self, asked: Instant) {
        if self.may_have_lapsed() {
            self.start_grace_period();
        }
        self.lease_age.0.send_replace(asked);
    }

    pub(super) fn start_grace_period(&self) {
        let until = Instant::now() + self.settings.lease;
        *self.grace_until.write().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Another node took this one for dead: its work is not ours any more.
    async fn rejoin(&self, lost: &Lease) {
        tracing::error!(node = %lost.incarnation.node, incarnation = lost.incarnation.number, "the lease was lost: dropping all work of this incarnation");
        self.active.lose(lost);
        let asked = Instant::now();
        match self.ledger.join(&self.settings.node, self.settings.lease).await {
            Ok(incarnation) => {
                *self.lease.write().unwrap_or_else(PoisonError::into_inner) = incarnation.into();
                self.renewed(asked);
            }
            Err(error) => tracing::warn!(%error, "joining again failed"),
        }
    }
}
