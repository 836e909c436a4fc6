//! Coalesces drafts on their way to the ledger. Work never waits for them.
//!
//! The text of each draft is held here until its work ends, and new text is written in one
//! write for the whole node. A write whose outcome is unknown is repeated as it was: the ledger knows a piece by where
//! it begins. There is no other way to the watchers, so a node that lost its lease shows no more text.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use crate::ids::DraftId;
use crate::ledger::{DraftPiece, Incarnation, Ledger, LedgerError, LedgerResult, TurnBody, Work};
use crate::sync::{Mutex, MutexGuard};

/// The drafts of this node's running work.
#[derive(Debug, Default)]
pub(super) struct DraftHub {
    entries: Mutex<HashMap<Work, Entry>>,
}

#[derive(Debug)]
struct Entry {
    incarnation: Arc<Incarnation>,
    /// Whether the work is in the ledger, which skips drafts of other work.
    is_accepted: bool,
    #[expect(clippy::box_collection, reason = "most work has none, and all work has an entry")]
    drafts: Option<Box<BTreeMap<DraftId, HeldDraft>>>,
}

#[derive(Debug, Default)]
struct HeldDraft {
    text: String,
    /// The bytes that the ledger has.
    written: usize,
    /// The end of a piece that is on its way, or whose outcome is unknown.
    sent: Option<usize>,
}

/// Drafts that have ended with their work, with their whole text.
pub(super) type EndedDrafts = Vec<(DraftId, String)>;

impl DraftHub {
    fn entries(&self) -> MutexGuard<'_, HashMap<Work, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts drafts of this work from now on. They are written once the work is in the ledger.
    pub(super) fn open(&self, work: Work, incarnation: Arc<Incarnation>, is_accepted: bool) {
        self.entries().insert(work, Entry { incarnation, is_accepted, drafts: None });
    }

    /// The work is in the ledger now.
    pub(super) fn accept(&self, work: Work) {
        if let Some(entry) = self.entries().get_mut(&work) {
            entry.is_accepted = true;
        }
    }

    /// Ends the drafts of this work.
    pub(super) fn close(&self, work: Work) -> EndedDrafts {
        let drafts = self.entries().remove(&work).and_then(|entry| entry.drafts);
        drafts.map_or_else(Vec::new, |drafts| drafts.into_iter().map(|(id, text)| (id, text.text)).collect())
    }

    /// Takes a piece without waiting. Returns whether there is something to write: pieces of work that is over, and
    /// pieces out of their place, are dropped.
    pub(super) fn append(&self, piece: &DraftPiece) -> bool {
        let mut entries = self.entries();
        let Some(entry) = piece.work().and_then(|work| entries.get_mut(&work)) else { return false };
        let draft = entry.drafts.get_or_insert_default().entry(piece.draft_id).or_default();
        let is_next = draft.text.len() as u64 == piece.offset;
        if is_next {
            draft.text.push_str(&piece.text);
        }
        is_next
    }

    /// Writes what the ledger does not have yet. Returns whether some of it has to be written again.
    pub(super) async fn write(&self, ledger: &dyn Ledger) -> bool {
        let mut again = false;
        for (incarnation, pieces) in self.take_unsent() {
            let keys: Vec<_> = pieces.iter().map(|piece| (piece.work(), piece.draft_id)).collect();
            let written = ledger.write_drafts(&incarnation, pieces).await;
            if let Err(error) = &written {
                tracing::debug!(%error, "drafts were not stored");
            }
            // After the end of the incarnation nothing of it is stored any more.
            let is_final = matches!(written, Ok(()) | Err(LedgerError::Fenced));
            again |= !is_final;
            if is_final {
                self.note_written(&keys);
            }
        }
        again
    }

    fn take_unsent(&self) -> HashMap<Arc<Incarnation>, Vec<DraftPiece>> {
        let mut by_incarnation: HashMap<Arc<Incarnation>, Vec<DraftPiece>> = HashMap::new();
        for (work, entry) in self.entries().iter_mut().filter(|(_, entry)| entry.is_accepted) {
            for (draft_id, draft) in entry.drafts.iter_mut().flat_map(|drafts| drafts.iter_mut()) {
                if draft.written == draft.text.len() {
                    continue;
                }
                let end = *draft.sent.get_or_insert(draft.text.len());
                let text = draft.text.get(draft.written..end).unwrap_or_default();
                let piece = DraftPiece::new(*draft_id, *work, draft.written as u64, text);
                by_incarnation.entry(entry.incarnation.clone()).or_default().push(piece);
            }
        }
        by_incarnation
    }

    fn note_written(&self, keys: &[(Option<Work>, DraftId)]) {
        let mut entries = self.entries();
        for (work, draft_id) in keys {
            let entry = work.and_then(|work| entries.get_mut(&work));
            if let Some(draft) = entry.and_then(|entry| entry.drafts.as_mut()?.get_mut(draft_id))
                && let Some(end) = draft.sent.take()
            {
                draft.written = end;
            }
        }
    }
}

/// Names the drafts that a turn takes the place of. If it is no success, it keeps their text.
pub(super) fn end_drafts(turn: &mut TurnBody, drafts: EndedDrafts) {
    let is_success = turn.result.as_ref().is_some_and(crate::result::WireResult::is_success);
    let (ids, texts): (Vec<_>, Vec<_>) = drafts.into_iter().filter(|(_, text)| !text.is_empty()).unzip();
    turn.drafts = ids;
    if !is_success && !texts.is_empty() {
        turn.partial = Some(crate::context::cut_text(texts.join("\n\n")).0);
    }
}

/// The drafts of work whose process is gone.
#[derive(Debug)]
pub(super) struct LeftDrafts(HashMap<Work, EndedDrafts>);

impl LeftDrafts {
    /// Reads them. Nothing writes drafts of such work, so nothing comes between this and the write of its end.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) async fn read(ledger: &dyn Ledger, works: &[Work]) -> LedgerResult<Self> {
        let mut left: HashMap<Work, EndedDrafts> = HashMap::new();
        for piece in ledger.drafts_of_work(works).await? {
            if let Some(work) = piece.work() {
                left.entry(work.of_any_attempt()).or_default().push((piece.draft_id, piece.text));
            }
        }
        Ok(Self(left))
    }

    /// Moves the drafts of this work into the turn that takes their place.
    pub(super) fn end(&mut self, work: Work, turn: &mut TurnBody) {
        end_drafts(turn, self.0.remove(&work.of_any_attempt()).unwrap_or_default());
    }
}
