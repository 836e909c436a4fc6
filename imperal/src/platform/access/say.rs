//! Messages of the user to the assistant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Access;
use crate::assistant::{APP_ID, MESSAGE_LIMIT, MOST_WAITING, SAY, Said};
use crate::codes;
use crate::context::Origin;
use crate::error::Error;
use crate::function::BoundHandler;
use crate::ids::{CallId, RequestKey, TaskId};
use crate::ledger::{Role, Task, TaskState, Turn, TurnBody};
use crate::result::{ActionResult, Result};
use crate::secrets::SecretsInUse;

/// A message that the assistant answers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SaidMessage {
    /// The call that the message is.
    pub call_id: CallId,
    /// The task that answers it. Its outcome turn is the answer; a cancel of it stops the assistant.
    pub task_id: Option<TaskId>,
    /// The acknowledgement.
    pub turn: Turn,
    /// Whether an earlier request under the same key sent the message.
    #[serde(skip)]
    pub repeated: bool,
}

/// The acknowledgement of a message.
const ACK: &str = "Thinking…";

impl Access {
    /// Whether a model is configured, so that messages are answered.
    pub fn has_assistant(&self) -> bool {
        self.platform.node.registry.builtin().is_some()
    }

    /// The name of the assistant's model.
    pub fn assistant_model(&self) -> Option<String> {
        self.platform.node.settings.assistant.as_ref().map(|assistant| assistant.model.clone())
    }

    /// Sends a message to the assistant. Returns once the task that answers it is on disk; the answer comes into the
    /// chat. Messages of a user are answered one after the other. Under a key, a repeated request gets the first one's
    /// task.
    ///
    /// # Errors
    /// `NO_MODEL` if none is configured; `VALIDATION_MISSING_FIELD` for an empty message and `VALIDATION_TYPE_ERROR` for
    /// one over 20,000 characters; `RATE_LIMITED` if five messages wait already; else as [`Access::call`].
    pub async fn say(&self, text: &str, key: Option<&RequestKey>) -> Result<SaidMessage> {
        self.say_again(text, None, key).await
    }

    /// The same for a message that takes the place of an earlier one: its turn names that one's call.
    ///
    /// # Errors
    /// As [`Access::say`].
    pub async fn say_again(&self, text: &str, edits: Option<CallId>, key: Option<&RequestKey>) -> Result<SaidMessage> {
        if !self.has_assistant() {
            return Err(Error::user(
                codes::NO_MODEL,
                "No model is set, so the assistant cannot answer. The operator sets one with --model-url and --model, or \
                 IMPERAL_MODEL_URL and IMPERAL_MODEL. The functions work without it.",
            ));
        }
        check_text(text)?;
        let permit = self.begin_call()?;
        let call_id = match key {
            Some(key) => key.call(&self.user.tenant_id, &self.user.id, APP_ID),
            None => CallId::generate(),
        };
        let is_new = self.read(self.ledger().find_call(&self.owner, call_id)).await?.is_none();
        if is_new {
            self.check_waiting().await?;
        }
        let origin = Origin {
            app_id: APP_ID,
            function: SAY,
            user: self.user.clone(),
            call_id,
            task_id: None,
            attempt: 0,
            secrets: SecretsInUse::default(),
        };
        let params = match edits {
            Some(edits) => json!({"text": text, "edits": edits}),
            None => json!({"text": text}),
        };
        let turn = TurnBody::new(Role::User, text, APP_ID).function(SAY).params(params).call_id(call_id);
        let said = Said { text: text.to_owned() };
        let handler: BoundHandler = Box::new(move |ctx| {
            Box::pin(async move {
                said.task(&ctx).await?;
                ActionResult::done(ACK).into_wire()
            })
        });
        let reply = self.platform.run_as_call(origin, handler, turn, permit).await?;
        let task_id = self.tasks_of_call(call_id).await?.first().map(|task| task.task_id);
        Ok(SaidMessage { call_id, task_id, turn: reply.turn, repeated: reply.repeated })
    }

    /// # Errors
    /// `RATE_LIMITED`.
    async fn check_waiting(&self) -> Result<()> {
        let open = self.read(self.ledger().open_tasks(&self.owner)).await?;
        let waits = |task: &&Task| task.app_id == APP_ID && task.state == TaskState::Queued;
        if open.iter().filter(waits).count() < MOST_WAITING {
            return Ok(());
        }
        let text =
            format!("{MOST_WAITING} of your messages wait for an answer already. Wait for one, or stop the assistant.");
        Err(Error::retryable(codes::RATE_LIMITED, text))
    }
}

fn check_text(text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::user(codes::VALIDATION_MISSING_FIELD, "The message is empty.").with_field("text"));
    }
    let characters = text.chars().count();
    if characters > MESSAGE_LIMIT {
        let text = format!("The message has {characters} characters; send at most {MESSAGE_LIMIT}.");
        return Err(Error::user(codes::VALIDATION_TYPE_ERROR, text).with_field("text"));
    }
    Ok(())
}
