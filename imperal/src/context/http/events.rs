//! Server-sent events of a response. `sse-core` parses them; the limits and the end of the stream are decided here.

use std::fmt;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use sse_core::{SseDecoder, SseEvent};

use super::body::ResponseStream;
use crate::error::HttpError;

/// One server-sent event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerEvent {
    /// Its type: `message` unless the service named another.
    pub event: String,
    /// Its data. Several `data:` lines are joined by line feeds. Bytes that are not UTF-8 are U+FFFD.
    pub data: String,
    /// The latest `id:` of the stream, if any.
    pub id: Option<String>,
}

impl ServerEvent {
    /// Reads the data as JSON.
    ///
    /// # Errors
    /// [`HttpErrorKind::Decode`](crate::context::HttpErrorKind::Decode) if it is not JSON, or does not fit `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        crate::json::read(self.data.as_bytes())
            .map_err(|error| HttpError::decode(format!("the event is not the expected JSON: {error}")))
    }
}

/// The server-sent events of a response as they come. Made by
/// [`RequestBuilder::events`](super::RequestBuilder::events).
///
/// It is a [`Stream`] of events. Comments, such as those that keep a connection open, and unknown fields are passed
/// over; lines may end with LF, CR or CRLF, and a chunk may end anywhere, also within a character. Nothing connects
/// again by itself: `retry:` has no effect, and [`ServerEvent::id`] is yours to use.
///
/// `None` means that the service ended its response. If it marks its end, as many do with `[DONE]`, look for that mark:
/// a service that fails in the middle may end the response properly. An event without its blank line at the end of the
/// response is delivered, as some services leave that line out. A connection that breaks is an error
/// ([`HttpErrorKind::CutOff`](crate::context::HttpErrorKind::CutOff)), like every end in [`ResponseStream`].
///
/// ```
/// # use imperal::prelude::*;
/// # use serde_json::{Value, json};
/// # async fn work(ctx: Context) -> Result<String> {
/// let request = json!({"model": "small", "stream": true, "messages": [{"role": "user", "content": "Hello"}]});
/// let call = ctx.http().post("https://api.example.com/v1/chat/completions").json(&request);
/// let mut events = call.timeout(60).events().await?;
/// let mut text = String::new();
/// while let Some(event) = events.next_event().await? {
///     if event.data == "[DONE]" {
///         break;
///     }
///     let part: Value = event.json()?;
///     text.push_str(part["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
/// }
/// # Ok(text) }
/// ```
#[must_use = "nothing more is read of a response that is dropped"]
pub struct EventStream {
    response: ResponseStream,
    decoder: SseDecoder,
    unread: Bytes,
    ended: bool,
}

impl EventStream {
    pub(super) fn new(response: ResponseStream) -> Self {
        let limit = NonZeroUsize::new(response.event_limit).unwrap_or(NonZeroUsize::MIN);
        Self { response, decoder: SseDecoder::with_limit(limit), unread: Bytes::new(), ended: false }
    }

    /// The next event; `None` when the service ended its response. A dropped future loses no event.
    ///
    /// # Errors
    /// See [`ResponseStream`], and [`HttpErrorKind::TooLarge`](crate::context::HttpErrorKind::TooLarge) for an event over
    /// the [event limit](super::RequestBuilder::event_limit). After an error the stream has ended.
    pub async fn next_event(&mut self) -> Result<Option<ServerEvent>, HttpError> {
        self.next().await.transpose()
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The headers of the response.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Takes the next event out of the bytes that were read.
    fn decode(&mut self) -> Option<Result<ServerEvent, HttpError>> {
        loop {
            match self.decoder.next(&mut self.unread)? {
                Ok(SseEvent::Message(message)) => {
                    return Some(Ok(ServerEvent {
                        event: message.event.into_owned(),
                        data: message.data,
                        id: message.last_event_id.map(|id| id.as_ref().to_owned()),
                    }));
                }
                Ok(SseEvent::Retry(_)) => {}
                Err(_) => return Some(Err(HttpError::event_too_large(self.response.event_limit))),
            }
        }
    }
}

impl Stream for EventStream {
    type Item = Result<ServerEvent, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(event) = self.decode() {
                if event.is_err() {
                    self.close();
                }
                return Poll::Ready(Some(event));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match ready!(self.response.poll_next_unpin(cx)) {
                Some(Ok(chunk)) => self.unread = chunk,
                Some(Err(error)) => {
                    self.close();
                    return Poll::Ready(Some(Err(error)));
                }
                // The end of the response ends its last line and its last event.
                None => {
                    self.ended = true;
                    self.unread = Bytes::from_static(b"\n\n");
                }
            }
        }
    }
}

impl EventStream {
    fn close(&mut self) {
        self.ended = true;
        self.unread = Bytes::new();
        self.response.close();
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("response", &self.response).finish_non_exhaustive()
    }
}
