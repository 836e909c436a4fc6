//! Durable tasks: the statement of each method of the contract.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::pool::{flag, int, text, texts};
use super::rows::{RECORD_COLUMNS, get_number, json_text, micros};
use super::stored_text::stored;
use super::writes::one;
use super::{PostgresLedger, reads};
use crate::ids::TaskId;
use crate::ledger::contract::{DurableTasks, LedgerResult};
use crate::ledger::{
    Attempt, AttemptReport, Backlog, ClaimRequest, ClaimedTask, DurableName, DurableProgram, Incarnation, NewStep,
    Page, PageLimit, QueueLimit, Release, StoredDurable, StoredStep, Task, TaskAttempt, TaskRecord, TaskState, decode,
};

impl DurableTasks for PostgresLedger {
    async fn claim_tasks(&self, incarnation: &Incarnation, request: ClaimRequest) -> LedgerResult<Vec<ClaimedTask>> {
        let claim = self.claims.begin(incarnation);
        let claimed = self.claim(incarnation, &request, &claim.id()).await;
        claim.answered(&claimed);
        claimed
    }

    async fn next_ready_in(&self, names: &[DurableName]) -> LedgerResult<Option<Duration>> {
        let (apps, names) = names_of(names);
        reads::next_ready_in(&self.store, &apps, &names).await
    }

    async fn release_task(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        release: Release,
        report: AttemptReport,
    ) -> LedgerResult<Task> {
        let sql = format!("SELECT {RECORD_COLUMNS} FROM @.release_task($1, $2, $3::uuid, $4, $5, $6, $7, $8, $9) AS r");
        let (node, id) = (stored(&incarnation.node), attempt.task_id.to_string());
        let program = match &release {
            Release::HandOver | Release::Park(_) => None,
            Release::Refused { program } => Some(stored(program)),
        };
        let (number, waited) = (i64::from(attempt.number), micros(report.unused));
        let notes = report.notes.as_deref().map(json_text).transpose()?;
        let (wake_at, questions) = match &release {
            Release::HandOver | Release::Refused { .. } => (None, None),
            Release::Park(park) => {
                let questions: Vec<_> = park.questions.iter().copied().map(i64::from).collect();
                (park.wake_at.map(Timestamp::as_microsecond), Some(questions))
            }
        };
        let whose = [text(&node), int(&incarnation.number), text(&id), int(&number)];
        let what = [text(&program), (&wake_at, Type::INT8), (&questions, Type::INT8_ARRAY), int(&waited), text(&notes)];
        // The attempt that released a task may do it again.
        let row = one(self.counted(self.store.repeatable(&sql, &[&whose[..], &what[..]].concat())).await?)?;
        let record = decode::record(&row, self.store.unreadable());
        self.has_events(&row, &record.owner)?;
        // A task that waits is not ready, but it has given up the slot of its queue.
        if record.task.state != TaskState::Waiting || record.task.queue.is_some() {
            self.notifier.task_is_ready();
        }
        Ok(record.task)
    }

    async fn store_step(&self, incarnation: &Incarnation, attempt: Attempt, step: NewStep) -> LedgerResult<()> {
        self.steps.store(incarnation, attempt, step).await
    }

    async fn steps(&self, task_id: TaskId, after: u16, limit: PageLimit) -> LedgerResult<Page<StoredStep>> {
        reads::steps(&self.store, task_id, after, limit).await
    }

    async fn step_value(&self, task_id: TaskId, ordinal: u16) -> LedgerResult<Option<String>> {
        reads::step_value(&self.store, task_id, ordinal).await
    }

    async fn attempts(&self, task_id: TaskId) -> LedgerResult<Vec<TaskAttempt>> {
        reads::attempts(&self.store, task_id).await
    }

    async fn find_durable(&self, task_id: TaskId) -> LedgerResult<Option<StoredDurable>> {
        reads::durable(&self.store, task_id).await
    }

