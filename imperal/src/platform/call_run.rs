//! Runs a call and writes its reply.
//!
//! Owns the order of a call's writes: accepted before its handler runs, replied before its caller hears of it. Deferred calls
//! are the exception: [`super::acceptance`]. A caller that hangs up changes nothing of that.

use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::oneshot;

use super::acceptance::Acceptance;
use super::active::{ActiveWork, Lease};
use super::call_writes::{
    Accepted, Answer, Caller, Dispatched, Reply, Request, accept, answer_duplicate, reply_of, trace_outcome,
    write_answered, write_interrupted_reply, write_reply, write_started,
};
use super::{CallPermit, Node};
use crate::context::{Context, Origin, StopReason, WorkSpan};
use crate::failpoint;
use crate::function::BoundHandler;
use crate::panic_text::{log_excerpt, panic_text};
use crate::result::Result;
use crate::task::{Ending, Label, Returned, SpawnedWork, supervise};
use crate::trace;

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
    // The handler may have run again, with a context of its own.
    let work = node.active.find_call(origin.call_id);
    if let Some(work) = &work {
        work.ctx.signal().close(StopReason::Interrupted);
    }
    write_interrupted_reply(node, &lease.incarnation, origin).await;
    // Tasks of the call wait for its reply.
    if let Some(work) = work {
        work.tasks.note_reply();
    }
    node.active.remove(origin);
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
    let Accepted::Ours((permit, answer)) = accepted else { return };
    run_accepted(node, lease, ctx, handler, permit, answer).await;
}

/// A call that begins.
fn work_of(lease: Lease, ctx: Context, acceptance: Option<Arc<Acceptance>>) -> ActiveWork {
    ActiveWork { lease, ctx, acceptance, tasks: Arc::default() }
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
    let supervised = pin!(run_handler(node, &work, handler));
    finish(node, &work, supervised, begun, permit, answer).await;
}

/// Runs a deferred call: see [`super::acceptance`].
async fn run_deferred(
    node: &Node,
    lease: Lease,
    ctx: Context,
    handler: BoundHandler,
    mut request: Request,
    permit: CallPermit,
    caller: Caller,
) {
    let acceptance = Arc::new(Acceptance::new(request.again.is_some()));
    let work = work_of(lease, ctx, Some(acceptance));
    let open = run_before_write(node, &work, handler, &request, permit, caller).await;
    if let (Some(open), Some(params)) = (open, request.again.take()) {
        // Seldom needed, so it has a box of its own.
        Box::pin(run_again(node, &work, params, open)).await;
    }
}

/// Runs the handler of an open call once more, because the ledger refused a task of which the first run had heard. The first
/// run can write nothing more.
async fn run_again(node: &Node, first: &ActiveWork, params: Value, (permit, answer): Answer) {
    let origin = first.ctx.origin();
    let span = WorkSpan::of(first.ctx.span().span());
    let origin = Origin { attempt: 1, ..origin.clone() };
    let handler = node.bind_again(&origin, &params);
    let ctx = Context::new(origin, first.ctx.services().clone(), span);
    if first.acceptance.as_ref().is_some_and(|acceptance| acceptance.is_stopped()) {
        ctx.signal().cancel();
    }
    let handler: BoundHandler = match handler {
        Ok(handler) => handler,
        Err(error) => Box::new(|_| Box::pin(async { Err(error) })),
    };
    // The new run takes the place of the first.
    run_accepted(node, first.lease.clone(), ctx, handler, permit, answer).await;
}

