//! The responses of a rule, and their delays.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use super::{Chunks, SentRequest};
use crate::context::{HttpError, OpenResponse, Response};

/// The response of a scripted service, or its failure.
///
/// Delays run on the test's clock. On a paused clock they take no time.
#[derive(Clone)]
#[must_use = "give it to `.reply(..)` or `.replies([..])` of a rule"]
pub struct Reply {
    after: Duration,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Answer { status: StatusCode, headers: HeaderMap, body: Chunks },
    NoConnection,
    Hang,
    Made(Arc<dyn Fn(&SentRequest) -> Reply + Send + Sync>),
}

impl Reply {
    fn of(kind: Kind) -> Self {
        Self { after: Duration::ZERO, kind }
    }

    fn answer(status: StatusCode, content_type: Option<&'static str>, body: Bytes) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        Self::of(Kind::Answer { status, headers, body: body.into() })
    }

    /// 200 with a value as JSON.
    ///
    /// # Panics
    /// When the value cannot be written as JSON.
    #[track_caller]
    pub fn json(value: impl Serialize) -> Self {
        let body = serde_json::to_vec(&value).unwrap_or_else(|error| panic!("this value is not JSON: {error}"));
        Self::answer(StatusCode::OK, Some("application/json"), body.into())
    }

    /// 200 with text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::answer(StatusCode::OK, Some("text/plain; charset=utf-8"), text.into().into())
    }

    /// 200 with these bytes.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::answer(StatusCode::OK, None, bytes.into())
    }

    /// 200 with a body that comes in chunks, as `text/event-stream`. [`header`](Self::header) sets another
    /// `content-type`. A function that reads its answers whole gets the whole body.
    pub fn stream(chunks: Chunks) -> Self {
        let mut reply = Self::answer(StatusCode::OK, Some("text/event-stream"), Bytes::new());
        if let Kind::Answer { body, .. } = &mut reply.kind {
            *body = chunks;
        }
        reply
    }

    /// 200 with server-sent events, one for each text, and the end of the response after the last.
    pub fn events<T: AsRef<str>>(data: impl IntoIterator<Item = T>) -> Self {
        Self::stream(data.into_iter().fold(Chunks::new(), Chunks::event))
    }

    /// A status without a body.
    ///
    /// # Panics
    /// When the status does not exist.
    #[track_caller]
    pub fn status(status: u16) -> Self {
        Self::answer(StatusCode::OK, None, Bytes::new()).with_status(status)
    }

    /// A redirect: 301, 302, 303, 307 or 308 with a `location`.
    ///
    /// # Panics
    /// When the status does not exist, or the location is not a valid header value.
    #[track_caller]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::status(status).header("location", location)
    }

    /// The service cannot be reached.
    pub fn connect_error() -> Self {
        Self::of(Kind::NoConnection)
    }

    /// No response: the call runs into its timeout.
    pub fn hang() -> Self {
        Self::of(Kind::Hang)
    }

    /// A response that the closure makes from the request.
    pub fn with(make: impl Fn(&SentRequest) -> Reply + Send + Sync + 'static) -> Self {
        Self::of(Kind::Made(Arc::new(make)))
    }

    /// Replaces the status.
    ///
    /// # Panics
    /// When the status does not exist.
    #[track_caller]
    pub fn with_status(mut self, code: u16) -> Self {
        let wanted = StatusCode::from_u16(code).unwrap_or_else(|_| panic!("there is no status {code}"));
        if let Kind::Answer { status, .. } = &mut self.kind {
            *status = wanted;
        }
        self
    }

    /// Sets a header.
    ///
    /// # Panics
    /// When the name or value is not valid in a header.
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) else {
            panic!("`{name}: {value}` is not a header")
        };
        if let Kind::Answer { headers, .. } = &mut self.kind {
            headers.insert(name, value);
        }
        self
    }

    /// Delays the response by this time.
    pub fn after(mut self, time: Duration) -> Self {
        self.after = time;
        self
    }

    /// The result for a caller that reads its answer whole.
    pub(super) async fn given(
        self,
        request: &SentRequest,
        timeout: Duration,
        limit: usize,
    ) -> Result<Response, HttpError> {
        let answer = async {
            let (status, headers, body) = self.head(request).await?;
            if body.len() > limit {
                return Err(HttpError::too_large(limit));
            }
            let chunks: Vec<Bytes> = body.into_stream().try_collect().await?;
            Ok(Response::new(status, headers, chunks.concat().into()))
        };
        tokio::time::timeout(timeout, answer).await.unwrap_or_else(|_| Err(HttpError::timeout(timeout)))
    }

    /// The result for a caller that reads its answer as it comes. `kept` is dropped with the body.
    pub(super) async fn opened<K: Send + 'static>(
        self,
        request: &SentRequest,
        (timeout, silence): (Duration, Duration),
        limit: usize,
        kept: K,
    ) -> Result<OpenResponse, HttpError> {
        let head = tokio::time::timeout(timeout, self.head(request)).await;
        let (status, headers, body) = head.unwrap_or_else(|_| Err(HttpError::timeout(timeout)))?;
        let body = body.into_stream().map(move |chunk| {
            let _kept = &kept;
            chunk
        });
        Ok(OpenResponse::new((status, headers), body, silence, limit))
    }

    /// Waits for the head of the response.
    async fn head(self, request: &SentRequest) -> Result<(StatusCode, HeaderMap, Chunks), HttpError> {
        let mut reply = self;
        loop {
            tokio::time::sleep(reply.after).await;
            reply = match reply.kind {
                Kind::Answer { status, headers, body } => return Ok((status, headers, body)),
                Kind::NoConnection => return Err(HttpError::unreachable()),
                Kind::Hang => std::future::pending().await,
                Kind::Made(make) => make(request),
            };
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Answer { status, body, .. } => write!(f, "{status} with {} bytes", body.len())?,
            Kind::NoConnection => f.write_str("no connection")?,
            Kind::Hang => f.write_str("no answer")?,
            Kind::Made(_) => f.write_str("made from the request")?,
        }
        if self.after.is_zero() { Ok(()) } else { write!(f, " after {:?}", self.after) }
    }
}
