//! The parts of a span that `tracing` lacks: its name by function, links, status and trace context.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::KeyValue;
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::{Status, TraceContextExt};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::context::WorkSpan;

/// Names the span `KIND FUNCTION`.
pub(crate) fn named(span: &Span, kind: &str, function: &str) {
    let context = span.context();
    let span = context.span();
    if span.is_recording() {
        span.update_name(format!("{kind} {function}"));
    }
}

/// Links a span to the work it belongs to. It is not a child: the work's span may have ended.
pub(crate) fn link(span: &Span, to: &WorkSpan) {
    span.add_link(to.span().context().span().span_context().clone());
}

/// Records how the call or task ended.
pub(crate) fn ended(span: &WorkSpan, outcome: &'static str, failed: bool) {
    let context = span.span().context();
    let span = context.span();
    span.set_attribute(KeyValue::new("outcome", outcome));
    if failed {
        span.set_attribute(KeyValue::new("error.type", outcome));
        span.set_status(Status::error(""));
    }
}

/// Adds the trace context to a request's headers, unless the author has set one.
pub(crate) fn send_along(span: &Span, headers: &mut HeaderMap) {
    if headers.contains_key("traceparent") {
        return;
    }
    let context = span.context();
    opentelemetry::global::get_text_map_propagator(|way| way.inject_context(&context, &mut Outgoing(headers)));
}

struct Outgoing<'a>(&'a mut HeaderMap);

impl Injector for Outgoing<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value))
            && !value.is_empty()
        {
            self.0.insert(name, value);
        }
    }
}

/// Makes the span a part of the trace that the headers name, if they name one.
pub(super) fn continued(span: &Span, headers: &HeaderMap) {
    let context = opentelemetry::global::get_text_map_propagator(|way| way.extract(&Incoming(headers)));
    if context.span().span_context().is_valid() {
        // An error means that the span is not recorded.
        let _ = span.set_parent(context);
    }
}

struct Incoming<'a>(&'a HeaderMap);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