/// Runs the handler of a deferred call and writes the call. Returns what is left to do if the call is open and its handler
/// has to run again.
async fn run_before_write(
    node: &Node,
    work: &ActiveWork,
    handler: BoundHandler,
    request: &Request,
    permit: CallPermit,
    caller: Caller,
) -> Option<Answer> {
    let begun = Instant::now();
    let acceptance = work.acceptance.as_deref()?;
    let (ctx, lost) = (&work.ctx, &work.lease.lost);
    while !node.active.insert(work.clone()) {
        // Another request under the same key runs here.
        if node.active.is_accepted(ctx.origin()).await {
            answer_duplicate(ctx, &request.call, permit, caller.answer);
            return None;
        }
        // Its entry may be removed a moment after its end.
        tokio::task::yield_now().await;
    }
    let _over = acceptance.over();
    let drafts = &node.progress.drafts;
    drafts.open(ctx.origin().work(), work.lease.incarnation.clone(), false);
    let mut supervised = pin!(run_handler(node, work, handler));
    let ending = tokio::select! {
        biased;
        ending = supervised.as_mut() => Some(ending),
        () = lost.cancelled() => Some(None),
        () = acceptance.due() => None,
    };
    if let Some(ending) = ending {
        let Some(ending) = ending else {
            trace::ended(ctx.span(), "lost", true);
            drafts.close(ctx.origin().work());
            node.active.remove_deferred(work);
            return None;
        };
        let reply = reply_of(node, ctx, ending, begun);
        failpoint::hit("before-reply");
        let start = if acceptance.tells_early() { acceptance.take_start() } else { None };
        match start {
            Some(start) => {
                let left = write_started(node, work, &request.call, *start, reply, permit, caller).await;
                if left.is_some() {
                    return left;
                }
            }
            None => write_answered(node, work, &request.call, reply, permit, caller).await,
        }
        // A start that the handler did not wait for may find the call in the ledger.
        work.tasks.note_reply();
        node.active.remove_deferred(work);
        return None;
    }
    let start = acceptance.take_start();
    match accept(node, &work.lease.incarnation, ctx, request, start, permit, caller).await {
        Accepted::Ours((permit, answer)) => {
            acceptance.note_accepted();
            failpoint::hit("after-accept");
            node.progress.accept_drafts(ctx.origin().work());
            finish(node, work, supervised, begun, permit, answer).await;
            return None;
        }
        Accepted::CallAlone(answer) => {
            if !ctx.signal().is_live() {
                acceptance.note_stop();
            }
            // The handler goes with its supervision.
            ctx.signal().close(StopReason::Interrupted);
            drafts.close(ctx.origin().work());
            return Some(answer);
        }
        Accepted::Late => acceptance.note_accepted(),
        Accepted::No => {}
    }
    // A task that was written with the call ends behind its reply.
    work.tasks.note_reply();
    ctx.signal().close(StopReason::Interrupted);
    drafts.close(ctx.origin().work());
    node.active.remove_deferred(work);
    None
}

fn run_handler<'a>(
    node: &'a Node,
    work: &'a ActiveWork,
    handler: BoundHandler,
) -> impl Future<Output = Option<Ending>> + 'a {
    let (ctx, lost) = (&work.ctx, &work.lease.lost);
    let origin = ctx.origin();
    let handler = {
        let ctx = ctx.clone();
        Box::pin(async move { Returned::Answer(handler(ctx).await.map(Box::new)) })
    };
    let handler = node.watchdog.watch(Label::Call(origin.call_id, origin.function), handler);
    async move {
        let (handler, limits) = (SpawnedWork::start(ctx, handler), node.call_limits());
        supervise(ctx, handler, limits.cap, &limits, &node.killing, lost).await
    }
}

/// Waits for the handler of a call that is in the ledger, and writes its reply.
async fn finish(
    node: &Node,
    work: &ActiveWork,
    supervised: Pin<&mut impl Future<Output = Option<Ending>>>,
    begun: Instant,
    permit: CallPermit,
    answer: oneshot::Sender<Result<Dispatched>>,
) {
    let ActiveWork { lease, ctx, tasks, .. } = work;
    let origin = ctx.origin();
    let Some(ending) = lease.lost.run_until_cancelled(supervised).await.flatten() else {
        trace::ended(ctx.span(), "lost", true);
        node.progress.drafts.close(origin.work());
        return node.active.remove(origin);
    };
    let reply = reply_of(node, ctx, ending, begun);
    // Before the write: a reader that sees the reply finds it counted.
    reply.count(node, origin);
    let Reply { outcome, turn, result, .. } = reply;
    failpoint::hit("before-reply");
    if write_reply(node, work, turn, result, (permit, answer)).await {
        trace_outcome(ctx, outcome);
    } else {
        trace::ended(ctx.span(), "lost", true);
    }
    failpoint::hit("after-ack");
    tasks.note_reply();
    node.active.remove(origin);
}
