//! Drafts: texts of running work, written piece by piece.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attempt, Work};
use crate::ids::{CallId, DraftId, TaskId};

/// A piece of a draft: the text of a running call or task, in the making.
///
/// Offsets count bytes of UTF-8 from the beginning of the draft, so applying a piece twice is harmless: the bytes before
/// the end of what is known are known already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct DraftPiece {
    /// The draft.
    pub draft_id: DraftId,
    /// The call whose handler writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    /// The task that writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The attempt of the task; 0 in a call. A draft of a later attempt replaces those of earlier ones.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempt: u32,
    /// Where the piece begins.
    pub offset: u64,
    /// The text from there on.
    pub text: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl DraftPiece {
    /// A piece of a draft of this work.
    pub fn new(draft_id: DraftId, work: Work, offset: u64, text: impl Into<String>) -> Self {
        let (call_id, task_id, attempt) = match work {
            Work::Call(call_id) => (Some(call_id), None, 0),
            Work::Task(Attempt { task_id, number }) => (None, Some(task_id), number),
        };
        Self { draft_id, call_id, task_id, attempt, offset, text: text.into() }
    }

    /// The work that writes it; `None` if it names none.
    pub fn work(&self) -> Option<Work> {
        match (self.call_id, self.task_id) {
            (Some(call_id), _) => Some(Work::Call(call_id)),
            (None, Some(task_id)) => Some(Work::Task(Attempt { task_id, number: self.attempt })),
            (None, None) => None,
        }
    }

    /// Where the piece ends.
    pub fn end(&self) -> u64 {
        self.offset + self.text.len() as u64
    }

    /// The piece from this offset on, or from the beginning of the character there. `None` if nothing is left.
    pub fn from(mut self, offset: u64) -> Option<Self> {
        let skipped = usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        if skipped >= self.text.len() {
            return None;
        }
        let skipped = self.text.floor_char_boundary(skipped);
        self.text.drain(..skipped);
        self.offset += skipped as u64;
        Some(self)
    }

    /// Adds stored pieces in their order, as far as each begins where the one before ends.
    #[cfg(feature = "platform")]
    pub(crate) fn joined(mut self, pieces: impl IntoIterator<Item = (u64, String)>) -> Self {
        let mut is_first = true;
        for (offset, text) in pieces {
            if is_first {
                self.offset = offset;
            } else if offset != self.end() {
                break;
            }
            is_first = false;
            self.text.push_str(&text);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piece_from_an_offset_never_cuts_a_character() {
        let piece = DraftPiece::new(DraftId::generate(), Work::Call(CallId::generate()), 10, "a😀b");
        let from = |offset| piece.clone().from(offset).map(|piece| (piece.offset, piece.text));
        assert_eq!(from(3), Some((10, "a😀b".to_owned())));
        assert_eq!(from(11), Some((11, "😀b".to_owned())));
        assert_eq!(from(13), Some((11, "😀b".to_owned())));
        assert_eq!(from(15), Some((15, "b".to_owned())));
        assert_eq!((from(16), from(u64::MAX)), (None, None));
    }
}
