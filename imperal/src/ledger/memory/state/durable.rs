//! Durable tasks: their attempts and steps.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::tasks::TaskRow;
use super::{State, Told};
use crate::ids::TaskId;
use crate::ledger::clock::after;
use crate::ledger::rounds::{by_chance, first_share};
use crate::ledger::rules::{self, SUSPECT};
use crate::ledger::{
    Attempt, AttemptEnding, AttemptReport, ClaimRequest, ClaimedTask, DurableName, EventBody, Fence, Incarnation,
    LedgerError, NewDurable, NewStep, Park, Question, QuestionState, Release, StoredStep, Task, TaskAttempt, TaskState,
    WaitsFor, Work,
};
use crate::rows::open_effects;

/// The durable part of a task.
#[derive(Debug)]
pub(super) struct DurableRow {
    pub(super) new: NewDurable,
    cap: Duration,
    /// Running time of ended attempts.
    ran: Duration,
    /// When the current attempt began, or the one that the task ended in; `None` while no process holds the task.
    pub(super) claimed_at: Option<Timestamp>,
    /// The version of the program of the latest attempt.
    pub(super) program: String,
    /// Attempts that ended without an outcome.
    pub(super) attempts: Vec<TaskAttempt>,
    /// The notes of the attempt in which the task ended.
    pub(super) notes: Option<String>,
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
    pub(super) steps: BTreeMap<u16, StoredStep>,
    /// In the order in which they were asked.
    pub(super) questions: Vec<Question>,
}

