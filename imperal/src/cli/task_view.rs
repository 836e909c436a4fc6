//! The view of a task that all commands share: its JSON, its colour, how long it ran.
//!
//! A task that has ended keeps its last progress report. It is left out here, because "90 %" next to "succeeded" reads
//! as if the work were not done. Time in which no process ran a task is not counted as work.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;

use super::out::{self, Paint};
use super::when::format_duration;
use crate::ledger::{Task, TaskState};

/// The task as JSON. The last report of a task that has ended would say that it is still on its way.
pub(super) fn print_json(task: &Task) {
    out::print_json(&*as_shown(task));
}

/// The task without the last report, if it has ended.
pub(super) fn as_shown(task: &Task) -> Cow<'_, Task> {
    if task.state.is_open() {
        Cow::Borrowed(task)
    } else {
        Cow::Owned(Task { percent: None, message: None, ..task.clone() })
    }
}

/// How long an ended task ran: "12 s"; "within 12 s" if a part of that may have been no work. A durable task may have
/// waited for a slot, or have been parked, in its only attempt.
pub(super) fn time_taken(task: &Task) -> Option<String> {
    let finished_at = task.finished_at?;
    let (ran_until, has_gaps) = match task.interrupted_at {
        Some(at) => (at, task.durable),
        None => (finished_at, task.durable || task.state == TaskState::Reclaimed),
    };
    let ran = format_duration(between(task.created_at, ran_until));
    Some(if has_gaps { format!("within {ran}") } else { ran })
}

/// For how long no process has run a task whose process was lost, until its end or `now`. `None` for other tasks.
pub(super) fn time_without_process(task: &Task, now: Timestamp) -> Option<Duration> {
    Some(between(task.interrupted_at?, task.finished_at.unwrap_or(now)))
}

fn between(from: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(from)).unwrap_or_default()
}

pub(super) fn paint_of(state: TaskState) -> Paint {
    match state {
        TaskState::Running | TaskState::Queued | TaskState::Waiting => Paint::Cyan,
        TaskState::Succeeded => Paint::Green,
        TaskState::Cancelled | TaskState::Stuck => Paint::Yellow,
        TaskState::Failed | TaskState::TimedOut | TaskState::Reclaimed => Paint::Red,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A task that was started at 0 s.
    fn task(state: &str, over: &serde_json::Value) -> Task {
        let id = "01a20482-1178-74f9-8951-cc3b678a7413";
        let mut task = json!({
            "task_id": id, "call_id": id, "app_id": "a", "function": "f", "name": "f", "state": state,
            "long_running": false, "created_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:42Z",
        });
        task.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        serde_json::from_value(task).unwrap()
    }

    #[test]
    fn time_without_a_process_is_no_work() {
        let cut_off = json!({ "interrupted_at": "2026-01-01T00:00:30Z" });
        let shown = |task: Task| (time_taken(&task).unwrap(), time_without_process(&task, Timestamp::MAX));
        let idle = Some(Duration::from_secs(12));
        assert_eq!(shown(task("succeeded", &json!({}))), ("42 s".to_owned(), None));
        assert_eq!(shown(task("reclaimed", &cut_off)), ("30 s".to_owned(), idle));
        assert_eq!(
            shown(task("reclaimed", &json!({}))),
            ("within 42 s".to_owned(), None),
            "when it was cut off is unknown"
        );
        let resumed = json!({ "durable": true, "attempt": 2 });
        assert_eq!(shown(task("succeeded", &resumed)), ("within 42 s".to_owned(), None));
        let parked = json!({ "durable": true, "attempt": 1 });
        assert_eq!(
            shown(task("cancelled", &parked)),
            ("within 42 s".to_owned(), None),
            "it may have been parked all the time"
        );
        let mut both = cut_off;
        both.as_object_mut().unwrap().extend(resumed.as_object().unwrap().clone());
        assert_eq!(shown(task("cancelled", &both)), ("within 30 s".to_owned(), idle));
    }
}
