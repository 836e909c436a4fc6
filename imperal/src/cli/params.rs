//! Parameters of a call as a person types them: `key=value`, `key=@file`, `key=@-`.

use std::io::Read;

use serde_json::{Map, Value};

use super::exit::{CliError, suggestion};

/// Parameters from the JSON object of `--params`.
pub(super) fn from_json(text: &str, schema: &Value) -> Result<Value, CliError> {
    let params: Value = crate::json::read(text.as_bytes())
        .map_err(|error| CliError::usage(format!("--params is not JSON: {error}")))?;
    for key in params.as_object().into_iter().flatten().map(|(key, _)| key) {
        check_key(key, schema, PARAMETER)?;
    }
    Ok(params)
}

const PARAMETER: &str = "the function has no parameter";

/// Refuses a key that the function has no parameter for. A slip would otherwise be dropped without a word.
fn check_key(key: &str, schema: &Value, refusal: &str) -> Result<(), CliError> {
    let mut known = Vec::new();
    if takes_any_key(schema, schema, 0, &mut known) || known.contains(&key) {
        return Ok(());
    }
    let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(CliError::refused(format!("{refusal} `{key}`; it has {list}")).hint(suggestion(key, known)))
}

/// Collects the keys of an object's schema, through references and alternatives. Returns whether it takes others
/// too.
fn takes_any_key<'a>(schema: &'a Value, root: &'a Value, depth: usize, known: &mut Vec<&'a str>) -> bool {
    if depth == MAX_CHAIN {
        return true;
    }
    for key in schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str()) {
        if !known.contains(&key) {
            known.push(key);
        }
    }
    let others = ["additionalProperties", "unevaluatedProperties", "patternProperties"];
    let mut any = others.iter().any(|name| schema[name].is_object() || schema[name] == true);
    if let Some(referred) = referred(schema, root) {
        any |= takes_any_key(referred, root, depth + 1, known);
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for form in schema[key].as_array().into_iter().flatten() {
            any |= takes_any_key(form, root, depth + 1, known);
        }
    }
    any
}

/// The schema that a `$ref` points to.
pub(super) fn referred<'a>(schema: &Value, root: &'a Value) -> Option<&'a Value> {
    root.pointer(schema["$ref"].as_str()?.strip_prefix('#')?)
}

/// Parameters from `key=value` pairs. The schema decides whether a value is text or JSON.
pub(super) fn from_pairs(pairs: &[String], schema: &Value) -> Result<Map<String, Value>, CliError> {
    object_from(pairs, schema, PARAMETER)
}

/// The same for the fields of an answer.
pub(super) fn answer_from_pairs(pairs: &[String], schema: &Value) -> Result<Map<String, Value>, CliError> {
    object_from(pairs, schema, "the answer has no field")
}

fn object_from(pairs: &[String], schema: &Value, refusal: &str) -> Result<Map<String, Value>, CliError> {
    let mut params = Map::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(CliError::usage(format!("`{pair}` is not key=value")));
        };
        check_key(key, schema, refusal)?;
        let value = match value.strip_prefix('@') {
            Some("-") => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                text
            }
            Some(path) => {
                std::fs::read_to_string(path).map_err(|error| CliError::refused(format!("{path}: {error}")))?
            }
            None => value.to_owned(),
        };
        let value = parse_value(value, &schema["properties"][key], schema);
        if params.insert(key.to_owned(), value).is_some() {
            return Err(CliError::usage(format!("`{key}` is given twice")));
        }
    }
    Ok(params)
}

/// A value by its schema. A schema that allows only text, or text and null, makes it text. Otherwise it is
/// read as JSON; if the schema also allows text, only JSON of one of the other types counts.
pub(super) fn parse_value(value: String, property: &Value, root: &Value) -> Value {
    let mut kinds = Vec::new();
    collect_kinds(property, root, 0, &mut kinds);
    let takes_text = kinds.contains(&"string");
    if takes_text && kinds.iter().all(|kind| matches!(*kind, "string" | "null")) {
        return Value::String(value);
    }
    match crate::json::read::<Value>(value.as_bytes()) {
        Ok(json) if !takes_text || kinds.iter().any(|kind| is_of_kind(&json, kind)) => json,
        _ => Value::String(value),
    }
}

/// Deepest chain of references and alternatives that is followed.
const MAX_CHAIN: usize = 16;

