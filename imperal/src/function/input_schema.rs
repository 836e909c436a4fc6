//! The input schema of a tool, in the subset of JSON Schema that MCP clients and models accept.
//!
//! The platform checks parameters against the function's own schema. What a client sees may therefore allow more: it
//! has no references, no choice at the top level, no format that only Rust knows, and no secrets, because a model must
//! not see them.

use serde_json::{Map, Value, json};

/// Most parts of a schema once its references are replaced. Further references become "anything".
const PARTS: usize = 5_000;

/// Formats that JSON Schema defines. Clients refuse some of the others.
const FORMATS: [&str; 13] = [
    "date-time",
    "date",
    "time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "iri",
    "uuid",
    "regex",
];

/// The input schema of a tool.
#[derive(Debug)]
pub(crate) struct InputSchema {
    /// An object schema.
    pub(crate) schema: Map<String, Value>,
    /// Whether the function needs a parameter that a model cannot give: a secret, or one with a name that clients
    /// refuse.
    pub(crate) needs_form: bool,
}

impl InputSchema {
    /// The input schema for parameters of this schema.
    pub(crate) fn of(params: &Value) -> Self {
        let mut inliner = Inliner { root: params, open: vec!["#"], parts: 0 };
        let mut schema = match inliner.inline(params) {
            Value::Object(schema) => flat(schema),
            _ => Map::new(),
        };
        schema.insert("type".to_owned(), json!("object"));
        schema.entry("properties").or_insert_with(|| json!({}));
        let mut schema = Value::Object(schema);
        let needs_form = remove_secrets(&mut schema);
        let Value::Object(schema) = schema else { return Self { schema: Map::new(), needs_form } };
        Self { schema, needs_form }
    }
}

/// Replaces references by the schemas that they name.
struct Inliner<'a> {
    root: &'a Value,
    /// The references that are being replaced. One inside itself becomes "anything".
    open: Vec<&'a str>,
    parts: usize,
}

impl<'a> Inliner<'a> {
    fn inline(&mut self, schema: &'a Value) -> Value {
        self.parts += 1;
        match schema {
            Value::Object(fields) => self.inline_object(fields),
            Value::Array(schemas) => schemas.iter().map(|schema| self.inline(schema)).collect(),
            other => other.clone(),
        }
    }

    fn inline_object(&mut self, fields: &'a Map<String, Value>) -> Value {
        let mut inlined = match fields.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.follow(reference),
            None => Map::new(),
        };
        for (key, value) in fields {
            let value = match (key.as_str(), value) {
                ("$ref" | "$schema" | "$id" | "$anchor" | "$comment" | "$defs" | "definitions", _) => continue,
                ("format", Value::String(format)) if !FORMATS.contains(&format.as_str()) => continue,
                ("properties" | "patternProperties" | "dependentSchemas", Value::Object(schemas)) => {
                    schemas.iter().map(|(name, schema)| (name.clone(), self.inline(schema))).collect()
                }
                (
                    "items"
                    | "prefixItems"
                    | "additionalProperties"
                    | "anyOf"
                    | "oneOf"
                    | "allOf"
                    | "not"
                    | "if"
                    | "then"
                    | "else"
                    | "contains"
                    | "propertyNames"
                    | "unevaluatedProperties"
                    | "unevaluatedItems",
                    value,
                ) => self.inline(value),
                (_, value) => value.clone(),
            };
            inlined.insert(key.clone(), value);
        }
        Value::Object(inlined)
    }

    fn follow(&mut self, reference: &'a str) -> Map<String, Value> {
        if self.parts > PARTS || self.open.contains(&reference) {
            return Map::new();
        }
        let pointer = reference.strip_prefix('#').unwrap_or_default();
        let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8_lossy();
        let Some(target) = self.root.pointer(&pointer) else { return Map::new() };
        self.open.push(reference);
        let inlined = self.inline(target);
        self.open.pop();
        match inlined {
            Value::Object(inlined) => inlined,
            _ => Map::new(),
        }
    }
}

/// The schema without a choice at its top level: clients drop tools that have one. Each property of an alternative
/// becomes a property of the whole, required where all alternatives require it.
fn flat(mut schema: Map<String, Value>) -> Map<String, Value> {
    for key in ["not", "if", "then", "else"] {
        schema.remove(key);
    }
    for (key, is_choice) in [("allOf", false), ("anyOf", true), ("oneOf", true)] {
        let Some(Value::Array(parts)) = schema.remove(key) else { continue };
        let mut required_by_all: Option<Vec<Value>> = None;
        for part in parts {
            let Value::Object(part) = part else { continue };
            let mut part = flat(part);
            if let Some(Value::Object(properties)) = part.remove("properties") {
                let Value::Object(all) = schema.entry("properties").or_insert_with(|| json!({})) else { continue };
                for (name, property) in properties {
                    match all.get_mut(&name) {
                        Some(present) => widen(present, property),
                        None => {
                            all.insert(name, property);
                        }
                    }
                }
            }
            let required = match part.remove("required") {
                Some(Value::Array(required)) => required,
                _ => Vec::new(),
            };
            required_by_all = Some(match required_by_all {
                None => required,
                Some(so_far) if is_choice => so_far.into_iter().filter(|name| required.contains(name)).collect(),
                Some(so_far) => [so_far, required].concat(),
            });
            if is_choice {
                schema.remove("additionalProperties");
            }
        }
        let Value::Array(required) = schema.entry("required").or_insert_with(|| json!([])) else { continue };
        for name in required_by_all.unwrap_or_default() {
            if !required.contains(&name) {
                required.push(name);
            }
        }
    }
    schema
}

