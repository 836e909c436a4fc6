//! Steps of durable tasks: stored one by one, their values removed after the task's end.
//!
//! A step is two statements: one reads the task, one inserts the step. Nothing else changes, so the steps of many tasks
//! share a few pages and one sync. A row of an effect also changes the task's count of open effects.

use rusqlite::params;

use super::Tx;
use super::tasks::TaskRow;
use crate::ledger::retention::Cutoffs;
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{all, execute, one};
use crate::ledger::{Attempt, Fence, Incarnation, LedgerError, NewStep, StepKind, TaskState, Work};

/// Ended tasks whose step values are due.
pub(in crate::ledger::sqlite) const TASKS_WITH_DUE_VALUES: &str =
    "SELECT task_no FROM durable WHERE values_until IS NOT NULL AND values_until <= ?1 ORDER BY values_until LIMIT ?2";

/// How many effects of a task may have happened without a row that says so.
pub(in crate::ledger::sqlite) const OPEN_EFFECTS: &str =
    "SELECT coalesce(sum(iif(kind = 'intent', 1, -1)), 0) FROM step INDEXED BY step_effect
    WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535 AND kind IN ('intent', 'effect', 'not_done')";

impl Tx<'_> {
    pub(in crate::ledger::sqlite) fn store_step(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: &NewStep,
    ) -> Result<(), Fault> {
        self.fence(incarnation)?;
        let task = self.task(attempt.task_id)?;
        task.facts().check_write(incarnation, attempt.number)?;
        self.add_step(&task, attempt.number, step)
    }

    /// The step of a message, whose right to write has been checked.
    pub(super) fn add_step_of(&self, fence: &Fence, step: &NewStep) -> Result<(), Fault> {
        match fence.work {
            Work::Task(attempt) => self.add_step(&self.task(attempt.task_id)?, attempt.number, step),
            Work::Call(_) => Err(LedgerError::NotFound.into()),
        }
    }

    pub(super) fn add_step(&self, task: &TaskRow, attempt: u32, step: &NewStep) -> Result<(), Fault> {
        if !task.durable {
            return Err(LedgerError::NotFound.into());
        }
        let sql = "INSERT INTO step (step_id, name, kind, attempt, began_at, done_at, log, value)
                   VALUES ((?1 << 16) + ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let done_at = self.now.as_microsecond();
        let began_at = done_at.saturating_sub(super::incarnations::micros(step.took));
        let NewStep { ordinal, name, kind, log, value, .. } = step;
        execute(
            self.conn,
            sql,
            params![task.number, ordinal, name, kind.as_str(), attempt, began_at, done_at, log, value],
        )?;
        if kind.is_of_effect() {
            // The end recounts a damaged count.
            let sql =
                "UPDATE task SET open_effects = max(iif(open_effects BETWEEN 0 AND 65535, open_effects, 0) + ?2, 0)
                       WHERE task_no = ?1";
            execute(self.conn, sql, params![task.number, if *kind == StepKind::Intent { 1 } else { -1 }])?;
        }
        Ok(())
    }

    /// See [`OPEN_EFFECTS`].
    pub(super) fn open_effects(&self, number: i64) -> Result<u32, Fault> {
        let open = one(self.conn, OPEN_EFFECTS, [number], |row| Ok(row.get::<_, i64>(0)?))?;
        Ok(open.and_then(|open| u32::try_from(open).ok()).unwrap_or_default())
    }

    /// Notes from when on the values of an ended task's steps are not needed, if it has steps.
    pub(super) fn end_durable(&self, number: i64, state: TaskState) -> Result<(), Fault> {
        let sql = "UPDATE durable SET ready_at = NULL, stuck_since = NULL, values_until = iif(EXISTS (
                       SELECT 1 FROM step WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535), ?2, NULL)
                   WHERE task_no = ?1";
        let until = Cutoffs::step_values_until(self.now, state);
        execute(self.conn, sql, params![number, until.as_microsecond()])?;
        Ok(())
    }

    /// Removes values that are due, of some tasks; how many.
    pub(super) fn prune_values(&self, now: i64, limit: u64) -> Result<u64, Fault> {
        let mut removed = 0;
        let due =
            all(self.conn, TASKS_WITH_DUE_VALUES, params![now, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                Ok(row.get::<_, i64>(0)?)
            })?;
        for number in due {
            if removed >= limit {
                break;
            }
            let sql = "UPDATE step SET value = NULL
                       WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535 AND value IS NOT NULL";
            removed += execute(self.conn, sql, [number])? as u64;
            execute(self.conn, "UPDATE durable SET values_until = NULL WHERE task_no = ?1", [number])?;
        }
        Ok(removed)
    }
}
