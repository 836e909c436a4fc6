//! A parameter's schema in words: "whole number, 1 to 9; default 3", "one of: plain, formal".
//!
//! Reads what schemars writes. A form that it does not know is called a JSON value, never left out.

use serde_json::{Number, Value};

use super::params::referred;

/// Deepest chain of references, lists and alternatives that is described.
const MAX_DEPTH: usize = 6;
/// Values of an enum that are listed.
const MAX_VALUES: usize = 20;

/// One parameter of a function.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParameterText {
    pub(super) name: String,
    /// Type and bounds.
    pub(super) kind: String,
    pub(super) required: bool,
    /// As JSON.
    pub(super) default: Option<String>,
    pub(super) is_secret: bool,
    pub(super) description: String,
}

/// The parameters of a function, the required ones first.
pub(super) fn parameters(schema: &Value) -> Vec<ParameterText> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object();
    let mut parameters: Vec<_> = properties
        .into_iter()
        .flatten()
        .map(|(name, property)| ParameterText {
            name: name.clone(),
            kind: kind(property, schema, 0),
            required: required.contains(&name.as_str()),
            default: property.get("default").filter(|default| !default.is_null()).map(Value::to_string),
            is_secret: property["writeOnly"] == true,
            description: description(property, schema),
        })
        .collect();
    parameters.sort_by_key(|parameter| !parameter.required);
    parameters
}

fn description(property: &Value, root: &Value) -> String {
    let own = property["description"].as_str();
    let of_type = || referred(property, root)?["description"].as_str();
    own.or_else(of_type).unwrap_or_default().to_owned()
}

/// Type and bounds of a value that is no parameter.
pub(super) fn value_kind(schema: &Value) -> String {
    kind(schema, schema, 0)
}

/// Type and bounds of a value.
fn kind(schema: &Value, root: &Value, depth: usize) -> String {
    if depth == MAX_DEPTH {
        return "JSON value".to_owned();
    }
    if let Some(referred) = referred(schema, root) {
        return kind(referred, root, depth + 1);
    }
    if let Some(values) = listed_values(schema) {
        return values;
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(forms) = schema[key].as_array() {
            return alternatives(forms, root, depth);
        }
    }
    match &schema["type"] {
        Value::String(name) => of_type(name, schema, root, depth),
        Value::Array(names) => {
            let names: Vec<_> = names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect();
            names.iter().map(|name| of_type(name, schema, root, depth)).collect::<Vec<_>>().join(" or ")
        }
        _ => "JSON value".to_owned(),
    }
}

