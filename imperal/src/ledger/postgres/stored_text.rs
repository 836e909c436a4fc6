//! Texts as PostgreSQL can hold them: escaped, because its texts have no NUL.

use std::borrow::Cow;

/// A text as it is stored: in bytea's escape format.
pub(super) fn stored(text: &str) -> Cow<'_, str> {
    if text.contains(['\\', '\0']) { text.replace('\\', "\\\\").replace('\0', "\\000").into() } else { text.into() }
}

/// The original of a stored text.
///
/// # Errors
/// The text itself, if it contains a `\` that [`stored`] does not write.
pub(super) fn original(text: &str) -> Result<Cow<'_, str>, String> {
    if !text.contains('\\') {
        return Ok(text.into());
    }
    let mut original = String::with_capacity(text.len());
    let mut parts = text.split('\\');
    original.push_str(parts.next().unwrap_or_default());
    while let Some(part) = parts.next() {
        match (part, part.strip_prefix("000")) {
            (_, Some(rest)) => {
                original.push('\0');
                original.push_str(rest);
            }
            // A double backslash is one, and the part after it is literal.
            ("", None) => match parts.next() {
                Some(rest) => {
                    original.push('\\');
                    original.push_str(rest);
                }
                None => return Err(text.to_owned()),
            },
            _ => return Err(text.to_owned()),
        }
    }
    Ok(original.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_stored_without_nul_and_read_back() {
        for text in ["", "plain", "\0", "\\0", "a\\\0b\\\\0\0", "\\"] {
            assert!(!stored(text).contains('\0'));
            assert_eq!(original(&stored(text)).unwrap(), text);
        }
    }

    #[test]
    fn text_with_a_foreign_escape_is_rejected() {
        for text in ["\\", "a\\q", "\\00", "\\\\\\", "\\9"] {
            assert_eq!(original(text), Err(text.to_owned()));
        }
    }
}
