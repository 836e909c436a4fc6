//! The rules on schemas of parameters and results (M25, M26).
//!
//! `json_schema` decides whether a schema is valid.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::collector::{Collector, quoted_or_path};
use super::json_schema::schema_fault;
use super::lookup::text;

/// The fields of a schema's root, or of the definition that the root refers to.
pub(super) fn fields(schema: &Map<String, Value>) -> Option<&Map<String, Value>> {
    let root = match schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix("#/$defs/")) {
        Some(name) => schema.get("$defs")?.get(name)?.as_object()?,
        None => schema,
    };
    root.get("properties")?.as_object()
}

/// Checks both schemas of a tool.
pub(super) fn check_schemas(at: &str, tool: &Map<String, Value>, findings: &mut Collector) {
    let name = quoted_or_path("tool", at, text(tool, "name"));
    for (key, what) in [("params_schema", "parameters"), ("return_schema", "result")] {
        let Some(schema) = tool.get(key).filter(|schema| schema.as_object().is_some_and(|fields| !fields.is_empty()))
        else {
            continue;
        };
        let at = format!("{at}.{key}");
        let mut targets = Vec::new();
        each_ref(schema, &mut |target| targets.push(target));
        if let Err((place, fault)) = valid(schema, &targets) {
            let message = format!("invalid schema of the {what} of {name}: {fault}");
            findings.error(
                "M25",
                format!("{at}{place}"),
                message,
                "correct the type or the attribute that it comes from",
            );
        }
        if key == "params_schema" {
            flat(&at, &name, schema, &targets, findings);
        }
    }
}

/// The first fault of a schema with references to these targets: its path and a message.
fn valid(schema: &Value, targets: &[&str]) -> Result<(), (String, String)> {
    if let Some(target) = targets.iter().find(|target| resolve(schema, target).is_none()) {
        return Err((String::new(), format!("`{target}` refers to nothing")));
    }
    match schema_fault(schema) {
        None => Ok(()),
        Some(fault) => {
            let place = fault.path.strip_prefix('.').map_or("its root".to_owned(), |place| format!("`{place}`"));
            Err((fault.path, format!("{place} {}", fault.message)))
        }
    }
}

/// The part of a schema that a reference names.
fn resolve<'s>(root: &'s Value, target: &str) -> Option<&'s Value> {
    // Nearly every reference has this form, which needs no decoding.
    let plain = target.strip_prefix("#/$defs/").filter(|name| !name.contains(['/', '~']));
    match (plain, root.get("$defs").and_then(Value::as_object)) {
        (Some(name), Some(defs)) => defs.get(name),
        _ => root.pointer(target.strip_prefix('#')?),
    }
}

/// M26: parameters are one object without recursive definitions.
fn flat(at: &str, name: &str, schema: &Value, targets: &[&str], findings: &mut Collector) {
    if let Some(target) = cycle(schema, targets) {
        let message = match target.rsplit('/').next().filter(|_| target != "#") {
            Some(type_name) => format!("the parameters of {name} contain `{type_name}`, which contains itself"),
            None => format!("the parameters of {name} contain themselves"),
        };
        let fix = "take a list with the id of each parent instead, or text that the function reads";
        findings.error("M26", at, message, fix);
        return;
    }
    let kind = schema.get("type").and_then(Value::as_str);
    if kind != Some("object") {
        let found = match kind {
            Some(kind) => format!("of type `{kind}`"),
            None if schema.get("anyOf").is_some() || schema.get("oneOf").is_some() => "a choice of several".to_owned(),
            None => "of no type".to_owned(),
        };
        let message = format!("the parameters of {name} must be one object, but are {found}");
        let fix = findings.advice(
            "make them a struct, and put this type into one of its fields",
            "make them one pydantic model, and put this type into one of its fields",
        );
        findings.error("M26", at, message, fix);
    }
}

/// Finds a cycle of the references to these targets and returns one reference of it.
///
/// A schema that a reference names is a node. A reference inside a node is an edge to the node that it names.
/// One pass collects the nodes, another one the edges. A reference is an edge of every node around it, so it
/// adds at most as many edges as the document is deep.
fn cycle<'s>(root: &'s Value, targets: &[&'s str]) -> Option<&'s str> {
    if targets.is_empty() {
        return None;
    }
    let mut names: Vec<&str> = Vec::new();
    let mut numbers: HashMap<*const Value, usize> = HashMap::new();
    for target in targets {
        if let Some(found) = resolve(root, target) {
            numbers.entry(std::ptr::from_ref(found)).or_insert_with(|| {
                names.push(target);
                names.len() - 1
            });
        }
    }
    let mut edges: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    collect_edges(root, root, &numbers, &mut Vec::new(), &mut edges);
    first_on_a_cycle(&edges).and_then(|node| names.get(node).copied())
}

fn collect_edges(
    value: &Value,
    root: &Value,
    numbers: &HashMap<*const Value, usize>,
    inside: &mut Vec<usize>,
    edges: &mut [Vec<usize>],
) {
    let number = numbers.get(&std::ptr::from_ref(value)).copied();
    inside.extend(number);
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("$ref", Value::String(target)) => {
                        if let Some(to) =
                            resolve(root, target).and_then(|found| numbers.get(&std::ptr::from_ref(found)))
                        {
                            for from in inside.iter() {
                                if let Some(edges) = edges.get_mut(*from) {
                                    edges.push(*to);
                                }
                            }
                        }
                    }
                    ("default" | "const" | "enum" | "examples", _) => {}
                    _ => collect_edges(value, root, numbers, inside, edges),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                collect_edges(item, root, numbers, inside, edges);
            }
        }
        _ => {}
    }
    if number.is_some() {
        inside.pop();
    }
}

/// Returns a node of a cycle. A depth-first search without recursion: an edge to an open node closes a cycle.
fn first_on_a_cycle(edges: &[Vec<usize>]) -> Option<usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; edges.len()];
    for start in 0..edges.len() {
        let mut open = vec![(start, 0_usize)];
        while let Some((node, next)) = open.pop() {
            if next == 0 {
                if states.get(node).is_none_or(|state| *state != State::New) {
                    continue;
                }
                states[node] = State::Open;
            }
            let Some(to) = edges.get(node).and_then(|edges| edges.get(next)) else {
                states[node] = State::Done;
                continue;
            };
            open.push((node, next + 1));
            match states.get(*to) {
                Some(State::Open) => return Some(*to),
                Some(State::New) => open.push((*to, 0)),
                _ => {}
            }
        }
    }
    None
}

fn each_ref<'v>(value: &'v Value, visit: &mut impl FnMut(&'v str)) {
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
