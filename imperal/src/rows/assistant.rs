//! The calls that the assistant makes for its user.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::TaskId;

/// Says that the assistant made a call, and whether its user approved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AssistantMark {
    /// The task that answers the user's message.
    pub task_id: TaskId,
    /// Whether the user approved exactly this call, or this function in the conversation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approved: bool,
}

impl AssistantMark {
    /// From its parts.
    pub fn new(task_id: TaskId, approved: bool) -> Self {
        Self { task_id, approved }
    }
}
