//! Drafts: texts of running work, written piece by piece.

use std::future::Future;

use super::LedgerResult;
use crate::ids::DraftId;
use crate::ledger::{DraftPiece, Incarnation, Owner, Work};

/// Drafts of running work. Used by the loop that writes them, by streams, and by recovery.
///
/// A draft begins with its first piece, at offset 0, and belongs to the work of that piece. It is gone with its work:
/// the transaction that replies to a call, or ends a task, removes the drafts of that call or task. The first piece of a
/// task's later attempt removes the drafts of its earlier ones.
///
/// Nobody writes drafts of work whose incarnation has ended. So recovery reads them first, and the turn with their text
/// replaces them.
pub trait Drafts: Send + Sync {
    /// Appends pieces. A piece that begins where its draft ends is stored, one that begins before was stored already,
    /// and one that begins behind the end is skipped. Pieces of work that the incarnation does not hold are skipped too,
    /// and so are those of calls with a reply, of ended tasks and of earlier attempts. It makes no event, and it need
    /// not be durable when it returns. Readers and the feed have the pieces by then.
    ///
    /// # Errors
    /// `Fenced`.
    fn write_drafts(
        &self,
        incarnation: &Incarnation,
        pieces: Vec<DraftPiece>,
    ) -> impl Future<Output = LedgerResult<()>> + Send;

    /// The owner's drafts, oldest first: of each an empty piece at its end.
    fn drafts(&self, owner: &Owner) -> impl Future<Output = LedgerResult<Vec<DraftPiece>>> + Send;

    /// The text of one of the owner's drafts from this offset on, or from the beginning of the character there. It is
    /// empty if the draft has no more, and `None` if the owner has no such draft.
    fn draft_text(
        &self,
        owner: &Owner,
        draft_id: DraftId,
        from: u64,
    ) -> impl Future<Output = LedgerResult<Option<DraftPiece>>> + Send;

    /// The drafts of calls, and of tasks in whatever attempt, with their whole text. Those of one call or task are oldest
    /// first.
    fn drafts_of_work(&self, works: &[Work]) -> impl Future<Output = LedgerResult<Vec<DraftPiece>>> + Send;
}
