//! Background tasks: start, progress, cancel request, end.

use rusqlite::{Row, params};

use super::{Notification, Stamp, TurnJson, Tx};
use crate::error::RunningTask;
use crate::ids::TaskId;
use crate::ledger::clock::after;
use crate::ledger::rules::{self, Hold, TaskFacts};
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{execute, incarnation, number, one, select_task};
use crate::ledger::{
    CancelOutcome, Incarnation, LedgerError, NewAudit, NewTask, Progress, Task, TaskRecord, TaskState, decode,
};

pub(in crate::ledger::sqlite) const TASK: &str = select_task!("WHERE t.task_id = ?1");

pub(in crate::ledger::sqlite) const TASK_BY_NUMBER: &str = select_task!("WHERE t.task_no = ?1");

pub(in crate::ledger::sqlite) const RUNNING: &str =
    "SELECT count(*) FROM task WHERE owner_id = ?1 AND state = 'running'";

/// Whether the task's call has its reply; no row if the call is missing.
const CALL_IS_REPLIED: &str =
    "SELECT c.state = 'replied' OR (c.state NOT IN ('open', 'left') AND c.reply_seq IS NOT NULL)
    FROM task t JOIN call c ON c.call_id = t.call_id WHERE t.task_no = ?1";

/// Excludes the new task itself: a repeated start is refused because its id exists.
const UNDER_KEY: &str = "SELECT task_no, task_id, name FROM task
    WHERE owner_id = ?1 AND app_id = ?2 AND key = ?3 AND state = 'running' AND task_id <> ?4";

macro_rules! task_row {
    ($rest:literal) => {
        concat!(
            "SELECT task_no, owner_id, node, incarnation, abandoned, state = 'running' OR (outcome_seq IS NULL AND state ",
            "NOT IN ('succeeded', 'failed', 'cancelled', 'timed_out', 'reclaimed')) AS running FROM task ",
            $rest
        )
    };
}

const TASK_ROW: &str = task_row!("WHERE task_id = ?1");
const TASK_ROW_BY_NUMBER: &str = task_row!("WHERE task_no = ?1");

pub(super) struct TaskRow {
    number: i64,
    owner_id: i64,
    incarnation: Incarnation,
    running: bool,
    abandoned: bool,
}

impl TaskRow {
    pub(super) fn facts(&self) -> TaskFacts<'_, i64> {
        let Self { owner_id, incarnation, running, abandoned, .. } = self;
        let hold = match (running, abandoned) {
            (true, false) => Hold::Held,
            (true, true) => Hold::Orphaned,
            (false, _) => Hold::Ended,
        };
        TaskFacts { owner: *owner_id, holder: incarnation, attempt: 1, hold }
    }
}

