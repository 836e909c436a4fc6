//! A sent request, for assertions.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method};
use reqwest::Url;
use serde::de::DeserializeOwned;

/// A request that an extension sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SentRequest {
    /// Its method.
    pub method: Method,
    /// Its headers, without those that a connection adds.
    pub headers: HeaderMap,
    /// Its body, byte for byte.
    pub body: Bytes,
    pub(super) url: Url,
}

impl SentRequest {
    pub(super) fn of(request: &reqwest::Request) -> Self {
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        Self {
            method: request.method().clone(),
            headers: request.headers().clone(),
            body: Bytes::copy_from_slice(body),
            url: request.url().clone(),
        }
    }

    /// The complete URL.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The host.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The path.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// The first value of a query parameter.
    pub fn query(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The value of a header, if the request has it and it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|error| panic!("the body of {self} is not UTF-8: {error}"))
    }

    /// The body, read as JSON.
    ///
    /// # Panics
    /// When the body has another shape.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("the body of {self}: {error}"))
    }
}

impl fmt::Display for SentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)?;
        match (self.body.len(), std::str::from_utf8(&self.body)) {
            (0, _) => Ok(()),
            (..=200, Ok(text)) => write!(f, " with {text}"),
            (bytes, _) => write!(f, " with {bytes} bytes"),
        }
    }
}
