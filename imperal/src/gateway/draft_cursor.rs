//! The drafts of one live stream: the end of each at its client, and the part that is still to be read.
//!
//! Pieces come as signals, which a slow client loses. Whatever does not follow on what the client knows is read from the
//! ledger, from the client's own offset on.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

use crate::ids::DraftId;
use crate::ledger::DraftPiece;
use crate::platform::Access;
use crate::result::Result;

/// Ended drafts whose late pieces are ignored.
const REMEMBERED: usize = 64;

#[derive(Debug)]
pub(super) struct DraftCursor {
    /// The end of the text that the client has.
    known: HashMap<DraftId, u64>,
    /// Drafts whose turn has come.
    ended: VecDeque<DraftId>,
    /// Drafts to read.
    to_read: VecDeque<DraftId>,
    /// The user's drafts are to be listed.
    looks: bool,
}

impl DraftCursor {
    pub(super) fn new() -> Self {
        Self { known: HashMap::new(), ended: VecDeque::new(), to_read: VecDeque::new(), looks: true }
    }

    /// Whether there may be something to read.
    pub(super) fn is_behind(&self) -> bool {
        self.looks || !self.to_read.is_empty()
    }

    /// Signals were lost.
    pub(super) fn look_again(&mut self) {
        self.looks = true;
    }

    /// A turn has taken the place of these drafts.
    pub(super) fn end(&mut self, drafts: &[DraftId]) {
        for draft_id in drafts {
            self.known.remove(draft_id);
            self.ended.push_back(*draft_id);
        }
        let over = self.ended.len().saturating_sub(REMEMBERED);
        self.ended.drain(..over);
    }

    /// What is new to the client in a piece. If bytes before it are missing, the draft will be read.
    pub(super) fn follow<'p>(&mut self, piece: &'p DraftPiece) -> Option<Cow<'p, DraftPiece>> {
        if self.ended.contains(&piece.draft_id) {
            return None;
        }
        let known = self.known.get(&piece.draft_id).copied().unwrap_or_default();
        if piece.offset > known {
            if !self.to_read.contains(&piece.draft_id) {
                self.to_read.push_back(piece.draft_id);
            }
            return None;
        }
        let news = if piece.offset == known { Cow::Borrowed(piece) } else { Cow::Owned(piece.clone().from(known)?) };
        self.known.insert(piece.draft_id, news.end());
        Some(news)
    }

    /// Reads the next of the drafts that the client does not know to their end.
    pub(super) async fn catch_up(&mut self, access: &Access) -> Result<Option<DraftPiece>> {
        if self.looks {
            self.looks = false;
            let ends = access.drafts().await?;
            let open: HashSet<DraftId> = ends.iter().map(|end| end.draft_id).collect();
            self.known.retain(|draft_id, _| open.contains(draft_id));
            let known = |end: &DraftPiece| self.known.get(&end.draft_id).copied().unwrap_or_default();
            self.to_read = ends.iter().filter(|end| end.offset > known(end)).map(|end| end.draft_id).collect();
        }
        let Some(draft_id) = self.to_read.pop_front() else { return Ok(None) };
        let known = self.known.get(&draft_id).copied().unwrap_or_default();
        let Some(piece) = access.draft_text(draft_id, known).await? else { return Ok(None) };
        Ok(self.follow(&piece).map(Cow::into_owned).filter(|piece| !piece.text.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CallId;
    use crate::ledger::Work;

    #[test]
    fn client_gets_each_byte_once_and_a_gap_is_read() {
        let (work, id) = (Work::Call(CallId::generate()), DraftId::generate());
        let mut cursor = DraftCursor::new();
        cursor.looks = false;
        let said = |cursor: &mut DraftCursor, offset, text: &str| {
            let piece = DraftPiece::new(id, work, offset, text);
            cursor.follow(&piece).map(|piece| (piece.offset, piece.text.clone()))
        };
        assert_eq!(said(&mut cursor, 0, "ab"), Some((0, "ab".to_owned())));
        assert_eq!(said(&mut cursor, 0, "ab"), None, "a repeated piece");
        assert_eq!(said(&mut cursor, 1, "bcd"), Some((2, "cd".to_owned())), "a piece that overlaps");
        assert!(!cursor.is_behind());
        assert_eq!(said(&mut cursor, 9, "x"), None, "a gap");
        assert_eq!(cursor.to_read, [id]);
        cursor.to_read.clear();
        cursor.end(&[id]);
        assert_eq!(said(&mut cursor, 0, "ab"), None, "the turn has come");
        assert!(!cursor.is_behind());
    }
}
