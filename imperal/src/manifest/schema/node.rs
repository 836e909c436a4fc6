//! Rewrites one schema and everything in it into the reference SDK's form.
//!
//! Covers widths, null, enums, maps, formats and titles of fields. Does not know definitions.

use serde_json::{Map, Value, json};

use super::{into_object, title};

/// Keys that describe a value. They stay on the field when its types are split into `anyOf`, and so do the
/// `x-` keys of other programs.
const ANNOTATIONS: &[&str] = &["title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"];

/// The use of a schema, which decides the meaning of `required`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Parameters. A field is required if the type cannot be deserialized without it.
    Read,
    /// Results. As in the reference SDK, a field that may be null is not required.
    Written,
}

/// Rewrites a schema and everything in it.
pub(super) fn rewrite(schema: &mut Map<String, Value>, used: Use) {
    let rewrite_value = |value: &mut Value| {
        let mut schema = into_object(value.take());
        rewrite(&mut schema, used);
        *value = Value::Object(schema);
    };
    for key in ["items", "not", "if", "then", "else", "contains", "propertyNames"] {
        if let Some(value) = schema.get_mut(key) {
            rewrite_value(value);
        }
    }
    for key in ["additionalProperties", "unevaluatedProperties"] {
        if let Some(value) = schema.get_mut(key).filter(|value| value.is_object()) {
            rewrite_value(value);
        }
    }
    for key in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        schema.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().for_each(rewrite_value);
    }
    for key in ["properties", "patternProperties"] {
        for (_, value) in schema.get_mut(key).and_then(Value::as_object_mut).into_iter().flatten() {
            rewrite_value(value);
        }
    }
    drop_width(schema);
    rename_format(schema);
    collapse_enum(schema);
    open_decimal(schema);
    split_types(schema);
    open_map(schema);
    name_alternatives(schema);
    title_fields(schema, used);
}

/// Removes the format of a number and the bounds that its Rust type implies.
fn drop_width(schema: &mut Map<String, Value>) {
    let Some(format) = schema.get("format").and_then(Value::as_str) else { return };
    let (minimum, maximum) = match format {
        "float" | "double" | "int" | "int32" | "int64" | "int128" => (None, None),
        "uint" | "uint32" | "uint64" | "uint128" => (Some(0), None),
        "int8" => (Some(i64::from(i8::MIN)), Some(i64::from(i8::MAX))),
        "int16" => (Some(i64::from(i16::MIN)), Some(i64::from(i16::MAX))),
        "uint8" => (Some(0), Some(i64::from(u8::MAX))),
        "uint16" => (Some(0), Some(i64::from(u16::MAX))),
        _ => return,
    };
    schema.shift_remove("format");
    for (key, bound) in [("minimum", minimum), ("maximum", maximum)] {
        if bound.is_some() && schema.get(key).and_then(Value::as_i64) == bound {
            schema.shift_remove(key);
        }
    }
}

/// Renames formats.
fn rename_format(schema: &mut Map<String, Value>) {
    if let Some(Value::String(format)) = schema.get_mut("format") {
        match format.as_str() {
            "partial-time" => "time".clone_into(format),
            "partial-date-time" | "zoned-date-time" => "date-time".clone_into(format),
            "ip" => "ipvanyaddress".clone_into(format),
            _ => {}
        }
    }
}

/// Turns alternatives that are constants into `enum`. Descriptions of single values are added to the
/// description, so that none is lost.
fn collapse_enum(schema: &mut Map<String, Value>) {
    let Some(branches) = schema.get("oneOf").and_then(Value::as_array) else { return };
    let mut values = Vec::new();
    let mut described = Vec::new();
    let mut kind: Option<&Value> = None;
    for branch in branches {
        let Some(branch) = branch.as_object() else { return };
        let of_branch = match (branch.get("const"), branch.get("enum").and_then(Value::as_array)) {
            (Some(value), None) => std::slice::from_ref(value),
            (None, Some(list)) => list.as_slice(),
            _ => return,
        };
        match (kind, branch.get("type")) {
            (_, None) => return,
            (Some(known), Some(other)) if known != other => return,
            (_, found) => kind = found,
        }
        values.extend_from_slice(of_branch);
        if let (Some(text), [value]) = (branch.get("description").and_then(Value::as_str), of_branch) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            described.push(format!("- `{value}`: {}", text.replace('\n', " ")));
        }
    }
    let kind = kind.cloned();
    schema.shift_remove("oneOf");
    schema.insert("enum".to_owned(), Value::Array(values));
    schema.extend(kind.map(|kind| ("type".to_owned(), kind)));
    if !described.is_empty() {
        let list = described.join("\n");
        let text = match schema.get("description").and_then(Value::as_str) {
            Some(text) => format!("{text}\n\n{list}"),
            None => list,
        };
        schema.insert("description".to_owned(), Value::from(text));
    }
}

/// A decimal is a number or text. `schemars` marks it only by these patterns.
fn open_decimal(schema: &mut Map<String, Value>) {
    let types = match schema.get("pattern").and_then(Value::as_str) {
        Some(r"^-?\d+(\.\d+)?([eE]\d+)?$" | r"^-?\d+(\.\d+)?$") => schema.get("type"),
        _ => return,
    };
    let null = types.and_then(Value::as_array).is_some_and(|types| types.contains(&Value::from("null")));
    schema.shift_remove("pattern");
    let kinds = if null { json!(["number", "string", "null"]) } else { json!(["number", "string"]) };
    schema.insert("type".to_owned(), kinds);
}

