//! Moves the variants of tagged enums into definitions, with the tag as discriminator.
//!
//! A definition has the name of its variant, prefixed with the enum's name if another type has that name.
//! Variants of an externally tagged enum (serde's default) stay in place, because the reference SDK has no
//! such form.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{DEFS, title, visit_refs, visit_refs_in};

/// Number of references to each definition, before anything is moved.
type Uses = BTreeMap<String, usize>;

/// Moves variants into `defs`, in the root and in every definition.
pub(super) fn split(root: &mut Map<String, Value>, defs: &mut Map<String, Value>) {
    let mut uses = Uses::new();
    if !defs.is_empty() {
        let mut count = |target: &str| *uses.entry(target.to_owned()).or_default() += 1;
        visit_refs_in(root, &mut count);
        defs.values().for_each(|def| visit_refs(def, &mut count));
    }
    let name = root.get("title").and_then(Value::as_str).unwrap_or("Root").to_owned();
    let mut body = Value::Object(std::mem::take(root));
    split_in(&mut body, &name, defs, &uses);
    if let Value::Object(fields) = body {
        *root = fields;
    }
    let names: Vec<String> = defs.keys().cloned().collect();
    for name in names {
        let Some(mut def) = defs.get_mut(&name).map(Value::take) else { continue };
        split_in(&mut def, &name, defs, &uses);
        // A variant may have replaced the type that it holds.
        if let Some(place) = defs.get_mut(&name).filter(|place| place.is_null()) {
            *place = def;
        }
    }
}

fn split_in(value: &mut Value, owner: &str, defs: &mut Map<String, Value>, uses: &Uses) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| split_in(item, owner, defs, uses)),
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                if !matches!(key.as_str(), "default" | "const" | "enum" | "examples") {
                    split_in(value, owner, defs, uses);
                }
            }
            split_one(fields, owner, defs, uses);
        }
        _ => {}
    }
}

fn split_one(schema: &mut Map<String, Value>, owner: &str, defs: &mut Map<String, Value>, uses: &Uses) {
    let key = if schema.contains_key("oneOf") { "oneOf" } else { "anyOf" };
    let Some(branches) = schema.get_mut(key).and_then(Value::as_array_mut) else { return };
    let tag = tag_of(branches);
    let mut mapping = Map::new();
    for branch in branches.iter_mut() {
        let Some(fields) = branch.as_object_mut() else { continue };
        let named = fields.shift_remove("title").and_then(|title| title.as_str().map(str::to_owned));
        let value = tag.as_deref().and_then(|tag| tag_value(fields, tag)).map(str::to_owned);
        let wanted = match (&value, named) {
            (Some(value), None) => title::type_name(value),
            (_, Some(name)) if fields.contains_key("properties") => name,
            _ => continue,
        };
        let body = std::mem::take(fields);
        let name = define(&wanted, owner, body, defs, uses);
        let target = format!("{DEFS}{name}");
        if let Some(value) = value {
            mapping.insert(value, Value::from(target.as_str()));
        }
        *branch = json!({"$ref": target});
    }
    if let Some(tag) = tag
        && mapping.len() == branches.len()
    {
        if let [only] = branches.as_mut_slice() {
            let only = only.take();
            schema.shift_remove(key);
            schema.extend(only.as_object().cloned().unwrap_or_default());
        } else {
            schema.insert("discriminator".to_owned(), json!({"mapping": mapping, "propertyName": tag}));
        }
    }
}

/// The field that is a constant in every branch.
fn tag_of(branches: &[Value]) -> Option<String> {
    let first = branches.first()?.get("properties")?.as_object()?;
    first
        .keys()
        .find(|key| branches.iter().all(|branch| branch.as_object().is_some_and(|b| tag_value(b, key).is_some())))
        .cloned()
}

fn tag_value<'a>(branch: &'a Map<String, Value>, tag: &str) -> Option<&'a str> {
    branch.get("properties")?.get(tag)?.get("const")?.as_str()
}

/// Adds a variant to the definitions and returns its name.
fn define(
    wanted: &str,
    owner: &str,
    mut body: Map<String, Value>,
    defs: &mut Map<String, Value>,
    uses: &Uses,
) -> String {
    let target = body.shift_remove("$ref").and_then(|target| target.as_str().map(str::to_owned));
    let held = target.as_deref().and_then(|target| target.strip_prefix(DEFS));
    if let Some(def) = held.and_then(|held| defs.get(held)).and_then(Value::as_object) {
        body = with_fields_of(body, def);
    }
    let only_use = target.as_deref().is_some_and(|target| uses.get(target) == Some(&1));
    let mut name = wanted.to_owned();
    if !(held == Some(wanted) && only_use) {
        let mut number = 1;
        while taken(&name, &body, defs) {
            name = if number == 1 { format!("{owner}{wanted}") } else { format!("{owner}{wanted}{number}") };
            number += 1;
        }
    }
    defs.insert(name.clone(), Value::Object(body));
    name
}

fn taken(name: &str, body: &Map<String, Value>, defs: &Map<String, Value>) -> bool {
    defs.get(name).is_some_and(|def| def.as_object() != Some(body))
}

/// The variant's object with the fields of the struct that it holds.
fn with_fields_of(mut variant: Map<String, Value>, held: &Map<String, Value>) -> Map<String, Value> {
    for (key, value) in held {
        match (variant.get_mut(key), value) {
            (Some(Value::Object(own)), Value::Object(more)) if key == "properties" => {
                own.extend(more.iter().map(|(name, field)| (name.clone(), field.clone())));
            }
            (Some(Value::Array(own)), Value::Array(more)) if key == "required" => own.extend(more.iter().cloned()),
            (Some(_), _) => {}
            (None, _) => drop(variant.insert(key.clone(), value.clone())),
        }
    }
    variant
}
