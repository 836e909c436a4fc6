//! Settles the work of incarnations that have ended.
//!
//! Runs at the start and every few seconds, in a loop of its own. It ends calls with an "interrupted" reply,
//! then their tasks with an "interrupted" outcome. Several nodes may do it at once; the ledger stores each
//! ending once. [`super::lease`] decides when other nodes' leases are left alone.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;
use tracing::Instrument;

use super::Node;
use super::drafts::LeftDrafts;
use super::durable_digest::BoundEnd;
use super::messages::{self, WorkRef};
use super::meters::Reclaimed;
use crate::failpoint;
use crate::ids::{CallId, TaskId};
use crate::ledger::{
    Attempt, AuditOutcome, CancelOutcome, Fut, Incarnation, LedgerError, LedgerResult, NewAudit, Orphan, Owner,
    TaskEnd, TaskRecord, TurnBody, Work,
};
use crate::trace::TARGET;

/// Orphans per batch: few enough to hold in memory.
const BATCH: u32 = 1024;
/// Orphans that are settled together. Calls of users wait for the ledger's writer meanwhile.
const TOGETHER: usize = 256;
/// Bytes of the partial texts that are written together. The file's writer ends a transaction at 8 MiB.
const TOGETHER_BYTES: usize = 4 << 20;
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
const MAX_BATCH: u32 = BATCH << 6;

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
        self.settle_batches().await
    }

    /// Settles batch after batch of the work of ended incarnations.
    async fn settle_batches(&self) -> Result<(), LedgerError> {
        let mut pass = Pass::new();
        loop {
            let incarnation = self.lease().incarnation.clone();
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
            let groups: Vec<_> = group.chunks(TOGETHER).map(|some| self.settle_together(incarnation, some)).collect();
            let settling = stream::iter(groups).buffered(AT_ONCE).collect::<Vec<_>>();
            for settled in settling.instrument(span.clone()).await.into_iter().flatten() {
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

    /// Settles calls, or tasks, together. If that fails, each is settled by itself: one of them may be the cause.
    async fn settle_together(&self, incarnation: &Incarnation, orphans: &[Orphan]) -> Vec<LedgerResult<()>> {
        match self.settle_in_one(incarnation, orphans).await {
            Ok(settled) => settled,
            Err(LedgerError::Fenced) => vec![Err(LedgerError::Fenced)],
            Err(error) => {
                tracing::debug!(%error, "interrupted work is settled one by one");
                join_all(orphans.iter().map(|orphan| self.settle(incarnation, orphan))).await
            }
        }
    }

    /// One read of the drafts for all, one write for all tasks unless their texts are large, and one for each call.
    async fn settle_in_one(
        &self,
        incarnation: &Incarnation,
        orphans: &[Orphan],
    ) -> LedgerResult<Vec<LedgerResult<()>>> {
        let works: Vec<Work> = orphans.iter().map(work_of).collect();
        let mut drafts = LeftDrafts::read(&*self.ledger, &works).await?;
        let (mut calls, mut tasks, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (orphan, work) in orphans.iter().zip(works) {
            match orphan {
                Orphan::Call { call_id, owner, turn, .. } => {
                    let mut reply = interrupted_reply(*call_id, owner, turn);
                    drafts.end(work, &mut reply);
                    calls.push(self.reclaim_call(incarnation, *call_id, reply));
                }
                Orphan::Task(record) => {
                    let mut end = interrupted_end(record);
                    drafts.end(work, &mut end.turn);
                    tasks.push(orphan);
                    ends.push((record.task.task_id, end));
                }
            }
        }
        let mut settled = join_all(calls).await;
        let mut tasks = tasks.into_iter();
        for ends in limit_bytes(ends) {
            let count = ends.len();
            let answers = self.ledger.reclaim_tasks(incarnation, ends).await?;
            for (orphan, answer) in tasks.by_ref().take(count).zip(answers) {
                settled.push(match (answer, work_of(orphan)) {
                    // A repaired file may have lost that the task is durable, and not its rows.
                    (Err(LedgerError::OpenEffects(_)), _) => self.settle(incarnation, orphan).await,
                    (Ok(()), Work::Task(Attempt { task_id, .. })) => {
                        // Its own span was cut off with its node.
                        tracing::debug_span!(target: TARGET, "reclaimed", task = %task_id).in_scope(|| ());
                        self.note_reclaimed_task();
                        Ok(())
                    }
                    (answer, _) => answer,
                });
            }
        }
        Ok(settled)
    }

    /// Settles one call or task.
    async fn settle(&self, incarnation: &Incarnation, orphan: &Orphan) -> LedgerResult<()> {
        match orphan {
            Orphan::Call { call_id, owner, turn, .. } => {
                let mut reply = interrupted_reply(*call_id, owner, turn);
                let work = Work::Call(*call_id);
                LeftDrafts::read(&*self.ledger, &[work]).await?.end(work, &mut reply);
                self.reclaim_call(incarnation, *call_id, reply).await
            }
            Orphan::Task(record) => {
                let task_id = record.task.task_id;
                let write = |end| self.ledger.reclaim_task(incarnation, task_id, end);
                self.write_unheld_end(task_id, BoundEnd::plain(interrupted_end(record)), write).await?;
                self.note_reclaimed_task();
                Ok(())
            }
        }
    }

    async fn reclaim_call(&self, incarnation: &Incarnation, call_id: CallId, reply: TurnBody) -> LedgerResult<()> {
        self.ledger.reclaim_call(incarnation, call_id, reply).await?;
        self.meters.reclaimed(Reclaimed::Call);
        failpoint::hit("call-recovered");
        Ok(())
    }

    fn note_reclaimed_task(&self) {
        self.meters.reclaimed(Reclaimed::Task);
        failpoint::hit("task-recovered");
    }
}

fn work_of(orphan: &Orphan) -> Work {
    match orphan {
        Orphan::Call { call_id, .. } => Work::Call(*call_id),
        Orphan::Task(record) => Work::Task(record.task.attempt()),
    }
}

/// Splits ends into writes of at most [`TOGETHER_BYTES`], or of one end.
fn limit_bytes(ends: Vec<(TaskId, TaskEnd)>) -> Vec<Vec<(TaskId, TaskEnd)>> {
    let mut writes: Vec<Vec<_>> = Vec::new();
    let mut bytes = 0;
    for end in ends {
        let more = end.1.turn.partial.as_deref().map_or(0, json_bytes);
        bytes += more;
        match writes.last_mut() {
            Some(write) if bytes <= TOGETHER_BYTES => write.push(end),
            _ => {
                bytes = more;
                writes.push(vec![end]);
            }
        }
    }
    writes
}

/// The length of a text as JSON, which has six bytes for a control character.
fn json_bytes(text: &str) -> usize {
    text.bytes().map(|byte| if byte < 0x20 { 6 } else { 1 + usize::from(matches!(byte, b'"' | b'\\')) }).sum()
}

/// The reply to a call whose process is gone.
fn interrupted_reply(call_id: CallId, owner: &Owner, turn: &TurnBody) -> TurnBody {
    // `None` for a call whose turn cannot be read.
    let function = turn.function.as_deref().unwrap_or("The call");
    let work = WorkRef {
        tenant_id: &owner.tenant_id,
        user_id: &owner.user_id,
        app_id: &turn.app_id,
        function,
        call_id: Some(call_id),
        task_id: None,
    };
    messages::answer_turn(work, messages::interrupted(function))
}

/// The end of a task whose process is gone.
fn interrupted_end(record: &TaskRecord) -> TaskEnd {
    messages::reclaimed(WorkRef::of_record(record), &record.task)
}
