//! What a handler or a background task answers.
//!
//! Owns [`ActionResult`], its builders, and [`WireResult`], the form in which every answer is
//! stored and sent: the reference SDK's `ActionResult` wire shape, keys in its order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::codes::ErrorCode;
use crate::error::Error;

/// The result of a handler: an answer, or an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The answer of a chat function or a background task: typed data with a summary, or a failure
/// that is itself an answer.
///
/// `T` is the data; it needs `Serialize` and `JsonSchema`. `ActionResult` alone carries none.
///
/// ```
/// use imperal::ActionResult;
///
/// let found = ActionResult::success(vec![1, 2, 3], "Found 3 rows.");
/// assert!(found.is_success());
///
/// let missing: ActionResult = ActionResult::error("ROW_NOT_FOUND", "There is no row 7.");
/// assert_eq!(missing.error_code().unwrap(), "ROW_NOT_FOUND");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an answer that is not returned never reaches the user"]
pub struct ActionResult<T = ()> {
    answer: Answer<T>,
    extras: Option<Box<Extras>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Answer<T> {
    Success { data: Option<T>, summary: String },
    Error { code: ErrorCode, message: String, retryable: bool },
}

/// Rarely set parts, boxed so that the common answer stays small.
#[derive(Debug, Clone, Default, PartialEq)]
struct Extras {
    ui: Option<Value>,
    refresh_panels: Option<Vec<String>>,
    undo: Option<Value>,
    diff: Option<Value>,
    action_receipt: Option<Value>,
}

impl ActionResult<()> {
    /// A success without data: the acknowledgement of a handler that put its work into the
    /// background, or a write that has nothing to show.
    pub fn done(summary: impl Into<String>) -> Self {
        Self::ack(summary)
    }
}

impl<T> ActionResult<T> {
    /// A success with its data and one sentence for the chat.
    pub fn success(data: T, summary: impl Into<String>) -> Self {
        Self::new(Answer::Success { data: Some(data), summary: summary.into() })
    }

    /// A success without data where the function's type has some: a typed handler that this time
    /// put the work into the background. `data` is `{}` on the wire.
    pub fn ack(summary: impl Into<String>) -> Self {
        Self::new(Answer::Success { data: None, summary: summary.into() })
    }

    /// A failure that is an answer: shown to the user as it stands, not logged as a fault.
    ///
    /// `code` is 3 to 64 of `A-Z`, `0-9`, `_` (see [`ErrorCode`]); [`codes`](crate::codes) has the
    /// common ones.
    pub fn error(code: impl Into<ErrorCode>, message: impl Into<String>) -> Self {
        Self::new(Answer::Error { code: code.into(), message: message.into(), retryable: false })
    }

    fn new(answer: Answer<T>) -> Self {
        Self { answer, extras: None }
    }

    /// Marks a failure as worth trying again as it is. No effect on a success.
    pub fn retryable(mut self) -> Self {
        if let Answer::Error { retryable, .. } = &mut self.answer {
            *retryable = true;
        }
        self
    }

    /// Names the panels to refresh: an empty list refreshes none; not calling this refreshes all.
    pub fn refresh_panels<S: Into<String>>(mut self, panels: impl IntoIterator<Item = S>) -> Self {
        self.extras().refresh_panels = Some(panels.into_iter().map(Into::into).collect());
        self
    }

    /// A UI tree (`{"type", "props"}`) to show with the answer.
    pub fn ui(mut self, node: Value) -> Self {
        self.extras().ui = Some(node);
        self
    }

    /// How to undo the action.
    pub fn undo(mut self, undo: Value) -> Self {
        self.extras().undo = Some(undo);
        self
    }

    /// What the action changed.
    pub fn diff(mut self, diff: Value) -> Self {
        self.extras().diff = Some(diff);
        self
    }

    /// The receipt of a service that carried out the action.
    pub fn action_receipt(mut self, receipt: Value) -> Self {
        self.extras().action_receipt = Some(receipt);
        self
    }

    fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// Whether this is a success.
    pub fn is_success(&self) -> bool {
        matches!(self.answer, Answer::Success { .. })
    }

