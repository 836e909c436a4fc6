//! Reads of the user's drafts.

use super::Access;
use crate::ids::DraftId;
use crate::ledger::DraftPiece;
use crate::result::Result;

impl Access {
    /// The drafts of the user's running work, oldest first: of each an empty piece at its end. A draft ends with the turn
    /// that takes its place.
    ///
    /// # Errors
    /// `UNAVAILABLE`.
    pub async fn drafts(&self) -> Result<Vec<DraftPiece>> {
        self.read(self.ledger().drafts(&self.owner)).await
    }

    /// The text of one of the user's drafts from an offset on, in bytes of UTF-8, or from the beginning of the character
    /// there. It is empty if there is no more yet, and `None` once a turn has taken the draft's place, and for another
    /// user's.
    ///
    /// # Errors
    /// `UNAVAILABLE`.
    pub async fn draft_text(&self, draft_id: DraftId, from: u64) -> Result<Option<DraftPiece>> {
        self.read(self.ledger().draft_text(&self.owner, draft_id, from)).await
    }
}
