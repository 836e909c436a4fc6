//! Stops one of the user's calls.
//!
//! The request reaches a call that runs on this node, and the call's supervisor ends it by the cancel ladder, with one
//! reply turn. The ledger has no place for the request, so a call on another node is refused, and the answer says so.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Access;
use crate::codes;
use crate::error::Error;
use crate::ids::CallId;
use crate::ledger::{AuditOutcome, Owner};
use crate::platform::ledger_errors::{unavailable, unreadable};
use crate::result::Result;

/// How often and at which interval a call is looked for that is accepted and does not run here: its node may be about to
/// register it or to write its reply.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

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
    /// Asks one of the user's calls to stop. A second request, or one after the reply, is no error. Tasks that the call
    /// has started go on.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, for another user's call; `RUNS_ELSEWHERE` when another node runs it; `NOT_FOUND` for
    /// an unknown one, and for another user's call that does not run here.
    pub async fn cancel_call(&self, call_id: CallId) -> Result<StoppedCall> {
        for _ in 0..TRIES {
            if let Some(work) = self.platform.node.active.find_call(call_id) {
                if Owner::from(&work.ctx.origin().user) != self.owner {
                    return Err(self
                        .refuse("call.cancel", &call_id.to_string(), "This call belongs to another user.")
                        .await);
                }
                let audit = self.audit_row("call.cancel", call_id.to_string(), AuditOutcome::Done);
                self.ledger().write_audit(audit).await.map_err(|error| unavailable(&error))?;
                let state = if work.ctx.signal().cancel() { CallState::Stopping } else { CallState::Replied };
                return Ok(StoppedCall { call_id, state });
            }
            let found = {
                let _permit = self.read_permit().await;
                self.ledger().find_call(&self.owner, call_id).await.map_err(|error| unreadable(&error))?
            };
            match found {
                None => return Err(Error::user(codes::NOT_FOUND, format!("There is no call {call_id}."))),
                Some(record) if record.reply.is_some() => {
                    return Ok(StoppedCall { call_id, state: CallState::Replied });
                }
                Some(_) => tokio::time::sleep(PAUSE).await,
            }
        }
        let why =
            "Another node runs this call, and only that one can stop it. It ends by itself within its time limit.";
        Err(Error::user(codes::RUNS_ELSEWHERE, why))
    }
}
