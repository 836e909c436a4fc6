//! Background tasks.

use std::future::Future;

use super::LedgerResult;
use crate::ids::{CallId, TaskId};
use crate::ledger::{
    Attempt, CancelOutcome, Incarnation, NewAudit, NewTask, Owner, Progress, Task, TaskEnd, TaskRecord, Turn,
};

/// Tasks: started within an owner's limits, ended once. Used by the supervisor of background work,
/// and by everything that shows or cancels tasks.
///
/// **Order.** A call starts its tasks between [`Calls::accept_call`](super::Calls::accept_call) and
/// its reply. A running task may start others on behalf of its call, which has its reply by then. No
/// task ends before its call has the reply. A task whose call's row is missing waits for no reply.
///
/// **Attempts.** A write of a task names its [`Attempt`]. It is refused with `NotHolder` unless the
/// incarnation holds the task in this attempt: the task is `Running`, and no later attempt has begun. A
/// background task has the attempt 1 alone.
///
/// **Keys.** An owner's open tasks of one extension have different keys, however many nodes start
/// them at once. The transaction that ends a task frees its key.
///
/// **Results.** Lists and events of tasks carry no results: these are in the outcome turns and in
/// [`Tasks::find_task`]. So a limit on rows bounds a list.
pub trait Tasks: Send + Sync {
    /// Writes a task with its event. The task's owner must own the parent, and the incarnation must hold it: a
    /// call that it accepted, which may have its reply, or a running task in the named attempt.
    ///
    /// The task is `Running` and held by the incarnation in attempt 1. A durable task of an owner with
    /// `max_running` running tasks is `Queued` instead, in attempt 0, ready now, and waits for a slot; a durable task
    /// with a queue always is, and one whose name is [paused](super::Operators). A durable task that
    /// [follows](crate::ledger::Follows) another one is `Queued` too, ready now, and waits for a process, or for a slot.
    ///
    /// **Going on.** A task that goes on from an ended one gets copies of its rows in the same transaction: those up to
    /// [`Follows::through`](crate::ledger::Follows::through), and the rows of its effects behind it. They keep their
    /// ordinals, times, logs and values, and have the attempt 0. Left out are questions without an answer, those
    /// about effects, and the messages of steps that are not among them. Open effects among them are counted. The copies do not depend on the ended task, which retention
    /// may remove. A task that runs another one again gets no rows.
    ///
    /// The audit row is written in the same transaction.
    ///
    /// # Errors
    /// `Fenced`; `NotFound`, also for another owner's call or task, and if the task to follow is not a durable task of
    /// the owner; `NotHolder`; `AlreadyEnded` for a parent task; `IdExists`; `AlreadyRunning`; `TooManyTasks`: of a
    /// background task over `max_running`, of any task over `max_open`; `CannotFollow`: the task to follow has not
    /// ended, has no row with the ordinal `through` (0 is allowed), or a value of the rows to copy is no longer kept.
    fn start_task(&self, incarnation: &Incarnation, task: NewTask) -> impl Future<Output = LedgerResult<Task>> + Send;

    /// Ends a running task: state, finish time, result, outcome turn, audit row, and two events (the
    /// task's end, then the turn).
    ///
    /// # Errors
    /// `Fenced`; `NotFound`; `NotHolder`; `AlreadyEnded`; `CallNotReplied`; `OpenEffects`; `IdExists`; `TooDeep`.
    fn finish_task(
        &self,
        incarnation: &Incarnation,
        attempt: Attempt,
        end: TaskEnd,
    ) -> impl Future<Output = LedgerResult<Turn>> + Send;

    /// Stores the latest progress of tasks that the incarnation holds in the named attempt, and skips all
    /// others. A part of a progress that is `None` stays as it is. It makes no event, and it need not be
    /// durable when it returns. Readers and the feed have it by then.
    ///
    /// # Errors
    /// `Fenced`.
    fn note_progress(
        &self,
        incarnation: &Incarnation,
        latest: Vec<(u32, Progress)>,
    ) -> impl Future<Output = LedgerResult<()>> + Send;

    /// Stores that the task is to be cancelled, with the task's event, and writes the audit row. For a
    /// second request or an ended task it writes the audit row only. The holder of the task learns of
    /// the request at its next renewal.
    ///
    /// A durable task that no process holds ends in the same transaction, with `end`, whose state is
    /// `Cancelled`: the request's audit row and everything that [`Tasks::finish_task`] writes. If its call has
    /// no reply yet, the request is stored, and the next claim returns the task.
    ///
    /// # Errors
    /// `NotFound`, `TooDeep`; `OpenEffects` and `IdExists` of the end. Then there is no audit row either.
    fn request_cancel(
        &self,
        task_id: TaskId,
        audit: NewAudit,
        end: TaskEnd,
    ) -> impl Future<Output = LedgerResult<CancelOutcome>> + Send;

    /// A task with its result, for any owner: the caller must check the owner.
    fn find_task(&self, task_id: TaskId) -> impl Future<Output = LedgerResult<Option<TaskRecord>>> + Send;

    /// The owner's open tasks, oldest first.
    fn open_tasks(&self, owner: &Owner) -> impl Future<Output = LedgerResult<Vec<Task>>> + Send;

    /// The owner's tasks in any state, newest first.
    fn recent_tasks(&self, owner: &Owner, limit: u32) -> impl Future<Output = LedgerResult<Vec<Task>>> + Send;

    /// The tasks that one call of the owner started, oldest first; none for another owner's call.
    fn tasks_of_call(&self, owner: &Owner, call_id: CallId) -> impl Future<Output = LedgerResult<Vec<Task>>> + Send;
}
