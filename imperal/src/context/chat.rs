//! `ctx.deliver_chat_message`: a bot turn outside a handler's own reply.
//!
//! Owns the text limit, the builder and the receipt. The platform writes turn and audit row in one transaction,
//! into the chat of the work's own user.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use serde::Serialize;
use tracing::Instrument;

use super::durable::{Say, checked_name};
use super::{Context, MessageKey};
use crate::codes;
use crate::error::Error;
use crate::ids::TurnId;
use crate::result::Result;
use crate::rows::MsgType;

/// Longest text of a chat turn, in bytes of UTF-8, before it is cut.
pub const CHAT_TEXT_LIMIT: usize = 65_536;

/// The end of a text that was cut.
pub const TRUNCATION_MARKER: &str = "...(truncated)";

/// A message whose text is within the limit.
#[derive(Debug, Clone)]
pub(crate) struct ChatDelivery {
    pub(crate) text: String,
    pub(crate) truncated: bool,
    pub(crate) msg_type: MsgType,
    pub(crate) refresh_panels: Option<Vec<String>>,
    /// In a durable task: the message's place among its steps, so that no later attempt says it again.
    pub(crate) step: Option<SaidStep>,
}

/// The place of a message among the steps of a durable task.
#[derive(Debug, Clone)]
pub(crate) struct SaidStep {
    pub(crate) key: MessageKey,
    pub(crate) ordinal: u16,
}

/// Proof of a delivery: the turn is in the user's chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The turn that was added.
    pub turn_id: TurnId,
    /// Whether the text was over 64 KiB and cut.
    pub truncated: bool,
}

impl Context {
    /// Puts a bot turn into the calling user's own chat now: a stage announcement, a notice.
    ///
    /// The text may have 65,536 bytes of UTF-8; a longer one is cut at a character and ends with
    /// [`TRUNCATION_MARKER`], the receipt and a warning in the log say so. The await returns when
    /// turn and audit row are on disk. There is no way to name another user.
    ///
    /// In a durable task a message is said once, however often its body runs again: see
    /// [`name`](Delivery::name). A delivery that has begun goes on although its await is dropped.
    ///
    /// In a background task it also waits until the call's own reply is in the chat, so that an announcement
    /// never comes before the acknowledgement. A handler must not wait for such a delivery.
    ///
    /// # Errors
    /// In a handler `UNAVAILABLE` when the ledger cannot write; a background task waits until it can,
    /// as long as its cap allows. [`Error::cancelled`](crate::Error::cancelled) when the work was
    /// cancelled or is over. `RESULT_TOO_LARGE` for panels with more than 65,536 bytes of names. Nothing
    /// was delivered then.
    ///
    /// ```
    /// # use imperal::{prelude::*, context::MsgType};
    /// # async fn work(ctx: Context) -> Result<()> {
    /// let receipt = ctx
    ///     .deliver_chat_message("The first chapter is ready.")
    ///     .msg_type(MsgType::System)
    ///     .refresh_panels(["chapters"])
    ///     .await?;
    /// assert!(!receipt.truncated);
    /// # Ok(()) }
    /// ```
    pub fn deliver_chat_message(&self, text: impl Into<String>) -> Delivery {
        Delivery { ctx: self.clone(), text: text.into(), msg_type: MsgType::Response, refresh_panels: None, name: None }
    }
}

/// A chat message to be delivered: await it. Made by [`Context::deliver_chat_message`].
#[must_use = "nothing is delivered unless this is awaited: add `.await?`"]
pub struct Delivery {
    ctx: Context,
    text: String,
    msg_type: MsgType,
    refresh_panels: Option<Vec<String>>,
    name: Option<String>,
}

impl Delivery {
    /// In a durable task: the name by which a later attempt knows that the message was said. Without one it is
    /// known by its text, or in a step by its place among the step's messages; so a message outside of steps
    /// whose text differs from attempt to attempt needs a name. It has 1 to 512 bytes; another length is
    /// `INTERNAL`, and nothing is delivered.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How the turn is shown; a bot turn when not given.
    pub fn msg_type(mut self, msg_type: MsgType) -> Self {
        self.msg_type = msg_type;
        self
    }

    /// Panels to refresh: an empty list refreshes none; not calling this refreshes all.
    pub fn refresh_panels<S: Into<String>>(mut self, panels: impl IntoIterator<Item = S>) -> Self {
        self.refresh_panels = Some(panels.into_iter().map(Into::into).collect());
        self
    }
}

