//! The phase of a connection.
//!
//! The socket sees bytes and the service sees requests. Both record it here, so that the socket knows which timeout
//! applies and the permits know which connections are idle.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::permits::ConnectionPermit;

/// Between two requests, or before the first.
const WAITING: u8 = 0;
/// A part of a request's head has arrived.
const READING: u8 = 1;
/// A request is being answered.
const ANSWERING: u8 = 2;
/// The response is complete and being sent.
const SENDING: u8 = 3;

/// The state of one connection.
#[derive(Debug)]
pub(super) struct ConnectionPhase {
    now: AtomicU8,
    linger: AtomicBool,
    /// The body of the current request has arrived completely.
    body_ended: AtomicBool,
    permit: ConnectionPermit,
}

impl ConnectionPhase {
    pub(super) fn new(permit: ConnectionPermit) -> Self {
        permit.mark_idle();
        Self { now: AtomicU8::new(WAITING), linger: AtomicBool::new(false), body_ended: AtomicBool::new(true), permit }
    }

    pub(super) fn permit(&self) -> &ConnectionPermit {
        &self.permit
    }

    /// Records that a request's head is complete. Returns whether the request may be accepted, which is false on a
    /// connection that was asked to close, and the guard of its response.
    pub(super) fn answering(self: &Arc<Self>) -> (bool, ResponseGuard) {
        let taken = self.permit.mark_busy();
        self.now.store(ANSWERING, Ordering::Relaxed);
        self.body_ended.store(false, Ordering::Relaxed);
        (taken, ResponseGuard(self.clone()))
    }

    /// Records arriving bytes. Returns whether they are the first of a request.
    pub(super) fn received(&self) -> bool {
        self.now.compare_exchange(WAITING, READING, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Records that everything was sent. Returns whether that ended a response.
    pub(super) fn flushed(&self) -> bool {
        let ended = self.now.compare_exchange(SENDING, WAITING, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if ended {
            self.permit.mark_idle();
        }
        ended
    }

    /// Whether no request is being answered and no response is being sent.
    pub(super) fn is_before_a_request(&self) -> bool {
        matches!(self.now.load(Ordering::Relaxed), WAITING | READING)
    }

    pub(super) fn is_reading(&self) -> bool {
        self.now.load(Ordering::Relaxed) == READING
    }

    /// Whether the request's body has been read completely.
    pub(super) fn body_has_ended(&self) -> bool {
        self.body_ended.load(Ordering::Relaxed)
    }

    /// Before it is closed, the connection reads what the client still sends, for a moment.
    pub(super) fn linger(&self) {
        self.linger.store(true, Ordering::Relaxed);
    }

    pub(super) fn lingers(&self) -> bool {
        self.linger.load(Ordering::Relaxed)
    }
}

/// Lives from the end of a request's head to the end of its response.
#[derive(Debug)]
pub(super) struct ResponseGuard(Arc<ConnectionPhase>);

impl Drop for ResponseGuard {
    fn drop(&mut self) {
        self.0.now.store(SENDING, Ordering::Relaxed);
    }
}

/// The body of a response. Its end is the end of the response.
#[derive(Debug)]
pub(super) struct ResponseBody {
    body: Body,
    _answering: ResponseGuard,
}

impl ResponseBody {
    pub(super) fn new(body: Body, answering: ResponseGuard) -> Self {
        Self { body, _answering: answering }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a request. Records when it was read completely.
#[derive(Debug)]
pub(super) struct RequestBody {
    body: Incoming,
    phase: Arc<ConnectionPhase>,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, phase: &Arc<ConnectionPhase>) -> Self {
        let sent = Self { body, phase: phase.clone() };
        sent.note();
        sent
    }

    fn note(&self) {
        if self.body.is_end_stream() {
            self.phase.body_ended.store(true, Ordering::Relaxed);
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match frame {
            Poll::Ready(None) => self.phase.body_ended.store(true, Ordering::Relaxed),
            _ => self.note(),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
