//! Drafts: one text each, until their work ends.

use std::collections::HashSet;

use super::State;
use crate::ids::{CallId, DraftId, TaskId};
use crate::ledger::{Attempt, DraftPiece, Incarnation, LedgerError, Owner, Work};

#[derive(Debug)]
pub(super) struct DraftRow {
    owner: Owner,
    work: Work,
    text: String,
}

impl State {
    /// The pieces that watchers hear of.
    pub(in crate::ledger::memory) fn write_drafts(
        &mut self,
        incarnation: &Incarnation,
        pieces: Vec<DraftPiece>,
    ) -> Result<Vec<(Owner, DraftPiece)>, LedgerError> {
        self.fence(incarnation)?;
        let mut kept = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let Some(work) = piece.work() else { continue };
            let Some(owner) = self.draft_owner(incarnation, work) else { continue };
            if !self.drafts.contains_key(&piece.draft_id) {
                if piece.offset > 0 {
                    continue;
                }
                if let Work::Task(Attempt { task_id, number }) = work {
                    self.remove_drafts(
                        |row| matches!(row.work, Work::Task(of) if of.task_id == task_id && of.number < number),
                    );
                }
                let row = DraftRow { owner: owner.clone(), work, text: String::new() };
                self.drafts.insert(piece.draft_id, row);
            }
            let Some(row) = self.drafts.get_mut(&piece.draft_id).filter(|row| row.work == work) else { continue };
            let end = row.text.len() as u64;
            if piece.offset > end {
                continue;
            }
            if piece.offset == end {
                row.text.push_str(&piece.text);
            }
            kept.push((owner, piece));
        }
        Ok(kept)
    }

    /// The owner of work for which the incarnation may write drafts.
    fn draft_owner(&self, incarnation: &Incarnation, work: Work) -> Option<Owner> {
        match work {
            Work::Call(call_id) => {
                let row = self.calls.get(&call_id)?;
                self.call_facts(row).check_reply(incarnation).ok()?;
                Some(row.owner.clone())
            }
            Work::Task(attempt) => {
                self.check_attempt(incarnation, attempt).ok()?;
                Some(self.tasks.get(&attempt.task_id)?.record.owner.clone())
            }
        }
    }

    pub(super) fn remove_drafts_of_call(&mut self, call_id: CallId) {
        self.remove_drafts(|row| row.work == Work::Call(call_id));
    }

    pub(super) fn remove_drafts_of_task(&mut self, task_id: TaskId) {
        self.remove_drafts(|row| matches!(row.work, Work::Task(of) if of.task_id == task_id));
    }

    fn remove_drafts(&mut self, is_gone: impl Fn(&DraftRow) -> bool) {
        self.drafts.retain(|_, row| !is_gone(row));
    }

    pub(in crate::ledger::memory) fn drafts(&self, owner: &Owner) -> Vec<DraftPiece> {
        let of_owner = self.drafts.iter().filter(|(_, row)| row.owner == *owner);
        of_owner.map(|(id, row)| DraftPiece::new(*id, row.work, row.text.len() as u64, "")).collect()
    }

    pub(in crate::ledger::memory) fn draft_text(
        &self,
        owner: &Owner,
        draft_id: DraftId,
        from: u64,
    ) -> Option<DraftPiece> {
        let row = self.drafts.get(&draft_id).filter(|row| row.owner == *owner)?;
        let rest = DraftPiece::new(draft_id, row.work, 0, row.text.clone()).from(from);
        Some(rest.unwrap_or_else(|| DraftPiece::new(draft_id, row.work, row.text.len() as u64, "")))
    }

    pub(in crate::ledger::memory) fn drafts_of_work(&self, works: &[Work]) -> Vec<DraftPiece> {
        let works: HashSet<Work> = works.iter().map(|work| work.of_any_attempt()).collect();
        let of_work = self.drafts.iter().filter(|(_, row)| works.contains(&row.work.of_any_attempt()));
        of_work.map(|(id, row)| DraftPiece::new(*id, row.work, 0, row.text.clone())).collect()
    }
}
