//! Attempts of durable tasks that ended without an outcome, for people who ask what happened.

use jiff::Timestamp;

use super::State;
use super::durable::DurableRow;
use crate::ids::TaskId;
use crate::ledger::{AttemptEnding, StoredDurable, TaskAttempt};

impl DurableRow {
    /// Remembers the end of the latest attempt.
    pub(super) fn end_attempt(
        &mut self,
        number: u32,
        node: &str,
        at: Timestamp,
        by: AttemptEnding,
        notes: Option<String>,
    ) {
        let attempt = TaskAttempt::new(number, node, &self.program, self.claimed_at.unwrap_or(at)).ended(at, by);
        self.attempts.push(attempt.notes(notes));
        self.attempts.retain(|attempt| TaskAttempt::is_kept(attempt.number, number));
    }
}

impl State {
    pub(in crate::ledger::memory) fn attempts(&self, task_id: TaskId) -> Vec<TaskAttempt> {
        let Some((record, durable)) =
            self.tasks.get(&task_id).and_then(|row| Some((&row.record, row.durable.as_ref()?)))
        else {
            return Vec::new();
        };
        let latest = durable.claimed_at.map(|began_at| {
            let latest = TaskAttempt::new(record.task.attempt, &*record.incarnation.node, &durable.program, began_at);
            match record.task.finished_at {
                Some(at) => latest.ended(at, AttemptEnding::Outcome).notes(durable.notes.clone()),
                None => latest,
            }
        });
        durable.attempts.iter().cloned().chain(latest).collect()
    }

    pub(in crate::ledger::memory) fn find_durable(&self, task_id: TaskId) -> Option<StoredDurable> {
        let durable = self.tasks.get(&task_id)?.durable.as_ref()?;
        let new = &durable.new;
        Some(StoredDurable::new(&new.task_name, &new.input, new.root_task).program(&durable.program))
    }
}
