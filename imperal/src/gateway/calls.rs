//! Running a function.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::body::JsonBody;
use super::failure::Failure;
use super::json;
use crate::ids::{BadCallKey, CallKey};
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

/// What a client calls its request, so that it can be sent again.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that the answer is that of an earlier request under the same key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The request's key, if it has one.
pub(super) struct Key(Option<CallKey>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let mut keys = parts.headers.get_all(KEY).iter();
        let key = match (keys.next(), keys.next()) {
            (None, _) => return Ok(Self(None)),
            (Some(key), None) => key.to_str().ok().and_then(|key| key.parse().ok()),
            (Some(_), Some(_)) => None,
        };
        let said = || Failure::malformed(format!("The header Idempotency-Key is sent once, and {BadCallKey}."));
        key.ok_or_else(said).map(|key| Self(Some(key)))
    }
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
    let mut response = json(StatusCode::OK, &reply);
    if reply.repeated {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}
