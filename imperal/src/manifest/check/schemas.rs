//! Schemas of parameters and results: are they schemas, and can they be used.
//!
//! Owns rules M25 and M26. The JSON Schema validator is the same one that checks calls.

use serde_json::{Map, Value};

use super::rules::{Sink, text};

/// The fields of a schema's root, through a reference to a definition.
pub(super) fn fields(schema: &Map<String, Value>) -> Option<&Map<String, Value>> {
    let root = match schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix("#/$defs/")) {
        Some(name) => schema.get("$defs")?.get(name)?.as_object()?,
        None => schema,
    };
    root.get("properties")?.as_object()
}

/// Both schemas of a tool.
pub(super) fn check(at: &str, tool: &Map<String, Value>, sink: &mut Sink) {
    let name = text(tool, "name");
    for (key, what) in [("params_schema", "parameters"), ("return_schema", "result")] {
        let Some(schema) = tool.get(key).filter(|schema| schema.as_object().is_some_and(|fields| !fields.is_empty()))
        else {
            continue;
        };
        let at = format!("{at}.{key}");
        if let Err((place, fault)) = valid(schema) {
            let message = format!("the schema of the {what} of `{name}` is none: {fault}");
            sink.error("M25", format!("{at}{place}"), message, "correct the type or the attribute that it comes from");
        }
        if key == "params_schema"
            && let Some(schema) = schema.as_object()
        {
            flat(&at, name, schema, sink);
        }
    }
}

/// The place within the schema and what is wrong there.
fn valid(schema: &Value) -> Result<(), (String, String)> {
    let mut dangling: Option<String> = None;
    each_ref(schema, &mut |target| {
        let resolves = target.strip_prefix('#').is_some_and(|pointer| schema.pointer(pointer).is_some());
        if !resolves && dangling.is_none() {
            dangling = Some(format!("`{target}` refers to nothing"));
        }
    });
    if let Some(fault) = dangling {
        return Err((String::new(), fault));
    }
    let fault = |error: &jsonschema::ValidationError<'_>| {
        let place = error.instance_path().as_str().replace('/', ".");
        let shown = if place.is_empty() { "its root".to_owned() } else { format!("`{}`", &place[1..]) };
        (place, format!("{shown}: {error}"))
    };
    jsonschema::draft202012::meta::validate(schema).map_err(|error| fault(&error))?;
    // Making a validator is what takes time; only a pattern can make it fail after all that.
    if has_pattern(schema) {
        jsonschema::draft202012::new(schema).map_err(|error| fault(&error))?;
    }
    Ok(())
}

fn has_pattern(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(key, value)| {
            matches!(key.as_str(), "pattern" | "patternProperties" | "$schema" | "$id") || has_pattern(value)
        }),
        Value::Array(items) => items.iter().any(has_pattern),
        _ => false,
    }
}

/// Parameters are one object whose definitions do not contain themselves.
fn flat(at: &str, name: &str, schema: &Map<String, Value>, sink: &mut Sink) {
    if let Some(target) = cycle(schema) {
        let type_name = target.rsplit('/').next().unwrap_or(&target);
        let message = format!("the parameters of `{name}` contain `{type_name}`, which contains itself");
        sink.error(
            "M26",
            at,
            message,
            "take a list with the id of each parent instead, or text that the function reads",
        );
        return;
    }
    let kind = schema.get("type").and_then(Value::as_str);
    if kind != Some("object") {
        let found = match kind {
            Some(kind) => format!("of type `{kind}`"),
            None if schema.contains_key("anyOf") || schema.contains_key("oneOf") => "a choice of several".to_owned(),
            None => "of no type".to_owned(),
        };
        let message = format!("the parameters of `{name}` must be one object, and are {found}");
        sink.error("M26", at, message, "make them a struct, and put this type into one of its fields");
    }
}

/// A definition that leads back to itself.
fn cycle(schema: &Map<String, Value>) -> Option<String> {
    let defs = schema.get("$defs").and_then(Value::as_object)?;
    let direct = |value: &Value| {
        let mut targets = Vec::new();
        each_ref(value, &mut |target| targets.extend(target.strip_prefix("#/$defs/").map(str::to_owned)));
        targets
    };
    defs.keys()
        .find(|start| {
            let mut open: Vec<String> = defs.get(*start).map(direct).unwrap_or_default();
            let mut seen: Vec<String> = Vec::new();
            while let Some(next) = open.pop() {
                if next == **start {
                    return true;
                }
                if !seen.contains(&next) {
                    open.extend(defs.get(&next).map(direct).unwrap_or_default());
                    seen.push(next);
                }
            }
            false
        })
        .cloned()
}

fn each_ref(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("$ref", Value::String(target)) => visit(target),
                    ("default" | "const" | "enum" | "examples", _) => {}
                    _ => each_ref(value, visit),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_ref(item, visit)),
        _ => {}
    }
}
