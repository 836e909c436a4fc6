//! The writes of a call, and what each of them tells its caller: accepted, refused, repeated, answered.
//!
//! A caller hears of a write after the ledger has answered, or that the ledger does not answer.

use std::pin::pin;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::oneshot;

use super::acceptance::{StartWith, WantedStart};
use super::active::ActiveWork;
use super::drafts::end_drafts;
use super::durable_write::WRITE_DEADLINE;
use super::first_tasks::{OfferedEnd, Taken};
use super::idempotency::{Answered, AnsweredStart, Claim};
use super::ledger_errors::{file_error, reply_unconfirmed, unavailable};
use super::messages::{self, WorkRef};
use super::meters::CallOutcome;
use super::{CallPermit, CallReply, Node};
use crate::context::{Context, Origin};
use crate::error::Error;
use crate::failpoint;
use crate::ids::{CallId, FileId};
use crate::ledger::{Incarnation, LedgerError, LedgerResult, NewCall, Turn, TurnBody};
use crate::result::{Result, WireResult};
use crate::task::Ending;
use crate::trace;

/// A request that begins a call.
pub(super) struct Request {
    pub(super) call: NewCall,
    pub(super) files: Vec<FileId>,
    /// It may be written together with its reply.
    pub(super) is_deferred: bool,
    /// The parameters of a starter, whose handler may have to run again.
    pub(super) again: Option<Value>,
}

/// How a running call reports to the request that started it.
pub(super) struct Caller {
    pub(super) accepted: oneshot::Sender<()>,
    pub(super) answer: oneshot::Sender<Result<Dispatched>>,
}

/// The outcome of an accepted request.
pub(super) enum Dispatched {
    Replied(Box<CallReply>),
    /// An earlier request under the same key has the call. The permit keeps this request counted while it
    /// waits for the first reply.
    Duplicate(Box<NewCall>, CallPermit),
}

pub(super) async fn write_interrupted_reply(node: &Node, incarnation: &Incarnation, origin: &Origin) {
    let mut turn = messages::answer_turn(WorkRef::from(origin), messages::interrupted(origin.function));
    end_drafts(&mut turn, node.progress.drafts.close(origin.work()));
    node.retry_until_durable("reply", || node.ledger.reply(incarnation, origin.call_id, turn.clone())).await;
}

/// The permit of a call and the way to its caller, until that is answered.
pub(super) type Answer = (CallPermit, oneshot::Sender<Result<Dispatched>>);

/// How a call was written.
pub(super) enum Accepted {
    /// It runs.
    Ours(Answer),
    /// It is stored without the task of which its handler has heard: the handler has to run again.
    CallAlone(Answer),
    /// It is stored and has its reply: the ledger answered after the caller had its error.
    Late,
    /// It is not stored.
    No,
}

/// Writes the call, and the start of its first task with it. If it does not run, its caller has the reason.
pub(super) async fn accept(
    node: &Node,
    incarnation: &Incarnation,
    ctx: &Context,
    request: &Request,
    start: Option<Box<WantedStart>>,
    permit: CallPermit,
    caller: Caller,
) -> Accepted {
    let Caller { accepted, answer } = caller;
    let Request { call, files, .. } = request;
    let has_told = start.is_some() && request.again.is_some();
    let (task, starter) = start.map(|start| (start.task, (start.answer, start.begun))).unzip();
    let mut claiming = pin!(async {
        match &task {
            Some(task) => node.claim_with_start(incarnation, call, task).await,
            None => node.claim_call(incarnation, call, files).await.map(|claim| (claim, StartWith::CallAlone)),
        }
    });
    let claim = tokio::time::timeout(WRITE_DEADLINE, &mut claiming).await;
    let told = match claim {
        Ok(Ok((Claim::Ours, told))) => told,
        Ok(Ok((Claim::Duplicate, _))) => {
            answer_duplicate(ctx, call, permit, answer);
            return Accepted::No;
        }
        Ok(Err(error)) => {
            answer_refused(ctx, &error, permit, answer);
            return Accepted::No;
        }
        Err(_) => {
            drop(permit);
            let _ = answer.send(Err(no_response()));
            let Ok((Claim::Ours, told)) = claiming.await else { return Accepted::No };
            // The handler must not run on.
            write_interrupted_reply(node, incarnation, ctx.origin()).await;
            if let Some((starter, _)) = starter {
                // Also if the task is not stored: it must not be started alone now.
                let written = if let StartWith::Stored(written) = told { written } else { None };
                let _ = starter.send(StartWith::TooLate(written));
            }
            return Accepted::Late;
        }
    };
    let has_heard_wrong = has_told && matches!(told, StartWith::CallAlone);
    if let Some((starter, begun)) = starter {
        tell_starter(starter, told, begun).await;
    }
    let _ = accepted.send(());
    if has_heard_wrong { Accepted::CallAlone((permit, answer)) } else { Accepted::Ours((permit, answer)) }
}

