//! Durable tasks: their attempts and steps.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::tasks::TaskRow;
use super::{State, Told};
use crate::ids::TaskId;
use crate::ledger::clock::after;
use crate::ledger::rules::{self, SUSPECT};
use crate::ledger::{
    Attempt, ClaimRequest, ClaimedTask, DurableName, EventBody, Fence, Incarnation, LedgerError, NewDurable, NewStep,
    Park, Question, QuestionState, Release, StoredStep, Task, TaskState, WaitsFor, Work,
};

/// The durable part of a task.
#[derive(Debug)]
pub(super) struct DurableRow {
    new: NewDurable,
    cap: Duration,
    /// Running time of ended attempts.
    ran: Duration,
    /// When the current attempt began; `None` while no process holds the task.
    claimed_at: Option<Timestamp>,
    /// Ends by a crash since the last progress.
    crashes: u32,
    /// Attempts since the last progress.
    fruitless: u32,
    /// Whether the latest attempt has made progress.
    has_progress: bool,
    pub(super) refused_by: Option<String>,
    /// The first refusal since the last progress.
    pub(super) refused_since: Option<Timestamp>,
    /// `None` in any state but `Stuck`.
    pub(super) stuck_since: Option<Timestamp>,
    /// Since when it has been queued without an event.
    pub(super) untold_since: Option<Timestamp>,
    steps: BTreeMap<u16, StoredStep>,
    /// In the order in which they were asked.
    pub(super) questions: Vec<Question>,
}

impl DurableRow {
    /// `claimed_at` is `None` for a task that waits for a slot.
    pub(super) fn new(new: NewDurable, cap: Duration, claimed_at: Option<Timestamp>) -> Self {
        Self {
            new,
            cap,
            ran: Duration::ZERO,
            claimed_at,
            crashes: 0,
            fruitless: u32::from(claimed_at.is_some()),
            has_progress: false,
            refused_by: None,
            refused_since: None,
            stuck_since: None,
            untold_since: None,
            steps: BTreeMap::new(),
            questions: Vec::new(),
        }
    }

    /// Counts the running time of an attempt that ended at `until`.
    fn stop(&mut self, until: Timestamp) {
        if let Some(from) = self.claimed_at.take() {
            self.ran += Duration::try_from(until.duration_since(from)).unwrap_or_default();
        }
    }

    /// Removes values of steps, at most this many; how many it removed.
    pub(super) fn forget_values(&mut self, most: usize) -> usize {
        let kept = self.steps.values_mut().filter(|step| step.value.is_some()).take(most);
        let removed = kept.map(|step| (step.value, step.bytes) = (None, 0)).count();
        self.questions.iter_mut().for_each(|question| question.answer = None);
        removed
    }

    pub(super) fn has_step(&self, ordinal: u16) -> bool {
        self.steps.contains_key(&ordinal)
    }

    /// Changes the value of a stored step.
    pub(super) fn set_value(&mut self, ordinal: u16, value: String, now: Timestamp) {
        if let Some(step) = self.steps.get_mut(&ordinal) {
            (step.bytes, step.done_at, step.value) = (value.len() as u64, now, Some(value));
        }
    }

    /// Whether a wait of a parked task is over already.
    fn is_answered(&self, park: &Park) -> bool {
        let is_open = |ordinal: &u16| {
            self.questions.iter().any(|one| one.ordinal == *ordinal && one.state == QuestionState::Open)
        };
        !park.questions.iter().all(is_open)
    }

    pub(super) fn name(&self, app_id: &str) -> DurableName {
        DurableName { app_id: app_id.to_owned(), task_name: self.new.task_name.clone() }
    }
}

