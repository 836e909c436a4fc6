//! Running a function.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::again::{Key, replayed};
use super::body::JsonBody;
use super::failure::Failure;
use super::json;
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
    Path(app_id): Path<String>,
    Key(key): Key,
    JsonBody(body): JsonBody<CallBody>,
) -> Result<Response, Failure> {
    let params = Value::Object(body.params.unwrap_or_default());
    let reply = match &key {
        None => access.call(&app_id, &body.function, params).await?,
        Some(key) => access.call_once(key, &app_id, &body.function, params).await?,
    };
    Ok(replayed(reply.repeated, json(StatusCode::OK, &reply)))
}
