//! The entries of a timeline, in the shape of the HTTP API.
//!
//! No entry has the value of a step, the body of a request or the query of a URL. An answer to a question is there,
//! because its user gave it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::codes::ErrorCode;
use crate::ids::{QuestionId, TaskId};
use crate::ledger::{AttemptEnding, CurrentStep, KnownBy, QuestionState, StepKind, Task, TaskState, UnfinishedStep};

/// A page of a task's events, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Timeline {
    /// The task as it is now, without its result.
    pub task: Task,
    /// The events, in order.
    pub entries: Vec<TimelineEntry>,
    /// Where the task's traces are looked up, if an operator has set that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_url: Option<String>,
    /// Continue after this ordinal. Absent on the last page, whose end is the present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u16>,
}

/// The reason why no process ran an open task for some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Idle {
    /// The task waited for a time or an answer, as its body wanted.
    Wait,
    /// No process took it: after a crash or a deploy, or before its first attempt.
    Process,
    /// The programs that ran could not continue it.
    Version,
    /// After crashes, the time of its next attempt had not come.
    Retry,
    /// It waited for the end of another task: of its user, or of its queue.
    Slot,
    /// An operator has paused the tasks of its name.
    Paused,
}

/// One thing that happened to a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimelineEntry {
    /// The task was started.
    Started {
        /// When.
        #[schemars(with = "String")]
        at: Timestamp,
    },
    /// It goes on from an ended task, or runs it again. The rows that it keeps come next: they have the attempt 0.
    Follows {
        /// When it was started.
        #[schemars(with = "String")]
        at: Timestamp,
        /// The ended task.
        task_id: TaskId,
        /// It keeps the ended task's rows up to this ordinal, and all of its effects. Absent for a task that runs again
        /// from the start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        through: Option<u16>,
        /// How many steps and done effects it keeps.
        #[serde(default)]
        kept: u32,
    },
    /// A process took the task.
    AttemptBegan {
        /// When.
        #[schemars(with = "String")]
        at: Timestamp,
        /// The number of the attempt.
        attempt: u32,
        /// The node.
        node: String,
        /// The version of the node's program; empty if it is not known.
        program: String,
    },
    /// A row of the task's history: a step that is done, or a message.
    Step(TimelineStep),
    /// The task chose to wait for a time.
    Sleep {
        /// Its number among the task's steps.
        ordinal: u16,
        /// Its name.
        name: String,
        /// The attempt that began to wait; 0 for one that is kept from the task that it goes on from.
        attempt: u32,
        /// When it began.
        #[schemars(with = "String")]
        at: Timestamp,
        /// Until when it waits, as long as that is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        until: Option<Timestamp>,
    },
    /// The task asked its user.
    Question(TimelineQuestion),
    /// A step that runs now.
    Running(CurrentStep),
    /// A step of an attempt that ended that failed or was cut off, or an effect of which it was not known then whether
    /// it was done.
    Unfinished(UnfinishedStep),
    /// Stored steps that the last attempt never asked for: renamed or removed in the program, so their work was done
    /// twice or for nothing.
    Unasked {
        /// When the task ended.
        #[schemars(with = "String")]
        at: Timestamp,
        /// Their names, at most eight.
        names: Vec<String>,
        /// How many more there are.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: u32,
    },
    /// Its user, or an operator, asked the task to stop.
    CancelRequested {
        /// When.
        #[schemars(with = "String")]
        at: Timestamp,
    },
    /// An attempt ended, and the task did not.
    AttemptEnded {
        /// When. If its process was cut off, when that was last known to be alive.
        #[schemars(with = "String")]
        at: Timestamp,
        /// The number of the attempt.
        attempt: u32,
        /// How it ended.
        by: AttemptEnding,
    },
    /// No process held the task.
    Unattended {
        /// Since when.
        #[schemars(with = "String")]
        from: Timestamp,
        /// Until when; absent if it lasts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        to: Option<Timestamp>,
        /// Why.
        why: Idle,
    },
    /// Attempts that are no longer remembered: of a task with many, the first and the latest ones are.
    LeftOut {
        /// The first of them.
        from: u32,
        /// The last of them.
        to: u32,
    },
    /// The task ended.
    Ended {
        /// When.
        #[schemars(with = "String")]
        at: Timestamp,
        /// Its final state.
        state: TaskState,
        /// The code of its error.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        code: Option<ErrorCode>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A row of the history: a step that is done, a message from outside of steps, or a row of an effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TimelineStep {
    /// Its number among the task's steps.
    pub ordinal: u16,
    /// Its name.
    pub name: String,
    /// The kind of the row. An effect has several of its name: `intent`, then `effect` if it was done, or `not_done`.
    /// It is not known whether an effect was done if its last row is an `intent` and it does not run now.
    pub step_kind: StepKind,
    /// Of an effect: how it is known that it was done, or not. Absent for a value that is large or no longer kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_by: Option<KnownBy>,
    /// The attempt that stored it; 0 for one that is kept from the task that it goes on from.
    pub attempt: u32,
    /// When it began.
    #[schemars(with = "String")]
    pub began_at: Timestamp,
    /// When it was stored.
    #[schemars(with = "String")]
    pub done_at: Timestamp,
    /// Its requests and failed tries: objects with `method`, `url` (host and path), `status` or `error`, and `ms`;
    /// with `attempt` and `error`; and with `more`, the number of entries that were left out over 4 KiB.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<Value>,
}

/// A question that the task asked, with what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TimelineQuestion {
    /// Its number among the task's steps.
    pub ordinal: u16,
    /// Its name.
    pub name: String,
    /// The attempt that asked.
    pub attempt: u32,
    /// Its id.
    pub question_id: QuestionId,
    /// The name of the effect that it is about: whether it was done. Absent for a question of the task's author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// The text that the user reads.
    pub text: String,
    /// Whether it still waits.
    pub state: QuestionState,
    /// When it was asked.
    #[schemars(with = "String")]
    pub asked_at: Timestamp,
    /// Until when an answer is accepted.
    #[schemars(with = "String")]
    pub until: Timestamp,
    /// The value with which the task goes on if the user does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Value>,
    /// The answer, as long as it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
    /// The author of the answer: the user, or a service for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// When it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub answered_at: Option<Timestamp>,
}
