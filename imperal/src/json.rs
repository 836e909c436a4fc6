//! The one reader for JSON text that this process did not write itself.
//!
//! Owns how deep a document may be and what protects the reader's stack. Request bodies, tokens, key
//! sets, manifests, answers of services and stored rows all come through [`read`].
//!
//! `serde_json` refuses text that is nested more than [`DOCUMENT_DEPTH`] deep, with one exception. If any
//! crate of the binary turns on its feature `raw_value`, an object whose first key is a private marker is
//! read by parsing the text inside it again, with a fresh limit: a few kilobytes then overflow the stack,
//! which ends the process. This crate leaves the feature off. An extension may still turn it on for the
//! whole binary, so the reader asks once how the build behaves and refuses those markers where they would
//! not come back as the data they are.

use std::sync::LazyLock;

use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;

/// Deepest nesting of a document that is read or sent: a client with the same limit reads it too.
#[allow(dead_code, reason = "names the limit for documentation and tests")]
pub(crate) const DOCUMENT_DEPTH: usize = 127;
/// Deepest nesting of a call's parameters and of a result's parts. The turns, pages and events around
/// them need the rest of [`DOCUMENT_DEPTH`].
pub(crate) const DATA_DEPTH: usize = 120;

/// How the keys begin to which some builds of `serde_json` give a meaning of their own.
const MARKER: &str = "$serde_json::private::";

/// Whether this build reads marked objects as something else than objects.
static MARKERS_HAVE_A_MEANING: LazyLock<bool> = LazyLock::new(|| {
    ["RawValue", "Number"].into_iter().any(|kind| {
        let marked = format!(r#"{{"{MARKER}{kind}":"1"}}"#);
        !serde_json::from_str::<Value>(&marked).is_ok_and(|value| value.is_object())
    })
});

/// Reads the whole text as one value.
///
/// # Errors
/// Text that is not JSON, is nested more than [`DOCUMENT_DEPTH`] deep, or does not fit the type.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    if *MARKERS_HAVE_A_MEANING {
        refuse_markers(text)?;
    }
    serde_json::from_slice(text)
}

/// How deep a value is nested: 0 for a scalar, 1 for an empty list or object.
///
/// Iterative, so that the answer for a value that is far too deep costs no stack.
#[allow(dead_code, reason = "without the platform nobody hands it a value")]
pub(crate) fn depth(value: &Value) -> usize {
    let (mut deepest, mut left) = (0, vec![(value, 0)]);
    while let Some((value, depth)) = left.pop() {
        deepest = deepest.max(depth);
        match value {
            Value::Array(items) => {
                deepest = deepest.max(depth + 1);
                left.extend(items.iter().map(|item| (item, depth + 1)));
            }
            Value::Object(fields) => {
                deepest = deepest.max(depth + 1);
                left.extend(fields.values().map(|field| (field, depth + 1)));
            }
            _ => {}
        }
    }
    deepest
}

/// Drops a value without recursion: a deep one's own destructor would overflow the stack.
#[allow(dead_code, reason = "without the platform nobody hands it a value")]
pub(crate) fn discard(value: Value) {
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(items) => left.extend(items),
            Value::Object(fields) => left.extend(fields.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
}

/// Refuses text in which any string reads as a marker, as a key or not. Looks at strings only, so it
/// holds for text that is not JSON too.
fn refuse_markers(text: &[u8]) -> serde_json::Result<()> {
    let mut rest = text;
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        rest = &rest[start..];
        let Some(length) = string_length(rest) else { return Ok(()) };
        let (string, after) = rest.split_at(length);
        if is_marker(string) {
            return Err(serde_json::Error::custom(format!("keys that begin with {MARKER} are not taken here")));
        }
        rest = after;
    }
    Ok(())
}

/// The bytes of the string at the start of the text, with both quotes; `None` when it does not end.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

fn is_marker(string: &[u8]) -> bool {
    if string.contains(&b'\\') {
        // Text with escapes may spell the marker in many ways.
        serde_json::from_slice::<String>(string).is_ok_and(|text| text.starts_with(MARKER))
    } else {
        string[1..].starts_with(MARKER.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nested(depth: usize) -> String {
        "[".repeat(depth) + &"]".repeat(depth)
    }

    #[test]
    fn reads_documents_up_to_the_limit() {
        assert_eq!(depth(&read(nested(DOCUMENT_DEPTH).as_bytes()).unwrap()), DOCUMENT_DEPTH);
        assert!(read::<Value>(nested(DOCUMENT_DEPTH + 1).as_bytes()).is_err());
        assert!(read::<Value>(nested(100_000).as_bytes()).is_err());
    }

    #[test]
    fn data_at_its_limit_fits_into_every_document() {
        let data: Value = read(nested(DATA_DEPTH).as_bytes()).unwrap();
        let page = json!({"turns": [{"result": {"data": data}}]});
        assert!(depth(&page) <= DOCUMENT_DEPTH);
        assert_eq!(read::<Value>(page.to_string().as_bytes()).unwrap(), page);
    }

    #[test]
    fn depth_counts_lists_and_objects() {
        for (value, expected) in [
            (json!(1), 0),
            (json!([]), 1),
            (json!({}), 1),
            (json!([1, [2]]), 2),
            (json!({"a": {"b": [null]}, "c": 1}), 3),
        ] {
            assert_eq!(depth(&value), expected, "{value}");
        }
    }

    #[test]
    fn a_marker_is_plain_data_in_this_build() {
        for text in [r#"{"$serde_json::private::RawValue":"not json"}"#, r#"{"$serde_json::private::Number":"x"}"#] {
            assert_eq!(read::<Value>(text.as_bytes()).unwrap().to_string(), text);
        }
        assert!(!*MARKERS_HAVE_A_MEANING);
    }

    #[test]
    fn a_marker_is_found_however_it_is_spelt() {
        for text in [
            r#"{"$serde_json::private::RawValue":"1"}"#,
            r#"[{"a":"\"","\u0024serde_json::private::RawValue":"1"}]"#,
            r#"{"$serde_json\u003a:private::\u0052awValue":"1"}"#,
            r#"{"$serde_json::private::Number":"1"}"#,
        ] {
            assert!(refuse_markers(text.as_bytes()).is_err(), "{text}");
        }
        for text in [r#"{"a$serde_json::private::":"1"}"#, r#"{"a":"\\","b":"$serde_json:"}"#, r#"{"open"#, "\"\\"] {
            assert!(refuse_markers(text.as_bytes()).is_ok(), "{text}");
        }
    }
}
