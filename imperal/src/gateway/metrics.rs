//! Counters in Prometheus' text form.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Gateway;

/// What the gateway counts itself.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: AtomicU64,
    calls_answered: AtomicU64,
    calls_failed: AtomicU64,
}

impl Streams {
    pub(super) fn open(self: &Arc<Self>) -> OpenStream {
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenStream(self.clone())
    }

    pub(super) fn count_call(&self, success: bool) {
        let counter = if success { &self.calls_answered } else { &self.calls_failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts a stream for as long as it lives.
#[derive(Debug)]
pub(super) struct OpenStream(Arc<Streams>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) async fn metrics(State(gateway): State<Gateway>) -> Response {
    let streams = &gateway.streams;
    let (calls, tasks) = gateway.platform.at_work();
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, rows: &[(&str, u64)]| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in rows {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    metric(
        "imperal_calls_total",
        "counter",
        "Calls answered over HTTP since the start.",
        &[
            ("{outcome=\"success\"}", streams.calls_answered.load(Ordering::Relaxed)),
            ("{outcome=\"error\"}", streams.calls_failed.load(Ordering::Relaxed)),
        ],
    );
    metric("imperal_calls_open", "gauge", "Calls whose handler is at work.", &[("", calls)]);
    metric("imperal_tasks_running", "gauge", "Background tasks at work on this node.", &[("", tasks)]);
    metric("imperal_streams_open", "gauge", "Live event streams.", &[("", streams.open.load(Ordering::Relaxed))]);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
