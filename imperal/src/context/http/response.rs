//! A complete response: status, headers, bytes.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::HttpError;

/// The complete response to an outgoing call. The body has the bytes as they were received.
#[derive(Debug, Clone)]
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    attempts: u32,
}

impl Response {
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self { status, headers, body, attempts: 1 }
    }

    pub(super) fn after(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Number of attempts: 1 without [`retry`](super::RequestBuilder::retry).
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The value of a header; `None` if it is missing or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, as received.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`HttpErrorKind::Decode`](crate::context::HttpErrorKind::Decode) if it is not UTF-8. No byte is
    /// replaced or guessed.
    pub fn text(&self) -> Result<&str, HttpError> {
        std::str::from_utf8(&self.body).map_err(|error| HttpError::decode(format!("the answer is not UTF-8: {error}")))
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// [`HttpErrorKind::Decode`](crate::context::HttpErrorKind::Decode) if it is not JSON, or does not fit `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        crate::json::read(&self.body)
            .map_err(|error| HttpError::decode(format!("the answer is not the expected JSON: {error}")))
    }

    /// Returns the response itself, unless its status is 4xx or 5xx.
    ///
    /// # Errors
    /// [`HttpErrorKind::Status`](crate::context::HttpErrorKind::Status) for 4xx and 5xx.
    pub fn error_for_status(self) -> Result<Self, HttpError> {
        if self.status.is_client_error() || self.status.is_server_error() {
            Err(HttpError::status(self.status).after(self.attempts))
        } else {
            Ok(self)
        }
    }
}
