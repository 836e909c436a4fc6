//! Tasks: started within an owner's limits, ended once.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::durable::DurableRow;
use super::{State, Told};
use crate::error::RunningTask;
use crate::ids::{CallId, TaskId};
use crate::ledger::rules::{self, Hold, TaskFacts};
use crate::ledger::{
    Attempt, CancelOutcome, DurableName, EventBody, Incarnation, LedgerError, NewAudit, NewTask, Owner, Progress,
    StoredStep, Task, TaskEnd, TaskRecord, Turn, WaitsFor, Work,
};

#[derive(Debug)]
pub(super) struct TaskRow {
    pub(super) order: u64,
    pub(super) record: TaskRecord,
    /// The number of the turn that holds its result.
    pub(super) outcome_seq: Option<u64>,
    pub(super) durable: Option<DurableRow>,
}

/// How a task that may start begins.
#[derive(Debug)]
pub(super) struct Start {
    /// As [`rules::waits_at_start`].
    waits: Option<(WaitsFor, WaitsFor)>,
    inherited: BTreeMap<u16, StoredStep>,
}

/// The open tasks in the order of their start, of all owners and by owner: a start reads no other
/// owner's tasks.
#[derive(Debug, Default)]
pub(super) struct Open {
    all: BTreeMap<u64, TaskId>,
    of: HashMap<Owner, BTreeMap<u64, TaskId>>,
}

impl Open {
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

impl State {
    /// The task without its result, for lists.
    fn listed(&self, row: &TaskRow) -> Task {
        Task { result: None, ..self.shown(row.record.task.clone()) }
    }

    pub(super) fn task_facts<'a>(&self, row: &'a TaskRow) -> TaskFacts<'a, &'a Owner> {
        let TaskRecord { owner, incarnation, task } = &row.record;
        let hold = if !task.state.is_open() {
            Hold::Ended
        } else if !task.state.is_held() {
            Hold::Free
        } else if self.is_current(incarnation) {
            Hold::Held
        } else {
            Hold::Orphaned
        };
        TaskFacts { owner, holder: incarnation, attempt: task.attempt, hold }
    }

    pub(in crate::ledger::memory) fn start_task(
        &mut self,
        incarnation: &Incarnation,
        new: NewTask,
        now: Timestamp,
        deadline_at: Timestamp,
    ) -> Told<Task> {
        self.fence(incarnation)?;
        match new.parent {
            Work::Call(call_id) => {
                let call = self.calls.get(&call_id).ok_or(LedgerError::NotFound)?;
                self.call_facts(call).check_start_task(incarnation, Some(&&new.owner))?;
            }
            Work::Task(Attempt { task_id, number }) => {
                let task = self.tasks.get(&task_id).ok_or(LedgerError::NotFound)?;
                self.task_facts(task).check_owned_write(incarnation, number, Some(&&new.owner))?;
            }
        }
        let start = self.check_start(&new)?;
        Ok(self.insert_task(incarnation, new, start, now, deadline_at))
    }

    /// The rules of a start besides those of its parent.
    pub(super) fn check_start(&self, new: &NewTask) -> Result<Start, LedgerError> {
        if let Some(follows) = new.follows() {
            self.followed(&new.owner, follows)?;
        }
        if self.tasks.contains_key(&new.task_id) {
            return Err(LedgerError::IdExists);
        }
        if let Some(key) = &new.key {
            let mut tasks = self.open_rows_of(&new.owner).map(|row| &row.record.task);
            if let Some(task) = tasks.find(|task| task.key.as_ref() == Some(key) && task.app_id == new.app_id) {
                return Err(LedgerError::AlreadyRunning(RunningTask::new(task.task_id, &task.name)));
            }
        }
        rules::check_open_tasks(self.open.count_of(&new.owner), new.max_open)?;
        let has_slot = rules::check_running_tasks(self.running_of(&new.owner), new.max_running);
        if new.durable.is_none() {
            has_slot.clone()?;
        }
        let is_paused = new
            .durable
            .as_ref()
            .is_some_and(|durable| self.is_paused(&DurableName::new(&new.app_id, &durable.task_name)));
        let inherited = match new.follows() {
            Some(follows) => self.inherited(&new.owner, follows)?,
            None => BTreeMap::new(),
        };
        Ok(Start { waits: rules::waits_at_start(has_slot.is_ok(), new, is_paused), inherited })
    }

