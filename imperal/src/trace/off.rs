//! The functions of this module in a build without traces: they do nothing.

use http::HeaderMap;
use tracing::Span;

use crate::context::WorkSpan;

pub(crate) fn named(_: &Span, _: &str, _: &str) {}

pub(crate) fn link(_: &Span, _: &WorkSpan) {}

pub(crate) fn ended(_: &WorkSpan, _: &'static str, _: bool) {}

pub(crate) fn send_along(_: &Span, _: &mut HeaderMap) {}

/// Sends nothing. A warning names a variable that asks for traces in vain.
#[cfg(feature = "platform")]
#[derive(Debug)]
pub(crate) struct Traces;

#[cfg(feature = "platform")]
#[expect(clippy::unused_self, reason = "as where there are traces")]
impl Traces {
    #[expect(clippy::unnecessary_wraps, reason = "as where there are traces")]
    pub(crate) fn start(_: &str, _: &str, _: &tokio::runtime::Handle) -> Result<Option<Self>, String> {
        Ok(None)
    }

    pub(crate) fn layer<S: tracing::Subscriber>(&self) -> impl tracing_subscriber::Layer<S> + use<S> {
        tracing_subscriber::layer::Identity::new()
    }

    pub(crate) fn is_news(_: &tracing::Metadata<'_>) -> bool {
        true
    }

    pub(crate) fn end(self) {}

    /// Logs the warning. Call it once the log is set up.
    pub(crate) fn explain() {
        let asked = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER"];
        let asked =
            asked.into_iter().find(|name| std::env::var(name).is_ok_and(|value| !["", "none"].contains(&&*value)));
        if let Some(name) = asked {
            tracing::warn!("{name} is set, but this build sends no traces: build with imperal's feature `otel`");
        }
    }
}
