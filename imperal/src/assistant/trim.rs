//! Results cut for a model: 5 items of a list, 500 characters of a text, 3,000 tokens in all.
//!
//! The user sees the whole result in the chat. A note tells the model about each cut, so that it does not take a part for all.

use serde_json::{Map, Value};

use crate::result::WireResult;

/// Items of a list that a model gets.
const ITEMS: usize = 5;
/// Characters of a text that a model gets.
const CHARS: usize = 500;
/// Bytes of a result that a model gets: about 3,000 tokens.
const BYTES: usize = 12_000;

/// A result as a model reads it.
pub(super) fn for_model(result: &WireResult) -> String {
    if !result.is_success() {
        let code = result.error_code.as_ref().map_or("ERROR", |code| code.as_str());
        let hint = if result.retryable { " The same call may succeed later." } else { "" };
        return cut(&format!("{code}: {}{hint}", result.text()), BYTES);
    }
    let has_data = match &result.data {
        Value::Null => false,
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    };
    let summary = cut(&result.summary, BYTES / 2);
    if !has_data {
        return summary;
    }
    let data = trimmed(&result.data, 0).to_string();
    cut(&format!("{summary}\n{data}"), BYTES)
}

/// Data with short lists and texts.
fn trimmed(value: &Value, depth: usize) -> Value {
    match value {
        Value::String(text) => Value::String(cut_chars(text)),
        // Deeper parts are rarely what a question is about.
        Value::Array(_) | Value::Object(_) if depth > 16 => Value::String("…".to_owned()),
        Value::Array(items) => {
            let mut kept: Vec<Value> = items.iter().take(ITEMS).map(|item| trimmed(item, depth + 1)).collect();
            if items.len() > ITEMS {
                kept.push(Value::String(format!(
                    "… {} more items; the user sees all {}",
                    items.len() - ITEMS,
                    items.len()
                )));
            }
            Value::Array(kept)
        }
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| (name.clone(), trimmed(field, depth + 1))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

fn cut_chars(text: &str) -> String {
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}… ({} more characters)", &text[..end], text[end..].chars().count()),
        None => text.to_owned(),
    }
}

/// The first bytes of a text, and that it was cut.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let kept = &text[..text.floor_char_boundary(most)];
    format!("{kept}… (cut; the user sees the whole result)")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_results_are_cut_and_say_so() {
        let data = json!({"rows": (0..9).collect::<Vec<_>>(), "text": "é".repeat(600)});
        let result = serde_json::from_value(json!({"status": "success", "summary": "Nine.", "data": data})).unwrap();
        let text = for_model(&result);
        assert!(text.starts_with("Nine.\n{\"rows\":[0,1,2,3,4,\"… 4 more items; the user sees all 9\"]"), "{text}");
        assert!(text.contains("(100 more characters)"), "{text}");
        let many: Map<String, Value> = (0..900).map(|n| (format!("key{n}"), json!("x".repeat(50)))).collect();
        let result = serde_json::from_value(json!({"status": "success", "summary": "Many.", "data": many})).unwrap();
        assert!(for_model(&result).len() < BYTES + 100);
    }

    #[test]
    fn failures_have_their_code() {
        let result = WireResult::failure(crate::codes::NOT_FOUND, "There is no row 7.", false);
        assert_eq!(for_model(&result), "NOT_FOUND: There is no row 7.");
    }
}
