//! The effects of an attempt: which are open, and whether one of them stops the task.

use super::DurableRun;
use crate::result::Result;
use crate::rows::StepKind;

impl DurableRun {
    /// Takes the next ordinal for an intent: later ones are left for what becomes of it.
    ///
    /// # Errors
    /// `STEPS_EXCEEDED` over the limits of a task.
    pub(super) fn take_intent_ordinal(&self) -> Result<u16> {
        self.journal().stored.take_intent_ordinal()
    }

    /// Takes the next ordinal for the outcome of an effect, of this many bytes.
    ///
    /// # Errors
    /// `STEPS_EXCEEDED` over the limits of a task and the reserve for outcomes beyond them.
    pub(super) fn take_outcome_ordinal(&self, bytes: u64) -> Result<u16> {
        self.journal().stored.take_outcome_ordinal(bytes)
    }

    /// The open intent of an effect.
    pub(super) fn open_intent(&self, name: &str) -> Option<u16> {
        let journal = self.journal();
        journal.stored.step(name).filter(|known| known.kind == StepKind::Intent).map(|known| known.ordinal)
    }

    /// Whether something of this name is stored.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.journal().stored.step(name).is_some()
    }

    /// The names of effects that have an intent and are not known to be done or not done.
    pub(crate) fn open_effects(&self) -> Vec<String> {
        self.journal().stored.open_effects()
    }

    /// Ends the task as soon as nothing is in flight, because it is not known whether an effect was done.
    pub(super) fn stop_for_effect(&self, name: &str) {
        self.journal().stopped_for.get_or_insert_with(|| name.to_owned());
        self.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;

    use super::super::Leaving;
    use super::super::begin::Begin;
    use super::*;

    #[test]
    fn an_effect_is_open_from_its_intent_to_what_became_of_it() {
        let run = DurableRun::of_new_task();
        let begin = |run: &Arc<DurableRun>| match run.begin("pay", StepKind::Effect) {
            Ok(Begin::Run(running)) => running,
            _ => panic!("the effect must run"),
        };
        let store = |kind: StepKind| {
            let ordinal = run.take_ordinal(0).unwrap();
            run.storing("pay").stored(ordinal, kind, "null");
            ordinal
        };
        let first = begin(&run);
        assert_eq!(run.open_intent("pay"), None);
        let intent = store(StepKind::Intent);
        assert_eq!((run.open_intent("pay"), run.open_effects()), (Some(intent), vec!["pay".to_owned()]));
        assert_eq!(run.so_far().current.len(), 1, "it still runs");
        drop(first);
        assert!(run.begin("pay", StepKind::Step).is_err(), "it is the name of an effect");
        let second = begin(&run);
        let storing = run.storing("pay");
        drop(second);
        assert!(matches!(run.begin("pay", StepKind::Effect), Ok(Begin::Storing)), "what became of it is being stored");
        drop(storing);
        store(StepKind::NotDone);
        assert_eq!((run.open_intent("pay"), run.open_effects()), (None, vec![]));
        drop(begin(&run));
        store(StepKind::Intent);
        store(StepKind::Effect);
        assert!(matches!(run.begin("pay", StepKind::Effect), Ok(Begin::Stored(_))));
        assert_eq!((run.open_effects(), run.so_far().done), (vec![], 1));
    }

    #[test]
    fn a_run_that_stops_for_an_effect_begins_nothing() {
        let run = DurableRun::of_new_task();
        run.stop_for_effect("pay");
        assert!(matches!(run.begin("mail", StepKind::Effect), Ok(Begin::Leave)));
        assert_eq!(run.leaving().now_or_never(), Some(Leaving::Stopped("pay".to_owned())));
    }
}
