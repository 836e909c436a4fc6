//! Steps that an attempt began and that have no row: they failed or were cut off. They go into the notes on the attempt.
//!
//! A step that is stored later, or begins again, is no longer among them. An attempt whose steps are all stored keeps
//! nothing here.

use jiff::Timestamp;

use super::DurableRun;
use super::in_flight::Running;
use super::step_log::{StepLog, cut};
use crate::error::Error;
use crate::rows::{CurrentStep, FailedStep, StepEnding, UnfinishedStep};

/// Steps that are remembered: the latest ones.
const MOST: usize = 8;

/// The unfinished steps of an attempt.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    /// In the order in which they ended.
    steps: Vec<UnfinishedStep>,
    failed: Option<FailedStep>,
}

impl Unfinished {
    /// A step begins. If no other one runs, the body has gone on after a step that failed before.
    pub(super) fn begin(&mut self, name: &str, is_alone: bool) {
        if is_alone {
            self.go_on();
        }
        self.stored(name);
    }

    /// The body has gone on after the steps that failed so far. Returns whether the task seemed to fail at one of them.
    fn go_on(&mut self) -> bool {
        let failed = self.steps.iter_mut().filter(|step| step.how == StepEnding::Failed);
        failed.for_each(|step| step.went_on = true);
        self.failed.take().is_some()
    }

    /// A step of this name is stored, or runs again.
    pub(super) fn stored(&mut self, name: &str) {
        self.steps.retain(|step| step.name != name);
    }

    /// A step ended without a value.
    pub(super) fn add(
        &mut self,
        number: u32,
        current: CurrentStep,
        how: StepEnding,
        error: Option<String>,
        log: Option<&StepLog>,
    ) {
        self.stored(&current.name);
        let CurrentStep { name, since, attempt, of_attempts, error: earlier, .. } = current;
        let tries = attempt.unwrap_or(1);
        if how == StepEnding::Failed {
            self.failed = Some(FailedStep { number, name: name.clone(), tries });
        }
        if self.steps.len() == MOST {
            self.steps.remove(0);
        }
        self.steps.push(UnfinishedStep {
            number,
            name,
            how,
            began_at: since,
            ended_at: Timestamp::now(),
            tries,
            of_tries: of_attempts,
            error: error.or(earlier).map(cut),
            went_on: false,
            log: log.and_then(StepLog::to_json).and_then(|log| serde_json::from_str(&log).ok()).unwrap_or_default(),
        });
    }

    /// The step at which the body failed, if it fails now.
    pub(super) fn failed(&self) -> Option<FailedStep> {
        self.failed.clone()
    }
}

impl DurableRun {
    /// Notes that the body has returned a success, so that it failed at no step. Returns whether that is news for
    /// watchers.
    pub(crate) fn note_success(&self) -> bool {
        self.journal().unfinished.go_on()
    }

    /// The steps of this attempt that have no row, in the order in which they ended.
    pub(crate) fn unfinished(&self) -> Vec<UnfinishedStep> {
        self.journal().unfinished.steps.clone()
    }
}

