//! Parameters as they are typed: `key=value`, `key=@file`, `key=@-`.

use std::io::Read;

use serde_json::{Map, Value};

use super::exit::{CliError, guess};

/// `key=value` by the schema: what it wants as text stays text, the rest is read as JSON.
pub(super) fn from_pairs(pairs: &[String], schema: &Value) -> Result<Map<String, Value>, CliError> {
    let mut params = Map::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(CliError::usage(format!("`{pair}` is not key=value")));
        };
        let known = schema["properties"].as_object();
        if known.is_some_and(|known| !known.contains_key(key)) && !schema["additionalProperties"].is_object() {
            let known: Vec<_> = known.into_iter().flat_map(|known| known.keys().map(String::as_str)).collect();
            let list = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(CliError::refused(format!("the function has no parameter `{key}`; it has {list}"))
                .hint(guess(key, known)));
        }
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
        let value = if wants_text(&schema["properties"][key]) {
            Value::String(value)
        } else {
            crate::json::read(value.as_bytes()).unwrap_or(Value::String(value))
        };
        if params.insert(key.to_owned(), value).is_some() {
            return Err(CliError::usage(format!("`{key}` is given twice")));
        }
    }
    Ok(params)
}

fn wants_text(schema: &Value) -> bool {
    match &schema["type"] {
        Value::String(one) => one == "string",
        Value::Array(several) => several.contains(&Value::from("string")),
        _ => schema["anyOf"].as_array().is_some_and(|forms| forms.iter().any(wants_text)),
    }
}

/// `key=value` for each required parameter, as an example in help: what its schema would accept.
pub(super) fn example(schema: &Value) -> String {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let named = required.iter().filter_map(Value::as_str);
    let pair = |key: &str| {
        let value = sample(key, &schema["properties"][key], schema);
        if value.contains(|c: char| !c.is_ascii_alphanumeric() && !".-_".contains(c)) {
            format!("{key}='{value}'")
        } else {
            format!("{key}={value}")
        }
    };
    named.map(pair).collect::<Vec<_>>().join(" ")
}

fn sample(key: &str, property: &Value, schema: &Value) -> String {
    if let Some(name) = property["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return sample(key, &schema["$defs"][name], schema);
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
    fn what_the_schema_wants_as_text_stays_text() {
        let typed = ["text=12", "times=12", "maybe=7"].map(str::to_owned);
        let params = Value::Object(from_pairs(&typed, &schema()).unwrap());
        assert_eq!(params, json!({"text": "12", "times": 12, "maybe": 7}));
    }

    #[test]
    fn a_slip_in_a_key_is_answered_with_what_was_meant() {
        let error = from_pairs(&["txt=a".to_owned()], &schema()).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean `text`?"));
        assert!(error.text.contains("it has text, how, times, maybe"), "{}", error.text);
    }

    #[test]
    fn an_example_has_every_required_parameter() {
        assert_eq!(example(&schema()), "text='a text' how=fast times=3");
    }
}
