//! Stops one of the user's calls.
//!
//! A call that runs on this node learns of it at once. For a call on another node the ledger stores the request, and that
//! node's renewal brings it there. The call's supervisor ends it by the cancel ladder, with one reply turn.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Access;
use crate::codes;
use crate::error::Error;
use crate::ids::CallId;
use crate::ledger::{AuditOutcome, CallCancel, LedgerError, Owner};
use crate::platform::ledger_errors::unavailable;
use crate::result::Result;

/// A call after a request to stop it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct StoppedCall {
    /// The call.
    pub call_id: CallId,
    /// Whether it is stopping or had its reply before.
    pub state: CallState,
}

/// The result of a request to stop a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CallState {
    /// The call was asked to stop. Its reply turn follows.
    Stopping,
    /// The call has its reply turn.
    Replied,
}

impl Access {
    /// Asks one of the user's calls to stop, on whichever node it runs. A second request, or one after the reply, is no
    /// error. Tasks that the call has started go on.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, for another user's call that runs here; `NOT_FOUND` for an unknown one and for any
    /// other call of another user.
    pub async fn cancel_call(&self, call_id: CallId) -> Result<StoppedCall> {
        let audit = self.audit_row("call.cancel", call_id.to_string(), AuditOutcome::Done);
        if let Some(work) = self.platform.node.active.find_call(call_id) {
            if Owner::from(&work.ctx.origin().user) != self.owner {
                return Err(self
                    .refuse("call.cancel", &call_id.to_string(), "This call belongs to another user.")
                    .await);
            }
            self.ledger().write_audit(audit).await.map_err(|error| unavailable(&error))?;
            // Looked up again: its handler may run again by now.
            let stops = self.platform.node.active.cancel_call(call_id);
            let state = if stops { CallState::Stopping } else { CallState::Replied };
            return Ok(StoppedCall { call_id, state });
        }
        let state = match self.ledger().request_call_cancel(&self.owner, call_id, audit).await {
            Ok(CallCancel::Requested) => {
                // It may have begun here meanwhile.
                self.platform.node.active.cancel_call(call_id);
                CallState::Stopping
            }
            Ok(CallCancel::Replied) => CallState::Replied,
            Err(LedgerError::NotFound) => {
                return Err(Error::user(codes::NOT_FOUND, format!("There is no call {call_id}.")));
            }
            Err(error) => return Err(unavailable(&error)),
        };
        Ok(StoppedCall { call_id, state })
    }
}
