//! Events: each owner's turns and changes of tasks, numbered without gaps.

use jiff::Timestamp;

use super::{State, size};
use crate::ledger::{Event, EventBody, LedgerError, Owner, Turn, TurnBody};

/// An owner's events.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The latest number.
    pub(super) head: u64,
    /// Events up to this number are no longer kept; some of their turns may be.
    pub(super) pruned: u64,
    /// In order.
    pub(super) kept: Vec<Event>,
}

impl State {
    pub(super) fn fresh(&self, turn: &TurnBody) -> Result<(), LedgerError> {
        if self.turn_ids.contains(&turn.turn_id) { Err(LedgerError::IdExists) } else { Ok(()) }
    }

    pub(super) fn note_owner(&mut self, owner: &Owner) {
        if !self.events.contains_key(owner) && !self.chain_ends.contains_key(owner) {
            self.owners.push(owner.clone());
        }
    }

    pub(super) fn push(&mut self, owner: &Owner, body: EventBody) {
        self.note_owner(owner);
        let body = match body {
            EventBody::Task(task) => EventBody::Task(self.shown(task)),
            turn @ EventBody::Turn(_) => turn,
        };
        let journal = self.events.entry(owner.clone()).or_default();
        journal.head += 1;
        journal.kept.push(Event { seq: journal.head, body });
    }

    pub(super) fn add_turn(&mut self, owner: Owner, body: TurnBody, at: Timestamp) -> (Owner, Turn) {
        self.turn_ids.insert(body.turn_id);
        self.count_stored(&owner, size(&body), at);
        let turn = Turn { seq: self.head(&owner) + 1, at, body };
        self.push(&owner, EventBody::Turn(turn.clone()));
        (owner, turn)
    }

    pub(in crate::ledger::memory) fn head(&self, owner: &Owner) -> u64 {
        self.events.get(owner).map_or(0, |journal| journal.head)
    }

    pub(in crate::ledger::memory) fn events(&self, owner: &Owner, after: u64) -> Result<&[Event], LedgerError> {
        match self.events.get(owner) {
            Some(journal) if after < journal.pruned => Err(LedgerError::Pruned(journal.pruned)),
            _ => Ok(self.kept(owner, after)),
        }
    }

    fn kept(&self, owner: &Owner, after: u64) -> &[Event] {
        let kept = self.events.get(owner).map_or(&[][..], |journal| journal.kept.as_slice());
        &kept[kept.partition_point(|event| event.seq <= after)..]
    }

    pub(in crate::ledger::memory) fn turns(&self, owner: &Owner, after: u64) -> impl DoubleEndedIterator<Item = &Turn> {
        self.kept(owner, after).iter().filter_map(|event| match &event.body {
            EventBody::Turn(turn) => Some(turn),
            EventBody::Task(_) => None,
        })
    }
}
