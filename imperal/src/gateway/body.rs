//! Reading what a request says, with errors a person can act on.

use std::str::FromStr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::failure::Failure;
use crate::codes;

/// Largest request body. Parameters are text for people; files travel by URL.
pub(super) const BODY_LIMIT: usize = 1024 * 1024;
/// What is read of a body beyond the limit before the connection is cut.
const DRAIN_LIMIT: usize = 32 * 1024 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// A JSON request body.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        // A page of another site cannot send this type without asking first.
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(|value| value.starts_with("application/json")) {
            return Err(Failure::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                codes::MALFORMED_REQUEST,
                "Send JSON, with the header `content-type: application/json`.",
            ));
        }
        let bytes = read(request.into_body()).await?;
        // A struct reads itself from a list too, field by field; no client means that.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(Failure::malformed("The request must be a JSON object."));
        }
        crate::json::read(&bytes)
            .map(Self)
            .map_err(|error| Failure::malformed(format!("The request is not the expected JSON: {error}.")))
    }
}

/// The whole body, up to the limit. What is over it is read and dropped for a while: a client that
/// is cut off while it still sends would never see why.
async fn read(body: Body) -> Result<Vec<u8>, Failure> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut over = 0;
    let patience = tokio::time::sleep(PATIENCE);
    tokio::pin!(patience);
    loop {
        let chunk = tokio::select! {
            chunk = stream.next() => chunk,
            () = &mut patience => return Err(Failure::malformed("The request took too long to arrive.")),
        };
        match chunk {
            None if over == 0 => return Ok(bytes),
            Some(Ok(chunk)) if over == 0 && bytes.len() + chunk.len() <= BODY_LIMIT => bytes.extend_from_slice(&chunk),
            Some(Ok(chunk)) if over + chunk.len() <= DRAIN_LIMIT => {
                over += chunk.len();
                bytes = Vec::new();
            }
            Some(Err(error)) => return Err(Failure::malformed(format!("The request could not be read: {error}."))),
            None | Some(Ok(_)) => {
                return Err(Failure::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    codes::MALFORMED_REQUEST,
                    format!("The request is larger than {BODY_LIMIT} bytes."),
                ));
            }
        }
    }
}

/// Query parameters.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|error| Failure::malformed(format!("{}.", error.body_text())))
    }
}

/// The one id in the path.
#[derive(Debug)]
pub(super) struct IdInPath<T>(pub(super) T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for IdInPath<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Failure::malformed("The path holds no id."));
        };
        // What is no id names nothing.
        text.parse()
            .map(Self)
            .map_err(|_| Failure::new(StatusCode::NOT_FOUND, codes::NOT_FOUND, format!("There is no task {text}.")))
    }
}