/// Splits a schema with several types into `anyOf`.
fn split_types(schema: &mut Map<String, Value>) {
    let Some(types) = schema.get("type").and_then(Value::as_array).cloned() else { return };
    if let [only] = types.as_slice() {
        schema.insert("type".to_owned(), only.clone());
        return;
    }
    let mut outside = Map::new();
    let mut inside = Map::new();
    for (key, value) in std::mem::take(schema) {
        match key.as_str() {
            "type" => {}
            key_text if ANNOTATIONS.contains(&key_text) || key_text.starts_with("x-") => {
                drop(outside.insert(key, value));
            }
            _ => drop(inside.insert(key, value)),
        }
    }
    if let Some(Value::Array(values)) = inside.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let branch = |kind: Value| {
        let mut branch = if kind == "null" { Map::new() } else { inside.clone() };
        branch.insert("type".to_owned(), kind);
        Value::Object(branch)
    };
    let branches = types.into_iter().map(branch).collect();
    schema.extend(outside);
    schema.insert("anyOf".to_owned(), Value::Array(branches));
}

/// A map with numbers as keys is a map: all keys of JSON are text.
fn open_map(schema: &mut Map<String, Value>) {
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    let Some(patterns) = schema.get("patternProperties").and_then(Value::as_object) else { return };
    if !closed || schema.contains_key("properties") {
        return;
    }
    let numbers =
        patterns.len() == 1 && patterns.keys().all(|pattern| matches!(pattern.as_str(), r"^\d+$" | r"^-?\d+$"));
    if numbers {
        let values = patterns.values().next().cloned().unwrap_or(Value::Bool(true));
        schema.shift_remove("patternProperties");
        let values = if values == json!({}) { Value::Bool(true) } else { values };
        schema.insert("additionalProperties".to_owned(), values);
    } else {
        schema.shift_remove("additionalProperties");
    }
}

/// Renames `oneOf` without a discriminator to `anyOf`, flattens nested alternatives, and moves null to the
/// end.
fn name_alternatives(schema: &mut Map<String, Value>) {
    if !schema.contains_key("discriminator")
        && !schema.contains_key("anyOf")
        && let Some(branches) = schema.shift_remove("oneOf")
    {
        schema.insert("anyOf".to_owned(), branches);
    }
    let Some(Value::Array(branches)) = schema.get_mut("anyOf") else { return };
    let mut flat: Vec<Value> = Vec::new();
    for branch in branches.drain(..) {
        match branch.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.get("anyOf")) {
            Some(Value::Array(inner)) => flat.extend(inner.iter().cloned()),
            _ => flat.push(branch),
        }
    }
    let null = json!({"type": "null"});
    if flat.contains(&null) {
        flat.retain(|branch| branch != &null);
        flat.push(null);
    }
    *branches = flat;
}

fn title_fields(schema: &mut Map<String, Value>, used: Use) {
    let mut required: Vec<Value> = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        // A struct without fields gets empty `properties`; other types get none.
        let bare = schema.get("type").and_then(Value::as_str) == Some("object")
            && !schema.contains_key("additionalProperties")
            && !schema.contains_key("patternProperties");
        if bare || schema.get("additionalProperties") == Some(&Value::Bool(false)) {
            schema.insert("properties".to_owned(), Value::Object(Map::new()));
        }
        return;
    };
    for (name, field) in fields.iter_mut() {
        let Some(field) = field.as_object_mut() else { continue };
        let named = required.iter().any(|other| other.as_str() == Some(name));
        if field.contains_key("default") || (used == Use::Written && named && nullable(field)) {
            required.retain(|other| other.as_str() != Some(name));
        }
        let required = required.iter().any(|other| other.as_str() == Some(name));
        if !required && !field.contains_key("default") && (nullable(field) || anything(field)) {
            field.insert("default".to_owned(), Value::Null);
        }
        if !names_itself(field) {
            field.entry("title").or_insert_with(|| Value::from(title::from_name(name)));
        }
    }
    if required.is_empty() {
        schema.shift_remove("required");
    } else {
        schema.insert("required".to_owned(), Value::Array(required));
    }
}

fn nullable(schema: &Map<String, Value>) -> bool {
    let null = |branch: &Value| branch.get("type").and_then(Value::as_str) == Some("null");
    schema.get("anyOf").and_then(Value::as_array).is_some_and(|branches| branches.iter().any(null))
}

fn anything(schema: &Map<String, Value>) -> bool {
    schema.keys().all(|key| ANNOTATIONS.contains(&key.as_str()))
}

/// Whether the schema is a reference, or a reference or null. The definition has the title.
fn names_itself(schema: &Map<String, Value>) -> bool {
    if schema.contains_key("$ref") {
        return true;
    }
    match schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([one, null]) => one.get("$ref").is_some() && null.get("type").and_then(Value::as_str) == Some("null"),
        _ => false,
    }
}
