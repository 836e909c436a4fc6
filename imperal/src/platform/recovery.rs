//! Settles the work of incarnations that have ended.
//!
//! Runs at the start and every few seconds, in a loop of its own. It ends calls with an "interrupted" reply,
//! then their tasks with an "interrupted" outcome. Several nodes may do it at once; the ledger stores each
//! ending once. [`super::lease`] decides when other nodes' leases are left alone.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::Instrument;

use super::Node;
use super::messages::{self, WorkRef};
use super::settling::work_of;
use crate::failpoint;
use crate::ledger::{AuditOutcome, CancelOutcome, Fut, Incarnation, LedgerError, NewAudit, Orphan, Work};
use crate::trace::TARGET;

/// Orphans per batch: few enough to hold two batches in memory.
const BATCH: u32 = 2048;
/// Orphans that are settled together. Users' calls wait for the ledger's writer until they are written.
const TOGETHER: usize = 256;
/// The same before this node accepts calls: no caller waits, and larger writes touch each page of the file less often.
const TOGETHER_AT_START: usize = 1024;
/// Groups that are settled at the same time: the ledger writes one while the next is prepared.
const AT_ONCE: usize = 2;
/// How long a task that lost its process may be queued before an event says so. A node usually takes it sooner.
const UNTOLD: Duration = Duration::from_secs(1);
/// How often a node looks for stuck tasks and reads the gauges of the backlog, at least. A task is stuck for 30 s before
/// it is marked, so more looks would only cost statements.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often one pass marks or announces a few tasks.
const SHORT_WRITES: u32 = 8;
/// Largest batch, when the first orphans cannot be settled.
const MAX_BATCH: u32 = BATCH << 5;

/// One pass over the orphans.
#[derive(Debug)]
struct Pass {
    limit: u32,
    /// Orphans that are settled together.
    together: usize,
    /// The batch before this one.
    seen: Vec<Work>,
    /// Why work of that batch could not be settled.
    failed: Vec<LedgerError>,
}

impl Pass {
    fn new(together: usize) -> Self {
        Self { limit: BATCH, together, seen: Vec::new(), failed: Vec::new() }
    }

    /// Whether to try this batch. When it is the batch before, its work cannot be settled: the pass then
    /// doubles the batch to reach the work behind it, or ends.
    fn goes_on(&mut self, orphans: &[Orphan]) -> bool {
        let batch: Vec<Work> = orphans.iter().map(work_of).collect();
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

/// How one batch was settled.
#[derive(Debug, Default)]
struct Settled {
    /// Whether some of it was.
    any: bool,
    /// Why other work of it could not be.
    failed: Vec<LedgerError>,
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
        self.settle_batches(TOGETHER).await?;
        self.end_cancelled_tasks().await?;
        if looks {
            self.look_for_stuck_tasks().await?;
        }
        if expired > 0 && self.ended.run_until_cancelled(tokio::time::sleep(UNTOLD)).await.is_none() {
            return Ok(());
        }
        let incarnation = self.lease().incarnation.clone();
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
        self.settle_batches(TOGETHER_AT_START).await
    }

    /// Settles batch after batch of the work of ended incarnations.
    async fn settle_batches(&self, together: usize) -> Result<(), LedgerError> {
        let mut pass = Pass::new(together);
        let mut ahead = Vec::new();
        loop {
            let incarnation = self.lease().incarnation.clone();
            let orphans = if ahead.is_empty() { self.ledger.orphans(pass.limit).await? } else { ahead };
            if !pass.goes_on(&orphans) {
                if orphans.is_empty() {
                    // An answer was lost, and the write was not.
                    pass.failed.clear();
                }
                self.report_unsettled(&pass);
                return Ok(());
            }
            let half_way = Notify::new();
            let settling = self.settle_all(&incarnation, orphans, &pass, &half_way);
            let (settled, next) = tokio::try_join!(settling, async { Ok(self.read_ahead(&pass, &half_way).await) })?;
            pass.failed = settled.failed;
            // Work behind a batch that cannot be settled is reached by a larger batch.
            ahead = if settled.any { next } else { Vec::new() };
        }
    }

    /// Reads the next batch while the second half of this one is settled, so that the ledger's writer need not wait for
    /// it. Empty if this batch is the last one.
    async fn read_ahead(&self, pass: &Pass, half_way: &Notify) -> Vec<Orphan> {
        if pass.seen.len() < pass.limit as usize {
            return Vec::new();
        }
        half_way.notified().await;
        let unsettled = u32::try_from(pass.seen.len()).unwrap_or(u32::MAX);
        let Ok(mut orphans) = self.ledger.orphans(pass.limit.saturating_add(unsettled)).await else {
            // The read after this batch has the same error, or none.
            return Vec::new();
        };
        let seen: HashSet<Work> = pass.seen.iter().copied().collect();
        orphans.retain(|orphan| !seen.contains(&work_of(orphan)));
        // Most of the batch before may be gone already.
        orphans.truncate(pass.limit as usize);
        orphans
    }

    /// Settles one batch, and tells of its second half.
    async fn settle_all(
        &self,
        incarnation: &Incarnation,
        orphans: Vec<Orphan>,
        pass: &Pass,
        half_way: &Notify,
    ) -> Result<Settled, LedgerError> {
        failpoint::hit("before-recovery");
        tracing::info!(count = orphans.len(), "settling interrupted work");
        let span = tracing::debug_span!(target: TARGET, parent: None, "recovery", count = i64::try_from(orphans.len()).unwrap_or(i64::MAX));
        // Calls first: an outcome never comes before its call's reply.
        let (calls, tasks): (Vec<_>, Vec<_>) = orphans.into_iter().partition(|o| matches!(o, Orphan::Call { .. }));
        let mut settled = Settled::default();
        let groups_before_half = (calls.len() + tasks.len()).div_ceil(pass.together) / 2;
        let mut begun = 0;
        for group in [calls, tasks] {
            let settle = |some| {
                begun += 1;
                let is_half_way = begun > groups_before_half;
                async move {
                    if is_half_way {
                        half_way.notify_one();
                    }
                    self.settle_together(incarnation, some).await
                }
            };
            let groups: Vec<_> = group.chunks(pass.together).map(settle).collect();
            let settling = stream::iter(groups).buffered(AT_ONCE).collect::<Vec<_>>();
            for answer in settling.instrument(span.clone()).await.into_iter().flatten() {
                match answer {
                    // Another node was faster, or the call comes with the next batch.
                    Ok(()) | Err(LedgerError::AlreadyReplied | LedgerError::AlreadyEnded | LedgerError::IdExists) => {
                        settled.any = true;
                    }
                    Err(LedgerError::CallNotReplied | LedgerError::NotFound | LedgerError::NotOrphaned) => {}
                    Err(error @ LedgerError::Fenced) => return Err(error),
                    Err(error) => settled.failed.push(error),
                }
            }
        }
        // A slow ledger that settled some work is not broken: the rest comes with the next batch.
        if !settled.any
            && let Some(error) = settled.failed.first()
            && self.ledger.check_writable().await.is_err()
        {
            return Err(error.clone());
        }
        Ok(settled)
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
}
