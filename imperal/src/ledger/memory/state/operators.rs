//! Open tasks of all owners, and paused durable tasks.

use jiff::Timestamp;

use super::State;
use super::tasks::TaskRow;
use crate::ids::TaskId;
use crate::ledger::{
    DurableName, EventBody, LedgerError, NewAudit, OpenTask, PausedTask, Task, TaskPlace, TaskRecord, TaskState,
    WaitsFor, rules,
};

impl State {
    pub(super) fn is_paused(&self, name: &DurableName) -> bool {
        self.paused.contains_key(name)
    }

    /// The task as readers see it: a queued one whose name is paused waits for that.
    pub(super) fn shown(&self, mut task: Task) -> Task {
        if task.state == TaskState::Queued
            && let Some(durable) = self.tasks.get(&task.task_id).and_then(|row| row.durable.as_ref())
            && self.is_paused(&durable.name(&task.app_id))
        {
            task.waits_for = Some(WaitsFor::Paused);
        }
        task
    }

    pub(super) fn shown_record(&self, record: &TaskRecord) -> TaskRecord {
        TaskRecord { task: self.shown(record.task.clone()), ..record.clone() }
    }

    pub(in crate::ledger::memory) fn open_work(&self, after: TaskPlace, limit: usize) -> Vec<OpenTask> {
        let place = |row: &TaskRow| {
            let owner = self.owners.iter().position(|owner| *owner == row.record.owner).unwrap_or_default();
            let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            TaskPlace::new(number(owner as u64), number(row.order))
        };
        let mut open: Vec<_> = self.open_rows().map(|row| (place(row), row)).filter(|(at, _)| *at > after).collect();
        open.sort_unstable_by_key(|(place, _)| *place);
        let task = |(place, row): (TaskPlace, &TaskRow)| {
            let name = row.durable.as_ref().map(|durable| durable.name(&row.record.task.app_id).task_name);
            let crashes = row.durable.as_ref().map_or(0, super::durable::DurableRow::crashes_in_a_row);
            OpenTask::new(place, self.shown_record(&row.record), name, crashes)
        };
        open.into_iter().take(limit).map(task).collect()
    }

    /// The task, and whether it was made ready.
    pub(in crate::ledger::memory) fn retry_task(
        &mut self,
        task_id: TaskId,
        audit: NewAudit,
        now: Timestamp,
    ) -> Result<(bool, TaskRecord), LedgerError> {
        let TaskRow { record, durable, .. } = self.tasks.get_mut(&task_id).ok_or(LedgerError::NotFound)?;
        let task = &mut record.task;
        let Some(durable) = durable.as_mut() else { return Ok((false, record.clone())) };
        if !rules::can_retry(task.state, task.waits_for, durable.crashes_in_a_row()) {
            let record = record.clone();
            return Ok((false, self.shown_record(&record)));
        }
        durable.forgive();
        (task.state, task.waits_for, task.ready_at) = (TaskState::Queued, Some(WaitsFor::Process), Some(now));
        let record = record.clone();
        self.audit(audit, now);
        self.push(&record.owner, EventBody::Task(record.task.clone()));
        Ok((true, self.shown_record(&record)))
    }

    pub(in crate::ledger::memory) fn set_paused(
        &mut self,
        name: DurableName,
        paused: bool,
        audit: NewAudit,
        now: Timestamp,
    ) -> bool {
        if self.is_paused(&name) == paused {
            return false;
        }
        if paused {
            self.paused.insert(name, (now, audit.actor.clone()));
        } else {
            self.paused.remove(&name);
        }
        self.audit(audit, now);
        true
    }

    pub(in crate::ledger::memory) fn paused_tasks(&self) -> Vec<PausedTask> {
        let paused = self.paused.iter();
        paused.map(|(name, (since, by))| PausedTask::new(&name.app_id, &name.task_name, *since, by)).collect()
    }
}
