//! A call with everything that it started: how a client that has only the call's id learns of the outcome.

use super::Access;
use crate::ids::CallId;
use crate::ledger::{CallRecord, Task};
use crate::platform::ledger_errors::unreadable;
use crate::result::Result;

/// Most ended tasks of one call whose results are read.
const RESULTS: usize = 20;

/// A call and the tasks that it started, oldest first.
#[derive(Debug)]
pub(crate) struct CallWork {
    /// The request and its reply.
    pub(crate) record: CallRecord,
    /// The tasks. The first [`RESULTS`] of them have their results once the work is done.
    pub(crate) tasks: Vec<Task>,
}

impl CallWork {
    /// Whether the call has its reply and every task its outcome.
    pub(crate) fn is_done(&self) -> bool {
        self.record.reply.is_some() && self.tasks.iter().all(|task| !task.state.is_open())
    }
}

impl Access {
    /// One of the user's calls with its tasks. `None` for an unknown call and for another user's.
    pub(crate) async fn call_work(&self, call_id: CallId) -> Result<Option<CallWork>> {
        let found = {
            let _permit = self.read_permit().await;
            self.ledger().find_call(&self.owner, call_id).await.map_err(|error| unreadable(&error))?
        };
        let Some(record) = found else { return Ok(None) };
        // Read after the call: every task that was started before the reply is in it.
        let mut work = CallWork { record, tasks: self.tasks_of_call(call_id).await? };
        if work.is_done() {
            for task in work.tasks.iter_mut().take(RESULTS) {
                // Retention may remove a task at this moment. Its outcome turn is kept for itself.
                if let Ok(with_result) = self.task(task.task_id).await {
                    *task = with_result;
                }
            }
        }
        Ok(Some(work))
    }

    /// Audits that the user named a call that is not theirs or does not exist.
    pub(crate) async fn refuse_unknown_call(&self, id: &str) -> crate::Error {
        self.refuse("call.read", id, "There is no such call of yours.").await
    }
}
