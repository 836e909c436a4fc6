//! `POST /v1/extensions/{app_id}/call` runs a chat function, `POST /v1/calls/{call_id}/cancel` stops it.

use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::api_error::ApiError;
use super::body::IdInPath;
use super::idempotency::{IdempotencyKey, mark_replayed};
use super::{body, json};
use crate::ids::CallId;
use crate::platform::Access;

/// The function to run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallBody {
    /// The function's name.
    function: String,
    /// Its parameters; `{}` when absent.
    #[serde(default)]
    params: Option<Map<String, Value>>,
}

/// Counts the call before it reads the body. So the memory of a user's requests is bounded: first by the number of
/// calls, then by the estimated size of their parsed bodies.
pub(super) async fn call_function(
    access: Access,
    Path(app_id): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Result<Response, ApiError> {
    let mut permit = access.begin_call()?;
    let bytes = body::json_bytes(request).await?;
    permit.hold(body::estimate_memory(&bytes))?;
    let body: CallBody = body::parse(&bytes)?;
    drop(bytes);
    let params = Value::Object(body.params.unwrap_or_default());
    let reply = access.call_with(permit, key.as_ref(), &app_id, &body.function, params).await?;
    Ok(mark_replayed(reply.repeated, json(StatusCode::OK, &reply)))
}

pub(super) async fn cancel_call(access: Access, IdInPath(call_id): IdInPath<CallId>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &access.cancel_call(call_id).await?))
}