impl State {
    /// Gives up the tasks of an incarnation that ends: another process continues the durable ones.
    pub(super) fn orphan_tasks(
        &mut self,
        incarnation: &Incarnation,
        is_crash: bool,
        alive_at: Timestamp,
        now: Timestamp,
    ) {
        let held = self.open_rows().filter(|row| row.record.task.state.is_held());
        let held: Vec<TaskId> =
            held.filter(|row| row.record.incarnation == *incarnation).map(|row| row.record.task.task_id).collect();
        for task_id in held {
            let Some(TaskRow { record, durable, .. }) = self.tasks.get_mut(&task_id) else { continue };
            let task = &mut record.task;
            let Some(durable) = durable else {
                task.interrupted_at = Some(rules::interrupted_at(alive_at, [Some(task.created_at)], now));
                continue;
            };
            let last =
                durable.steps.values().filter(|step| step.attempt == task.attempt).map(|step| step.done_at).max();
            task.interrupted_at = Some(rules::interrupted_at(alive_at, [durable.claimed_at, last], now));
            durable.untold_since = Some(now);
            durable.stop(last.or(durable.claimed_at).unwrap_or(now));
            if is_crash {
                durable.crashes = if durable.has_progress { 1 } else { durable.crashes + 1 };
            }
            let wait = rules::retry_after(if is_crash { durable.crashes } else { 0 });
            task.state = TaskState::Queued;
            task.waits_for = Some(if wait.is_zero() { WaitsFor::Process } else { WaitsFor::Retry });
            (task.ready_at, task.deadline_at) = (Some(after(now, wait)), None);
        }
    }

    pub(in crate::ledger::memory) fn claim_tasks(
        &mut self,
        incarnation: &Incarnation,
        request: &ClaimRequest,
        now: Timestamp,
    ) -> Result<Vec<ClaimedTask>, LedgerError> {
        self.fence(incarnation)?;
        let mut ready: Vec<(Timestamp, u64, TaskId)> = Vec::new();
        for row in self.open_rows() {
            let (Some(durable), task) = (&row.durable, &row.record.task) else { continue };
            let name = durable.name(&task.app_id);
            let replied = self.calls.get(&task.call_id).is_none_or(|call| call.reply.is_some());
            if let Some(at) = task.ready_at.filter(|at| *at <= now)
                && replied
                && request.names.contains(&name)
                && durable.refused_by.as_ref() != Some(&request.program)
            {
                ready.push((at, row.order, task.task_id));
            }
        }
        ready.sort_unstable();
        let (mut claimed, mut suspect) = (Vec::new(), request.suspect);
        for (.., task_id) in ready {
            if claimed.len() >= request.limit as usize {
                break;
            }
            let Some(row) = self.tasks.get(&task_id) else { continue };
            let crashes = |durable: &DurableRow| durable.crashes >= SUSPECT && !durable.has_progress;
            let is_suspect = row.durable.as_ref().is_some_and(crashes);
            if (is_suspect && !suspect) || self.running_of(&row.record.owner) >= request.max_running {
                continue;
            }
            suspect &= !is_suspect;
            claimed.extend(self.claim(incarnation, task_id, now));
        }
        Ok(claimed)
    }