    /// The data of a success that has some.
    pub fn data(&self) -> Option<&T> {
        match &self.answer {
            Answer::Success { data, .. } => data.as_ref(),
            Answer::Error { .. } => None,
        }
    }

    /// What the chat shows: the summary of a success, the message of a failure.
    pub fn text(&self) -> &str {
        match &self.answer {
            Answer::Success { summary, .. } => summary,
            Answer::Error { message, .. } => message,
        }
    }

    /// The code of a failure.
    pub fn error_code(&self) -> Option<&ErrorCode> {
        match &self.answer {
            Answer::Success { .. } => None,
            Answer::Error { code, .. } => Some(code),
        }
    }
}

impl<T: Serialize> ActionResult<T> {
    /// The answer as it is stored and sent.
    ///
    /// # Errors
    /// `INTERNAL` when the data cannot be written as JSON, a map with keys that are not text for
    /// example.
    pub fn into_wire(self) -> Result<WireResult> {
        let extras = self.extras.map(|boxed| *boxed).unwrap_or_default();
        let mut wire = match self.answer {
            Answer::Success { data, summary } => WireResult {
                status: Status::Success,
                summary,
                data: match data.map(serde_json::to_value).transpose()? {
                    None | Some(Value::Null) => Value::Object(Map::new()),
                    Some(value) => value,
                },
                ..WireResult::empty()
            },
            Answer::Error { code, message, retryable } => WireResult::failure(code, message, retryable),
        };
        wire.ui = extras.ui;
        wire.refresh_panels = extras.refresh_panels;
        wire.undo = extras.undo;
        wire.diff = extras.diff;
        wire.action_receipt = extras.action_receipt;
        Ok(wire)
    }
}

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
    /// What changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<Value>,
    /// A service's receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_receipt: Option<Value>,
}

impl WireResult {
    fn empty() -> Self {
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

    /// What the chat shows.
    pub fn text(&self) -> &str {
        self.error.as_deref().unwrap_or(&self.summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire<T: Serialize>(result: ActionResult<T>) -> String {
        serde_json::to_string(&result.into_wire().unwrap()).unwrap()
    }

    #[test]
    fn wire_shapes_are_those_of_the_reference_sdk() {
        assert_eq!(
            wire(ActionResult::success(serde_json::json!({"a": 1}), "ok")),
            r#"{"status":"success","summary":"ok","data":{"a":1}}"#
        );
        assert_eq!(
            wire(ActionResult::<()>::error("BACKEND_TIMEOUT", "boom").retryable()),
            r#"{"status":"error","summary":"","data":{},"error":"boom","error_code":"BACKEND_TIMEOUT","retryable":true}"#
        );
        assert_eq!(wire(ActionResult::done("ok")), r#"{"status":"success","summary":"ok","data":{}}"#);
    }

    #[test]
    fn no_panels_and_all_panels_differ() {
        let none = ActionResult::done("ok").refresh_panels(Vec::<String>::new()).into_wire().unwrap();
        assert_eq!(none.refresh_panels, Some(vec![]));
        assert_eq!(ActionResult::done("ok").into_wire().unwrap().refresh_panels, None);
    }

    #[test]
    fn data_that_is_not_json_is_an_error_and_no_panic() {
        let odd: std::collections::HashMap<(u8, u8), u8> = [((1, 2), 3)].into();
        assert_eq!(ActionResult::success(odd, "x").into_wire().unwrap_err().code(), &crate::codes::INTERNAL);
    }

    #[test]
    fn wire_survives_a_round_trip() {
        let full = ActionResult::success(1, "s")
            .refresh_panels(["a"])
            .undo(Value::Bool(true))
            .diff(Value::from("d"))
            .action_receipt(Value::from(2))
            .ui(serde_json::json!({"type": "Text", "props": {}}))
            .into_wire()
            .unwrap();
        let text = serde_json::to_string(&full).unwrap();
        assert_eq!(serde_json::from_str::<WireResult>(&text).unwrap(), full);
    }
}
