//! Order of keys: alphabetical, but for fields, which keep the order of their declaration.
//!
//! Owns the reference's one rule with its one oddity: what stands under a key named `properties` or
//! `default` is not sorted, whether that key is a keyword or the name of a field.

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