    pub(in crate::ledger::memory) fn next_ready_in(&self, names: &[DurableName], now: Timestamp) -> Option<Duration> {
        let waiting = self.open_rows().filter(|row| row.record.task.ready_at.is_some());
        let of_names = waiting.filter(|row| {
            let TaskRow { record, durable, .. } = row;
            durable.as_ref().is_some_and(|durable| {
                names.iter().any(|name| name.app_id == record.task.app_id && name.task_name == durable.new.task_name)
            })
        });
        let first = of_names.filter_map(|row| row.record.task.ready_at).min();
        first.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default())
    }

    fn claim(&mut self, incarnation: &Incarnation, task_id: TaskId, now: Timestamp) -> Option<ClaimedTask> {
        let TaskRow { record, durable: Some(durable), .. } = self.tasks.get_mut(&task_id)? else { return None };
        if durable.has_progress {
            (durable.fruitless, durable.crashes) = (0, 0);
        }
        let (fruitless, crashes) = (durable.fruitless, durable.crashes);
        durable.fruitless += 1;
        (durable.has_progress, durable.claimed_at) = (false, Some(now));
        (durable.stuck_since, durable.untold_since) = (None, None);
        record.incarnation = incarnation.clone();
        let task = &mut record.task;
        (task.state, task.waits_for, task.ready_at) = (TaskState::Running, None, None);
        task.interrupted_at = None;
        task.attempt += 1;
        task.deadline_at = Some(after(now, rules::cap_left(durable.cap, durable.ran)));
        let claimed = ClaimedTask {
            record: record.clone(),
            task_name: durable.new.task_name.clone(),
            input: durable.new.input.clone(),
            user: durable.new.user.clone(),
            root_task: durable.new.root_task,
            ran: durable.ran,
            crashes,
            fruitless,
            claimed_at: now,
        };
        self.push(&claimed.record.owner, EventBody::Task(claimed.record.task.clone()));
        Some(claimed)
    }

    pub(in crate::ledger::memory) fn release_task(
        &mut self,
        incarnation: &Incarnation,
        attempt: Attempt,
        release: Release,
        now: Timestamp,
    ) -> Told<Task> {
        self.fence(incarnation)?;
        let row = self.tasks.get(&attempt.task_id).ok_or(LedgerError::NotFound)?;
        let facts = self.task_facts(row);
        if facts.is_released(incarnation, attempt.number) {
            return Ok((row.record.owner.clone(), row.record.task.clone()));
        }
        facts.check_write(incarnation, attempt.number)?;
        let Some(TaskRow { record, durable: Some(durable), .. }) = self.tasks.get_mut(&attempt.task_id) else {
            return Err(LedgerError::NotHolder);
        };
        durable.stop(now);
        let task = &mut record.task;
        let refused_again = matches!(release, Release::Refused { .. }) && durable.refused_since.is_some();
        let wait = if refused_again { rules::REFUSED_AGAIN } else { Duration::ZERO };
        (task.ready_at, task.deadline_at) = (Some(after(now, wait)), None);
        match release {
            Release::Park(park) => {
                (durable.crashes, durable.fruitless) = (0, 0);
                if durable.is_answered(&park) || task.cancel_requested_at.is_some() {
                    (task.state, task.waits_for) = (TaskState::Queued, Some(WaitsFor::Process));
                } else {
                    let waits_for = if park.questions.is_empty() { WaitsFor::Time } else { WaitsFor::Answer };
                    (task.state, task.waits_for, task.ready_at) = (TaskState::Waiting, Some(waits_for), park.wake_at);
                }
            }
            Release::HandOver => (task.state, task.waits_for) = (TaskState::Queued, Some(WaitsFor::Process)),
            Release::Refused { program } => {
                (task.state, task.waits_for) = (TaskState::Stuck, Some(WaitsFor::Version));
                // The program could not try: that is no attempt without progress.
                durable.fruitless = durable.fruitless.saturating_sub(1);
                durable.refused_by = Some(program);
                durable.stuck_since = Some(*durable.refused_since.get_or_insert(now));
            }
        }
        let (owner, task) = (record.owner.clone(), record.task.clone());
        self.push(&owner, EventBody::Task(task.clone()));
        Ok((owner, task))
    }

    pub(in crate::ledger::memory) fn store_step(
        &mut self,
        incarnation: &Incarnation,
        attempt: Attempt,
        step: NewStep,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.fence(incarnation)?;
        self.check_attempt(incarnation, attempt)?;
        self.add_step(attempt, step, now)
    }

    /// The step of a message, whose right to write has been checked.
    pub(super) fn add_step_of(&mut self, fence: &Fence, step: NewStep, now: Timestamp) -> Result<(), LedgerError> {
        match fence.work {
            Work::Task(attempt) => self.add_step(attempt, step, now),
            Work::Call(_) => Err(LedgerError::NotFound),
        }
    }

    pub(super) fn add_step(&mut self, attempt: Attempt, step: NewStep, now: Timestamp) -> Result<(), LedgerError> {
        let row = self.tasks.get_mut(&attempt.task_id).ok_or(LedgerError::NotFound)?;
        let durable = row.durable.as_mut().ok_or(LedgerError::NotFound)?;
        let NewStep { ordinal, name, kind, took, value, log } = step;
        if durable.steps.contains_key(&ordinal) {
            return Err(LedgerError::IdExists);
        }
        let took = SignedDuration::try_from(took).unwrap_or(SignedDuration::MAX);
        let began_at = now.checked_sub(took).unwrap_or(now);
        let (bytes, value) = (value.len() as u64, Some(value));
        if kind.is_progress() {
            (durable.has_progress, durable.refused_since) = (true, None);
        }
        let attempt = attempt.number;
        durable
            .steps
            .insert(ordinal, StoredStep { ordinal, name, kind, attempt, began_at, done_at: now, bytes, value, log });
        Ok(())
    }

    /// The steps after an ordinal, with values of any size.
    pub(in crate::ledger::memory) fn steps(&self, task_id: TaskId, after: u16) -> impl Iterator<Item = &StoredStep> {
        let durable = self.tasks.get(&task_id).and_then(|row| row.durable.as_ref());
        durable.into_iter().flat_map(move |durable| durable.steps.values()).filter(move |step| step.ordinal > after)
    }
}
