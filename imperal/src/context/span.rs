//! The tracing span of a call or task, and futures that run inside it.

use std::future::Future;

use tracing::{Instrument, Span};

/// The span of the call or task that a context belongs to.
#[derive(Debug, Clone)]
pub(crate) struct WorkSpan(Span);

impl WorkSpan {
    pub(crate) fn of(span: &Span) -> Self {
        Self(span.clone())
    }

    /// For work without a span.
    pub(crate) fn none() -> Self {
        Self(Span::none())
    }

    pub(crate) fn span(&self) -> &Span {
        &self.0
    }

    /// Runs a future inside the current span, or inside this one where there is none, as in a stray
    /// `tokio::spawn`.
    pub(crate) fn instrument<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        let current = Span::current();
        work.instrument(if current.is_none() { self.0.clone() } else { current })
    }
}
