//! Checks that a value is a JSON Schema of draft 2020-12.
//!
//! Owns the form of each keyword's value, as in the draft's meta-schema. `regex_syntax` checks the patterns,
//! `schemas` the references. The recursion needs no limit here, because the reader of manifests limits the
//! depth.

use serde_json::{Map, Value};

use super::regex_syntax::regex_fault;

/// A fault of a schema, with its path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SchemaFault {
    /// Path of the faulty value, such as `.properties.name.type`; empty for the root.
    pub(super) path: String,
    /// Says what the value must be, or what is wrong with it.
    pub(super) message: String,
}

/// The form of a keyword's value.
#[derive(Debug, Clone, Copy)]
enum Form {
    Schema,
    Schemas,
    NamedSchemas,
    PatternSchemas,
    SchemasOrNames,
    Text,
    Pattern,
    Anchor,
    Id,
    Boolean,
    NamedBooleans,
    Number,
    PositiveNumber,
    Count,
    List,
    Names,
    NamedNames,
    Types,
}

/// The keywords of draft 2020-12 and the deprecated ones that its meta-schema still describes.
fn form_of(keyword: &str) -> Option<Form> {
    Some(match keyword {
        "additionalProperties"
        | "contains"
        | "contentSchema"
        | "else"
        | "if"
        | "items"
        | "not"
        | "propertyNames"
        | "then"
        | "unevaluatedItems"
        | "unevaluatedProperties" => Form::Schema,
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => Form::Schemas,
        "$defs" | "definitions" | "dependentSchemas" | "properties" => Form::NamedSchemas,
        "patternProperties" => Form::PatternSchemas,
        "dependencies" => Form::SchemasOrNames,
        "$comment" | "$dynamicRef" | "$recursiveRef" | "$ref" | "$schema" | "contentEncoding" | "contentMediaType"
        | "description" | "format" | "title" => Form::Text,
        "pattern" => Form::Pattern,
        "$anchor" | "$dynamicAnchor" | "$recursiveAnchor" => Form::Anchor,
        "$id" => Form::Id,
        "deprecated" | "readOnly" | "uniqueItems" | "writeOnly" => Form::Boolean,
        "$vocabulary" => Form::NamedBooleans,
        "exclusiveMaximum" | "exclusiveMinimum" | "maximum" | "minimum" => Form::Number,
        "multipleOf" => Form::PositiveNumber,
        "maxContains" | "maxItems" | "maxLength" | "maxProperties" | "minContains" | "minItems" | "minLength"
        | "minProperties" => Form::Count,
        "enum" | "examples" => Form::List,
        "required" => Form::Names,
        "dependentRequired" => Form::NamedNames,
        "type" => Form::Types,
        _ => return None,
    })
}

/// The first fault of a schema, in the order of its keywords.
pub(super) fn schema_fault(schema: &Value) -> Option<SchemaFault> {
    let fields = match schema {
        Value::Bool(_) => return None,
        Value::Object(fields) => fields,
        _ => return Some(fault("must be a schema: an object, true or false")),
    };
    fields.iter().find_map(|(keyword, value)| below(keyword, keyword_fault(form_of(keyword)?, value)))
}

fn keyword_fault(form: Form, value: &Value) -> Option<SchemaFault> {
    match form {
        Form::Schema => schema_fault(value),
        Form::Schemas => match value.as_array() {
            Some(schemas) if !schemas.is_empty() => schemas.iter().enumerate().find_map(|(at, schema)| {
                let fault = schema_fault(schema)?;
                below(&at.to_string(), Some(fault))
            }),
            _ => Some(fault("must be a list of at least one schema")),
        },
        Form::NamedSchemas => each_field(value, "must be an object of schemas", |_, schema| schema_fault(schema)),
        Form::PatternSchemas => each_field(value, "must be an object of schemas", |pattern, schema| {
            pattern_fault(pattern).or_else(|| schema_fault(schema))
        }),
        Form::SchemasOrNames => each_field(value, "must be an object of schemas or lists of names", |_, value| {
            if value.is_array() { names_fault(value) } else { schema_fault(value) }
        }),
        Form::Text => must(value.is_string(), "must be text"),
        Form::Pattern => match value.as_str() {
            Some(pattern) => pattern_fault(pattern),
            None => Some(fault("must be text")),
        },
        Form::Anchor => {
            must(value.as_str().is_some_and(is_anchor), "must be a name: letters, digits, `-`, `_` and `.`")
        }
        Form::Id => must(value.as_str().is_some_and(is_id), "must be an address without a fragment"),
        Form::Boolean => must(value.is_boolean(), "must be true or false"),
        Form::NamedBooleans => each_field(value, "must be an object of true or false", |_, value| {
            must(value.is_boolean(), "must be true or false")
        }),
        Form::Number => must(value.is_number(), "must be a number"),
        Form::PositiveNumber => {
            must(value.as_f64().is_some_and(|number| number > 0.0), "must be a number greater than 0")
        }
        Form::Count => must(
            value.as_f64().is_some_and(|number| number >= 0.0 && number.fract() == 0.0),
            "must be a whole number of at least 0",
        ),
        Form::List => must(value.is_array(), "must be a list"),
        Form::Names => names_fault(value),
        Form::NamedNames => each_field(value, "must be an object of lists of names", |_, names| names_fault(names)),
        Form::Types => types_fault(value),
    }
}

