//! What a handler or a background task answers.
//!
//! Owns [`ActionResult`], its builders, and [`WireResult`], the form in which every answer is
//! stored and sent: the reference SDK's `ActionResult` wire shape, keys in its order. A result is held to
//! its limits when it becomes one.

mod compound;
mod data;
mod key;

use std::any::Any;
use std::mem::{self, ManuallyDrop};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::data::{DataError, Size, Unfit};
use crate::codes::{self, ErrorCode};
use crate::error::Error;
use crate::json;

/// Most bytes of a result: its data, UI tree, undo, diff, receipt and panels as JSON text.
pub(crate) const RESULT_LIMIT: usize = 1 << 20;

/// Stack for dropping what is nested too deep. Only what is used of it takes memory.
const DROP_STACK: usize = 256 << 20;

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
    /// `RESULT_TOO_LARGE` over 1 MiB, `RESULT_TOO_DEEP` for data nested more than 120 levels,
    /// `RESULT_NOT_FINITE` for a NaN or an infinity, with its field. `INTERNAL` when the data cannot be
    /// written as JSON, for example a map with keys that are not text.
    pub fn into_wire(mut self) -> Result<WireResult> {
        self.take_wire()
    }

    /// Makes the wire form and leaves the data.
    fn take_wire(&mut self) -> Result<WireResult> {
        let extras = self.extras.take().map(|boxed| *boxed).unwrap_or_default();
        let size = Size::default();
        let extras = extras.measured(&size)?;
        let mut wire = match &mut self.answer {
            Answer::Success { data, summary } => WireResult {
                status: Status::Success,
                summary: mem::take(summary),
                data: match data.as_ref().map(|data| data::write(data, &size)).transpose().map_err(|e| unfit(&e))? {
                    None | Some(Value::Null) => Value::Object(Map::new()),
                    Some(value) => value,
                },
                ..WireResult::empty()
            },
            Answer::Error { code, message, retryable } => {
                WireResult::failure(code.clone(), mem::take(message), *retryable)
            }
        };
        if size.bytes() > RESULT_LIMIT {
            return Err(Error::result(
                codes::RESULT_TOO_LARGE,
                format!(
                    "The result has {} bytes, more than the {RESULT_LIMIT} that a result may have. Store it elsewhere and \
                 return a link or a summary.",
                    size.bytes()
                ),
            ));
        }
        wire.ui = extras.ui;
        wire.refresh_panels = extras.refresh_panels;
        wire.undo = extras.undo;
        wire.diff = extras.diff;
        wire.action_receipt = extras.action_receipt;
        Ok(wire)
    }
}

impl<T: Serialize + Send + 'static> ActionResult<T> {
    /// As [`into_wire`](Self::into_wire), for data of any depth: its own destructor may need more stack
    /// than this thread has.
    pub(crate) fn deliver(mut self) -> Result<WireResult> {
        let wire = self.take_wire();
        if let (Err(error), Answer::Success { data, .. }) = (&wire, &mut self.answer)
            && *error.code() == codes::RESULT_TOO_DEEP
            && let Some(mut data) = data.take()
        {
            match (&mut data as &mut dyn Any).downcast_mut::<Value>() {
                Some(value) => json::discard(mem::take(value)),
                None => drop_elsewhere(data),
            }
        }
        wire
    }
}

/// Drops a value on a thread with a large stack. Without such a thread it is leaked.
fn drop_elsewhere<T: Send + 'static>(value: T) {
    let value = ManuallyDrop::new(value);
    let dropping = move || drop(ManuallyDrop::into_inner(value));
    let thread = std::thread::Builder::new().name("imperal-drop".to_owned()).stack_size(DROP_STACK).spawn(dropping);
    if let Err(error) = thread {
        tracing::warn!(%error, "no thread to drop a result that is nested too deep: its memory is lost");
    }
}

impl Extras {
    /// Counts all parts, and refuses one that is too deep.
    fn measured(mut self, size: &Size) -> Result<Self> {
        let mut is_too_deep = false;
        for part in [&mut self.ui, &mut self.undo, &mut self.diff, &mut self.action_receipt].into_iter().flatten() {
            if json::depth(part) > json::DATA_DEPTH {
                is_too_deep = true;
                json::discard(part.take());
            } else {
                data::measure(part, size);
            }
        }
        self.refresh_panels.iter().flatten().for_each(|panel| size.add_text(panel));
        if is_too_deep { Err(unfit(&DataError::new(Unfit::TooDeep))) } else { Ok(self) }
    }
}

