//! Connections: how many a node serves, and how long each may wait, send and read.
//!
//! A connection is HTTP/1.1. Before the head of a request is complete, the connection may be closed at any time to
//! make room for a new one. Invalid input before that point (too large a head, no HTTP, another version) is answered
//! here, because it reaches no route.

mod deadline;
mod file_limit;
mod permits;
mod phase;
mod raw_response;
mod socket;

use std::convert::Infallible;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::api_error::ApiError;
use crate::codes::{self, ErrorCode};
use crate::failpoint;
use crate::loops::LoopState;
use crate::panic_text::{log_excerpt, panic_text};
use crate::platform::{Cut, Meters, outside};
pub(super) use deadline::Deadline;
use permits::{ConnectionPermit, ConnectionPermits};
use phase::{ConnectionPhase, RequestBody, ResponseBody};
use socket::Socket;

/// Largest head of a request: request line and headers. Also the limit for trailers of a body.
const HEAD_LIMIT: usize = 32 * 1024;
/// Largest target of a request: path and query.
const TARGET_LIMIT: usize = 8 * 1024;
/// Most headers of a request.
const HEADERS: usize = 100;
/// Buffer per connection, for the request and for the response.
const BUFFER: usize = 64 * 1024;

/// Limits of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// Open connections. When absent: as many as the limit of open files allows, at most 10,000.
    pub connections: Option<usize>,
    /// From the first byte of a request to the end of its head, and from connecting to the first byte. 10 s.
    pub header_timeout: Duration,
    /// From the end of a response to the first byte of the next request. 75 s: longer than proxies keep a connection.
    pub idle_timeout: Duration,
    /// How long a client may read nothing of its response. 60 s.
    pub write_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: None,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(60),
        }
    }
}

impl ConnectionLimits {
    /// One sentence per value that is out of its range. Empty if the limits can be used.
    pub(crate) fn faults(&self) -> Vec<String> {
        let range = (Duration::from_millis(1), Duration::from_secs(24 * 3600));
        let mut faults: Vec<_> = [
            ("header_timeout (--header-timeout)", self.header_timeout),
            ("idle_timeout (--idle-timeout)", self.idle_timeout),
            ("write_timeout (--write-timeout)", self.write_timeout),
        ]
        .into_iter()
        .filter_map(|(name, time)| outside(name, time, range))
        .collect();
        if self.connections == Some(0) {
            faults.push("connections (--connections) is 0, so no client could connect; use 1 or more".to_owned());
        }
        faults
    }
}

/// Accepts connections and serves each in a task.
pub(super) struct Acceptor {
    app: Router,
    limits: ConnectionLimits,
    permits: Arc<ConnectionPermits>,
    meters: Arc<Meters>,
    state: Arc<LoopState>,
    /// Cancelled: no new connections and requests. Requests in progress are answered.
    closing: CancellationToken,
    /// Cancelled: open connections are closed.
    ended: CancellationToken,
    tracker: TaskTracker,
}

impl Acceptor {
    pub(super) fn new(
        app: Router,
        limits: ConnectionLimits,
        meters: Arc<Meters>,
        state: Arc<LoopState>,
        closing: CancellationToken,
        ended: CancellationToken,
    ) -> Self {
        let permits = ConnectionPermits::new(limits.connections.unwrap_or_else(file_limit::connections));
        Self { app, limits, permits: Arc::new(permits), meters, state, closing, ended, tracker: TaskTracker::new() }
    }

    /// Accepts until `closing`, then waits for the open connections.
    pub(super) async fn run(self, listener: TcpListener) {
        let accepting = || async {
            self.closing.run_until_cancelled(self.accept(&listener)).await;
        };
        self.state.run(&self.closing, accepting).await;
        drop(listener);
        self.tracker.close();
        self.tracker.wait().await;
    }

