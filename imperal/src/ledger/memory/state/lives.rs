//! Lives of nodes: who may write, and what those that are over have left behind.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::State;
use crate::ids::TaskId;
use crate::ledger::clock::after;
use crate::ledger::{Incarnation, LedgerError, Orphan};

/// A node's latest life.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) epoch: i64,
    /// None once it is over.
    pub(super) lease_until: Option<Timestamp>,
    /// How long the lease was when it was given.
    pub(super) lease: Duration,
}

impl State {
    pub(super) fn is_current(&self, holder: &Incarnation) -> bool {
        self.lives.get(&holder.node).is_some_and(|life| life.epoch == holder.epoch && life.lease_until.is_some())
    }

    pub(super) fn fence(&self, holder: &Incarnation) -> Result<(), LedgerError> {
        if self.is_current(holder) { Ok(()) } else { Err(LedgerError::Fenced) }
    }

    pub(in crate::ledger::memory) fn join(&mut self, node: &str, lease: Duration, now: Timestamp) -> Incarnation {
        let node: Arc<str> = node.into();
        let epoch = self.lives.get(&node).map_or(0, |life| life.epoch) + 1;
        self.lives.insert(node.clone(), Life { epoch, lease_until: Some(after(now, lease)), lease });
        Incarnation { node, epoch }
    }

    pub(in crate::ledger::memory) fn renew(
        &mut self,
        holder: &Incarnation,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Vec<TaskId>, LedgerError> {
        self.fence(holder)?;
        if let Some(life) = self.lives.get_mut(&holder.node) {
            (life.lease_until, life.lease) = (Some(after(now, lease)), lease);
        }
        let asked = self
            .running_rows()
            .filter(|row| row.record.holder == *holder && row.record.task.cancel_requested_at.is_some());
        Ok(asked.map(|row| row.record.task.task_id).collect())
    }

    pub(in crate::ledger::memory) fn leave(&mut self, holder: &Incarnation) {
        if let Some(life) = self.lives.get_mut(&holder.node)
            && life.epoch == holder.epoch
        {
            life.lease_until = None;
        }
    }

    pub(in crate::ledger::memory) fn orphans(
        &mut self,
        holder: &Incarnation,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Orphan>, LedgerError> {
        self.fence(holder)?;
        for (node, life) in &mut self.lives {
            // Given before the clock was set back.
            let longest = after(now, life.lease);
            life.lease_until = life.lease_until.map(|until| until.min(longest));
            if *node != holder.node && life.lease_until.is_some_and(|until| until <= now) {
                life.lease_until = None;
            }
        }
        let calls = self.open_calls.values().filter_map(|call_id| {
            let row = self.calls.get(call_id).filter(|row| !self.is_current(&row.holder))?;
            Some(Orphan::Call {
                call_id: *call_id,
                owner: row.owner.clone(),
                holder: row.holder.clone(),
                turn: row.turn.clone(),
            })
        });
        let tasks = self.running_rows().filter(|row| !self.is_current(&row.record.holder));
        Ok(calls.chain(tasks.map(|row| Orphan::Task(row.record.clone()))).take(limit).collect())
    }
}
