//! Traces: spans of requests, calls and tasks, and the trace context of incoming and outgoing requests.
//!
//! Owns the spans' names and attributes, W3C trace context, and (feature `otel`) the export by OTLP.
//! Spans are `tracing` spans, so spans in an extension's code are part of the same trace. Spans that only
//! traces need have the target [`TARGET`] and level DEBUG, so that they cost almost nothing in a process
//! that logs at level INFO.
//!
//! No span holds parameters, results, texts, the query of a URL, or the path of an outgoing request, because
//! each of them may contain a secret.

#[cfg(feature = "otel")]
mod collector;
#[cfg(feature = "otel")]
mod export;
#[cfg(not(feature = "otel"))]
mod off;
#[cfg(feature = "otel")]
mod request;
#[cfg(feature = "otel")]
mod screen;
#[cfg(feature = "otel")]
mod spans;

use tracing::Span;

#[cfg(feature = "otel")]
pub(crate) use export::{Traces, is_on, scope};
#[cfg(not(feature = "otel"))]
pub(crate) use off::*;
#[cfg(feature = "otel")]
pub(crate) use request::requests;
#[cfg(feature = "otel")]
pub(crate) use spans::{ended, link, named, send_along};

/// The target of spans that only traces need.
pub(crate) const TARGET: &str = "imperal::trace";

/// Creates the span of an outgoing request, with its host but without its path. `resent` is the number of
/// earlier attempts. If `traced`, the request gets the trace context in its headers.
pub(crate) fn outgoing(request: &mut reqwest::Request, resent: u32, traced: bool) -> Span {
    let url = request.url();
    let span = tracing::debug_span!(
        target: TARGET,
        "http",
        otel.name = request.method().as_str(),
        otel.kind = "client",
        http.request.method = request.method().as_str(),
        url.scheme = url.scheme(),
        server.address = url.host_str().unwrap_or_default().trim_matches(['[', ']']),
        server.port = url.port_or_known_default().map(i64::from),
        http.request.resend_count = (resent > 0).then(|| i64::from(resent)),
        http.response.status_code = tracing::field::Empty,
        error.r#type = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    );
    if traced {
        send_along(&span, request.headers_mut());
    }
    span
}
