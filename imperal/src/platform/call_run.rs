//! Runs a call and writes its reply.
//!
//! Owns the order of a call's writes: accepted before its handler runs, replied before its caller hears of it. Deferred calls
//! are the exception: [`super::acceptance`]. A caller that hangs up changes nothing of that.

use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::acceptance::{Acceptance, StartWith, WantedStart};
use super::active::{ActiveWork, Lease};
use super::drafts::end_drafts;
use super::durable_write::WRITE_DEADLINE;
use super::first_tasks::{OfferedEnd, Taken};
use super::idempotency::{Answered, Claim};
use super::ledger_errors::{file_error, reply_unconfirmed, unavailable};
use super::messages::{self, WorkRef};
use super::meters::CallOutcome;
use super::{CallPermit, CallReply, Node};
use crate::context::{Context, Origin, StopReason};
use crate::error::Error;
use crate::failpoint;
use crate::function::BoundHandler;
use crate::ids::{CallId, FileId};
use crate::ledger::{Incarnation, LedgerError, LedgerResult, NewCall, Turn, TurnBody};
use crate::panic_text::{log_excerpt, panic_text};
use crate::result::{Result, WireResult};
use crate::task::{Ending, Label, Returned, supervise};
use crate::trace;

/// A request that begins a call.
pub(super) struct Request {
    pub(super) call: NewCall,
    pub(super) files: Vec<FileId>,
    /// It may be written together with its reply.
    pub(super) is_deferred: bool,
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

/// Runs a call. A panic in the platform's own code still ends the call with a reply.
pub(super) async fn guarded_call(
    node: Arc<Node>,
    ctx: Context,
    handler: BoundHandler,
    request: Request,
    permit: CallPermit,
    caller: Caller,
) {
    let lease = node.lease();
    let running = pin!(run_call(&node, lease.clone(), ctx.clone(), handler, request, permit, caller));
    guarded(&node, &lease, &ctx, running).await;
}

/// Runs a call that is written already, as [`guarded_call`] does.
pub(super) async fn guarded_run(
    node: &Node,
    lease: Lease,
    ctx: Context,
    handler: BoundHandler,
    permit: CallPermit,
    answer: oneshot::Sender<Result<Dispatched>>,
) {
    let running = pin!(run_accepted(node, lease.clone(), ctx.clone(), handler, permit, answer));
    guarded(node, &lease, &ctx, running).await;
}

async fn guarded(node: &Node, lease: &Lease, ctx: &Context, running: impl Future<Output = ()>) {
    let Err(payload) = AssertUnwindSafe(running).catch_unwind().await else { return };
    tracing::error!(panic = log_excerpt(&panic_text(payload)), "the platform panicked while it ran a call");
    let origin = ctx.origin();
    ctx.signal().close(StopReason::Interrupted);
    let replied = node.active.find(origin).map(|work| work.replied);
    write_interrupted_reply(node, &lease.incarnation, origin).await;
    // Tasks of the call wait for its reply.
    if let Some(replied) = replied {
        replied.cancel();
    }
    node.active.remove(origin);
}

async fn write_interrupted_reply(node: &Node, incarnation: &Incarnation, origin: &Origin) {
    let mut turn = messages::answer_turn(WorkRef::from(origin), messages::interrupted(origin.function));
    end_drafts(&mut turn, node.progress.drafts.close(origin.work()));
    node.retry_until_durable("reply", || node.ledger.reply(incarnation, origin.call_id, turn.clone())).await;
}

async fn run_call(
    node: &Node,
    lease: Lease,
    ctx: Context,
    handler: BoundHandler,
    request: Request,
    permit: CallPermit,
    caller: Caller,
) {
    failpoint::hit("before-accept");
    if request.is_deferred {
        return run_deferred(node, lease, ctx, handler, request, permit, caller).await;
    }
    let accepted = accept(node, &lease.incarnation, &ctx, &request, None, permit, caller).await;
    let Accepted::Ours(permit, answer) = accepted else { return };
    run_accepted(node, lease, ctx, handler, permit, answer).await;
}

/// How a call was written.
enum Accepted {
    /// It runs.
    Ours(CallPermit, oneshot::Sender<Result<Dispatched>>),
    /// It is stored and has its reply: the ledger answered after the caller was told that it did not.
    Late,
    /// It is not stored.
    No,
}

/// Writes the call, and the start of its first task with it. If it does not run, its caller has the reason.
async fn accept(
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
    let (task, starter) = start.map(|start| (start.task, start.answer)).unzip();
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
            if let (Some(starter), StartWith::Stored(written)) = (starter, told) {
                let _ = starter.send(StartWith::TooLate(written));
            }
            return Accepted::Late;
        }
    };
    if let Some(starter) = starter {
        let _ = starter.send(told);
    }
    let _ = accepted.send(());
    Accepted::Ours(permit, answer)
}

