//! Tasks: their start, states and end.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::named;
use super::{Incarnation, NewAudit, Owner, TurnBody};
use crate::ids::{CallId, TaskId};
use crate::result::WireResult;

/// The state of a task. `Running` becomes exactly one of the others, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskState {
    /// Running.
    Running,
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
    Succeeded = "succeeded",
    Failed = "failed",
    Cancelled = "cancelled",
    TimedOut = "timed_out",
    Reclaimed = "reclaimed",
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
    /// The key, if the author gave one. No other running task of the user and the extension has it.
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
    /// When it was started.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// When its cap ends it.
    #[schemars(with = "String")]
    pub deadline_at: Timestamp,
    /// When its user first asked to cancel it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cancel_requested_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<Timestamp>,
    /// The result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<WireResult>,
}

/// A task with its owner and its incarnation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TaskRecord {
    /// The owner.
    pub owner: Owner,
    /// The incarnation that runs or ran it.
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

/// Latest progress of a running task. It has no event number, because only the latest one matters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Progress {
    /// The task.
    pub task_id: TaskId,
    /// 0 to 100.
    pub percent: f64,
    /// The message.
    pub message: String,
    /// When it was reported.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

impl Progress {
    /// Progress from its parts.
    pub fn new(task_id: TaskId, percent: f64, message: impl Into<String>, at: Timestamp) -> Self {
        Self { task_id, percent, message: message.into(), at }
    }
}

/// A task to start.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewTask {
    /// Its id.
    pub task_id: TaskId,
    /// The call that starts it.
    pub call_id: CallId,
    /// The owner.
    pub owner: Owner,
    /// The extension.
    pub app_id: String,
    /// The function.
    pub function: String,
    /// Its name.
    pub name: String,
    /// Refuse if the owner has a running task of the same extension with the same key.
    pub key: Option<String>,
    /// Whether the cap is the long one, 1800 s.
    pub long_running: bool,
    /// The cap. The deadline is the ledger's current time plus this.
    pub cap: Duration,
    /// Refuse if the owner has this many running tasks already.
    pub max_running: u32,
}

impl NewTask {
    /// The cap of a task that is not long-running.
    pub const CAP: Duration = Duration::from_secs(180);

    /// A task under a new id: named after its function, without a key, with [`CAP`](Self::CAP) and without a
    /// limit on running tasks.
    pub fn new(call_id: CallId, owner: Owner, app_id: impl Into<String>, function: impl Into<String>) -> Self {
        let function = function.into();
        Self {
            task_id: TaskId::generate(),
            call_id,
            owner,
            app_id: app_id.into(),
            name: function.clone(),
            function,
            key: None,
            long_running: false,
            cap: Self::CAP,
            max_running: u32::MAX,
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

    /// The task at its start; for backends.
    pub fn into_task(self, now: Timestamp, deadline_at: Timestamp) -> Task {
        Task {
            task_id: self.task_id,
            call_id: self.call_id,
            app_id: self.app_id,
            function: self.function,
            name: self.name,
            key: self.key,
            state: TaskState::Running,
            long_running: self.long_running,
            percent: None,
            message: None,
            created_at: now,
            deadline_at,
            cancel_requested_at: None,
            finished_at: None,
            result: None,
        }
    }
}

/// The end of a task: everything that one transaction writes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskEnd {
    /// The final state, never `Running`.
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
    /// The request is stored, by this call or an earlier one. The holder of the task will be told.
    Requested(TaskRecord),
    /// The task has ended already.
    AlreadyEnded(TaskRecord),
}
