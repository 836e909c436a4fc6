//! How a turn is shown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a delivered turn is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MsgType {
    /// A bot turn.
    #[default]
    Response,
    /// A notice.
    System,
    /// In the style of a tool's result.
    ToolResult,
}

impl MsgType {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::System => "system",
            Self::ToolResult => "tool_result",
        }
    }
}
