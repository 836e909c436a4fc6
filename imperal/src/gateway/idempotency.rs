//! Retried requests: the header `Idempotency-Key`, and how a response says that it repeats an earlier one.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;

use super::api_error::ApiError;
use super::headers;
use crate::ids::{BadRequestKey, RequestKey};

/// The client's key for its request.
const KEY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Marks a response that repeats the result of an earlier request with the same key.
const REPLAYED_HEADER: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The request's key, if it has one.
pub(super) struct IdempotencyKey(pub(super) Option<RequestKey>);

impl IdempotencyKey {
    pub(super) fn from_headers(headers: &HeaderMap) -> Result<Self, ApiError> {
        let Some(key) = headers::text(headers, &KEY_HEADER)? else { return Ok(Self(None)) };
        let wrong = |_| ApiError::malformed(format!("The header Idempotency-Key cannot be used: {BadRequestKey}."));
        key.parse().map(|key| Self(Some(key))).map_err(wrong)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::from_headers(&parts.headers)
    }
}

/// Marks the response if the result is an earlier request's.
pub(super) fn mark_replayed(repeated: bool, mut response: Response) -> Response {
    if repeated {
        response.headers_mut().insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
    }
    response
}
