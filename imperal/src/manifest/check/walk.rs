//! Compares a manifest with the table of its fields.
//!
//! Stricter than the reference in one thing: a value of another type is never taken for the right
//! one (`"yes"` is not true).

use serde_json::{Map, Value};

use super::table::{INPUT_TYPES, Kind, NODE, Need, ROOT, Section};

/// Something that does not agree with the table.
pub(super) struct Fault {
    /// Where, `tools.0.name`.
    pub(super) path: String,
    pub(super) what: What,
}

pub(super) enum What {
    NotAnObject(&'static str),
    Missing,
    Unknown,
    /// What it must be, and what it is.
    Wrong {
        must: String,
        found: String,
    },
}

/// Reports everything in which a manifest differs from the table.
pub(super) fn walk(manifest: &Value, report: &mut dyn FnMut(Fault)) {
    match manifest {
        Value::Object(fields) => section(fields, &ROOT, "", report),
        other => report(Fault { path: String::new(), what: What::NotAnObject(type_of(other)) }),
    }
}

fn section(fields: &Map<String, Value>, section: &Section, at: &str, report: &mut dyn FnMut(Fault)) {
    for field in section.fields {
        let path = join(at, field.name);
        match (fields.get(field.name), field.need) {
            (None, Need::Required) => report(Fault { path, what: What::Missing }),
            (None, _) | (Some(Value::Null), Need::Nullable) => {}
            (Some(value), _) => holds(value, field.kind, path, report),
        }
    }
    if !section.open {
        for key in fields.keys().filter(|key| section.fields.iter().all(|field| field.name != key.as_str())) {
            report(Fault { path: join(at, key), what: What::Unknown });
        }
    }
}

fn join(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") }
}

fn holds(value: &Value, kind: Kind, path: String, report: &mut dyn FnMut(Fault)) {
    let must: String = match (kind, value) {
        (Kind::Text, Value::String(_)) | (Kind::Bool, Value::Bool(_)) | (Kind::Free, Value::Object(_)) => return,
        (Kind::Form(form, _), Value::String(text)) if form(text) => return,
        (Kind::Choice(choices), Value::String(text)) if choices.contains(&text.as_str()) => return,
        (Kind::Int(low, high), Value::Number(number)) if number.as_i64().is_some_and(|n| (low..=high).contains(&n)) => {
            return;
        }
        (Kind::Number(choices), Value::Number(number)) if number.as_u64().is_some_and(|n| choices.contains(&n)) => {
            return;
        }
        (Kind::Texts, Value::Array(items)) => return each(items, Kind::Text, &path, report),
        (Kind::Forms(form, words), Value::Array(items)) => return each(items, Kind::Form(form, words), &path, report),
        (Kind::FreeByName, Value::Object(entries)) => {
            for (name, entry) in entries {
                holds(entry, Kind::Free, join(&path, name), report);
            }
            return;
        }
        (Kind::One(of), Value::Object(fields)) => return section(fields, of, &path, report),
        (Kind::List(of), Value::Array(items)) => return each(items, Kind::One(of), &path, report),
        (Kind::ByName(of), Value::Object(entries)) => {
            for (name, entry) in entries {
                holds(entry, Kind::One(of), join(&path, name), report);
            }
            return;
        }
        (Kind::Tree, Value::Object(node)) => return tree(node, &path, report),
        (kind, _) => words(kind),
    };
    report(Fault { path, what: What::Wrong { must, found: found(value) } });
}

fn each(items: &[Value], kind: Kind, at: &str, report: &mut dyn FnMut(Fault)) {
    if items.is_empty() && at.ends_with(".accepts") {
        let must = "a list with at least one kind of file".to_owned();
        report(Fault { path: at.to_owned(), what: What::Wrong { must, found: "an empty list".to_owned() } });
    }
    for (index, item) in items.iter().enumerate() {
        holds(item, kind, join(at, &index.to_string()), report);
    }
}

/// A panel's tree: nothing, or a node. The nodes in it are checked by a rule of our own.
fn tree(node: &Map<String, Value>, at: &str, report: &mut dyn FnMut(Fault)) {
    if node.is_empty() {
        return;
    }
    section(node, &NODE, at, report);
    if let Some(value) = input_type_fault(node) {
        let must = format!("one of {}", INPUT_TYPES.join(", "));
        report(Fault { path: format!("{at}.props.type"), what: What::Wrong { must, found: found(value) } });
    }
}

/// The wrong `props.type` of an input node.
pub(super) fn input_type_fault(node: &Map<String, Value>) -> Option<&Value> {
    if node.get("type").and_then(Value::as_str) != Some("Input") {
        return None;
    }
    let value = node.get("props")?.get("type")?;
    let known = value.as_str().is_some_and(|text| INPUT_TYPES.contains(&text));
    (!known).then_some(value)
}

fn words(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Form(_, words) => words.to_owned(),
        Kind::Choice(choices) => format!("one of {}", choices.join(", ")),
        Kind::Bool => "true or false".to_owned(),
        Kind::Int(i64::MIN, _) => "a whole number".to_owned(),
        Kind::Int(low, i64::MAX) => format!("a whole number of at least {low}"),
        Kind::Int(low, high) => format!("a whole number from {low} to {high}"),
        Kind::Number(choices) => {
            format!("one of {}", choices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        Kind::Texts | Kind::Forms(..) | Kind::List(_) => "a list".to_owned(),
        Kind::Free | Kind::FreeByName | Kind::Tree | Kind::One(_) | Kind::ByName(_) => "an object".to_owned(),
    }
}

/// A value, short enough for a sentence.
pub(super) fn found(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) | Value::Null => type_of(value).to_owned(),
        Value::String(text) if text.chars().count() > 60 => format!("text of {} characters", text.chars().count()),
        short => short.to_string(),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