    async fn accept(&self, listener: &TcpListener) {
        let mut failures = AcceptFailures::default();
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) if is_the_clients(&error) => continue,
                Err(error) => {
                    failures.record(&error);
                    // The process has no free file descriptor: close an idle connection.
                    self.permits.close_longest_idle();
                    tokio::time::sleep(failures.backoff()).await;
                    continue;
                }
            };
            failures.clear();
            failpoint::hit("listener");
            let permit = self.permits.acquire().await;
            if permit.replaced_another() {
                self.meters.cut(Cut::Crowded);
                // Lets the closed connection's task release its file descriptor.
                tokio::task::yield_now().await;
            }
            self.serve(stream, permit);
        }
    }

    fn serve(&self, stream: TcpStream, permit: ConnectionPermit) {
        socket::prepare(&stream, self.limits.write_timeout);
        let (app, limits, meters) = (TowerToHyperService::new(self.app.clone()), self.limits, self.meters.clone());
        let (closing, ended) = (self.closing.clone(), self.ended.clone());
        meters.connections_open.up();
        self.tracker.spawn(async move {
            let phase = Arc::new(ConnectionPhase::new(permit));
            let serving = connection(stream, app, limits, &meters, &phase, &closing);
            let serving = async {
                let mut serving = pin!(serving);
                tokio::select! {
                    () = serving.as_mut() => return,
                    () = phase.permit().closed() => {}
                }
                // A request that arrived in the last moment gets a 503: it was not accepted.
                if !phase.is_before_a_request() {
                    serving.await;
                }
            };
            match AssertUnwindSafe(ended.run_until_cancelled(serving)).catch_unwind().await {
                Ok(Some(())) => {}
                Ok(None) => tracing::debug!("connection closed at shutdown"),
                Err(payload) => {
                    tracing::error!(panic = log_excerpt(&panic_text(payload)), "a connection panicked and was closed");
                }
            }
            meters.connections_open.down();
        });
    }
}

/// Serves one connection to its end.
async fn connection(
    stream: TcpStream,
    app: TowerToHyperService<Router>,
    limits: ConnectionLimits,
    meters: &Arc<Meters>,
    phase: &Arc<ConnectionPhase>,
    closing: &CancellationToken,
) {
    let socket = TokioIo::new(Socket::new(stream, limits, phase.clone(), meters.clone()));
    let service = service_fn(|request| answer(&app, phase, meters, request));
    let mut builder = http1::Builder::new();
    // The socket owns the timeouts: hyper's own cannot tell an idle connection from a partial request head.
    builder.header_read_timeout(None).max_headers(HEADERS).max_header_size(HEAD_LIMIT).max_buf_size(BUFFER);
    let mut serving = pin!(builder.serve_connection(socket, service));
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = closing.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Answers one request.
async fn answer(
    app: &TowerToHyperService<Router>,
    phase: &Arc<ConnectionPhase>,
    meters: &Meters,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let (taken, answering) = phase.answering();
    let request = request.map(|body| RequestBody::new(body, phase));
    let refused = if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > TARGET_LIMIT) {
        let text = format!("The address is longer than {TARGET_LIMIT} bytes. Send data in the body.");
        Some(ApiError::new(StatusCode::URI_TOO_LONG, codes::MALFORMED_REQUEST, text))
    } else if !taken || phase.permit().is_over_limit() && !is_probe(request.uri().path()) {
        let text = "This node serves its maximum of connections. Try again in a moment.";
        Some(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, codes::UNAVAILABLE, text))
    } else {
        None
    };
    let mut response = match refused {
        None => app.call(request.map(Body::new)).await.unwrap_or_else(|never| match never {}),
        Some(failure) => {
            let mut response = super::add_security_headers(failure.into_response()).await;
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
    };
    if !phase.body_has_ended() {
        // The client may still be sending. It must not reuse the connection, and a reset would lose it the response.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        phase.linger();
    }
    if let Some(code) = response.extensions_mut().remove::<ErrorCode>() {
        meters.refused(&code);
    }
    Ok(response.map(|body| ResponseBody::new(body, answering)))
}

/// Probes of operators are answered even when the node is at its limit.
fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/metrics")
}

/// Errors of a single connection that ended before it was accepted.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Logs once when accepting starts to fail and once when it works again. Waits longer after each failure.
#[derive(Debug, Default)]
struct AcceptFailures {
    failures: u32,
}

impl AcceptFailures {
    fn record(&mut self, error: &io::Error) {
        if self.failures == 0 {
            tracing::error!(%error, "connections cannot be accepted; raise the limit of open files, or lower --connections");
        }
        self.failures = self.failures.saturating_add(1);
    }

    fn backoff(&self) -> Duration {
        Duration::from_millis(10 << self.failures.min(6))
    }

    fn clear(&mut self) {
        if self.failures > 0 {
            tracing::warn!(failures = self.failures, "connections are accepted again");
            self.failures = 0;
        }
    }
}
