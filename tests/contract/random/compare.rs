//! Compares both ledgers with the model and with each other.

use std::collections::HashSet;

use imperal::ledger::{AuditCheck, AuditFilter, AuditScope, LedgerError, PageLimit, TaskState};

use super::World;

impl World {
    pub(super) async fn compare(&self) {
        for owner in 0..self.owners.len() {
            self.compare_owner(owner).await;
        }
        let [_, oldest_task, ..] = self.model.cuts;
        for (task, piece) in self.tasks.iter().zip(&self.model.tasks) {
            let Some(record) = both!(self, ledger => ledger.find_task(*task)).unwrap() else {
                assert!(piece.settled && oldest_task > 0, "an unsettled task is gone");
                continue;
            };
            assert_eq!(record.task.state != TaskState::Running, piece.settled);
            assert_eq!(record.task.cancel_requested_at.is_some(), piece.asked);
        }
        for ledger in &self.ledgers {
            assert_eq!(AuditCheck::run(&**ledger, None).await.unwrap().broken, None);
        }
    }

    /// Up to which number the owner's events may be gone.
    pub(super) async fn floor(&self, owner: usize) -> u64 {
        let owner = &self.owners[owner];
        match both!(self, ledger => ledger.events(owner, 0, PageLimit::rows(1000))) {
            Ok(_) => 0,
            Err(LedgerError::Pruned(floor)) => floor,
            Err(error) => panic!("{error}"),
        }
    }

    /// Rows that the model requires exist, and rows that it excludes do not.
    async fn compare_owner(&self, index: usize) {
        let (owner, model) = (&self.owners[index], &self.model);
        let [old_turns, _, old_events, old_audit] = model.cuts;
        let floor = self.floor(index).await;
        assert_eq!(floor, self.floors[index], "events went without pruning");
        let events = both!(self, ledger => ledger.events(owner, floor, PageLimit::rows(1000))).unwrap();
        let head = both!(self, ledger => ledger.head(owner)).unwrap();
        assert_eq!(head, model.counts[index].0);
        assert!(events.iter().map(|event| event.seq).eq(floor + 1..=head));
        let young = model.turns[index].iter().find(|(_, at)| *at >= old_events).map_or(head, |(seq, _)| seq - 1);
        assert!(floor <= young, "events up to {floor} are gone, those after {young} are young");
        let turns = both!(self, ledger => ledger.turns(owner, 0, PageLimit::rows(1000))).unwrap();
        let kept: HashSet<u64> = turns.iter().map(|turn| turn.seq).collect();
        for (seq, at) in &model.turns[index] {
            assert!(kept.contains(seq) || (*at < old_turns && *seq <= floor), "turn {seq} of {at} s is gone");
        }
        let filter = AuditFilter::new(AuditScope::Owner(owner.clone()), PageLimit::rows(1000));
        let audit = both!(self, ledger => ledger.audit_rows(filter.clone())).unwrap();
        let (ever, young) = (&model.audit[index], model.audit[index].iter().filter(|at| **at >= old_audit).count());
        assert!((young..=ever.len()).contains(&audit.len()), "{} of {} audit rows", audit.len(), ever.len());
        let ends = both!(self, ledger => ledger.chain_ends(Some(owner.clone()))).unwrap();
        let pruned = ends.first().map_or(0, |(_, ends)| ends.pruned);
        assert_eq!(pruned + audit.len() as u64, ever.len() as u64);
        for (call, piece) in self.calls.iter().zip(&model.calls) {
            let found = both!(self, ledger => ledger.find_call(owner, *call)).unwrap();
            let there = piece.owner == index && kept.contains(&piece.seq);
            assert_eq!(found.map(|call| call.reply.is_some()), there.then_some(piece.settled));
        }
        both!(self, ledger => ledger.open_tasks(owner)).unwrap();
        both!(self, ledger => ledger.recent_tasks(owner, 1000)).unwrap();
    }
}
