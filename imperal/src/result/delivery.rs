//! Makes the wire form of an answer and holds it to the limits of size and depth.

use std::any::Any;
use std::mem::{self, ManuallyDrop};

use serde::Serialize;
use serde_json::{Map, Value};

use super::data::{self, DataError, Size, Unfit};
use super::{ActionResult, Answer, Extras, Result, Status, WireResult};
use crate::codes;
use crate::error::Error;
use crate::json;

/// Most bytes of a result: its data, UI tree, undo, diff, receipt and panels as JSON text.
pub(crate) const RESULT_LIMIT: usize = 1 << 20;

/// Stack of the thread that drops data nested too deep. Only the used part takes memory.
const DROP_STACK: usize = 256 << 20;

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
