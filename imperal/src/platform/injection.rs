//! Messages that services put into users' chats.
//!
//! A service may write only to the user it acts for. Under an idempotency key a message is written once,
//! whichever nodes are asked and however many requests arrive at once, and every request gets that one turn:
//! the key gives the turn its id, which the ledger accepts once.

use super::Platform;
use super::durable_write::{WRITE_DEADLINE, Written};
use super::ledger_errors::{unavailable, unreadable};
use crate::codes;
use crate::context::{CHAT_TEXT_LIMIT, MsgType, TRUNCATION_MARKER, cut_text};
use crate::error::Error;
use crate::ids::{RequestKey, TurnId};
use crate::ledger::{AuditOutcome, LedgerError, MessageSource, NewAudit, Owner, Role, Turn, TurnBody};
use crate::result::Result;

/// A chat message that a service puts into a user's chat.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Injection {
    /// The extension that the message comes from.
    pub app_id: String,
    /// The chat's owner.
    pub owner: Owner,
    /// The user that the service acts for, by its own word.
    pub acting: Option<String>,
    /// The text; cut at 64 KiB.
    pub text: String,
    /// How the turn is shown.
    pub msg_type: MsgType,
    /// Panels to refresh.
    pub refresh_panels: Option<Vec<String>>,
    /// The idempotency key: under it the message is written once.
    pub key: Option<RequestKey>,
}

impl Injection {
    /// A bot turn of an extension for a user.
    pub fn new(app_id: impl Into<String>, owner: Owner, text: impl Into<String>) -> Self {
        Self {
            app_id: app_id.into(),
            owner,
            acting: None,
            text: text.into(),
            msg_type: MsgType::Response,
            refresh_panels: None,
            key: None,
        }
    }
}

/// A message that is in the chat.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Injected {
    /// Its turn.
    pub turn: Turn,
    /// Whether an earlier request under the same key wrote it.
    pub repeated: bool,
}

/// A refused message of a service, as far as it could be read.
#[cfg(feature = "platform")]
#[derive(Debug, Clone, Default)]
pub(crate) struct RefusedMessage {
    pub(crate) tenant_id: String,
    pub(crate) user_id: String,
    pub(crate) acting: Option<String>,
    pub(crate) app_id: Option<String>,
    pub(crate) why: String,
}

/// As [`cut_text`], but a text that the client has already cut and marked stays as it is.
fn cut_once(text: String) -> (String, bool) {
    let marked = text.ends_with(TRUNCATION_MARKER) && text.len() <= CHAT_TEXT_LIMIT + TRUNCATION_MARKER.len();
    if marked && text.len() > CHAT_TEXT_LIMIT { (text, true) } else { cut_text(text) }
}

impl Platform {
    /// Audits a refused message, under the user that the service acted for, or else wrote to.
    #[cfg(feature = "platform")]
    pub(crate) async fn audit_refused_message(&self, message: RefusedMessage) -> Result<()> {
        let RefusedMessage { tenant_id, user_id, acting, app_id, why } = message;
        self.audit_refusal(NewAudit {
            tenant_id,
            target: Some(user_id.clone()).filter(|user| !user.is_empty()),
            user_id: acting.unwrap_or(user_id),
            actor: "service".to_owned(),
            app_id,
            action: "chat.inject".to_owned(),
            outcome: AuditOutcome::Refused,
            detail: Some(why),
        })
        .await
    }

