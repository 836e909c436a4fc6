//! What a panic said.

use std::any::Any;

/// The text of a panic, as far as it has one.
pub(crate) fn panic_text(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload
            .downcast_ref::<&str>()
            .map_or_else(|| "a panic without a text".to_owned(), |text| (*text).to_owned()),
    }
}