fn fault(message: impl Into<String>) -> SchemaFault {
    SchemaFault { path: String::new(), message: message.into() }
}

fn must(holds: bool, message: &str) -> Option<SchemaFault> {
    if holds { None } else { Some(fault(message)) }
}

/// The fault with `part` in front of its path.
fn below(part: &str, fault: Option<SchemaFault>) -> Option<SchemaFault> {
    fault.map(|fault| SchemaFault { path: format!(".{part}{}", fault.path), ..fault })
}

fn each_field(
    value: &Value,
    message: &str,
    check: impl Fn(&str, &Value) -> Option<SchemaFault>,
) -> Option<SchemaFault> {
    let fields: &Map<String, Value> = match value {
        Value::Object(fields) => fields,
        _ => return Some(fault(message)),
    };
    fields.iter().find_map(|(name, value)| below(name, check(name, value)))
}

fn pattern_fault(pattern: &str) -> Option<SchemaFault> {
    regex_fault(pattern).map(|why| fault(format!("is not a regular expression: {why}")))
}

fn names_fault(value: &Value) -> Option<SchemaFault> {
    let names: Option<Vec<&str>> = value.as_array().and_then(|names| names.iter().map(Value::as_str).collect());
    must(names.is_some_and(|names| is_unique(&names)), "must be a list of different names")
}

fn types_fault(value: &Value) -> Option<SchemaFault> {
    const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];
    let are_types = match value {
        Value::Array(types) => {
            let types: Option<Vec<&str>> = types.iter().map(Value::as_str).collect();
            types.is_some_and(|types| {
                !types.is_empty() && types.iter().all(|one| TYPES.contains(one)) && is_unique(&types)
            })
        }
        one => one.as_str().is_some_and(|one| TYPES.contains(&one)),
    };
    must(are_types, "must be array, boolean, integer, null, number, object or string, or a list of them")
}

fn is_unique(names: &[&str]) -> bool {
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] != pair[1])
}

fn is_anchor(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}

/// Whether the text has no fragment, or an empty one: `schema.json#`.
fn is_id(text: &str) -> bool {
    text.trim_end_matches('#').find('#').is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Valid and invalid schemas for each form of a keyword.
    fn schemas() -> Vec<Value> {
        let values = [
            json!(null),
            json!(true),
            json!(0),
            json!(-1),
            json!(2.0),
            json!(2.5),
            json!("text"),
            json!("string"),
            json!("("),
            json!("[a-z]+"),
            json!([]),
            json!(["a", "b"]),
            json!(["a", "a"]),
            json!(["string", "null"]),
            json!([true, {"type": "string"}]),
            json!([1]),
            json!({}),
            json!({"type": "number"}),
            json!({"a": {"type": "string"}}),
            json!({"a": {"type": "text"}}),
            json!({"a": ["b"]}),
            json!({"a": true}),
            json!({"a": 1}),
        ];
        let keywords = [
            "additionalProperties",
            "items",
            "allOf",
            "prefixItems",
            "properties",
            "$defs",
            "patternProperties",
            "dependencies",
            "title",
            "format",
            "pattern",
            "$anchor",
            "deprecated",
            "uniqueItems",
            "minimum",
            "multipleOf",
            "maxLength",
            "minItems",
            "enum",
            "examples",
            "required",
            "dependentRequired",
            "type",
            "const",
            "default",
            "x-own",
        ];
        let mut schemas = vec![json!(true), json!(1), json!([]), json!("text")];
        for keyword in keywords {
            for value in &values {
                schemas.push(json!({ keyword: value }));
                schemas.push(json!({"properties": {"inner": { keyword: value }}}));
            }
        }
        schemas
    }

    #[test]
    fn agrees_with_the_meta_schema() {
        for schema in schemas() {
            let is_schema =
                jsonschema::draft202012::meta::is_valid(&schema) && jsonschema::draft202012::new(&schema).is_ok();
            assert_eq!(schema_fault(&schema).is_none(), is_schema, "{schema}: {:?}", schema_fault(&schema));
        }
    }

    #[test]
    fn names_the_place() {
        let schema = json!({"properties": {"count": {"anyOf": [{"type": "null"}, {"minimum": "1"}]}}});
        let fault = schema_fault(&schema).unwrap();
        assert_eq!((&*fault.path, &*fault.message), (".properties.count.anyOf.1.minimum", "must be a number"));
    }
}
