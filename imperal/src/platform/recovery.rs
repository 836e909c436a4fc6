//! Keeps this node's lease, and settles what ended lives have left behind.
//!
//! Runs at start and every few seconds, each in a loop of its own: a long recovery holds up no
//! renewal. What it finds, it ends: calls with an "interrupted" reply, then their tasks with an
//! "interrupted" outcome. The ledger makes sure that it happens once, whoever else is looking.
//!
//! After the ledger was out of reach, every lease may have lapsed, of nodes that are well too; and so
//! after this node stood still, since others may have stood still with it. For as long as a lease lasts
//! nobody's is ended then, so that each can be renewed first.

use std::sync::{Arc, PoisonError};

use futures_util::future::join_all;
use tokio::time::Instant;
use tracing::Instrument;

use super::Node;
use super::live::Life;
use super::meters::{Reclaimed, Renewal};
use super::words::{self, About};
use crate::crash;
use crate::ledger::{Incarnation, LedgerError, Orphan};
use crate::trace::TARGET;

/// Orphans settled at once: enough for a group commit, few enough to hold in memory.
const BATCH: u32 = 256;

impl Node {
    /// Renews, and listens for cancels asked of other nodes, until the platform ends.
    pub(super) async fn keep_alive(self: Arc<Self>) {
        let mut tick = tokio::time::interval(self.settings.renew_every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut out_of_reach = false;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.ledger.feed().asked() => {}
                () = self.ended.cancelled() => return,
            }
            let life = self.life();
            let asked = Instant::now();
            match self.ledger.renew(&life.holder, self.settings.lease).await {
                Ok(cancelled) => {
                    self.meters.renewal(Renewal::Renewed);
                    self.renewed(asked);
                    for task_id in cancelled {
                        self.live.cancel(task_id);
                    }
                    if std::mem::take(&mut out_of_reach) {
                        tracing::info!("the lease is renewed again");
                        self.be_lenient();
                    }
                }
                // Signing off ends the life too, and then it is no loss.
                Err(LedgerError::Fenced) if self.ended.is_cancelled() => return,
                Err(LedgerError::Fenced) => {
                    self.meters.renewal(Renewal::Lost);
                    self.begin_new_life(&life).await;
                }
                Err(error) => {
                    out_of_reach = true;
                    self.meters.renewal(Renewal::Failed);
                    tracing::warn!(%error, "the lease could not be renewed");
                }
            }
        }
    }

    /// Looks after what ended lives have left, until the platform ends.
    pub(super) async fn keep_recovering(self: Arc<Self>) {
        let mut tick = tokio::time::interval(self.settings.renew_every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while self.ended.run_until_cancelled(tick.tick()).await.is_some() {
            if self.may_have_lapsed() {
                self.be_lenient();
            }
            let lenient_until = *self.lenient_until.read().unwrap_or_else(PoisonError::into_inner);
            if lenient_until.is_some_and(|until| Instant::now() < until) {
                continue;
            }
            match self.settle_orphans().await {
                // A life that is over is the renewal's to notice.
                Ok(()) | Err(LedgerError::Fenced) => {}
                Err(error) => {
                    if !self.ended.is_cancelled() {
                        tracing::warn!(%error, "looking for interrupted work failed");
                    }
                    self.be_lenient();
                }
            }
        }
    }

    /// Whether this node's lease has lasted its time by the node's own clock.
    fn may_have_lapsed(&self) -> bool {
        self.renewed_at.read().unwrap_or_else(PoisonError::into_inner).elapsed() >= self.settings.lease
    }

    /// The lease runs from some time after it was asked for: what stood still may have done so between.
    fn renewed(&self, asked: Instant) {
        if self.may_have_lapsed() {
            self.be_lenient();
        }
        *self.renewed_at.write().unwrap_or_else(PoisonError::into_inner) = asked;
    }

    fn be_lenient(&self) {
        let until = Instant::now() + self.settings.lease;
        *self.lenient_until.write().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Another node took this one for dead: its work is not ours any more.
    async fn begin_new_life(&self, lost: &Life) {
        tracing::error!(node = %lost.holder.node, epoch = lost.holder.epoch, "the lease was lost: dropping all work of this life");
        self.live.lose(lost);
        let asked = Instant::now();
        match self.ledger.join(&self.settings.node, self.settings.lease).await {
            Ok(life) => {
                *self.life.write().unwrap_or_else(PoisonError::into_inner) = life.into();
                self.renewed(asked);
            }
            Err(error) => tracing::warn!(%error, "joining again failed"),
        }
    }

    /// Ends everything that ended lives have left, and whoever's life has lapsed before.
    pub(super) async fn settle_orphans(&self) -> Result<(), LedgerError> {
        loop {
            let Life { holder, .. } = self.life();
            let orphans = self.ledger.orphans(&holder, BATCH).await?;
            if !self.settle_all(&holder, orphans).await? {
                return Ok(());
            }
        }
    }

    /// The same at the start. The ledger may have been out of reach until now: others' lives are left
    /// for later.
    pub(super) async fn settle_left(&self) -> Result<(), LedgerError> {
        self.be_lenient();
        loop {
            let Life { holder, .. } = self.life();
            let left = self.ledger.left(&holder, BATCH).await?;
            if !self.settle_all(&holder, left).await? {
                return Ok(());
            }
        }
    }

    /// Whether anything was settled, so that there may be more.
    async fn settle_all(&self, life: &Incarnation, orphans: Vec<Orphan>) -> Result<bool, LedgerError> {
        if orphans.is_empty() {
            return Ok(false);
        }
        crash::point("before-recovery");
        tracing::info!(count = orphans.len(), "settling interrupted work");
        let span = tracing::debug_span!(target: TARGET, parent: None, "recovery", count = i64::try_from(orphans.len()).unwrap_or(i64::MAX));
        // Calls first: a task's outcome never stands before its call's reply.
        let (mut settled_any, mut failed) = (false, None);
        let (calls, tasks): (Vec<_>, Vec<_>) = orphans.into_iter().partition(|o| matches!(o, Orphan::Call { .. }));
        for group in [calls, tasks] {
            let settling = join_all(group.iter().map(|orphan| self.settle(life, orphan)));
            for settled in settling.instrument(span.clone()).await {
                match settled {
                    // Somebody was faster, or the call comes with the next batch.
                    Ok(()) | Err(LedgerError::Settled) => settled_any = true,
                    Err(LedgerError::TooEarly) => {}
                    Err(error) => failed = Some(error),
                }
            }
        }
        // What a slow ledger had no time for comes with the next batch, as long as it has for some.
        failed.filter(|_| !settled_any).map_or(Ok(settled_any), Err)
    }

    async fn settle(&self, life: &Incarnation, orphan: &Orphan) -> Result<(), LedgerError> {
        match orphan {
            Orphan::Call { call_id, owner, turn, .. } => {
                let function = turn.function.as_deref().unwrap_or_default();
                let about = About {
                    tenant_id: &owner.tenant_id,
                    user_id: &owner.user_id,
                    app_id: &turn.app_id,
                    function,
                    call_id: Some(*call_id),
                    task_id: None,
                };
                let reply = words::answer_turn(about, words::interrupted(function));
                self.ledger.reclaim_call(life, *call_id, reply).await?;
                self.meters.reclaimed(Reclaimed::Call);
                crash::point("call-recovered");
            }
            Orphan::Task(record) => {
                let task = &record.task;
                let about = About {
                    tenant_id: &record.owner.tenant_id,
                    user_id: &record.owner.user_id,
                    app_id: &task.app_id,
                    function: &task.function,
                    call_id: Some(task.call_id),
                    task_id: Some(task.task_id),
                };
                self.ledger.reclaim_task(life, task.task_id, words::reclaimed(about, task)).await?;
                self.meters.reclaimed(Reclaimed::Task);
                crash::point("task-recovered");
            }
        }
        Ok(())
    }
}
