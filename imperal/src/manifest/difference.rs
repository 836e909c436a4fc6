//! The difference between two manifests, for people.
//!
//! Compares field by field, and tools by name, so that moving a function in a file is one change.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use serde_json::{Map, Value};

/// Changes in the text.
const MAX_SHOWN: usize = 40;

/// The changes that a build would make to a file.
#[derive(Debug, Clone)]
pub struct Difference {
    changes: Vec<Change>,
    missing: Option<String>,
}

#[derive(Debug, Clone)]
struct Change {
    path: String,
    old: Option<String>,
    new: Option<String>,
}

impl Difference {
    pub(super) fn missing(path: &Path) -> Self {
        Self { changes: Vec::new(), missing: Some(path.display().to_string()) }
    }

    pub(super) fn between(old: &Value, new: &Value) -> Self {
        let mut changes = Vec::new();
        compare("", old, new, &mut changes);
        Self { changes, missing: None }
    }

    /// One line: how many places differ.
    pub fn headline(&self) -> String {
        match (&self.missing, self.changes.len()) {
            (Some(path), _) => format!("{path} is missing"),
            (None, 0) => "only its layout differs".to_owned(),
            (None, 1) => format!("`{}` differs", self.changes[0].path),
            (None, number) => format!("{number} places differ"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.headline())?;
        for change in self.changes.iter().take(MAX_SHOWN) {
            write!(f, "\n\n  {}", change.path)?;
            for (sign, text) in [('-', &change.old), ('+', &change.new)] {
                for line in text.iter().flat_map(|text| text.lines()) {
                    write!(f, "\n    {sign} {line}")?;
                }
            }
        }
        if self.changes.len() > MAX_SHOWN {
            write!(f, "\n\n  and {} more", self.changes.len() - MAX_SHOWN)?;
        }
        Ok(())
    }
}

fn compare(path: &str, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                let path = join(path, key);
                match new.get(key) {
                    Some(other) => compare(&path, value, other, changes),
                    None => changes.push(Change { path, old: Some(show(value)), new: None }),
                }
            }
            for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                changes.push(Change { path: join(path, key), old: None, new: Some(show(value)) });
            }
            order(
                path,
                old.keys().filter(|key| new.contains_key(*key)),
                new.keys().filter(|key| old.contains_key(*key)),
                changes,
            );
        }
        (Value::Array(old), Value::Array(new)) if path == "tools" => by_name(old, new, changes),
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{path}[{index}]"), old, new, changes);
            }
        }
        (old, new) if old == new => {}
        (old, new) => changes.push(Change { path: path.to_owned(), old: Some(show(old)), new: Some(show(new)) }),
    }
}

fn by_name(old: &[Value], new: &[Value], changes: &mut Vec<Change>) {
    let name = |tool: &Value| tool.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let first = |tools: &'_ [Value]| -> HashMap<String, usize> {
        tools.iter().enumerate().rev().map(|(at, tool)| (name(tool), at)).collect()
    };
    let (old_at, new_at) = (first(old), first(new));
    for tool in old {
        let path = format!("tools.{}", name(tool));
        match new_at.get(&name(tool)).and_then(|at| new.get(*at)) {
            Some(other) => compare(&path, tool, other, changes),
            None => changes.push(Change { path, old: Some(summary(tool)), new: None }),
        }
    }
    for tool in new.iter().filter(|tool| !old_at.contains_key(&name(tool))) {
        changes.push(Change { path: format!("tools.{}", name(tool)), old: None, new: Some(summary(tool)) });
    }
    let (old_names, new_names): (Vec<_>, Vec<_>) = (old.iter().map(name).collect(), new.iter().map(name).collect());
    order(
        "tools",
        old_names.iter().filter(|name| new_at.contains_key(*name)),
        new_names.iter().filter(|name| old_at.contains_key(*name)),
        changes,
    );
}

/// Reports keys in another order.
fn order<'a>(
    path: &str,
    old: impl Iterator<Item = &'a String>,
    new: impl Iterator<Item = &'a String>,
    changes: &mut Vec<Change>,
) {
    let (old, new): (Vec<_>, Vec<_>) = (old.map(String::as_str).collect(), new.map(String::as_str).collect());
    if old != new && (path == "tools" || path.ends_with(".properties")) {
        changes.push(Change { path: format!("order of {path}"), old: Some(old.join(", ")), new: Some(new.join(", ")) });
    }
}

fn summary(tool: &Value) -> String {
    let field = |key: &str| tool.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    format!("{}: {}", field("action_type"), field("description"))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A value in one line. A long object is replaced by its keys.
fn show(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 200 {
        return text;
    }
    match value {
        Value::Object(fields) => keys(fields),
        Value::Array(items) => format!("a list of {}", items.len()),
        _ => text,
    }
}

fn keys(fields: &Map<String, Value>) -> String {
    format!("an object with {}", fields.keys().cloned().collect::<Vec<_>>().join(", "))
}
