//! Rewrites a schema of `schemars` into the form of the reference SDK's schemas.
//!
//! Every property has a title; bounds that a Rust type implies are left out; optional values are `anyOf`
//! with null and a default of null; enums are lists; variants of tagged enums are definitions with a
//! discriminator; keys are sorted. The meaning stays, except for two things that the form cannot express:
//! the bounds of Rust integer types, and the keys of a map whose key is an enum.
//!
//! Three passes: `variant` moves variants into definitions, `node` rewrites each schema, `order` sorts.

mod name;
mod node;
mod order;
mod title;
mod variant;

#[cfg(test)]
mod tests;

pub(crate) use node::Use;
use serde_json::{Map, Value};

/// Prefix of a reference to a definition.
const DEFS: &str = "#/$defs/";

/// The schema in the reference SDK's form.
pub(crate) fn to_reference_form(schema: Value, used: Use) -> Map<String, Value> {
    let mut root = into_object(schema);
    root.remove("$schema");
    let mut defs = match root.remove("$defs") {
        Some(Value::Object(defs)) => defs,
        _ => Map::new(),
    };
    variant::split(&mut root, &mut defs);
    node::rewrite(&mut root, used);
    for (name, def) in &mut defs {
        let mut schema = into_object(def.take());
        node::rewrite(&mut schema, used);
        schema.entry("title").or_insert_with(|| Value::from(name.as_str()));
        *def = Value::Object(schema);
    }
    define_recursive_root(&mut root, &mut defs);
    name::restrict_names(&mut root, &mut defs);
    drop_unused(&root, &mut defs);
    if !defs.is_empty() {
        root.insert("$defs".to_owned(), Value::Object(defs));
    }
    order::sort(root)
}

/// A recursive root type refers to `#`; the reference SDK makes it a definition.
fn define_recursive_root(root: &mut Map<String, Value>, defs: &mut Map<String, Value>) {
    let mut recursive = false;
    visit_refs_in(root, &mut |target| recursive |= target == "#");
    defs.values().for_each(|def| visit_refs(def, &mut |target| recursive |= target == "#"));
    if !recursive {
        return;
    }
    let Some(name) = root.get("title").and_then(Value::as_str).map(str::to_owned) else { return };
    let target = format!("{DEFS}{name}");
    let mut point = |text: &mut String| {
        if text == "#" {
            text.clone_from(&target);
        }
    };
    edit_refs_in(root, &mut point);
    defs.values_mut().for_each(|def| edit_refs(def, &mut point));
    let body = std::mem::take(root);
    defs.insert(name, Value::Object(body));
    root.insert("$ref".to_owned(), Value::from(target));
}

/// Drops definitions without a reference.
fn drop_unused(root: &Map<String, Value>, defs: &mut Map<String, Value>) {
    if defs.is_empty() {
        return;
    }
    let mut used: Vec<String> = Vec::new();
    visit_refs_in(root, &mut |target| note_use(&mut used, target));
    let mut next = 0;
    while let Some(name) = used.get(next) {
        let def = defs.get(name);
        next += 1;
        if let Some(def) = def {
            visit_refs(def, &mut |target| note_use(&mut used, target));
        }
    }
    if used.len() < defs.len() {
        defs.retain(|name, _| used.contains(name));
    }
}

fn note_use(used: &mut Vec<String>, target: &str) {
    if let Some(name) = target.strip_prefix(DEFS)
        && !used.iter().any(|known| known == name)
    {
        used.push(name.to_owned());
    }
}

/// Visits every `$ref` in a schema, except in values (`default`, `const`, `enum`, `examples`).
fn visit_refs(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::Object(fields) => visit_refs_in(fields, visit),
        Value::Array(items) => items.iter().for_each(|item| visit_refs(item, visit)),
        _ => {}
    }
}

fn visit_refs_in(fields: &Map<String, Value>, visit: &mut impl FnMut(&str)) {
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("$ref", Value::String(target)) => visit(target),
            ("properties" | "patternProperties" | "$defs", Value::Object(schemas)) => {
                schemas.values().for_each(|schema| visit_refs(schema, visit));
            }
            ("default" | "const" | "enum" | "examples", _) => {}
            (_, value) => visit_refs(value, visit),
        }
    }
}

/// Visits every reference to change it, those of discriminators included.
fn edit_refs(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::Object(fields) => edit_refs_in(fields, visit),
        Value::Array(items) => items.iter_mut().for_each(|item| edit_refs(item, visit)),
        _ => {}
    }
}

fn edit_refs_in(fields: &mut Map<String, Value>, visit: &mut impl FnMut(&mut String)) {
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("$ref", Value::String(target)) => visit(target),
            ("discriminator", Value::Object(parts)) => {
                for target in parts.get_mut("mapping").and_then(Value::as_object_mut).into_iter().flatten() {
                    if let Value::String(target) = target.1 {
                        visit(target);
                    }
                }
            }
            ("properties" | "patternProperties" | "$defs", Value::Object(schemas)) => {
                schemas.values_mut().for_each(|schema| edit_refs(schema, visit));
            }
            ("default" | "const" | "enum" | "examples", _) => {}
            (_, value) => edit_refs(value, visit),
        }
    }
}

/// `true` allows everything and so does an empty object; `false` allows nothing.
fn into_object(schema: Value) -> Map<String, Value> {
    match schema {
        Value::Object(fields) => fields,
        Value::Bool(false) => Map::from_iter([("not".to_owned(), Value::Object(Map::new()))]),
        _ => Map::new(),
    }
}
