//! Sorts keys alphabetically, except fields, which keep the order of their declaration.
//!
//! As in the reference SDK, the value of any key `properties` or `default` is not sorted, whether the key
//! is a keyword or the name of a field.

use serde_json::{Map, Value};

/// The schema with its keys in the reference's order.
pub(super) fn sort(schema: Map<String, Value>) -> Map<String, Value> {
    sort_object(schema, "")
}

fn sort_object(fields: Map<String, Value>, under: &str) -> Map<String, Value> {
    let mut fields: Vec<(String, Value)> = fields.into_iter().collect();
    if !matches!(under, "properties" | "default") {
        fields.sort_by(|a, b| a.0.cmp(&b.0));
    }
    fields
        .into_iter()
        .map(|(key, value)| {
            let value = sort_value(value, &key);
            (key, value)
        })
        .collect()
}

fn sort_value(value: Value, under: &str) -> Value {
    match value {
        Value::Object(fields) => Value::Object(sort_object(fields, under)),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| sort_value(item, under)).collect()),
        plain => plain,
    }
}
