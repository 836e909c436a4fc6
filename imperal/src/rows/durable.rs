//! Durable tasks: what is stored so that another process can continue one.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TaskRecord;
use super::names::named;
use crate::ids::TaskId;

/// The part of a new task that makes it durable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewDurable {
    /// The name of the durable task within its extension: the fn's, or `name =`.
    pub task_name: String,
    /// Its input, as JSON.
    pub input: String,
    /// The [`User`](crate::User) that it runs for, as JSON: as the user was at the start.
    pub user: String,
    /// The task whose steps its idempotency keys come from: its own id, or that of the task it goes on from.
    pub root_task: TaskId,
}

impl NewDurable {
    /// A durable task that continues no other.
    pub fn new(
        task_id: TaskId,
        task_name: impl Into<String>,
        input: impl Into<String>,
        user: impl Into<String>,
    ) -> Self {
        Self { task_name: task_name.into(), input: input.into(), user: user.into(), root_task: task_id }
    }
}

/// A durable task that this program has: what a claim may return.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct DurableName {
    /// The extension.
    pub app_id: String,
    /// The name of the durable task within it.
    pub task_name: String,
}

impl DurableName {
    /// A name from its parts.
    pub fn new(app_id: impl Into<String>, task_name: impl Into<String>) -> Self {
        Self { app_id: app_id.into(), task_name: task_name.into() }
    }
}

/// A program's durable tasks, as its node registers them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DurableProgram {
    /// The program's version. Not empty.
    pub version: String,
    /// The durable tasks that it has.
    pub names: Vec<DurableName>,
}

impl DurableProgram {
    /// A program from its parts.
    pub fn new(version: impl Into<String>, names: Vec<DurableName>) -> Self {
        Self { version: version.into(), names }
    }
}

/// The request of a node that claims tasks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClaimRequest {
    /// The durable tasks that its program has.
    pub names: Vec<DurableName>,
    /// Its program's version. A task that this version has refused is not returned.
    pub program: String,
    /// At most this many tasks.
    pub limit: u32,
    /// Whether a suspect may be among them: a task whose attempts crashed twice or more without progress. At
    /// most one is returned, so that the next crash names the task that causes it.
    pub suspect: bool,
    /// No task of an owner who has this many running tasks.
    pub max_running: u32,
}

impl ClaimRequest {
    /// A request for tasks of these names, suspects among them.
    pub fn new(names: Vec<DurableName>, program: impl Into<String>, limit: u32) -> Self {
        Self { names, program: program.into(), limit, suspect: true, max_running: u32::MAX }
    }

    /// Sets whether a suspect may be among them.
    #[must_use]
    pub fn suspect(self, suspect: bool) -> Self {
        Self { suspect, ..self }
    }

    /// Sets the limit on the running tasks of an owner.
    #[must_use]
    pub fn max_running(self, max_running: u32) -> Self {
        Self { max_running, ..self }
    }
}

/// A claimed task: the incarnation holds it, in a new attempt.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ClaimedTask {
    /// The task, with its owner and the new attempt.
    pub record: TaskRecord,
    /// The name of the durable task within its extension.
    pub task_name: String,
    /// Its input, as JSON.
    pub input: String,
    /// Its user, as JSON.
    pub user: String,
    /// See [`NewDurable::root_task`].
    pub root_task: TaskId,
    /// Running time of earlier attempts that counts towards the cap.
    pub ran: Duration,
    /// Attempts in a row that ended by a crash, without progress.
    pub crashes: u32,
    /// Attempts in a row that made no progress, this one not counted.
    pub fruitless: u32,
    /// When it was claimed, by the ledger's clock.
    pub claimed_at: Timestamp,
}

/// Why the holder of a durable task gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a backend that ignores a new release must not compile")]
pub enum Release {
    /// The process stops. Any process may take the task at once.
    HandOver,
    /// This version of the program cannot run the task: its input or a stored value does not fit. Other
    /// versions may try at once, this one not again.
    Refused {
        /// The program's version.
        program: String,
    },
    /// The task waits for a time or an answer: no process is needed until then.
    Park(Park),
}

