//! The attempts of a durable task, as the ledger remembers them for people who ask what happened.
//!
//! An attempt that ends without an outcome leaves a row: it was parked, handed over, refused, or its process ended.
//! The latest attempt has no row. It is in the task itself, so a task that runs once costs nothing.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::named;
use crate::ids::TaskId;

/// How an attempt of a durable task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttemptEnding {
    /// The task began to wait for a time or an answer.
    Parked,
    /// Its process stopped and gave the task back.
    HandedOver,
    /// Its program could not run the task: the input or a stored value did not fit.
    Refused,
    /// Its process ended without having said so, or lost touch with the ledger.
    Crashed,
    /// Its process was stopping and ended before it could give the task back.
    Drained,
    /// Its process left in order and cut the attempt off.
    Left,
    /// The task ended.
    Outcome,
}

named!(AttemptEnding, "end of an attempt", {
    Parked = "parked",
    HandedOver = "handed_over",
    Refused = "refused",
    Crashed = "crashed",
    Drained = "drained",
    Left = "left",
    Outcome = "outcome",
});

/// One run of a durable task's body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskAttempt {
    /// 1, then one more each time a process takes the task.
    pub number: u32,
    /// The node that ran it.
    pub node: String,
    /// The version of the program that ran it; empty if it is not known.
    pub program: String,
    /// When the node took the task.
    pub began_at: Timestamp,
    /// When the attempt ended. If its process was cut off, when that was last known to be alive. `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// How it ended. `None` while it runs.
    pub ended_by: Option<AttemptEnding>,
    /// What its holder said at its end, as JSON, for people. `None` if there was nothing to say, or no holder that said
    /// it.
    pub notes: Option<String>,
}

impl TaskAttempt {
    /// The first attempts of a task that are kept.
    pub const FIRST_KEPT: u32 = 16;

    /// The latest ended attempts of a task that are kept.
    pub const LATEST_KEPT: u32 = 240;

    /// An attempt that runs, for backends.
    pub fn new(number: u32, node: impl Into<String>, program: impl Into<String>, began_at: Timestamp) -> Self {
        Self {
            number,
            node: node.into(),
            program: program.into(),
            began_at,
            ended_at: None,
            ended_by: None,
            notes: None,
        }
    }

    /// Sets its end.
    #[must_use]
    pub fn ended(self, at: Timestamp, by: AttemptEnding) -> Self {
        Self { ended_at: Some(at), ended_by: Some(by), ..self }
    }

    /// Sets its notes.
    #[must_use]
    pub fn notes(self, notes: impl Into<Option<String>>) -> Self {
        Self { notes: notes.into(), ..self }
    }

    /// Whether a task that is in attempt `latest` still keeps the ended attempt with this number.
    pub const fn is_kept(number: u32, latest: u32) -> bool {
        number <= Self::FIRST_KEPT || number.saturating_add(Self::LATEST_KEPT) > latest
    }
}

/// What is stored so that another process can continue a durable task.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredDurable {
    /// The name of the durable task within its extension.
    pub task_name: String,
    /// Its input, as JSON.
    pub input: String,
    /// The version of the program that ran it last; empty if it is not known.
    pub program: String,
    /// See [`NewDurable::root_task`](super::NewDurable::root_task).
    pub root_task: TaskId,
}

impl StoredDurable {
    /// The stored part from its pieces, for backends.
    pub fn new(task_name: impl Into<String>, input: impl Into<String>, root_task: TaskId) -> Self {
        Self { task_name: task_name.into(), input: input.into(), program: String::new(), root_task }
    }

    /// Sets the version of the program.
    #[must_use]
    pub fn program(self, program: impl Into<String>) -> Self {
        Self { program: program.into(), ..self }
    }
}
