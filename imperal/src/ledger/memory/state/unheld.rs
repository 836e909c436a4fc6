//! Durable tasks that no process takes: marked as stuck, announced to their users, listed.

use std::time::Duration;

use jiff::Timestamp;

use super::State;
use super::tasks::TaskRow;
use crate::ids::TaskId;
use crate::ledger::{
    Backlog, DurableProgram, EventBody, Incarnation, LedgerError, Owner, TaskRecord, TaskState, WaitsFor,
};

/// Tasks that one call marks or announces.
const MOST: usize = 32;

impl State {
    pub(in crate::ledger::memory) fn register_program(
        &mut self,
        incarnation: &Incarnation,
        program: DurableProgram,
    ) -> Result<(), LedgerError> {
        self.fence(incarnation)?;
        if let Some(state) = self.incarnations.get_mut(&incarnation.node) {
            state.program = Some(program);
        }
        Ok(())
    }

    /// Whether a current incarnation can take the task: it knows the name, and has not refused it last.
    fn is_known(&self, row: &TaskRow) -> bool {
        let Some(durable) = &row.durable else { return false };
        let name = durable.name(&row.record.task.app_id);
        let current = self.incarnations.values().filter(|state| state.lease_until.is_some());
        let mut programs = current.filter_map(|state| state.program.as_ref());
        programs.any(|program| program.names.contains(&name) && durable.refused_by.as_ref() != Some(&program.version))
    }

    /// The owners of the tasks that became stuck, once for each task.
    pub(in crate::ledger::memory) fn mark_stuck(
        &mut self,
        incarnation: &Incarnation,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Owner>, LedgerError> {
        self.fence(incarnation)?;
        let untaken = self.open_rows().filter(|row| {
            let task = &row.record.task;
            matches!(task.state, TaskState::Queued | TaskState::Waiting)
                && task.ready_at.is_some_and(|at| at <= before)
                && !self.is_known(row)
        });
        let untaken: Vec<TaskId> = untaken.map(|row| row.record.task.task_id).take(MOST).collect();
        let mut owners = Vec::with_capacity(untaken.len());
        for task_id in &untaken {
            let Some(TaskRow { record, durable: Some(durable), .. }) = self.tasks.get_mut(task_id) else { continue };
            (record.task.state, record.task.waits_for) = (TaskState::Stuck, Some(WaitsFor::Version));
            (durable.stuck_since, durable.untold_since) = (durable.refused_since.or(Some(now)), None);
            let (owner, task) = (record.owner.clone(), record.task.clone());
            self.push(&owner, EventBody::Task(task));
            owners.push(owner);
        }
        Ok(owners)
    }

    /// The owners of the announced tasks, once for each task.
    pub(in crate::ledger::memory) fn announce_queued(
        &mut self,
        incarnation: &Incarnation,
        before: Timestamp,
    ) -> Result<Vec<Owner>, LedgerError> {
        self.fence(incarnation)?;
        let mut untold: Vec<(Timestamp, u64, TaskId)> = self
            .open_rows()
            .filter(|row| row.record.task.state == TaskState::Queued)
            .filter_map(|row| {
                let since = row.durable.as_ref()?.untold_since.filter(|since| *since <= before)?;
                Some((since, row.order, row.record.task.task_id))
            })
            .collect();
        untold.sort_unstable();
        let mut owners = Vec::new();
        for (.., task_id) in untold.into_iter().take(MOST) {
            let Some(TaskRow { record, durable: Some(durable), .. }) = self.tasks.get_mut(&task_id) else { continue };
            durable.untold_since = None;
            let (owner, task) = (record.owner.clone(), record.task.clone());
            self.push(&owner, EventBody::Task(task));
            owners.push(owner);
        }
        Ok(owners)
    }

    pub(in crate::ledger::memory) fn long_stuck(&self, before: Timestamp, limit: usize) -> Vec<TaskRecord> {
        let since = |row: &TaskRow| {
            let durable = row.durable.as_ref()?;
            let is_paused = self.is_paused(&durable.name(&row.record.task.app_id));
            durable.stuck_since.filter(|_| !is_paused && !self.is_known(row))
        };
        let mut stuck: Vec<(Timestamp, u64, &TaskRow)> =
            self.open_rows().filter_map(|row| Some((since(row).filter(|at| *at <= before)?, row.order, row))).collect();
        stuck.sort_unstable_by_key(|(at, order, _)| (*at, *order));
        stuck.into_iter().take(limit).map(|(.., row)| row.record.clone()).collect()
    }

    pub(in crate::ledger::memory) fn cancelled_tasks(&self, limit: usize) -> Vec<TaskRecord> {
        let is_replied =
            |row: &TaskRow| self.calls.get(&row.record.task.call_id).is_none_or(|call| call.reply.is_some());
        let mut cancelled: Vec<(Timestamp, u64, &TaskRow)> = self
            .open_rows()
            .filter(|row| row.durable.is_some() && !row.record.task.state.is_held() && is_replied(row))
            .filter_map(|row| Some((row.record.task.cancel_requested_at?, row.order, row)))
            .collect();
        cancelled.sort_unstable_by_key(|(at, order, _)| (*at, *order));
        cancelled.into_iter().take(limit).map(|(.., row)| row.record.clone()).collect()
    }

    pub(in crate::ledger::memory) fn backlog(&self, now: Timestamp) -> Backlog {
        let (stuck, ready): (Vec<_>, Vec<_>) = self
            .open_rows()
            .filter(|row| row.record.task.ready_at.is_some())
            .partition(|row| row.record.task.state == TaskState::Stuck);
        let first = ready.iter().filter_map(|row| row.record.task.ready_at).min();
        let oldest_ready = first.and_then(|at| Duration::try_from(now.duration_since(at)).ok());
        let unheld = self.open_rows().filter(|row| !row.record.task.state.is_held());
        let unknown = unheld.map(|row| u64::from(row.record.task.open_effects)).sum();
        Backlog::new(stuck.len().min(Backlog::MOST_STUCK as usize) as u64, oldest_ready).unknown_effects(unknown)
    }
}
