//! Gives a schema from `schemars` the form that the reference SDK's schemas have.
//!
//! Owns the whole of that form: titles on every property, nothing implied by a Rust type's width,
//! `anyOf` with null and a default of null for what is optional, enums as lists, variants of tagged
//! enums as definitions of their own with a discriminator, and the order of keys. Meaning is kept
//! but for two things the form has no words for: the bounds of a Rust integer type, and which keys
//! a map with an enum as key may have.
//!
//! Three passes: `variant` gives variants a definition, `node` rewrites each schema, `order` sorts.

mod name;
mod node;
mod order;
mod title;
mod variant;

#[cfg(test)]
mod tests;

pub(crate) use node::Use;
use serde_json::{Map, Value};

/// Where definitions are.
const DEFS: &str = "#/$defs/";

/// A schema as the reference writes it.
pub(crate) fn shape(schema: Value, used: Use) -> Map<String, Value> {
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
    own_root(&mut root, &mut defs);
    name::plain(&mut root, &mut defs);
    drop_unused(&root, &mut defs);
    if !defs.is_empty() {
        root.insert("$defs".to_owned(), Value::Object(defs));
    }
    order::sort(root)
}

/// A type that contains itself refers to the root; the reference makes it a definition.
fn own_root(root: &mut Map<String, Value>, defs: &mut Map<String, Value>) {
    let mut recursive = false;
    see_refs_in(root, &mut |target| recursive |= target == "#");
    defs.values().for_each(|def| see_refs(def, &mut |target| recursive |= target == "#"));
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
    each_ref_in(root, &mut point);
    defs.values_mut().for_each(|def| each_ref(def, &mut point));
    let body = std::mem::take(root);
    defs.insert(name, Value::Object(body));
    root.insert("$ref".to_owned(), Value::from(target));
}

/// Definitions that nothing refers to any more are left out.
fn drop_unused(root: &Map<String, Value>, defs: &mut Map<String, Value>) {
    if defs.is_empty() {
        return;
    }
    let mut used: Vec<String> = Vec::new();
    see_refs_in(root, &mut |target| note(&mut used, target));
    let mut next = 0;
    while let Some(name) = used.get(next) {
        let def = defs.get(name);
        next += 1;
        if let Some(def) = def {
            see_refs(def, &mut |target| note(&mut used, target));
        }
    }
    if used.len() < defs.len() {
        defs.retain(|name, _| used.contains(name));
    }
}

fn note(used: &mut Vec<String>, target: &str) {
    if let Some(name) = target.strip_prefix(DEFS)
        && !used.iter().any(|known| known == name)
    {
        used.push(name.to_owned());
    }
}

/// Every `$ref` in a schema, values of `default`, `const`, `enum` and `examples` left alone.
fn see_refs(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::Object(fields) => see_refs_in(fields, visit),
        Value::Array(items) => items.iter().for_each(|item| see_refs(item, visit)),
        _ => {}
    }
}

fn see_refs_in(fields: &Map<String, Value>, visit: &mut impl FnMut(&str)) {
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("$ref", Value::String(target)) => visit(target),
            ("properties" | "patternProperties" | "$defs", Value::Object(schemas)) => {
                schemas.values().for_each(|schema| see_refs(schema, visit));
            }
            ("default" | "const" | "enum" | "examples", _) => {}
            (_, value) => see_refs(value, visit),
        }
    }
}

/// The same, to change them; those of a discriminator as well.
fn each_ref(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::Object(fields) => each_ref_in(fields, visit),
        Value::Array(items) => items.iter_mut().for_each(|item| each_ref(item, visit)),
        _ => {}
    }
}

fn each_ref_in(fields: &mut Map<String, Value>, visit: &mut impl FnMut(&mut String)) {
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
                schemas.values_mut().for_each(|schema| each_ref(schema, visit));
            }
            ("default" | "const" | "enum" | "examples", _) => {}
            (_, value) => each_ref(value, visit),
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
