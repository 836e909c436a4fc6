//! Operators: open tasks of all users, cancels and retries of many, paused durable tasks, queues, jobs, schedules of users.
//!
//! The caller needs the scope `tasks:operate` or `tasks:operate:all`; [`Operator`](crate::platform::Operator) checks it.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api_error::ApiError;
use super::body::{self, Query};
use super::json;
use crate::ids::TaskId;
use crate::ledger::{DurableName, Owner, PausedTask, TaskPlace, TaskState, WaitsFor};
use crate::platform::{Access, OperatedTask, OperatorJob, QueueState, TaskFilter};

/// Which open tasks to read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TasksQuery {
    app: Option<String>,
    function: Option<String>,
    task: Option<String>,
    state: Option<TaskState>,
    waits_for: Option<WaitsFor>,
    queue: Option<String>,
    tenant: Option<String>,
    user: Option<String>,
    suspect: Option<bool>,
    after: Option<String>,
    limit: Option<usize>,
}

/// Tasks to change, at most 100.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskIds {
    task_ids: Vec<TaskId>,
}

/// What became of each task.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OperatedTasks {
    tasks: Vec<OperatedTask>,
}

/// A durable task to pause or resume.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PauseBody {
    /// The extension.
    app_id: String,
    /// The name of the durable task within it.
    task_name: String,
    /// False to resume it.
    paused: bool,
}

/// Whether a durable task was paused or resumed by this request.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PauseChange {
    /// False if it was so already.
    changed: bool,
}

/// The durable tasks that are paused.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PausedTasks {
    paused: Vec<PausedTask>,
}

/// The queues that have had a task.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct QueueStates {
    queues: Vec<QueueState>,
}

/// The jobs that have users.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OperatorJobs {
    jobs: Vec<OperatorJob>,
}

/// A user.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserQuery {
    tenant: String,
    user: String,
}

/// A user whose schedules and jobs are paused or resumed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PauseSchedulesBody {
    /// The user's tenant.
    tenant: String,
    /// The user's id.
    user: String,
    /// False to resume those that an operator has paused.
    paused: bool,
}

/// How many schedules and jobs were paused or resumed by this request.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PausedSchedules {
    changed: u64,
}

pub(super) async fn jobs(access: Access) -> Result<Response, ApiError> {
    let operator = access.operator().await?;
    Ok(json(StatusCode::OK, &OperatorJobs { jobs: operator.jobs().await? }))
}

pub(super) async fn schedules(access: Access, Query(query): Query<UserQuery>) -> Result<Response, ApiError> {
    let operator = access.operator().await?;
    Ok(json(StatusCode::OK, &operator.schedules(&Owner::new(&query.tenant, &query.user)).await?))
}

pub(super) async fn pause_schedules(access: Access, request: Request) -> Result<Response, ApiError> {
    let operator = access.operator().await?;
    let PauseSchedulesBody { tenant, user, paused } = body::parse(&body::json_bytes(request).await?)?;
    let changed = operator.pause_schedules(&Owner::new(&tenant, &user), paused).await?;
    Ok(json(StatusCode::OK, &PausedSchedules { changed }))
}

pub(super) async fn tasks(access: Access, Query(query): Query<TasksQuery>) -> Result<Response, ApiError> {
    let operator = access.operator().await?;
    let TasksQuery { app, function, task, state, waits_for, queue, tenant, user, suspect, after, limit } = query;
    let after = match after.as_deref().map(str::parse::<TaskPlace>) {
        None => TaskPlace::default(),
        Some(Ok(place)) => place,
        Some(Err(error)) => return Err(ApiError::malformed(format!("`after`: {error}."))),
    };
    let filter = TaskFilter { app, function, task, state, waits_for, queue, tenant, user, suspect };
    Ok(json(StatusCode::OK, &operator.tasks(&filter, after, limit.unwrap_or(100)).await?))
}

pub(super) async fn cancel(access: Access, request: Request) -> Result<Response, ApiError> {
    let operator = access.operator().await?;
    let body: TaskIds = body::parse(&body::json_bytes(request).await?)?;
    Ok(json(StatusCode::OK, &OperatedTasks { tasks: operator.cancel(&body.task_ids).await? }))
}

pub(super) async fn retry(access: Access, request: Request) -> Result<Response, ApiError> {
    let operator = access.operator().await?;
    let body: TaskIds = body::parse(&body::json_bytes(request).await?)?;
    Ok(json(StatusCode::OK, &OperatedTasks { tasks: operator.retry(&body.task_ids).await? }))
}

pub(super) async fn paused(access: Access) -> Result<Response, ApiError> {
    let operator = access.operator().await?;
    Ok(json(StatusCode::OK, &PausedTasks { paused: operator.paused().await? }))
}

pub(super) async fn pause(access: Access, request: Request) -> Result<Response, ApiError> {
    let operator = access.operator().await?;
    let body: PauseBody = body::parse(&body::json_bytes(request).await?)?;
    let name = DurableName::new(body.app_id, body.task_name);
    Ok(json(StatusCode::OK, &PauseChange { changed: operator.set_paused(name, body.paused).await? }))
}

pub(super) async fn queues(access: Access) -> Result<Response, ApiError> {
    let operator = access.operator().await?;
    Ok(json(StatusCode::OK, &QueueStates { queues: operator.queues().await? }))
}
