//! Running a function.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::body::JsonBody;
use super::failure::Failure;
use super::{Gateway, json};
use crate::platform::Access;

/// What to run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallBody {
    /// The function's name.
    function: String,
    /// Its parameters; `{}` when absent.
    #[serde(default)]
    params: Option<Map<String, Value>>,
}

pub(super) async fn call(
    access: Access,
    State(gateway): State<Gateway>,
    Path(app_id): Path<String>,
    JsonBody(body): JsonBody<CallBody>,
) -> Result<Response, Failure> {
    let params = Value::Object(body.params.unwrap_or_default());
    let reply = access.call(&app_id, &body.function, params).await;
    gateway.streams.count_call(reply.as_ref().is_ok_and(|reply| reply.result.is_success()));
    Ok(json(StatusCode::OK, &reply?))
}
