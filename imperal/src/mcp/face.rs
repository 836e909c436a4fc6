//! The requests of MCP: tools, tickets for slow work, tasks.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, CreateTaskResult,
    GetTaskParams, GetTaskResult, InputRequests, JsonObject, ListToolsResult, PaginatedRequestParams, ProtocolVersion,
    ServerConfig, Tool, UpdateTaskParams,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use tokio::time::Instant;

use super::questions::{self, Asking};
use super::tools::{Entry, TASK_CANCEL, TASK_STATUS, Way};
use super::work::{Standing, stop, wait_for_work};
use super::{Mcp, answer, client_name, images};
use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::ids::{CallId, RequestKey};
use crate::platform::{Access, CallRequest, CallWork, StartedCall};
use crate::result::{Result, WireResult};

/// How long a client with the tasks extension waits before it gets a task. Most calls are done by then.
const TASK_WAIT: Duration = Duration::from_secs(2);

/// The key in `_meta` under which a client names its request, so that a repetition does not run again.
const REQUEST_KEY: &str = "imperal/idempotencyKey";

/// How long a list of tools may be kept, in milliseconds. It changes with the program only.
const LIST_TTL: u64 = 300_000;

/// The face for one request of one user.
#[derive(Clone)]
pub(super) struct Face {
    pub(super) mcp: Arc<Mcp>,
    pub(super) access: Access,
    /// The address of the chat page.
    pub(super) page: String,
    /// The memory that the request takes.
    pub(super) memory: u64,
    /// The name of the client by its headers.
    pub(super) client: Option<String>,
    /// Whether a client of any version cancels its request by closing the connection.
    pub(super) cancels: bool,
}

type Request = RequestContext<RoleServer>;

impl ServerHandler for Face {
    fn get_info(&self) -> ServerConfig {
        self.mcp.config.clone()
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.mcp.tools.offered().iter().find(|tool| tool.name == name).cloned()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Request,
    ) -> std::result::Result<ListToolsResult, ErrorData> {
        let tools = ListToolsResult::with_all_items(self.mcp.tools.offered().to_vec());
        Ok(tools.with_cache_scope(CacheScope::Private).with_ttl_ms(LIST_TTL))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Request,
    ) -> std::result::Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let answered = match &*request.name {
            TASK_STATUS => self.task_status(&arguments, &context).await.map(CallToolResponse::from),
            TASK_CANCEL => self.task_cancel(&arguments).await.map(CallToolResponse::from),
            name => {
                let Some(entry) = self.mcp.tools.find(name) else {
                    let text = format!("unknown tool: {}", crate::truncate::truncate_line(name, 100));
                    return Err(ErrorData::invalid_params(text, None));
                };
                self.call_function(entry, arguments, &context).await
            }
        };
        Ok(answered.unwrap_or_else(|error| answer::of_error(error).into()))
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: Request,
    ) -> std::result::Result<GetTaskResult, ErrorData> {
        let (call_id, work) = self.named_work(&request.task_id).await?;
        let inputs = match context.client_capabilities().as_ref().and_then(Asking::of) {
            Some(asking) => {
                let open = questions::open_questions(&self.access, &work, &self.page, asking).await;
                open.map_err(|error| protocol_error(&error))?
            }
            None => InputRequests::new(),
        };
        let keep = self.access.platform().retention_policy();
        let images = work.images(&self.access).await;
        Ok(GetTaskResult::new(work.as_task(call_id, &self.page, keep, inputs, images)))
    }

    async fn update_task(&self, request: UpdateTaskParams, _: Request) -> std::result::Result<(), ErrorData> {
        let (_, work) = self.named_work(&request.task_id).await?;
        let answered = questions::answer(&self.access, &work, request.input_responses).await;
        answered.map_err(|error| match error.kind() {
            ErrorKind::User => ErrorData::invalid_params(format!("{}: {}", error.code(), error.message()), None),
            _ => protocol_error(&error),
        })
    }

    async fn cancel_task(&self, request: CancelTaskParams, _: Request) -> std::result::Result<(), ErrorData> {
        let (call_id, _) = self.named_work(&request.task_id).await?;
        stop(&self.access, call_id).await.map_err(|error| protocol_error(&error))
    }
}

