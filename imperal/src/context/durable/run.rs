//! One attempt of a durable task: its stored steps, what is in flight, and the hand-over.
//!
//! The attempt alone knows all of its task's steps, because the ledger lets no other attempt write. So names
//! are unique and ordinals are taken here, without a read of the ledger.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::digest::StepsDigest;
use super::in_flight::Running;
use super::stored::{Known, StoredSteps};
use super::waits::{LedgerClock, Waits};
use crate::codes;
use crate::error::Error;
use crate::ids::TaskId;
use crate::result::Result;
use crate::rows::{Attempt, CurrentStep, Park, StepKind, StepsSoFar};
use crate::sync::{Mutex, MutexGuard, Notify};

/// Most steps of a task.
const STEPS: usize = 10_000;
/// Most steps that are shown as running at once.
const SHOWN: usize = 4;

/// The state of one attempt, shared by its context, its steps and its supervisor.
#[derive(Debug)]
pub(crate) struct DurableRun {
    pub(crate) attempt: Attempt,
    /// The task that idempotency keys are derived from.
    pub(crate) root_task: TaskId,
    journal: Mutex<Journal>,
    pub(super) changed: Notify,
    /// Tells the body's questions that one of them may be closed.
    pub(super) answered: Notify,
    clock: OnceLock<LedgerClock>,
    /// From which length on a sleep is parked.
    parked_from: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) stored: StoredSteps,
    /// Keys of messages whose delivery runs, also if its caller has gone.
    pub(super) saying: HashSet<String>,
    /// How often each text was said outside of steps in this attempt, by its hash.
    pub(super) said: HashMap<[u8; 32], u32>,
    pub(super) running: Vec<CurrentStep>,
    /// Steps whose work is done and whose value is being stored, also if its caller has gone.
    storing: HashSet<String>,
    /// How often each task was started outside of steps in this attempt.
    started: HashMap<[u8; 32], u32>,
    asked_for: HashSet<u16>,
    kept: u32,
    pub(super) in_flight: usize,
    pub(super) threads: usize,
    pub(super) handing_over: bool,
    pub(super) misfit: Option<String>,
    pub(super) waits: Waits,
    /// Steps that wait before their next try: they hold up a park, not a hand-over.
    pub(super) pauses: usize,
    /// Whether the body has passed its stored steps, or runs another one: from then on it may report.
    live: bool,
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
    /// The state at the start of a task's first attempt.
    pub(crate) fn first(attempt: Attempt, root_task: TaskId, parked_from: Duration) -> Arc<Self> {
        Self::resumed(attempt, root_task, StoredSteps::default(), parked_from)
    }

    /// The state at the start of an attempt, with the steps of earlier ones.
    pub(crate) fn resumed(
        attempt: Attempt,
        root_task: TaskId,
        stored: StoredSteps,
        parked_from: Duration,
    ) -> Arc<Self> {
        let kept = stored.count();
        let journal = Journal { kept, live: kept == 0, stored, ..Journal::default() };
        let (journal, changed, answered) = (Mutex::new(journal), Notify::new(), Notify::new());
        Arc::new(Self { attempt, root_task, journal, changed, answered, clock: OnceLock::new(), parked_from })
    }

    /// Sets the ledger's clock: the ledger has just said that it is this time.
    pub(crate) fn set_ledger_time(&self, now: Timestamp) {
        // A second time is no better than the first.
        let _ = self.clock.set(LedgerClock::at(now));
    }

    /// The time by the ledger's clock.
    pub(super) fn ledger_time(&self) -> Timestamp {
        self.clock.get().map_or_else(Timestamp::now, |clock| clock.now())
    }

    /// How the task is parked if nothing is in flight.
    pub(super) fn park(&self, journal: &Journal) -> Option<Park> {
        journal.waits.park(self.ledger_time(), self.parked_from)
    }

    /// Tells questions to look again: an answer may have come.
    pub(crate) fn tell_questions(&self) {
        self.answered.notify_waiters();
    }

    /// Changes the value of a question that is no longer open.
    pub(super) fn closed(&self, name: &str, ordinal: u16, value: &str) {
        self.journal().stored.add_step(ordinal, StepKind::Question, name.to_owned(), value);
        self.answered.notify_waiters();
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a step, or says that it is stored.
    ///
    /// # Errors
    /// `INTERNAL` if a step of this name runs, and when the task has its most steps.
    pub(super) fn begin(self: &Arc<Self>, name: &str, kind: StepKind) -> Result<Begin> {
        let mut journal = self.journal();
        if let Some(known) = journal.stored.step(name).cloned() {
            if known.kind != kind {
                let why = format!("`{name}` is the name of a {}, not of a {kind}", known.kind);
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
        if journal.handing_over || journal.misfit.is_some() {
            return Ok(Begin::Leave);
        }
        if journal.running.iter().any(|step| step.name == name) {
            return Err(Error::platform(
                codes::INTERNAL,
                format!("The step `{name}` runs already: two steps of a task need different names."),
            ));
        }
        if journal.stored.steps().len() + journal.running.len() >= STEPS {
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
        Ok(Begin::Run(Running::new(self.clone(), name.to_owned())))
    }

    /// Takes the next ordinal for something to be stored of this many bytes.
    ///
    /// # Errors
    /// `STEPS_EXCEEDED` over the limits of a task.
    pub(super) fn take_ordinal(&self, bytes: u64) -> Result<u16> {
        self.journal().stored.take_ordinal(bytes)
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

    /// The steps so far, for watchers.
    pub(crate) fn so_far(&self) -> StepsSoFar {
        let journal = self.journal();
        StepsSoFar {
            done: journal.stored.count(),
            kept: journal.kept,
            current: journal.running.iter().take(SHOWN).cloned().collect(),
        }
    }

    /// Completes when no step and no message is being stored.
    pub(crate) async fn stored_all(&self) {
        loop {
            let changed = self.changed.notified();
            {
                let journal = self.journal();
                if journal.storing.is_empty() && journal.saying.is_empty() {
                    return;
                }
            }
            changed.await;
        }
    }

    /// Notes the value of a step that was read for the digest or the body.
    pub(crate) fn note_read(&self, ordinal: u16, name: &str, value: &str) {
        self.journal().stored.note_read(ordinal, name, value);
    }

    /// See [`StoredSteps::unread`].
    pub(crate) fn unread(&self) -> Vec<(u16, String)> {
        self.journal().stored.unread()
    }

    /// See [`StoredSteps::digest`].
    pub(crate) fn digest(&self) -> Option<StepsDigest> {
        self.journal().stored.digest()
    }

    /// Names of stored steps that this attempt never asked for: renamed or removed in the program.
    pub(crate) fn unasked(&self) -> Vec<String> {
        let journal = self.journal();
        let unasked = journal.stored.steps().iter().filter(|(_, known)| !journal.asked_for.contains(&known.ordinal));
        unasked.map(|(name, _)| name.clone()).collect()
    }
}

/// A step whose value is being stored, also if its caller has gone.
#[derive(Debug)]
pub(super) struct Storing {
    run: Arc<DurableRun>,
    name: String,
}

impl Storing {
    /// Notes that the step is stored.
    pub(super) fn stored(self, ordinal: u16, kind: StepKind, value: &str) {
        let mut journal = self.run.journal();
        journal.asked_for.insert(ordinal);
        journal.running.retain(|step| step.name != self.name);
        journal.stored.add_step(ordinal, kind, self.name.clone(), value);
    }
}

impl Drop for Storing {
    fn drop(&mut self) {
        self.run.journal().storing.remove(&self.name);
        self.run.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::super::Leaving;
    use super::*;

    fn run() -> Arc<DurableRun> {
        let task_id = TaskId::generate();
        DurableRun::first(Attempt::first(task_id), task_id, Duration::ZERO)
    }

    #[test]
    fn a_name_is_taken_while_its_step_runs_and_free_when_it_failed() {
        let run = run();
        let Ok(Begin::Run(first)) = run.begin("a", StepKind::Step) else { panic!("a new step must run") };
        assert!(run.begin("a", StepKind::Step).is_err(), "a step of this name runs");
        drop(first);
        let Ok(Begin::Run(again)) = run.begin("a", StepKind::Step) else { panic!("a failed step frees its name") };
        let ordinal = run.take_ordinal(2).unwrap();
        let storing = run.storing("a");
        drop(again);
        assert!(
            matches!(run.begin("a", StepKind::Step), Ok(Begin::Storing)),
            "its work is done: it must not run again"
        );
        storing.stored(ordinal, StepKind::Step, "42");
        assert!(matches!(run.begin("a", StepKind::Step), Ok(Begin::Stored(Known { ordinal: 1, .. }))));
    }

    #[test]
    fn a_run_leaves_once_nothing_is_in_flight() {
        let run = run();
        let Ok(Begin::Run(step)) = run.begin("a", StepKind::Step) else { panic!("a new step must run") };
        let thread = run.enter_thread();
        assert_eq!(run.leaving().now_or_never(), None);
        run.ask_hand_over();
        assert_eq!(run.leaving().now_or_never(), None, "a step is in flight");
        drop(step);
        assert_eq!(run.leaving().now_or_never(), None, "a thread is in flight");
        assert!(run.has_threads());
        drop(thread);
        assert_eq!(run.leaving().now_or_never(), Some(Leaving::HandedOver));
        assert!(matches!(run.begin("b", StepKind::Step), Ok(Begin::Leave)), "nothing begins after it");
    }

    #[test]
    fn a_misfit_leaves_once_nothing_is_in_flight() {
        let run = run();
        let step = run.enter();
        run.note_misfit("the value of `a`".to_owned());
        assert_eq!(run.leaving().now_or_never(), None, "the result of a step in flight would be lost");
        assert!(matches!(run.begin("b", StepKind::Step), Ok(Begin::Leave)), "nothing begins after it");
        drop(step);
        assert!(matches!(run.leaving().now_or_never(), Some(Leaving::Misfit(_))));
    }
}