    async fn register_program(&self, incarnation: &Incarnation, program: DurableProgram) -> LedgerResult<()> {
        let sql = "SELECT FROM @.register_program($1, $2, $3, $4, $5)";
        let (node, version) = (stored(&incarnation.node), stored(&program.version));
        let (apps, names) = names_of(&program.names);
        let params = [text(&node), int(&incarnation.number), text(&version), texts(&apps), texts(&names)];
        self.counted(self.store.repeatable(sql, &params)).await?;
        Ok(())
    }

    async fn mark_stuck(&self, incarnation: &Incarnation, untaken_for: Duration) -> LedgerResult<u64> {
        self.write_events("SELECT @.mark_stuck($1, $2, $3)", incarnation, untaken_for).await
    }

    async fn announce_queued(&self, incarnation: &Incarnation, queued_for: Duration) -> LedgerResult<u64> {
        self.write_events("SELECT @.announce_queued($1, $2, $3)", incarnation, queued_for).await
    }

    async fn long_stuck(&self, stuck_for: Duration, limit: u32) -> LedgerResult<Vec<TaskRecord>> {
        reads::long_stuck(&self.store, stuck_for, limit).await
    }

    async fn cancelled_tasks(&self, limit: u32) -> LedgerResult<Vec<TaskRecord>> {
        reads::cancelled_tasks(&self.store, limit).await
    }

    async fn backlog(&self) -> LedgerResult<Backlog> {
        reads::backlog(&self.store).await
    }
}

/// The two parts of each name, as a function in the database takes them.
fn names_of(names: &[DurableName]) -> (Vec<Cow<'_, str>>, Vec<Cow<'_, str>>) {
    names.iter().map(|name| (stored(&name.app_id), stored(&name.task_name))).unzip()
}

impl PostgresLedger {
    /// Writes events of tasks of many owners; how many. The feeds find them with their next poll.
    async fn write_events(&self, sql: &str, incarnation: &Incarnation, age: Duration) -> LedgerResult<u64> {
        let (node, age) = (stored(&incarnation.node), micros(age));
        let params = [text(&node), int(&incarnation.number), int(&age)];
        // Running twice only writes more of them.
        let written = self.counted(self.store.repeatable(sql, &params)).await?;
        Ok(get_number(&one(written)?, 0)?)
    }

    async fn claim(
        &self,
        incarnation: &Incarnation,
        request: &ClaimRequest,
        claim_id: &str,
    ) -> LedgerResult<Vec<ClaimedTask>> {
        let sql = format!(
            "SELECT {RECORD_COLUMNS}, r.task_name, r.input, r.user_json, r.root_task::text AS root_task, r.ran, r.crashes, \
             r.fruitless, r.claimed_at, r.was_ready_at, r.has_steps FROM @.claim_tasks($1, $2, $3::uuid, $4, $5, $6, $7, $8, $9, $10, $11) AS r"
        );
        let (node, program) = (stored(&incarnation.node), stored(&request.program));
        let (apps, names) = names_of(&request.names);
        let (limit, running) = (i64::from(request.limit), i64::from(request.max_running));
        let mut limits = Vec::with_capacity(4 * request.queues.len());
        for QueueLimit { app_id, queue, at_most, per_user } in &request.queues {
            limits.extend([stored(app_id), stored(queue), at_most.to_string().into(), per_user.to_string().into()]);
        }
        let whose = [text(&node), int(&incarnation.number), text(&claim_id), texts(&apps), texts(&names)];
        let what = [
            texts(&limits),
            text(&program),
            int(&limit),
            flag(&request.suspect),
            int(&running),
            flag(&request.only_own),
        ];
        // Running twice under the same id claims once.
        let rows = self.counted(self.store.repeatable(&sql, &[&whose[..], &what[..]].concat())).await?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in &rows {
            let unreadable = self.store.unreadable();
            let task = decode::claimed(row, decode::record(row, unreadable), unreadable);
            self.has_events(row, &task.record.owner)?;
            claimed.push(task);
        }
        Ok(claimed)
    }
}
