//! Reads fields of a manifest whose values may have any type.

use serde_json::{Map, Value};

/// The text of a field; empty if the field is missing or is not text.
pub(super) fn text<'a>(fields: &'a Map<String, Value>, key: &str) -> &'a str {
    fields.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The objects of a list, each with its path; empty if there is no such list.
pub(super) fn objects<'a>(
    manifest: &'a Map<String, Value>,
    key: &'a str,
) -> impl Iterator<Item = (String, &'a Map<String, Value>)> {
    let items = manifest.get(key).and_then(Value::as_array).into_iter().flatten().enumerate();
    items.filter_map(move |(at, item)| item.as_object().map(|fields| (format!("{key}.{at}"), fields)))
}

/// Whether a tool is a chat function, not a plain tool of a Python extension.
pub(super) fn is_chat_function(tool: &Map<String, Value>) -> bool {
    let set = |key: &str| tool.get(key).is_some_and(|value| !value.is_null());
    set("action_type") || set("owner_chat_tool")
}
