//! Writes of the ledger as spans, from the asking to the answer: waits, round trips and fsyncs included.
//!
//! What is done by the clock (renewals, looks for orphans, reports of progress, checks) has a span only
//! when it failed, took long or found something: else it would be most of what an idle node sends.
//! Reads have none.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Span, Status, Tracer};
use opentelemetry::{KeyValue, global};
use tracing::Instrument;

use super::TARGET;
use super::export::{is_on, scope};
use crate::ids::{CallId, TaskId, TurnId};
use crate::ledger::{
    AuditEnds, AuditFilter, AuditRow, CallRecord, CancelAnswer, Event, Feed, Fut, Incarnation, Keep, Ledger,
    LedgerError, LedgerMeters, Limit, NewAudit, NewCall, NewTask, Orphan, Owner, Page, Progress, Pruned, Sender, Task,
    TaskEnd, TaskRecord, Turn, TurnBody,
};

/// From here on what is done by the clock took long.
const LONG: Duration = Duration::from_millis(250);

/// The ledger with spans, if this process sends any.
pub(crate) fn traced(ledger: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
    if is_on() { Arc::new(Traced(ledger)) } else { ledger }
}

#[derive(Debug)]
struct Traced(Arc<dyn Ledger>);

/// Whether an answer is a refusal, as a call's second reply is: no fault of the ledger.
fn is_fault(error: &LedgerError) -> bool {
    matches!(error, LedgerError::Unavailable(_) | LedgerError::Unsure(_) | LedgerError::Unusable(_))
}

/// In a few words, without the text that may name hosts.
fn kind(error: &LedgerError) -> &'static str {
    match error {
        LedgerError::Unavailable(_) => "unavailable",
        LedgerError::Unsure(_) => "unsure",
        LedgerError::Fenced => "fenced",
        LedgerError::Settled => "settled",
        LedgerError::Unknown => "unknown",
        LedgerError::TooEarly => "too_early",
        LedgerError::TooManyTasks(_) => "too_many_tasks",
        LedgerError::AlreadyRunning(_) => "already_running",
        LedgerError::QuotaExceeded(_) => "quota_exceeded",
        LedgerError::Pruned(_) => "pruned",
        LedgerError::TooDeep(_) => "too_deep",
        LedgerError::Unusable(_) => "unusable",
    }
}

fn write_span(name: &'static str) -> tracing::Span {
    tracing::debug_span!(
        target: TARGET,
        "ledger",
        otel.name = format_args!("ledger {name}"),
        call = tracing::field::Empty,
        task = tracing::field::Empty,
        outcome = tracing::field::Empty,
        error.r#type = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    )
}

/// One write in its span.
fn commit<'a, T: Send + 'a>(span: tracing::Span, write: Fut<'a, T>) -> Fut<'a, T> {
    Box::pin(
        async move {
            let written = write.await;
            if let Err(error) = &written {
                let span = tracing::Span::current();
                span.record("outcome", kind(error));
                if is_fault(error) {
                    span.record("error.type", kind(error));
                    span.record("otel.status_code", "ERROR");
                }
            }
            written
        }
        .instrument(span),
    )
}

/// What the clock does; `found` says whether an answer is worth a span.
fn by_the_clock<'a, T: Send + 'a>(
    name: &'static str,
    work: Fut<'a, T>,
    found: impl FnOnce(&T) -> u64 + Send + 'a,
) -> Fut<'a, T> {
    Box::pin(async move {
        let begun = SystemTime::now();
        let done = work.await;
        let (count, error) = match &done {
            Ok(answer) => (found(answer), None),
            Err(error) => (0, Some(error)),
        };
        if count > 0 || error.is_some() || begun.elapsed().is_ok_and(|took| took >= LONG) {
            let tracer = global::tracer_with_scope(scope());
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let attributes = [KeyValue::new("count", count)];
            let mut span = tracer.span_builder(name).with_start_time(begun).with_attributes(attributes).start(&tracer);
            if let Some(error) = error {
                span.set_attribute(KeyValue::new("outcome", kind(error)));
                span.set_attribute(KeyValue::new("error.type", kind(error)));
                span.set_status(Status::error(""));
            }
            span.end();
        }
        done
    })
}

macro_rules! commits {
    ($($name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name<'a>(&'a self, $($arg: $type),*) -> Fut<'a, $answer> {
            commit(write_span(stringify!($name)), self.0.$name($($arg),*))
        })*
    };
}

