//! The answer of a handler or a background task.
//!
//! Owns [`ActionResult`] and its builders, and [`WireResult`], the form in which every answer is stored and sent:
//! the reference SDK's `ActionResult` wire shape, keys in its order. The limits are checked when an answer takes
//! that form.

mod compound;
mod data;
mod delivery;
mod key;
mod storable;
#[cfg(test)]
mod tests;
mod wire;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::codes::ErrorCode;
use crate::error::Error;

pub(crate) use self::storable::{storable, storable_text};
use self::wire::Status;
pub use self::wire::WireResult;

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

    /// A failure that is an answer: shown to the user unchanged, not logged as a fault.
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

    /// The changes of the action.
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

    /// The text in the chat: the summary of a success, the message of a failure.
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

/// The data of an [`ActionResult`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the data of an `ActionResult`",
    label = "needs `Serialize` and `JsonSchema`",
    note = "put `#[derive(Serialize, JsonSchema)]` on `{Self}`"
)]
pub trait ResultData: Serialize + JsonSchema + Send + 'static {}

impl<T: Serialize + JsonSchema + Send + 'static> ResultData for T {}

/// The Rust type of a result's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub struct DataType {
    id: std::any::TypeId,
    /// Name of the type, for messages.
    pub name: &'static str,
}

impl DataType {
    /// The type `T`.
    pub fn of<T: 'static>() -> Self {
        Self { id: std::any::TypeId::of::<T>(), name: std::any::type_name::<T>() }
    }

    /// Whether results of this type have no data.
    pub(crate) fn is_unit(self) -> bool {
        self == Self::of::<()>()
    }
}
