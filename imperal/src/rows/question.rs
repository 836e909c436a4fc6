//! Questions of durable tasks to their users, and the journal rows of waits.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::names::named;
use super::{NewAudit, NewStep, StepKind, TaskRecord};
use crate::ids::{QuestionId, TaskId};

/// Whether a question still waits for its answer. It is open, then it has exactly one other state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QuestionState {
    /// It waits for an answer.
    Open,
    /// It has its answer.
    Answered,
    /// No answer came in time, and the task has gone on.
    Expired,
    /// The task no longer asks it, or has ended.
    Withdrawn,
}

named!(QuestionState, "question state", {
    Open = "open",
    Answered = "answered",
    Expired = "expired",
    Withdrawn = "withdrawn",
});

/// A question to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewQuestion {
    /// Its id.
    pub question_id: QuestionId,
    /// Its number among the task's steps.
    pub ordinal: u16,
    /// Its name, unique among the task's steps.
    pub name: String,
    /// The text that the user reads.
    pub text: String,
    /// The JSON Schema of the answer, as JSON.
    pub schema: String,
    /// The value with which the task goes on if no answer comes, as JSON, for people.
    pub fallback: Option<String>,
    /// How long an answer is accepted.
    pub within: Duration,
    /// How many open questions the task may have, this one among them.
    pub max_open: u32,
}

impl NewQuestion {
    /// A question under a new id, without a fallback.
    pub fn new(ordinal: u16, name: impl Into<String>, text: impl Into<String>, schema: impl Into<String>) -> Self {
        Self {
            question_id: QuestionId::generate(),
            ordinal,
            name: name.into(),
            text: text.into(),
            schema: schema.into(),
            fallback: None,
            within: Duration::from_secs(30 * 24 * 3600),
            max_open: u32::MAX,
        }
    }

    /// Sets how long an answer is accepted.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Sets the value with which the task goes on if no answer comes.
    #[must_use]
    pub fn fallback(self, fallback: impl Into<String>) -> Self {
        Self { fallback: Some(fallback.into()), ..self }
    }

    /// Sets how many open questions the task may have.
    #[must_use]
    pub fn max_open(self, max_open: u32) -> Self {
        Self { max_open, ..self }
    }

    /// The question's row among the task's steps, for backends.
    pub fn step(&self) -> NewStep {
        let value = StoredAnswer::Open(self.question_id).to_json();
        NewStep::new(self.ordinal, self.name.clone(), StepKind::Question, value)
    }
}

/// How the stored form of an answer begins.
const ANSWERED: &str = "{\"answered\":";

/// The value of a question's step, as it is stored: what the task goes on with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a body that ignores a new state of its question must not compile")]
pub enum StoredAnswer<T = Value> {
    /// No answer yet.
    Open(QuestionId),
    /// The answer, as it was given.
    Answered(T),
    /// No answer came in time.
    Expired,
    /// The task withdrew it.
    Withdrawn,
}

impl StoredAnswer {
    /// The JSON that is stored.
    pub fn to_json(&self) -> String {
        // These values have no form that is not JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The stored form of an answer, from its JSON.
    pub fn answered(answer: &str) -> String {
        format!("{ANSWERED}{answer}}}")
    }

    /// Whether a stored form has an answer.
    pub(crate) fn is_answered(stored: &str) -> bool {
        stored.starts_with(ANSWERED)
    }
}

/// A question as its user sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Question {
    /// Its id.
    pub question_id: QuestionId,
    /// The task that asks.
    pub task_id: TaskId,
    /// Its number among the task's steps.
    pub ordinal: u16,
    /// Its name.
    pub name: String,
    /// The text that the user reads.
    pub text: String,
    /// The JSON Schema of the answer.
    pub schema: Value,
    /// The value with which the task goes on if no answer comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Value>,
    /// Whether it still waits.
    pub state: QuestionState,
    /// When it was asked.
    #[schemars(with = "String")]
    pub asked_at: Timestamp,
    /// Until when an answer is accepted.
    #[schemars(with = "String")]
    pub until: Timestamp,
    /// The answer, as long as it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
    /// The user who answered, or the service that answered for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// When it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub answered_at: Option<Timestamp>,
}

impl Question {
    /// An open question, for backends.
    pub fn open(task_id: TaskId, new: &NewQuestion, asked_at: Timestamp, until: Timestamp) -> Self {
        Self {
            question_id: new.question_id,
            task_id,
            ordinal: new.ordinal,
            name: new.name.clone(),
            text: new.text.clone(),
            schema: serde_json::from_str(&new.schema).unwrap_or_default(),
            fallback: new.fallback.as_deref().and_then(|json| serde_json::from_str(json).ok()),
            state: QuestionState::Open,
            asked_at,
            until,
            answer: None,
            answered_by: None,
            answered_at: None,
        }
    }
}

/// An answer to a question.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewAnswer {
    /// The answer, as JSON.
    pub value: String,
    /// The user who answers, or a service.
    pub by: String,
    /// The audit row.
    pub audit: NewAudit,
}

impl NewAnswer {
    /// An answer from its parts.
    pub fn new(value: impl Into<String>, by: impl Into<String>, audit: NewAudit) -> Self {
        Self { value: value.into(), by: by.into(), audit }
    }
}

/// The outcome of an answer.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a caller that ignores a new outcome must not compile")]
pub enum AnswerOutcome {
    /// It is stored.
    Accepted(Question, Box<TaskRecord>),
    /// The question is no longer open: it has an answer, its time is over, or it was withdrawn. Nothing was written.
    Closed(Question),
}

/// Why a task closes its own question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a backend that ignores a new reason must not compile")]
pub enum CloseQuestion {
    /// Its time is over.
    Expire,
    /// The task no longer asks it.
    Withdraw,
}
