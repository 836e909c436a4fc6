//! Compares a manifest with the table of its fields.
//!
//! Reports missing fields, unknown keys and values of another type. Stricter than the reference in one
//! point: no value is converted to the right type (`"yes"` is not true).

use serde_json::{Map, Value};

use crate::fields::{FieldType, INPUT_TYPES, NODE, Presence, ROOT, Section};
use crate::trail::Trail;

/// A difference between a manifest and the table.
pub(crate) struct Fault {
    /// The place, `tools.0.name`.
    pub(crate) path: String,
    pub(crate) kind: FaultKind,
}

pub(crate) enum FaultKind {
    /// The root is of this type.
    RootNotAnObject(&'static str),
    Missing,
    UnknownKey,
    WrongValue {
        /// The values that are allowed, in words.
        must: String,
        /// The value in the manifest, in words.
        found: String,
    },
}

/// Reports every difference between a manifest and the table.
pub(crate) fn check_structure(manifest: &Value, report: &mut dyn FnMut(Fault)) {
    match manifest {
        Value::Object(fields) => check_section(fields, &ROOT, &Trail::ROOT, report),
        other => report(Fault { path: String::new(), kind: FaultKind::RootNotAnObject(type_name(other)) }),
    }
}

/// The paths of all keys that no manifest has.
pub(crate) fn unknown_keys(manifest: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    check_structure(manifest, &mut |fault| {
        if matches!(fault.kind, FaultKind::UnknownKey) {
            unknown.push(fault.path);
        }
    });
    unknown
}

/// The first place with a list where an object belongs. A derived `Deserialize` accepts both.
pub(crate) fn list_for_object(manifest: &Value) -> Option<String> {
    let mut first = None;
    check_structure(manifest, &mut |fault| {
        let list = match &fault.kind {
            FaultKind::RootNotAnObject(found) => found == &"a list",
            FaultKind::WrongValue { must, found } => must == "an object" && found == "a list",
            FaultKind::Missing | FaultKind::UnknownKey => false,
        };
        if list && first.is_none() {
            first = Some(if fault.path.is_empty() { "the manifest".to_owned() } else { format!("`{}`", fault.path) });
        }
    });
    first
}

fn check_section(fields: &Map<String, Value>, section: &Section, at: &Trail<'_>, report: &mut dyn FnMut(Fault)) {
    let mut known = 0;
    for field in section.fields {
        let place = at.key(field.name);
        let value = fields.get(field.name);
        known += usize::from(value.is_some());
        match (value, field.presence) {
            (None, Presence::Required) => report(Fault { path: place.to_string(), kind: FaultKind::Missing }),
            (None, _) | (Some(Value::Null), Presence::OptionalOrNull) => {}
            (Some(value), _) => check_value(value, field.holds, &place, report),
        }
    }
    if !section.open && known < fields.len() {
        for key in fields.keys().filter(|key| section.fields.iter().all(|field| field.name != key.as_str())) {
            report(Fault { path: at.key(key).to_string(), kind: FaultKind::UnknownKey });
        }
    }
}

fn check_value(value: &Value, field_type: FieldType, at: &Trail<'_>, report: &mut dyn FnMut(Fault)) {
    let must: String = match (field_type, value) {
        (FieldType::Text, Value::String(_))
        | (FieldType::Bool, Value::Bool(_))
        | (FieldType::AnyObject, Value::Object(_)) => return,
        (FieldType::Pattern(accepts, _), Value::String(text)) if accepts(text) => return,
        (FieldType::Choice(choices), Value::String(text)) if choices.contains(&text.as_str()) => return,
        (FieldType::Int(low, high), Value::Number(number))
            if number.as_i64().is_some_and(|n| (low..=high).contains(&n)) =>
        {
            return;
        }
        (FieldType::NumberChoice(choices), Value::Number(number))
            if number.as_u64().is_some_and(|n| choices.contains(&n)) =>
        {
            return;
        }
        (FieldType::TextList, Value::Array(items)) => return check_items(items, FieldType::Text, at, report),
        (FieldType::PatternList(pattern, words), Value::Array(items)) => {
            return check_items(items, FieldType::Pattern(pattern, words), at, report);
        }
        (FieldType::MapOfObjects, Value::Object(entries)) => {
            for (name, entry) in entries {
                check_value(entry, FieldType::AnyObject, &at.key(name), report);
            }
            return;
        }
        (FieldType::Object(of), Value::Object(fields)) => return check_section(fields, of, at, report),
        (FieldType::List(of), Value::Array(items)) => return check_items(items, FieldType::Object(of), at, report),
        (FieldType::MapOf(of), Value::Object(entries)) => {
            for (name, entry) in entries {
                check_value(entry, FieldType::Object(of), &at.key(name), report);
            }
            return;
        }
        (FieldType::PanelTree, Value::Object(node)) => return check_tree(node, at, report),
        (field_type, _) => allowed_values(field_type),
    };
    report(Fault { path: at.to_string(), kind: FaultKind::WrongValue { must, found: describe(value) } });
}

fn check_items(items: &[Value], field_type: FieldType, at: &Trail<'_>, report: &mut dyn FnMut(Fault)) {
    if items.is_empty() && at.is_key("accepts") {
        let must = "a list with at least one kind of file".to_owned();
        report(Fault { path: at.to_string(), kind: FaultKind::WrongValue { must, found: "an empty list".to_owned() } });
    }
    for (index, item) in items.iter().enumerate() {
        check_value(item, field_type, &at.index(index), report);
    }
}

/// A panel's tree: empty, or a node. M22 checks the nodes inside it.
fn check_tree(node: &Map<String, Value>, at: &Trail<'_>, report: &mut dyn FnMut(Fault)) {
    if node.is_empty() {
        return;
    }
    check_section(node, &NODE, at, report);
    if let Some(value) = input_type_fault(node) {
        let must = format!("one of {}", INPUT_TYPES.join(", "));
        report(Fault {
            path: format!("{at}.props.type"),
            kind: FaultKind::WrongValue { must, found: describe(value) },
        });
    }
}

/// The `props.type` of an `Input` node, where it is wrong.
pub(crate) fn input_type_fault(node: &Map<String, Value>) -> Option<&Value> {
    if node.get("type").and_then(Value::as_str) != Some("Input") {
        return None;
    }
    let value = node.get("props")?.get("type")?;
    let known = value.as_str().is_some_and(|text| INPUT_TYPES.contains(&text));
    (!known).then_some(value)
}

fn allowed_values(field_type: FieldType) -> String {
    match field_type {
        FieldType::Text => "text".to_owned(),
        FieldType::Pattern(_, words) => words.to_owned(),
        FieldType::Choice(choices) => format!("one of {}", choices.join(", ")),
        FieldType::Bool => "true or false".to_owned(),
        FieldType::Int(i64::MIN, _) => "a whole number".to_owned(),
        FieldType::Int(low, i64::MAX) => format!("a whole number of at least {low}"),
        FieldType::Int(low, high) => format!("a whole number from {low} to {high}"),
        FieldType::NumberChoice(choices) => {
            format!("one of {}", choices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        FieldType::TextList | FieldType::PatternList(..) | FieldType::List(_) => "a list".to_owned(),
        FieldType::AnyObject
        | FieldType::MapOfObjects
        | FieldType::PanelTree
        | FieldType::Object(_)
        | FieldType::MapOf(_) => "an object".to_owned(),
    }
}

/// A value in words, short enough for a sentence.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) | Value::Null => type_name(value).to_owned(),
        Value::String(text) if text.chars().count() > 60 => format!("text of {} characters", text.chars().count()),
        short => short.to_string(),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
