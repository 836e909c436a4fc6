//! `ctx.draft`: a text that the user reads while it is written.
//!
//! Owns the limit of a draft, the number of open ones, and the place of secrets in a text that comes in pieces. The
//! platform coalesces the pieces and sends them.

use std::fmt;
use std::sync::atomic::Ordering;

use super::Context;
use super::chat::{CHAT_TEXT_LIMIT, TRUNCATION_MARKER};
use crate::codes;
use crate::error::Error;
use crate::ids::DraftId;
use crate::result::Result;
use crate::rows::DraftPiece;

/// Most drafts of one call or task that are open at a time.
const MOST_OPEN: u8 = 4;

/// A text that the user reads while it is written. Made by [`Context::draft`].
///
/// Dropping it ends it: no more text comes, and it stays visible until the call or task ends.
#[must_use = "push text into it"]
pub struct Draft {
    ctx: Context,
    id: DraftId,
    text: String,
    is_cut: bool,
    /// Where the text begins that was not handed over yet.
    handed: usize,
    /// How much text was handed over, with names in the place of secrets.
    sent: u64,
}

impl Context {
    /// A text that the user reads while it is written, such as the words of a language model: on the page, in the
    /// terminal and on the event stream.
    ///
    /// The reply of the call, or the outcome of the task, takes its place. Return the text with it, by
    /// [`Draft::text`]. If the work is cancelled, fails or is interrupted, even by `kill -9`, the turn that says so keeps
    /// the text in [`TurnBody::partial`](crate::ledger::TurnBody::partial), up to the last tenth of a second.
    ///
    /// In a durable task each attempt begins new drafts, and the first of them replaces those of the attempt before.
    ///
    /// # Errors
    /// `DRAFT_LIMIT` if four drafts of this call or task are open; `CANCELLED` once the work has to stop.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # #[derive(Serialize, Deserialize, JsonSchema)] struct Answer { text: String }
    /// # async fn work(ctx: Context) -> Result<ActionResult<Answer>> {
    /// let mut draft = ctx.draft()?;
    /// let mut events = ctx.http().get("https://api.example.com/words").events().await?;
    /// while let Some(event) = events.next_event().await? {
    ///     draft.push(&event.data).await?;
    /// }
    /// Ok(ActionResult::success(Answer { text: draft.into_text() }, "Here it is."))
    /// # }
    /// ```
    pub fn draft(&self) -> Result<Draft> {
        self.check_active()?;
        let open = self.open_drafts();
        let taken = open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |open| (open < MOST_OPEN).then(|| open + 1));
        if taken.is_err() {
            let text = format!("At most {MOST_OPEN} drafts of a call or task are open at a time: drop one before.");
            return Err(Error::platform(codes::DRAFT_LIMIT, text));
        }
        Ok(Draft { ctx: self.clone(), id: DraftId::generate(), text: String::new(), is_cut: false, handed: 0, sent: 0 })
    }
}

impl Draft {
    /// Appends text. It is shown within a tenth of a second.
    ///
    /// Cheap enough for each token: it waits for nothing and costs no fsync, and what comes faster than ten times a
    /// second is sent together. Each push is a sign of life.
    ///
    /// A draft holds 64 KiB, as a chat text does. The text beyond is dropped without an error, and the marker
    /// [`TRUNCATION_MARKER`](super::TRUNCATION_MARKER) shows that; [`is_cut`](Self::is_cut) tells.
    ///
    /// # Errors
    /// [`Error::cancelled`] once the user has cancelled: let it propagate with `?`. The text so far is kept.
    pub async fn push(&mut self, text: impl AsRef<str>) -> Result<()> {
        self.ctx.check_active()?;
        self.ctx.signal().touch();
        self.append(text.as_ref());
        self.hand_over(false);
        // A loop that only pushes still yields its thread from time to time.
        tokio::task::coop::consume_budget().await;
        Ok(())
    }

    /// The text so far, up to the limit.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Ends the draft and returns its text.
    pub fn into_text(mut self) -> String {
        self.hand_over(true);
        self.handed = 0;
        std::mem::take(&mut self.text)
    }

    /// Whether text beyond the limit was dropped.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The id under which clients see it.
    pub fn id(&self) -> DraftId {
        self.id
    }

    fn append(&mut self, text: &str) {
        if self.is_cut {
            return;
        }
        let room = CHAT_TEXT_LIMIT - self.text.len();
        if text.len() <= room {
            self.text.push_str(text);
            return;
        }
        self.text.push_str(&text[..text.floor_char_boundary(room)]);
        self.text.push_str(TRUNCATION_MARKER);
        self.is_cut = true;
    }

    /// Hands the text to the platform. A secret may come in pieces, so the end of the text waits while it may be the
    /// beginning of one.
    fn hand_over(&mut self, is_end: bool) {
        let secrets = &self.ctx.origin().secrets;
        let rest = &self.text[self.handed..];
        let held_back = if is_end || self.is_cut { 0 } else { secrets.longest_form().saturating_sub(1) };
        let ready = &rest[..rest.floor_char_boundary(rest.len().saturating_sub(held_back))];
        if ready.is_empty() {
            return;
        }
        let screened = secrets.replace(ready);
        if held_back > 0 && format!("{screened}{}", secrets.replace(&rest[ready.len()..])) != secrets.replace(rest) {
            // A secret lies across the cut: more text moves the cut behind it.
            return;
        }
        let piece = DraftPiece::new(self.id, self.ctx.origin().work(), self.sent, screened);
        self.handed += ready.len();
        self.sent = piece.end();
        self.ctx.services().host.write_draft(self.ctx.origin(), piece);
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After `into_text` there is no text left.
        if self.handed < self.text.len() {
            self.hand_over(true);
        }
        self.ctx.open_drafts().fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("id", &self.id).field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}
