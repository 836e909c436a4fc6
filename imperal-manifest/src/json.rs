//! Reads JSON text that another program or person wrote, with a limit on its depth.
//!
//! Request bodies, tokens, key sets, manifests, responses of services and stored rows all go through
//! [`read`].
//!
//! `serde_json` refuses text nested more than [`DOCUMENT_DEPTH`] deep, with one exception. When any crate
//! of the binary turns on its feature `raw_value`, `serde_json` parses the text inside an object whose
//! first key is a private marker again, with a fresh limit. A few kilobytes then overflow the stack, which
//! ends the process. imperal leaves the feature off, but an extension may turn it on for the whole binary.
//! The reader therefore tests the build once, and refuses the markers where they are not plain data.

use std::sync::LazyLock;

use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;

/// Deepest nesting of a document that is read or sent. Clients that use `serde_json` have the same limit.
pub const DOCUMENT_DEPTH: usize = 127;
/// Deepest nesting of a call's parameters and of a result's parts. The turns, pages and events around
/// them need the rest of [`DOCUMENT_DEPTH`].
pub const DATA_DEPTH: usize = 120;

/// Prefix of the keys that some builds of `serde_json` treat as markers.
const MARKER: &str = "$serde_json::private::";

/// Whether `serde_json` treats the markers specially in this build.
static MARKERS_ARE_SPECIAL: LazyLock<bool> = LazyLock::new(|| {
    ["RawValue", "Number"].into_iter().any(|kind| {
        let marked = format!(r#"{{"{MARKER}{kind}":"1"}}"#);
        !serde_json::from_str::<Value>(&marked).is_ok_and(|value| value.is_object())
    })
});

/// Reads the whole text as one value.
///
/// # Errors
/// When the text is not JSON, is nested more than [`DOCUMENT_DEPTH`] deep, or does not fit the type.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    if *MARKERS_ARE_SPECIAL {
        refuse_markers(text)?;
    }
    serde_json::from_slice(text)
}

/// How deep a value is nested: 0 for a scalar, 1 for an empty list or object.
///
/// Works without recursion, so that a value of any depth is safe.
#[must_use]
pub fn depth(value: &Value) -> usize {
    let (mut max_depth, mut left) = (0, vec![(value, 0)]);
    while let Some((value, depth)) = left.pop() {
        max_depth = max_depth.max(depth);
        match value {
            Value::Array(items) => {
                max_depth = max_depth.max(depth + 1);
                left.extend(items.iter().map(|item| (item, depth + 1)));
            }
            Value::Object(fields) => {
                max_depth = max_depth.max(depth + 1);
                left.extend(fields.values().map(|field| (field, depth + 1)));
            }
            _ => {}
        }
    }
    max_depth
}

/// Drops a value without recursion. The destructor of a deep value would overflow the stack.
pub fn discard(value: Value) {
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(items) => left.extend(items),
            Value::Object(fields) => left.extend(fields.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
}

/// Refuses text with a marker in any string, whether it is a key or not.
fn refuse_markers(text: &[u8]) -> serde_json::Result<()> {
    let mut rest = text;
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        rest = &rest[start..];
        let Some(length) = string_length(rest) else { return Ok(()) };
        let (string, after) = rest.split_at(length);
        if is_marker(string) {
            return Err(serde_json::Error::custom(format!("keys that begin with {MARKER} are not allowed")));
        }
        rest = after;
    }
    Ok(())
}

/// Length of the string at the start of the text, both quotes included; `None` when it does not end.
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
        // Escapes can spell the marker in many ways.
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
    fn data_at_its_limit_fits_into_a_page() {
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
    fn markers_are_plain_data_in_this_build() {
        for text in [r#"{"$serde_json::private::RawValue":"not json"}"#, r#"{"$serde_json::private::Number":"x"}"#] {
            assert_eq!(read::<Value>(text.as_bytes()).unwrap().to_string(), text);
        }
        assert!(!*MARKERS_ARE_SPECIAL);
    }

    #[test]
    fn finds_markers_in_any_spelling() {
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
