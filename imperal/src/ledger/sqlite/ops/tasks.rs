//! Tasks: start, progress, cancel request. `ends` writes their ends.

use jiff::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Row, params};

use super::follow::Followed;
use super::operators::IS_PAUSED;
use super::{EndJson, Notification, Stamp, Tx};
use crate::error::RunningTask;
use crate::ids::TaskId;
use crate::ledger::clock::after;
use crate::ledger::rules::{self, Hold, TaskFacts};
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{execute, incarnation, number, one, open_states, record, select_task};
use crate::ledger::{
    Attempt, CancelOutcome, Incarnation, LedgerError, NewAudit, NewTask, Progress, Task, TaskRecord, TaskState, Work,
    decode,
};

pub(in crate::ledger::sqlite) const TASK: &str = select_task!("WHERE t.task_id = ?1");

pub(in crate::ledger::sqlite) const TASK_BY_NUMBER: &str = select_task!("WHERE t.task_no = ?1");

/// The second condition finds the index.
pub(in crate::ledger::sqlite) const RUNNING_TASK_COUNT: &str =
    concat!("SELECT count(*) FROM task WHERE owner_id = ?1 AND state = 'running' AND state IN ", open_states!());

/// How many open tasks an owner has, and how many of these are running.
pub(in crate::ledger::sqlite) const OPEN_TASK_COUNT: &str = concat!(
    "SELECT count(*), coalesce(sum(state = 'running'), 0) FROM task WHERE owner_id = ?1 AND state IN ",
    open_states!()
);

/// Whether an owner has a task that may wait for a slot.
pub(in crate::ledger::sqlite) const HAS_UNHELD_TASK: &str =
    "SELECT 1 FROM task WHERE owner_id = ?1 AND state IN ('queued', 'stuck') LIMIT 1";

/// Whether a call `c` has its reply.
macro_rules! is_replied {
    () => {
        "c.state = 'replied' OR (c.state NOT IN ('open', 'left') AND c.reply_seq IS NOT NULL)"
    };
}
pub(super) use is_replied;

/// Whether the task's call has its reply; no row if the call is missing.
const CALL_IS_REPLIED: &str =
    concat!("SELECT ", is_replied!(), " FROM task t JOIN call c ON c.call_id = t.call_id WHERE t.task_no = ?1");

/// Excludes the new task itself: a repeated start is refused because its id exists.
const TASK_UNDER_KEY: &str = concat!(
    "SELECT task_no, task_id, name FROM task WHERE owner_id = ?1 AND app_id = ?2 AND key = ?3 AND state IN ",
    open_states!(),
    " AND task_id <> ?4"
);

macro_rules! task_row {
    ($rest:literal) => {
        concat!(
            "SELECT task_no, owner_id, node, incarnation, attempt, durable, abandoned, state, outcome_seq,
                queue IS NOT NULL AS in_queue FROM task ",
            $rest
        )
    };
}

const TASK_ROW: &str = task_row!("WHERE task_id = ?1");
const TASK_ROW_BY_NUMBER: &str = task_row!("WHERE task_no = ?1");

pub(super) struct TaskRow {
    pub(super) number: i64,
    pub(super) owner_id: i64,
    pub(super) durable: bool,
    /// Whether it has a queue: its end or release may free a slot.
    pub(super) in_queue: bool,
    incarnation: Incarnation,
    /// A damaged number is 0, which no holder has.
    attempt: u32,
    hold: Hold,
}

impl TaskRow {
    pub(super) fn facts(&self) -> TaskFacts<'_, i64> {
        let Self { owner_id, incarnation, attempt, hold, .. } = self;
        TaskFacts { owner: *owner_id, holder: incarnation, attempt: *attempt, hold: *hold }
    }
}

/// The holder of the task. A task without an outcome is running if its state is unknown.
fn hold(row: &Row<'_>) -> Result<Hold, Fault> {
    let state = row.get_ref("state")?.as_bytes().ok().and_then(|state| std::str::from_utf8(state).ok());
    Ok(match state.and_then(|state| state.parse::<TaskState>().ok()) {
        Some(state) if !state.is_open() => Hold::Ended,
        Some(state) if !state.is_held() => Hold::Free,
        None if row.get_ref("outcome_seq")? != ValueRef::Null => Hold::Ended,
        _ if row.get("abandoned")? => Hold::Orphaned,
        _ => Hold::Held,
    })
}

