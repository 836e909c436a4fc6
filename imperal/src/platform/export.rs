//! A durable task as a file: its input and stored steps, for `imperal::testing::replay`.
//!
//! It has the values that a body gets back when it runs again, and nothing of the user. The platform never stores
//! `writeOnly` parameters, but an author's code may copy one into the input or a step, and then nothing tells it from
//! other values. So a task of a function with such parameters is not exported.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::TaskId;
use crate::ledger::{StepKind, TaskState};
#[cfg(feature = "platform")]
use crate::ledger::{StoredDurable, StoredStep, Task};

/// A durable task with its input and its stored steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TaskExport {
    /// The number of this form: [`TaskExport::FORMAT`].
    pub format: u32,
    /// The extension.
    pub app_id: String,
    /// The name of the durable task within it.
    pub task_name: String,
    /// The version of the program that ran it last; empty if it is not known.
    pub program: String,
    /// Its id.
    pub task_id: TaskId,
    /// The task that its idempotency keys come from.
    pub root_task: TaskId,
    /// Its state.
    pub state: TaskState,
    /// Its input.
    pub input: ExportedValue,
    /// Its stored rows, in order.
    pub steps: Vec<ExportedStep>,
}

/// A stored step, message, sleep or question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ExportedStep {
    /// Its number among the task's rows.
    pub ordinal: u16,
    /// Its name.
    pub name: String,
    /// The kind of the row.
    pub kind: StepKind,
    /// The attempt that stored it.
    pub attempt: u32,
    /// Its value.
    #[serde(flatten)]
    pub value: ExportedValue,
}

/// A JSON value, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ExportedValue {
    /// The value.
    pub value: Value,
    /// The stored text, if `value` written as JSON is another one: an integer beyond 64 bits, for example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl ExportedValue {
    #[cfg(feature = "platform")]
    fn of(text: &str) -> Self {
        let value: Value = crate::json::read(text.as_bytes()).unwrap_or_default();
        let again = value.to_string();
        let is_same = again == text;
        Self { value, text: (!is_same).then(|| text.to_owned()) }
    }

    /// The stored JSON.
    pub fn to_json(&self) -> String {
        self.text.clone().unwrap_or_else(|| self.value.to_string())
    }
}

impl TaskExport {
    /// The number of the form that this version writes and reads.
    pub const FORMAT: u32 = 1;

    /// An export without steps.
    #[cfg(feature = "platform")]
    pub(super) fn new(task: &Task, stored: &StoredDurable) -> Self {
        Self {
            format: Self::FORMAT,
            app_id: task.app_id.clone(),
            task_name: stored.task_name.clone(),
            program: stored.program.clone(),
            task_id: task.task_id,
            root_task: stored.root_task,
            state: task.state,
            input: ExportedValue::of(&stored.input),
            steps: Vec::new(),
        }
    }

    /// Adds a step with its value.
    #[cfg(feature = "platform")]
    pub(super) fn add(&mut self, step: StoredStep, value: &str) {
        let StoredStep { ordinal, name, kind, attempt, .. } = step;
        self.steps.push(ExportedStep { ordinal, name, kind, attempt, value: ExportedValue::of(value) });
    }
}

#[cfg(all(test, feature = "platform"))]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_last_digit() {
        for text in ["7", "{\"b\":1,\"a\":[2.5]}", "340282366920938463463374607431768211455", "1.0", "{ \"a\": 1 }"] {
            let value = ExportedValue::of(text);
            let read: ExportedValue = serde_json::from_str(&serde_json::to_string(&value).unwrap()).unwrap();
            assert_eq!(read.to_json(), text);
        }
        assert_eq!(ExportedValue::of("{\"a\":1}").text, None);
    }
}