/// The JSON types that a schema allows, through references and alternatives.
fn collect_kinds<'a>(schema: &'a Value, root: &'a Value, depth: usize, kinds: &mut Vec<&'a str>) {
    if depth == MAX_CHAIN {
        return;
    }
    match &schema["type"] {
        Value::String(one) => kinds.push(one),
        Value::Array(several) => kinds.extend(several.iter().filter_map(Value::as_str)),
        _ => {
            let values = schema["enum"].as_array().into_iter().flatten().chain(schema.get("const"));
            kinds.extend(values.map(|value| -> &'a str { kind_of(value) }));
        }
    }
    if let Some(referred) = referred(schema, root) {
        collect_kinds(referred, root, depth + 1, kinds);
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        schema[key].as_array().into_iter().flatten().for_each(|form| collect_kinds(form, root, depth + 1, kinds));
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_of_kind(value: &Value, kind: &str) -> bool {
    match value {
        Value::Number(number) if kind == "integer" => number.as_f64().is_some_and(|number| number.fract() == 0.0),
        value => kind_of(value) == kind,
    }
}

/// `key=value` for each required parameter, with values that the schema accepts. Help shows it as an example.
pub(super) fn example(schema: &Value) -> String {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let named = required.iter().filter_map(Value::as_str);
    let pair = |key: &str| {
        let value = sample_value(key, &schema["properties"][key], schema);
        if value.contains(|c: char| !c.is_ascii_alphanumeric() && !".-_".contains(c)) {
            format!("{key}='{value}'")
        } else {
            format!("{key}={value}")
        }
    };
    named.map(pair).collect::<Vec<_>>().join(" ")
}

/// Longest chain of references that is followed.
const MAX_REFERENCES: usize = 16;

fn sample_value<'a>(key: &str, mut property: &'a Value, schema: &'a Value) -> String {
    // References may form a circle.
    for _ in 0..MAX_REFERENCES {
        let Some(name) = property["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) else { break };
        property = &schema["$defs"][name];
    }
    if let Some(first) = property["enum"].get(0).or_else(|| property["oneOf"].get(0).map(|form| &form["const"])) {
        return first.as_str().map_or_else(|| first.to_string(), str::to_owned);
    }
    match property["type"].as_str() {
        Some("integer" | "number") => {
            property["minimum"].as_f64().filter(|least| *least > 1.0).map_or_else(|| "1".to_owned(), |n| n.to_string())
        }
        Some("boolean") => "true".to_owned(),
        Some("array") => "[]".to_owned(),
        Some("object") => "{}".to_owned(),
        _ if key.contains("name") => "Anna".to_owned(),
        _ if key.contains("url") => "https://example.com".to_owned(),
        _ if key.contains("domain") => "example.com".to_owned(),
        _ => format!("a {}", key.replace('_', " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn circular_references_have_a_sample() {
        let schema = json!({"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}});
        assert_eq!(sample_value("first_name", &json!({"$ref": "#/$defs/A"}), &schema), "Anna");
    }

    fn schema() -> Value {
        json!({
            "required": ["text", "how", "times"],
            "properties": {
                "text": {"type": "string"},
                "how": {"$ref": "#/$defs/How"},
                "times": {"type": "integer", "minimum": 3},
                "maybe": {"type": ["integer", "null"]},
            },
            "$defs": {"How": {"type": "string", "enum": ["fast", "well"]}},
        })
    }

    #[test]
    fn schema_decides_between_text_and_json() {
        let typed = ["text=12", "times=12", "maybe=7"].map(str::to_owned);
        let params = Value::Object(from_pairs(&typed, &schema()).unwrap());
        assert_eq!(params, json!({"text": "12", "times": 12, "maybe": 7}));
    }

    #[test]
    fn references_do_not_change_how_a_value_is_read() {
        let forms = [
            (json!({"type": ["string", "null"]}), "null", json!("null")),
            (json!({"anyOf": [{"type": "null"}, {"type": "string"}]}), "null", json!("null")),
            (json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}), "5", json!(5)),
            (json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}), "[5]", json!("[5]")),
            (json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), "null", json!(null)),
            (json!({"enum": ["a", null]}), "null", json!("null")),
            (json!(true), "{\"a\":1}", json!({"a": 1})),
        ];
        for (form, text, expected) in forms {
            let inline = json!({"properties": {"value": form}});
            let behind = json!({"properties": {"value": {"$ref": "#/$defs/Form"}}, "$defs": {"Form": form}});
            for schema in [inline, behind] {
                let params = from_pairs(&[format!("value={text}")], &schema).unwrap();
                assert_eq!(params["value"], expected, "{schema}");
            }
        }
    }

    #[test]
    fn unknown_key_gets_a_suggestion() {
        let error = from_pairs(&["txt=a".to_owned()], &schema()).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean `text`?"));
        assert!(error.text.contains("it has text, how, times, maybe"), "{}", error.text);
    }

    #[test]
    fn json_parameters_pass_the_same_check() {
        let error = from_json(r#"{"text": "a", "zz": 1}"#, &schema()).unwrap_err();
        assert!(error.text.contains("the function has no parameter `zz`; it has text, how, times"), "{}", error.text);
        assert_eq!(from_json(r#"{"txt": "a"}"#, &schema()).unwrap_err().hint.as_deref(), Some("did you mean `text`?"));
        assert!(from_json(r#"{"text": "a"}"#, &schema()).is_ok());
        assert!(from_json("[1]", &schema()).is_ok(), "the platform refuses it");
    }

    #[test]
    fn keys_of_flattened_parts_are_known() {
        let part = json!({"properties": {"inner": {"type": "integer"}}});
        for schema in [
            json!({"properties": {"a": {}}, "oneOf": [part, {"properties": {"b": {}}}]}),
            json!({"$ref": "#/$defs/Part", "$defs": {"Part": part}}),
            json!({"properties": {"a": {}}, "additionalProperties": true}),
            json!({"properties": {"a": {}}, "patternProperties": {"^i": {}}}),
        ] {
            assert!(check_key("inner", &schema, PARAMETER).is_ok(), "{schema}");
        }
        assert!(check_key("other", &json!({"properties": {"a": {}}, "allOf": [part]}), PARAMETER).is_err());
        assert!(check_key("any", &json!({"type": "object"}), PARAMETER).is_err(), "no parameters at all");
    }

    #[test]
    fn example_has_every_required_parameter() {
        assert_eq!(example(&schema()), "text='a text' how=fast times=3");
    }
}