/// Tells a start its fate. A task that was just written runs on return: its caller may cancel it at once.
async fn tell_starter(starter: oneshot::Sender<StartWith>, told: StartWith, begun: oneshot::Receiver<()>) {
    let begins = matches!(told, StartWith::Stored(Some(_)));
    if starter.send(told).is_ok() && begins {
        let _ = begun.await;
    }
}

pub(super) fn answer_duplicate(
    ctx: &Context,
    call: &NewCall,
    permit: CallPermit,
    answer: oneshot::Sender<Result<Dispatched>>,
) {
    let _ = answer.send(Ok(Dispatched::Duplicate(Box::new(call.clone()), permit)));
    trace::ended(ctx.span(), "repeated", false);
}

fn answer_refused(ctx: &Context, error: &LedgerError, permit: CallPermit, answer: oneshot::Sender<Result<Dispatched>>) {
    // Before the answer: the caller's next call finds the permit free.
    drop(permit);
    let _ = answer.send(Err(match error {
        LedgerError::FileMissing(_) => file_error(error),
        error => unavailable(error),
    }));
    trace::ended(ctx.span(), "refused", true);
}

fn no_response() -> Error {
    let why = format!("no response to the call's write within {} s", WRITE_DEADLINE.as_secs());
    unavailable(&LedgerError::Indeterminate(why))
}

/// The answer of a handler that has ended.
pub(super) struct Reply {
    pub(super) outcome: CallOutcome,
    took: Duration,
    pub(super) turn: TurnBody,
    pub(super) result: WireResult,
}

pub(super) fn reply_of(node: &Node, ctx: &Context, ending: Ending, begun: Instant) -> Reply {
    let origin = ctx.origin();
    let outcome = CallOutcome::from(&ending);
    let of = WorkRef::from(origin);
    let result = messages::call_answer(of, ending, &node.call_limits());
    let mut turn = messages::answer_turn(of, result.clone());
    end_drafts(&mut turn, node.progress.drafts.close(origin.work()));
    Reply { outcome, took: begun.elapsed(), turn, result }
}

impl Reply {
    pub(super) fn count(&self, node: &Node, origin: &Origin) {
        node.meters.call(origin.app_id, origin.function, self.outcome, self.took);
    }
}

pub(super) fn trace_outcome(ctx: &Context, outcome: CallOutcome) {
    let failed = !matches!(outcome, CallOutcome::Success | CallOutcome::Cancelled);
    trace::ended(ctx.span(), outcome.as_str(), failed);
}

/// Writes a call together with its reply, and answers the caller.
pub(super) async fn write_answered(
    node: &Node,
    work: &ActiveWork,
    call: &NewCall,
    reply: Reply,
    permit: CallPermit,
    Caller { accepted, answer }: Caller,
) {
    let ActiveWork { lease, ctx, .. } = work;
    // Before the write: a reader that sees the reply finds it counted.
    reply.count(node, ctx.origin());
    let Reply { outcome, turn, result, .. } = reply;
    let mut claiming = pin!(node.claim_answered(&lease.incarnation, call, &turn));
    match tokio::time::timeout(WRITE_DEADLINE, &mut claiming).await {
        Ok(Ok(Answered::Ours(turn))) => {
            failpoint::hit("after-reply");
            answer_stored(work, *turn, result, (permit, Caller { accepted, answer }));
            trace_outcome(ctx, outcome);
        }
        Ok(Ok(Answered::Duplicate)) => answer_duplicate(ctx, call, permit, answer),
        Ok(Err(error)) => answer_refused(ctx, &error, permit, answer),
        Err(_) => {
            let _ = answer.send(Err(no_response()));
            drop(permit);
            // It goes on: the chat shows the answer once it is stored.
            let stored = matches!(claiming.await, Ok(Answered::Ours(_)));
            trace::ended(ctx.span(), if stored { outcome.as_str() } else { "lost" }, !stored);
        }
    }
    failpoint::hit("after-ack");
}

/// Answers the caller of a call that was written with its reply.
fn answer_stored(work: &ActiveWork, turn: Turn, result: WireResult, (permit, caller): (CallPermit, Caller)) {
    if let Some(acceptance) = &work.acceptance {
        acceptance.note_accepted();
    }
    // Before the answer: the caller's next call finds the permit free.
    drop(permit);
    let _ = caller.accepted.send(());
    let (call_id, may_have_tasks) = (work.ctx.origin().call_id, work.tasks.are_started());
    let reply = CallReply { call_id, turn, result, repeated: false, may_have_tasks };
    let _ = caller.answer.send(Ok(Dispatched::Replied(Box::new(reply))));
}

