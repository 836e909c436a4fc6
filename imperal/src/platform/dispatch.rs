//! A call, from the request to its reply turn.
//!
//! The order is the guarantee: parameters are checked and read before anything is written, the call is on disk
//! before the handler runs, and the reply is on disk before the caller gets it. Reads and starters are
//! the exception: [`super::acceptance`]. An accepted call runs in a tokio task of its own, so a caller that hangs up changes
//! nothing. A duplicate under an idempotency key does not run; [`super::idempotency`] waits for the first call's reply.

use std::pin::Pin;

use serde_json::Value;
use tokio::sync::oneshot;
use tracing::Instrument;

use super::call_run::guarded_call;
use super::call_writes::{Caller, Dispatched, Request};
use super::{CallPermit, CallReply, Node, Platform};
use crate::codes;
use crate::context::{Context, Origin, WorkSpan};
use crate::error::Error;
use crate::function::{ActionType, BoundHandler, CheckedParams, Extension, FunctionDef};
use crate::ids::{CallId, FileId, RequestKey};
use crate::ledger::{NewCall, Owner, Role, TurnBody};
use crate::result::{Result, WireResult};
use crate::secrets::SecretsInUse;
use crate::trace;
use crate::user::User;

/// A request to call a function.
pub(crate) struct CallRequest<'a> {
    pub(crate) app_id: &'a str,
    pub(crate) function: &'a str,
    pub(crate) params: Value,
    pub(crate) key: Option<&'a RequestKey>,
    /// The name of the MCP client that asks.
    pub(crate) client: Option<String>,
}

/// A call that is on its way to its reply. It goes on without this value.
pub(crate) struct StartedCall {
    /// Its id.
    #[cfg_attr(not(feature = "mcp"), expect(dead_code, reason = "only MCP clients get an id before the reply"))]
    pub(crate) call_id: CallId,
    /// Resolves once the ledger has the call; to an error if the ledger refused it, or has it from an earlier request.
    #[cfg_attr(not(feature = "mcp"), expect(dead_code, reason = "only MCP clients get an id before the reply"))]
    pub(crate) accepted: oneshot::Receiver<()>,
    /// The reply, or why there is none.
    pub(crate) reply: Pin<Box<dyn Future<Output = Result<CallReply>> + Send>>,
}

impl Platform {
    pub(super) async fn call_function(
        &self,
        user: &User,
        request: CallRequest<'_>,
        permit: CallPermit,
    ) -> Result<CallReply> {
        self.start_call(user, request, permit).await?.reply.await
    }

    /// Begins a call. It then runs by itself: the returned value only waits for it.
    pub(super) async fn start_call(
        &self,
        user: &User,
        request: CallRequest<'_>,
        permit: CallPermit,
    ) -> Result<StartedCall> {
        let CallRequest { app_id, function, params, key, client } = request;
        let node = &self.node;
        node.check_accepting()?;
        node.wait_for_lease().await?;
        let (origin, def, checked) = node.check_call(user, app_id, function, params, key).await?;
        let CheckedParams { handler, redacted, files, again } = checked;
        if node.seen.note(user, origin.app_id) {
            node.schedules_changed.notify_one();
        }
        let turn = TurnBody { client, ..user_turn(&origin, redacted) };
        let request = self.request(&origin, turn, files);
        let has_no_effects = def.action_type == ActionType::Read || def.starter;
        let is_deferred = has_no_effects && request.files.is_empty();
        let again = again.filter(|_| is_deferred);
        Ok(self.run_call(origin, handler, Request { is_deferred, again, ..request }, permit))
    }

    /// Runs a handler of the platform itself as a call of its user, with everything that calls have.
    pub(super) async fn run_as_call(
        &self,
        origin: Origin,
        handler: BoundHandler,
        turn: TurnBody,
        permit: CallPermit,
    ) -> Result<CallReply> {
        self.node.check_accepting()?;
        self.node.wait_for_lease().await?;
        let request = self.request(&origin, turn, Vec::new());
        self.run_call(origin, handler, request, permit).reply.await
    }

