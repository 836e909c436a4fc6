//! The steps of durable tasks: what is stored so that another process can continue one.
//!
//! Messages, sleeps, questions and effects are steps of other kinds. Steps that run now are shown to people and are not
//! stored.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::named;

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
    /// An effect is about to begin: from now on it may have happened. All rows of an effect have its name.
    Intent,
    /// An effect is done. Its value is a [`StoredEffect`](super::StoredEffect).
    Effect,
    /// An effect that had an intent is known not to be done. Its value is the reason, for people. The next row of
    /// its name is an intent again.
    NotDone,
}

impl StepKind {
    /// Whether storing it is progress. A message is none, and no question or sleep: a body that says or asks
    /// something new on each attempt gets no further by it. A wait that is over is progress by its park. An effect is
    /// progress once it is done.
    pub const fn is_progress(self) -> bool {
        matches!(self, Self::Step | Self::Effect)
    }

    /// Whether it is a row of an effect, which may have several.
    pub const fn is_of_effect(self) -> bool {
        matches!(self, Self::Intent | Self::Effect | Self::NotDone)
    }
}

named!(StepKind, "kind of step", {
    Step = "step",
    Message = "message",
    Sleep = "sleep",
    Question = "question",
    Intent = "intent",
    Effect = "effect",
    NotDone = "not_done",
});

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

    /// When its attempt stored it. An answer changes the row of its question later.
    pub(crate) fn stored_at(&self) -> Timestamp {
        if self.kind == StepKind::Question { self.began_at } else { self.done_at }
    }
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
    /// Milliseconds by which short sleeps have put off the end of the running time since `deadline_at` was set.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waited_ms: u64,
    /// The step that failed last, unless another one has begun since or the task has succeeded: of a failed task, the
    /// step at which it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<FailedStep>,
}

/// A step that failed, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct FailedStep {
    /// Its number if it had been stored: one more than the steps that were done.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// How often it was tried.
    pub tries: u32,
}

pub(super) fn is_zero<N: Default + PartialEq>(count: &N) -> bool {
    *count == N::default()
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