/// Writes a call together with its first task and its reply, and answers the caller. Returns what is left to do if the ledger
/// refused the task: the call is open then, and its handler has to run again.
pub(super) async fn write_started(
    node: &Node,
    work: &ActiveWork,
    call: &NewCall,
    start: WantedStart,
    reply: Reply,
    permit: CallPermit,
    caller: Caller,
) -> Option<Answer> {
    let ActiveWork { lease, ctx, .. } = work;
    let WantedStart { task, answer: starter, begun } = start;
    let mut claiming = pin!(node.claim_with_task(&lease.incarnation, call, &task, &reply.turn));
    let (claim, caller) = if let Ok(claim) = tokio::time::timeout(WRITE_DEADLINE, &mut claiming).await {
        (claim, Some((permit, caller)))
    } else {
        let _ = caller.answer.send(Err(no_response()));
        drop(permit);
        // It goes on: the chat shows the answer once it is stored.
        (claiming.await, None)
    };
    match (claim, caller) {
        (Ok(AnsweredStart::Ours(turn, task)), caller) => {
            failpoint::hit("after-reply");
            // Only now: a handler that runs again is counted once.
            reply.count(node, ctx.origin());
            // Before the task runs: its surfaces ask.
            if let Some(acceptance) = &work.acceptance {
                acceptance.note_accepted();
            }
            tell_starter(starter, StartWith::Stored(task), begun).await;
            trace_outcome(ctx, reply.outcome);
            if let Some(caller) = caller {
                answer_stored(work, *turn, reply.result, caller);
            }
        }
        (Ok(AnsweredStart::CallAlone), Some((permit, Caller { accepted, answer }))) => {
            let _ = starter.send(StartWith::CallAlone);
            let _ = accepted.send(());
            return Some((permit, answer));
        }
        (Ok(AnsweredStart::CallAlone), None) => {
            write_interrupted_reply(node, &lease.incarnation, ctx.origin()).await;
            trace::ended(ctx.span(), "lost", true);
        }
        (Ok(AnsweredStart::Duplicate), Some((permit, caller))) => answer_duplicate(ctx, call, permit, caller.answer),
        (Err(error), Some((permit, caller))) => answer_refused(ctx, &error, permit, caller.answer),
        (Ok(AnsweredStart::Duplicate) | Err(_), None) => trace::ended(ctx.span(), "lost", true),
    }
    failpoint::hit("after-ack");
    None
}

/// Writes the reply and answers the caller after the first attempt. Returns whether the reply is stored.
pub(super) async fn write_reply(
    node: &Node,
    work: &ActiveWork,
    turn: TurnBody,
    result: WireResult,
    (permit, answer): (CallPermit, oneshot::Sender<Result<Dispatched>>),
) -> bool {
    let (incarnation, call_id) = (&work.lease.incarnation, work.ctx.origin().call_id);
    match first_reply(node, work, &turn).await {
        Ok(turn) => {
            failpoint::hit("after-reply");
            // Before the answer: the caller's next call finds the permit free.
            drop(permit);
            let may_have_tasks = work.tasks.are_started();
            let reply = CallReply { call_id, turn, result, repeated: false, may_have_tasks };
            let _ = answer.send(Ok(Dispatched::Replied(Box::new(reply))));
            true
        }
        Err(error) => {
            let _ = answer.send(Err(reply_unconfirmed(&error)));
            node.retry_until_durable("reply", || node.ledger.reply(incarnation, call_id, turn.clone())).await
        }
    }
}

/// Tries to write the reply, with the end of a task that has ended already.
async fn first_reply(node: &Node, work: &ActiveWork, turn: &TurnBody) -> LedgerResult<Turn> {
    let (incarnation, call_id) = (&work.lease.incarnation, work.ctx.origin().call_id);
    if work.tasks.are_started() {
        // A task with nothing to wait for ends in this moment.
        tokio::task::yield_now().await;
    }
    match work.tasks.take_end() {
        Some(end) => reply_with_end(node, incarnation, call_id, turn, end).await,
        None => node.ledger.reply(incarnation, call_id, turn.clone()).await,
    }
}

/// Writes the reply of a call, and the end of a task that waits for it.
///
/// # Errors
/// Those of the reply.
async fn reply_with_end(
    node: &Node,
    incarnation: &Incarnation,
    call_id: CallId,
    turn: &TurnBody,
    offered: Box<OfferedEnd>,
) -> LedgerResult<Turn> {
    let OfferedEnd { attempt, end, started_at, taken } = *offered;
    // Counted before the write: a reader that sees the outcome finds it counted.
    node.meters.task(end.state, started_at.elapsed());
    match node.ledger.reply_and_finish(incarnation, call_id, turn.clone(), attempt, end).await {
        Ok([reply, _]) => {
            let _ = taken.send(Taken::Stored);
            Ok(reply)
        }
        Err(error) => {
            let _ = taken.send(Taken::Counted);
            // Any other error may be the task's.
            if matches!(error, LedgerError::Indeterminate(_)) {
                Err(error)
            } else {
                node.ledger.reply(incarnation, call_id, turn.clone()).await
            }
        }
    }
}
