//! Truncates foreign text for the audit trail, the log and error texts.

use std::borrow::Cow;

/// Longest user id, in bytes: the same at sign-in, in the trail and in a service's message.
pub(crate) const USER_ID_LIMIT: usize = 128;
/// Longest tenant id, in bytes.
pub(crate) const TENANT_ID_LIMIT: usize = 64;
/// Longest id of an extension, in bytes.
pub(crate) const APP_ID_LIMIT: usize = 128;

/// The first `limit` bytes of a text, on one line. A longer text ends with `…`.
pub(crate) fn truncate_line(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit && !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let kept = &text[..text.floor_char_boundary(limit)];
    let mut one_line: String = kept.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if kept.len() < text.len() {
        one_line.push('…');
    }
    Cow::Owned(one_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_text_is_short_and_on_one_line() {
        assert_eq!(truncate_line("anna", 4), "anna");
        assert_eq!(truncate_line("annabel", 4), "anna…");
        assert_eq!(truncate_line("zoë", 3), "zo…");
        assert_eq!(truncate_line("a\nWARN b\u{1b}[31m", 100), "a\u{fffd}WARN b\u{fffd}[31m");
        assert!(truncate_line(&"\n".repeat(1000), 128).len() <= 3 * 128 + 3);
    }
}
