//! One attempt of a durable task: its stored steps, what is in flight, and the hand-over. `begin` decides whether a
//! step runs.
//!
//! The attempt alone knows all of its task's steps, because the ledger lets no other attempt write. So names
//! are unique and ordinals are taken here, without a read of the ledger.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::digest::StepsDigest;
use super::idle::Idle;
use super::said::Texts;
use super::stored::StoredSteps;
use super::unfinished::Unfinished;
use super::waits::{LedgerClock, Waits};
use crate::ids::TaskId;
use crate::result::Result;
use crate::rows::{Attempt, CurrentStep, Park, RESERVED_NAMES, StepKind, StepsSoFar};
use crate::sync::{Mutex, MutexGuard, Notify};

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
    /// How often each text was delivered outside of steps in this attempt, by its hash.
    pub(super) said: HashMap<[u8; 32], u32>,
    /// How the messages outside of steps differ from those of earlier attempts.
    pub(super) texts: Texts,
    pub(super) running: Vec<CurrentStep>,
    pub(super) unfinished: Unfinished,
    /// Steps whose work is done and whose value is being stored, also if its caller has gone.
    pub(super) storing: HashSet<String>,
    /// How often each task was started outside of steps in this attempt.
    started: HashMap<[u8; 32], u32>,
    pub(super) asked_for: HashSet<u16>,
    kept: u32,
    pub(super) in_flight: usize,
    pub(super) threads: usize,
    pub(super) handing_over: bool,
    pub(super) misfit: Option<String>,
    /// The unknown effect for which the task has to stop.
    pub(super) stopped_for: Option<String>,
    /// Effects whose closure runs.
    pub(super) effects: usize,
    pub(super) waits: Waits,
    /// Steps that wait before their next try: they hold up a park, not a hand-over.
    pub(super) pauses: usize,
    pub(super) idle: Idle,
    /// Sleep in attempts that were cut off, which the ledger has counted as running time.
    slept_before: Duration,
    /// Whether the body has passed its stored steps, or runs another one: from then on it may report.
    pub(super) live: bool,
    /// In a replay: what the body asked for and is not stored.
    pub(super) unstored: Option<Vec<String>>,
}

impl Journal {
    /// Something is in flight from now on.
    pub(super) fn enter(&mut self) {
        self.in_flight += 1;
        self.idle.end();
    }

    /// Ends what watchers see of a step that runs.
    pub(super) fn take_running(&mut self, name: &str) -> Option<CurrentStep> {
        let at = self.running.iter().position(|step| step.name == name)?;
        Some(self.running.remove(at))
    }
}

impl DurableRun {
    /// The state at the start of a task's first attempt.
    pub(crate) fn first(attempt: Attempt, root_task: TaskId, parked_from: Duration) -> Arc<Self> {
        Self::resumed(attempt, root_task, StoredSteps::default(), parked_from)
    }

