//! Merges the manifest that the code declares with the file on disk, so that nothing is lost silently.
//!
//! The code wins for everything that it can declare. The file keeps its marketplace texts, and the parts
//! that this version cannot declare: sections, panels and plain tools. [`Changes`] has a line for each difference.

use std::collections::{HashMap, HashSet};

use imperal_manifest::root_keys;
use serde_json::{Map, Value};

use super::export::SECRETS_PANEL;

/// Fields of the file: a build keeps them, null included, in this order.
const FILE_FIELDS: [&str; 8] =
    ["author", "category", "hidden_in_sidebar", "homepage", "license", "marketplace", "pricing", "tags"];

/// Fields of the code. Code cannot declare the others yet.
const CODE_FIELDS: [&str; 11] = [
    "manifest_schema_version",
    "sdk_version",
    "app_id",
    "version",
    "name",
    "description",
    "icon",
    "actions_explicit",
    "system",
    "capabilities",
    "icon_size_bytes",
];

/// Lists whose entries the code and the file have in part.
const MERGED: [&str; 4] = ["tools", "secrets", "panels", "file_sinks"];

/// As those, if the code has any.
const SCHEDULES: &str = "schedules";

/// Characters of a value in a line.
const SHOWN: usize = 60;

/// The parts of the file that a build keeps, replaces or drops.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    pub(super) kept: Vec<String>,
    pub(super) replaced: Vec<String>,
    pub(super) dropped: Vec<String>,
}

/// Adds to the code's manifest the parts that only the file has.
pub(super) fn merge(fields: &mut Map<String, Value>, on_disk: &Map<String, Value>) -> Changes {
    let mut changes = Changes::default();
    for key in FILE_FIELDS {
        if let Some(value) = on_disk.get(key) {
            let before = fields.insert(key.to_owned(), value.clone());
            if before.as_ref() != Some(value) {
                changes.kept.push(key.to_owned());
            }
        }
    }
    for key in CODE_FIELDS {
        if let Some(old) = on_disk.get(key)
            && old != fields.get(key).unwrap_or(&Value::Null)
        {
            changes.replaced.push(changed_line(key, old, fields.get(key)));
        }
    }
    let known: Vec<&str> = root_keys().collect();
    for (key, value) in on_disk {
        if FILE_FIELDS.contains(&key.as_str()) || CODE_FIELDS.contains(&key.as_str()) {
            continue;
        }
        if MERGED.contains(&key.as_str()) || (key == SCHEDULES && own_schedules(fields).is_some()) {
            continue;
        }
        if !known.contains(&key.as_str()) {
            changes.dropped.push(key.clone());
        } else if fields.insert(key.clone(), value.clone()).as_ref() != Some(value) {
            changes.kept.push(key.clone());
        }
    }
    merge_panels(fields, on_disk, &mut changes);
    merge_tools(fields, on_disk, &mut changes);
    merge_schedules(fields, on_disk, &mut changes);
    merge_secrets(fields, on_disk, &mut changes);
    merge_sinks(fields, on_disk, &mut changes);
    sort_fields(fields, &known);
    changes
}

/// The file's plain tools, then the tools of the code: the reference SDK's order.
fn merge_tools(fields: &mut Map<String, Value>, on_disk: &Map<String, Value>, changes: &mut Changes) {
    let old = match on_disk.get("tools") {
        Some(Value::Array(old)) => old,
        None => return,
        Some(other) => return changes.replaced.push(changed_line("tools", other, fields.get("tools"))),
    };
    let Some(Value::Array(new)) = fields.get_mut("tools") else { return };
    let of_code: HashMap<&str, &Value> = new.iter().filter_map(|tool| Some((name(tool)?, tool))).collect();
    let mut seen = HashSet::new();
    let mut plain = Vec::new();
    for (at, tool) in old.iter().enumerate() {
        let Some(name) = name(tool) else {
            changes.dropped.push(format!("tools.{at}"));
            continue;
        };
        match of_code.get(name) {
            Some(_) if !seen.insert(name) => changes.dropped.push(format!("tools.{name} (a second one)")),
            Some(made) => {
                if let Some(line) = tool_difference(name, tool, made) {
                    changes.replaced.push(line);
                }
            }
            None if is_chat_function(tool) => changes.dropped.push(format!("tools.{name}")),
            None => {
                changes.kept.push(format!("tools.{name}"));
                plain.push(tool.clone());
            }
        }
    }
    new.splice(0..0, plain);
}

/// The schedules of the code, if it has any: it declares all of them, so another one in the file is gone.
fn merge_schedules(fields: &Map<String, Value>, on_disk: &Map<String, Value>, changes: &mut Changes) {
    let (Some(old), Some(new)) = (on_disk.get(SCHEDULES), own_schedules(fields)) else { return };
    merge_named(SCHEDULES, old, new, fields, changes);
}

/// The schedules that the code declares. Code without any leaves those of the file as they are.
fn own_schedules(fields: &Map<String, Value>) -> Option<&[Value]> {
    fields.get(SCHEDULES)?.as_array().map(Vec::as_slice).filter(|own| !own.is_empty())
}

/// The secrets of the code. It declares all of them, so another one in the file is gone.
fn merge_secrets(fields: &Map<String, Value>, on_disk: &Map<String, Value>, changes: &mut Changes) {
    const KEY: &str = "secrets";
    let Some(old) = on_disk.get(KEY).filter(|old| !old.is_null()) else { return };
    let new = fields.get(KEY).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    merge_named(KEY, old, new, fields, changes);
}