impl Tx<'_> {
    /// Finds a task by its id, or by its row number if the id names the row. A task without an outcome is running,
    /// whatever its state says.
    pub(super) fn task(&self, task_id: TaskId) -> Result<TaskRow, Fault> {
        let read = |row: &Row<'_>| {
            Ok(TaskRow {
                number: row.get("task_no")?,
                owner_id: row.get("owner_id")?,
                incarnation: incarnation(row)?,
                running: row.get("running")?,
                abandoned: row.get("abandoned")?,
            })
        };
        let mut found = one(self.conn, TASK_ROW, [task_id.to_string()], read)?;
        if let (None, Some(row)) = (&found, task_id.row()) {
            found = one(self.conn, TASK_ROW_BY_NUMBER, [row], read)?;
        }
        found.ok_or_else(|| LedgerError::NotFound.into())
    }

    fn task_record(&self, number: i64) -> Result<TaskRecord, Fault> {
        let found = one(self.conn, TASK_BY_NUMBER, [number], |row| Ok(decode::record(row, self.unreadable)))?;
        found.ok_or_else(|| LedgerError::NotFound.into())
    }

    /// Stores the task as it is now, without its result, under the owner's number `seq`.
    fn add_task_event(&self, owner_id: i64, seq: u64, task: &Task, outcome_seq: Option<u64>) -> Result<(), Fault> {
        let sql = "INSERT INTO task_event (owner_id, seq, body, outcome_seq) VALUES (?1, ?2, ?3, ?4)";
        let json = serde_json::to_string(task)?;
        execute(self.conn, sql, params![owner_id, number(seq), json, outcome_seq.map(number)])?;
        Ok(())
    }

    pub(in crate::ledger::sqlite) fn start_task(
        &mut self,
        incarnation: &Incarnation,
        new: &NewTask,
    ) -> Result<Task, Fault> {
        self.fence(incarnation)?;
        let call = self.call(new.call_id)?;
        call.facts().check_start_task(incarnation, self.find_owner(&new.owner)?.as_ref())?;
        let (owner_id, most) = (call.owner_id, new.max_running);
        if let Some(running) = self.running_under_key(owner_id, new)? {
            return Err(LedgerError::AlreadyRunning(running).into());
        }
        let running: u32 = one(self.conn, RUNNING, [owner_id], |row| Ok(row.get(0)?))?.unwrap_or_default();
        let deadline_at = after(self.now, new.cap);
        let task = new.clone().into_task(self.now, deadline_at, true);
        let sql =
            "INSERT INTO task (task_id, call_id, owner_id, node, incarnation, app_id, function, name, long_running,
                                     created_at, deadline_at, key)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let params = params![
            task.task_id.to_string(),
            task.call_id.to_string(),
            owner_id,
            &*incarnation.node,
            incarnation.number,
            task.app_id,
            task.function,
            task.name,
            task.long_running,
            task.created_at.as_microsecond(),
            task.deadline_at.map(|at| at.as_microsecond()),
            task.key
        ];
        // Checked after the insert, because an id that exists is refused first.
        execute(self.conn, sql, params)?;
        rules::check_running_tasks(running, most)?;
        let seq = self.take_numbers(owner_id, 1, 0)?;
        self.add_task_event(owner_id, seq, &task, None)?;
        Ok(task)
    }

    /// The owner's running task with the same key.
    fn running_under_key(&self, owner_id: i64, new: &NewTask) -> Result<Option<RunningTask>, Fault> {
        let Some(key) = &new.key else { return Ok(None) };
        let params = params![owner_id, new.app_id, key, new.task_id.to_string()];
        one(self.conn, UNDER_KEY, params, |row| Ok(decode::running_task(row, self.unreadable)))
    }

    pub(in crate::ledger::sqlite) fn finish_task(
        &mut self,
        incarnation: &Incarnation,
        task_id: TaskId,
        state: TaskState,
        turn: &TurnJson,
        audit: &NewAudit,
    ) -> Result<Stamp, Fault> {
        self.fence(incarnation)?;
        let task = self.task(task_id)?;
        task.facts().check_write(incarnation, 1)?;
        self.end_task(&task, state, turn, audit)
    }

    pub(in crate::ledger::sqlite) fn reclaim_task(
        &mut self,
        incarnation: &Incarnation,
        task_id: TaskId,
        state: TaskState,
        turn: &TurnJson,
        audit: &NewAudit,
    ) -> Result<Stamp, Fault> {
        self.fence(incarnation)?;
        let task = self.task(task_id)?;
        task.facts().check_reclaim()?;
        self.end_task(&task, state, turn, audit)
    }

    fn end_task(
        &mut self,
        task: &TaskRow,
        state: TaskState,
        turn: &TurnJson,
        audit: &NewAudit,
    ) -> Result<Stamp, Fault> {
        rules::check_call_replied(one(self.conn, CALL_IS_REPLIED, [task.number], |row| Ok(row.get(0)?))?)?;
        let owner_id = task.owner_id;
        let seq = self.take_numbers(owner_id, 2, turn.json.len())?;
        let outcome_seq = seq + 1;
        let sql = "UPDATE task SET state = ?2, finished_at = ?3, outcome_seq = ?4 WHERE task_no = ?1";
        let finished_at = self.now.as_microsecond();
        execute(self.conn, sql, params![task.number, state.as_str(), finished_at, number(outcome_seq)])?;
        // The outcome turn is not written yet, so the record has no result.
        let ended = self.task_record(task.number)?.task;
        self.add_task_event(owner_id, seq, &ended, Some(outcome_seq))?;
        self.audit_of(owner_id, audit)?;
        self.insert_turn(owner_id, outcome_seq, turn)
    }

    pub(in crate::ledger::sqlite) fn note_progress(
        &mut self,
        incarnation: &Incarnation,
        latest: &[Progress],
    ) -> Result<(), Fault> {
        self.fence(incarnation)?;
        let sql = "UPDATE task SET percent = ?4, message = ?5
                   WHERE task_id = ?1 AND node = ?2 AND incarnation = ?3 AND state = 'running' RETURNING owner_id";
        for progress in latest {
            let task_id = progress.task_id.to_string();
            let params = params![task_id, &*incarnation.node, incarnation.number, progress.percent, progress.message];
            // A task without an owner has no watchers.
            if let Some(owner_id) = one(self.conn, sql, params, |row| Ok(row.get(0)?))?
                && let Ok(owner) = self.owner(owner_id)
            {
                self.notifications.push(Notification::Progress(owner, progress.clone()));
            }
        }
        Ok(())
    }

    pub(in crate::ledger::sqlite) fn request_cancel(
        &mut self,
        task_id: TaskId,
        audit: &NewAudit,
    ) -> Result<CancelOutcome, Fault> {
        let TaskRow { number, owner_id, running, .. } = self.task(task_id)?;
        self.audit(audit)?;
        let mut record = self.task_record(number)?;
        if !running {
            return Ok(CancelOutcome::AlreadyEnded(record));
        }
        if record.task.cancel_requested_at.is_none() {
            let sql = "UPDATE task SET cancel_requested_at = ?2 WHERE task_no = ?1";
            execute(self.conn, sql, params![number, self.now.as_microsecond()])?;
            record.task.cancel_requested_at = Some(self.now);
            let seq = self.take_numbers(owner_id, 1, 0)?;
            self.add_task_event(owner_id, seq, &record.task, None)?;
        }
        Ok(CancelOutcome::Requested(record))
    }
}
