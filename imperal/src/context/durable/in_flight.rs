//! The work of an attempt that is in flight, and when its body may be dropped.
//!
//! A hand-over waits until nothing is in flight: steps, messages, requests, starts of tasks, threads. Each of
//! them holds a guard of this file. What a body awaits besides them is dropped at any moment, since the code
//! outside of steps runs again.

use std::sync::Arc;

use jiff::Timestamp;

use super::DurableRun;
use crate::rows::{CurrentStep, Park};

/// Why the body of an attempt is dropped before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// The process stops, and nothing is in flight.
    HandedOver,
    /// A stored value does not fit this version of the program.
    Misfit(String),
    /// The task waits, and nothing is in flight.
    Parked(Park),
}

impl DurableRun {
    /// Something that must not be cut off begins; it ends when the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        self.journal().in_flight += 1;
        InFlight { run: self.clone(), thread: false }
    }

    /// A thread begins, which cannot be dropped.
    pub(crate) fn enter_thread(self: &Arc<Self>) -> InFlight {
        let mut journal = self.journal();
        journal.in_flight += 1;
        journal.threads += 1;
        InFlight { run: self.clone(), thread: true }
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
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.run.leave(self.thread);
    }
}

/// A wait of a step. See [`DurableRun::pause`].
#[derive(Debug)]
pub(crate) struct Pause(Arc<DurableRun>);

impl Drop for Pause {
    fn drop(&mut self) {
        let mut journal = self.0.journal();
        journal.in_flight += 1;
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
}

impl Running {
    pub(super) fn new(run: Arc<DurableRun>, name: String) -> Self {
        Self { run, name }
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
        self.run.journal().running.retain(|step| step.name != self.name);
        self.run.leave(false);
    }
}
