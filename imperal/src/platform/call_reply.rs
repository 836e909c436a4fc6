//! The platform's answer to a call.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::CallId;
use crate::ledger::Turn;
use crate::result::WireResult;

/// The response to a call whose reply is in the ledger.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CallReply {
    /// The call.
    pub call_id: CallId,
    /// Its reply turn.
    pub turn: Turn,
    /// The answer, the same as the turn's.
    pub result: WireResult,
    /// Whether this is the reply to an earlier request under the same key.
    #[serde(skip)]
    pub repeated: bool,
    /// Whether the ledger may have tasks of the call.
    #[serde(skip)]
    #[cfg_attr(not(feature = "mcp"), expect(dead_code, reason = "only MCP clients get a call's tasks with its reply"))]
    pub(crate) may_have_tasks: bool,
}