impl Face {
    async fn call_function(&self, entry: &Entry, arguments: JsonObject, context: &Request) -> Result<CallToolResponse> {
        let form = || format!("{}#{}/{}", self.page, entry.app_id, entry.function.name);
        match entry.way {
            Way::Call => {}
            Way::Form => {
                return Ok(answer::on_page("It needs a value that must not go through a model.", &form()).into());
            }
            Way::Confirm => {
                return Ok(answer::on_page("It destroys something, so its user confirms it.", &form()).into());
            }
        }
        let key = request_key(context)?;
        let mut permit = self.access.begin_call()?;
        permit.hold(self.memory)?;
        let request = CallRequest {
            app_id: entry.app_id,
            function: entry.function.name,
            params: Value::Object(arguments),
            key: key.as_ref(),
            client: Some(self.client_name(context)),
        };
        let started = self.access.start_call(request, permit).await?;
        self.follow(started, context).await
    }

    /// The name of the client for its user. Only clients without a handshake name themselves in each request.
    fn client_name(&self, context: &Request) -> String {
        let info = if is_modern(context) { context.client_info() } else { None };
        client_name::of(info.as_ref(), self.client.as_deref())
    }

    /// Waits for a call and the tasks that it started, as long as this client waits.
    async fn follow(&self, started: StartedCall, context: &Request) -> Result<CallToolResponse> {
        let StartedCall { call_id, accepted, mut reply } = started;
        let wants_task = context.client_capabilities().is_some_and(|capabilities| capabilities.supports_tasks());
        let wait = if wants_task { TASK_WAIT.min(self.mcp.settings.wait) } else { self.mcp.settings.wait };
        let until = Instant::now() + wait;
        // From here on the ledger has the call. An error means that the reply says why not.
        let _ = accepted.await;
        let hung_up = async {
            if self.cancels || is_modern(context) { context.ct.cancelled().await } else { std::future::pending().await }
        };
        let replied = tokio::select! {
            biased;
            replied = &mut reply => Some(replied?),
            () = tokio::time::sleep_until(until) => None,
            () = hung_up => {
                // Since 2026-07-28, a client that closes the stream cancels its request.
                self.access.cancel_call(call_id).await?;
                Some(reply.await?)
            }
        };
        if let Some(reply) = replied.as_ref().filter(|reply| !reply.may_have_tasks) {
            return Ok(self.of_reply(&reply.result).await.into());
        }
        let until = match &replied {
            // A client with tasks gets one as soon as it is known that there is something to wait for.
            Some(_) if wants_task => Instant::now(),
            _ => until,
        };
        let waited = Box::pin(wait_for_work(&self.access, call_id, until, context));
        let Some(work) = until_hung_up(context, waited).await? else {
            return match replied {
                Some(reply) => Ok(self.of_reply(&reply.result).await.into()),
                None => Err(Error::user(codes::NOT_FOUND, "The call is no longer kept.")),
            };
        };
        Ok(match work.standing(&self.page) {
            Standing::Done(result) => self.with_images(result, &work).await.into(),
            Standing::Cancelled => answer::of_error(Error::cancelled()).into(),
            Standing::Working(_) if wants_task => {
                let keep = self.access.platform().retention_policy();
                CreateTaskResult::new(work.as_task(call_id, &self.page, keep, InputRequests::new(), Vec::new()).task)
                    .into()
            }
            Standing::Working(sentence) => answer::ticket(call_id, work.ack(), &sentence, &self.page).into(),
        })
    }

    /// The answer to a call without tasks.
    async fn of_reply(&self, reply: &WireResult) -> CallToolResult {
        let mut answer = answer::of_reply(reply, &self.page);
        answer.content.extend(images::of(&self.access, std::iter::once(&reply.data)).await);
        answer
    }

