//! Joins the manifest that the code makes with the file on disk, so that nothing gets lost silently.
//!
//! Owns which part is whose. The file owns names and marketplace texts. The code owns what it can
//! declare. What this version cannot declare (sections, and plain tools) stays as the file has it.
//! Everything that differs afterwards has a line in [`Parts`].

use std::collections::{HashMap, HashSet};

use imperal_manifest::root_keys;
use serde_json::{Map, Value};

/// Fields that the file on disk owns: a build keeps them, null included, in this order.
const OF_THE_FILE: [&str; 11] = [
    "author",
    "category",
    "description",
    "hidden_in_sidebar",
    "homepage",
    "icon",
    "license",
    "marketplace",
    "name",
    "pricing",
    "tags",
];

/// Fields that the code computes. All others of a manifest cannot be declared in code yet.
const OF_THE_CODE: [&str; 8] = [
    "manifest_schema_version",
    "sdk_version",
    "app_id",
    "version",
    "actions_explicit",
    "system",
    "capabilities",
    "icon_size_bytes",
];

/// Characters of a value that a line shows.
const SHOWN: usize = 60;

/// What became of the file's parts.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    pub(super) kept: Vec<String>,
    pub(super) replaced: Vec<String>,
    pub(super) dropped: Vec<String>,
}

/// Completes the code's manifest with what the file has and the code does not say.
pub(super) fn merge(fields: &mut Map<String, Value>, on_disk: &Map<String, Value>) -> Parts {
    let mut parts = Parts::default();
    for key in OF_THE_FILE {
        if let Some(value) = on_disk.get(key) {
            let before = fields.insert(key.to_owned(), value.clone());
            if before.as_ref() != Some(value) {
                parts.kept.push(key.to_owned());
            }
        }
    }
    for key in OF_THE_CODE {
        if let Some(old) = on_disk.get(key)
            && old != fields.get(key).unwrap_or(&Value::Null)
        {
            parts.replaced.push(changed(key, old, fields.get(key)));
        }
    }
    let known: Vec<&str> = root_keys().collect();
    for (key, value) in on_disk {
        if OF_THE_FILE.contains(&key.as_str()) || OF_THE_CODE.contains(&key.as_str()) || key == "tools" {
            continue;
        }
        if !known.contains(&key.as_str()) {
            parts.dropped.push(key.clone());
        } else if fields.insert(key.clone(), value.clone()).as_ref() != Some(value) {
            parts.kept.push(key.clone());
        }
    }
    tools(fields, on_disk, &mut parts);
    in_order(fields, &known);
    parts
}

/// The tools of the code, after the file's plain tools, as the reference SDK orders them.
fn tools(fields: &mut Map<String, Value>, on_disk: &Map<String, Value>, parts: &mut Parts) {
    let old = match on_disk.get("tools") {
        Some(Value::Array(old)) => old,
        None => return,
        Some(other) => return parts.replaced.push(changed("tools", other, fields.get("tools"))),
    };
    let Some(Value::Array(new)) = fields.get_mut("tools") else { return };
    let of_code: HashMap<&str, &Value> = new.iter().filter_map(|tool| Some((name(tool)?, tool))).collect();
    let mut seen = HashSet::new();
    let mut plain = Vec::new();
    for (at, tool) in old.iter().enumerate() {
        let Some(name) = name(tool) else {
            parts.dropped.push(format!("tools.{at}"));
            continue;
        };
        match of_code.get(name) {
            Some(_) if !seen.insert(name) => parts.dropped.push(format!("tools.{name} (a second one)")),
            Some(made) => {
                if let Some(line) = differing(name, tool, made) {
                    parts.replaced.push(line);
                }
            }
            None if is_chat_function(tool) => parts.dropped.push(format!("tools.{name}")),
            None => {
                parts.kept.push(format!("tools.{name}"));
                plain.push(tool.clone());
            }
        }
    }
    new.splice(0..0, plain);
}

fn name(tool: &Value) -> Option<&str> {
    tool.get("name")?.as_str()
}

/// Only a chat function has these; the code would declare it if it were still there.
fn is_chat_function(tool: &Value) -> bool {
    ["action_type", "owner_chat_tool"].iter().any(|key| tool.get(key).is_some_and(|value| !value.is_null()))
}

/// `tools.refine: description, event` when the code's tool says something else than the file's.
fn differing(name: &str, old: &Value, new: &Value) -> Option<String> {
    let (old, new) = (old.as_object()?, new.as_object()?);
    let mut keys: Vec<&str> =
        old.iter().filter(|(key, value)| new.get(*key) != Some(value)).map(|(key, _)| key.as_str()).collect();
    keys.extend(new.keys().filter(|key| !old.contains_key(*key)).map(String::as_str));
    (!keys.is_empty()).then(|| format!("tools.{name}: {}", keys.join(", ")))
}

fn changed(key: &str, old: &Value, new: Option<&Value>) -> String {
    let new = new.map_or_else(|| "absent".to_owned(), show);
    format!("{key}: {}, now {new}", show(old))
}

fn show(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Generated fields in the reference's order; what only the file owns stays behind them.
fn in_order(fields: &mut Map<String, Value>, known: &[&str]) {
    let rank = |key: &str| {
        let generated = !OF_THE_FILE.contains(&key) || matches!(key, "name" | "description" | "icon");
        known.iter().position(|known| *known == key).filter(|_| generated).unwrap_or(known.len())
    };
    let mut entries: Vec<(String, Value)> = std::mem::take(fields).into_iter().collect();
    entries.sort_by_key(|(key, _)| rank(key));
    fields.extend(entries);
}
