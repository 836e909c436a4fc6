//! The reference SDK's wire shape of an answer, in which every answer is stored and sent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::codes::ErrorCode;
use crate::error::{Error, ErrorKind};

/// Whether an answer is a success or an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The action was done.
    Success,
    /// It was not.
    Error,
}

/// An answer in the reference SDK's wire shape, data as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct WireResult {
    /// Success or error.
    pub status: Status,
    /// One sentence; empty for an error.
    pub summary: String,
    /// The data; `{}` where there is none.
    pub data: Value,
    /// The error's text for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The error's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub error_code: Option<ErrorCode>,
    /// True when the same call may succeed later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retryable: bool,
    /// A UI tree to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui: Option<Value>,
    /// Panels to refresh: absent means all, empty means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_panels: Option<Vec<String>>,
    /// How to undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Value>,
    /// The changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<Value>,
    /// A service's receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_receipt: Option<Value>,
}

impl WireResult {
    pub(super) fn empty() -> Self {
        Self {
            status: Status::Success,
            summary: String::new(),
            data: Value::Object(Map::new()),
            error: None,
            error_code: None,
            retryable: false,
            ui: None,
            refresh_panels: None,
            undo: None,
            diff: None,
            action_receipt: None,
        }
    }

    /// An error with its code and text.
    pub fn failure(code: ErrorCode, message: impl Into<String>, retryable: bool) -> Self {
        Self { status: Status::Error, error: Some(message.into()), error_code: Some(code), retryable, ..Self::empty() }
    }

    /// Whether this is a success.
    pub fn is_success(&self) -> bool {
        self.status == Status::Success
    }

    /// The text in the chat.
    pub fn text(&self) -> &str {
        self.error.as_deref().unwrap_or(&self.summary)
    }

    /// Replaces the text in the chat.
    pub(crate) fn set_text(&mut self, text: &str) {
        text.clone_into(self.error.as_mut().unwrap_or(&mut self.summary));
    }
}

impl Error {
    /// The error as an answer for the chat.
    pub fn into_wire(self) -> WireResult {
        let retryable = matches!(self.kind(), ErrorKind::Retryable | ErrorKind::Platform);
        let (code, message) = self.into_code_and_message();
        WireResult::failure(code, message, retryable)
    }
}
