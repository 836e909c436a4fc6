//! `POST /v1/chat/say`: messages of the user to the assistant.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api_error::ApiError;
use super::idempotency::{IdempotencyKey, mark_replayed};
use super::{body, json};
use crate::assistant::MESSAGE_LIMIT;
use crate::ids::CallId;
use crate::platform::Access;

/// A message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SayBody {
    /// The text: 1 to 20,000 characters.
    text: String,
    /// The call of the earlier message that this one takes the place of. Both stay in the chat.
    #[serde(default)]
    edits: Option<CallId>,
}

/// The assistant, as the page needs to know it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AssistantInfo {
    /// The model's name.
    model: String,
    /// Longest message, in characters.
    message_limit: usize,
}

impl AssistantInfo {
    /// `None` if no model is configured.
    pub(super) fn of(access: &Access) -> Option<Self> {
        Some(Self { model: access.assistant_model()?, message_limit: MESSAGE_LIMIT })
    }
}

pub(super) async fn say(
    access: Access,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Result<Response, ApiError> {
    let bytes = body::json_bytes(request).await?;
    let SayBody { text, edits } = body::parse(&bytes)?;
    let said = access.say_again(&text, edits, key.as_ref()).await?;
    Ok(mark_replayed(said.repeated, json(StatusCode::OK, &said)))
}