impl DurableRow {
    /// `claimed_at` is `None` for a task that waits for a slot.
    pub(super) fn new(new: NewDurable, cap: Duration, claimed_at: Option<Timestamp>) -> Self {
        Self {
            program: new.program.clone(),
            attempts: Vec::new(),
            notes: None,
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

    /// Adds the rows of the task that it goes on from.
    pub(super) fn inherits(self, steps: BTreeMap<u16, StoredStep>) -> Self {
        Self { steps, ..self }
    }

    /// Counts the running time of an attempt that ended at `until`.
    fn stop(&mut self, until: Timestamp, waited: Duration) {
        if let Some(from) = self.claimed_at.take() {
            let held = Duration::try_from(until.duration_since(from)).unwrap_or_default();
            self.ran += held.saturating_sub(waited);
        }
    }

    /// Removes values of steps, at most this many; how many it removed.
    pub(super) fn forget_values(&mut self, most: usize) -> usize {
        let kept = self.steps.values_mut().filter(|step| step.value.is_some()).take(most);
        let removed = kept.map(|step| (step.value, step.bytes) = (None, 0)).count();
        self.questions.iter_mut().for_each(|question| question.answer = None);
        removed
    }

    pub(super) fn open_effects(&self) -> u32 {
        open_effects(self.steps.values().map(|step| step.kind))
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

    /// Attempts in a row that crashed their processes.
    pub(super) fn crashes_in_a_row(&self) -> u32 {
        if self.has_progress { 0 } else { self.crashes }
    }

    /// Whether its latest attempts crashed their processes, so that it is taken up alone.
    pub(super) fn is_suspect(&self) -> bool {
        self.crashes_in_a_row() >= SUSPECT
    }

    /// Forgets crashes and refusals.
    pub(super) fn forgive(&mut self) {
        (self.crashes, self.fruitless) = (0, 0);
        (self.refused_by, self.refused_since, self.stuck_since, self.untold_since) = (None, None, None, None);
    }

    pub(super) fn name(&self, app_id: &str) -> DurableName {
        DurableName { app_id: app_id.to_owned(), task_name: self.new.task_name.clone() }
    }
}

/// The tasks that a claim has taken so far, and whether it may take a suspect.
pub(super) struct Claiming {
    pub(super) claimed: Vec<ClaimedTask>,
    pub(super) suspect: bool,
}

impl State {
    /// Gives up the tasks of an incarnation that ends: another process continues the durable ones.
    pub(super) fn orphan_tasks(
        &mut self,
        incarnation: &Incarnation,
        ending: AttemptEnding,
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
            let last = durable.steps.values().filter(|step| step.attempt == task.attempt);
            let last = last.map(StoredStep::stored_at).max();
            let interrupted_at = rules::interrupted_at(alive_at, [durable.claimed_at, last], now);
            task.interrupted_at = Some(interrupted_at);
            durable.end_attempt(task.attempt, &incarnation.node, interrupted_at, ending, None);
            durable.untold_since = Some(now);
            durable.stop(last.or(durable.claimed_at).unwrap_or(now), Duration::ZERO);
            if ending == AttemptEnding::Crashed {
                durable.crashes = if durable.has_progress { 1 } else { durable.crashes + 1 };
            }
            let wait = rules::retry_after(if ending == AttemptEnding::Crashed { durable.crashes } else { 0 });
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
        let mut claiming = Claiming { claimed: Vec::new(), suspect: request.suspect };
        let limit = request.limit as usize;
        let share = first_share(limit);
        let mut ready: Vec<(Timestamp, u64, TaskId, bool)> = Vec::new();
        for row in self.open_rows().filter(|row| row.record.task.queue.is_none()) {
            if let Some((at, is_suspect)) = self.claimable_from(row, incarnation, request, now) {
                ready.push((at, row.order, row.record.task.task_id, is_suspect));
            }
        }
        ready.sort_unstable();
        // Suspects of queues and others starve neither: by chance the queues leave the only one to the others.
        let is_left = claiming.suspect && by_chance() && ready.iter().any(|(.., is_suspect)| *is_suspect);
        claiming.suspect &= !is_left;
        self.claim_from_queues(incarnation, request, &mut claiming, share, now);
        claiming.suspect |= is_left;
        let has_more = claiming.claimed.len() >= share;
        for (.., task_id, _) in ready {
            if claiming.claimed.len() >= limit {
                break;
            }
            self.try_claim(incarnation, request, &mut claiming, task_id, now);
        }
        if has_more {
            self.claim_from_queues(incarnation, request, &mut claiming, limit, now);
        }
        Ok(claiming.claimed)
    }

    /// Since when the task is ready, and whether it is a suspect, if the request may take it as far as the task itself goes.
    pub(super) fn claimable_from(
        &self,
        row: &TaskRow,
        incarnation: &Incarnation,
        request: &ClaimRequest,
        now: Timestamp,
    ) -> Option<(Timestamp, bool)> {
        let (durable, task) = (row.durable.as_ref()?, &row.record.task);
        if request.only_own && row.record.incarnation != *incarnation {
            return None;
        }
        let ready_at = task.ready_at.filter(|at| *at <= now)?;
        let is_named = |name: &&DurableName| name.app_id == task.app_id && name.task_name == durable.new.task_name;
        let name = request.names.iter().find(is_named)?;
        if self.is_paused(name) {
            return None;
        }
        let replied = self.calls.get(&task.call_id).is_none_or(|call| call.reply.is_some());
        let is_claimable = replied && durable.refused_by.as_ref() != Some(&request.program);
        is_claimable.then(|| (ready_at, durable.is_suspect()))
    }

    /// Takes up a task that is ready, unless the limits of suspects or of its owner forbid it. Returns whether it did.
    pub(super) fn try_claim(
        &mut self,
        incarnation: &Incarnation,
        request: &ClaimRequest,
        claiming: &mut Claiming,
        task_id: TaskId,
        now: Timestamp,
    ) -> bool {
        let Some(row) = self.tasks.get(&task_id) else { return false };
        let is_suspect = row.durable.as_ref().is_some_and(DurableRow::is_suspect);
        if (is_suspect && !claiming.suspect) || self.running_of(&row.record.owner) >= request.max_running {
            return false;
        }
        let claimed = self.claim(incarnation, task_id, &request.program, now);
        claiming.suspect &= !is_suspect || claimed.is_none();
        let is_claimed = claimed.is_some();
        claiming.claimed.extend(claimed);
        is_claimed
    }

    pub(in crate::ledger::memory) fn next_ready_in(&self, names: &[DurableName], now: Timestamp) -> Option<Duration> {
        let waiting = self.open_rows().filter(|row| row.record.task.ready_at.is_some());
        let of_names = waiting.filter(|row| {
            let TaskRow { record, durable, .. } = row;
            durable.as_ref().is_some_and(|durable| {
                let is_named =
                    |name: &DurableName| name.app_id == record.task.app_id && name.task_name == durable.new.task_name;
                names.iter().any(|name| is_named(name) && !self.is_paused(name))
            })
        });
        let first = of_names.filter_map(|row| row.record.task.ready_at).min();
        first.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default())
    }

    fn claim(
        &mut self,
        incarnation: &Incarnation,
        task_id: TaskId,
        program: &str,
        now: Timestamp,
    ) -> Option<ClaimedTask> {
        let TaskRow { record, durable: Some(durable), .. } = self.tasks.get_mut(&task_id)? else { return None };
        if durable.has_progress {
            (durable.fruitless, durable.crashes) = (0, 0);
        }
        let (fruitless, crashes) = (durable.fruitless, durable.crashes);
        durable.fruitless += 1;
        (durable.has_progress, durable.claimed_at) = (false, Some(now));
        program.clone_into(&mut durable.program);
        (durable.stuck_since, durable.untold_since) = (None, None);
        record.incarnation = incarnation.clone();
        let task = &mut record.task;
        let ready_at = task.ready_at.take();
        (task.state, task.waits_for) = (TaskState::Running, None);
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
            ready_at,
            has_steps: !durable.steps.is_empty(),
        };
        self.push(&claimed.record.owner, EventBody::Task(claimed.record.task.clone()));
        Some(claimed)
    }

    pub(in crate::ledger::memory) fn release_task(
        &mut self,
        incarnation: &Incarnation,
        attempt: Attempt,
        release: Release,
        report: AttemptReport,
        now: Timestamp,
    ) -> Told<Task> {
        self.fence(incarnation)?;
        let row = self.tasks.get(&attempt.task_id).ok_or(LedgerError::NotFound)?;
        let facts = self.task_facts(row);
        if facts.is_released(incarnation, attempt.number) {
            return Ok((row.record.owner.clone(), self.shown(row.record.task.clone())));
        }
        facts.check_write(incarnation, attempt.number)?;
        let Some(TaskRow { record, durable: Some(durable), .. }) = self.tasks.get_mut(&attempt.task_id) else {
            return Err(LedgerError::NotHolder);
        };
        durable.end_attempt(attempt.number, &incarnation.node, now, release.ending(), report.notes);
        durable.stop(now, report.unused);
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
        Ok((owner, self.shown(task)))
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
        if kind.is_of_effect() {
            row.record.task.open_effects = durable.open_effects();
        }
        Ok(())
    }

    /// The steps after an ordinal, with values of any size.
    pub(in crate::ledger::memory) fn steps(&self, task_id: TaskId, after: u16) -> impl Iterator<Item = &StoredStep> {
        let durable = self.tasks.get(&task_id).and_then(|row| row.durable.as_ref());
        durable.into_iter().flat_map(move |durable| durable.steps.values()).filter(move |step| step.ordinal > after)
    }
}
