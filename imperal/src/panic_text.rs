//! The text of a panic, for the log.

use std::any::Any;

/// Most bytes of a panic's text in the log: it may repeat what a user sent.
const LOG_EXCERPT: usize = 500;

/// The message of a panic, where its payload is text.
pub(crate) fn panic_text(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload
            .downcast_ref::<&str>()
            .map_or_else(|| "a panic without a text".to_owned(), |text| (*text).to_owned()),
    }
}

/// The first 500 bytes of a text, cut at a character.
pub(crate) fn log_excerpt(text: &str) -> &str {
    &text[..text.floor_char_boundary(LOG_EXCERPT)]
}