fn answer_duplicate(ctx: &Context, call: &NewCall, permit: CallPermit, answer: oneshot::Sender<Result<Dispatched>>) {
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

/// A call that begins.
fn work_of(lease: Lease, ctx: Context, acceptance: Option<Arc<Acceptance>>) -> ActiveWork {
    ActiveWork { lease, ctx, replied: CancellationToken::new(), acceptance, tasks: Arc::default() }
}

/// Runs a call that is in the ledger, and writes its reply.
async fn run_accepted(
    node: &Node,
    lease: Lease,
    ctx: Context,
    handler: BoundHandler,
    permit: CallPermit,
    answer: oneshot::Sender<Result<Dispatched>>,
) {
    failpoint::hit("after-accept");
    let begun = Instant::now();
    let work = work_of(lease, ctx, None);
    node.active.insert(work.clone());
    node.progress.drafts.open(work.ctx.origin().work(), work.lease.incarnation.clone(), true);
    let supervised = pin!(run_handler(node, &work.ctx, handler));
    finish(node, &work, supervised, begun, permit, answer).await;
}

/// Runs a deferred call: see [`super::acceptance`].
async fn run_deferred(
    node: &Node,
    lease: Lease,
    ctx: Context,
    handler: BoundHandler,
    request: Request,
    permit: CallPermit,
    caller: Caller,
) {
    let begun = Instant::now();
    let acceptance = Arc::new(Acceptance::default());
    let work = work_of(lease, ctx, Some(acceptance.clone()));
    let (ctx, lost) = (&work.ctx, &work.lease.lost);
    while !node.active.insert(work.clone()) {
        // Another request under the same key runs here.
        if node.active.is_accepted(ctx.origin()).await {
            return answer_duplicate(ctx, &request.call, permit, caller.answer);
        }
        // Its entry may be removed a moment after its end.
        tokio::task::yield_now().await;
    }
    let _over = acceptance.over();
    let drafts = &node.progress.drafts;
    drafts.open(ctx.origin().work(), work.lease.incarnation.clone(), false);
    let mut supervised = pin!(run_handler(node, ctx, handler));
    let ending = tokio::select! {
        biased;
        ending = supervised.as_mut() => Some(ending),
        () = lost.cancelled() => {
            trace::ended(ctx.span(), "lost", true);
            drafts.close(ctx.origin().work());
            return node.active.remove_deferred(&work);
        }
        () = acceptance.due() => None,
    };
    if let Some(ending) = ending {
        let reply = reply_of(node, ctx, ending, begun);
        failpoint::hit("before-reply");
        write_answered(node, &work, &request.call, reply, permit, caller).await;
        // A start that the handler did not wait for may find the call in the ledger.
        work.replied.cancel();
        return node.active.remove_deferred(&work);
    }
    let start = acceptance.take_start();
    let accepted = accept(node, &work.lease.incarnation, ctx, &request, start, permit, caller).await;
    if !matches!(accepted, Accepted::No) {
        acceptance.note_accepted();
    }
    let Accepted::Ours(permit, answer) = accepted else {
        // A task that was written with the call ends behind its reply.
        work.replied.cancel();
        // The handler goes with its supervision.
        ctx.signal().close(StopReason::Interrupted);
        drafts.close(ctx.origin().work());
        return node.active.remove_deferred(&work);
    };
    failpoint::hit("after-accept");
    node.progress.accept_drafts(ctx.origin().work());
    finish(node, &work, supervised, begun, permit, answer).await;
}

fn run_handler<'a>(node: &'a Node, ctx: &'a Context, handler: BoundHandler) -> impl Future<Output = Ending> + 'a {
    let origin = ctx.origin();
    let handler = {
        let ctx = ctx.clone();
        async move { Returned::Answer(handler(ctx).await.map(Box::new)) }
    };
    let handler = node.watchdog.watch(Label::Call(origin.call_id, origin.function), handler);
    supervise(ctx, handler, node.call_limits(), &node.killing)
}

/// The answer of a handler that has ended.
struct Reply {
    outcome: CallOutcome,
    turn: TurnBody,
    result: WireResult,
}

fn reply_of(node: &Node, ctx: &Context, ending: Ending, begun: Instant) -> Reply {
    let origin = ctx.origin();
    let outcome = CallOutcome::from(&ending);
    node.meters.call(origin.app_id, origin.function, outcome, begun.elapsed());
    let of = WorkRef::from(origin);
    let result = messages::call_answer(of, ending, &node.call_limits());
    let mut turn = messages::answer_turn(of, result.clone());
    end_drafts(&mut turn, node.progress.drafts.close(origin.work()));
    Reply { outcome, turn, result }
}

fn trace_outcome(ctx: &Context, outcome: CallOutcome) {
    let failed = !matches!(outcome, CallOutcome::Success | CallOutcome::Cancelled);
    trace::ended(ctx.span(), outcome.as_str(), failed);
}

/// Waits for the handler of a call that is in the ledger, and writes its reply.
async fn finish(
    node: &Node,
    work: &ActiveWork,
    supervised: Pin<&mut impl Future<Output = Ending>>,
    begun: Instant,
    permit: CallPermit,
    answer: oneshot::Sender<Result<Dispatched>>,
) {
    let ActiveWork { lease, ctx, replied, .. } = work;
    let origin = ctx.origin();
    let Some(ending) = lease.lost.run_until_cancelled(supervised).await else {
        trace::ended(ctx.span(), "lost", true);
        node.progress.drafts.close(origin.work());
        return node.active.remove(origin);
    };
    let Reply { outcome, turn, result } = reply_of(node, ctx, ending, begun);
    failpoint::hit("before-reply");
    if write_reply(node, work, turn, result, (permit, answer)).await {
        trace_outcome(ctx, outcome);
    } else {
        trace::ended(ctx.span(), "lost", true);
    }
    failpoint::hit("after-ack");
    replied.cancel();
    node.active.remove(origin);
}

/// Writes a call together with its reply, and answers the caller.
async fn write_answered(
    node: &Node,
    work: &ActiveWork,
    call: &NewCall,
    reply: Reply,
    permit: CallPermit,
    Caller { accepted, answer }: Caller,
) {
    let ActiveWork { lease, ctx, acceptance, .. } = work;
    let Reply { outcome, turn, result } = reply;
    let mut claiming = pin!(node.claim_answered(&lease.incarnation, call, &turn));
    match tokio::time::timeout(WRITE_DEADLINE, &mut claiming).await {
        Ok(Ok(Answered::Ours(turn))) => {
            failpoint::hit("after-reply");
            if let Some(acceptance) = acceptance {
                acceptance.note_accepted();
            }
            drop(permit);
            let _ = accepted.send(());
            let may_have_tasks = work.tasks.are_started();
            let reply = CallReply { call_id: call.call_id, turn: *turn, result, repeated: false, may_have_tasks };
            let _ = answer.send(Ok(Dispatched::Replied(Box::new(reply))));
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

/// Writes the reply and answers the caller after the first attempt. Returns whether the reply is stored.
async fn write_reply(
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