impl IntoFuture for Delivery {
    type Output = Result<Receipt>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Receipt>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            self.ctx.check_active()?;
            let panels: usize = self.refresh_panels.iter().flatten().map(String::len).sum();
            if panels > CHAT_TEXT_LIMIT {
                let text =
                    format!("The panels to refresh have {panels} bytes, more than {CHAT_TEXT_LIMIT}. Name fewer.");
                return Err(Error::result(codes::RESULT_TOO_LARGE, text));
            }
            let bytes = self.text.len();
            self.ctx.origin().secrets.refuse("A message", [self.text.as_str()])?;
            let (text, truncated) = cut_text(self.text);
            if truncated {
                self.ctx.log().warn(format_args!("chat message of {bytes} bytes cut to {CHAT_TEXT_LIMIT}"));
            }
            let (msg_type, refresh_panels) = (self.msg_type, self.refresh_panels);
            let delivery = ChatDelivery { text, truncated, msg_type, refresh_panels, step: None };
            let turn_id = if self.ctx.durable_run().is_some() {
                deliver_once(&self.ctx, delivery, self.name.as_deref()).await?
            } else {
                self.ctx.services().host.deliver_message(self.ctx.origin(), delivery).await?
            };
            Ok(Receipt { turn_id, truncated })
        })
    }
}

/// In a durable task: delivers a message unless it was said. The write goes on when the caller is dropped, since
/// its answer says whether a later delivery would repeat it.
async fn deliver_once(ctx: &Context, mut delivery: ChatDelivery, name: Option<&str>) -> Result<TurnId> {
    let in_flight = ctx.in_flight();
    let Some((run, key)) = ctx.durable_run().zip(ctx.message_key(&delivery.text, name)?) else {
        return ctx.services().host.deliver_message(ctx.origin(), delivery).await;
    };
    let saying = match run.begin_message(key, &delivery.text).await? {
        Say::Before(turn_id) => return Ok(turn_id),
        Say::Now(saying) => saying,
    };
    delivery.step = Some(SaidStep { key: saying.key.clone(), ordinal: saying.ordinal });
    let (host, origin) = (ctx.services().host.clone(), ctx.origin().clone());
    let writing = async move {
        let turn_id = host.deliver_message(&origin, delivery).await?;
        saying.said(turn_id);
        drop(in_flight);
        Ok(turn_id)
    };
    match tokio::spawn(writing.in_current_span()).await {
        Ok(delivered) => delivered,
        Err(error) => Err(Error::internal(format!("a message was not delivered: {error}"))),
    }
}

impl Context {
    /// In a durable task: the key by which a message is known on every attempt.
    ///
    /// # Errors
    /// `INTERNAL` for a bad name; `STEP_IN_STEP` in a step with another context than the step's.
    fn message_key(&self, text: &str, name: Option<&str>) -> Result<Option<MessageKey>> {
        let Some(run) = self.durable_run() else { return Ok(None) };
        self.check_outside_of_steps("A message")?;
        if let Some(name) = name {
            checked_name(name.to_owned())?;
        }
        Ok(Some(match (self.step_scope(), name) {
            (Some(scope), name) => scope.message_key(name),
            (None, Some(name)) => MessageKey::named(name),
            (None, None) => MessageKey::of_text(text, run.count_said(text)),
        }))
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("bytes", &self.text.len())
            .field("msg_type", &self.msg_type)
            .finish_non_exhaustive()
    }
}

/// Cuts a text over the limit at a character and marks it.
pub(crate) fn cut_text(mut text: String) -> (String, bool) {
    if text.len() <= CHAT_TEXT_LIMIT {
        return (text, false);
    }
    text.truncate(text.floor_char_boundary(CHAT_TEXT_LIMIT));
    text.push_str(TRUNCATION_MARKER);
    (text, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_at_the_limit_is_whole_and_one_over_is_cut() {
        let (text, cut) = cut_text("a".repeat(CHAT_TEXT_LIMIT));
        assert!(!cut && text.len() == CHAT_TEXT_LIMIT);
        let (text, cut) = cut_text("a".repeat(CHAT_TEXT_LIMIT + 1));
        assert!(cut && text.len() == CHAT_TEXT_LIMIT + TRUNCATION_MARKER.len());
    }

    #[test]
    fn the_cut_never_splits_a_character() {
        for pad in 0..4 {
            let (text, cut) = cut_text(format!("{}{}", "x".repeat(pad), "🦀".repeat(20_000)));
            let body = text.strip_suffix(TRUNCATION_MARKER).unwrap();
            assert!(cut && body.len() <= CHAT_TEXT_LIMIT && body.len() > CHAT_TEXT_LIMIT - 4);
            assert!(body.trim_start_matches('x').chars().all(|c| c == '🦀'));
        }
    }
}
