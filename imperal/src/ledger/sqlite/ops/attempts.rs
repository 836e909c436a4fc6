//! Attempts of durable tasks that ended without an outcome, for people who ask what happened.

use rusqlite::params;

use super::Tx;
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::execute;
use crate::ledger::{AttemptEnding, TaskAttempt};

/// The latest attempt of a task, from the task itself.
const ADD: &str = "INSERT OR REPLACE INTO attempt (task_no, number, node, program, began_at, ended_at, ended_by, notes)
    SELECT t.task_no, ?2, t.node, d.program, coalesce(d.claimed_at, ?3), ?3, ?4, ?5
    FROM task t JOIN durable d ON d.task_no = t.task_no WHERE t.task_no = ?1";

const FORGET: &str = "DELETE FROM attempt WHERE task_no = ?1 AND number > ?2 AND number <= ?3";

impl Tx<'_> {
    /// Remembers the end of a running attempt, before its task changes.
    pub(super) fn add_attempt(
        &self,
        task_no: i64,
        number: i64,
        ended_at: i64,
        ended_by: AttemptEnding,
        notes: Option<&str>,
    ) -> Result<(), Fault> {
        execute(self.conn, ADD, params![task_no, number, ended_at, ended_by.as_str(), notes])?;
        let (first, latest) = (i64::from(TaskAttempt::FIRST_KEPT), i64::from(TaskAttempt::LATEST_KEPT));
        if number > first.saturating_add(latest) {
            execute(self.conn, FORGET, [task_no, first, number - latest])?;
        }
        Ok(())
    }

    /// Keeps the notes of the attempt in which a task ended, if there are any.
    pub(super) fn note_attempt(&self, task_no: i64, notes: Option<&str>) -> Result<(), Fault> {
        if let Some(notes) = notes {
            execute(self.conn, "UPDATE durable SET notes = ?2 WHERE task_no = ?1", params![task_no, notes])?;
        }
        Ok(())
    }
}
