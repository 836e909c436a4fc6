//! Sends spans by OTLP over HTTP, configured by the standard `OTEL_*` variables.
//!
//! A process sends spans if `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` names
//! a collector, or if `OTEL_TRACES_EXPORTER` is `otlp`; never if `OTEL_SDK_DISABLED` is `true`. A
//! collector that cannot be reached costs spans and a line in the log, never a call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{InstrumentationScope, KeyValue, global};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider};
use percent_encoding::percent_decode_str;
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::registry::LookupSpan;

use super::TARGET;
use super::collector::{Collector, Told};
use super::screen::Screened;

/// How long sending the last spans may take when the process ends.
const LAST_EXPORT_TIMEOUT: Duration = Duration::from_secs(3);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Variables for which the SDK silently uses its default if they are not a number.
const NUMERIC_VARIABLES: [&str; 9] = [
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
    "OTEL_BSP_EXPORT_TIMEOUT",
];

static EXPORTING: AtomicBool = AtomicBool::new(false);

/// Whether this process sends spans.
pub(crate) fn is_on() -> bool {
    EXPORTING.load(Ordering::Relaxed)
}

/// The instrumentation scope of all spans.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("imperal").with_version(env!("CARGO_PKG_VERSION")).build()
}

/// The exporter of this process.
#[derive(Debug)]
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts the exporter; `None` if the environment asks for no traces.
    ///
    /// # Errors
    /// A sentence that names the variable with an unusable value, and the values that work.
    pub(crate) fn start(service: &str, version: &str, runtime: &Handle) -> Result<Option<Self>, String> {
        if let Some(name) = unreadable() {
            return Err(format!("{name} is not UTF-8; set it again or unset it"));
        }
        if !asked()? {
            return Ok(None);
        }
        say_what_is_ignored();
        let collector = Collector::new(timeout(), runtime)?;
        let why = collector.why();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(protocol()?)
            .with_http_client(collector)
            .build()
            .map_err(|error| format!("traces cannot be sent: {error}"))?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(service, version))
            .with_span_processor(Screened(BatchSpanProcessor::builder(Told::new(exporter, why)).build()))
            .build();
        global::set_tracer_provider(provider.clone());
        if !said("OTEL_PROPAGATORS") || variable("OTEL_PROPAGATORS").split(',').any(|way| way.trim() == "tracecontext")
        {
            global::set_text_map_propagator(TraceContextPropagator::new());
        }
        EXPORTING.store(true, Ordering::Relaxed);
        Ok(Some(Self(provider)))
    }

    /// Exports spans of level INFO and above and the platform's own. The extension's log lines become
    /// events of the span that they are in.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let all = Targets::new().with_default(LevelFilter::INFO).with_target(TARGET, LevelFilter::DEBUG);
        // Exporting the exporter's own events would never end.
        let all = all.with_target("opentelemetry", LevelFilter::OFF);
        // The platform's log lines hold the texts of errors, which are for the operator only.
        let own = |target: &str| target == "imperal" || target.starts_with("imperal::");
        let filter = all.and(filter_fn(move |of| of.is_span() || !own(of.target())));
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer_with_scope(scope()))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter)
    }

    /// Whether a line belongs in the log. The SDK's lines about each batch do not, since [`Told`] logs
    /// the transitions; nor do its lines about a successful start.
    pub(crate) fn is_news(of: &Metadata<'_>) -> bool {
        let left_out = ["TracerProvider.GlobalSet", "BatchSpanProcessor.Shutdown.Timeout"];
        let left_out = left_out.contains(&of.name()) || of.name().starts_with("Export.");
        !(left_out && of.target().starts_with("opentelemetry") && *of.level() <= Level::INFO)
    }

    /// Sends the remaining spans. Blocks for 3 s at most. Do not call it on a thread of the runtime.
    pub(crate) fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_EXPORT_TIMEOUT) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }

    /// This build sends traces, so there is nothing to explain.
    pub(crate) fn explain() {}
}

/// An `OTEL_*` variable that is not UTF-8, which the SDK would treat as unset.
fn unreadable() -> Option<String> {
    let names = std::env::vars_os().filter(|(_, value)| value.to_str().is_none()).map(|(name, _)| name);
    names.filter_map(|name| name.into_string().ok()).find(|name| name.starts_with("OTEL_"))
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

fn say_what_is_ignored() {
    for name in NUMERIC_VARIABLES.into_iter().filter(|name| said(name) && variable(name).parse::<u64>().is_err()) {
        tracing::warn!("{name} is `{}`, which is no number: the default holds", variable(name));
    }
    for name in ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"] {
        for name in [format!("OTEL_EXPORTER_OTLP_{name}"), format!("OTEL_EXPORTER_OTLP_TRACES_{name}")] {
            if said(&name) {
                tracing::warn!(
                    "{name} is not followed: the collector's certificate is checked as the system says, or SSL_CERT_FILE"
                );
            }
        }
    }
}

/// The resource: the extension's name and version, overridden by `OTEL_RESOURCE_ATTRIBUTES`, which
/// `OTEL_SERVICE_NAME` overrides. The SDK alone has the opposite order and leaves values percent-encoded.
fn resource(service: &str, version: &str) -> Resource {
    let own = [
        ("service.name", service.to_owned()),
        ("service.version", version.to_owned()),
        ("service.instance.id", uuid::Uuid::new_v4().to_string()),
    ];
    let own = own.map(|(name, value)| KeyValue::new(name, value));
    let named = Some(variable("OTEL_SERVICE_NAME")).filter(|name| !name.is_empty());
    let named = named.map(|name| KeyValue::new("service.name", name));
    let told = attributes(&variable("OTEL_RESOURCE_ATTRIBUTES"));
    Resource::builder().with_attributes(own.into_iter().chain(told).chain(named)).build()
}

/// Parses `name=value,name=value` with percent-encoded values.
fn attributes(told: &str) -> Vec<KeyValue> {
    let pairs = told.split(',').filter_map(|pair| pair.split_once('='));
    let decoded = |value: &str| percent_decode_str(value.trim()).decode_utf8_lossy().into_owned();
    pairs.map(|(name, value)| KeyValue::new(name.trim().to_owned(), decoded(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_resource_are_percent_decoded() {
        let read: Vec<_> = attributes(" team = a%20b%2Cc ,no-value,of=x=y,odd=%zz,")
            .into_iter()
            .map(|told| (told.key.to_string(), told.value.to_string()))
            .collect();
        let wanted = [("team", "a b,c"), ("of", "x=y"), ("odd", "%zz")];
        assert_eq!(read, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
