//! Why no process ran a task for some time.
//!
//! An ended gap begins with the end of an attempt. If that was parked, the gap is a wait until its time or answer came,
//! and after that the time until a process took the task. An open gap has its reason from the task's state.

use jiff::{SignedDuration, Timestamp};

use super::entry::Idle;
use crate::codes::{self, ErrorCode};
use crate::ledger::{AttemptEnding, Question, QuestionState, Task, TaskState, WaitsFor};

/// A process takes a ready task within about this time: less is no gap of its own.
const SOON: SignedDuration = SignedDuration::from_secs(1);

/// A part of a gap: since when, until when, why.
pub(super) type Part = (Timestamp, Option<Timestamp>, Idle);

/// The moments at which waits of a task were over.
#[derive(Debug, Default)]
pub(super) struct Waits(Vec<Timestamp>);

impl Waits {
    pub(super) fn sleep(&mut self, until: Option<Timestamp>) {
        self.0.extend(until);
    }

    pub(super) fn question(&mut self, question: &Question) {
        self.0.extend(match question.state {
            QuestionState::Answered => question.answered_at,
            QuestionState::Withdrawn => None,
            _ => Some(question.until),
        });
    }

    /// When the last wait was over in a span of time. An earlier one may be a sleep that the task no longer waited for.
    fn over(&self, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
        self.0.iter().copied().filter(|at| from < *at && *at <= to).max()
    }
}

/// The parts of a gap that has ended: with the next attempt, or with the task under this code.
pub(super) fn ended(
    by: Option<AttemptEnding>,
    from: Timestamp,
    to: Timestamp,
    waits: &Waits,
    code: Option<&ErrorCode>,
) -> Vec<Part> {
    let then = if code.is_some_and(|code| *code == codes::TASK_STUCK) { Idle::Version } else { Idle::Process };
    match by {
        Some(AttemptEnding::Parked) => split(from, Some(to), waits.over(from, to), to, then),
        Some(AttemptEnding::Refused) => vec![(from, Some(to), Idle::Version)],
        _ => vec![(from, Some(to), then)],
    }
}

/// The parts of a gap that lasts.
pub(super) fn open(
    task: &Task,
    by: Option<AttemptEnding>,
    from: Timestamp,
    waits: &Waits,
    now: Timestamp,
) -> Vec<Part> {
    let is_due = task.ready_at.is_none_or(|at| now.duration_since(at) >= SOON);
    let then = match (task.state, task.waits_for) {
        (TaskState::Stuck, _) | (_, Some(WaitsFor::Version)) => Idle::Version,
        (_, Some(WaitsFor::Paused)) => Idle::Paused,
        (_, Some(WaitsFor::Slot)) => Idle::Slot,
        (_, Some(WaitsFor::Retry)) if !is_due => Idle::Retry,
        // Its time may have come while no process was there to take it.
        (TaskState::Waiting, _) => return split(from, None, task.ready_at, now, Idle::Process),
        _ => Idle::Process,
    };
    let was_ready = if task.state == TaskState::Queued { task.ready_at } else { waits.over(from, now) };
    match was_ready.filter(|at| by == Some(AttemptEnding::Parked) && *at > from) {
        Some(at) => vec![(from, Some(at), Idle::Wait), (at, None, then)],
        None => vec![(from, None, then)],
    }
}

/// A wait, and from its end on the time until a process took the task.
fn split(from: Timestamp, to: Option<Timestamp>, over: Option<Timestamp>, end: Timestamp, then: Idle) -> Vec<Part> {
    match over.filter(|over| *over > from && end.duration_since(*over) >= SOON) {
        Some(over) => vec![(from, Some(over), Idle::Wait), (over, to, then)],
        None => vec![(from, to, Idle::Wait)],
    }
}