/// Makes a property accept what another schema accepts too. Tags of variants become one list.
fn widen(present: &mut Value, other: Value) {
    if *present == other {
        return;
    }
    let values = |schema: &Value| match (schema.get("const"), schema.get("enum")) {
        (Some(one), _) => Some(vec![one.clone()]),
        (None, Some(Value::Array(many))) => Some(many.clone()),
        _ => None,
    };
    if let (Some(mut all), Some(more)) = (values(present), values(&other)) {
        for value in more {
            if !all.contains(&value) {
                all.push(value);
            }
        }
        let mut schema = json!({"enum": all});
        if let (Some(kind), Value::Object(schema)) = (present.get("type"), &mut schema) {
            schema.insert("type".to_owned(), kind.clone());
        }
        *present = schema;
        return;
    }
    match present.get_mut("anyOf").and_then(Value::as_array_mut) {
        Some(choices) if choices.contains(&other) => {}
        Some(choices) => choices.push(other),
        None => *present = json!({"anyOf": [present.take(), other]}),
    }
}

/// Removes what a model cannot give. Returns whether a value of the schema is impossible without it.
fn remove_secrets(schema: &mut Value) -> bool {
    if schema["writeOnly"] == true {
        return true;
    }
    let Value::Object(fields) = schema else { return false };
    let mut needed = false;
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        let mut removed = Vec::new();
        properties.retain(|name, property| {
            let keep = is_usable_name(name) && !remove_secrets(property);
            if !keep {
                removed.push(name.clone());
            }
            keep
        });
        if let Some(Value::Array(required)) = fields.get_mut("required") {
            let before = required.len();
            required.retain(|name| !name.as_str().is_some_and(|name| removed.iter().any(|removed| removed == name)));
            needed |= required.len() < before;
        }
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(Value::Array(choices)) = fields.get_mut(key) {
            let before = choices.len();
            choices.retain_mut(|choice| !remove_secrets(choice));
            // An optional secret has two choices, itself and null.
            let only_null = choices.len() < before && choices.iter().all(|choice| choice["type"] == "null");
            needed |= only_null;
        }
    }
    if let Some(Value::Array(parts)) = fields.get_mut("allOf") {
        for part in parts {
            needed |= remove_secrets(part);
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = fields.get_mut(key)
            && inner.is_object()
            && remove_secrets(inner)
        {
            needed = true;
        }
    }
    needed
}

/// Whether clients accept a property of this name.
fn is_usable_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(params: &Value) -> (Value, bool) {
        let input = InputSchema::of(params);
        (Value::Object(input.schema), input.needs_form)
    }

    #[test]
    fn references_are_replaced_and_recursion_ends() {
        let params = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"rows": {"type": "array", "items": {"$ref": "#/$defs/Row"}, "description": "Rows"}},
            "required": ["rows"],
            "$defs": {"Row": {
                "type": "object",
                "properties": {"id": {"type": "integer", "format": "uint32", "minimum": 0}, "child": {"$ref": "#/$defs/Row"}},
            }},
        });
        let (schema, needs_form) = input(&params);
        let row = json!({
            "type": "object", "properties": {"id": {"type": "integer", "minimum": 0}, "child": {}},
        });
        let wanted = json!({
            "type": "object",
            "properties": {"rows": {"type": "array", "items": row, "description": "Rows"}},
            "required": ["rows"],
        });
        assert_eq!((schema, needs_form), (wanted, false));
    }

    #[test]
    fn schemas_that_grow_with_each_reference_stay_small() {
        let mut defs = Map::new();
        for n in 0..40 {
            let next = json!({"$ref": format!("#/$defs/T{}", n + 1)});
            defs.insert(format!("T{n}"), json!({"type": "object", "properties": {"a": next, "b": next}}));
        }
        let (schema, _) = input(&json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/T0"}}, "$defs": defs}));
        assert!(schema.to_string().len() < 1 << 20);
    }

    #[test]
    fn choices_at_the_top_become_properties() {
        let params = json!({"type": "object", "oneOf": [
            {"type": "object", "properties": {"kind": {"type": "string", "const": "url"}, "url": {"type": "string"}}, "required": ["kind", "url"]},
            {"type": "object", "properties": {"kind": {"type": "string", "const": "text"}, "text": {"type": "string"}}, "required": ["kind", "text"]},
        ]});
        let wanted = json!({
            "type": "object",
            "properties": {
                "kind": {"enum": ["url", "text"], "type": "string"}, "url": {"type": "string"}, "text": {"type": "string"},
            },
            "required": ["kind"],
        });
        assert_eq!(input(&params), (wanted, false));
    }

    #[test]
    fn secrets_are_left_out_and_required_ones_need_the_form() {
        let secret = json!({"type": "string", "writeOnly": true});
        let optional = json!({"type": "object", "properties": {"pin": secret, "login": {
            "type": "object", "properties": {"key": secret}, "required": ["key"],
        }, "at": {"type": "string"}}, "required": ["at"]});
        let wanted = json!({"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]});
        assert_eq!(input(&optional), (wanted, false));
        let required = json!({"type": "object", "properties": {"pin": secret}, "required": ["pin"]});
        assert!(input(&required).1);
        let nested = json!({"type": "object", "properties": {"logins": {"type": "array", "items": {
            "type": "object", "properties": {"key": {"anyOf": [secret, {"type": "null"}]}}, "required": ["key"],
        }}}, "required": ["logins"]});
        assert!(input(&nested).1);
    }

    #[test]
    fn properties_may_have_names_of_keywords() {
        let params = json!({"type": "object", "properties": {"$ref": {"type": "string"}, "format": {"type": "string", "default": "uint8"}}});
        let (schema, _) = input(&params);
        assert_eq!(schema["properties"], json!({"format": {"type": "string", "default": "uint8"}}));
    }
}
