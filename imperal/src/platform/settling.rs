//! Settles a group of orphans: the reply that a call gets, the end that a task gets, and their writes.
//!
//! [`super::recovery`] finds the orphans and decides what is settled together.

use futures_util::future::join_all;

use super::Node;
use super::drafts::LeftDrafts;
use super::durable_digest::BoundEnd;
use super::messages::{self, WorkRef};
use super::meters::Reclaimed;
use crate::failpoint;
use crate::ids::CallId;
use crate::ledger::{
    Attempt, Incarnation, LedgerError, LedgerResult, Orphan, Owner, TaskEnd, TaskRecord, TurnBody, Work,
};
use crate::trace::TARGET;

/// Bytes of the partial texts that are written together. The file's writer ends a transaction at 8 MiB.
const TOGETHER_BYTES: usize = 4 << 20;

/// Orphans that are settled one by one at the same time.
const ALONE_AT_ONCE: usize = 64;

impl Node {
    /// Settles calls, or tasks, together. If that fails, each is settled by itself: one of them may be the cause.
    pub(super) async fn settle_together(&self, incarnation: &Incarnation, orphans: &[Orphan]) -> Vec<LedgerResult<()>> {
        match self.settle_in_one(incarnation, orphans).await {
            Ok(settled) => settled,
            Err(LedgerError::Fenced) => vec![Err(LedgerError::Fenced)],
            Err(error) => {
                tracing::debug!(%error, "interrupted work is settled one by one");
                let mut settled = Vec::with_capacity(orphans.len());
                for some in orphans.chunks(ALONE_AT_ONCE) {
                    settled.extend(join_all(some.iter().map(|orphan| self.settle(incarnation, orphan))).await);
                }
                settled
            }
        }
    }

    /// One read of the drafts for all, one write for all calls and one for all tasks unless their texts are large.
    async fn settle_in_one(
        &self,
        incarnation: &Incarnation,
        orphans: &[Orphan],
    ) -> LedgerResult<Vec<LedgerResult<()>>> {
        let works: Vec<Work> = orphans.iter().map(work_of).collect();
        let mut drafts = LeftDrafts::read(&*self.ledger, &works).await?;
        let (mut replies, mut tasks, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (orphan, work) in orphans.iter().zip(works) {
            match orphan {
                Orphan::Call { call_id, owner, turn, .. } => {
                    let mut reply = interrupted_reply(*call_id, owner, turn);
                    drafts.end(work, &mut reply);
                    replies.push((*call_id, reply));
                }
                Orphan::Task(record) => {
                    let mut end = interrupted_end(record);
                    drafts.end(work, &mut end.turn);
                    tasks.push(orphan);
                    ends.push((record.task.task_id, end));
                }
            }
        }
        let mut settled = Vec::with_capacity(orphans.len());
        for replies in limit_bytes(replies, |(_, reply)| reply) {
            let calls: Vec<CallId> = replies.iter().map(|(call_id, _)| *call_id).collect();
            let answers = self.ledger.reclaim_calls(incarnation, replies).await?;
            for (call_id, answer) in calls.into_iter().zip(&answers) {
                if answer.is_ok() {
                    // Its own span was cut off with its node.
                    tracing::debug_span!(target: TARGET, "reclaimed", call = %call_id).in_scope(|| ());
                    self.note_reclaimed_call();
                }
            }
            settled.extend(answers);
        }
        let mut tasks = tasks.into_iter();
        for ends in limit_bytes(ends, |(_, end)| &end.turn) {
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
                self.ledger.reclaim_call(incarnation, *call_id, reply).await?;
                self.note_reclaimed_call();
                Ok(())
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

    fn note_reclaimed_call(&self) {
        self.meters.reclaimed(Reclaimed::Call);
        failpoint::hit("call-recovered");
    }

    fn note_reclaimed_task(&self) {
        self.meters.reclaimed(Reclaimed::Task);
        failpoint::hit("task-recovered");
    }
}

pub(super) fn work_of(orphan: &Orphan) -> Work {
    match orphan {
        Orphan::Call { call_id, .. } => Work::Call(*call_id),
        Orphan::Task(record) => Work::Task(record.task.attempt()),
    }
}

/// Splits ends of work into writes of at most [`TOGETHER_BYTES`], or of one end.
fn limit_bytes<T>(ends: Vec<T>, turn: impl Fn(&T) -> &TurnBody) -> Vec<Vec<T>> {
    let mut writes: Vec<Vec<_>> = Vec::new();
    let mut bytes = 0;
    for end in ends {
        let more = turn(&end).partial.as_deref().map_or(0, json_bytes);
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
