//! The rules on the fields of a manifest and on its lists.
//!
//! Rules of the reference SDK: M1 to M5, M6.3, M7.3, M8.2, SDK-VERSION-1 and V25. Rules of our own: M20,
//! M21, M23 (with `cron`), M24, M27 and M29. `check_own_rules` also runs `panel_rules` (M22, M31) and
//! `schemas` (M25, M26).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::collector::{Collector, quoted_or_path};
use super::lookup::{is_chat_function, objects, text};
use super::{panel_rules, schemas};
use crate::cron;
use crate::fields::root_keys;
use crate::finding::Level;
use crate::structure::{FaultKind, check_structure};
use crate::{grammar, model};

/// M1 to M5: fields and the values that they may hold.
pub(super) fn check_fields(manifest: &Value, findings: &mut Collector) {
    check_structure(manifest, &mut |fault| {
        let path = fault.path;
        match fault.kind {
            FaultKind::RootNotAnObject(found) => {
                findings.error(
                    "M1",
                    path,
                    format!("the manifest is {found}, not an object"),
                    "write one `{ .. }` object",
                );
            }
            FaultKind::Missing => {
                let fix = format!("add `{}`", last(&path));
                findings.error("M2", &*path, format!("`{path}` is missing"), fix);
            }
            FaultKind::UnknownKey => {
                let fix = unknown_fix(&path);
                findings.error("M3", &*path, format!("`{path}` is not a key of a manifest"), fix);
            }
            FaultKind::WrongValue { must, found } => {
                let nested = ["tools.", "signals.", "schedules."].iter().any(|start| path.starts_with(start));
                let rule = if nested { "M5" } else { "M4" };
                let fix = format!("write {must}");
                findings.error(rule, &*path, format!("`{path}` must be {must}, but is {found}"), fix);
            }
        }
    });
    let Some(manifest) = manifest.as_object() else { return };
    for (at, secret) in objects(manifest, "secrets") {
        let fallback = secret.get("env_fallback").is_some_and(|value| !value.is_null());
        if fallback && text(secret, "scope") != "app" {
            let message = format!("`{at}.env_fallback` needs scope `app`, and this secret's scope is not `app`");
            findings.error("M4", at, message, "remove `env_fallback`, or write `\"scope\": \"app\"`");
        }
    }
    let is_true = |key: &str| manifest.get(key) == Some(&Value::Bool(true));
    if is_true("hidden_in_sidebar") && !is_true("system") {
        let message = "`hidden_in_sidebar` is for first-party extensions only (`\"system\": true`)".to_owned();
        findings.error("M4", "hidden_in_sidebar", message, "remove `hidden_in_sidebar`");
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// The remedy for an unknown key.
fn unknown_fix(path: &str) -> String {
    let key = last(path);
    let suggestion = match key {
        "schema_version" => {
            return "remove it: the key is `manifest_schema_version`; some repair tools add this one by mistake"
                .to_owned();
        }
        "tool" | "functions" => Some("tools"),
        _ if path.contains('.') => None,
        _ => root_keys().find(|name| is_near(name, key)),
    };
    match suggestion {
        Some(suggestion) => format!("write `{suggestion}`, or remove it"),
        None => format!("remove `{key}`"),
    }
}

/// Whether two keys differ only by case, a plural `s`, or dashes instead of underscores.
fn is_near(name: &str, key: &str) -> bool {
    let key = key.replace('-', "_").to_lowercase();
    name == key || name.strip_suffix('s') == Some(&key) || key.strip_suffix('s') == Some(name)
}

/// M6.3, M7.3, M8.2, V25 and SDK-VERSION-1.
pub(super) fn check_reference_rules(manifest: &Map<String, Value>, findings: &mut Collector) {
    check_unique(manifest, "webhooks", "path", findings, "M6.3", Level::Error);
    check_unique(manifest, "exposed", "name", findings, "M8.2", Level::Error);
    let app_id = text(manifest, "app_id");
    if let Some(events) = manifest.get("events").and_then(Value::as_object) {
        for (at, emit) in objects(events, "emits") {
            let kind = text(emit, "type");
            if app_id.is_empty() {
                continue;
            }
            if !kind.strip_prefix(app_id).is_some_and(|rest| rest.starts_with('.')) {
                let message = format!("the event `{kind}` does not begin with `{app_id}.`");
                let fix = format!("write `{app_id}.{}`", kind.rsplit('.').next().unwrap_or(kind));
                findings.error("M7.3", format!("events.{at}.type"), message, fix);
            }
        }
    }
    for (at, tool) in objects(manifest, "tools") {
        let name = text(tool, "name");
        if grammar::is_old_chat_tool(name) {
            let message = format!("the tool `{name}` belongs to an old release of the reference SDK");
            findings.error(
                "V25",
                format!("{at}.name"),
                message,
                "remove it, or build the manifest again with 5.0.0 or later",
            );
        }
    }
    sdk_version(manifest, findings);
}

fn sdk_version(manifest: &Map<String, Value>, findings: &mut Collector) {
    let fix = format!(
        "write `\"sdk_version\": \"{}\"`: the compatibility level, not the extension's version",
        model::SDK_VERSION
    );
    match manifest.get("sdk_version") {
        None | Some(Value::Null) => {
            findings.error("SDK-VERSION-1", "", "`sdk_version` is missing".to_owned(), fix);
        }
        Some(version) => {
            let version = version.as_str().map_or_else(|| version.to_string(), str::to_owned);
            let head = version.split('-').next().unwrap_or_default();
            // Skips a part that is not all digits. `parse` alone would accept a sign: `+5`.
            let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let number = |part: &str| part.parse().unwrap_or(u64::MAX);
            let parts: Vec<u64> = head.split('.').filter(digits).map(number).collect();
            if parts < vec![5, 0, 0] {
                let message = format!("`sdk_version` is {version}, but the platform only loads 5.0.0 and later");
                findings.error("SDK-VERSION-1", "sdk_version", message, fix);
            }
        }
    }
}

/// Runs the rules that the reference SDK does not have: those of this file, of `panel_rules` and of `schemas`.
pub(super) fn check_own_rules(manifest: &Map<String, Value>, findings: &mut Collector) {
    check_unique(manifest, "tools", "name", findings, "M20", Level::Error);
    for (list, key) in [
        ("signals", "name"),
        ("schedules", "name"),
        ("oauth", "provider"),
        ("tray", "tray_id"),
        ("menu", "item_id"),
        ("secrets", "name"),
        ("file_sinks", "tool"),
        ("search_providers", "entity_type"),
        ("panels", "panel_id"),
    ] {
        check_unique(manifest, list, key, findings, "M29", Level::Warn);
    }
    for (at, tool) in objects(manifest, "tools") {
        check_tool(&at, tool, findings);
    }
    for (at, schedule) in objects(manifest, "schedules") {
        let name = quoted_or_path("schedule", &at, text(schedule, "name"));
        match cron::judge(text(schedule, "cron")) {
            cron::Verdict::Runs => {}
            cron::Verdict::Never(why) => {
                let message = format!("the timetable of {name} never matches: {why}");
                findings.warn("M23", format!("{at}.cron"), message, "name a day that is in one of its months");
            }
            cron::Verdict::Unreadable(fault) => {
                let message = format!("the timetable of {name} cannot be read: {fault}");
                let fix = "write five fields: minute, hour, day, month, weekday, in UTC";
                findings.error("M23", format!("{at}.cron"), message, fix);
            }
        }
    }
    panel_rules::check_panels(manifest, findings);
}

fn check_tool(at: &str, tool: &Map<String, Value>, findings: &mut Collector) {
    let name = quoted_or_path("tool", at, text(tool, "name"));
    let action = text(tool, "action_type");
    if !matches!(action, "" | "read" | "write" | "destructive") {
        let message = format!("{name} has the unknown action type `{action}`");
        findings.error("M21", format!("{at}.action_type"), message, "write `read`, `write` or `destructive`");
    } else if action.is_empty() && tool.get("action_type").is_some_and(Value::is_string) {
        let message = format!("{name} has an empty action type");
        findings.error("M21", format!("{at}.action_type"), message, "write `read`, `write` or `destructive`");
    }
    let chat = is_chat_function(tool);
    if !chat && text(tool, "description").trim().is_empty() {
        findings.error("M27", at, format!("{name} has no description"), "say in one sentence what it does");
    }
    let params = tool.get("params_schema").and_then(Value::as_object);
    let field = text(tool, "id_projection");
    if let Some(schema) = params.filter(|_| !field.is_empty())
        && schemas::fields(schema).is_none_or(|fields| !fields.contains_key(field))
    {
        let known =
            schemas::fields(schema).map(|fields| fields.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
        let fix = if known.is_empty() {
            "remove `id_projection`: the function has no parameters".to_owned()
        } else {
            format!("name one of its parameters: {}", known.join(", "))
        };
        let message = format!("`id_projection` of {name} names `{field}`, which is not one of its parameters");
        findings.error("M24", format!("{at}.id_projection"), message, fix);
    }
    schemas::check_schemas(at, tool, findings);
}

/// Reports each object of a list whose `key` has the same value as that of an earlier object.
fn check_unique(
    manifest: &Map<String, Value>,
    list: &'static str,
    key: &str,
    findings: &mut Collector,
    rule: &'static str,
    level: Level,
) {
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (at, item) in objects(manifest, list) {
        let Some(value) = item.get(key).and_then(Value::as_str) else { continue };
        match seen.get(value) {
            Some(first) => {
                let message = if value.is_empty() {
                    format!("the `{key}` of {first} and of {at} is empty")
                } else {
                    format!("`{value}` is the `{key}` of both {first} and {at}")
                };
                findings.raise(rule, level, format!("{at}.{key}"), message, "rename or remove one of the two");
            }
            None => drop(seen.insert(value, at)),
        }
    }
}
