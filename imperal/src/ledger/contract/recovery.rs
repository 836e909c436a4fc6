//! Work of ended incarnations.

use std::future::Future;

use super::LedgerResult;
use crate::ids::{CallId, TaskId};
use crate::ledger::{Incarnation, Orphan, TaskEnd, Turn, TurnBody};

/// Work of ended incarnations. Used by the recovery loop, on every node at once: each call gets one
/// reply and each task one outcome, whichever node is first.
///
/// An open call or a running background task is *orphaned* from the end of its incarnation until a node
/// reclaims it. Durable tasks are not: another process continues them, see
/// [`DurableTasks`](super::DurableTasks).
pub trait Recovery: Send + Sync {
    /// Ends every other node's incarnation whose lease has expired. Returns how many it ended. It may
    /// leave some for the next call, for example one that another node is ending.
    ///
    /// The incarnation that asks does not end, even if its own lease has expired.
    ///
    /// A lease that ends further ahead than it is long was given before the clock was set back. It is
    /// cut to its length from now: a dead node is found within one lease, and a living one has time
    /// to renew.
    ///
    /// # Errors
    /// `Fenced`.
    fn expire_leases(&self, incarnation: &Incarnation) -> impl Future<Output = LedgerResult<u64>> + Send;

    /// Lists orphaned work, calls before tasks, oldest first. Ends no incarnation.
    fn orphans(&self, limit: u32) -> impl Future<Output = LedgerResult<Vec<Orphan>>> + Send;

    /// [`Calls::reply`](super::Calls::reply) to an orphaned call. `incarnation` is the one that asks.
    ///
    /// # Errors
    /// `Fenced`; `NotFound`; `NotOrphaned`; `AlreadyReplied`, for example if another node was faster;
    /// `IdExists`; `TooDeep`.
    fn reclaim_call(
        &self,
        incarnation: &Incarnation,
        call_id: CallId,
        turn: TurnBody,
    ) -> impl Future<Output = LedgerResult<Turn>> + Send;

    /// [`Tasks::finish_task`](super::Tasks::finish_task) of an orphaned task, or of a durable task that no
    /// process holds. `incarnation` is the one that asks.
    ///
    /// # Errors
    /// `Fenced`; `NotFound`; `NotOrphaned`; `AlreadyEnded`; `CallNotReplied`; `OpenEffects`; `IdExists`; `TooDeep`.
    fn reclaim_task(
        &self,
        incarnation: &Incarnation,
        task_id: TaskId,
        end: TaskEnd,
    ) -> impl Future<Output = LedgerResult<Turn>> + Send;

    /// [`Recovery::reclaim_call`] for many calls. The answers have the order of the replies. A call that cannot be
    /// replied to, for example because its row is damaged, has its error in its answer and does not stop the others.
    ///
    /// A backend may use one transaction for all of them, or several. Each reply is whole in either case.
    ///
    /// # Errors
    /// `Fenced`, and then some of the calls may have their replies; a failure of the whole write.
    fn reclaim_calls(
        &self,
        incarnation: &Incarnation,
        replies: Vec<(CallId, TurnBody)>,
    ) -> impl Future<Output = LedgerResult<Vec<LedgerResult<()>>>> + Send;

    /// [`Recovery::reclaim_task`] for many tasks, with the rules of [`Recovery::reclaim_calls`].
    ///
    /// # Errors
    /// `Fenced`, and then some of the tasks may have ended before; a failure of the whole write.
    fn reclaim_tasks(
        &self,
        incarnation: &Incarnation,
        ends: Vec<(TaskId, TaskEnd)>,
    ) -> impl Future<Output = LedgerResult<Vec<LedgerResult<()>>>> + Send;
}
