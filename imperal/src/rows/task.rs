//! Tasks: how they start, stand and end.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Incarnation, NewAudit, Owner, TurnBody};
use crate::ids::{CallId, TaskId};
use crate::result::WireResult;

/// Where a task stands. `Running` becomes exactly one of the others, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// At work.
    Running,
    /// Ended with a success.
    Succeeded,
    /// Ended with an error of its own.
    Failed,
    /// Ended because the user cancelled.
    Cancelled,
    /// Ran into its cap.
    TimedOut,
    /// Taken back by the platform: its process died, or it was silent.
    Reclaimed,
}

impl TaskState {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Reclaimed => "reclaimed",
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
    /// What only one running task of the user's may have, where the author gave a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Where it stands.
    pub state: TaskState,
    /// Whether its cap is the long one.
    pub long_running: bool,
    /// Latest progress, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// Latest stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it was started.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// When its cap ends it.
    #[schemars(with = "String")]
    pub deadline_at: Timestamp,
    /// When its user first asked for it to be cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cancel_requested_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<Timestamp>,
    /// Its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<WireResult>,
}

/// A task with whose it is and which node holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRecord {
    /// Whose it is.
    pub owner: Owner,
    /// The node's life that runs or ran it.
    pub incarnation: Incarnation,
    /// The task.
    pub task: Task,
}

/// Latest progress of a running task. Has no number: what matters is the latest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// The task.
    pub task_id: TaskId,
    /// 0 to 100.
    pub percent: f64,
    /// The stage.
    pub message: String,
    /// When it was reported.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

/// A task to be started.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Its id.
    pub task_id: TaskId,
    /// The call that starts it.
    pub call_id: CallId,
    /// Whose it is.
    pub owner: Owner,
    /// The extension.
    pub app_id: String,
    /// The function.
    pub function: String,
    /// Its name.
    pub name: String,
    /// Refuse when the owner has a running task of the same extension with the same key.
    pub key: Option<String>,
    /// Whether its cap is the long one.
    pub long_running: bool,
    /// Its cap: the deadline is the ledger's now plus this.
    pub cap: Duration,
    /// Refuse when the owner already has so many running.
    pub max_running: u32,
}

impl NewTask {
    /// The task as it starts; for backends.
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

/// How a task ends: everything of one transaction.
#[derive(Debug, Clone)]
pub struct TaskEnd {
    /// The end state, never `Running`.
    pub state: TaskState,
    /// The outcome turn; its `result` is the task's.
    pub turn: TurnBody,
    /// The audit row of the delivery.
    pub audit: NewAudit,
}

/// What came of asking for a cancel.
#[derive(Debug, Clone, PartialEq)]
pub enum CancelAnswer {
    /// Noted; the holder will be told. Also when it was asked before.
    Noted(TaskRecord),
    /// The task has ended already.
    Ended(TaskRecord),
}
