//! Retention: the rules of the database backends, over the owners in order.

use jiff::Timestamp;

use super::State;
use super::tasks::TaskRow;
use crate::ledger::retention::Cutoffs;
use crate::ledger::{ChainEnds, EventBody, Owner, Pruned, RetentionPolicy};

impl State {
    pub(in crate::ledger::memory) fn prune(
        &mut self,
        keep: &RetentionPolicy,
        from: u64,
        limit: u32,
        now: Timestamp,
    ) -> Pruned {
        let cuts = Cutoffs::at(now, keep);
        let limit = u64::from(limit.max(1));
        let (mut pruned, mut place) = (Pruned::default(), from);
        pruned.documents = self.forget_documents(limit, now);
        if pruned.rows() >= limit {
            return Pruned { next: Some(from), ..pruned };
        }
        while let Some(owner) = usize::try_from(place).ok().and_then(|place| self.owners.get(place).cloned()) {
            let left = limit - pruned.rows();
            pruned = pruned.plus(self.prune_owner(&owner, &cuts, left));
            if pruned.rows() >= limit {
                return Pruned { next: Some(place), ..pruned };
            }
            place += 1;
        }
        pruned
    }

    fn prune_owner(&mut self, owner: &Owner, cuts: &Cutoffs, left: u64) -> Pruned {
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let mut pruned = Pruned::default();
        let first_needed = self.first_needed(owner);
        if let Some(journal) = self.events.get_mut(owner) {
            let is_old = |at: Timestamp, cut: Option<i64>| cut.is_some_and(|cut| at.as_microsecond() < cut);
            let behind = journal.kept.iter().filter(|event| event.seq > journal.pruned && event.seq < first_needed);
            let turns = behind.filter_map(|event| match &event.body {
                EventBody::Turn(turn) => Some(turn),
                EventBody::Task(_) => None,
            });
            let floor = turns.take(most).take_while(|turn| is_old(turn.at, cuts.events)).last().map(|turn| turn.seq);
            journal.pruned = floor.unwrap_or(journal.pruned);
            let floor = journal.pruned;
            let before = journal.kept.len();
            journal.kept.retain(|event| event.seq > floor || matches!(event.body, EventBody::Turn(_)));
            pruned.events = (before - journal.kept.len()) as u64;
            let gone = journal.kept.iter().take_while(|event| match &event.body {
                // A task that began after its call was replied may need a call behind the floor.
                EventBody::Turn(turn) => turn.seq <= floor && turn.seq < first_needed && is_old(turn.at, cuts.turns),
                EventBody::Task(_) => false,
            });
            let gone = gone.take(most).count();
            for event in journal.kept.drain(..gone) {
                if let EventBody::Turn(turn) = event.body {
                    self.turn_ids.remove(&turn.body.turn_id);
                    pruned.turns += 1;
                }
            }
            let first_turn = journal.kept.iter().find(|event| matches!(event.body, EventBody::Turn(_)));
            let first_turn = first_turn.map_or(floor + 1, |event| event.seq.min(floor + 1));
            if cuts.turns.is_some() {
                pruned.calls = self.forget_calls(owner, first_turn);
            }
            pruned.tasks = self.forget_tasks(owner, floor, cuts.tasks, most);
        }
        pruned.audit = self.forget_audit(owner, cuts.audit, most);
        pruned.step_values = self.forget_step_values(owner, cuts, most);
        pruned
    }

    /// The number of the oldest call that has no reply or a running task.
    fn first_needed(&self, owner: &Owner) -> u64 {
        let open = self.open_calls.values();
        let at_work =
            self.open_rows_of(owner).filter(|row| row.record.task.state.is_held()).map(|row| &row.record.task.call_id);
        let calls = open.chain(at_work).filter_map(|call_id| self.calls.get(call_id));
        calls.filter(|call| call.owner == *owner).map(|call| call.seq).min().unwrap_or(u64::MAX)
    }

    /// Removes calls whose turn is gone, and results of tasks whose outcome turn is gone.
    fn forget_calls(&mut self, owner: &Owner, first_turn: u64) -> u64 {
        for task_id in self.tasks_of.get(owner).into_iter().flatten() {
            if let Some(row) = self.tasks.get_mut(task_id)
                && row.outcome_seq.is_some_and(|seq| seq < first_turn)
            {
                row.record.task.result = None;
            }
        }
        let before = self.calls.len();
        self.calls.retain(|_, call| call.owner != *owner || call.seq >= first_turn);
        (before - self.calls.len()) as u64
    }

    fn forget_tasks(&mut self, owner: &Owner, floor: u64, cut: Option<i64>, most: usize) -> u64 {
        let (Some(cut), Some(ids)) = (cut, self.tasks_of.get_mut(owner)) else { return 0 };
        let mut gone = Vec::new();
        for task_id in ids.iter() {
            let Some(row) = self.tasks.get(task_id) else { continue };
            let task = &row.record.task;
            if task.created_at.as_microsecond() >= cut || gone.len() >= most {
                break;
            }
            let ended = task.finished_at.is_some_and(|at| at.as_microsecond() < cut);
            if ended && !task.state.is_open() && row.outcome_seq.is_some_and(|seq| seq <= floor) {
                gone.push(*task_id);
            }
        }
        ids.retain(|task_id| !gone.contains(task_id));
        for task_id in &gone {
            if let Some(durable) = self.tasks.remove(task_id).and_then(|row| row.durable) {
                for question in &durable.questions {
                    self.questions.remove(&question.question_id);
                }
            }
        }
        gone.len() as u64
    }

    fn forget_step_values(&mut self, owner: &Owner, cuts: &Cutoffs, most: usize) -> u64 {
        let mut removed = 0;
        for task_id in self.tasks_of.get(owner).into_iter().flatten() {
            let Some(TaskRow { record, durable: Some(durable), .. }) = self.tasks.get_mut(task_id) else { continue };
            let until = record.task.finished_at.map(|at| Cutoffs::step_values_until(at, record.task.state));
            if until.is_some_and(|until| until.as_microsecond() <= cuts.now) {
                removed += durable.forget_values(most - removed);
            }
        }
        removed as u64
    }

    fn forget_audit(&mut self, owner: &Owner, cut: Option<i64>, most: usize) -> u64 {
        let (Some(cut), Some(ends)) = (cut, self.chain_ends.get_mut(owner)) else { return 0 };
        let of_owner = self
            .audit
            .iter()
            .filter(|row| *owner.tenant_id == *row.body.tenant_id && *owner.user_id == *row.body.user_id);
        let gone: Vec<_> = of_owner.take_while(|row| row.at.as_microsecond() < cut).take(most).collect();
        let Some(last) = gone.last() else { return 0 };
        *ends = ChainEnds::new(Some(last.hash), ends.pruned + gone.len() as u64, ends.end);
        let ids: Vec<u64> = gone.iter().map(|row| row.audit_id).collect();
        self.audit.retain(|row| ids.binary_search(&row.audit_id).is_err());
        ids.len() as u64
    }
}
