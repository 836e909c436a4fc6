//! Tasks: started within an owner's limits, ended once.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::{State, Told};
use crate::error::RunningTask;
use crate::ids::{CallId, TaskId};
use crate::ledger::rules::{self, TaskFacts};
use crate::ledger::{
    CancelOutcome, EventBody, Incarnation, LedgerError, NewAudit, NewTask, Owner, Progress, Task, TaskEnd, TaskRecord,
    TaskState, Turn,
};

#[derive(Debug)]
pub(super) struct TaskRow {
    pub(super) order: u64,
    pub(super) record: TaskRecord,
    /// The number of the turn that holds its result.
    pub(super) outcome_seq: Option<u64>,
}

/// The running tasks in the order of their start, of all owners and by owner: a start reads no other
/// owner's tasks.
#[derive(Debug, Default)]
pub(super) struct Running {
    all: BTreeMap<u64, TaskId>,
    of: HashMap<Owner, BTreeMap<u64, TaskId>>,
}

impl Running {
    fn insert(&mut self, owner: &Owner, order: u64, task_id: TaskId) {
        self.all.insert(order, task_id);
        self.of.entry(owner.clone()).or_default().insert(order, task_id);
    }

    fn count_of(&self, owner: &Owner) -> u32 {
        let count = self.of.get(owner).map_or(0, BTreeMap::len);
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn remove(&mut self, owner: &Owner, order: u64) {
        self.all.remove(&order);
        if let Some(of_owner) = self.of.get_mut(owner) {
            of_owner.remove(&order);
            if of_owner.is_empty() {
                self.of.remove(owner);
            }
        }
    }
}

/// The task without its result, for lists.
fn listed(row: &TaskRow) -> Task {
    Task { result: None, ..row.record.task.clone() }
}

impl State {
    pub(super) fn task_facts<'a>(&self, row: &'a TaskRow) -> TaskFacts<'a, &'a Owner> {
        let TaskRecord { owner, incarnation, task } = &row.record;
        let (running, orphaned) = (task.state == TaskState::Running, !self.is_current(incarnation));
        TaskFacts { owner, holder: incarnation, running, orphaned }
    }

    pub(in crate::ledger::memory) fn start_task(
        &mut self,
        incarnation: &Incarnation,
        new: NewTask,
        now: Timestamp,
        deadline_at: Timestamp,
    ) -> Told<Task> {
        self.fence(incarnation)?;
        let call = self.calls.get(&new.call_id).ok_or(LedgerError::NotFound)?;
        self.call_facts(call).check_start_task(incarnation, Some(&&new.owner))?;
        if self.tasks.contains_key(&new.task_id) {
            return Err(LedgerError::IdExists);
        }
        if let Some(key) = &new.key {
            let mut tasks = self.running_rows_of(&new.owner).map(|row| &row.record.task);
            if let Some(task) = tasks.find(|task| task.key.as_ref() == Some(key) && task.app_id == new.app_id) {
                return Err(LedgerError::AlreadyRunning(RunningTask::new(task.task_id, &task.name)));
            }
        }
        rules::check_running_tasks(self.running.count_of(&new.owner), new.max_running)?;
        let task = new.into_task(now, deadline_at);
        let owner = call.owner.clone();
        let order = self.next_order();
        let record = TaskRecord { owner: owner.clone(), incarnation: incarnation.clone(), task: task.clone() };
        self.running.insert(&owner, order, task.task_id);
        self.tasks_of.entry(owner.clone()).or_default().push(task.task_id);
        self.tasks.insert(task.task_id, TaskRow { order, record, outcome_seq: None });
        self.push(&owner, EventBody::Task(task.clone()));
        Ok((owner, task))
    }

    pub(in crate::ledger::memory) fn finish_task(
        &mut self,
        incarnation: &Incarnation,
        task_id: TaskId,
        end: TaskEnd,
        now: Timestamp,
    ) -> Told<Turn> {
        self.fence(incarnation)?;
        let row = self.tasks.get(&task_id).ok_or(LedgerError::NotFound)?;
        self.task_facts(row).check_finish(incarnation)?;
        self.end_task(task_id, end, now)
    }

    pub(in crate::ledger::memory) fn reclaim_task(
        &mut self,
        incarnation: &Incarnation,
        task_id: TaskId,
        end: TaskEnd,
        now: Timestamp,
    ) -> Told<Turn> {
        self.fence(incarnation)?;
        let row = self.tasks.get(&task_id).ok_or(LedgerError::NotFound)?;
        self.task_facts(row).check_reclaim()?;
        self.end_task(task_id, end, now)
    }

