//! `GET /metrics` for Prometheus, and the count of refused requests.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Gateway;
use crate::codes::ErrorCode;

pub(super) async fn metrics(State(gateway): State<Gateway>) -> Response {
    let text = gateway.platform.metrics();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Counts an error response by the code that it carries.
pub(super) async fn count_refusals(State(gateway): State<Gateway>, mut response: Response) -> Response {
    if let Some(code) = response.extensions_mut().remove::<ErrorCode>() {
        gateway.platform.meters().refused(&code);
    }
    response
}