    /// The state at the start of a new task, for tests.
    #[cfg(test)]
    pub(super) fn of_new_task() -> Arc<Self> {
        let task_id = TaskId::generate();
        Self::first(Attempt::first(task_id), task_id, Duration::ZERO)
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

    /// The state of a replay: nothing runs that is not stored, and the first of it ends the attempt.
    #[cfg(feature = "testing")]
    pub(crate) fn replayed(attempt: Attempt, root_task: TaskId, stored: StoredSteps) -> Arc<Self> {
        let run = Self::resumed(attempt, root_task, stored, Duration::ZERO);
        run.journal().unstored = Some(Vec::new());
        run
    }

    /// In a replay: what the body asked for and is not stored, in the order in which it did.
    #[cfg(feature = "testing")]
    pub(crate) fn unstored(&self) -> Vec<String> {
        self.journal().unstored.clone().unwrap_or_default()
    }

    /// Sets the ledger's clock: it was this time at some moment between a request and its answer.
    pub(crate) fn set_ledger_time(&self, at: Timestamp, asked: Instant, answered: Instant) {
        // A second time is no better than the first.
        let _ = self.clock.set(LedgerClock::between(at, asked, answered));
    }

    /// The latest time that it can be by the ledger's clock.
    pub(super) fn latest_ledger_time(&self) -> Timestamp {
        self.clock.get().map_or_else(Timestamp::now, |clock| clock.latest())
    }

    /// The time by the ledger's clock.
    pub(super) fn ledger_time(&self) -> Timestamp {
        self.clock.get().map_or_else(Timestamp::now, |clock| clock.now())
    }

    /// How the task is parked if nothing is in flight.
    pub(super) fn park(&self, journal: &Journal) -> Option<Park> {
        journal.waits.park(self.ledger_time(), self.parked_from)
    }

    /// Says how long attempts that were cut off slept. It is no running time, but the ledger's deadline counts it.
    pub(crate) fn note_slept_before(&self, slept: Duration) {
        self.journal().slept_before = slept;
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

    /// Takes the next ordinal for something to be stored of this many bytes.
    ///
    /// # Errors
    /// `STEPS_EXCEEDED` over the limits of a task.
    pub(super) fn take_ordinal(&self, bytes: u64) -> Result<u16> {
        self.journal().stored.take_ordinal(bytes)
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
        let waited = journal.slept_before + journal.idle.sum();
        StepsSoFar {
            done: journal.stored.count(),
            kept: journal.kept,
            current: journal.running.iter().take(SHOWN).cloned().collect(),
            waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
            failed: journal.unfinished.failed(),
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

    /// Names of stored steps that this attempt never asked for: renamed or removed in the program. A question about an
    /// effect is asked for by no program.
    pub(crate) fn unasked(&self) -> Vec<String> {
        let journal = self.journal();
        let unasked = journal.stored.steps().iter().filter(|(_, known)| !journal.asked_for.contains(&known.ordinal));
        unasked.map(|(name, _)| name.clone()).filter(|name| !name.starts_with(RESERVED_NAMES)).collect()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::super::Leaving;
    use super::super::begin::Begin;
    use super::super::stored::Known;
    use super::*;

    #[test]
    fn a_name_is_taken_while_its_step_runs_and_free_when_it_failed() {
        let run = DurableRun::of_new_task();
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
        drop(storing);
        assert!(matches!(run.begin("a", StepKind::Step), Ok(Begin::Stored(Known { ordinal: 1, .. }))));
    }

    #[test]
    fn a_run_leaves_once_nothing_is_in_flight() {
        let run = DurableRun::of_new_task();
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
    fn only_names_of_the_program_are_unasked() {
        let mut stored = StoredSteps::default();
        stored.add_step(1, StepKind::Step, "renamed".to_owned(), "1");
        stored.add_step(2, StepKind::Step, "kept".to_owned(), "1");
        stored.add_step(3, StepKind::Question, format!("{RESERVED_NAMES}effect/2/0/id/pay"), "1");
        let attempt = Attempt::first(TaskId::generate());
        let run = DurableRun::resumed(attempt, attempt.task_id, stored, Duration::ZERO);
        assert!(matches!(run.begin("kept", StepKind::Step), Ok(Begin::Stored(_))));
        assert_eq!(run.unasked(), ["renamed"]);
    }

    #[test]
    fn a_misfit_leaves_once_nothing_is_in_flight() {
        let run = DurableRun::of_new_task();
        let step = run.enter();
        run.note_misfit("the value of `a`".to_owned());
        assert_eq!(run.leaving().now_or_never(), None, "the result of a step in flight would be lost");
        assert!(matches!(run.begin("b", StepKind::Step), Ok(Begin::Leave)), "nothing begins after it");
        drop(step);
        assert!(matches!(run.leaving().now_or_never(), Some(Leaving::Misfit(_))));
    }
}
