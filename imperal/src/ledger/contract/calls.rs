//! Calls and their replies.

use std::future::Future;

use super::LedgerResult;
use crate::ids::CallId;
use crate::ledger::{
    Attempt, CallCancel, CallRecord, Incarnation, NewAudit, NewCall, NewTask, Owner, Task, TaskEnd, Turn, TurnBody,
};

/// Calls: accepted once, replied to once. Used by dispatch.
///
/// A request key gives a call its id. The ledger accepts one of several requests with one
/// key, on one node or several; the others get `IdExists` and read the reply with [`Calls::find_call`].
pub trait Calls: Send + Sync {
    /// Writes the call and its user turn with its event. The incarnation holds the call from then on.
    ///
    /// # Errors
    /// `Fenced`; `IdExists` for the call's or the turn's id; `QuotaExceeded`; `TooDeep`.
    fn accept_call(&self, incarnation: &Incarnation, call: NewCall) -> impl Future<Output = LedgerResult<Turn>> + Send;

    /// Writes a call that has its answer already: the call, its user turn and its reply turn with their events, in one
    /// transaction. The call starts no task and writes nothing else. The numbers of both turns follow one another.
    ///
    /// # Errors
    /// Those of `accept_call`, where the reply's turn id counts too. Nothing is written then.
    fn answer_call(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        reply: TurnBody,
    ) -> impl Future<Output = LedgerResult<[Turn; 2]>> + Send;

    /// Accepts a call and starts a task of it, in one transaction: as `accept_call` and then `start_task`, whose parent
    /// is the call. The number of the task's event follows that of the call's turn.
    ///
    /// # Errors
    /// Those of both; an id of the call that exists is refused first. Nothing is written then.
    fn accept_and_start(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        task: NewTask,
    ) -> impl Future<Output = LedgerResult<(Turn, Task)>> + Send;

    /// Accepts a call, starts a task of it and replies, in one transaction: as `accept_and_start` and then `reply`. The
    /// number of the reply follows that of the task's event.
    ///
    /// # Errors
    /// Those of both, where the reply's turn id counts too. Nothing is written then.
    fn start_and_answer(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        task: NewTask,
        reply: TurnBody,
    ) -> impl Future<Output = LedgerResult<(Turn, Task, Turn)>> + Send;

    /// Writes the reply turn of an open call with its event, and closes the call. If its user has tasks that no process
    /// holds, the nodes' feeds hear that a task is ready: a claim takes a call's tasks only after the reply.
    ///
    /// # Errors
    /// `Fenced`; `NotFound`; `NotHolder`; `AlreadyReplied`; `IdExists`; `TooDeep`.
    fn reply(
        &self,
        incarnation: &Incarnation,
        call_id: CallId,
        turn: TurnBody,
    ) -> impl Future<Output = LedgerResult<Turn>> + Send;

    /// Writes the reply turn of an open call, and ends a task of its user, in one transaction: as `reply` and then
    /// `finish_task`.
    ///
    /// # Errors
    /// Those of both. Nothing is written then.
    fn reply_and_finish(
        &self,
        incarnation: &Incarnation,
        call_id: CallId,
        turn: TurnBody,
        attempt: Attempt,
        end: TaskEnd,
    ) -> impl Future<Output = LedgerResult<[Turn; 2]>> + Send;

    /// Stores that one of the owner's calls is to be stopped, and writes the audit row. It makes no event: the
    /// reply is one. For a second request or a call that has its reply it writes the audit row only. The holder of
    /// the call learns of the request at its next renewal, and again until it has replied.
    ///
    /// # Errors
    /// `NotFound`, also for another owner's call; then there is no audit row either.
    fn request_call_cancel(
        &self,
        owner: &Owner,
        call_id: CallId,
        audit: NewAudit,
    ) -> impl Future<Output = LedgerResult<CallCancel>> + Send;

    /// The owner's call with this id, as long as its turn is kept; `None` for another owner's. Every
    /// node sees the call once it is accepted, and its reply once it is written.
    fn find_call(
        &self,
        owner: &Owner,
        call_id: CallId,
    ) -> impl Future<Output = LedgerResult<Option<CallRecord>>> + Send;
}