/// Reports how the file's list differs from the code's, entry by entry.
fn merge_named(key: &str, old: &Value, new: &[Value], fields: &Map<String, Value>, changes: &mut Changes) {
    let Value::Array(old) = old else { return changes.replaced.push(changed_line(key, old, fields.get(key))) };
    let mut seen = HashSet::new();
    for (at, entry) in old.iter().enumerate() {
        let made = new.iter().find(|made| name(made).is_some() && name(made) == name(entry));
        match (name(entry), made) {
            (Some(name), Some(_)) if !seen.insert(name) => {
                changes.dropped.push(format!("{key}.{name} (a second one)"));
            }
            (Some(name), Some(made)) => {
                if let Some(keys) = different_keys(entry, made) {
                    changes.replaced.push(format!("{key}.{name}: {keys}"));
                }
            }
            (Some(name), None) => changes.dropped.push(format!("{key}.{name}")),
            (None, _) => changes.dropped.push(format!("{key}.{at}")),
        }
    }
}

/// The file's sinks of other parameters, then those of the code. Code without a file as a parameter leaves them as they
/// are.
fn merge_sinks(fields: &mut Map<String, Value>, on_disk: &Map<String, Value>, changes: &mut Changes) {
    const KEY: &str = "file_sinks";
    let Some(old) = on_disk.get(KEY) else { return };
    let Some(Value::Array(new)) = fields.get(KEY).cloned() else {
        fields.insert(KEY.to_owned(), old.clone());
        return changes.kept.push(KEY.to_owned());
    };
    let Value::Array(old) = old else { return changes.replaced.push(changed_line(KEY, old, fields.get(KEY))) };
    let is_same = |one: &Value, other: &Value| one["tool"] == other["tool"] && one["arg"] == other["arg"];
    let name = |sink: &Value| {
        let part = |key: &str| sink[key].as_str().unwrap_or_default().to_owned();
        format!("{KEY}.{}.{}", part("tool"), part("arg"))
    };
    let mut all = Vec::new();
    for sink in old {
        match new.iter().find(|made| is_same(made, sink)) {
            Some(made) if made != sink => changes.replaced.push(name(sink)),
            Some(_) => {}
            None => {
                changes.kept.push(name(sink));
                all.push(sink.clone());
            }
        }
    }
    all.extend(new);
    fields.insert(KEY.to_owned(), all.into());
}

/// The file's panels, with the code's panel of secrets behind them.
fn merge_panels(fields: &mut Map<String, Value>, on_disk: &Map<String, Value>, changes: &mut Changes) {
    let made = fields.get("panels").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(old) = on_disk.get("panels").filter(|old| !old.is_null() || made.is_empty()) else { return };
    let Value::Array(panels) = old else {
        if fields.insert("panels".to_owned(), old.clone()).as_ref() != Some(old) {
            changes.kept.push("panels".to_owned());
        }
        return;
    };
    let is_secrets = |panel: &Value| panel.get("panel_id").and_then(Value::as_str) == Some(SECRETS_PANEL);
    let mut kept: Vec<Value> = panels.iter().filter(|panel| !is_secrets(panel)).cloned().collect();
    for (at, panel) in panels.iter().filter(|panel| is_secrets(panel)).enumerate() {
        match made.first().map(|made| different_keys(panel, made)) {
            Some(_) if at > 0 => changes.dropped.push(format!("panels.{SECRETS_PANEL} (a second one)")),
            Some(None) => {}
            Some(Some(keys)) => changes.replaced.push(format!("panels.{SECRETS_PANEL}: {keys}")),
            None => changes.dropped.push(format!("panels.{SECRETS_PANEL}")),
        }
    }
    if !kept.is_empty() {
        changes.kept.push("panels".to_owned());
    }
    kept.extend(made);
    fields.insert("panels".to_owned(), Value::Array(kept));
}

fn name(entry: &Value) -> Option<&str> {
    entry.get("name")?.as_str()
}

/// Only chat functions have these keys. The code declares all of its chat functions, so one that it does
/// not declare is gone.
fn is_chat_function(tool: &Value) -> bool {
    ["action_type", "owner_chat_tool"].iter().any(|key| tool.get(key).is_some_and(|value| !value.is_null()))
}

/// `tools.refine: description, event` if the code's tool differs from the file's in these keys.
fn tool_difference(name: &str, old: &Value, new: &Value) -> Option<String> {
    Some(format!("tools.{name}: {}", different_keys(old, new)?))
}

/// The keys in which two objects differ.
fn different_keys(old: &Value, new: &Value) -> Option<String> {
    let (old, new) = (old.as_object()?, new.as_object()?);
    let mut keys: Vec<&str> =
        old.iter().filter(|(key, value)| new.get(*key) != Some(value)).map(|(key, _)| key.as_str()).collect();
    keys.extend(new.keys().filter(|key| !old.contains_key(*key)).map(String::as_str));
    (!keys.is_empty()).then(|| keys.join(", "))
}

fn changed_line(key: &str, old: &Value, new: Option<&Value>) -> String {
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

/// Sorts generated fields in the reference SDK's order, with the fields of the file behind them.
fn sort_fields(fields: &mut Map<String, Value>, known: &[&str]) {
    let rank = |key: &str| {
        let generated = !FILE_FIELDS.contains(&key);
        known.iter().position(|known| *known == key).filter(|_| generated).unwrap_or(known.len())
    };
    let mut entries: Vec<(String, Value)> = std::mem::take(fields).into_iter().collect();
    entries.sort_by_key(|(key, _)| rank(key));
    fields.extend(entries);
}