    pub(super) fn request(&self, origin: &Origin, turn: TurnBody, files: Vec<FileId>) -> Request {
        let (call_id, owner) = (origin.call_id, Owner::from(&origin.user));
        let call = NewCall { call_id, owner, turn, max_stored: self.node.max_stored() };
        Request { call, files, is_deferred: false, again: None }
    }

    pub(super) fn run_call(
        &self,
        origin: Origin,
        handler: BoundHandler,
        request: Request,
        permit: CallPermit,
    ) -> StartedCall {
        let node = &self.node;
        let call_id = origin.call_id;
        let span = tracing::info_span!("call", app = origin.app_id, function = origin.function, call = %origin.call_id, user = %origin.user.id);
        let (accept, accepted) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        let caller = Caller { accepted: accept, answer };
        trace::named(&span, "call", origin.function);
        let ctx = Context::new(origin, self.services.clone(), WorkSpan::of(&span));
        node.tracker.spawn(guarded_call(node.clone(), ctx, handler, request, permit, caller).instrument(span));
        let node = node.clone();
        let reply = Box::pin(async move {
            let cut_off = |_| Err(Error::platform(codes::UNAVAILABLE, "The call was cut off."));
            match answered.await.unwrap_or_else(cut_off)? {
                Dispatched::Replied(reply) => Ok(*reply),
                Dispatched::Duplicate(request, _permit) => node.first_reply(&request).await,
            }
        });
        StartedCall { call_id, accepted, reply }
    }

    /// A call without its bookkeeping: checks the parameters, runs the handler and renders the answer. Nothing
    /// is written or supervised. For benches.
    ///
    /// # Errors
    /// As [`Access::call`](super::Access::call), and the handler's own.
    #[doc(hidden)]
    pub async fn handle(&self, user: &User, app_id: &str, function: &str, params: Value) -> Result<WireResult> {
        let (origin, _, checked) = self.node.check_call(user, app_id, function, params, None).await?;
        (checked.handler)(Context::new(origin, self.services.clone(), WorkSpan::none())).await
    }
}

impl Node {
    /// Finds the function, checks its parameters and reads them into its type. Writes nothing.
    pub(super) async fn check_call(
        &self,
        user: &User,
        app_id: &str,
        function: &str,
        mut params: Value,
        key: Option<&RequestKey>,
    ) -> Result<(Origin, &'static FunctionDef, CheckedParams)> {
        let (extension, function) = self.find_function(app_id, function)?;
        let check = self.checks.find(extension.app_id(), function.name);
        let check = check.ok_or_else(|| Error::internal(format!("{function:?} has no compiled schema")))?;
        let ids = check.files_of(&mut params);
        let files = if ids.is_empty() {
            Vec::new()
        } else {
            self.param_files(&Owner::from(user), extension.app_id(), &ids).await?
        };
        let checked = check.check_params(params, files)?;
        let origin = Origin {
            app_id: extension.app_id(),
            function: function.name,
            user: user.clone(),
            call_id: key.map_or_else(CallId::generate, |key| key.call(&user.tenant_id, &user.id, extension.app_id())),
            task_id: None,
            attempt: 0,
            secrets: SecretsInUse::default(),
        };
        Ok((origin, function, checked))
    }

    /// Reads the parameters of a call once more, which were checked before and name no files.
    pub(super) fn bind_again(&self, origin: &Origin, params: &Value) -> Result<BoundHandler> {
        let check = self.checks.find(origin.app_id, origin.function);
        check.ok_or_else(|| Error::internal("the function has no compiled schema"))?.read_again(params)
    }

    /// # Errors
    /// `UNKNOWN_TOOL`, `UNKNOWN_SUB_FUNCTION`: they say what there is.
    pub(super) fn find_function(&self, app_id: &str, function: &str) -> Result<(&Extension, &'static FunctionDef)> {
        let extension = self.registry.extension(app_id).ok_or_else(|| {
            let known: Vec<_> = self.registry.extensions().map(Extension::app_id).collect();
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
        Ok((extension, function))
    }
}

pub(super) fn user_turn(origin: &Origin, params: Value) -> TurnBody {
    TurnBody {
        function: Some(origin.function.to_owned()),
        params: Some(params),
        call_id: Some(origin.call_id),
        ..TurnBody::new(Role::User, origin.function, origin.app_id)
    }
}