    /// Writes a task's end. The caller has checked the rules of the task, but not those of its call.
    fn end_task(&mut self, task_id: TaskId, end: TaskEnd, now: Timestamp) -> Told<Turn> {
        let task = &self.tasks.get(&task_id).ok_or(LedgerError::NotFound)?.record.task;
        rules::check_call_replied(self.calls.get(&task.call_id).map(|call| call.reply.is_some()))?;
        self.fresh(&end.turn)?;
        let row = self.tasks.get_mut(&task_id).ok_or(LedgerError::NotFound)?;
        row.record.task.state = end.state;
        row.record.task.finished_at = Some(now);
        // The event has no result.
        let (order, owner, task) = (row.order, row.record.owner.clone(), row.record.task.clone());
        row.record.task.result.clone_from(&end.turn.result);
        self.running.remove(&owner, order);
        self.push(&owner, EventBody::Task(task));
        self.audit(end.audit, now);
        let (owner, turn) = self.add_turn(owner, end.turn, now);
        if let Some(row) = self.tasks.get_mut(&task_id) {
            row.outcome_seq = Some(turn.seq);
        }
        Ok((owner, turn))
    }

    pub(in crate::ledger::memory) fn note_progress(
        &mut self,
        incarnation: &Incarnation,
        latest: Vec<Progress>,
    ) -> Result<Vec<(Owner, Progress)>, LedgerError> {
        self.fence(incarnation)?;
        let mut kept = Vec::with_capacity(latest.len());
        for progress in latest {
            let Some(TaskRow { record, .. }) = self.tasks.get_mut(&progress.task_id) else { continue };
            if record.incarnation == *incarnation && record.task.state == TaskState::Running {
                record.task.percent = Some(progress.percent);
                record.task.message = Some(progress.message.clone());
                kept.push((record.owner.clone(), progress));
            }
        }
        Ok(kept)
    }

    /// Whether this was the first request, which makes an event, and the answer.
    pub(in crate::ledger::memory) fn request_cancel(
        &mut self,
        task_id: TaskId,
        audit: NewAudit,
        now: Timestamp,
    ) -> Result<(bool, CancelOutcome), LedgerError> {
        let record = &mut self.tasks.get_mut(&task_id).ok_or(LedgerError::NotFound)?.record;
        let running = record.task.state == TaskState::Running;
        let first = running && record.task.cancel_requested_at.is_none();
        if first {
            record.task.cancel_requested_at = Some(now);
        }
        let record = record.clone();
        if first {
            self.push(&record.owner, EventBody::Task(record.task.clone()));
        }
        self.audit(audit, now);
        Ok((first, if running { CancelOutcome::Requested(record) } else { CancelOutcome::AlreadyEnded(record) }))
    }

    pub(super) fn running_rows(&self) -> impl Iterator<Item = &TaskRow> {
        self.running.all.values().filter_map(|task_id| self.tasks.get(task_id))
    }

    pub(super) fn running_rows_of(&self, owner: &Owner) -> impl Iterator<Item = &TaskRow> {
        self.running.of.get(owner).into_iter().flatten().filter_map(|(_, task_id)| self.tasks.get(task_id))
    }

    pub(in crate::ledger::memory) fn task(&self, task_id: TaskId) -> Option<TaskRecord> {
        self.tasks.get(&task_id).map(|row| row.record.clone())
    }

    pub(in crate::ledger::memory) fn running_tasks(&self, owner: &Owner) -> Vec<Task> {
        self.running_rows_of(owner).map(listed).collect()
    }

    pub(in crate::ledger::memory) fn recent_tasks(&self, owner: &Owner, limit: usize) -> Vec<Task> {
        let ids = self.tasks_of.get(owner).into_iter().flatten().rev().take(limit);
        ids.filter_map(|id| self.tasks.get(id)).map(listed).collect()
    }

    pub(in crate::ledger::memory) fn tasks_of_call(&self, owner: &Owner, call_id: CallId) -> Vec<Task> {
        let ids = self.tasks_of.get(owner).into_iter().flatten();
        let rows = ids.filter_map(|id| self.tasks.get(id));
        rows.filter(|row| row.record.task.call_id == call_id).map(listed).collect()
    }
}