impl Running {
    /// Notes that the step failed, and frees its name. A cancelled one was cut off.
    pub(super) fn fail(self, error: &Error, began_at: Option<Timestamp>) {
        if error.is_cancelled() {
            return;
        }
        let mut journal = self.run().journal();
        let Some(mut current) = journal.take_running(self.name()) else { return };
        current.since = began_at.unwrap_or(current.since);
        let number = journal.stored.count() + 1;
        // The error's own text is for the log: its sources are not for the user.
        journal.unfinished.add(number, current, StepEnding::Failed, Some(error.message().to_owned()), self.log());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::begin::Begin;
    use super::super::step_log::Entry;
    use super::*;
    use crate::codes;
    use crate::rows::StepKind;

    fn begin(run: &Arc<DurableRun>, name: &str, kind: StepKind) -> Running {
        match run.begin(name, kind) {
            Ok(Begin::Run(running)) => running,
            _ => panic!("the step must run"),
        }
    }

    fn store(run: &Arc<DurableRun>, name: &str, kind: StepKind) {
        let ordinal = run.take_ordinal(0).unwrap();
        run.storing(name).stored(ordinal, kind, "null");
    }

    fn left(run: &DurableRun) -> Vec<(u32, String, StepEnding)> {
        run.unfinished().into_iter().map(|step| (step.number, step.name, step.how)).collect()
    }

    fn failure() -> Error {
        Error::user(codes::INTERNAL, "The card has expired.")
    }

    #[test]
    fn a_failed_step_keeps_its_tries_and_its_log() {
        let run = DurableRun::of_new_task();
        let running = begin(&run, "reserve", StepKind::Step);
        store(&run, "reserve", StepKind::Step);
        drop(running);
        let running = begin(&run, "charge", StepKind::Step);
        running.show(|step| (step.attempt, step.of_attempts) = (Some(5), Some(5)));
        let log = Arc::new(StepLog::default());
        log.add(&Entry::Try { attempt: 4, error: "504".to_owned() });
        running.keep_log(&log);
        running.fail(&failure(), None);
        let [step] = &run.unfinished()[..] else { panic!("one step failed") };
        assert_eq!((step.number, &*step.name, step.how), (2, "charge", StepEnding::Failed));
        assert_eq!((step.tries, step.of_tries, step.log.len()), (5, Some(5), 1));
        assert_eq!(step.error.as_deref(), Some("The card has expired."));
        let failed = FailedStep { number: 2, name: "charge".to_owned(), tries: 5 };
        assert_eq!(run.so_far().failed, Some(failed));
        assert_eq!(run.so_far().current, [], "it does not run");
    }

    #[test]
    fn a_step_that_is_stored_or_begins_again_is_not_unfinished() {
        let run = DurableRun::of_new_task();
        drop(begin(&run, "a", StepKind::Step));
        assert_eq!(left(&run), [(1, "a".to_owned(), StepEnding::CutOff)]);
        let running = begin(&run, "a", StepKind::Step);
        assert_eq!(left(&run), []);
        // Its caller has gone while its value is being stored.
        drop(running);
        store(&run, "a", StepKind::Step);
        assert_eq!(left(&run), []);
    }

    #[test]
    fn a_body_that_goes_on_has_not_failed_at_that_step() {
        let run = DurableRun::of_new_task();
        begin(&run, "a", StepKind::Step).fail(&failure(), None);
        let other = begin(&run, "b", StepKind::Step);
        assert_eq!(run.so_far().failed, None);
        begin(&run, "c", StepKind::Step).fail(&failure(), None);
        let _next = begin(&run, "d", StepKind::Step);
        assert_eq!(run.so_far().failed.map(|step| step.name), Some("c".to_owned()), "`b` runs at the same time");
        drop(other);
        let went_on = |run: &DurableRun| run.unfinished().iter().filter(|step| step.went_on).count();
        assert_eq!(went_on(&run), 1, "after `a`");
        assert!(run.note_success() && !run.note_success());
        assert_eq!((run.so_far().failed, went_on(&run)), (None, 2), "and after `c`; the others were cut off");
    }

    #[test]
    fn a_cancelled_step_was_cut_off_and_an_open_effect_is_unknown() {
        let run = DurableRun::of_new_task();
        begin(&run, "a", StepKind::Step).fail(&Error::cancelled(), None);
        let effect = begin(&run, "pay", StepKind::Effect);
        store(&run, "pay", StepKind::Intent);
        drop(effect);
        drop(begin(&run, "imperal:effect/1", StepKind::Question));
        let wanted = [(1, "a".to_owned(), StepEnding::CutOff), (1, "pay".to_owned(), StepEnding::Unknown)];
        assert_eq!(left(&run), wanted, "a question is no step");
        let effect = begin(&run, "pay", StepKind::Effect);
        store(&run, "pay", StepKind::NotDone);
        drop(effect);
        assert_eq!(left(&run).len(), 1, "it has a row");
    }

    #[test]
    fn the_latest_steps_are_remembered() {
        let run = DurableRun::of_new_task();
        for n in 0..20 {
            drop(begin(&run, &format!("step {n}"), StepKind::Step));
        }
        let left = run.unfinished();
        assert_eq!((left.len(), &*left[7].name), (MOST, "step 19"));
    }
}
