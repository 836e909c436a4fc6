//! The arguments of a call, as a model wrote them, read into parameters.
//!
//! Models write `"5"`, `5.0` and `"true"` where the schema says integer and boolean, and objects as text. What is meant
//! is clear, so it is read; everything else is told to the model with the sentence that people get.

use serde_json::{Map, Number, Value};

/// Reads arguments by an input schema without references.
///
/// # Errors
/// A sentence for the model.
pub(super) fn read_arguments(text: &str, schema: &Value) -> Result<Value, String> {
    let text = text.trim();
    let text = text.strip_prefix("```json").or_else(|| text.strip_prefix("```")).unwrap_or(text);
    let text = text.trim_end_matches("```").trim();
    if text.is_empty() || text == "null" {
        return Ok(Value::Object(Map::new()));
    }
    let read = |text: &str| imperal_manifest::json::read::<Value>(text.as_bytes()).map_err(|error| error.to_string());
    let mut value = read(text).map_err(|why| {
        format!("The arguments are not valid JSON: {why}. Send one JSON object with the parameters of the function.")
    })?;
    // An object that was written as a text once more.
    if let Value::String(inner) = &value
        && let Ok(object @ Value::Object(_)) = read(inner)
    {
        value = object;
    }
    if !value.is_object() {
        return Err("The arguments must be one JSON object with the parameters of the function.".to_owned());
    }
    mend(&mut value, schema);
    Ok(value)
}

/// Reads values of another JSON type that can mean only one thing.
fn mend(value: &mut Value, schema: &Value) {
    let kinds = kinds(schema);
    let allows = |kind: &str| kinds.contains(&kind);
    match value {
        Value::String(text) if !allows("string") && !kinds.is_empty() => {
            if let Some(meant) = meant(text.trim(), &allows) {
                *value = meant;
                if value.is_object() || value.is_array() {
                    mend(value, schema);
                }
            }
        }
        Value::Object(fields) => {
            let properties = &schema["properties"];
            let is_optional = |name: &str| {
                !schema["required"].as_array().is_some_and(|names| names.iter().any(|required| required == name))
            };
            // Models fill optional parameters with null.
            fields.retain(|name, field| {
                !(field.is_null() && is_optional(name) && !allows_null(&properties[name.as_str()]))
            });
            for (name, field) in fields {
                let of_field = match properties.get(name) {
                    Some(of_field) => of_field,
                    None => &schema["additionalProperties"],
                };
                mend(field, of_field);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mend(item, &schema["items"])),
        _ => {}
    }
}

/// The value that a text means where no text is allowed.
fn meant(text: &str, allows: &impl Fn(&str) -> bool) -> Option<Value> {
    if (allows("integer") || allows("number"))
        && let Ok(number) = serde_json::from_str::<Number>(text)
    {
        // `5.0` becomes an integer in the check of the parameters.
        return Some(Value::Number(number));
    }
    match text {
        "true" | "True" if allows("boolean") => Some(Value::Bool(true)),
        "false" | "False" if allows("boolean") => Some(Value::Bool(false)),
        "null" | "None" if allows("null") => Some(Value::Null),
        _ if allows("array") || allows("object") => {
            let value: Value = serde_json::from_str(text).ok()?;
            (value.is_array() && allows("array") || value.is_object() && allows("object")).then_some(value)
        }
        _ => None,
    }
}

/// The types that a schema allows, as far as it says them.
fn kinds(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => ["anyOf", "oneOf"].iter().filter_map(|key| schema[*key].as_array()).flatten().flat_map(kinds).collect(),
    }
}

fn allows_null(schema: &Value) -> bool {
    let kinds = kinds(schema);
    kinds.is_empty() || kinds.contains(&"null")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "required": ["n"], "properties": {
            "n": {"type": "integer"}, "yes": {"type": "boolean"}, "text": {"type": "string"},
            "list": {"type": "array", "items": {"type": "integer"}}, "maybe": {"type": ["integer", "null"]},
        }})
    }

    #[test]
    fn numbers_and_booleans_that_come_as_texts_are_read() {
        let read = read_arguments(r#"{"n":"5","yes":"true","text":"7","list":["1",2],"maybe":"null"}"#, &schema());
        assert_eq!(read.unwrap(), json!({"n": 5, "yes": true, "text": "7", "list": [1, 2], "maybe": null}));
        assert_eq!(read_arguments(r#"{"n":"5.0"}"#, &schema()).unwrap(), json!({"n": 5.0}));
        assert_eq!(read_arguments(r#"{"n":"five"}"#, &schema()).unwrap(), json!({"n": "five"}), "the check says why");
    }

    #[test]
    fn objects_that_come_as_texts_and_fenced_ones_are_read() {
        assert_eq!(read_arguments(r#""{\"n\":1}""#, &schema()).unwrap(), json!({"n": 1}));
        assert_eq!(read_arguments("```json\n{\"n\":1}\n```", &schema()).unwrap(), json!({"n": 1}));
        assert_eq!(read_arguments(r#"{"n":1,"list":"[3]"}"#, &schema()).unwrap(), json!({"n": 1, "list": [3]}));
    }

    #[test]
    fn nothing_means_no_parameters_and_null_means_absent() {
        assert_eq!(read_arguments(" ", &schema()).unwrap(), json!({}));
        assert_eq!(read_arguments(r#"{"n":1,"text":null}"#, &schema()).unwrap(), json!({"n": 1}));
    }

    #[test]
    fn broken_arguments_are_told() {
        for broken in ["{\"n\":", "[1]", "5", "{\"n\":1}{\"n\":2}"] {
            let why = read_arguments(broken, &schema()).unwrap_err();
            assert!(why.contains("JSON"), "{why}");
        }
    }
}
