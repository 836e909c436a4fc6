//! The ledger for operators: open tasks of all owners, and durable tasks that are paused.

use std::future::Future;

use super::LedgerResult;
use crate::ids::TaskId;
use crate::ledger::{DurableName, NewAudit, OpenTask, PausedTask, TaskPlace, TaskRecord};

/// Reads and writes of operators. The caller checks that they may.
///
/// **Paused.** While a durable task is paused, no claim takes up a task of its name, in no version of the program, and
/// a new one starts `Queued`. Tasks that run go on. Reads and events of queued tasks of the name say that they wait for
/// [`Paused`](crate::ledger::WaitsFor::Paused); what they waited for before holds again when it is resumed. Pausing
/// writes no events, because there may be very many such tasks.
pub trait Operators: Send + Sync {
    /// Open tasks of all owners after a place, by owner and then oldest first. The order is that of the backend's own
    /// numbers of owners.
    fn open_work(&self, after: TaskPlace, limit: u32) -> impl Future<Output = LedgerResult<Vec<OpenTask>>> + Send;

    /// Lets a durable task that is stuck, or waits because its processes crashed, be claimed at once, by any version
    /// of the program: it is `Queued`, ready now, and no crash or refusal counts any longer. With its event and the
    /// audit row. Any other task stays as it is, without an audit row.
    ///
    /// # Errors
    /// `NotFound`.
    fn retry_task(&self, task_id: TaskId, audit: NewAudit) -> impl Future<Output = LedgerResult<TaskRecord>> + Send;

    /// Pauses a durable task, or resumes it and tells the nodes' feeds that a task is ready. With the audit row, whose
    /// actor is who paused it. Returns whether that changed anything; if not, there is no audit row.
    fn set_paused(
        &self,
        name: DurableName,
        paused: bool,
        audit: NewAudit,
    ) -> impl Future<Output = LedgerResult<bool>> + Send;

    /// The durable tasks that are paused, by extension and name.
    fn paused_tasks(&self) -> impl Future<Output = LedgerResult<Vec<PausedTask>>> + Send;
}