macro_rules! reads {
    ($($name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name<'a>(&'a self, $($arg: $type),*) -> Fut<'a, $answer> {
            self.0.$name($($arg),*)
        })*
    };
}

#[expect(clippy::elidable_lifetime_names, reason = "the macros' arguments name it where there is one")]
impl Ledger for Traced {
    commits! {
        join(node: &'a str, lease: Duration) -> Incarnation;
        leave(incarnation: &'a Incarnation) -> ();
        accept_call(incarnation: &'a Incarnation, call: NewCall) -> Turn;
        reply(incarnation: &'a Incarnation, call_id: CallId, turn: TurnBody) -> Turn;
        start_task(incarnation: &'a Incarnation, task: NewTask) -> Task;
        finish_task(incarnation: &'a Incarnation, task_id: TaskId, end: TaskEnd) -> Turn;
        ask_cancel(task_id: TaskId, audit: NewAudit) -> CancelAnswer;
        inject(owner: Owner, turn: TurnBody, audit: NewAudit, from: Sender) -> Turn;
        audit(row: NewAudit) -> ();
    }

    // The span of what is settled was cut off with its node: here is which it was.
    fn reclaim_call<'a>(&'a self, incarnation: &'a Incarnation, call_id: CallId, turn: TurnBody) -> Fut<'a, Turn> {
        let span = write_span("reclaim_call");
        span.record("call", tracing::field::display(call_id));
        commit(span, self.0.reclaim_call(incarnation, call_id, turn))
    }

    fn reclaim_task<'a>(&'a self, incarnation: &'a Incarnation, task_id: TaskId, end: TaskEnd) -> Fut<'a, Turn> {
        let span = write_span("reclaim_task");
        span.record("task", tracing::field::display(task_id));
        commit(span, self.0.reclaim_task(incarnation, task_id, end))
    }

    fn renew<'a>(&'a self, incarnation: &'a Incarnation, lease: Duration) -> Fut<'a, Vec<TaskId>> {
        by_the_clock("lease renew", self.0.renew(incarnation, lease), |asked| count(asked))
    }

    fn orphans<'a>(&'a self, incarnation: &'a Incarnation, limit: u32) -> Fut<'a, Vec<Orphan>> {
        by_the_clock("lease orphans", self.0.orphans(incarnation, limit), |left| count(left))
    }

    fn left<'a>(&'a self, incarnation: &'a Incarnation, limit: u32) -> Fut<'a, Vec<Orphan>> {
        by_the_clock("lease orphans", self.0.left(incarnation, limit), |left| count(left))
    }

    fn note_progress<'a>(&'a self, incarnation: &'a Incarnation, latest: Vec<Progress>) -> Fut<'a, ()> {
        by_the_clock("ledger note_progress", self.0.note_progress(incarnation, latest), |()| 0)
    }

    fn prune<'a>(&'a self, keep: &'a Keep, from: u64, limit: u32) -> Fut<'a, Pruned> {
        let rows = |step: &Pruned| step.turns + step.calls + step.tasks + step.events + step.audit;
        by_the_clock("ledger prune", self.0.prune(keep, from, limit), rows)
    }

    fn check(&self) -> Fut<'_, ()> {
        by_the_clock("ledger check", self.0.check(), |()| 0)
    }

    reads! {
        turns(owner: &'a Owner, after: u64, limit: Limit) -> Page<Turn>;
        latest_turns(owner: &'a Owner, before: Option<u64>, limit: Limit) -> Page<Turn>;
        turn(owner: &'a Owner, turn_id: TurnId) -> Option<Turn>;
        call(owner: &'a Owner, call_id: CallId) -> Option<CallRecord>;
        events(owner: &'a Owner, after: u64, limit: Limit) -> Page<Event>;
        head(owner: &'a Owner) -> u64;
        task(task_id: TaskId) -> Option<TaskRecord>;
        running_tasks(owner: &'a Owner) -> Vec<Task>;
        recent_tasks(owner: &'a Owner, limit: u32) -> Vec<Task>;
        tasks_of_call(owner: &'a Owner, call_id: CallId) -> Vec<Task>;
        audit_rows(filter: AuditFilter) -> Page<AuditRow>;
        audit_ends(owner: Option<Owner>) -> Vec<(Owner, AuditEnds)>;
    }

    fn feed(&self) -> &Feed {
        self.0.feed()
    }

    fn meters(&self) -> &LedgerMeters {
        self.0.meters()
    }
}

fn count<T>(found: &[T]) -> u64 {
    u64::try_from(found.len()).unwrap_or(u64::MAX)
}
