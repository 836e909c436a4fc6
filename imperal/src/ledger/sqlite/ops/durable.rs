//! Durable tasks: their starts, hand-overs, and ends of their incarnations. `claims` has their claims.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::incarnations::micros;
use super::tasks::HAS_UNHELD_TASK;
use super::{Notification, Tx};
use crate::ledger::clock::after;
use crate::ledger::rules;
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{execute, one};
use crate::ledger::{
    Attempt, AttemptEnding, AttemptReport, Incarnation, LedgerError, NewDurable, Release, Task, TaskState, WaitsFor,
};

/// When an attempt last stored a row; null if it stored none. An answer changes the row of its question later. The rows
/// are nearly in the order of their ordinals: those that were stored at once may not be, and 64 are looked at.
pub(in crate::ledger::sqlite) const LAST_STEP: &str = "SELECT max(iif(kind = 'question', began_at, done_at)) FROM (
        SELECT kind, attempt, began_at, done_at FROM step
        WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535 ORDER BY step_id DESC LIMIT 64)
    WHERE attempt = ?2";

/// Whether there are rows of a task's history.
pub(in crate::ledger::sqlite) const HAS_LEFT_ROWS: &str = "SELECT 1
    WHERE EXISTS (SELECT 1 FROM step WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535)
        OR EXISTS (SELECT 1 FROM question WHERE task_no = ?1) OR EXISTS (SELECT 1 FROM attempt WHERE task_no = ?1)";

/// Whether a cancel of the task was requested.
const IS_CANCELLED: &str = "SELECT 1 FROM task WHERE task_no = ?1 AND cancel_requested_at IS NOT NULL";

/// The attempt that stored the latest progress.
pub(in crate::ledger::sqlite) const LAST_PROGRESS: &str = "SELECT attempt FROM step
    WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535 AND kind IN ('step', 'effect')
    ORDER BY step_id DESC LIMIT 1";

/// Running durable tasks of an incarnation.
pub(in crate::ledger::sqlite) const HELD_DURABLE_TASKS: &str =
    "SELECT task_no, attempt FROM task WHERE node = ?1 AND incarnation = ?2 AND state = 'running' AND durable <> 0";

/// How an attempt ends without an end of its task.
#[derive(Clone, Copy)]
pub(super) enum AttemptEnd<'r> {
    /// With what its holder says of it.
    Released(&'r Release, &'r AttemptReport),
    /// With its incarnation.
    Orphaned(Lost),
}

/// How the incarnation of an attempt ended.
#[derive(Clone, Copy)]
pub(super) struct Lost {
    pub(super) ending: AttemptEnding,
    /// When it was last known to be alive, if that is known.
    pub(super) alive_at: Option<i64>,
}

