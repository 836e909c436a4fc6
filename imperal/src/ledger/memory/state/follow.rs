//! Tasks that follow ended ones: what they inherit.

use std::collections::{BTreeMap, HashSet};

use super::State;
use super::durable::DurableRow;
use super::tasks::TaskRow;
use crate::ledger::{CannotFollow, Follows, LedgerError, Owner, StoredStep};
use crate::rows::{is_inherited, keeps_step};

impl State {
    /// The task that one of the owner's tasks is to follow.
    pub(super) fn followed(&self, owner: &Owner, follows: Follows) -> Result<(&TaskRow, &DurableRow), LedgerError> {
        let row = self.tasks.get(&follows.task_id).filter(|row| row.record.owner == *owner);
        row.and_then(|row| Some((row, row.durable.as_ref()?))).ok_or(LedgerError::NotFound)
    }

    /// The rows that a task inherits.
    pub(super) fn inherited(&self, owner: &Owner, follows: Follows) -> Result<BTreeMap<u16, StoredStep>, LedgerError> {
        let (row, durable) = self.followed(owner, follows)?;
        if row.record.task.state.is_open() {
            return Err(LedgerError::CannotFollow(CannotFollow::NotEnded));
        }
        let Some(through) = follows.through else { return Ok(BTreeMap::new()) };
        if through > 0 && !durable.has_step(through) {
            return Err(LedgerError::CannotFollow(CannotFollow::NoSuchRow));
        }
        let kept = durable.steps.values().filter(|step| keeps_step(through, step.ordinal, step.kind));
        let kept: HashSet<&str> = kept.map(|step| &*step.name).collect();
        let mut inherited = BTreeMap::new();
        for step in durable.steps.values() {
            let StoredStep { ordinal, kind, ref name, ref value, .. } = *step;
            match is_inherited(through, ordinal, kind, name, value.as_deref(), |step| kept.contains(step)) {
                Some(true) => {
                    inherited.insert(step.ordinal, StoredStep { attempt: Follows::INHERITED, ..step.clone() });
                }
                Some(false) => {}
                None => return Err(LedgerError::CannotFollow(CannotFollow::ValuesGone)),
            }
        }
        Ok(inherited)
    }
}
