//! How a task ended, with assertions that print the user's chat when they fail.

use serde::de::DeserializeOwned;

use super::transcript::Printed;
use crate::codes::ErrorCode;
use crate::ledger::{Task, TaskState, Turn};

/// How a task ended: its row, its outcome turn, and the chat around it.
///
/// Assertions return the outcome, so that you can chain them. A failed one panics with the user's
/// whole chat.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// The task.
    pub task: Task,
    /// Its one outcome turn.
    pub turn: Turn,
    /// The user's chat at the end of the task.
    pub transcript: String,
    pub(super) drafts: Vec<String>,
    pub(super) printed: Printed,
}

impl Outcome {
    /// The text of the outcome turn.
    pub fn text(&self) -> &str {
        &self.turn.body.text
    }

    /// The texts that the task wrote with `ctx.draft`, those of earlier attempts first, in the order in which they began.
    /// Secrets are replaced in them, as for the user.
    pub fn drafts(&self) -> &[String] {
        &self.drafts
    }

    /// The code of a failure.
    pub fn code(&self) -> Option<&ErrorCode> {
        self.turn.body.result.as_ref()?.error_code.as_ref()
    }

    #[track_caller]
    fn fail(&self, message: &str) -> ! {
        self.printed.set();
        panic!("{message}\n\n{}", self.transcript)
    }

    /// The task ended in this state.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn assert_state(&self, state: TaskState) -> &Self {
        let (name, ended) = (&self.task.name, self.task.state);
        if ended != state {
            self.fail(&format!("{name} ended `{}`, not `{}`: {}", ended.as_str(), state.as_str(), self.text()));
        }
        self
    }

    /// The task succeeded.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn assert_success(&self) -> &Self {
        self.assert_state(TaskState::Succeeded)
    }

    /// The outcome has this code, from the work's own error or from the platform.
    ///
    /// # Panics
    /// When it has another one, or none.
    #[track_caller]
    pub fn assert_code(&self, code: &str) -> &Self {
        let ended = self.code().map_or("a success", ErrorCode::as_str);
        if ended != code {
            self.fail(&format!("{} ended with {ended}, not {code}: {}", self.task.name, self.text()));
        }
        self
    }

    /// The outcome's text contains `part`.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn assert_says(&self, part: &str) -> &Self {
        if !self.text().contains(part) {
            self.fail(&format!("{:?} does not say {part:?}", self.text()));
        }
        self
    }

    /// The data of a success, read as its type.
    ///
    /// # Panics
    /// When the data has another shape, or there is none.
    #[track_caller]
    pub fn data<T: DeserializeOwned>(&self) -> T {
        let data = self.turn.body.result.as_ref().map(|result| result.data.clone()).unwrap_or_default();
        match serde_json::from_value(data.clone()) {
            Ok(data) => data,
            Err(error) => self.fail(&format!("the outcome's data is not of that type ({error}): {data}")),
        }
    }
}
