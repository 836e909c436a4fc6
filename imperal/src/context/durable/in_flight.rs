//! The work of an attempt that is in flight, and when its body may be dropped.
//!
//! A hand-over waits until nothing is in flight: steps, messages, requests, starts of tasks, threads. Each of
//! them holds a guard of this file. Other futures that a body awaits are dropped at any moment, since the code
//! outside of steps runs again.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::DurableRun;
use super::step_log::StepLog;
use crate::rows::{CurrentStep, Park, StepEnding, StepKind};

/// How long a stopping process and a cancel wait for effects at most, from the request on.
pub(crate) const EFFECT_GRACE: std::time::Duration = std::time::Duration::from_secs(30);

/// Why the body of an attempt is dropped before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// The process stops, and nothing is in flight.
    HandedOver,
    /// The process stops, and does not wait any longer for what is in flight.
    CutOff,
    /// A stored value does not fit this version of the program.
    Misfit(String),
    /// The task waits, and nothing is in flight.
    Parked(Park),
    /// The task ends: it is not known whether this effect was done, and its user said to stop, or nothing in time.
    Stopped(String),
}

impl DurableRun {
    /// Something that must not be cut off begins; it ends when the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        self.journal().enter();
        InFlight { run: self.clone(), thread: false, effect: false }
    }

    /// The closure of an effect begins. A process that stops waits for it longer than for other work, because its end
    /// in the middle leaves the effect unknown.
    pub(super) fn enter_effect(self: &Arc<Self>) -> InFlight {
        let mut journal = self.journal();
        journal.enter();
        journal.effects += 1;
        InFlight { run: self.clone(), thread: false, effect: true }
    }

    /// Whether the closure of an effect runs.
    pub(crate) fn has_effects(&self) -> bool {
        self.journal().effects > 0
    }

    /// A thread begins, which cannot be dropped.
    pub(crate) fn enter_thread(self: &Arc<Self>) -> InFlight {
        let mut journal = self.journal();
        journal.enter();
        journal.threads += 1;
        InFlight { run: self.clone(), thread: true, effect: false }
    }

    /// Keeps the task from being given back: something of the attempt may still run.
    pub(crate) fn note_unfinished(&self) {
        self.journal().threads += 1;
    }

    /// A step waits: it is not in flight until the guard is dropped.
    pub(crate) fn pause(self: &Arc<Self>) -> Pause {
        self.journal().pauses += 1;
        self.leave(false);
        Pause(self.clone())
    }

    /// A wait begins; it ends when the guard is dropped.
    pub(super) fn wait_for(self: &Arc<Self>, ordinal: u16, due: Timestamp, is_question: bool) -> Waiting {
        self.journal().waits.add(ordinal, due, is_question);
        self.changed.notify_waiters();
        Waiting { run: self.clone(), ordinal }
    }

    /// Whether a thread of the attempt still runs.
    pub(crate) fn has_threads(&self) -> bool {
        self.journal().threads > 0
    }

    /// Completes when the body is to be dropped. For the wrapper around the body, which polls the body first:
    /// so the answer is never ahead of a step that the body begins in the same poll.
    pub(crate) async fn leaving(&self) -> Leaving {
        loop {
            let changed = self.changed.notified();
            {
                let journal = self.journal();
                if journal.in_flight == 0 {
                    if let Some(effect) = &journal.stopped_for {
                        return Leaving::Stopped(effect.clone());
                    }
                    if let Some(why) = &journal.misfit {
                        return Leaving::Misfit(why.clone());
                    }
                    if journal.handing_over {
                        return Leaving::HandedOver;
                    }
                    if journal.pauses == 0
                        && let Some(park) = self.park(&journal)
                    {
                        return Leaving::Parked(park);
                    }
                }
            }
            changed.await;
        }
    }

    pub(super) fn leave(&self, thread: bool) {
        let mut journal = self.journal();
        journal.in_flight = journal.in_flight.saturating_sub(1);
        if thread {
            journal.threads = journal.threads.saturating_sub(1);
        }
        let is_last = journal.in_flight == 0;
        drop(journal);
        if is_last {
            self.changed.notify_waiters();
        }
    }
}

/// Something in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    run: Arc<DurableRun>,
    thread: bool,
    effect: bool,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.effect {
            let mut journal = self.run.journal();
            journal.effects = journal.effects.saturating_sub(1);
        }
        self.run.leave(self.thread);
    }
}

/// A wait of a step. See [`DurableRun::pause`].
#[derive(Debug)]
pub(crate) struct Pause(Arc<DurableRun>);

impl Drop for Pause {
    fn drop(&mut self) {
        let mut journal = self.0.journal();
        journal.enter();
        journal.pauses = journal.pauses.saturating_sub(1);
    }
}

/// A wait. See [`DurableRun::wait_for`].
#[derive(Debug)]
pub(super) struct Waiting {
    run: Arc<DurableRun>,
    ordinal: u16,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.run.journal().waits.remove(self.ordinal);
        // Without it the others may be long enough to park.
        self.run.changed.notify_waiters();
    }
}

/// A step that runs. Its name is free again when this is dropped before the step is stored.
#[derive(Debug)]
pub(super) struct Running {
    run: Arc<DurableRun>,
    name: String,
    kind: StepKind,
    /// What is noted of the step if it gets no row.
    log: OnceLock<Arc<StepLog>>,
}

impl Running {
    pub(super) fn new(run: Arc<DurableRun>, name: String, kind: StepKind) -> Self {
        Self { run, name, kind, log: OnceLock::new() }
    }

    /// Keeps the log for the notes on the attempt.
    pub(super) fn keep_log(&self, log: &Arc<StepLog>) {
        self.log.get_or_init(|| log.clone());
    }

    pub(super) fn log(&self) -> Option<&StepLog> {
        self.log.get().map(|log| &**log)
    }

    pub(super) fn run(&self) -> &Arc<DurableRun> {
        &self.run
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Changes what watchers see of the step.
    pub(super) fn show(&self, change: impl FnOnce(&mut CurrentStep)) {
        if let Some(step) = self.run.journal().running.iter_mut().find(|step| step.name == self.name) {
            change(step);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut journal = self.run.journal();
        // A step that is stored, or that failed, no longer runs.
        if let Some(current) = journal.take_running(&self.name)
            && matches!(self.kind, StepKind::Step | StepKind::Effect)
        {
            let number = journal.stored.count() + 1;
            let is_open = journal.stored.step(&self.name).is_some_and(|known| known.kind == StepKind::Intent);
            let how = if is_open { StepEnding::Unknown } else { StepEnding::CutOff };
            journal.unfinished.add(number, current, how, None, self.log());
        }
        drop(journal);
        self.run.leave(false);
    }
}
