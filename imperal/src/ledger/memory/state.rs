//! The rules of the contract, over plain maps.
//!
//! Every method checks all it has to check before it changes anything: an `Err` leaves no trace.
//! Knows no lock and no feed. A life that is over needs no mark on its work: whether a holder is
//! still current is looked up.

mod prune;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::error::RunningTask;
use crate::ids::{CallId, TaskId, TurnId};
use crate::ledger::clock::after;
use crate::ledger::{
    AuditEnds, AuditFilter, AuditHash, AuditRow, CancelAnswer, Event, EventBody, Fence, Incarnation, LedgerError,
    NewAudit, NewCall, NewTask, Orphan, Owner, Progress, Task, TaskEnd, TaskRecord, TaskState, Turn, TurnBody, Work,
};

/// Whose events grew, and what the method returns.
type Told<T> = Result<(Owner, T), LedgerError>;

/// A node's latest life.
#[derive(Debug)]
struct Life {
    epoch: i64,
    /// None once it is over.
    lease_until: Option<Timestamp>,
    /// How long the lease was when it was given.
    lease: Duration,
}

#[derive(Debug)]
struct CallRow {
    order: u64,
    owner: Owner,
    holder: Incarnation,
    turn: TurnBody,
    /// The number of its own turn.
    seq: u64,
    open: bool,
}

#[derive(Debug)]
struct TaskRow {
    order: u64,
    record: TaskRecord,
    /// The number of the turn that holds its result.
    outcome_seq: Option<u64>,
}

/// An owner's events.
#[derive(Debug, Default)]
struct Journal {
    /// The latest number.
    head: u64,
    /// Events up to this number are not kept any more; some turns among them may be.
    pruned: u64,
    /// In order.
    kept: Vec<Event>,
}

/// Everything the ledger knows.
#[derive(Debug, Default)]
pub(super) struct State {
    lives: HashMap<Arc<str>, Life>,
    calls: HashMap<CallId, CallRow>,
    open_calls: BTreeMap<u64, CallId>,
    tasks: HashMap<TaskId, TaskRow>,
    running: BTreeMap<u64, TaskId>,
    last_order: u64,
    turn_ids: HashSet<TurnId>,
    /// In the order in which they came, for pruning.
    owners: Vec<Owner>,
    events: HashMap<Owner, Journal>,
    tasks_of: HashMap<Owner, Vec<TaskId>>,
    audit: Vec<AuditRow>,
    last_audit: u64,
    audit_ends: HashMap<Owner, AuditEnds>,
}

impl State {
    fn is_current(&self, holder: &Incarnation) -> bool {
        self.lives.get(&holder.node).is_some_and(|life| life.epoch == holder.epoch && life.lease_until.is_some())
    }

    fn fence(&self, holder: &Incarnation) -> Result<(), LedgerError> {
        if self.is_current(holder) { Ok(()) } else { Err(LedgerError::Fenced) }
    }

    fn fresh(&self, turn: &TurnBody) -> Result<(), LedgerError> {
        if self.turn_ids.contains(&turn.turn_id) { Err(LedgerError::Settled) } else { Ok(()) }
    }

    fn next_order(&mut self) -> u64 {
        self.last_order += 1;
        self.last_order
    }

    pub(super) fn join(&mut self, node: &str, lease: Duration, now: Timestamp) -> Incarnation {
        let node: Arc<str> = node.into();
        let epoch = self.lives.get(&node).map_or(0, |life| life.epoch) + 1;
        self.lives.insert(node.clone(), Life { epoch, lease_until: Some(after(now, lease)), lease });
        Incarnation { node, epoch }
    }