    /// Writes a task that may start, with its event.
    pub(super) fn insert_task(
        &mut self,
        incarnation: &Incarnation,
        new: NewTask,
        Start { waits, inherited }: Start,
        now: Timestamp,
        deadline_at: Timestamp,
    ) -> (Owner, Task) {
        let starts = waits.is_none();
        let (owner, audit) = (new.owner.clone(), new.audit.clone());
        let durable = new
            .durable
            .clone()
            .map(|durable| DurableRow::new(durable, new.cap, starts.then_some(now)).inherits(inherited));
        let open_effects = durable.as_ref().map_or(0, DurableRow::open_effects);
        let shown = Task { open_effects, ..new.into_task(now, deadline_at, waits.map(|(shown, _)| shown)) };
        let task = Task { waits_for: waits.map(|(_, stored)| stored), ..shown.clone() };
        let order = self.next_order();
        let record = TaskRecord { owner: owner.clone(), incarnation: incarnation.clone(), task: task.clone() };
        self.enter_queue(&owner, &task);
        self.open.insert(&owner, order, task.task_id);
        self.tasks_of.entry(owner.clone()).or_default().push(task.task_id);
        self.tasks.insert(task.task_id, TaskRow { order, record, outcome_seq: None, durable });
        self.push(&owner, EventBody::Task(task));
        if let Some(audit) = audit {
            self.audit(audit, now);
        }
        (owner, shown)
    }

