//! Counts and traces the outgoing requests of extensions.
//!
//! A transport between `ctx.http()` and the network. Hosts are counted by kind, never by name: there may be any
//! number of names, and some identify the user.

use std::net::IpAddr;
use std::sync::Arc;

use reqwest::StatusCode;
use tracing::{Instrument, Span};

use super::meters::{HostKind, HttpOutcome, Meters};
use crate::context::{Exchange, HttpErrorKind, OutgoingRequest, Response, Transport};
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
            let (resent, traced) = (outgoing.resent, outgoing.traced);
            let mut request = RequestSpan::new(trace::outgoing(&mut outgoing.request, resent, traced));
            let mut meter = self.meters.request(host_kind(outgoing.request.url().host_str().unwrap_or_default()));
            let answer = self.transport.exchange(outgoing).instrument(request.span.clone()).await;
            meter.outcome = match &answer {
                Ok(answer) => match answer.status().as_u16() / 100 {
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
            request.ended = answer.as_ref().map(Response::status).map_err(|_| meter.outcome);
            answer
        })
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
