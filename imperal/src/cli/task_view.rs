//! The view of a task that all commands share: its JSON, its colour, how long it ran.
//!
//! A task that has ended keeps its last progress report. It is left out here, because "90 %" next to "succeeded" reads
//! as if the work were not done.

use std::borrow::Cow;
use std::time::Duration;

use super::out::{self, Paint};
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

/// How long an ended task ran. `None` for an interrupted one: the time up to its end includes the time in which no
/// process ran it.
pub(super) fn time_taken(task: &Task) -> Option<Duration> {
    let finished_at = task.finished_at.filter(|_| task.state != TaskState::Reclaimed)?;
    Some(finished_at.duration_since(task.created_at).unsigned_abs())
}

pub(super) fn paint_of(state: TaskState) -> Paint {
    match state {
        TaskState::Running | TaskState::Queued | TaskState::Waiting => Paint::Cyan,
        TaskState::Succeeded => Paint::Green,
        TaskState::Cancelled | TaskState::Stuck => Paint::Yellow,
        TaskState::Failed | TaskState::TimedOut | TaskState::Reclaimed => Paint::Red,
    }
}
