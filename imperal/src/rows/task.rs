//! Tasks: their start, states and end.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::durable::is_zero;
use super::names::named;
use super::{Attempt, Incarnation, NewAudit, NewDurable, Owner, StepsSoFar, TurnBody, Work};
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
    /// An end of another running task of its user.
    Slot,
    /// A version of the program that can run it.
    Version,
    /// A time that the task chose.
    Time,
    /// An answer to a question.
    Answer,
}

named!(WaitsFor, "reason to wait", {
    Process = "process",
    Retry = "retry",
    Slot = "slot",
    Version = "version",
    Time = "time",
    Answer = "answer",
});

/// A task as users see it. [`NewTask::into_task`] makes one.
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
    /// When it was started.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// When its cap ends it. A task that no process runs has no deadline.
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

/// A task to start.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewTask {
    /// Its id.
    pub task_id: TaskId,
    /// The call that it belongs to: the one that starts it, or the one that the starting task belongs to.
    pub call_id: CallId,
    /// The work that starts it: `call_id`'s handler, or an attempt of another task.
    pub parent: Work,
    /// The owner.
    pub owner: Owner,
    /// The extension.
    pub app_id: String,
    /// The function.
    pub function: String,
    /// Its name.
    pub name: String,
    /// Refuse if the owner has an open task of the same extension with the same key.
    pub key: Option<String>,
    /// Whether the cap is the long one, 1800 s.
    pub long_running: bool,
    /// The cap. The deadline is the ledger's current time plus this.
    pub cap: Duration,
    /// How many running tasks the owner may have. Over it a background task is refused; a durable task is
    /// stored as `Queued` and waits for a slot.
    pub max_running: u32,
    /// Refuse if the owner has this many open tasks already.
    pub max_open: u32,
    /// The data that another process needs to run it; `None` for a background task, whose closure dies with its process.
    pub durable: Option<NewDurable>,
}

impl NewTask {
    /// The cap of a task that is not long-running.
    pub const CAP: Duration = Duration::from_secs(180);

    /// A task under a new id: named after its function, without a key, with [`CAP`](Self::CAP) and without
    /// limits. `call_id`'s handler starts it.
    pub fn new(call_id: CallId, owner: Owner, app_id: impl Into<String>, function: impl Into<String>) -> Self {
        let function = function.into();
        Self {
            task_id: TaskId::generate(),
            call_id,
            parent: Work::Call(call_id),
            owner,
            app_id: app_id.into(),
            name: function.clone(),
            function,
            key: None,
            long_running: false,
            cap: Self::CAP,
            max_running: u32::MAX,
            max_open: u32::MAX,
            durable: None,
        }
    }

    /// Sets the name.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Sets the key.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// Sets the cap, and whether it is the long one.
    #[must_use]
    pub fn cap(self, cap: Duration, long_running: bool) -> Self {
        Self { long_running, cap, ..self }
    }

    /// Sets the limit on the owner's running tasks.
    #[must_use]
    pub fn max_running(self, max_running: u32) -> Self {
        Self { max_running, ..self }
    }

    /// Sets the limit on the owner's open tasks.
    #[must_use]
    pub fn max_open(self, max_open: u32) -> Self {
        Self { max_open, ..self }
    }

    /// Sets the attempt of another task that starts it.
    #[must_use]
    pub fn parent(self, parent: Work) -> Self {
        Self { parent, ..self }
    }

    /// Makes it durable.
    #[must_use]
    pub fn durable(self, durable: NewDurable) -> Self {
        Self { durable: Some(durable), ..self }
    }

    /// The task at its start; for backends. `starts` is false for a durable task that waits for a slot.
    pub fn into_task(self, now: Timestamp, deadline_at: Timestamp, starts: bool) -> Task {
        Task {
            task_id: self.task_id,
            call_id: self.call_id,
            app_id: self.app_id,
            function: self.function,
            name: self.name,
            key: self.key,
            state: if starts { TaskState::Running } else { TaskState::Queued },
            long_running: self.long_running,
            percent: None,
            message: None,
            durable: self.durable.is_some(),
            // A claim adds one.
            attempt: u32::from(starts),
            waits_for: (!starts).then_some(WaitsFor::Slot),
            ready_at: (!starts).then_some(now),
            steps: None,
            open_questions: 0,
            created_at: now,
            deadline_at: starts.then_some(deadline_at),
            cancel_requested_at: None,
            interrupted_at: None,
            finished_at: None,
            result: None,
        }
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
}

impl TaskEnd {
    /// An end from its parts.
    pub fn new(state: TaskState, turn: TurnBody, audit: NewAudit) -> Self {
        Self { state, turn, audit }
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
