//! A response that is read as it comes.
//!
//! Owns the end of the reading by a cancel, the end of the work or of the step, and the sign of life that each chunk is.
//! Silence and the limit of bytes end it below, in the transport.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poll_, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, StatusCode, header};

use super::events::EventStream;
use super::transport::{BodyStream, OpenResponse};
use super::{Response, stopped};
use crate::context::{Context, EffectRequest, InFlight, StepScope, StopReason};
use crate::error::HttpError;

/// A response whose body is read as it comes. Made by [`RequestBuilder::stream`](super::RequestBuilder::stream).
///
/// It is a [`Stream`] of chunks, cut where the network cut them: a character or a line may be in two chunks. The body
/// ends with the first error: [`HttpErrorKind::Timeout`](crate::context::HttpErrorKind::Timeout) after too long a
/// silence, [`CutOff`](crate::context::HttpErrorKind::CutOff) if the connection breaks,
/// [`TooLarge`](crate::context::HttpErrorKind::TooLarge) past the body limit,
/// [`Stopped`](crate::context::HttpErrorKind::Stopped) by a cancel. Dropping it closes the connection.
///
/// ```
/// # use imperal::prelude::*;
/// # async fn work(ctx: Context) -> Result<()> {
/// let mut body = ctx.http().get("https://example.com/export.csv").stream().await?.error_for_status()?;
/// let mut lines = 0;
/// while let Some(chunk) = body.chunk().await? {
///     lines += chunk.iter().filter(|byte| **byte == b'\n').count();
/// }
/// # Ok(()) }
/// ```
#[must_use = "nothing more is read of a response that is dropped"]
pub struct ResponseStream {
    status: StatusCode,
    headers: HeaderMap,
    attempts: u32,
    pub(super) event_limit: usize,
    /// `None` once it has ended.
    open: Option<Open>,
}

struct Open {
    ctx: Context,
    body: BodyStream,
    stop: Pin<Box<dyn Future<Output = StopReason> + Send>>,
    _in_flight: Option<InFlight>,
}

impl ResponseStream {
    pub(super) fn new(
        ctx: &Context,
        answer: OpenResponse,
        event_limit: usize,
        effect: Option<&Arc<EffectRequest>>,
    ) -> Self {
        let OpenResponse { status, headers, body, attempts } = answer;
        let (watched, is_effect) = (ctx.clone(), effect.is_some());
        // As before the head: a cancel does not break off the request of an effect.
        let stop = Box::pin(async move {
            let signal = watched.signal();
            if is_effect { signal.over().await } else { signal.stopped().await }
        });
        let open = Open { ctx: ctx.clone(), body, stop, _in_flight: ctx.in_flight() };
        Self { status, headers, attempts, event_limit, open: Some(open) }
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

    /// Number of attempts: 1 without [`retry`](super::RequestBuilder::retry).
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The next bytes; `None` at the end of the body. A dropped future loses no bytes.
    ///
    /// # Errors
    /// See [`ResponseStream`]. After an error the body has ended.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        self.next().await.transpose()
    }

    /// Reads the rest of the body into memory: for the body of an error, say. The limits are those of the stream.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk).
    pub async fn read(mut self) -> Result<Response, HttpError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(Response::new(self.status, self.headers, body.into()).after(self.attempts))
    }

    /// Returns the response itself, unless its status is 4xx or 5xx. To read the body of such a response, look at
    /// [`status`](Self::status) and [`read`](Self::read) it.
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

    /// Reads the body as server-sent events, as [`RequestBuilder::events`](super::RequestBuilder::events) does.
    ///
    /// # Errors
    /// [`HttpErrorKind::Decode`](crate::context::HttpErrorKind::Decode) if the response says that it is something else.
    /// A response without a `content-type` is read.
    pub fn events(self) -> Result<EventStream, HttpError> {
        if let Some(kind) = self.headers.get(header::CONTENT_TYPE) {
            let kind = String::from_utf8_lossy(kind.as_bytes());
            let essence = kind.split(';').next().unwrap_or_default().trim();
            if !essence.eq_ignore_ascii_case("text/event-stream") {
                let essence: String = essence.chars().take(100).collect();
                return Err(HttpError::decode(format!(
                    "the answer is `{essence}` and not `text/event-stream`; `.stream()` reads an answer of any type"
                ))
                .after(self.attempts));
            }
        }
        Ok(EventStream::new(self))
    }

    pub(super) fn close(&mut self) {
        self.open = None;
    }
}

impl Open {
    fn poll_chunk(&mut self, cx: &mut Poll_<'_>) -> Poll<Option<Result<Bytes, HttpError>>> {
        if self.ctx.step_scope().is_some_and(StepScope::is_closed) {
            return Poll::Ready(Some(Err(HttpError::stopped("the step has ended"))));
        }
        if let Poll::Ready(reason) = self.stop.as_mut().poll(cx) {
            return Poll::Ready(Some(Err(stopped(reason))));
        }
        let next = self.body.poll_next_unpin(cx);
        if next.is_ready() {
            self.ctx.signal().touch();
        }
        next
    }
}

impl Stream for ResponseStream {
    type Item = Result<Bytes, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Poll_<'_>) -> Poll<Option<Self::Item>> {
        let Some(open) = &mut self.open else { return Poll::Ready(None) };
        let next = open.poll_chunk(cx);
        match &next {
            Poll::Pending | Poll::Ready(Some(Ok(_))) => {}
            // The connection closes now, and nothing is in flight any more.
            Poll::Ready(None | Some(Err(_))) => self.open = None,
        }
        next
    }
}

impl fmt::Debug for ResponseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseStream").field("status", &self.status).finish_non_exhaustive()
    }
}
