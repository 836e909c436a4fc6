//! One attempt of a durable task: its stored steps, what is in flight, and the hand-over.
//!
//! The attempt alone knows all of its task's steps, because the ledger lets no other attempt write. So names
//! are unique and ordinals are taken here, without a read of the ledger.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::MessageKey;
use crate::codes;
use crate::error::Error;
use crate::ids::TaskId;
use crate::result::Result;
use crate::rows::{Attempt, CurrentStep, StepKind, StepsSoFar, StoredStep};
use crate::sync::{Mutex, MutexGuard, Notify};

/// Most steps of a task.
const STEPS: usize = 10_000;
/// Most bytes of the values of a task's steps.
const BYTES: u64 = 16 << 20;
/// Most steps that are shown as running at once.
const SHOWN: usize = 4;

/// Why the body of an attempt is dropped before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// The process stops, and nothing is in flight.
    HandedOver,
    /// A stored value does not fit this version of the program.
    Misfit(String),
}

/// The state of one attempt, shared by its context, its steps and its supervisor.
#[derive(Debug)]
pub(crate) struct DurableRun {
    pub(crate) attempt: Attempt,
    /// The task that idempotency keys are derived from.
    pub(crate) root_task: TaskId,
    journal: Mutex<Journal>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Journal {
    steps: HashMap<String, Known>,
    messages: HashMap<String, Known>,
    /// How often each text was said outside of steps in this attempt, by its key.
    said: HashMap<[u8; 32], u32>,
    running: Vec<CurrentStep>,
    /// Steps whose work is done and whose value is being stored, also if nobody waits for it any more.
    storing: HashSet<String>,
    /// How often each task was started outside of steps in this attempt.
    started: HashMap<[u8; 32], u32>,
    asked_for: HashSet<u16>,
    last_ordinal: u16,
    bytes: u64,
    kept: u32,
    in_flight: usize,
    threads: usize,
    handing_over: bool,
    misfit: Option<String>,
    /// Whether the body has passed its stored steps, or runs another one: from then on it may report.
    live: bool,
}

/// A stored step that the attempt knows.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) ordinal: u16,
    /// `None` for a large value, which is read when it is asked for.
    pub(crate) value: Option<Arc<str>>,
}

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
    /// The state at the start of an attempt, with the steps of earlier ones.
    pub(crate) fn new(attempt: Attempt, root_task: TaskId, stored: Vec<StoredStep>) -> Arc<Self> {
        let mut journal = Journal::default();
        for step in stored {
            journal.last_ordinal = journal.last_ordinal.max(step.ordinal);
            journal.bytes += step.bytes;
            let known = Known { ordinal: step.ordinal, value: step.value.map(Into::into) };
            match step.kind {
                StepKind::Step => {
                    journal.kept += 1;
                    journal.steps.insert(step.name, known);
                }
                StepKind::Message => drop(journal.messages.insert(step.name, known)),
            }
        }
        journal.live = journal.steps.is_empty();
        Arc::new(Self { attempt, root_task, journal: Mutex::new(journal), changed: Notify::new() })
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a step, or says that it is stored.
    ///
    /// # Errors
    /// `INTERNAL` if a step of this name runs, and when the task has its most steps.
    pub(super) fn begin(self: &Arc<Self>, name: &str) -> Result<Begin> {
        let mut journal = self.journal();
        if let Some(known) = journal.steps.get(name).cloned() {
            journal.asked_for.insert(known.ordinal);
            journal.live |= journal.asked_for.len() == journal.steps.len();
            return Ok(Begin::Stored(known));
        }
        if journal.storing.contains(name) {
            return Ok(Begin::Storing);
        }
        if journal.handing_over || journal.misfit.is_some() {
            return Ok(Begin::Leave);
        }
        if journal.running.iter().any(|step| step.name == name) {
            return Err(Error::platform(
                codes::INTERNAL,
                format!("The step `{name}` runs already: two steps of a task need different names."),
            ));
        }
        if journal.steps.len() + journal.running.len() >= STEPS {
            return Err(Error::platform(codes::STEPS_EXCEEDED, format!("A task has at most {STEPS} steps.")));
        }
        journal.live = true;
        journal.in_flight += 1;
        let step = CurrentStep {
            name: name.to_owned(),
            since: Timestamp::now(),
            attempt: None,
            of_attempts: None,
            error: None,
            next_at: None,
        };
        journal.running.push(step);
        Ok(Begin::Run(Running { run: self.clone(), name: name.to_owned() }))
    }

    /// Takes the next ordinal for something to be stored of this many bytes.
    ///
    /// # Errors
    /// `STEPS_EXCEEDED` over the bytes of a task.
    pub(super) fn take_ordinal(&self, bytes: u64) -> Result<u16> {
        let mut journal = self.journal();
        if journal.bytes + bytes > BYTES {
            let text = format!("The values of a task's steps have at most {} MiB in all.", BYTES >> 20);
            return Err(Error::platform(codes::STEPS_EXCEEDED, text));
        }
        journal.last_ordinal = journal.last_ordinal.checked_add(1).ok_or_else(|| {
            Error::platform(codes::STEPS_EXCEEDED, "A task has too many steps and messages.".to_owned())
        })?;
        journal.bytes += bytes;
        Ok(journal.last_ordinal)
    }

    /// Notes that a step's work is done: its name stays taken until [`DurableRun::stored`].
    pub(super) fn storing(&self, name: &str) {
        self.journal().storing.insert(name.to_owned());
    }

    /// Notes that a step is stored, or that it could not be.
    pub(super) fn stored(&self, name: &str, stored: Option<(u16, &str)>) {
        let mut journal = self.journal();
        journal.storing.remove(name);
        if let Some((ordinal, value)) = stored {
            let value = (value.len() as u64 <= StoredStep::INLINE).then(|| value.into());
            journal.asked_for.insert(ordinal);
            journal.running.retain(|step| step.name != name);
            journal.steps.insert(name.to_owned(), Known { ordinal, value });
        }
        drop(journal);
        self.changed.notify_waiters();
    }

    /// Begins a step as [`DurableRun::begin`]; a step that is being stored is waited for.
    pub(super) async fn begin_settled(self: &Arc<Self>, name: &str) -> Result<Begin> {
        loop {
            let changed = self.changed.notified();
            match self.begin(name)? {
                Begin::Storing => changed.await,
                begin => return Ok(begin),
            }
        }
    }

    /// A message that an earlier attempt has said.
    pub(crate) fn said_before(&self, key: &MessageKey) -> Option<Known> {
        self.journal().messages.get(key.as_str()).cloned()
    }

    /// Takes the ordinal of a message.
    ///
    /// # Errors
    /// `STEPS_EXCEEDED` over the limits of a task.
    pub(crate) fn message_ordinal(&self, bytes: u64) -> Result<u16> {
        self.take_ordinal(bytes)
    }

    /// Notes that a message is stored.
    pub(crate) fn said(&self, key: &MessageKey, ordinal: u16, value: &str) {
        self.journal().messages.insert(key.as_str().to_owned(), Known { ordinal, value: Some(value.into()) });
    }

    /// Counts a message outside of steps: how many of the same text came before it in this attempt.
    pub(crate) fn count_said(&self, text: &str) -> u32 {
        let mut journal = self.journal();
        let count = journal.said.entry(Sha256::digest(text).into()).or_default();
        *count += 1;
        *count - 1
    }

    /// Counts a task that is started outside of steps: how many of the same content came before it.
    pub(super) fn count_started(&self, content: [u8; 32]) -> u32 {
        let mut journal = self.journal();
        let count = journal.started.entry(content).or_default();
        *count += 1;
        *count - 1
    }

    /// Whether the body has passed its stored steps, so that its reports are news.
    pub(crate) fn is_live(&self) -> bool {
        self.journal().live
    }

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
        self.leave(false);
        Pause(self.clone())
    }

    /// Whether a thread of the attempt still runs.
    pub(crate) fn has_threads(&self) -> bool {
        self.journal().threads > 0
    }

    /// Asks the attempt to leave as soon as nothing is in flight.
    pub(crate) fn ask_hand_over(&self) {
        self.journal().handing_over = true;
        self.changed.notify_waiters();
    }

    /// Notes that a stored value does not fit. The body is dropped as soon as nothing is in flight.
    pub(super) fn note_misfit(&self, why: String) {
        self.journal().misfit.get_or_insert(why);
        self.changed.notify_waiters();
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
                }
            }
            changed.await;
        }
    }

    /// The steps so far, for watchers.
    pub(crate) fn so_far(&self) -> StepsSoFar {
        let journal = self.journal();
        StepsSoFar {
            done: u32::try_from(journal.steps.len()).unwrap_or(u32::MAX),
            kept: journal.kept,
            current: journal.running.iter().take(SHOWN).cloned().collect(),
        }
    }

    /// Names of stored steps that this attempt never asked for: renamed or removed in the program.
    pub(crate) fn unasked(&self) -> Vec<String> {
        let journal = self.journal();
        let unasked = journal.steps.iter().filter(|(_, known)| !journal.asked_for.contains(&known.ordinal));
        unasked.map(|(name, _)| name.clone()).collect()
    }

    fn leave(&self, thread: bool) {
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
        self.0.journal().in_flight += 1;
    }
}

