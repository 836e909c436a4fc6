//! Tasks: their states, progress and end.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::named;
use super::step::is_zero;
use super::{Attempt, Follows, Incarnation, NewAudit, Owner, StepsSoFar, TurnBody};
use crate::ids::{CallId, TaskId};
use crate::result::WireResult;

/// The state of a task. A task is open, then it has exactly one outcome.
///
/// A background task is `Running` until its outcome. A durable task may go through the other open states, in
/// any order: no process holds it then, and a claim makes it `Running` again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskState {
    /// A process runs it.
    Running,
    /// It can go on as soon as a process takes it.
    Queued,
    /// It waits for a time or for an answer.
    Waiting,
    /// No program that has seen it can run it.
    Stuck,
    /// Ended with a success.
    Succeeded,
    /// Ended with its own error.
    Failed,
    /// Cancelled by its user.
    Cancelled,
    /// Ended by its cap.
    TimedOut,
    /// Ended by the platform: its process died, or it was silent.
    Reclaimed,
}

named!(TaskState, "task state", {
    Running = "running",
    Queued = "queued",
    Waiting = "waiting",
    Stuck = "stuck",
    Succeeded = "succeeded",
    Failed = "failed",
    Cancelled = "cancelled",
    TimedOut = "timed_out",
    Reclaimed = "reclaimed",
});

impl TaskState {
    /// Whether the task has no outcome yet.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Queued | Self::Waiting | Self::Stuck)
    }

    /// Whether a process holds the task: it alone may write for it.
    pub const fn is_held(self) -> bool {
        matches!(self, Self::Running)
    }

    /// The state as people read it. [`TaskState::as_str`] is the name in the API and in the ledger.
    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::TimedOut => "timed out",
            Self::Reclaimed => "interrupted",
            state => state.as_str(),
        }
    }
}

/// The reason why no process runs an open task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitsFor {
    /// A process that takes it.
    Process,
    /// The time of its next attempt, after crashes.
    Retry,
    /// An end of another running task: of its user, or of its queue.
    Slot,
    /// A version of the program that can run it.
    Version,
    /// A time that the task chose.
    Time,
    /// An answer to a question.
    Answer,
    /// An operator, who has paused all tasks of its name.
    Paused,
}

named!(WaitsFor, "reason to wait", {
    Process = "process",
    Retry = "retry",
    Slot = "slot",
    Version = "version",
    Time = "time",
    Answer = "answer",
    Paused = "paused",
});

/// A task as users see it. [`NewTask::into_task`](super::NewTask::into_task) makes one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Task {
    /// Its id.
    pub task_id: TaskId,
    /// The call that started it.
    pub call_id: CallId,
    /// The extension.
    pub app_id: String,
    /// The function.
    pub function: String,
    /// The author's name for it, or the function's.
    pub name: String,
    /// The key, if the author gave one. No other open task of the user and the extension has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The queue that it waits in, if the author gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// How many tasks get a slot of the queue before it, while it waits for one. Only answers to requests have it:
    /// it changes with other users' tasks, and so no event tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u32>,
    /// The ended task that it goes on from, or runs again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Follows>,
    /// The task that goes on from it, or runs it again. Only the answer to a request for this task has it, and only if
    /// the new task was started without an idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed_by: Option<TaskId>,
    /// The state.
    pub state: TaskState,
    /// Whether the cap is the long one, 1800 s.
    pub long_running: bool,
    /// Latest progress, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// Latest message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether another process can continue it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub durable: bool,
    /// Which run of its body this is: 1, then one more each time a process takes it.
    #[serde(default = "first_attempt", skip_serializing_if = "is_first_attempt")]
    pub attempt: u32,
    /// The reason why no process runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitsFor>,
    /// When its next attempt may begin, while no process runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ready_at: Option<Timestamp>,
    /// The steps of a durable task, as far as they were reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<StepsSoFar>,
    /// How many of its questions wait for an answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub open_questions: u32,
    /// How many of its effects have begun and are not known to be done or not done. One that runs is among them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub open_effects: u32,
    /// When it was started.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// When its cap ends it at the earliest: short sleeps of a durable task put it off. A task that no process runs has
    /// no deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub deadline_at: Option<Timestamp>,
    /// When its user first asked to cancel it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cancel_requested_at: Option<Timestamp>,
    /// When the process that ran its latest attempt was last known to be alive, if that attempt was cut off. Absent
    /// again once another process has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub interrupted_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<Timestamp>,
    /// The result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<WireResult>,
}

fn first_attempt() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_first_attempt(attempt: &u32) -> bool {
    *attempt == 1
}

impl Task {
    /// The attempt that the task is in.
    pub fn attempt(&self) -> Attempt {
        Attempt { task_id: self.task_id, number: self.attempt }
    }
}

/// A task with its owner and its incarnation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TaskRecord {
    /// The owner.
    pub owner: Owner,
    /// The incarnation that runs it, or ran it last.
    pub incarnation: Incarnation,
    /// The task.
    pub task: Task,
}

impl TaskRecord {
    /// A record from its parts, for backends.
    pub fn new(owner: Owner, incarnation: Incarnation, task: Task) -> Self {
        Self { owner, incarnation, task }
    }
}

/// Latest progress of a running task. It has no event number, because only the latest one matters. A part
/// that is absent is as it was before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Progress {
    /// The task.
    pub task_id: TaskId,
    /// 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// The message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The steps of a durable task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<StepsSoFar>,
    /// When it was reported.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

impl Progress {
    /// A report of percent and message.
    pub fn new(task_id: TaskId, percent: f64, message: impl Into<String>, at: Timestamp) -> Self {
        Self { task_id, percent: Some(percent), message: Some(message.into()), steps: None, at }
    }
}

/// The end of a task: everything that one transaction writes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskEnd {
    /// The final state, never an open one.
    pub state: TaskState,
    /// The outcome turn; its `result` is the task's.
    pub turn: TurnBody,
    /// The audit row of the delivery.
    pub audit: NewAudit,
    /// How many open effects the turn and the audit row speak of. The ledger refuses an end that is silent about one.
    pub open_effects: u32,
    /// What [`TaskAttempt::notes`](super::TaskAttempt::notes) keeps of the attempt in which the task ends.
    pub notes: Option<String>,
}

impl TaskEnd {
    /// An end from its parts, of a task without open effects.
    pub fn new(state: TaskState, turn: TurnBody, audit: NewAudit) -> Self {
        Self { state, turn, audit, open_effects: 0, notes: None }
    }

    /// Sets how many open effects its texts speak of.
    #[must_use]
    pub fn open_effects(self, open_effects: u32) -> Self {
        Self { open_effects, ..self }
    }

    /// Sets the notes on the attempt.
    #[must_use]
    pub fn notes(self, notes: impl Into<Option<String>>) -> Self {
        Self { notes: notes.into(), ..self }
    }
}

/// The answer to a cancel request.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum CancelOutcome {
    /// The request is stored, by this call or an earlier one. The holder of the task will be told; a task
    /// without a holder that cannot end yet ends at its next claim.
    Requested(TaskRecord),
    /// No process held the task, and it has ended in the same transaction.
    Ended(TaskRecord),
    /// The task has ended already.
    AlreadyEnded(TaskRecord),
}
