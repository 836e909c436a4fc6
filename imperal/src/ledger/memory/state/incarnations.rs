//! Incarnations: which may write, and the work that ended ones have left.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::State;
use super::calls::CallRow;
use crate::ledger::clock::{after, before};
use crate::ledger::{AttemptEnding, DurableProgram, Incarnation, LedgerError, Orphan, RenewalNews};

/// A node's latest incarnation.
#[derive(Debug)]
pub(super) struct NodeState {
    pub(super) number: i64,
    /// None once it has ended.
    pub(super) lease_until: Option<Timestamp>,
    /// How long the lease was when it was given.
    pub(super) lease: Duration,
    /// Whether it said that it is stopping.
    pub(super) draining: bool,
    /// The durable tasks that its program has, as far as it registered them.
    pub(super) program: Option<DurableProgram>,
}

impl NodeState {
    /// The last renewal of a lease that ends at `until`.
    fn alive_at(&self, until: Timestamp, now: Timestamp) -> Timestamp {
        before(until, self.lease).min(now)
    }

    /// How attempts end with an incarnation that did not leave.
    fn ending(&self) -> AttemptEnding {
        if self.draining { AttemptEnding::Drained } else { AttemptEnding::Crashed }
    }
}

impl State {
    pub(super) fn is_current(&self, incarnation: &Incarnation) -> bool {
        self.incarnations
            .get(&incarnation.node)
            .is_some_and(|state| state.number == incarnation.number && state.lease_until.is_some())
    }

    pub(in crate::ledger::memory) fn fence(&self, incarnation: &Incarnation) -> Result<(), LedgerError> {
        if self.is_current(incarnation) { Ok(()) } else { Err(LedgerError::Fenced) }
    }

    pub(in crate::ledger::memory) fn join(&mut self, node: &str, lease: Duration, now: Timestamp) -> Incarnation {
        let node: Arc<str> = node.into();
        let earlier = self
            .incarnations
            .get(&node)
            .map(|state| (state.number, state.ending(), state.lease_until.map(|until| state.alive_at(until, now))));
        if let Some((number, ending, Some(alive_at))) = earlier {
            self.orphan_tasks(&Incarnation { node: node.clone(), number }, ending, alive_at, now);
        }
        let number = earlier.map_or(0, |(number, ..)| number) + 1;
        let lease_until = Some(after(now, lease));
        let state = NodeState { number, lease_until, lease, draining: false, program: None };
        self.incarnations.insert(node.clone(), state);
        Incarnation { node, number }
    }

    pub(in crate::ledger::memory) fn renew(
        &mut self,
        incarnation: &Incarnation,
        lease: Duration,
        now: Timestamp,
    ) -> Result<RenewalNews, LedgerError> {
        self.fence(incarnation)?;
        if let Some(state) = self.incarnations.get_mut(&incarnation.node) {
            (state.lease_until, state.lease) = (Some(after(now, lease)), lease);
        }
        let asked = self
            .open_rows()
            .filter(|row| row.record.task.state.is_held() && row.record.incarnation == *incarnation)
            .filter(|row| row.record.task.cancel_requested_at.is_some());
        let cancelled_tasks = asked.map(|row| row.record.task.task_id).collect();
        let calls = self.open_calls.values().filter(|call_id| {
            self.calls.get(call_id).is_some_and(|row| row.cancel_requested && row.incarnation == *incarnation)
        });
        Ok(RenewalNews { cancelled_tasks, cancelled_calls: calls.copied().collect() })
    }

    pub(in crate::ledger::memory) fn drain(&mut self, incarnation: &Incarnation) -> Result<(), LedgerError> {
        self.fence(incarnation)?;
        if let Some(state) = self.incarnations.get_mut(&incarnation.node) {
            state.draining = true;
        }
        Ok(())
    }

    pub(in crate::ledger::memory) fn leave(&mut self, incarnation: &Incarnation, now: Timestamp) {
        if !self.is_current(incarnation) {
            return;
        }
        self.orphan_tasks(incarnation, AttemptEnding::Left, now, now);
        if let Some(state) = self.incarnations.get_mut(&incarnation.node) {
            state.lease_until = None;
        }
    }

    /// Ends the incarnations of other nodes whose lease has expired; how many.
    pub(in crate::ledger::memory) fn expire_leases(
        &mut self,
        incarnation: &Incarnation,
        now: Timestamp,
    ) -> Result<u64, LedgerError> {
        self.fence(incarnation)?;
        let mut ended = Vec::new();
        for (node, state) in &mut self.incarnations {
            // A lease that ends further ahead than it is long was given before the clock was set back.
            let longest = after(now, state.lease);
            state.lease_until = state.lease_until.map(|until| until.min(longest));
            if *node != incarnation.node
                && let Some(until) = state.lease_until.filter(|until| *until <= now)
            {
                state.lease_until = None;
                let incarnation = Incarnation { node: node.clone(), number: state.number };
                ended.push((incarnation, state.ending(), state.alive_at(until, now)));
            }
        }
        for (incarnation, ending, alive_at) in &ended {
            self.orphan_tasks(incarnation, *ending, *alive_at, now);
        }
        Ok(ended.len() as u64)
    }

    pub(in crate::ledger::memory) fn orphans(&self, limit: usize) -> Vec<Orphan> {
        let calls = self.open_calls.values().filter_map(|call_id| {
            let is_lost = |row: &&CallRow| !row.silent && !self.is_current(&row.incarnation);
            let row = self.calls.get(call_id).filter(is_lost)?;
            Some(Orphan::Call {
                call_id: *call_id,
                owner: row.owner.clone(),
                incarnation: row.incarnation.clone(),
                turn: row.turn.clone(),
            })
        });
        let tasks = self.open_rows().filter(|row| row.durable.is_none() && !self.is_current(&row.record.incarnation));
        calls.chain(tasks.map(|row| Orphan::Task(row.record.clone()))).take(limit).collect()
    }
}
