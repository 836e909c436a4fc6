//! How a turn is shown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::named;

/// How a delivered turn is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MsgType {
    /// A bot turn.
    #[default]
    Response,
    /// A notice.
    System,
    /// In the style of a tool's result.
    ToolResult,
}

named!(MsgType, "message type", { Response = "response", System = "system", ToolResult = "tool_result" });
