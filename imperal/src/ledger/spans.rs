//! Spans of the ledger's methods, from the request to the answer: waits, round trips and fsyncs
//! included.
//!
//! A write has a span. Periodic work (renewals, searches for orphans, reports of progress, checks)
//! has one only if it failed, took long or found something; otherwise it would be most of what an
//! idle node sends. Reads have none. A process that sends no traces pays for none of it.

use std::future::Future;
use std::time::{Duration, SystemTime};

use futures_util::{FutureExt, TryFutureExt};
use opentelemetry::trace::{Span as _, Status, Tracer};
use opentelemetry::{KeyValue, global};
use tracing::{Instrument, Span};

use super::contract::LedgerResult;
use super::{ClaimedTask, LedgerError, Orphan, Pruned, RenewalNews, SweptFiles, Work};
use crate::trace::{TARGET, is_on, scope};

/// Periodic work that takes longer than this has a span.
const SLOW: Duration = Duration::from_millis(250);

/// A write in a span. `work` is set for reclaimed work: its own span was cut off with its node, and
/// this says which it was.
pub(super) fn write<T: Send>(
    name: &'static str,
    work: Option<Work>,
    write: impl Future<Output = LedgerResult<T>> + Send,
) -> impl Future<Output = LedgerResult<T>> + Send {
    let span = if is_on() { write_span(name, work) } else { Span::none() };
    let recorded = span.clone();
    write.inspect_err(move |error| record_error(&recorded, error)).instrument(span)
}

fn write_span(name: &'static str, work: Option<Work>) -> Span {
    let span = tracing::debug_span!(
        target: TARGET,
        "ledger",
        otel.name = name,
        call = tracing::field::Empty,
        task = tracing::field::Empty,
        outcome = tracing::field::Empty,
        error.r#type = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    );
    match work {
        Some(Work::Call(call_id)) => span.record("call", tracing::field::display(call_id)),
        Some(Work::Task(attempt)) => span.record("task", tracing::field::display(attempt.task_id)),
        None => &span,
    };
    span
}

/// A refusal is no error of the span: a second reply to a call, for example, is an answer.
fn record_error(span: &Span, error: &LedgerError) {
    span.record("outcome", error.kind());
    if error.is_failure() {
        span.record("error.type", error.kind());
        span.record("otel.status_code", "ERROR");
    }
}

/// Periodic work.
pub(super) fn periodic<T: Findings + Send>(
    name: &'static str,
    _: Option<Work>,
    work: impl Future<Output = LedgerResult<T>> + Send,
) -> impl Future<Output = LedgerResult<T>> + Send {
    let begun = is_on().then(SystemTime::now);
    work.inspect(move |done| {
        if let Some(begun) = begun {
            report(name, begun, done.as_ref().map(Findings::findings));
        }
    })
}

fn report(name: &'static str, begun: SystemTime, found: Result<u64, &LedgerError>) {
    let count = found.unwrap_or_default();
    if found.is_ok() && count == 0 && begun.elapsed().is_ok_and(|took| took < SLOW) {
        return;
    }
    let tracer = global::tracer_with_scope(scope());
    let attributes = [KeyValue::new("count", i64::try_from(count).unwrap_or(i64::MAX))];
    let mut span = tracer.span_builder(name).with_start_time(begun).with_attributes(attributes).start(&tracer);
    if let Err(error) = found {
        span.set_attribute(KeyValue::new("outcome", error.kind()));
        span.set_attribute(KeyValue::new("error.type", error.kind()));
        span.set_status(Status::error(""));
    }
    span.end();
}

/// A read, which has no span.
pub(super) fn read<F: Future>(_: &'static str, _: Option<Work>, read: F) -> F {
    read
}

/// How much periodic work has found to do.
pub(super) trait Findings {
    fn findings(&self) -> u64;
}

impl Findings for () {
    fn findings(&self) -> u64 {
        0
    }
}

impl Findings for u64 {
    fn findings(&self) -> u64 {
        *self
    }
}

impl Findings for RenewalNews {
    fn findings(&self) -> u64 {
        (self.cancelled_tasks.len() + self.cancelled_calls.len()) as u64
    }
}

impl Findings for SweptFiles {
    fn findings(&self) -> u64 {
        self.deleted + self.due.len() as u64
    }
}

impl Findings for Vec<Orphan> {
    fn findings(&self) -> u64 {
        self.len() as u64
    }
}

impl Findings for Vec<ClaimedTask> {
    fn findings(&self) -> u64 {
        self.len() as u64
    }
}

impl Findings for Pruned {
    fn findings(&self) -> u64 {
        self.rows()
    }
}
