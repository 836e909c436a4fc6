//! Drafts of running work.

use super::MemoryLedger;
use crate::ids::DraftId;
use crate::ledger::contract::{Drafts, LedgerResult};
use crate::ledger::{DraftPiece, Incarnation, Owner, Work};

impl Drafts for MemoryLedger {
    async fn write_drafts(&self, incarnation: &Incarnation, pieces: Vec<DraftPiece>) -> LedgerResult<()> {
        for (owner, piece) in self.with(|state, _| state.write_drafts(incarnation, pieces))? {
            self.feed.publish_draft(&owner, piece);
        }
        Ok(())
    }

    async fn drafts(&self, owner: &Owner) -> LedgerResult<Vec<DraftPiece>> {
        Ok(self.read(|state| state.drafts(owner)))
    }

    async fn draft_text(&self, owner: &Owner, draft_id: DraftId, from: u64) -> LedgerResult<Option<DraftPiece>> {
        Ok(self.read(|state| state.draft_text(owner, draft_id, from)))
    }

    async fn drafts_of_work(&self, works: &[Work]) -> LedgerResult<Vec<DraftPiece>> {
        Ok(self.read(|state| state.drafts_of_work(works)))
    }
}