/// The answers of the rules of a start.
pub(super) struct Start {
    followed: Option<Followed>,
    open: Result<(), LedgerError>,
    has_slot: Result<(), LedgerError>,
    is_paused: bool,
}

impl Start {
    /// Refuses a start over the owner's limits.
    pub(super) fn check(&self, new: &NewTask) -> Result<(), LedgerError> {
        self.open.clone()?;
        if new.durable.is_none() { self.has_slot.clone() } else { Ok(()) }
    }
}

impl Tx<'_> {
    /// Finds a task by its id, or by its row number if the id names the row.
    pub(super) fn task(&self, task_id: TaskId) -> Result<TaskRow, Fault> {
        let read = |row: &Row<'_>| {
            Ok(TaskRow {
                number: row.get("task_no")?,
                owner_id: row.get("owner_id")?,
                durable: row.get("durable")?,
                in_queue: row.get("in_queue")?,
                incarnation: incarnation(row)?,
                attempt: u32::try_from(row.get::<_, i64>("attempt")?).unwrap_or_default(),
                hold: hold(row)?,
            })
        };
        let mut found = one(self.conn, TASK_ROW, [task_id.to_string()], read)?;
        if let (None, Some(row)) = (&found, task_id.row()) {
            found = one(self.conn, TASK_ROW_BY_NUMBER, [row], read)?;
        }
        found.ok_or_else(|| LedgerError::NotFound.into())
    }

    pub(super) fn task_record(&self, number: i64) -> Result<TaskRecord, Fault> {
        let found = one(self.conn, TASK_BY_NUMBER, [number], |row| Ok(record(row, self.unreadable)))?;
        found.ok_or_else(|| LedgerError::NotFound.into())
    }

    /// Stores the task as it is now, without its result, under the owner's number `seq`.
    pub(super) fn add_task_event(
        &self,
        owner_id: i64,
        seq: u64,
        task: &Task,
        outcome_seq: Option<u64>,
    ) -> Result<(), Fault> {
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
        let owner = self.find_owner(&new.owner)?;
        let owner_id = match new.parent {
            Work::Call(call_id) => {
                let call = self.call(call_id)?;
                call.facts().check_start_task(incarnation, owner.as_ref())?;
                call.owner_id
            }
            Work::Task(Attempt { task_id, number }) => {
                let task = self.task(task_id)?;
                task.facts().check_owned_write(incarnation, number, owner.as_ref())?;
                task.owner_id
            }
        };
        let start = self.check_start(owner_id, new)?;
        let task = self.insert_task(incarnation, owner_id, new, &start)?;
        let seq = self.take_numbers(owner_id, 1, 0)?;
        self.add_task_event(owner_id, seq, &task, None)?;
        Ok(task)
    }

    /// Applies the rules of a start, except those of its parent.
    pub(super) fn check_start(&self, owner_id: i64, new: &NewTask) -> Result<Start, Fault> {
        let followed = new.follows().map(|follows| self.followed(owner_id, follows)).transpose()?;
        if let Some(running) = self.running_under_key(owner_id, new)? {
            // An id that exists is refused first: the start is a repeated one.
            let sql = "SELECT 1 FROM task WHERE task_id = ?1";
            if one(self.conn, sql, [new.task_id.to_string()], |_| Ok(()))?.is_some() {
                return Err(LedgerError::IdExists.into());
            }
            return Err(LedgerError::AlreadyRunning(running).into());
        }
        let counts = one(self.conn, OPEN_TASK_COUNT, [owner_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (open, running) = counts.unwrap_or_default();
        let is_paused = match &new.durable {
            Some(durable) => one(self.conn, IS_PAUSED, [&new.app_id, &durable.task_name], |_| Ok(()))?.is_some(),
            None => false,
        };
        let open = rules::check_open_tasks(open, new.max_open);
        let has_slot = rules::check_running_tasks(running, new.max_running);
        Ok(Start { followed, open, has_slot, is_paused })
    }

    /// Writes a task, without its event.
    pub(super) fn insert_task(
        &mut self,
        incarnation: &Incarnation,
        owner_id: i64,
        new: &NewTask,
        start: &Start,
    ) -> Result<Task, Fault> {
        let waits = rules::waits_at_start(start.has_slot.is_ok(), new, start.is_paused);
        let mut task = new.clone().into_task(self.now, after(self.now, new.cap), waits.map(|(shown, _)| shown));
        let sql =
            "INSERT INTO task (task_id, call_id, owner_id, node, incarnation, app_id, function, name, long_running,
                               created_at, deadline_at, key, state, durable, attempt, waits_for, queue, follows)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
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
            task.deadline_at.map(Timestamp::as_microsecond),
            task.key,
            task.state.as_str(),
            task.durable,
            task.attempt,
            waits.map(|(_, stored)| stored.as_str()),
            task.queue,
            task.follows.map(|follows| serde_json::to_string(&follows)).transpose()?
        ];
        // Checked after the insert, because an id that exists is refused first.
        execute(self.conn, sql, params)?;
        start.check(new)?;
        if let Some(durable) = &new.durable {
            let number = self.conn.last_insert_rowid();
            self.add_durable(number, owner_id, &task, durable, new.cap)?;
            if let Some(followed) = &start.followed {
                task.open_effects = self.inherit(number, followed)?;
            }
        }
        if let Some(audit) = &new.audit {
            self.audit_of(owner_id, audit)?;
        }
        Ok(task)
    }

    /// The owner's open task with the same key.
    fn running_under_key(&self, owner_id: i64, new: &NewTask) -> Result<Option<RunningTask>, Fault> {
        let Some(key) = &new.key else { return Ok(None) };
        let params = params![owner_id, new.app_id, key, new.task_id.to_string()];
        one(self.conn, TASK_UNDER_KEY, params, |row| Ok(decode::running_task(row, self.unreadable)))
    }

    pub(in crate::ledger::sqlite) fn finish_task(
        &mut self,
        incarnation: &Incarnation,
        attempt: Attempt,
        end: &EndJson,
    ) -> Result<Stamp, Fault> {
        self.fence(incarnation)?;
        let task = self.task(attempt.task_id)?;
        task.facts().check_write(incarnation, attempt.number)?;
        self.end_task(&task, end)
    }

    pub(super) fn is_call_replied(&self, number: i64) -> Result<Option<bool>, Fault> {
        one(self.conn, CALL_IS_REPLIED, [number], |row| Ok(row.get(0)?))
    }

    pub(in crate::ledger::sqlite) fn note_progress(
        &mut self,
        incarnation: &Incarnation,
        latest: &[(u32, Progress)],
    ) -> Result<(), Fault> {
        self.fence(incarnation)?;
        let sql = "UPDATE task SET percent = coalesce(?5, percent), message = coalesce(?6, message),
                   steps = coalesce(?7, steps) WHERE task_id = ?1 AND node = ?2 AND incarnation = ?3 AND attempt = ?4
                   AND state = 'running' RETURNING owner_id";
        for (attempt, progress) in latest {
            let Progress { task_id, percent, message, steps, .. } = progress;
            let steps = steps.as_ref().map(serde_json::to_string).transpose()?;
            let (task_id, node) = (task_id.to_string(), &*incarnation.node);
            let params = params![task_id, node, incarnation.number, attempt, percent, message, steps];
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
        end: &EndJson,
    ) -> Result<CancelOutcome, Fault> {
        let task = self.task(task_id)?;
        let TaskRow { number, owner_id, hold, .. } = task;
        let ends = hold == Hold::Free && rules::check_call_replied(self.is_call_replied(number)?).is_ok();
        self.audit(audit)?;
        let mut record = self.task_record(number)?;
        if hold == Hold::Ended {
            return Ok(CancelOutcome::AlreadyEnded(record));
        }
        let is_first = record.task.cancel_requested_at.is_none();
        if is_first {
            let sql = "UPDATE task SET cancel_requested_at = ?2 WHERE task_no = ?1";
            execute(self.conn, sql, params![number, self.now.as_microsecond()])?;
        }
        if ends {
            self.end_task(&task, end)?;
            return Ok(CancelOutcome::Ended(self.task_record(number)?));
        }
        if is_first {
            record.task.cancel_requested_at = Some(self.now);
            let seq = self.take_numbers(owner_id, 1, 0)?;
            self.add_task_event(owner_id, seq, &record.task, None)?;
        }
        Ok(CancelOutcome::Requested(record))
    }
}
