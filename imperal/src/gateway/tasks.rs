//! Reads and cancels the caller's tasks.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api_error::ApiError;
use super::body::{IdInPath, Query};
use super::json;
use crate::ids::{CallId, TaskId};
use crate::ledger::Task;
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
