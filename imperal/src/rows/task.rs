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

impl TaskState {
    /// The state as people read it. [`TaskState::as_str`] is the name in the API and in the ledger.
    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::TimedOut => "timed out",
            Self::Reclaimed => "interrupted",
            state => state.as_str(),
        }
    }
}

/// A task as users see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
pub struct TaskRecord {
    /// The owner.
    pub owner: Owner,
    /// The incarnation that runs or ran it.
    pub incarnation: Incarnation,
    /// The task.
    pub task: Task,
}

/// Latest progress of a running task. It has no event number, because only the latest one matters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// A task to start.
#[derive(Debug, Clone)]
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
pub struct TaskEnd {
    /// The final state, never `Running`.
    pub state: TaskState,
    /// The outcome turn; its `result` is the task's.
    pub turn: TurnBody,
    /// The audit row of the delivery.
    pub audit: NewAudit,
}

/// The answer to a cancel request.
#[derive(Debug, Clone, PartialEq)]
pub enum CancelOutcome {
    /// The request is stored, by this call or an earlier one. The holder of the task will be told.
    Requested(TaskRecord),
    /// The task has ended already.
    AlreadyEnded(TaskRecord),
}
