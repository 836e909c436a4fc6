//! Keeps the values of secrets out of exported spans: of their names, attributes, events and states.
//!
//! It looks at a span when the span ends. The exporter comes seconds later, when the work may be gone that used the
//! values.

use std::borrow::Cow;
use std::time::Duration;

use opentelemetry::trace::Status;
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use crate::secrets::{process_has_secrets, screen_process_text};

/// A processor that gets spans without values.
#[derive(Debug)]
pub(super) struct Screened<P>(pub(super) P);

impl<P: SpanProcessor> SpanProcessor for Screened<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, mut span: SpanData) {
        if process_has_secrets() {
            screen(&mut span);
        }
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn screen(span: &mut SpanData) {
    screen_cow(&mut span.name);
    screen_values(&mut span.attributes);
    for event in &mut span.events.events {
        screen_cow(&mut event.name);
        screen_values(&mut event.attributes);
    }
    if let Status::Error { description } = &mut span.status {
        screen_cow(description);
    }
}

fn screen_cow(text: &mut Cow<'static, str>) {
    if let Cow::Owned(replaced) = screen_process_text(text) {
        *text = Cow::Owned(replaced);
    }
}

fn screen_values(values: &mut [KeyValue]) {
    let one = |text: &mut StringValue| {
        if let Cow::Owned(replaced) = screen_process_text(text.as_str()) {
            *text = replaced.into();
        }
    };
    for value in values {
        match &mut value.value {
            Value::String(text) => one(text),
            Value::Array(Array::String(texts)) => texts.iter_mut().for_each(one),
            _ => {}
        }
    }
}
