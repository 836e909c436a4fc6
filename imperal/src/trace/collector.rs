//! Sends spans to the collector, and logs when that starts to fail and when it works again.
//!
//! Only these transitions are logged: a collector may be down for hours, with a batch every few
//! seconds.

use std::error::Error;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tokio::runtime::Handle;

use crate::error::root;
use crate::panic_text::panic_text;

/// Why the last request failed. The SDK reports every failure as `network error`.
#[derive(Debug, Clone, Default)]
pub(super) struct Why(Arc<Mutex<Option<String>>>);

impl Why {
    fn set(&self, why: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The HTTP client of the exporter. The SDK exports on a thread without a runtime, so requests run on
/// the process's runtime.
#[derive(Debug)]
pub(super) struct Collector {
    client: reqwest::Client,
    runtime: Handle,
    why: Why,
}

impl Collector {
    pub(super) fn new(timeout: Duration, runtime: &Handle) -> Result<Self, String> {
        crate::tls::choose_cryptography();
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| format!("traces cannot be sent: {error}"))?;
        Ok(Self { client, runtime: runtime.clone(), why: Why::default() })
    }

    pub(super) fn why(&self) -> Why {
        self.why.clone()
    }
}

impl HttpClient for Collector {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: http::Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let (client, why) = (self.client.clone(), self.why.clone());
        let sent = self.runtime.spawn(async move {
            let answer = client.send_bytes(request).await;
            why.set(answer.as_ref().err().and_then(|error| cause(&**error)));
            answer
        });
        Box::pin(async move { sent.await? })
    }
}

/// The innermost error. The outer ones repeat it and name the URL.
fn cause(error: &(dyn Error + 'static)) -> Option<String> {
    error.source().map(|source| root(source).to_string())
}

/// An exporter that logs transitions between working and failing.
#[derive(Debug)]
pub(super) struct Told<E> {
    exporter: E,
    why: Why,
    /// Spans lost since the last successful export.
    lost: AtomicUsize,
}

impl<E> Told<E> {
    pub(super) fn new(exporter: E, why: Why) -> Self {
        Self { exporter, why, lost: AtomicUsize::new(0) }
    }

    fn arrived(&self) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::info!(lost, "spans arrive at the collector again");
        }
    }

    fn failed(&self, spans: usize, error: OTelSdkError) {
        if self.lost.fetch_add(spans, Ordering::Relaxed) == 0 {
            let error = match error {
                OTelSdkError::InternalFailure(error) => error,
                error => error.to_string(),
            };
            let error = self.why.get().map_or_else(|| error.clone(), |why| format!("{error}: {why}"));
            tracing::warn!(error, "spans do not arrive at the collector and are lost; it is said when they do again");
        }
    }
}

impl<E: SpanExporter> SpanExporter for Told<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        // A panic would end the SDK's thread, and all later spans with it.
        match AssertUnwindSafe(self.exporter.export(batch)).catch_unwind().await {
            Ok(Ok(())) => self.arrived(),
            Ok(Err(error)) => self.failed(spans, error),
            Err(payload) => self.failed(spans, OTelSdkError::InternalFailure(panic_text(payload))),
        }
        // The log has it already.
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
