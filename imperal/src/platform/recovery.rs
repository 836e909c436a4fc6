//! Settles the work of incarnations that have ended.
//!
//! Runs at the start and every few seconds, in a loop of its own. It ends calls with an "interrupted" reply,
//! then their tasks with an "interrupted" outcome. Several nodes may do it at once; the ledger stores each
//! ending once. [`super::lease`] decides when other nodes' leases are left alone.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use tracing::Instrument;

use super::Node;
use super::active::Lease;
use super::drafts::{end_drafts, left_drafts};
use super::durable_digest::BoundEnd;
use super::messages::{self, WorkRef};
use super::meters::Reclaimed;
use crate::failpoint;
use crate::ledger::{AuditOutcome, CancelOutcome, Fut, Incarnation, LedgerError, NewAudit, Orphan, Work};
use crate::trace::TARGET;

/// Orphans per batch: enough for a group commit, few enough to hold in memory.
const BATCH: u32 = 256;
/// How long a task that lost its process may be queued before an event says so. A node usually takes it sooner.
const UNTOLD: Duration = Duration::from_secs(1);
/// How often a node looks for stuck tasks and reads the gauges of the backlog, at least. A task is stuck for 30 s before
/// it is marked, so more looks would only cost statements.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often one pass marks or announces a few tasks.
const SHORT_WRITES: u32 = 8;
/// Largest batch, when the first orphans cannot be settled.
const MAX_BATCH: u32 = BATCH << 8;

/// One pass over the orphans.
#[derive(Debug)]
struct Pass {
    limit: u32,
    /// The batch before this one.
    seen: Vec<Work>,
    /// Why work of that batch could not be settled.
    failed: Vec<LedgerError>,
}

impl Pass {
    fn new() -> Self {
        Self { limit: BATCH, seen: Vec::new(), failed: Vec::new() }
    }

    /// Whether to try this batch. When it is the batch before, its work cannot be settled: the pass then
    /// doubles the batch to reach the work behind it, or ends.
    fn goes_on(&mut self, orphans: &[Orphan]) -> bool {
        let batch: Vec<Work> = orphans
            .iter()
            .map(|orphan| match orphan {
                Orphan::Call { call_id, .. } => Work::Call(*call_id),
                Orphan::Task(record) => Work::Task(record.task.attempt()),
            })
            .collect();
        if batch.is_empty() || (batch == self.seen && batch.len() < self.limit as usize) {
            return false;
        }
        if batch == self.seen {
            if self.limit >= MAX_BATCH {
                return false;
            }
            self.limit *= 2;
        }
        self.seen = batch;
        true
    }
}

impl Node {
    /// Settles orphans at every tick, until the platform ends.
    pub(super) async fn recovery_loop(self: Arc<Self>) {
        let mut tick = tokio::time::interval(self.settings.renew_every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looks_again_at = Instant::now();
        while self.ended.run_until_cancelled(tick.tick()).await.is_some() {
            failpoint::hit("recovery");
            if self.may_have_lapsed() {
                self.start_grace_period();
            }
            let grace_until = *self.grace_until.read().unwrap_or_else(PoisonError::into_inner);
            if grace_until.is_some_and(|until| Instant::now() < until) {
                continue;
            }
            let looks = Instant::now() >= looks_again_at;
            if looks {
                looks_again_at = Instant::now() + LOOK_EVERY.min(self.settings.renew_every * 10);
            }
            match self.settle_orphans(looks).await {
                // The renewal notices when this incarnation has ended.
                Ok(()) | Err(LedgerError::Fenced) => {}
                Err(error) => {
                    if !self.ended.is_cancelled() {
                        tracing::warn!(%error, "looking for interrupted work failed");
                    }
                    self.start_grace_period();
                }
            }
        }
    }

    /// Ends tasks that were asked to stop before their call had its reply and that no process holds: they wait for no
    /// slot.
    pub(super) async fn end_cancelled_tasks(&self) -> Result<(), LedgerError> {
        for record in self.ledger.cancelled_tasks(256).await? {
            let task_id = record.task.task_id;
            let target = Some(task_id.to_string());
            let audit =
                NewAudit { target, ..NewAudit::new(&record.owner, "platform", "task.cancel", AuditOutcome::Done) };
            let end = messages::cancelled_unheld(WorkRef::of_record(&record), &record.task.name);
            let write = |end| self.ledger.request_cancel(task_id, audit.clone(), end);
            let ended = match self.bind_end(task_id, end).await {
                Ok(end) => self.write_unheld_end(task_id, end, write).await,
                Err(error) => Err(error),
            };
            match ended {
                Ok(CancelOutcome::Ended(record)) => self.meters.task(record.task.state, Duration::ZERO),
                // Another node has ended it, or a process has it now and sees the request.
                Ok(CancelOutcome::Requested(_) | CancelOutcome::AlreadyEnded(_)) => {}
                // One task that cannot be ended does not keep the others.
                Err(error) => tracing::warn!(task = %task_id, %error, "a cancelled task cannot be ended yet"),
            }
        }
        Ok(())
    }

    /// Expires lapsed leases, then settles the work of all ended incarnations. Sometimes it also looks at what waits.
    async fn settle_orphans(&self, looks: bool) -> Result<(), LedgerError> {
        let expired = self.ledger.expire_leases(&self.lease().incarnation).await?;
        self.settle_batches().await?;
        self.end_cancelled_tasks().await?;
        if looks {
            self.look_for_stuck_tasks().await?;
        }
        if expired > 0 && self.ended.run_until_cancelled(tokio::time::sleep(UNTOLD)).await.is_none() {
            return Ok(());
        }
        let Lease { incarnation, .. } = self.lease();
        self.repeat(|| self.ledger.announce_queued(&incarnation, UNTOLD)).await?;
        Ok(())
    }

    /// Repeats a write of a few tasks until it finds none. Other writes come between. A pass ends after some of them, so
    /// that it does not keep the loop from expiring leases. Returns how many tasks there were.
    pub(super) async fn repeat<'a>(&self, mut write: impl FnMut() -> Fut<'a, u64>) -> Result<u64, LedgerError> {
        let mut found = 0;
        for _ in 0..SHORT_WRITES {
            let now = write().await?;
            found += now;
            if now == 0 || self.ended.is_cancelled() {
                break;
            }
        }
        Ok(found)
    }

