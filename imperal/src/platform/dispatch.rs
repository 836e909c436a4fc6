//! From a request to its reply turn.
//!
//! The order is the promise: parameters are checked and read before anything is written, the call is on
//! disk before the handler runs, the reply is on disk before anybody hears of it. From acceptance
//! on the call runs in a task of its own: a caller that hangs up changes nothing. What is taken already
//! under the caller's key is not run: [`super::idempotency`] waits for its reply.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::active::{ActiveWork, Lease};
use super::durable_write::WRITE_DEADLINE;
use super::idempotency::Claim;
use super::messages::{self, WorkRef};
use super::meters::CallOutcome;
use super::{CallPermit, Node, Platform, unavailable};
use crate::codes;
use crate::context::{Context, Origin};
use crate::error::Error;
use crate::failpoint;
use crate::function::{Accepted, Prepared};
use crate::ids::{CallId, RequestKey, TurnId};
use crate::ledger::{Incarnation, LedgerError, NewCall, Owner, Role, Turn, TurnBody};
use crate::panic_text::{log_excerpt, panic_text};
use crate::result::{Result, WireResult};
use crate::rows::MsgType;
use crate::task::{Label, supervise};
use crate::trace::{self, WorkSpan};
use crate::user::User;

/// What a call answers, once its reply is in the ledger.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CallReply {
    /// The call.
    pub call_id: CallId,
    /// Its reply turn.
    pub turn: Turn,
    /// The answer, the same as the turn's.
    pub result: WireResult,
    /// Whether this is the reply to an earlier request under the same key.
    #[serde(skip)]
    pub repeated: bool,
}

/// What becomes of a request. It comes back when another one was taken before under the same key, and is
/// counted for as long as it waits for that one's reply.
type Answer = Result<std::result::Result<CallReply, (NewCall, CallPermit)>>;

impl Platform {
    pub(super) async fn call(
        &self,
        user: &User,
        app_id: &str,
        function: &str,
        params: Value,
        key: Option<&RequestKey>,
        permit: CallPermit,
    ) -> Result<CallReply> {
        let node = &self.node;
        node.accepting()?;
        node.wait_for_lease().await?;
        let (origin, Accepted { handler, kept }) = node.admit(user, app_id, function, params, key)?;
        let call = NewCall {
            call_id: origin.call_id,
            owner: Owner::from(user),
            turn: user_turn(&origin, kept),
            max_stored: node.max_stored(),
        };
        let span = tracing::info_span!("call", app = origin.app_id, function = origin.function, call = %origin.call_id, user = %origin.user.id);
        let (answer, answered) = oneshot::channel();
        trace::named(&span, "call", origin.function);
        let ctx = Context::new(origin, self.ports.clone(), WorkSpan::of(&span));
        node.tracker.spawn(guarded_call(node.clone(), ctx, handler, call, permit, answer).instrument(span));
        let cut_off = |_| Err(Error::platform(codes::UNAVAILABLE, "The call was cut off."));
        match answered.await.unwrap_or_else(cut_off)? {
            Ok(reply) => Ok(reply),
            Err((request, _permit)) => node.first_reply(&request).await,
        }
    }

    /// What is left of a call without its bookkeeping: parameters checked and read, handler run,
    /// answer rendered. Nothing is written, nobody supervises. For benches.
    ///
    /// # Errors
    /// As [`Access::call`](super::Access::call), and the handler's own.
    #[doc(hidden)]
    pub async fn handle(&self, user: &User, app_id: &str, function: &str, params: Value) -> Result<WireResult> {
        let (origin, accepted) = self.node.admit(user, app_id, function, params, None)?;
        (accepted.handler)(Context::new(origin, self.ports.clone(), WorkSpan::none())).await
    }
}

impl Node {
    /// Finds the function, checks its parameters and reads them into its type. Nothing is written for a
    /// call that is refused.
    fn admit(
        &self,
        user: &User,
        app_id: &str,
        function: &str,
        params: Value,
        key: Option<&RequestKey>,
    ) -> Result<(Origin, Accepted)> {
        let extension = self.registry.extension(app_id).ok_or_else(|| {
            let known: Vec<_> = self.registry.extensions().map(super::super::function::Extension::app_id).collect();
            Error::user(
                codes::UNKNOWN_TOOL,
                format!("There is no extension `{app_id}` here; there is {}.", known.join(", ")),
            )
        })?;
        let function = extension.function(function).ok_or_else(|| {
            let known: Vec<_> = extension.functions().iter().map(|f| f.name).collect();
            Error::user(
                codes::UNKNOWN_SUB_FUNCTION,
                format!("`{app_id}` has no function `{function}`; it has {}.", known.join(", ")),
            )
        })?;
        let check = self.checks.get(&(extension.app_id(), function.name));
        let check = check.ok_or_else(|| Error::internal(format!("{function:?} has no compiled schema")))?;
        let accepted = check.accept(params)?;
        let origin = Origin {
            app_id: extension.app_id(),
            function: function.name,
            user: user.clone(),
            call_id: key.map_or_else(CallId::generate, |key| key.call(&user.tenant_id, &user.id, extension.app_id())),
            task_id: None,
        };
        Ok((origin, accepted))
    }
}