impl Tx<'_> {
    /// Writes the durable part of a task that starts, or waits for a slot.
    pub(super) fn add_durable(
        &self,
        number: i64,
        owner_id: i64,
        task: &Task,
        new: &NewDurable,
        cap: Duration,
    ) -> Result<(), Fault> {
        // Rows under this number are left from a task whose row was lost.
        if one(self.conn, HAS_LEFT_ROWS, [number], |_| Ok(()))?.is_some() {
            let sql = "DELETE FROM step WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535";
            execute(self.conn, sql, [number])?;
            execute(self.conn, "DELETE FROM question WHERE task_no = ?1", [number])?;
            execute(self.conn, "DELETE FROM attempt WHERE task_no = ?1", [number])?;
        }
        let sql = "INSERT OR REPLACE INTO durable
                       (task_no, app_id, task_name, root_task, cap, claimed_at, fruitless, ready_at, input, user, program,
                        queue, owner_id)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        let starts = task.state.is_held();
        let params = params![
            number,
            task.app_id,
            new.task_name,
            new.root_task.to_string(),
            micros(cap),
            starts.then(|| self.now.as_microsecond()),
            starts,
            task.ready_at.map(Timestamp::as_microsecond),
            new.input,
            new.user,
            new.program,
            new.queue,
            owner_id
        ];
        execute(self.conn, sql, params)?;
        if let Some(queue) = &new.queue {
            let sql = "INSERT INTO queue (app_id, queue) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            execute(self.conn, sql, params![task.app_id, queue])?;
            // A new owner is before the one that the queue served last, and behind the others.
            let sql = "INSERT INTO queue_owner (app_id, queue, owner_id, served)
                       SELECT app_id, queue, ?3, max(served - 1, 0) FROM queue WHERE app_id = ?1 AND queue = ?2
                       ON CONFLICT DO NOTHING";
            execute(self.conn, sql, params![task.app_id, queue, owner_id])?;
        }
        Ok(())
    }

    /// A release may be lost by a power failure: then the task is orphaned with its incarnation.
    pub(in crate::ledger::sqlite) fn release_task(
        &mut self,
        incarnation: &Incarnation,
        attempt: Attempt,
        release: &Release,
        report: &AttemptReport,
    ) -> Result<Task, Fault> {
        self.fence(incarnation)?;
        let task = self.task(attempt.task_id)?;
        if task.facts().is_released(incarnation, attempt.number) {
            return Ok(self.task_record(task.number)?.task);
        }
        task.facts().check_write(incarnation, attempt.number)?;
        let end = AttemptEnd::Released(release, report);
        if !task.durable || !self.end_attempt(task.number, attempt.number.into(), end)? {
            return Err(LedgerError::NotHolder.into());
        }
        let released = self.task_record(task.number)?.task;
        let seq = self.take_numbers(task.owner_id, 1, 0)?;
        self.add_task_event(task.owner_id, seq, &released, None)?;
        // A task that waits is not ready, but it has given up its slot.
        let is_ready = released.state != TaskState::Waiting;
        if is_ready || task.in_queue || one(self.conn, HAS_UNHELD_TASK, [task.owner_id], |_| Ok(()))?.is_some() {
            self.notifications.push(Notification::ReadyTask);
        }
        Ok(released)
    }

    /// Ends a running attempt and leaves the task for another process, without an event. False if the durable part of
    /// the task is missing; then nothing is written.
    pub(super) fn end_attempt(&self, number: i64, attempt: i64, end: AttemptEnd<'_>) -> Result<bool, Fault> {
        let sql = "SELECT claimed_at, ran, crashes, refused_since FROM durable WHERE task_no = ?1";
        let read = |row: &Row<'_>| {
            let (claimed_at, ran): (Option<i64>, i64) = (row.get(0)?, row.get(1)?);
            Ok((claimed_at, ran, row.get::<_, i64>(2)?, row.get::<_, Option<i64>>(3)?))
        };
        let Some((claimed_at, ran, crashes, refused_since)) = one(self.conn, sql, [number], read)? else {
            return Ok(false);
        };
        let progress = one(self.conn, LAST_PROGRESS, [number], |row| Ok(row.get::<_, i64>(0)?))?;
        let (now, has_progress) = (self.now.as_microsecond(), progress == Some(attempt));
        let (until, waited, ending, interrupted_at, notes) = match end {
            AttemptEnd::Released(release, report) => {
                (now, micros(report.unused), release.ending(), None, report.notes.as_deref())
            }
            AttemptEnd::Orphaned(Lost { ending, alive_at }) => {
                let last_step_at =
                    one(self.conn, LAST_STEP, [number, attempt], |row| Ok(row.get::<_, Option<i64>>(0)?))?;
                let last_step_at = last_step_at.flatten();
                let interrupted_at = alive_at.map(|at| rules::interrupted_at(at, [claimed_at, last_step_at], now));
                (last_step_at.or(claimed_at).unwrap_or(now), 0, ending, interrupted_at, None)
            }
        };
        let is_crash = ending == AttemptEnding::Crashed;
        self.add_attempt(number, attempt, interrupted_at.unwrap_or(now), ending, notes)?;
        let held = claimed_at.map_or(0, |from| until.saturating_sub(from));
        let ran = ran.max(0).saturating_add(held.saturating_sub(waited).max(0));
        let park = match end {
            AttemptEnd::Released(Release::Park(park), _) => Some(park),
            _ => None,
        };
        let clears_counts = has_progress || park.is_some();
        let crashes = if clears_counts { 0 } else { u32::try_from(crashes).unwrap_or_default() };
        let crashes = crashes.saturating_add(u32::from(is_crash && !has_progress));
        let retry = rules::retry_after(if is_crash { crashes } else { 0 });
        let refused_since = refused_since.filter(|_| !has_progress);
        let is_refused = matches!(end, AttemptEnd::Released(Release::Refused { .. }, _));
        let wait = if is_refused && refused_since.is_some() { rules::REFUSED_AGAIN } else { retry };
        let ready_at = Some(after(self.now, wait));
        // The park of a task whose answer or cancel came first makes it ready.
        let park = if let Some(park) = park
            && !self.is_answered(number, park)?
            && one(self.conn, IS_CANCELLED, [number], |_| Ok(()))?.is_none()
        {
            Some(park)
        } else {
            None
        };
        let ready_at = park.map_or(ready_at, |park| park.wake_at).map(Timestamp::as_microsecond);
        let (state, waits_for, refused_by, refused_since) = match (end, park) {
            (_, Some(park)) => {
                let waits_for = if park.questions.is_empty() { WaitsFor::Time } else { WaitsFor::Answer };
                (TaskState::Waiting, waits_for, None, refused_since)
            }
            (AttemptEnd::Released(Release::Refused { program }, _), None) => {
                (TaskState::Stuck, WaitsFor::Version, Some(program), refused_since.or(Some(now)))
            }
            _ if retry.is_zero() => (TaskState::Queued, WaitsFor::Process, None, refused_since),
            _ => (TaskState::Queued, WaitsFor::Retry, None, refused_since),
        };
        let sql = "UPDATE durable SET claimed_at = NULL, ran = ?2, crashes = ?3, fruitless = iif(?4, 0, max(fruitless - ?8, 0)),
                   refused_since = ?5, stuck_since = iif(?8, ?5, NULL), ready_at = ?6,
                   refused_by = coalesce(?7, refused_by) WHERE task_no = ?1";
        execute(
            self.conn,
            sql,
            params![number, ran, crashes, clears_counts, refused_since, ready_at, refused_by, is_refused],
        )?;
        let sql =
            "UPDATE task SET state = ?2, waits_for = ?3, deadline_at = NULL, interrupted_at = ?4, untold_since = ?5
                   WHERE task_no = ?1";
        let untold_since = matches!(end, AttemptEnd::Orphaned(_)).then_some(now);
        execute(self.conn, sql, params![number, state.as_str(), waits_for.as_str(), interrupted_at, untold_since])?;
        Ok(true)
    }

    /// Gives up running durable tasks, each with its attempt and how that ended. A task without its durable
    /// part keeps running, so it is orphaned like a background task.
    pub(super) fn orphan_durable(&mut self, held: &[(i64, i64, Lost)]) -> Result<(), Fault> {
        for (number, attempt, lost) in held {
            self.end_attempt(*number, *attempt, AttemptEnd::Orphaned(*lost))?;
        }
        if !held.is_empty() {
            self.notifications.push(Notification::ReadyTask);
        }
        Ok(())
    }
}
