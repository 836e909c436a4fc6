//! `GET /v1/events/stream`: every event once, in order, without gaps.
//!
//! Events are read from the ledger; the feed only signals that there are new ones. A client that reconnects with the
//! number of its last event continues there, after any outage and on any node. If retention has deleted events in
//! between, the event `pruned` says so. A client that does not read slows down only its own stream: the server holds
//! one batch of 256 KiB (or one event that is larger) and what the connection has taken of the batch before. The streams
//! of a user share a batch that they need at the same time, and the bytes of a report.

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use super::Gateway;
use super::api_error::ApiError;
use super::auth::SignedIn;
use super::body::Query;
use super::connection::Deadline;
use super::crowd::{CrowdMember, NextEvents, frame};
use super::draft_cursor::DraftCursor;
use super::limits::OpenStream;
use crate::ledger::{DraftPiece, FeedSignal, Subscription};
use crate::platform::{Meters, Sent};
use crate::trace::TARGET;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A comment, which clients ignore.
const KEEP_ALIVE_FRAME: &[u8] = b":\n\n";

/// The event to continue after.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamQuery {
    after: Option<u64>,
}

struct EventCursor {
    member: CrowdMember,
    subscription: Subscription,
    seen: u64,
    /// Number of the signal as of which the events up to `seen` are all there are.
    as_of: Option<u64>,
    drafts: DraftCursor,
    hello: Option<Bytes>,
    meters: Arc<Meters>,
    /// Covers the stream from start to end.
    span: tracing::Span,
    sent: u64,
    _open: OpenStream,
}

impl Drop for EventCursor {
    fn drop(&mut self) {
        self.span.record("events", i64::try_from(self.sent).unwrap_or(i64::MAX));
        self.meters.streams_open.down();
    }
}

pub(super) async fn stream(
    SignedIn { access, end, .. }: SignedIn,
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    Query(query): Query<StreamQuery>,
) -> Result<Response, ApiError> {
    // A reconnecting browser sends the header, which has the newer number.
    let resume = match super::headers::text(&headers, &LAST_EVENT_ID)? {
        None => query.after,
        Some(text) => Some(
            text.parse()
                .map_err(|_| ApiError::malformed("The header Last-Event-Id must be the number of an event."))?,
        ),
    };
    let open = gateway.limiter.open_stream(access.user())?;
    let subscription = access.subscribe();
    let head = access.head().await?;
    let meters = gateway.platform.meters().clone();
    meters.streams_open.up();
    meters.streams_opened.inc();
    let cursor = EventCursor {
        member: gateway.crowds.join(access),
        subscription,
        // A number beyond the head belongs to another ledger: `hello` shows it, and the stream starts at the head.
        seen: resume.map_or(head, |seen| seen.min(head)),
        as_of: None,
        drafts: DraftCursor::new(),
        hello: Some(frame("hello", None, json!({ "head": head }).to_string().as_bytes())),
        meters,
        span: tracing::debug_span!(target: TARGET, "stream", events = tracing::field::Empty),
        sent: 0,
        _open: open,
    };
    let closing = gateway.closing.clone();
    // The process stops, or the token or session that opened the stream ends.
    let over = async move {
        tokio::select! {
            biased;
            () = closing.cancelled() => {}
            () = end.wait() => {}
        }
    };
    let events = KeptAlive { events: Box::pin(frames(cursor).take_until(over)), silence: Deadline::default() };
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        // A proxy that buffers would delay events.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(events.map(Ok::<_, Infallible>))).into_response())
}

fn frames(cursor: EventCursor) -> impl Stream<Item = Bytes> {
    stream::unfold(cursor, |mut cursor| async move {
        let next = cursor.next().await?;
        Some((next, cursor))
    })
}

/// Adds a comment after a silence, so that proxies keep the connection.
struct KeptAlive<S> {
    events: Pin<Box<S>>,
    silence: Deadline,
}

impl<S: Stream<Item = Bytes>> Stream for KeptAlive<S> {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = &mut *self;
        let next = this.events.as_mut().poll_next(cx);
        if next.is_pending() {
            if !this.silence.is_set() {
                this.silence.set(Instant::now() + KEEP_ALIVE);
            }
            if !this.silence.poll_passed(cx) {
                return Poll::Pending;
            }
        }
        this.silence.clear();
        if next.is_pending() { Poll::Ready(Some(Bytes::from_static(KEEP_ALIVE_FRAME))) } else { next }
    }
}

impl EventCursor {
    /// The next events. `None` ends the stream; the client reconnects with its last number.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(hello) = self.hello.take() {
            self.sent += 1;
            return Some(hello);
        }
        loop {
            if self.is_behind() {
                // Boxed, as the next one: an idle stream keeps no room for reads.
                let read = Box::pin(self.member.next_events(self.seen, self.subscription.heard()));
                let (events, as_of) = read.await;
                match events {
                    NextEvents::Batch(batch) => {
                        self.as_of = (!batch.more).then_some(as_of);
                        self.drafts.end(&batch.ended_drafts);
                        let Some(last) = batch.last else { continue };
                        self.seen = last;
                        self.sent += batch.turns + batch.tasks;
                        self.meters.sent_many(Sent::Turn, batch.turns);
                        self.meters.sent_many(Sent::Task, batch.tasks);
                        return Some(batch.frames.clone());
                    }
                    NextEvents::Pruned(floor) => {
                        // The client learns of the gap, and reads the chat's history instead.
                        let data = json!({ "after": self.seen, "pruned": floor }).to_string();
                        self.seen = floor;
                        return Some(self.count(Sent::Pruned, frame("pruned", Some(floor), data.as_bytes())));
                    }
                    NextEvents::Failed => return None,
                }
            }
            if self.drafts.is_behind() {
                let caught_up = Box::pin(self.drafts.catch_up(self.member.access())).await;
                match caught_up {
                    Ok(Some(piece)) => return Some(self.count(Sent::Draft, draft_frame(&piece))),
                    Ok(None) => continue,
                    Err(error) => {
                        tracing::warn!(%error, "a stream ended because a draft could not be read");
                        return None;
                    }
                }
            }
            match self.subscription.next().await {
                FeedSignal::Events => {}
                FeedSignal::Missed => self.drafts.look_again(),
                FeedSignal::Draft(piece) => match self.drafts.follow(&piece) {
                    // All of it is new, as for most of the user's other streams.
                    Some(Cow::Borrowed(_)) => return Some(self.count(Sent::Draft, piece.rendered(draft_frame))),
                    Some(Cow::Owned(news)) => return Some(self.count(Sent::Draft, draft_frame(&news))),
                    None => {}
                },
                FeedSignal::Progress(progress) => {
                    let frame = progress.rendered(|progress| json_frame("progress", progress));
                    return Some(self.count(Sent::Progress, frame));
                }
            }
        }
    }

    /// Whether the ledger may have events that were not read yet.
    fn is_behind(&self) -> bool {
        self.as_of.is_none_or(|as_of| as_of < self.subscription.heard())
    }

    fn count(&mut self, what: Sent, frame: Bytes) -> Bytes {
        self.sent += 1;
        self.meters.sent(what);
        frame
    }
}

/// A piece of a draft. It has no number: a client that connects again gets the drafts from their beginning, and knows by
/// the offsets what it has.
fn draft_frame(piece: &DraftPiece) -> Bytes {
    json_frame("draft", piece)
}

fn json_frame(event: &str, value: &impl Serialize) -> Bytes {
    // Cannot fail: their keys are strings.
    frame(event, None, &serde_json::to_vec(value).unwrap_or_default())
}
