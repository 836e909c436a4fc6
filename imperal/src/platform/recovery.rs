//! Settles what ended lives have left behind.
//!
//! Runs at start and every few seconds, in a loop of its own. What it finds, it ends: calls with an
//! "interrupted" reply, then their tasks with an "interrupted" outcome. The ledger makes sure that it
//! happens once, whoever else is looking. When it leaves other nodes' leases alone, [`super::lease`] says.

use std::sync::{Arc, PoisonError};

use futures_util::future::join_all;
use tokio::time::Instant;
use tracing::Instrument;

use super::Node;
use super::live::Life;
use super::meters::Reclaimed;
use super::words::{self, About};
use crate::crash;
use crate::ledger::{Incarnation, LedgerError, Orphan};
use crate::trace::TARGET;

/// Orphans settled at once: enough for a group commit, few enough to hold in memory.
const BATCH: u32 = 256;

impl Node {
    /// Looks after what ended lives have left, until the platform ends.
    pub(super) async fn keep_recovering(self: Arc<Self>) {
        let mut tick = tokio::time::interval(self.settings.renew_every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while self.ended.run_until_cancelled(tick.tick()).await.is_some() {
            crash::panic_point("recovery");
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
