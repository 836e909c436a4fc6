//! The trait between `ctx.http()` and the network.
//!
//! A transport sends one request and reads one response, whole or as it comes. The callers above it handle timeout
//! rules, retries, redirects and cancels; [`AnyResponse`] is how they handle both shapes of a response.

use std::fmt::{self, Debug};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use http::{HeaderMap, StatusCode};

use super::Response;
use crate::error::HttpError;

/// Most bytes that are reserved for a body before it arrives.
const READ_AHEAD: usize = 1024 * 1024;

/// A request that is sent once.
#[derive(Debug)]
pub(crate) struct OutgoingRequest {
    /// The request. Its body, if any, is bytes in memory.
    pub(crate) request: reqwest::Request,
    /// Limit for the whole exchange, body included. Of a response that is read as it comes: for its head.
    pub(crate) timeout: Duration,
    /// Longest silence of the body of a response that is read as it comes.
    pub(crate) silence: Duration,
    /// Largest body to read.
    pub(crate) body_limit: usize,
    /// Number of earlier sends, redirects included.
    pub(crate) resent: u32,
    /// Whether it carries trace context. `false` after a redirect to another origin.
    pub(crate) traced: bool,
}

impl OutgoingRequest {
    /// A copy for another attempt; `None` if the body cannot be sent twice.
    pub(super) fn again(&self, resent: u32) -> Option<Self> {
        let Self { timeout, silence, body_limit, traced, .. } = *self;
        Some(Self { request: self.request.try_clone()?, timeout, silence, body_limit, resent, traced })
    }
}

/// A pending response.
pub(crate) type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, HttpError>> + Send + 'a>>;

/// A pending response with its whole body.
pub(crate) type Exchange<'a> = Pending<'a, Response>;

/// The bytes of a body as they come. Ends with the first error.
pub(crate) type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, HttpError>> + Send>>;

/// A response whose body is still to come. Dropping it closes the connection.
pub(crate) struct OpenResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: BodyStream,
    pub(super) attempts: u32,
}

impl OpenResponse {
    /// A response with this body, held to the longest silence and to the limit.
    pub(crate) fn new(
        (status, headers): (StatusCode, HeaderMap),
        body: impl Stream<Item = Result<Bytes, HttpError>> + Send + 'static,
        silence: Duration,
        limit: usize,
    ) -> Self {
        Self::over(status, headers, held_to(body, silence, limit))
    }

    /// A response with a body that is held to its limits already.
    pub(crate) fn over(status: StatusCode, headers: HeaderMap, body: BodyStream) -> Self {
        Self { status, headers, body, attempts: 1 }
    }
}

impl Debug for OpenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Ends a body with an error once it is silent for too long, or has more bytes than its limit.
fn held_to(
    body: impl Stream<Item = Result<Bytes, HttpError>> + Send + 'static,
    silence: Duration,
    limit: usize,
) -> BodyStream {
    let body: BodyStream = Box::pin(body);
    Box::pin(stream::try_unfold((body, 0_usize), move |(mut body, read)| async move {
        let next = tokio::time::timeout(silence, body.next()).await.map_err(|_| HttpError::silence(silence))?;
        let Some(chunk) = next.transpose()? else { return Ok(None) };
        let read = read.saturating_add(chunk.len());
        if read > limit { Err(HttpError::too_large(limit)) } else { Ok(Some((chunk, (body, read)))) }
    }))
}

/// Sends requests. Applies the timeout and the body limit. Dropping the exchange aborts it.
pub(crate) trait Transport: Debug + Send + Sync {
    /// Reads the whole response. The timeout covers the body.
    fn exchange(&self, outgoing: OutgoingRequest) -> Exchange<'_>;

    /// Reads the head of the response within the timeout.
    fn open(&self, outgoing: OutgoingRequest) -> Pending<'_, OpenResponse>;
}

/// A response of either shape, for the rules that look at its head.
pub(super) trait AnyResponse: Send + Sized {
    /// Sends a request and reads a response of this shape.
    fn receive(transport: &dyn Transport, outgoing: OutgoingRequest) -> Pending<'_, Self>;
    fn status(&self) -> StatusCode;
    fn headers(&self) -> &HeaderMap;
    fn after(self, attempts: u32) -> Self;
}

impl AnyResponse for Response {
    fn receive(transport: &dyn Transport, outgoing: OutgoingRequest) -> Pending<'_, Self> {
        transport.exchange(outgoing)
    }

    fn status(&self) -> StatusCode {
        self.status()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }

    fn after(self, attempts: u32) -> Self {
        self.after(attempts)
    }
}

impl AnyResponse for OpenResponse {
    fn receive(transport: &dyn Transport, outgoing: OutgoingRequest) -> Pending<'_, Self> {
        transport.open(outgoing)
    }

    fn status(&self) -> StatusCode {
        self.status
    }

    fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    fn after(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }
}

/// Sends requests over the network.
impl Transport for reqwest::Client {
    fn exchange(&self, outgoing: OutgoingRequest) -> Exchange<'_> {
        let OutgoingRequest { mut request, timeout, body_limit, .. } = outgoing;
        *request.timeout_mut() = Some(timeout);
        Box::pin(async move {
            let mut answer = self.execute(request).await.map_err(|error| HttpError::from_reqwest(error, timeout))?;
            let announced = announced(&answer, body_limit)?;
            // Does not reserve the whole announced length: the service may announce more than it sends.
            let mut body = Vec::with_capacity(announced.min(READ_AHEAD));
            while let Some(chunk) = answer.chunk().await.map_err(|error| HttpError::from_reqwest(error, timeout))? {
                if body.len() + chunk.len() > body_limit {
                    return Err(HttpError::too_large(body_limit));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Response::new(answer.status(), answer.headers().clone(), body.into()))
        })
    }

    fn open(&self, outgoing: OutgoingRequest) -> Pending<'_, OpenResponse> {
        let OutgoingRequest { request, timeout, silence, body_limit, .. } = outgoing;
        Box::pin(async move {
            let answer = tokio::time::timeout(timeout, self.execute(request)).await;
            let answer = answer.map_err(|_| HttpError::timeout(timeout))?;
            let answer = answer.map_err(|error| HttpError::from_reqwest(error, timeout))?;
            announced(&answer, body_limit)?;
            let head = (answer.status(), answer.headers().clone());
            Ok(OpenResponse::new(head, answer.bytes_stream().map_err(HttpError::cut_off), silence, body_limit))
        })
    }
}

/// The announced length of the body, if it is within the limit.
fn announced(answer: &reqwest::Response, body_limit: usize) -> Result<usize, HttpError> {
    let announced = answer.content_length().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    if announced > body_limit { Err(HttpError::too_large(body_limit)) } else { Ok(announced) }
}
