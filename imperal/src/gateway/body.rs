//! Reading what a request says, with errors a person can act on.

use std::str::FromStr;

use axum::RequestExt;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use super::failure::Failure;
use crate::codes;

/// A JSON request body.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        // A page of another site cannot send this type without asking first.
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(|value| value.starts_with("application/json")) {
            return Err(Failure::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                codes::MALFORMED_REQUEST,
                "Send JSON, with the header `content-type: application/json`.",
            ));
        }
        let bytes = match request.with_limited_body().extract::<Bytes, _>().await {
            Ok(bytes) => bytes,
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                return Err(Failure::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    codes::MALFORMED_REQUEST,
                    format!("The request is larger than {} bytes.", super::BODY_LIMIT),
                ));
            }
            Err(error) => return Err(Failure::malformed(format!("The request could not be read: {error}."))),
        };
        let _ = state;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Failure::malformed(format!("The request is not the expected JSON: {error}.")))
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