/// What a parked task waits for: the first of all these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Park {
    /// The earliest time of its waits. A question's is the end of its time.
    pub wake_at: Option<Timestamp>,
    /// The questions that it waits for, by their ordinals.
    pub questions: Vec<u16>,
}

impl Park {
    /// Waits for these questions, and for this time at most.
    pub fn new(wake_at: impl Into<Option<Timestamp>>, questions: Vec<u16>) -> Self {
        Self { wake_at: wake_at.into(), questions }
    }
}

/// The kind of a row of a durable task's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepKind {
    /// A step that ran to its end.
    Step,
    /// A message from outside of a step.
    Message,
    /// A wait for a time. Its value is that time.
    Sleep,
    /// A question. Its value is a [`StoredAnswer`](super::StoredAnswer); it was stored when it was answered.
    Question,
}

impl StepKind {
    /// Whether storing it is progress. A message is none, and no question or sleep: a body that says or asks
    /// something new on each attempt gets no further by it. A wait that is over is progress by its park.
    pub const fn is_progress(self) -> bool {
        matches!(self, Self::Step)
    }
}

named!(StepKind, "kind of step", { Step = "step", Message = "message", Sleep = "sleep", Question = "question" });

/// A step to store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewStep {
    /// The number among the task's steps: 1, 2, 3 .. in the order of their ends, at most 65,535.
    pub ordinal: u16,
    /// The name, unique within the task.
    pub name: String,
    /// The kind of the row.
    pub kind: StepKind,
    /// How long it took. The ledger stamps its end.
    pub took: Duration,
    /// Its value, as JSON.
    pub value: String,
    /// Failed tries and outgoing requests, as JSON, for people.
    pub log: Option<String>,
}

impl NewStep {
    /// A step that took no time, without a log.
    pub fn new(ordinal: u16, name: impl Into<String>, kind: StepKind, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        Self { ordinal, name, kind, took: Duration::ZERO, value, log: None }
    }

    /// Sets how long it took.
    #[must_use]
    pub fn took(self, took: Duration) -> Self {
        Self { took, ..self }
    }

    /// Sets its log.
    #[must_use]
    pub fn log(self, log: impl Into<String>) -> Self {
        Self { log: Some(log.into()), ..self }
    }
}

/// A stored step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredStep {
    /// The number among the task's steps.
    pub ordinal: u16,
    /// The name.
    pub name: String,
    /// The kind of the row.
    pub kind: StepKind,
    /// The attempt that stored it.
    pub attempt: u32,
    /// When it began.
    pub began_at: Timestamp,
    /// When it was stored.
    pub done_at: Timestamp,
    /// Bytes of the value; 0 once the value is no longer kept.
    pub bytes: u64,
    /// The value, as JSON. `None` for one over [`StoredStep::INLINE`] bytes, which
    /// [`DurableTasks::step_value`](crate::ledger::contract::DurableTasks::step_value) returns.
    pub value: Option<String>,
    /// Failed tries and outgoing requests, as JSON, for people.
    pub log: Option<String>,
}

impl StoredStep {
    /// Largest value that a list of steps contains, because many tasks may be resumed at once.
    pub const INLINE: u64 = 4096;
}

/// The steps of a durable task so far, for people who watch it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct StepsSoFar {
    /// Steps whose result is stored.
    pub done: u32,
    /// How many of them an earlier attempt stored.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub kept: u32,
    /// Steps that run now, at most four.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub current: Vec<CurrentStep>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A step that runs now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CurrentStep {
    /// Its name.
    pub name: String,
    /// When it began.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// Which try this is, if it is not the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// How many tries it has at most, if it is retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_attempts: Option<u32>,
    /// Why the try before failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When the next try begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub next_at: Option<Timestamp>,
}
