//! Requests that are sent again: the key they come with, and how an answer says that it is an earlier one's.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;

use super::api_error::ApiError;
use super::headers;
use crate::ids::{BadRequestKey, RequestKey};

/// What a client calls its request.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that the answer is that of an earlier request under the same key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The request's key, if it has one.
pub(super) struct Key(pub(super) Option<RequestKey>);

impl Key {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let Some(key) = headers::text(headers, &KEY)? else { return Ok(Self(None)) };
        let wrong = |_| ApiError::malformed(format!("The header Idempotency-Key cannot be used: {BadRequestKey}."));
        key.parse().map(|key| Self(Some(key))).map_err(wrong)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(&parts.headers)
    }
}

/// The response, as an earlier request's where it is one.
pub(super) fn replayed(repeated: bool, mut response: Response) -> Response {
    if repeated {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