    pub(super) fn renew(
        &mut self,
        holder: &Incarnation,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Vec<TaskId>, LedgerError> {
        self.fence(holder)?;
        if let Some(life) = self.lives.get_mut(&holder.node) {
            (life.lease_until, life.lease) = (Some(after(now, lease)), lease);
        }
        let asked = self
            .running_rows()
            .filter(|row| row.record.holder == *holder && row.record.task.cancel_requested_at.is_some());
        Ok(asked.map(|row| row.record.task.task_id).collect())
    }

    pub(super) fn leave(&mut self, holder: &Incarnation) {
        if let Some(life) = self.lives.get_mut(&holder.node)
            && life.epoch == holder.epoch
        {
            life.lease_until = None;
        }
    }

    pub(super) fn accept_call(&mut self, holder: &Incarnation, call: NewCall, now: Timestamp) -> Told<Turn> {
        self.fence(holder)?;
        if self.calls.contains_key(&call.call_id) {
            return Err(LedgerError::Settled);
        }
        self.fresh(&call.turn)?;
        let order = self.next_order();
        let (owner, turn) = self.add_turn(call.owner, call.turn, now);
        let row = CallRow {
            order,
            owner: owner.clone(),
            holder: holder.clone(),
            turn: turn.body.clone(),
            seq: turn.seq,
            open: true,
        };
        self.calls.insert(call.call_id, row);
        self.open_calls.insert(order, call.call_id);
        Ok((owner, turn))
    }

    pub(super) fn reply(
        &mut self,
        holder: &Incarnation,
        call_id: CallId,
        turn: TurnBody,
        now: Timestamp,
    ) -> Told<Turn> {
        self.fence(holder)?;
        let row = self.calls.get(&call_id).filter(|row| row.holder == *holder).ok_or(LedgerError::Unknown)?;
        if !row.open {
            return Err(LedgerError::Settled);
        }
        self.settle_call(call_id, turn, now)
    }

    pub(super) fn reclaim_call(
        &mut self,
        holder: &Incarnation,
        call_id: CallId,
        turn: TurnBody,
        now: Timestamp,
    ) -> Told<Turn> {
        self.fence(holder)?;
        let row = self.calls.get(&call_id).ok_or(LedgerError::Unknown)?;
        if !row.open {
            return Err(LedgerError::Settled);
        }
        if self.is_current(&row.holder) {
            return Err(LedgerError::Unknown);
        }
        self.settle_call(call_id, turn, now)
    }

    /// The write of a reply; the right to it has been checked.
    fn settle_call(&mut self, call_id: CallId, turn: TurnBody, now: Timestamp) -> Told<Turn> {
        self.fresh(&turn)?;
        let row = self.calls.get_mut(&call_id).ok_or(LedgerError::Unknown)?;
        row.open = false;
        let (order, owner) = (row.order, row.owner.clone());
        self.open_calls.remove(&order);
        Ok(self.add_turn(owner, turn, now))
    }

    pub(super) fn start_task(
        &mut self,
        holder: &Incarnation,
        new: NewTask,
        now: Timestamp,
        deadline_at: Timestamp,
    ) -> Told<Task> {
        self.fence(holder)?;
        let call = self.calls.get(&new.call_id).ok_or(LedgerError::Unknown)?;
        if call.holder != *holder || call.owner != new.owner {
            return Err(LedgerError::Unknown);
        }
        if self.tasks.contains_key(&new.task_id) {
            return Err(LedgerError::Settled);
        }
        let of_owner = || self.running_rows().map(|row| &row.record).filter(|record| record.owner == new.owner);
        let same_key = |task: &&Task| new.key.is_some() && task.key == new.key && task.app_id == new.app_id;
        if let Some(task) = of_owner().map(|record| &record.task).find(same_key) {
            return Err(LedgerError::AlreadyRunning(RunningTask::new(task.task_id, &task.name)));
        }
        if of_owner().count() >= new.max_running as usize {
            return Err(LedgerError::TooManyTasks(new.max_running));
        }
        let task = new.into_task(now, deadline_at);
        let owner = call.owner.clone();
        let order = self.next_order();
        let record = TaskRecord { owner: owner.clone(), holder: holder.clone(), task: task.clone() };
        self.running.insert(order, task.task_id);
        self.tasks_of.entry(owner.clone()).or_default().push(task.task_id);
        self.tasks.insert(task.task_id, TaskRow { order, record, outcome_seq: None });
        self.push(&owner, EventBody::Task(task.clone()));
        Ok((owner, task))
    }

    pub(super) fn finish_task(
        &mut self,
        holder: &Incarnation,
        task_id: TaskId,
        end: TaskEnd,
        now: Timestamp,
    ) -> Told<Turn> {
        self.fence(holder)?;
        let row = self.tasks.get(&task_id).ok_or(LedgerError::Unknown)?;
        if row.record.holder != *holder {
            return Err(LedgerError::Fenced);
        }
        self.end_task(task_id, end, now)
    }

    pub(super) fn reclaim_task(
        &mut self,
        holder: &Incarnation,
        task_id: TaskId,
        end: TaskEnd,
        now: Timestamp,
    ) -> Told<Turn> {
        self.fence(holder)?;
        let row = self.tasks.get(&task_id).ok_or(LedgerError::Unknown)?;
        if row.record.task.state == TaskState::Running && self.is_current(&row.record.holder) {
            return Err(LedgerError::Unknown);
        }
        self.end_task(task_id, end, now)
    }

    /// The write of a task's end; the right to it has been checked, its state has not.
    fn end_task(&mut self, task_id: TaskId, end: TaskEnd, now: Timestamp) -> Told<Turn> {
        let task = &self.tasks.get(&task_id).ok_or(LedgerError::Unknown)?.record.task;
        if task.state != TaskState::Running {
            return Err(LedgerError::Settled);
        }
        if self.calls.get(&task.call_id).is_none_or(|call| call.open) {
            return Err(LedgerError::TooEarly);
        }
        self.fresh(&end.turn)?;
        let row = self.tasks.get_mut(&task_id).ok_or(LedgerError::Unknown)?;
        row.record.task.state = end.state;
        row.record.task.finished_at = Some(now);
        row.record.task.result.clone_from(&end.turn.result);
        let (order, owner, task) = (row.order, row.record.owner.clone(), row.record.task.clone());
        self.running.remove(&order);
        self.push(&owner, EventBody::Task(task));
        self.audit(end.audit, now);
        let (owner, turn) = self.add_turn(owner, end.turn, now);
        if let Some(row) = self.tasks.get_mut(&task_id) {
            row.outcome_seq = Some(turn.seq);
        }
        Ok((owner, turn))
    }

    pub(super) fn note_progress(
        &mut self,
        holder: &Incarnation,
        latest: Vec<Progress>,
    ) -> Result<Vec<(Owner, Progress)>, LedgerError> {
        self.fence(holder)?;
        let mut kept = Vec::with_capacity(latest.len());
        for progress in latest {
            let Some(TaskRow { record, .. }) = self.tasks.get_mut(&progress.task_id) else { continue };
            if record.holder == *holder && record.task.state == TaskState::Running {
                record.task.percent = Some(progress.percent);
                record.task.message = Some(progress.message.clone());
                kept.push((record.owner.clone(), progress));
            }
        }
        Ok(kept)
    }

    /// Whether the owner got an event, and the answer.
    pub(super) fn ask_cancel(
        &mut self,
        task_id: TaskId,
        audit: NewAudit,
        now: Timestamp,
    ) -> Result<(bool, CancelAnswer), LedgerError> {
        let record = &mut self.tasks.get_mut(&task_id).ok_or(LedgerError::Unknown)?.record;
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
        Ok((first, if running { CancelAnswer::Noted(record) } else { CancelAnswer::Ended(record) }))
    }

    pub(super) fn inject(
        &mut self,
        owner: Owner,
        turn: TurnBody,
        audit: NewAudit,
        fence: Option<&Fence>,
        now: Timestamp,
    ) -> Told<Turn> {
        if let Some(fence) = fence {
            self.may_inject(&owner, fence)?;
        }
        self.fresh(&turn)?;
        self.audit(audit, now);
        Ok(self.add_turn(owner, turn, now))
    }

    fn may_inject(&self, owner: &Owner, Fence { holder, work }: &Fence) -> Result<(), LedgerError> {
        self.fence(holder)?;
        let unsettled = match work {
            Work::Call(call_id) => {
                let call = self.calls.get(call_id).filter(|call| call.owner == *owner).ok_or(LedgerError::Unknown)?;
                if call.holder != *holder {
                    return Err(LedgerError::Unknown);
                }
                call.open
            }
            Work::Task(task_id) => {
                let row = self.tasks.get(task_id).filter(|row| row.record.owner == *owner);
                let record = &row.ok_or(LedgerError::Unknown)?.record;
                if record.holder != *holder {
                    return Err(LedgerError::Fenced);
                }
                record.task.state == TaskState::Running
            }
        };
        if unsettled { Ok(()) } else { Err(LedgerError::Settled) }
    }

    pub(super) fn audit(&mut self, body: NewAudit, at: Timestamp) {
        self.last_audit += 1;
        let owner = Owner::new(&body.tenant_id, &body.user_id);
        self.note_owner(&owner);
        let before = self.audit_ends.get(&owner);
        let hash = AuditHash::of(before.map(|ends| &ends.end), at, &body);
        let ends = AuditEnds::new(before.and_then(|ends| ends.anchor), before.map_or(0, |ends| ends.pruned), hash);
        self.audit_ends.insert(owner, ends);
        self.audit.push(AuditRow { audit_id: self.last_audit, at, body, hash });
    }

    pub(super) fn orphans(
        &mut self,
        holder: &Incarnation,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Orphan>, LedgerError> {
        self.fence(holder)?;
        for (node, life) in &mut self.lives {
            // Given before the clock was set back.
            let longest = after(now, life.lease);
            life.lease_until = life.lease_until.map(|until| until.min(longest));
            if *node != holder.node && life.lease_until.is_some_and(|until| until <= now) {
                life.lease_until = None;
            }
        }
        let calls = self.open_calls.values().filter_map(|call_id| {
            let row = self.calls.get(call_id).filter(|row| !self.is_current(&row.holder))?;
            Some(Orphan::Call {
                call_id: *call_id,
                owner: row.owner.clone(),
                holder: row.holder.clone(),
                turn: row.turn.clone(),
            })
        });
        let tasks = self.running_rows().filter(|row| !self.is_current(&row.record.holder));
        Ok(calls.chain(tasks.map(|row| Orphan::Task(row.record.clone()))).take(limit).collect())
    }

    fn running_rows(&self) -> impl Iterator<Item = &TaskRow> {
        self.running.values().filter_map(|task_id| self.tasks.get(task_id))
    }

    fn note_owner(&mut self, owner: &Owner) {
        if !self.events.contains_key(owner) && !self.audit_ends.contains_key(owner) {
            self.owners.push(owner.clone());
        }
    }

    fn push(&mut self, owner: &Owner, body: EventBody) {
        self.note_owner(owner);
        let journal = self.events.entry(owner.clone()).or_default();
        journal.head += 1;
        journal.kept.push(Event { seq: journal.head, body });
    }

    fn add_turn(&mut self, owner: Owner, body: TurnBody, at: Timestamp) -> (Owner, Turn) {
        self.turn_ids.insert(body.turn_id);
        let turn = Turn { seq: self.head(&owner) + 1, at, body };
        self.push(&owner, EventBody::Turn(turn.clone()));
        (owner, turn)
    }

    pub(super) fn head(&self, owner: &Owner) -> u64 {
        self.events.get(owner).map_or(0, |journal| journal.head)
    }

    pub(super) fn events(&self, owner: &Owner, after: u64) -> Result<&[Event], LedgerError> {
        match self.events.get(owner) {
            Some(journal) if after < journal.pruned => Err(LedgerError::Pruned(journal.pruned)),
            _ => Ok(self.kept(owner, after)),
        }
    }

    fn kept(&self, owner: &Owner, after: u64) -> &[Event] {
        let kept = self.events.get(owner).map_or(&[][..], |journal| journal.kept.as_slice());
        &kept[kept.partition_point(|event| event.seq <= after)..]
    }

    pub(super) fn turns(&self, owner: &Owner, after: u64) -> impl DoubleEndedIterator<Item = &Turn> {
        self.kept(owner, after).iter().filter_map(|event| match &event.body {
            EventBody::Turn(turn) => Some(turn),
            EventBody::Task(_) => None,
        })
    }

    pub(super) fn task(&self, task_id: TaskId) -> Option<TaskRecord> {
        self.tasks.get(&task_id).map(|row| row.record.clone())
    }

    pub(super) fn running_tasks(&self, owner: &Owner) -> Vec<Task> {
        self.running_rows().filter(|row| row.record.owner == *owner).map(|row| row.record.task.clone()).collect()
    }

    pub(super) fn recent_tasks(&self, owner: &Owner, limit: usize) -> Vec<Task> {
        let ids = self.tasks_of.get(owner).into_iter().flatten().rev().take(limit);
        ids.filter_map(|id| self.task(*id)).map(|record| record.task).collect()
    }

    pub(super) fn audit_ends(&self, owner: Option<&Owner>) -> Vec<(Owner, AuditEnds)> {
        let wanted = |(of, _): &(&Owner, &AuditEnds)| owner.is_none_or(|owner| owner == *of);
        self.audit_ends.iter().filter(wanted).map(|(owner, ends)| (owner.clone(), ends.clone())).collect()
    }

    pub(super) fn audit_rows(&self, filter: &AuditFilter) -> Vec<AuditRow> {
        let wanted = |row: &&AuditRow| {
            filter
                .owner
                .as_ref()
                .is_none_or(|owner| *owner.tenant_id == *row.body.tenant_id && *owner.user_id == *row.body.user_id)
        };
        let from = self.audit.partition_point(|row| row.audit_id <= filter.after);
        self.audit[from..].iter().filter(wanted).take(filter.limit as usize).cloned().collect()
    }
}
