//! States of a schedule and of its runs, as the API shows them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{CallId, TaskId};

/// The state of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScheduleState {
    /// It runs at its next time.
    Active,
    /// Its user or an extension stopped it.
    Paused,
    /// It stopped by itself; its reason says what its user can do.
    NeedsYou,
    /// It has no further time.
    Ended,
}

/// Why a schedule stopped by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ScheduleReason {
    /// `failing`, `not_seen`, `approval_needed`, `function_gone`, `params_invalid`, `schedule_invalid`, `ends_at` or
    /// `max_runs`.
    pub code: String,
    /// For its user: what happened, then what to do.
    pub text: String,
}

/// How a run is or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunState {
    /// Its call or a task of it runs.
    Running,
    /// A task of it waits for an answer of the user.
    Waiting,
    /// The call and its tasks ended well.
    Succeeded,
    /// The call or a task of it failed.
    Failed,
    /// The user stopped it.
    Cancelled,
    /// Its process stopped. It is not run again.
    Interrupted,
    /// The run before was still running. There is no call.
    Skipped,
}

impl RunState {
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Waiting)
    }
}

/// One run of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Run {
    /// When it was due.
    #[schemars(with = "String")]
    pub due_at: Timestamp,
    /// When it began, or was skipped.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// How much later than due it began, in seconds.
    pub late_by_s: u64,
    /// How it is or was.
    pub state: RunState,
    /// When its call and tasks had ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ended_at: Option<Timestamp>,
    /// Its call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    /// The tasks of its call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task_ids: Vec<TaskId>,
    /// The reply or the error, cut; or why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// How many of a schedule's times ran, failed or were left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ScheduleCounts {
    /// Runs that began.
    pub runs: u64,
    /// Times at which the run before was still running.
    pub skipped: u64,
    /// Times at which no process ran, or that were more than 12 hours late.
    pub missed: u64,
    /// Runs that failed or were interrupted.
    pub failures: u64,
    /// Those since the last success.
    pub failures_in_a_row: u64,
}