    /// Puts a service's message into a user's chat, with its audit row.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, when the service acts for another user than it writes to.
    /// `UNKNOWN_TOOL` when the extension is not loaded here, `KEY_REUSED` when the key belongs to another
    /// message.
    pub async fn inject(&self, injection: Injection) -> Result<Injected> {
        let Injection { app_id, owner, acting, text, msg_type, refresh_panels, key } = injection;
        let mut audit = NewAudit {
            tenant_id: owner.tenant_id.to_string(),
            user_id: owner.user_id.to_string(),
            actor: "service".to_owned(),
            app_id: Some(app_id.clone()),
            action: "chat.inject".to_owned(),
            target: None,
            outcome: AuditOutcome::Done,
            detail: None,
        };
        if let Some(acting) = acting.filter(|acting| **acting != *owner.user_id) {
            audit.target = Some(owner.user_id.to_string());
            audit.user_id.clone_from(&acting);
            audit.outcome = AuditOutcome::Refused;
            audit.detail = Some(format!("acting for {acting}, writing to {}", owner.user_id));
            self.audit_refusal(audit).await?;
            return Err(Error::user(
                codes::PERMISSION_DENIED,
                "A message can only go into the chat of the user it acts for.",
            ));
        }
        if self.registry().extension(&app_id).is_none() {
            return Err(Error::user(codes::UNKNOWN_TOOL, format!("There is no extension `{app_id}` here.")));
        }
        let (text, truncated) = cut_once(text);
        let under_key = |key: &RequestKey| key.message(&owner.tenant_id, &owner.user_id, &app_id);
        let turn_id = key.as_ref().map_or_else(TurnId::generate, under_key);
        let turn = TurnBody { turn_id, msg_type, refresh_panels, truncated, ..TurnBody::new(Role::Bot, text, app_id) };
        audit.target = Some(turn.turn_id.to_string());
        if key.is_some()
            && let Some(found) = self.turn_of(&owner, &turn).await?
        {
            return Ok(Injected { turn: found, repeated: true });
        }
        self.write_message(owner, turn, audit).await
    }

    async fn write_message(&self, owner: Owner, turn: TurnBody, audit: NewAudit) -> Result<Injected> {
        let max_stored = self.node.max_stored();
        let write = || {
            self.node.ledger.inject(owner.clone(), turn.clone(), audit.clone(), MessageSource::Outside { max_stored })
        };
        let written = tokio::time::timeout(WRITE_DEADLINE, self.node.write_idempotent("message", write)).await;
        let lost = |why: &str| unavailable(&LedgerError::Indeterminate(why.to_owned()));
        let repeated = match written.map_err(|_| lost("no response to the message's write in time"))? {
            Ok(Written::Now(turn)) => return Ok(Injected { turn, repeated: false }),
            // This request wrote it; only the response with the turn was lost.
            Ok(Written::Earlier) => false,
            Err(LedgerError::IdExists) => true,
            Err(error) => return Err(unavailable(&error)),
        };
        let found = self.turn_of(&owner, &turn).await?;
        found.map(|turn| Injected { turn, repeated }).ok_or_else(|| lost("the message is no longer kept"))
    }

    /// The stored turn with the id of this one.
    async fn turn_of(&self, owner: &Owner, turn: &TurnBody) -> Result<Option<Turn>> {
        let found = self.node.ledger.find_turn(owner, turn.turn_id).await.map_err(|error| unreadable(&error))?;
        if found.as_ref().is_some_and(|found| found.body != *turn) {
            return Err(Error::user(
                codes::KEY_REUSED,
                "This key belongs to an earlier message with another text or form. Use a new one.",
            ));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_the_client_has_cut_is_not_cut_again() {
        let whole = "x".repeat(CHAT_TEXT_LIMIT + 1);
        let (cut, truncated) = cut_once(whole);
        assert!(truncated && cut.len() == CHAT_TEXT_LIMIT + TRUNCATION_MARKER.len());
        assert_eq!(cut_once(cut.clone()), (cut.clone(), true));
        let shorter = format!("a{}{TRUNCATION_MARKER}", "🦀".repeat(CHAT_TEXT_LIMIT / 4 - 1));
        assert_eq!(cut_once(shorter.clone()), (shorter, true));
        // One byte more than a client's own cut is none.
        let (again, _) = cut_once(format!("x{cut}"));
        assert_eq!(again.len(), cut.len());
        assert_eq!(cut_once("short...(truncated)".to_owned()), ("short...(truncated)".to_owned(), false));
    }
}