/// A step that runs. Its name is free again when this is dropped before the step is stored.
#[derive(Debug)]
pub(super) struct Running {
    run: Arc<DurableRun>,
    name: String,
}

impl Running {
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn run(stored: Vec<StoredStep>) -> Arc<DurableRun> {
        let task_id = TaskId::generate();
        DurableRun::new(Attempt::first(task_id), task_id, stored)
    }

    #[test]
    fn a_name_is_taken_while_its_step_runs_and_free_when_it_failed() {
        let run = run(Vec::new());
        let Ok(Begin::Run(first)) = run.begin("a") else { panic!("a new step must run") };
        assert!(run.begin("a").is_err(), "a step of this name runs");
        drop(first);
        let Ok(Begin::Run(again)) = run.begin("a") else { panic!("a failed step frees its name") };
        let ordinal = run.take_ordinal(2).unwrap();
        run.storing("a");
        drop(again);
        assert!(matches!(run.begin("a"), Ok(Begin::Storing)), "its work is done: it must not run again");
        run.stored("a", Some((ordinal, "42")));
        assert!(matches!(run.begin("a"), Ok(Begin::Stored(Known { ordinal: 1, .. }))));
    }

    #[test]
    fn a_run_leaves_once_nothing_is_in_flight() {
        let run = run(Vec::new());
        let Ok(Begin::Run(step)) = run.begin("a") else { panic!("a new step must run") };
        let thread = run.enter_thread();
        assert_eq!(run.leaving().now_or_never(), None);
        run.ask_hand_over();
        assert_eq!(run.leaving().now_or_never(), None, "a step is in flight");
        drop(step);
        assert_eq!(run.leaving().now_or_never(), None, "a thread is in flight");
        assert!(run.has_threads());
        drop(thread);
        assert_eq!(run.leaving().now_or_never(), Some(Leaving::HandedOver));
        assert!(matches!(run.begin("b"), Ok(Begin::Leave)), "nothing begins after it");
    }

    #[test]
    fn a_misfit_leaves_once_nothing_is_in_flight() {
        let run = run(Vec::new());
        let step = run.enter();
        run.note_misfit("the value of `a`".to_owned());
        assert_eq!(run.leaving().now_or_never(), None, "the result of a step in flight would be lost");
        assert!(matches!(run.begin("b"), Ok(Begin::Leave)), "nothing begins after it");
        drop(step);
        assert!(matches!(run.leaving().now_or_never(), Some(Leaving::Misfit(_))));
    }
}
