//! Counts and traces the outgoing requests of extensions.
//!
//! A transport between `ctx.http()` and the network. Hosts are counted by kind, never by name: there may be any
//! number of names, and some identify the user.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::StatusCode;
use tracing::{Instrument, Span};

use super::meters::{HostKind, HttpOutcome, Meters, RequestMeter};
use crate::context::{
    BodyStream, Exchange, HttpError, HttpErrorKind, OpenResponse, OutgoingRequest, Pending, Response, Transport,
};
use crate::trace;

/// A transport that counts.
#[derive(Debug)]
pub(super) struct MeteredTransport {
    transport: Arc<dyn Transport>,
    meters: Arc<Meters>,
}

impl MeteredTransport {
    pub(super) fn new(transport: Arc<dyn Transport>, meters: Arc<Meters>) -> Self {
        Self { transport, meters }
    }
}

impl Transport for MeteredTransport {
    fn exchange(&self, mut outgoing: OutgoingRequest) -> Exchange<'_> {
        Box::pin(async move {
            let mut measured = Measured::begin(&self.meters, &mut outgoing);
            let answer = self.transport.exchange(outgoing).instrument(measured.span.span.clone()).await;
            measured.end(answer.as_ref().map(Response::status));
            answer
        })
    }

    /// A response that is read as it comes is measured up to its end.
    fn open(&self, mut outgoing: OutgoingRequest) -> Pending<'_, OpenResponse> {
        Box::pin(async move {
            let mut measured = Measured::begin(&self.meters, &mut outgoing);
            match self.transport.open(outgoing).instrument(measured.span.span.clone()).await {
                Ok(OpenResponse { status, headers, body, .. }) => {
                    let body = MeasuredBody { body, status, measured };
                    Ok(OpenResponse::over(status, headers, Box::pin(body)))
                }
                Err(error) => {
                    measured.end(Err(&error));
                    Err(error)
                }
            }
        })
    }
}

/// One request under measurement. Dropped without an end, it was aborted.
struct Measured {
    span: RequestSpan,
    meter: RequestMeter,
}

impl Measured {
    fn begin(meters: &Arc<Meters>, outgoing: &mut OutgoingRequest) -> Self {
        let (resent, traced) = (outgoing.resent, outgoing.traced);
        let span = RequestSpan::new(trace::outgoing(&mut outgoing.request, resent, traced));
        Self { span, meter: meters.request(host_kind(outgoing.request.url().host_str().unwrap_or_default())) }
    }

    fn end(&mut self, ended: Result<StatusCode, &HttpError>) {
        self.meter.outcome = match ended {
            Ok(status) => match status.as_u16() / 100 {
                1 => HttpOutcome::Informational,
                2 => HttpOutcome::Success,
                3 => HttpOutcome::Redirect,
                4 => HttpOutcome::Refused,
                _ => HttpOutcome::Failed,
            },
            Err(error) => match error.kind() {
                HttpErrorKind::Timeout => HttpOutcome::Timeout,
                HttpErrorKind::Decode | HttpErrorKind::TooLarge => HttpOutcome::Decode,
                HttpErrorKind::Stopped => HttpOutcome::Aborted,
                _ => HttpOutcome::Connect,
            },
        };
        self.span.ended = ended.map_err(|_| self.meter.outcome);
    }
}

/// A body under measurement.
struct MeasuredBody {
    body: BodyStream,
    status: StatusCode,
    measured: Measured,
}

impl Stream for MeasuredBody {
    type Item = Result<Bytes, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.body.poll_next_unpin(cx);
        let status = self.status;
        match &next {
            Poll::Pending | Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(None) => self.measured.end(Ok(status)),
            Poll::Ready(Some(Err(error))) => self.measured.end(Err(error)),
        }
        next
    }
}

/// The span of one request. When it is dropped without a result, the request was aborted.
struct RequestSpan {
    span: Span,
    ended: Result<StatusCode, HttpOutcome>,
}

impl RequestSpan {
    fn new(span: Span) -> Self {
        Self { span, ended: Err(HttpOutcome::Aborted) }
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        let failed = |error: &str| {
            self.span.record("error.type", error);
            self.span.record("otel.status_code", "ERROR");
        };
        match self.ended {
            Ok(status) => {
                self.span.record("http.response.status_code", i64::from(status.as_u16()));
                if status.is_client_error() || status.is_server_error() {
                    failed(status.as_str());
                }
            }
            Err(outcome) => failed(outcome.as_str()),
        }
    }
}

/// The kind of a host. Names are not resolved.
fn host_kind(name: &str) -> HostKind {
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match address.map(|address| address.to_canonical()) {
        Ok(address) if address.is_loopback() => HostKind::Loopback,
        Ok(IpAddr::V4(address)) if address.is_private() || address.is_link_local() => HostKind::Private,
        Ok(IpAddr::V6(address)) if address.is_unique_local() || address.is_unicast_link_local() => HostKind::Private,
        Err(_) => match name.rsplit('.').next() {
            Some("localhost") => HostKind::Loopback,
            // A name without a dot is a host of the local network.
            Some("internal" | "local") => HostKind::Private,
            Some(all) if all == name => HostKind::Private,
            _ => HostKind::Public,
        },
        Ok(_) => HostKind::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_classified_by_name_and_address() {
        let kinds = [
            ("127.0.0.1", HostKind::Loopback),
            ("[::1]", HostKind::Loopback),
            ("[::ffff:127.0.0.1]", HostKind::Loopback),
            ("localhost", HostKind::Loopback),
            ("10.1.2.3", HostKind::Private),
            ("169.254.169.254", HostKind::Private),
            ("[fd00::1]", HostKind::Private),
            ("database", HostKind::Private),
            ("metadata.google.internal", HostKind::Private),
            ("api.example.com", HostKind::Public),
            ("93.184.215.14", HostKind::Public),
        ];
        for (name, kind) in kinds {
            assert_eq!(host_kind(name), kind, "{name}");
        }
    }
}
