//! Turns of a chat, and the call that begins with one.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Owner;
use crate::context::MsgType;
use crate::ids::{CallId, TaskId, TurnId};
use crate::result::WireResult;

/// Who speaks in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The user: a call they made.
    User,
    /// The platform or an extension.
    Bot,
}

/// What a turn says. The ledger adds number and time, see [`Turn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TurnBody {
    /// Its id.
    pub turn_id: TurnId,
    /// Who speaks.
    pub role: Role,
    /// How it is shown.
    #[serde(rename = "type")]
    pub msg_type: MsgType,
    /// The text.
    pub text: String,
    /// The extension.
    pub app_id: String,
    /// The function of a call, its reply or its outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The parameters of a user's call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Value>,
    /// The call it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    /// The task it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The answer it renders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<WireResult>,
    /// Panels to refresh: absent means all, empty means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_panels: Option<Vec<String>>,
    /// Whether the text was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// One message in a user's chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// Its number among the user's events; grows without gaps over turns and tasks together.
    pub seq: u64,
    /// When it was added.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub body: TurnBody,
}

/// A call to be accepted.
#[derive(Debug, Clone)]
pub struct NewCall {
    /// Its id.
    pub call_id: CallId,
    /// Who calls.
    pub owner: Owner,
    /// The user's turn; carries app, function and parameters.
    pub turn: TurnBody,
    /// Refuse when the owner's turns of today would have more bytes than this.
    pub max_stored: Option<u64>,
}

/// A call that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// The user's turn.
    pub asked: Turn,
    /// The reply, once there is one.
    pub reply: Option<Turn>,
}
