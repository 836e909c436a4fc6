//! Reads and cancels the caller's tasks.

use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api_error::ApiError;
use super::body::{IdInPath, Query};
use super::json;
use crate::ids::{CallId, TaskId};
use crate::ledger::{KnownBy, StepKind, StoredStep, Task};
use crate::platform::Access;

/// Tasks without their results. The outcome turn has the result, and so has `GET /v1/tasks/{task_id}`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Tasks {
    tasks: Vec<Task>,
}

/// Which tasks to read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecentQuery {
    limit: Option<u32>,
    call_id: Option<CallId>,
}

/// The stored rows of a durable task, in the order of their ends. Values stay with the task.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Steps {
    steps: Vec<StepView>,
    /// Continue after this ordinal; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u16>,
}

/// One stored row.
#[derive(Debug, Serialize, JsonSchema)]
struct StepView {
    /// The number among the task's steps and messages.
    ordinal: u16,
    /// The name.
    name: String,
    /// What the row says. `step`: a step is done. `message`: one was said outside of steps. `sleep`, `question`: the task
    /// chose to wait, or asked. An effect has several rows of its name, of which the last one counts. `intent`: it was
    /// begun, and if it does not run now, it is not known whether it was done. `effect`: it was done. `not_done`: it was
    /// not.
    kind: StepKind,
    /// Of an effect: how it is known that it was done, or not. Absent for a value that is large or no longer kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    known_by: Option<KnownBy>,
    /// The attempt that stored it.
    attempt: u32,
    /// When it began.
    #[schemars(with = "String")]
    began_at: Timestamp,
    /// When it was stored.
    #[schemars(with = "String")]
    done_at: Timestamp,
    /// Its requests and failed tries: objects with `method`, `url` (host and path), `status` or `error`, and `ms`;
    /// with `attempt` and `error`; and with `more`, the number of entries that were left out over 4 KiB.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log: Vec<serde_json::Value>,
}

/// Which steps to read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepsQuery {
    after: Option<u16>,
    limit: Option<u32>,
}

pub(super) async fn steps(
    access: Access,
    IdInPath(task_id): IdInPath<TaskId>,
    Query(query): Query<StepsQuery>,
) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or(200).clamp(1, 1000);
    let page = access.steps(task_id, query.after.unwrap_or_default(), limit).await?;
    let next = page.last().filter(|_| page.more).map(|step| step.ordinal);
    let view = |step: StoredStep| {
        let StoredStep { ordinal, name, kind, attempt, began_at, done_at, log, value, .. } = step;
        let known_by = KnownBy::of_row(kind, value.as_deref());
        // A log that cannot be read is left out: the step itself is sound.
        let log = log.and_then(|log| imperal_manifest::json::read(log.as_bytes()).ok()).unwrap_or_default();
        StepView { ordinal, name, kind, known_by, attempt, began_at, done_at, log }
    };
    Ok(json(StatusCode::OK, &Steps { steps: page.rows.into_iter().map(view).collect(), next }))
}

pub(super) async fn timeline(
    access: Access,
    IdInPath(task_id): IdInPath<TaskId>,
    Query(query): Query<StepsQuery>,
) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or(200).clamp(1, 500);
    Ok(json(StatusCode::OK, &access.timeline(task_id, query.after.unwrap_or_default(), limit).await?))
}

pub(super) async fn export(access: Access, IdInPath(task_id): IdInPath<TaskId>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &access.export(task_id).await?))
}

pub(super) async fn active(access: Access) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &Tasks { tasks: access.running_tasks().await? }))
}

pub(super) async fn recent(access: Access, Query(query): Query<RecentQuery>) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or(50).clamp(1, 500);
    let tasks = match query.call_id {
        None => access.recent_tasks(limit).await?,
        Some(call_id) => {
            let mut tasks = access.tasks_of_call(call_id).await?;
            tasks.reverse();
            tasks.truncate(limit as usize);
            tasks
        }
    };
    Ok(json(StatusCode::OK, &Tasks { tasks }))
}

pub(super) async fn one(access: Access, IdInPath(task_id): IdInPath<TaskId>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &access.task(task_id).await?))
}

pub(super) async fn cancel(access: Access, IdInPath(task_id): IdInPath<TaskId>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &access.cancel(task_id).await?))
}