    /// Settles the work of incarnations that have ended already, at the start. It expires no lease: the ledger may
    /// have been out of reach until now, so a grace period for the other nodes begins.
    pub(super) async fn settle_at_start(&self) -> Result<(), LedgerError> {
        self.start_grace_period();
        self.settle_batches().await
    }

    /// Settles batch after batch of the work of ended incarnations.
    async fn settle_batches(&self) -> Result<(), LedgerError> {
        let mut pass = Pass::new();
        loop {
            let Lease { incarnation, .. } = self.lease();
            let orphans = self.ledger.orphans(pass.limit).await?;
            if !self.settle_all(&incarnation, orphans, &mut pass).await? {
                self.report_unsettled(&pass);
                return Ok(());
            }
        }
    }

    /// Settles one batch. Returns whether there may be more.
    async fn settle_all(
        &self,
        incarnation: &Incarnation,
        orphans: Vec<Orphan>,
        pass: &mut Pass,
    ) -> Result<bool, LedgerError> {
        if !pass.goes_on(&orphans) {
            return Ok(false);
        }
        failpoint::hit("before-recovery");
        tracing::info!(count = orphans.len(), "settling interrupted work");
        let span = tracing::debug_span!(target: TARGET, parent: None, "recovery", count = i64::try_from(orphans.len()).unwrap_or(i64::MAX));
        // Calls first: an outcome never comes before its call's reply.
        let (calls, tasks): (Vec<_>, Vec<_>) = orphans.into_iter().partition(|o| matches!(o, Orphan::Call { .. }));
        pass.failed.clear();
        let mut settled_any = false;
        for group in [calls, tasks] {
            let settling = join_all(group.iter().map(|orphan| self.settle(incarnation, orphan)));
            for settled in settling.instrument(span.clone()).await {
                match settled {
                    // Another node was faster, or the call comes with the next batch.
                    Ok(()) | Err(LedgerError::AlreadyReplied | LedgerError::AlreadyEnded | LedgerError::IdExists) => {
                        settled_any = true;
                    }
                    Err(LedgerError::CallNotReplied | LedgerError::NotFound | LedgerError::NotOrphaned) => {}
                    Err(error @ LedgerError::Fenced) => return Err(error),
                    Err(error) => pass.failed.push(error),
                }
            }
        }
        // A slow ledger that settled some work is not broken: the rest comes with the next batch.
        if !settled_any
            && let Some(error) = pass.failed.first()
            && self.ledger.check_writable().await.is_err()
        {
            return Err(error.clone());
        }
        Ok(true)
    }

    /// Logs once that some work cannot be settled although the ledger can write. Other work goes on.
    fn report_unsettled(&self, pass: &Pass) {
        let count = u64::try_from(pass.failed.len()).unwrap_or(u64::MAX);
        if self.meters.unsettled.set(count) != count
            && let Some(error) = pass.failed.first()
        {
            tracing::error!(count, %error, "interrupted work cannot be settled: it is left as it is and tried again");
        }
    }

    async fn settle(&self, incarnation: &Incarnation, orphan: &Orphan) -> Result<(), LedgerError> {
        match orphan {
            Orphan::Call { call_id, owner, turn, .. } => {
                // `None` for a call whose turn cannot be read.
                let function = turn.function.as_deref().unwrap_or("The call");
                let work = WorkRef {
                    tenant_id: &owner.tenant_id,
                    user_id: &owner.user_id,
                    app_id: &turn.app_id,
                    function,
                    call_id: Some(*call_id),
                    task_id: None,
                };
                let mut reply = messages::answer_turn(work, messages::interrupted(function));
                // Nothing writes drafts of an orphan, so nothing comes between this and the reply.
                let left = self.ledger.drafts_of_work(Work::Call(*call_id)).await?;
                end_drafts(&mut reply, left_drafts(left));
                self.ledger.reclaim_call(incarnation, *call_id, reply).await?;
                self.meters.reclaimed(Reclaimed::Call);
                failpoint::hit("call-recovered");
            }
            Orphan::Task(record) => {
                let task = &record.task;
                let work = WorkRef {
                    tenant_id: &record.owner.tenant_id,
                    user_id: &record.owner.user_id,
                    app_id: &task.app_id,
                    function: &task.function,
                    call_id: Some(task.call_id),
                    task_id: Some(task.task_id),
                };
                // A repaired file may have lost that the task is durable, and not its rows.
                let end = BoundEnd::plain(messages::reclaimed(work, task));
                let write = |end| self.ledger.reclaim_task(incarnation, task.task_id, end);
                self.write_unheld_end(task.task_id, end, write).await?;
                self.meters.reclaimed(Reclaimed::Task);
                failpoint::hit("task-recovered");
            }
        }
        Ok(())
    }
}