    pub(in crate::ledger::memory) fn finish_task(
        &mut self,
        incarnation: &Incarnation,
        attempt: Attempt,
        end: TaskEnd,
        now: Timestamp,
    ) -> Told<Turn> {
        self.fence(incarnation)?;
        self.check_attempt(incarnation, attempt)?;
        self.end_task(attempt.task_id, end, now)
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
    pub(super) fn end_task(&mut self, task_id: TaskId, end: TaskEnd, now: Timestamp) -> Told<Turn> {
        let task = &self.tasks.get(&task_id).ok_or(LedgerError::NotFound)?.record.task;
        rules::check_call_replied(self.calls.get(&task.call_id).map(|call| call.reply.is_some()))?;
        self.check_effects(task_id, &end)?;
        self.fresh(&end.turn)?;
        self.withdraw_questions(task_id, now);
        self.remove_drafts_of_task(task_id);
        let row = self.tasks.get_mut(&task_id).ok_or(LedgerError::NotFound)?;
        let task = &mut row.record.task;
        (task.state, task.finished_at) = (end.state, Some(now));
        (task.waits_for, task.ready_at) = (None, None);
        if let Some(durable) = &mut row.durable {
            (durable.stuck_since, durable.untold_since, durable.notes) = (None, None, end.notes.clone());
        }
        // The event has no result.
        let (order, owner, task) = (row.order, row.record.owner.clone(), row.record.task.clone());
        row.record.task.result.clone_from(&end.turn.result);
        self.open.remove(&owner, order);
        self.push(&owner, EventBody::Task(task));
        self.audit(end.audit, now);
        let (owner, turn) = self.add_turn(owner, end.turn, now);
        if let Some(row) = self.tasks.get_mut(&task_id) {
            row.outcome_seq = Some(turn.seq);
        }
        Ok((owner, turn))
    }

    /// Whether an end speaks of all open effects of its task.
    pub(super) fn check_effects(&self, task_id: TaskId, end: &TaskEnd) -> Result<(), LedgerError> {
        let durable = self.tasks.get(&task_id).and_then(|row| row.durable.as_ref());
        rules::check_open_effects(durable.map_or(0, DurableRow::open_effects), end.open_effects)
    }

    pub(in crate::ledger::memory) fn note_progress(
        &mut self,
        incarnation: &Incarnation,
        latest: Vec<(u32, Progress)>,
    ) -> Result<Vec<(Owner, Progress)>, LedgerError> {
        self.fence(incarnation)?;
        let mut kept = Vec::with_capacity(latest.len());
        for (attempt, progress) in latest {
            let Some(TaskRow { record, .. }) = self.tasks.get_mut(&progress.task_id) else { continue };
            let task = &mut record.task;
            if record.incarnation == *incarnation && task.state.is_held() && task.attempt == attempt {
                let Progress { percent, message, steps, .. } = progress.clone();
                task.percent = percent.or(task.percent);
                task.message = message.or(task.message.take());
                task.steps = steps.or(task.steps.take());
                kept.push((record.owner.clone(), progress));
            }
        }
        Ok(kept)
    }

    /// Whether the request made events, and the answer.
    pub(in crate::ledger::memory) fn request_cancel(
        &mut self,
        task_id: TaskId,
        audit: NewAudit,
        end: TaskEnd,
        now: Timestamp,
    ) -> Result<(bool, CancelOutcome), LedgerError> {
        let row = self.tasks.get(&task_id).ok_or(LedgerError::NotFound)?;
        let hold = self.task_facts(row).hold;
        if hold == Hold::Ended {
            let record = row.record.clone();
            self.audit(audit, now);
            return Ok((false, CancelOutcome::AlreadyEnded(record)));
        }
        let replied = self.calls.get(&row.record.task.call_id).is_none_or(|call| call.reply.is_some());
        if hold == Hold::Free && replied {
            self.check_effects(task_id, &end)?;
            self.fresh(&end.turn)?;
            self.audit(audit, now);
            if let Some(row) = self.tasks.get_mut(&task_id) {
                row.record.task.cancel_requested_at.get_or_insert(now);
            }
            self.end_task(task_id, end, now)?;
            let row = self.tasks.get(&task_id).ok_or(LedgerError::NotFound)?;
            return Ok((true, CancelOutcome::Ended(row.record.clone())));
        }
        let first = row.record.task.cancel_requested_at.is_none();
        if first && let Some(row) = self.tasks.get_mut(&task_id) {
            row.record.task.cancel_requested_at = Some(now);
        }
        let record = self.tasks.get(&task_id).ok_or(LedgerError::NotFound)?.record.clone();
        if first {
            self.push(&record.owner, EventBody::Task(record.task.clone()));
        }
        self.audit(audit, now);
        Ok((first, CancelOutcome::Requested(record)))
    }

    /// Whether the incarnation may write for the task in this attempt.
    pub(super) fn check_attempt(&self, incarnation: &Incarnation, attempt: Attempt) -> Result<(), LedgerError> {
        let row = self.tasks.get(&attempt.task_id).ok_or(LedgerError::NotFound)?;
        self.task_facts(row).check_write(incarnation, attempt.number)
    }

    pub(super) fn running_of(&self, owner: &Owner) -> u32 {
        let running = self.open_rows_of(owner).filter(|row| row.record.task.state.is_held());
        u32::try_from(running.count()).unwrap_or(u32::MAX)
    }

    pub(super) fn open_rows(&self) -> impl Iterator<Item = &TaskRow> {
        self.open.all.values().filter_map(|task_id| self.tasks.get(task_id))
    }

    pub(super) fn open_rows_of(&self, owner: &Owner) -> impl Iterator<Item = &TaskRow> {
        self.open.of.get(owner).into_iter().flatten().filter_map(|(_, task_id)| self.tasks.get(task_id))
    }

    pub(in crate::ledger::memory) fn task(&self, task_id: TaskId) -> Option<TaskRecord> {
        self.tasks.get(&task_id).map(|row| self.shown_record(&row.record))
    }

    pub(in crate::ledger::memory) fn open_tasks(&self, owner: &Owner) -> Vec<Task> {
        self.open_rows_of(owner).map(|row| self.listed(row)).collect()
    }

    pub(in crate::ledger::memory) fn recent_tasks(&self, owner: &Owner, limit: usize) -> Vec<Task> {
        let ids = self.tasks_of.get(owner).into_iter().flatten().rev().take(limit);
        ids.filter_map(|id| self.tasks.get(id)).map(|row| self.listed(row)).collect()
    }

    pub(in crate::ledger::memory) fn tasks_of_call(&self, owner: &Owner, call_id: CallId) -> Vec<Task> {
        let ids = self.tasks_of.get(owner).into_iter().flatten();
        let rows = ids.filter_map(|id| self.tasks.get(id));
        rows.filter(|row| row.record.task.call_id == call_id).map(|row| self.listed(row)).collect()
    }
}
