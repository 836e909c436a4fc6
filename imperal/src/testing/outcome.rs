//! How a task or call ended, with assertions that say the whole story when they fail.

use serde::de::DeserializeOwned;

use crate::codes::ErrorCode;
use crate::ledger::{Task, TaskState, Turn};

/// How a task ended: its row, its outcome turn, and the chat around it.
///
/// Each assertion gives the outcome back, so that they can be chained. A failing one panics with
/// the user's whole chat.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// The task.
    pub task: Task,
    /// Its one outcome turn.
    pub turn: Turn,
    /// The user's chat when it had ended.
    pub transcript: String,
}

impl Outcome {
    /// The text of the outcome turn.
    pub fn text(&self) -> &str {
        &self.turn.body.text
    }

    /// The code of a failure.
    pub fn code(&self) -> Option<&ErrorCode> {
        self.turn.body.result.as_ref()?.error_code.as_ref()
    }

    /// Ended in this state.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn assert_state(&self, state: TaskState) -> &Self {
        let (name, ended) = (&self.task.name, self.task.state);
        assert!(
            ended == state,
            "{name} ended `{}`, not `{}`: {}\n\n{}",
            ended.as_str(),
            state.as_str(),
            self.text(),
            self.transcript
        );
        self
    }

    /// Ended with a success.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn assert_success(&self) -> &Self {
        self.assert_state(TaskState::Succeeded)
    }

    /// Ended with this code: of its own error, or the platform's.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn assert_code(&self, code: &str) -> &Self {
        let (name, ended) = (&self.task.name, self.code().map_or("a success", ErrorCode::as_str));
        assert!(ended == code, "{name} ended with {ended}, not {code}: {}\n\n{}", self.text(), self.transcript);
        self
    }

    /// The outcome's text contains this.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn assert_says(&self, part: &str) -> &Self {
        assert!(self.text().contains(part), "{:?} does not say {part:?}\n\n{}", self.text(), self.transcript);
        self
    }

    /// The data of a success, read as the type it was made from.
    ///
    /// # Panics
    /// When there is none of that shape.
    #[track_caller]
    pub fn data<T: DeserializeOwned>(&self) -> T {
        let data = self.turn.body.result.as_ref().map(|result| result.data.clone()).unwrap_or_default();
        match serde_json::from_value(data.clone()) {
            Ok(data) => data,
            Err(error) => panic!("the outcome's data is not of that type ({error}): {data}\n\n{}", self.transcript),
        }
    }
}