    async fn with_images(&self, mut answer: CallToolResult, work: &CallWork) -> CallToolResult {
        answer.content.extend(work.images(&self.access).await);
        answer
    }

    async fn task_status(&self, arguments: &JsonObject, context: &Request) -> Result<CallToolResult> {
        let call_id = self.id_argument(arguments).await?;
        let wait = match arguments.get("wait_seconds").and_then(Value::as_u64) {
            Some(seconds) => Duration::from_secs(seconds).min(self.mcp.settings.wait),
            None => self.mcp.settings.wait,
        };
        let until = Instant::now() + wait;
        let waited = Box::pin(wait_for_work(&self.access, call_id, until, context));
        let Some(work) = until_hung_up(context, waited).await? else {
            return Err(self.unknown_work(&call_id.to_string()).await);
        };
        Ok(match work.standing(&self.page) {
            Standing::Done(result) => self.with_images(result, &work).await,
            Standing::Cancelled => answer::say("It was cancelled."),
            Standing::Working(sentence) => answer::ticket(call_id, None, &sentence, &self.page),
        })
    }

    async fn task_cancel(&self, arguments: &JsonObject) -> Result<CallToolResult> {
        let call_id = self.id_argument(arguments).await?;
        if self.access.call_work(call_id).await?.is_none() {
            return Err(self.unknown_work(&call_id.to_string()).await);
        }
        stop(&self.access, call_id).await?;
        Ok(answer::say("It is being stopped. `task_status` tells when it has ended."))
    }

    async fn id_argument(&self, arguments: &JsonObject) -> Result<CallId> {
        let Some(text) = arguments.get("id").and_then(Value::as_str) else {
            return Err(Error::user(codes::VALIDATION_MISSING_FIELD, "Pass the id of the work.").with_field("id"));
        };
        match text.parse() {
            Ok(call_id) => Ok(call_id),
            Err(_) => Err(self.unknown_work(text).await),
        }
    }

    /// Audits that the user named work that does not exist or is another user's. Both have one answer.
    async fn unknown_work(&self, id: &str) -> Error {
        let refused = self.access.refuse_unknown_call(id).await;
        if *refused.code() == codes::PERMISSION_DENIED {
            return Error::user(
                codes::NOT_FOUND,
                "There is no work of yours with this id. Pass the id that a call named.",
            );
        }
        refused
    }

    /// The work that a task id names.
    async fn named_work(&self, id: &str) -> std::result::Result<(CallId, CallWork), ErrorData> {
        if let Ok(call_id) = id.parse() {
            let found = self.access.call_work(call_id).await.map_err(|error| protocol_error(&error))?;
            if let Some(work) = found {
                return Ok((call_id, work));
            }
        }
        let error = self.unknown_work(id).await;
        if *error.code() == codes::NOT_FOUND {
            return Err(ErrorData::invalid_params("unknown task: use the id that a call named", None));
        }
        Err(protocol_error(&error))
    }
}

/// Whether the client speaks a version in which it cancels a request by closing its stream.
fn is_modern(context: &Request) -> bool {
    context.protocol_version().is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}

/// Runs a wait, and ends it when the client has hung up.
async fn until_hung_up<T>(context: &Request, wait: impl Future<Output = Result<T>>) -> Result<T> {
    match context.ct.run_until_cancelled(wait).await {
        Some(waited) => waited,
        None => Err(Error::cancelled()),
    }
}

/// The client's key for its request, if it has one.
fn request_key(context: &Request) -> Result<Option<RequestKey>> {
    let Some(key) = context.meta.get(REQUEST_KEY) else { return Ok(None) };
    let key = key.as_str().and_then(|key| key.parse().ok());
    key.map(Some).ok_or_else(|| {
        let text = format!("`_meta` has no usable `{REQUEST_KEY}`: {}.", crate::ids::BadRequestKey);
        Error::user(codes::VALIDATION_TYPE_ERROR, text)
    })
}

fn protocol_error(error: &Error) -> ErrorData {
    ErrorData::internal_error(format!("{}: {}", error.code(), error.message()), None)
}