/// "one of: a, b", if the schema lists its values.
fn listed_values(schema: &Value) -> Option<String> {
    let constants =
        |forms: &Vec<Value>| forms.iter().map(|form| form.get("const").cloned()).collect::<Option<Vec<_>>>();
    let values = match (schema["enum"].as_array(), schema["oneOf"].as_array(), schema.get("const")) {
        (Some(values), ..) => values.clone(),
        (_, Some(forms), _) => constants(forms)?,
        (_, _, Some(one)) => vec![one.clone()],
        _ => return None,
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut shown: Vec<_> = values.iter().filter(|value| !value.is_null()).take(MAX_VALUES).map(text).collect();
    if values.len() > MAX_VALUES {
        shown.push("..".to_owned());
    }
    Some(if shown.len() == 1 { shown.remove(0) } else { format!("one of: {}", shown.join(", ")) })
}

fn alternatives(forms: &[Value], root: &Value, depth: usize) -> String {
    let mut kinds = Vec::new();
    for form in forms.iter().filter(|form| form["type"] != "null") {
        let kind = kind(form, root, depth + 1);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds.join(" or ")
}

fn of_type(name: &str, schema: &Value, root: &Value, depth: usize) -> String {
    match name {
        "string" => {
            let mut text = string_kind(schema);
            text.extend(range(schema, "minLength", "maxLength", "characters").map(|range| format!(", {range}")));
            if let Some(pattern) = schema["pattern"].as_str() {
                text = format!("{text}, matching {pattern}");
            }
            text
        }
        "integer" | "number" => {
            let mut text = if name == "integer" { "whole number" } else { "number" }.to_owned();
            text.extend(range(schema, "minimum", "maximum", "").map(|range| format!(", {range}")));
            for (key, word) in
                [("exclusiveMinimum", "above"), ("exclusiveMaximum", "below"), ("multipleOf", "multiple of")]
            {
                if let Some(bound) = schema[key].as_number() {
                    text = format!("{text}, {word} {}", number(bound));
                }
            }
            text
        }
        "boolean" => "true or false".to_owned(),
        "array" => {
            let items =
                schema.get("items").map_or_else(|| "JSON values".to_owned(), |items| kind(items, root, depth + 1));
            let mut text = format!("list of {items} (as JSON)");
            text.extend(range(schema, "minItems", "maxItems", "items").map(|range| format!(", {range}")));
            text
        }
        "object" => "JSON object".to_owned(),
        _ => "JSON value".to_owned(),
    }
}

fn string_kind(schema: &Value) -> String {
    match schema["format"].as_str() {
        Some("uuid") => "UUID".to_owned(),
        Some("uri" | "url") => "URL".to_owned(),
        Some("email") => "e-mail address".to_owned(),
        Some("file-id") => "id of an uploaded file".to_owned(),
        Some("date") => "date, such as 2026-01-31".to_owned(),
        Some("date-time") => "time, such as 2026-01-31T12:00:00Z".to_owned(),
        Some(format) => format!("text ({format})"),
        None => "text".to_owned(),
    }
}

/// "1 to 9", "at least 1", "at most 9", with the unit.
fn range(schema: &Value, least: &str, most: &str, unit: &str) -> Option<String> {
    let bound = |key: &str| schema[key].as_number().map(number);
    // A type's own range says nothing: 0 to 4294967295 is what `u32` holds.
    let most = bound(most).filter(|_| !is_type_limit(&schema[most]));
    let text = match (bound(least), most) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => return None,
    };
    Some(format!("{text} {unit}").trim_end().to_owned())
}

fn is_type_limit(bound: &Value) -> bool {
    const LIMITS: [u64; 6] =
        [i32::MAX as u64, u32::MAX as u64, i64::MAX as u64, u64::MAX, (1 << 53) - 1, i16::MAX as u64];
    bound.as_u64().is_some_and(|bound| LIMITS.contains(&bound))
}

/// A whole float without its point.
fn number(number: &Number) -> String {
    let text = number.to_string();
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_bounds_and_values_are_named() {
        let root = json!({"$defs": {
            "How": {"type": "string", "enum": ["fast", "well"]},
            "Way": {"oneOf": [{"const": "a", "description": "A."}, {"const": "b"}]},
            "Loop": {"type": "array", "items": {"$ref": "#/$defs/Loop"}},
        }});
        for (schema, words) in [
            (json!({"type": "string"}), "text"),
            (json!({"type": "string", "minLength": 1, "maxLength": 1000}), "text, 1 to 1000 characters"),
            (json!({"type": ["string", "null"], "format": "email"}), "e-mail address"),
            (json!({"type": "string", "pattern": "^a+$"}), "text, matching ^a+$"),
            (json!({"type": "integer", "format": "uint8", "minimum": 0, "maximum": 9}), "whole number, 0 to 9"),
            (json!({"type": "integer", "minimum": 0, "maximum": 4_294_967_295_u64}), "whole number, at least 0"),
            (json!({"type": "number", "exclusiveMinimum": 0.0, "maximum": 1.5}), "number, at most 1.5, above 0"),
            (json!({"type": "boolean"}), "true or false"),
            (json!({"$ref": "#/$defs/How"}), "one of: fast, well"),
            (json!({"anyOf": [{"$ref": "#/$defs/Way"}, {"type": "null"}]}), "one of: a, b"),
            (json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}), "whole number or text"),
            (
                json!({"type": "array", "items": {"type": "string"}, "maxItems": 3}),
                "list of text (as JSON), at most 3 items",
            ),
            (json!({"type": "object"}), "JSON object"),
            (json!(true), "JSON value"),
        ] {
            assert_eq!(kind(&schema, &root, 0), words, "{schema}");
        }
        assert!(kind(&json!({"$ref": "#/$defs/Loop"}), &root, 0).contains("JSON value"), "circles end");
    }

    #[test]
    fn required_parameters_come_first() {
        let schema = json!({
            "required": ["text"],
            "properties": {
                "times": {"type": "integer", "default": 3},
                "text": {"type": "string", "description": "What to say."},
                "pin": {"type": "integer", "writeOnly": true, "default": null},
            },
        });
        let parameters = parameters(&schema);
        let names: Vec<_> = parameters.iter().map(|parameter| &*parameter.name).collect();
        assert_eq!(names, ["text", "times", "pin"]);
        assert!(parameters[0].required && parameters[0].description == "What to say.");
        assert_eq!(parameters[1].default.as_deref(), Some("3"));
        assert!(parameters[2].is_secret && parameters[2].default.is_none());
    }
}
