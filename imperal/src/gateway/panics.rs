//! Catches panics of request handlers: the client gets 500, the log gets the panic, the connection stays open.
//!
//! The panic's text may contain data of the request, so it goes to the log only, shortened.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use super::api_error::ApiError;
use crate::codes;
use crate::failpoint;
use crate::panic_text::{log_excerpt, panic_text};

pub(super) async fn catch_panics(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answer = async move {
        failpoint::hit("request");
        next.run(request).await
    };
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|payload| {
        let text = panic_text(payload);
        tracing::error!(%method, path = log_excerpt(&path), panic = log_excerpt(&text), "a request handler panicked");
        let message = "Something went wrong inside the platform. The details are in its log.";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, codes::INTERNAL, message).into_response()
    })
}