/// Runs a call. A panic in the platform's own code leaves no accepted call without its reply.
async fn guarded_call(
    node: Arc<Node>,
    ctx: Context,
    handler: Prepared,
    call: NewCall,
    permit: CallPermit,
    answer: oneshot::Sender<Answer>,
) {
    let lease = node.lease();
    let running = run_call(&node, lease.clone(), ctx.clone(), handler, call, permit, answer);
    let Err(payload) = AssertUnwindSafe(running).catch_unwind().await else { return };
    tracing::error!(panic = log_excerpt(&panic_text(payload)), "the platform panicked while it ran a call");
    let origin = ctx.origin();
    ctx.signal().close();
    let replied = node.active.of(origin).map(|active| active.replied);
    let turn = messages::answer_turn(WorkRef::from(origin), messages::interrupted(origin.function));
    node.retry_until_durable("reply", || node.ledger.reply(&lease.incarnation, origin.call_id, turn.clone())).await;
    // Tasks of the call wait for its reply.
    if let Some(replied) = replied {
        replied.cancel();
    }
    node.active.close(origin);
}

async fn run_call(
    node: &Node,
    current: Lease,
    ctx: Context,
    handler: Prepared,
    call: NewCall,
    permit: CallPermit,
    answer: oneshot::Sender<Answer>,
) {
    let origin = ctx.origin();
    let incarnation = &current.incarnation;
    failpoint::hit("before-accept");
    let mut claiming = pin!(node.claim_call(incarnation, &call));
    match tokio::time::timeout(WRITE_DEADLINE, &mut claiming).await {
        Ok(Ok(Claim::Ours)) => {}
        Ok(Ok(Claim::Duplicate)) => {
            let _ = answer.send(Ok(Err((call.clone(), permit))));
            return trace::ended(ctx.span(), "repeated", false);
        }
        Ok(Err(error)) => {
            drop(permit);
            let _ = answer.send(Err(unavailable(&error)));
            return trace::ended(ctx.span(), "refused", true);
        }
        Err(_) => {
            let why = format!("no word of the call within {} s", WRITE_DEADLINE.as_secs());
            let _ = answer.send(Err(unavailable(&LedgerError::Indeterminate(why))));
            if matches!(claiming.await, Ok(Claim::Ours)) {
                // Whoever asked has been sent away: it does not begin behind their back.
                let turn = messages::answer_turn(WorkRef::from(origin), messages::interrupted(origin.function));
                node.retry_until_durable("reply", || node.ledger.reply(incarnation, origin.call_id, turn.clone()))
                    .await;
            }
            return;
        }
    }
    failpoint::hit("after-accept");
    let begun = Instant::now();
    let active = ActiveWork { lease: current.clone(), ctx: ctx.clone(), replied: CancellationToken::new() };
    node.active.open(active.clone());
    let limits = node.call_limits();
    let handler = {
        let ctx = ctx.clone();
        async move { handler(ctx).await }
    };
    let handler = node.watchdog.watch(Label::Call(origin.call_id, origin.function), handler);
    let mut supervised = pin!(supervise(&ctx, handler, limits, &node.killing));
    let Some(ending) = current.lost.run_until_cancelled(supervised.as_mut()).await else {
        trace::ended(ctx.span(), "lost", true);
        return node.active.close(origin);
    };
    let outcome = CallOutcome::from(&ending);
    node.meters.call(origin.app_id, origin.function, outcome, begun.elapsed());
    let work = WorkRef::from(origin);
    let result = messages::call_answer(work, ending, &limits);
    let turn = messages::answer_turn(work, result.clone());
    failpoint::hit("before-reply");
    if reply(node, incarnation, origin, turn, result, (permit, answer)).await {
        let failed = !matches!(outcome, CallOutcome::Success | CallOutcome::Cancelled);
        trace::ended(ctx.span(), outcome.as_str(), failed);
    } else {
        trace::ended(ctx.span(), "lost", true);
    }
    failpoint::hit("after-ack");
    active.replied.cancel();
    node.active.close(origin);
}

/// Writes the reply; tells the caller as soon as it is known how that went. Whether it is there.
async fn reply(
    node: &Node,
    incarnation: &Incarnation,
    origin: &Origin,
    turn: TurnBody,
    result: WireResult,
    (permit, answer): (CallPermit, oneshot::Sender<Answer>),
) -> bool {
    let call_id = origin.call_id;
    match node.ledger.reply(incarnation, call_id, turn.clone()).await {
        Ok(turn) => {
            failpoint::hit("after-reply");
            // Before the caller hears of it: what they send next finds the place free.
            drop(permit);
            let _ = answer.send(Ok(Ok(CallReply { call_id, turn, result, repeated: false })));
            true
        }
        Err(error) => {
            let _ = answer.send(Err(unavailable(&error).reply_unconfirmed()));
            node.retry_until_durable("reply", || node.ledger.reply(incarnation, call_id, turn.clone())).await
        }
    }
}

impl Error {
    fn reply_unconfirmed(self) -> Self {
        Self::platform(
            codes::UNAVAILABLE,
            "The platform cannot write right now. The call was accepted; its reply will be in the chat.",
        )
        .with_source(self.to_string())
    }
}

fn user_turn(origin: &Origin, params: Value) -> TurnBody {
    TurnBody {
        turn_id: TurnId::generate(),
        role: Role::User,
        msg_type: MsgType::Response,
        text: origin.function.to_owned(),
        app_id: origin.app_id.to_owned(),
        function: Some(origin.function.to_owned()),
        params: Some(params),
        call_id: Some(origin.call_id),
        task_id: None,
        result: None,
        refresh_panels: None,
        truncated: false,
    }
}
