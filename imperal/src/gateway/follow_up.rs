//! Goes on from the caller's ended tasks, and runs them again.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::api_error::ApiError;
use super::body::{self, IdInPath};
use super::idempotency::{IdempotencyKey, mark_replayed};
use super::json;
use crate::ids::TaskId;
use crate::platform::{Access, FollowedUp};

/// Where to go on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ContinueBody {
    /// The number of the first step that runs again, among stored steps and done effects, from 1. Without it the task
    /// goes on behind the last stored one.
    from_step: Option<u32>,
}

/// Nothing: the task runs again with its own input.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunAgainBody {}

pub(super) async fn continue_task(
    access: Access,
    IdInPath(task_id): IdInPath<TaskId>,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Result<Response, ApiError> {
    let ContinueBody { from_step } = read(request).await?;
    Ok(answer(&access.continue_task(task_id, from_step, key.as_ref()).await?))
}

pub(super) async fn run_again(
    access: Access,
    IdInPath(task_id): IdInPath<TaskId>,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Result<Response, ApiError> {
    let RunAgainBody {} = read(request).await?;
    Ok(answer(&access.run_again(task_id, key.as_ref()).await?))
}

/// The body of a request. An empty one is `{}`.
async fn read<T: Default + DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    let bytes = body::json_bytes(request).await?;
    if bytes.is_empty() { Ok(T::default()) } else { body::parse(&bytes) }
}

fn answer(followed: &FollowedUp) -> Response {
    mark_replayed(followed.repeated, json(StatusCode::OK, &followed.task))
}
