//! Sending spans by OTLP over HTTP, as the standard `OTEL_*` variables say.
//!
//! They are sent when `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` names a
//! collector, or `OTEL_TRACES_EXPORTER` is `otlp`; nothing is sent otherwise, nor when
//! `OTEL_SDK_DISABLED` is `true`. A collector that is out of reach costs spans and a line in the log,
//! never a call.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::global;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::registry::LookupSpan;

use super::TARGET;

/// How long the last spans may take when the process ends.
const PARTING: Duration = Duration::from_secs(3);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

static ON: AtomicBool = AtomicBool::new(false);

/// Whether this process sends spans.
pub(super) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Spans on their way to a collector.
#[derive(Debug)]
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// `None` when nobody asked for traces.
    ///
    /// # Errors
    /// A sentence that names the variable which cannot be followed, and what can.
    pub(crate) fn start(service: &str, version: &str, runtime: &Handle) -> Result<Option<Self>, String> {
        if !asked()? {
            return Ok(None);
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(protocol()?)
            .with_http_client(Collector::new(runtime)?)
            .build()
            .map_err(|error| format!("traces cannot be sent: {error}"))?;
        let mut resource = Resource::builder();
        if !said("OTEL_SERVICE_NAME") && !variable("OTEL_RESOURCE_ATTRIBUTES").contains("service.name=") {
            resource = resource.with_service_name(service.to_owned());
        }
        let instance = uuid::Uuid::new_v4().to_string();
        let of = [("service.version", version.to_owned()), ("service.instance.id", instance)];
        let of = of.into_iter().filter(|(name, _)| !variable("OTEL_RESOURCE_ATTRIBUTES").contains(&format!("{name}=")));
        let resource = resource.with_attributes(of.map(|(name, value)| opentelemetry::KeyValue::new(name, value)));
        let provider =
            SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build();
        global::set_tracer_provider(provider.clone());
        if !said("OTEL_PROPAGATORS") || variable("OTEL_PROPAGATORS").split(',').any(|way| way.trim() == "tracecontext")
        {
            global::set_text_map_propagator(TraceContextPropagator::new());
        }
        ON.store(true, Ordering::Relaxed);
        Ok(Some(Self(provider)))
    }

    /// Makes spans of level INFO and above, and the platform's own, into OpenTelemetry's; the
    /// extension's log lines become events of the span that they are in.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let all = Targets::new().with_default(LevelFilter::INFO).with_target(TARGET, LevelFilter::DEBUG);
        // What is said about sending is not sent: it would never end.
        let all = all.with_target("opentelemetry", LevelFilter::OFF);
        // The platform's lines are for the operator's eyes: they hold the texts of errors.
        let own = |target: &str| target == "imperal" || target.starts_with("imperal::");
        let filter = all.and(filter_fn(move |of| of.is_span() || !own(of.target())));
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("imperal"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter)
    }

    /// Sends what is left. Blocks, for a few seconds at most; not on a thread of the runtime.
    pub(crate) fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(PARTING) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }

    /// Nothing has to be explained where there are traces.
    pub(crate) fn explain() {}
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn said(name: &str) -> bool {
    !variable(name).is_empty()
}

fn asked() -> Result<bool, String> {
    if variable("OTEL_SDK_DISABLED").eq_ignore_ascii_case("true") {
        return Ok(false);
    }
    match &*variable("OTEL_TRACES_EXPORTER") {
        "none" => Ok(false),
        "otlp" => Ok(true),
        "" => Ok(said("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") || said("OTEL_EXPORTER_OTLP_ENDPOINT")),
        other => Err(format!("OTEL_TRACES_EXPORTER is `{other}`: this build sends `otlp`, or `none`")),
    }
}

fn protocol() -> Result<Protocol, String> {
    for name in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
        match &*variable(name) {
            "" => {}
            "http/protobuf" => break,
            other => {
                return Err(format!(
                    "{name} is `{other}`: this build speaks `http/protobuf`, which collectors take at port 4318"
                ));
            }
        }
    }
    Ok(Protocol::HttpBinary)
}

fn timeout() -> Duration {
    let names = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
    let millis = names.into_iter().find_map(|name| variable(name).parse().ok());
    millis.map_or(DEFAULT_TIMEOUT, Duration::from_millis)
}

/// The way to the collector. Spans are sent from a thread that is no runtime's: the request itself
/// runs on the process's.
#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    runtime: Handle,
}

impl Collector {
    fn new(runtime: &Handle) -> Result<Self, String> {
        crate::context::choose_cryptography();
        let client = reqwest::Client::builder()
            .timeout(timeout())
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| format!("traces cannot be sent: {error}"))?;
        Ok(Self { client, runtime: runtime.clone() })
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
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move { client.send_bytes(request).await });
        Box::pin(async move { sent.await? })
    }
}
