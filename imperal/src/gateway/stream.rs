//! `GET /v1/events/stream`: every event once, in order, without gaps.
//!
//! Events are read from the ledger; the feed only signals that there are new ones. A client that reconnects with the
//! number of its last event continues there, after any outage and on any node. If retention has deleted events in
//! between, the event `pruned` says so. A client that does not read slows down only its own stream: the server holds
//! one batch of 256 KiB (or one event that is larger) and what the connection has taken of the batch before.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::json;

use super::Gateway;
use super::api_error::ApiError;
use super::auth::{SignInExpiry, SignedIn};
use super::body::Query;
use super::draft_cursor::DraftCursor;
use super::limits::OpenStream;
use crate::ledger::{DraftPiece, Event, EventBody, FeedSignal, PageLimit, Subscription};
use crate::platform::{Access, EventsSince, Meters, Sent};
use crate::trace::TARGET;

/// Read at once and held until it is sent.
const BATCH: PageLimit = PageLimit::rows(200).bytes(256 << 10);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The event to continue after.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamQuery {
    after: Option<u64>,
}

struct EventCursor {
    access: Access,
    subscription: Subscription,
    seen: u64,
    drafts: DraftCursor,
    ready: VecDeque<SseEvent>,
    /// The ledger may hold events that were not read yet.
    behind: bool,
    closing: tokio_util::sync::CancellationToken,
    meters: Arc<Meters>,
    /// Covers the stream from start to end.
    span: tracing::Span,
    sent: i64,
    /// The stream ends with the token or session that opened it.
    end: Arc<SignInExpiry>,
    _open: OpenStream,
}

impl Drop for EventCursor {
    fn drop(&mut self) {
        self.span.record("events", self.sent);
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
    let hello = SseEvent::default().event("hello").data(json!({ "head": head }).to_string());
    let meters = gateway.platform.meters().clone();
    meters.streams_open.up();
    meters.streams_opened.inc();
    let cursor = EventCursor {
        subscription,
        // A number beyond the head belongs to another ledger: `hello` shows it, and the stream starts at the head.
        seen: resume.map_or(head, |seen| seen.min(head)),
        drafts: DraftCursor::new(),
        ready: VecDeque::from([hello]),
        behind: true,
        closing: gateway.closing.clone(),
        meters,
        span: tracing::debug_span!(target: TARGET, "stream", events = tracing::field::Empty),
        sent: 0,
        end: Arc::new(end),
        _open: open,
        access,
    };
    let sse = Sse::new(events(cursor)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    // A proxy that buffers would delay events.
    Ok(([("x-accel-buffering", "no")], sse).into_response())
}

fn events(cursor: EventCursor) -> impl Stream<Item = Result<SseEvent, Infallible>> {
    stream::unfold(cursor, |mut cursor| async move {
        let next = cursor.next_until_closed().await?;
        cursor.sent += 1;
        Some((Ok(next), cursor))
    })
}

impl EventCursor {
    /// The next event. `None` when the process stops or the sign-in has ended.
    async fn next_until_closed(&mut self) -> Option<SseEvent> {
        let (closing, end) = (self.closing.clone(), self.end.clone());
        tokio::select! {
            biased;
            () = closing.cancelled() => None,
            () = end.wait() => None,
            next = self.next() => next,
        }
    }

    /// The next event. `None` ends the stream; the client reconnects with its last number.
    async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.behind {
                let batch = match self.access.events_since(self.seen, BATCH).await {
                    Ok(EventsSince::Events(batch)) => batch,
                    Ok(EventsSince::Pruned(floor)) => {
                        // The client learns of the gap, and reads the chat's history instead.
                        let data = json!({ "after": self.seen, "pruned": floor }).to_string();
                        self.seen = floor;
                        self.meters.sent(Sent::Pruned);
                        return Some(SseEvent::default().event("pruned").id(floor.to_string()).data(data));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a stream ended because its events could not be read");
                        return None;
                    }
                };
                self.behind = batch.more;
                for event in batch {
                    self.seen = event.seq;
                    if let EventBody::Turn(turn) = &event.body {
                        self.drafts.end(&turn.body.drafts);
                    }
                    self.ready.push_back(render(&event)?);
                    self.meters.sent(match event.body {
                        EventBody::Turn(_) => Sent::Turn,
                        EventBody::Task(_) => Sent::Task,
                    });
                }
                continue;
            }
            if self.drafts.is_behind() {
                match self.drafts.catch_up(&self.access).await {
                    Ok(Some(piece)) => return self.draft(&piece),
                    Ok(None) => continue,
                    Err(error) => {
                        tracing::warn!(%error, "a stream ended because a draft could not be read");
                        return None;
                    }
                }
            }
            match self.subscription.next().await {
                FeedSignal::Events => self.behind = true,
                FeedSignal::Missed => {
                    self.behind = true;
                    self.drafts.look_again();
                }
                FeedSignal::Draft(piece) => {
                    if let Some(piece) = self.drafts.follow(&piece) {
                        return self.draft(&piece);
                    }
                }
                FeedSignal::Progress(progress) => {
                    let data = serde_json::to_string(&*progress).ok()?;
                    self.meters.sent(Sent::Progress);
                    return Some(SseEvent::default().event("progress").data(data));
                }
            }
        }
    }
}

impl EventCursor {
    /// A piece of a draft. It has no number: a client that connects again gets the drafts from their beginning, and knows
    /// by the offsets what it has.
    fn draft(&self, piece: &DraftPiece) -> Option<SseEvent> {
        self.meters.sent(Sent::Draft);
        Some(SseEvent::default().event("draft").data(serde_json::to_string(piece).ok()?))
    }
}

fn render(event: &Event) -> Option<SseEvent> {
    let (kind, data) = match &event.body {
        EventBody::Turn(turn) => ("turn", serde_json::to_string(turn)),
        EventBody::Task(task) => ("task", serde_json::to_string(task)),
    };
    match data {
        Ok(data) => Some(SseEvent::default().event(kind).id(event.seq.to_string()).data(data)),
        Err(error) => {
            tracing::error!(%error, seq = event.seq, "an event could not be written as JSON");
            None
        }
    }
}
