//! Counts and traces what extensions ask of the network.
//!
//! Stands between `ctx.http()` and the network. A host is counted by its kind, never by its name:
//! there may be any number of them, and some say who the user is.

use std::net::IpAddr;
use std::sync::Arc;

use reqwest::StatusCode;
use tracing::{Instrument, Span};

use super::meters::{Host, HttpOutcome, Meters};
use crate::context::{Exchange, HttpErrorKind, Outgoing, Response, Transport};
use crate::trace;

/// A way to the network that counts.
#[derive(Debug)]
pub(super) struct MeteredTransport {
    way: Arc<dyn Transport>,
    meters: Arc<Meters>,
}

impl MeteredTransport {
    pub(super) fn new(way: Arc<dyn Transport>, meters: Arc<Meters>) -> Self {
        Self { way, meters }
    }
}

impl Transport for MeteredTransport {
    fn exchange(&self, mut outgoing: Outgoing) -> Exchange<'_> {
        Box::pin(async move {
            let (resent, traced) = (outgoing.resent, outgoing.traced);
            let mut asked = Asked::new(trace::outgoing(&mut outgoing.request, resent, traced));
            let mut meter = self.meters.request(host(outgoing.request.url().host_str().unwrap_or_default()));
            let answer = self.way.exchange(outgoing).instrument(asked.span.clone()).await;
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
            asked.ended = answer.as_ref().map(Response::status).map_err(|_| meter.outcome);
            answer
        })
    }
}

/// The span of one request. Dropped untold, the request was aborted.
struct Asked {
    span: Span,
    ended: Result<StatusCode, HttpOutcome>,
}

impl Asked {
    fn new(span: Span) -> Self {
        Self { span, ended: Err(HttpOutcome::Aborted) }
    }
}

impl Drop for Asked {
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

/// By its address, where the URL has one: names are not looked up for this.
fn host(name: &str) -> Host {
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match address.map(|address| address.to_canonical()) {
        Ok(address) if address.is_loopback() => Host::Loopback,
        Ok(IpAddr::V4(address)) if address.is_private() || address.is_link_local() => Host::Private,
        Ok(IpAddr::V6(address)) if address.is_unique_local() || address.is_unicast_link_local() => Host::Private,
        Err(_) => match name.rsplit('.').next() {
            Some("localhost") => Host::Loopback,
            // A name without a dot is of the local network.
            Some("internal" | "local") => Host::Private,
            Some(all) if all == name => Host::Private,
            _ => Host::Public,
        },
        Ok(_) => Host::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_apart_by_kind() {
        let kinds = [
            ("127.0.0.1", Host::Loopback),
            ("[::1]", Host::Loopback),
            ("[::ffff:127.0.0.1]", Host::Loopback),
            ("localhost", Host::Loopback),
            ("10.1.2.3", Host::Private),
            ("169.254.169.254", Host::Private),
            ("[fd00::1]", Host::Private),
            ("database", Host::Private),
            ("metadata.google.internal", Host::Private),
            ("api.example.com", Host::Public),
            ("93.184.215.14", Host::Public),
        ];
        for (name, kind) in kinds {
            assert_eq!(host(name), kind, "{name}");
        }
    }
}