fn unfit(error: &DataError) -> Error {
    match &error.unfit {
        Unfit::NotFinite(value) => {
            let path = error.path();
            let place = if path.is_empty() { "The result".to_owned() } else { format!("`{path}` of the result") };
            let text = format!("{place} is {value}, and JSON has no such number. Return a number there, or nothing.");
            Error::result(codes::RESULT_NOT_FINITE, text)
        }
        Unfit::TooDeep => {
            let text = format!(
                "The result is nested deeper than {} levels. Return it flatter, or store it elsewhere and return a link.",
                json::DATA_DEPTH
            );
            Error::result(codes::RESULT_TOO_DEEP, text)
        }
        Unfit::Other(text) => Error::internal(text.clone()),
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

    /// Puts another text in the place of what the chat shows.
    pub(crate) fn set_text(&mut self, text: &str) {
        text.clone_into(self.error.as_mut().unwrap_or(&mut self.summary));
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

    #[derive(Serialize)]
    struct Rows {
        rows: Vec<Row>,
    }

    #[derive(Serialize)]
    struct Row {
        ratio: f64,
    }

    #[derive(Serialize)]
    enum Form {
        Unit,
        New(u8),
        Pair(i8, char),
        Fields { a: Option<f32>, b: () },
    }

    fn nested(depth: usize) -> Value {
        (1..depth).fold(serde_json::json!([]), |value, _| Value::Array(vec![value]))
    }

    #[test]
    fn data_is_written_as_serde_json_writes_it() {
        let data = (
            [Form::Unit, Form::New(1), Form::Pair(-1, '🦀'), Form::Fields { a: Some(0.1), b: () }],
            std::collections::BTreeMap::from([(1_u64, Some(u64::MAX)), (2, None)]),
            std::collections::BTreeMap::from([(true, i64::MIN)]),
            (serde_json::json!({"any": [null, 1.5, "\u{1}\"\\"]}), u128::from(7_u8), i128::from(-7_i8)),
            nested(json::DATA_DEPTH - 1),
        );
        let expected = serde_json::to_value(&data).unwrap();
        let size = Size::default();
        assert_eq!(data::write(&data, &size).unwrap(), expected);
        let text = expected.to_string().len();
        // Exact but for the two floats, which are counted alike.
        assert!(size.bytes().abs_diff(text) < 40, "{} of {text}", size.bytes());
        let measured = Size::default();
        data::measure(&expected, &measured);
        assert_eq!(measured.bytes(), text);
    }

    #[test]
    fn a_number_that_json_does_not_have_is_named() {
        let data = Rows { rows: vec![Row { ratio: 1.0 }, Row { ratio: f64::NAN }] };
        let error = ActionResult::success(data, "x").into_wire().unwrap_err();
        assert_eq!(error.code(), &codes::RESULT_NOT_FINITE);
        assert!(error.message().starts_with("`rows[1].ratio` of the result is NaN"), "{error}");
        let error = ActionResult::success(f32::INFINITY, "x").into_wire().unwrap_err();
        assert!(error.message().starts_with("The result is inf"), "{error}");
    }

    #[test]
    fn a_result_over_the_limit_is_refused_with_its_size() {
        let text = |bytes: usize| ActionResult::success("x".repeat(bytes), "x");
        assert!(text(RESULT_LIMIT - 2).into_wire().is_ok());
        let error = text(RESULT_LIMIT - 1).into_wire().unwrap_err();
        assert_eq!(error.code(), &codes::RESULT_TOO_LARGE);
        let rows = vec![vec!["a\n".repeat(500); 1000]; 60];
        let message = ActionResult::success(rows, "x").into_wire().unwrap_err().message().to_owned();
        assert!(message.contains("has 90180") && message.contains("1048576"), "{message}");
        let half = Value::from("x".repeat(RESULT_LIMIT / 2));
        let parts = ActionResult::success(half.clone(), "x").ui(half);
        assert_eq!(parts.into_wire().unwrap_err().code(), &codes::RESULT_TOO_LARGE);
        let panels = ActionResult::done("x").refresh_panels(vec!["x".repeat(1000); 2000]);
        assert_eq!(panels.into_wire().unwrap_err().code(), &codes::RESULT_TOO_LARGE);
    }

    #[test]
    fn a_result_of_any_depth_is_refused_on_a_small_stack() {
        #[derive(Serialize)]
        struct Deep(Value);
        fn is_too_deep<T: Serialize + Send + 'static>(result: ActionResult<T>) {
            assert_eq!(result.deliver().unwrap_err().code(), &codes::RESULT_TOO_DEEP);
        }
        let work = || {
            assert!(ActionResult::success(nested(json::DATA_DEPTH), "x").deliver().is_ok());
            is_too_deep(ActionResult::success(nested(json::DATA_DEPTH + 1), "x"));
            is_too_deep(ActionResult::success(nested(100_000), "x"));
            is_too_deep(ActionResult::success(Deep(nested(50_000)), "x"));
            is_too_deep(ActionResult::done("x").ui(nested(100_000)).undo(nested(100_000)));
        };
        std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
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
