//! The begin of a step and the store of its value.
//!
//! A step that is stored does not run, one that is being stored is waited for, and none begins in an attempt that
//! leaves. A name stays taken from the begin of its step until its value is stored, also if the step's caller has gone.

use std::sync::Arc;

use jiff::Timestamp;

use super::DurableRun;
use super::in_flight::Running;
use super::stored::Known;
use crate::codes;
use crate::error::Error;
use crate::result::Result;
use crate::rows::{CurrentStep, NewStep, StepKind};

/// Most steps of a task.
const STEPS: usize = 10_000;

/// The answer to a step that wants to begin.
pub(super) enum Begin {
    /// It is stored.
    Stored(Known),
    /// It runs, until the guard is dropped.
    Run(Running),
    /// The attempt leaves: nothing begins any more.
    Leave,
    /// A step of this name is being stored: ask again when something has changed.
    Storing,
}

impl DurableRun {
    /// Begins a step, or says that it is stored.
    ///
    /// # Errors
    /// `INTERNAL` if a step of this name runs, and when the task has its most steps.
    pub(super) fn begin(self: &Arc<Self>, name: &str, kind: StepKind) -> Result<Begin> {
        let mut journal = self.journal();
        let known = journal.stored.step(name).cloned();
        // An effect that is not known to be done begins, or begins again.
        let is_open = kind == StepKind::Effect
            && known.as_ref().is_some_and(|known| matches!(known.kind, StepKind::Intent | StepKind::NotDone));
        let is_known = known.is_some();
        if is_open && journal.storing.contains(name) {
            return Ok(Begin::Storing);
        }
        if let Some(known) = known.filter(|_| !is_open) {
            if known.kind != kind {
                let why = format!("`{name}` is the name of {}, not of {}", noun(known.kind), noun(kind));
                if !journal.stored.is_loaded(&known) {
                    return Err(Error::internal(format!("{why}: give each its own name")));
                }
                journal.misfit.get_or_insert(why);
                drop(journal);
                self.changed.notify_waiters();
                return Ok(Begin::Leave);
            }
            journal.asked_for.insert(known.ordinal);
            journal.live |= journal.asked_for.len() == journal.stored.steps().len();
            return Ok(Begin::Stored(known));
        }
        if journal.storing.contains(name) {
            return Ok(Begin::Storing);
        }
        if journal.unstored.is_some() {
            // An effect that is not known to be done is asked for, and ends a replay too.
            let open = journal.stored.step(name).map(|known| known.ordinal);
            journal.asked_for.extend(open);
            journal.unstored.get_or_insert_default().push(name.to_owned());
            journal.handing_over = true;
            drop(journal);
            self.changed.notify_waiters();
            return Ok(Begin::Leave);
        }
        if journal.handing_over || journal.misfit.is_some() || journal.stopped_for.is_some() {
            return Ok(Begin::Leave);
        }
        if journal.running.iter().any(|step| step.name == name) {
            return Err(Error::platform(
                codes::INTERNAL,
                format!("The step `{name}` runs already: two steps of a task need different names."),
            ));
        }
        if !is_known && journal.stored.steps().len() + journal.running.len() >= STEPS {
            return Err(Error::platform(codes::STEPS_EXCEEDED, format!("A task has at most {STEPS} steps.")));
        }
        journal.live = true;
        journal.enter();
        let step = CurrentStep {
            name: name.to_owned(),
            since: Timestamp::now(),
            attempt: None,
            of_attempts: None,
            error: None,
            next_at: None,
        };
        let is_alone = journal.running.is_empty();
        journal.unfinished.begin(name, is_alone);
        journal.running.push(step);
        Ok(Begin::Run(Running::new(self.clone(), name.to_owned(), kind)))
    }

    /// Notes that a step's work is done: its name stays taken until the guard is dropped.
    pub(super) fn storing(self: &Arc<Self>, name: &str) -> Storing {
        self.journal().storing.insert(name.to_owned());
        Storing { run: self.clone(), name: name.to_owned() }
    }

    /// Begins a step as [`DurableRun::begin`]; a step that is being stored is waited for.
    pub(super) async fn begin_settled(self: &Arc<Self>, name: &str, kind: StepKind) -> Result<Begin> {
        loop {
            let changed = self.changed.notified();
            match self.begin(name, kind)? {
                Begin::Storing => changed.await,
                begin => return Ok(begin),
            }
        }
    }
}

/// A kind with its article, for errors.
fn noun(kind: StepKind) -> String {
    match kind {
        StepKind::Intent | StepKind::Effect | StepKind::NotDone => "an effect".to_owned(),
        kind => format!("a {kind}"),
    }
}

/// A step whose value is being stored, also if its caller has gone.
#[derive(Debug)]
pub(super) struct Storing {
    run: Arc<DurableRun>,
    name: String,
}

impl Storing {
    /// Notes that a row of this name is stored. After an intent its effect still runs.
    pub(super) fn stored(&self, ordinal: u16, kind: StepKind, value: &str) {
        let mut journal = self.run.journal();
        journal.asked_for.insert(ordinal);
        if kind != StepKind::Intent {
            journal.running.retain(|step| step.name != self.name);
            journal.unfinished.stored(&self.name);
        }
        journal.stored.add_step(ordinal, kind, self.name.clone(), value);
        journal.idle.note_row();
    }

    /// As [`stored`](Self::stored), with the row's log.
    pub(super) fn stored_row(&self, row: &NewStep) {
        self.stored(row.ordinal, row.kind, &row.value);
        if let Some(log) = &row.log {
            self.run.journal().stored.add_log(row.ordinal, log);
        }
    }
}

impl Drop for Storing {
    fn drop(&mut self) {
        self.run.journal().storing.remove(&self.name);
        self.run.changed.notify_waiters();
    }
}
