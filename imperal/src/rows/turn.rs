//! Turns of a chat, and the call that begins with one.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::names::named;
use super::{AssistantMark, MsgType, Owner, ScheduleMark};
use crate::ids::{CallId, DraftId, TaskId, TurnId};
use crate::json;
use crate::result::WireResult;

/// The speaker of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// The user, by a call.
    User,
    /// The platform or an extension.
    Bot,
}

named!(Role, "role", { User = "user", Bot = "bot" });

/// The content of a turn. The ledger adds number and time, see [`Turn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TurnBody {
    /// Its id.
    pub turn_id: TurnId,
    /// The speaker.
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
    /// The ended task that a user's call goes on from, or runs again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<TaskId>,
    /// The schedule that made a call, or that a message is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Box<ScheduleMark>>,
    /// The MCP client that made a call, by the name that it gives itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The assistant's task that made a call for its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assistant: Option<Box<AssistantMark>>,
    /// The result that it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<WireResult>,
    /// Panels to refresh. Absent means all, empty means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_panels: Option<Vec<String>>,
    /// The drafts that the turn takes the place of. What still comes of them is to be ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drafts: Vec<DraftId>,
    /// The text of these drafts, if the work that wrote it ended without a success: cancelled, failed, interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
    /// Whether the text was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A part of a turn is nested too deep to be read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooDeep {
    /// The part: `params`, or a field of the result.
    pub part: &'static str,
}

impl fmt::Display for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is nested more than {} levels deep: flatten it", self.part, json::DATA_DEPTH)
    }
}

impl std::error::Error for TooDeep {}

/// The text of a turn whose row cannot be read.
const UNREADABLE: &str = "This entry cannot be read. What it said is lost, or kept where the operator can look.";

impl TurnBody {
    /// A response under a new id, with nothing but its text.
    pub fn new(role: Role, text: impl Into<String>, app_id: impl Into<String>) -> Self {
        Self {
            turn_id: TurnId::generate(),
            role,
            msg_type: MsgType::Response,
            text: text.into(),
            app_id: app_id.into(),
            function: None,
            params: None,
            call_id: None,
            task_id: None,
            follows: None,
            schedule: None,
            client: None,
            assistant: None,
            result: None,
            refresh_panels: None,
            drafts: Vec::new(),
            partial: None,
            truncated: false,
        }
    }

    /// Sets the function.
    #[must_use]
    pub fn function(self, function: impl Into<String>) -> Self {
        Self { function: Some(function.into()), ..self }
    }

    /// Sets the parameters of a call.
    #[must_use]
    pub fn params(self, params: Value) -> Self {
        Self { params: Some(params), ..self }
    }

    /// Sets the call that it belongs to.
    #[must_use]
    pub fn call_id(self, call_id: CallId) -> Self {
        Self { call_id: Some(call_id), ..self }
    }

    /// Sets the task that it belongs to.
    #[must_use]
    pub fn task_id(self, task_id: TaskId) -> Self {
        Self { task_id: Some(task_id), ..self }
    }

    /// Sets the result that it shows.
    #[must_use]
    pub fn result(self, result: WireResult) -> Self {
        Self { result: Some(result), ..self }
    }

    /// A stand-in for a stored turn that cannot be read; for backends.
    pub fn unreadable(turn_id: TurnId) -> Self {
        Self {
            turn_id,
            msg_type: MsgType::System,
            refresh_panels: Some(Vec::new()),
            ..Self::new(Role::Bot, UNREADABLE, "")
        }
    }

    /// Refuses a turn that could not be read back; for backends, before they write.
    ///
    /// # Errors
    /// [`TooDeep`] names the part that is nested too deep.
    pub fn check_depth(&self) -> Result<(), TooDeep> {
        let result = self.result.as_ref();
        let parts = [
            ("params", self.params.as_ref()),
            ("data", result.map(|result| &result.data)),
            ("ui", result.and_then(|result| result.ui.as_ref())),
            ("undo", result.and_then(|result| result.undo.as_ref())),
            ("diff", result.and_then(|result| result.diff.as_ref())),
            ("action_receipt", result.and_then(|result| result.action_receipt.as_ref())),
        ];
        let deep = |value: Option<&Value>| value.is_some_and(|value| json::depth(value) > json::DATA_DEPTH);
        match parts.into_iter().find(|(_, value)| deep(*value)) {
            None => Ok(()),
            Some((part, _)) => Err(TooDeep { part }),
        }
    }
}

/// One message in a user's chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Turn {
    /// The number among the owner's events; turns and tasks share the numbers, without gaps.
    pub seq: u64,
    /// When it was added.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The content.
    #[serde(flatten)]
    pub body: TurnBody,
}

impl Turn {
    /// A turn from its parts, for backends.
    pub fn new(seq: u64, at: Timestamp, body: TurnBody) -> Self {
        Self { seq, at, body }
    }
}

/// A call to accept.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewCall {
    /// Its id.
    pub call_id: CallId,
    /// The caller.
    pub owner: Owner,
    /// The user's turn, with app, function and parameters.
    pub turn: TurnBody,
    /// Refuse if the bytes of the owner's turns of today would exceed this.
    pub max_stored: Option<u64>,
}

impl NewCall {
    /// A call without a limit on stored bytes.
    pub fn new(call_id: CallId, owner: Owner, turn: TurnBody) -> Self {
        Self { call_id, owner, turn, max_stored: None }
    }

    /// Sets the limit on the bytes of the owner's turns of today.
    #[must_use]
    pub fn max_stored(self, max_stored: u64) -> Self {
        Self { max_stored: Some(max_stored), ..self }
    }
}

/// An accepted call.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CallRecord {
    /// The user's turn.
    pub asked: Turn,
    /// The reply, if it is written.
    pub reply: Option<Turn>,
}

impl CallRecord {
    /// A record from its parts, for backends.
    pub fn new(asked: Turn, reply: Option<Turn>) -> Self {
        Self { asked, reply }
    }
}
