//! The rules on a manifest as a whole, and on its values beyond their form.
//!
//! Owns the reference's rules for the manifest (M, C) and those of our own. What the reference asks
//! of an extension (V) is in `extension_rules`; what a schema must be is in `schemas`.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::finding::Level;
use super::sink::{Sink, called};
use super::table;
use super::walk::{self, What};
use super::{cron, schemas};

/// The text of a field; empty when it has none.
pub(super) fn text<'a>(fields: &'a Map<String, Value>, key: &str) -> &'a str {
    fields.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The objects of a list, each with its place; none when there is no such list.
pub(super) fn objects<'a>(
    manifest: &'a Map<String, Value>,
    key: &'a str,
) -> impl Iterator<Item = (String, &'a Map<String, Value>)> {
    let items = manifest.get(key).and_then(Value::as_array).into_iter().flatten().enumerate();
    items.filter_map(move |(at, item)| item.as_object().map(|fields| (format!("{key}.{at}"), fields)))
}

/// M1 to M5: does every field hold what it may.
pub(super) fn structure(manifest: &Value, sink: &mut Sink) {
    walk::walk(manifest, &mut |fault| {
        let path = fault.path;
        match fault.what {
            What::NotAnObject(found) => {
                sink.error(
                    "M1",
                    path,
                    format!("the manifest is {found} and not an object"),
                    "write one `{ .. }` object",
                );
            }
            What::Missing => {
                let fix = format!("add `{}`", last(&path));
                sink.error("M2", &*path, format!("`{path}` is missing"), fix);
            }
            What::Unknown => {
                let fix = unknown_fix(&path);
                sink.error("M3", &*path, format!("`{path}` is not a key of a manifest"), fix);
            }
            What::Wrong { must, found } => {
                let nested = ["tools.", "signals.", "schedules."].iter().any(|start| path.starts_with(start));
                let rule = if nested { "M5" } else { "M4" };
                let fix = format!("write {must}");
                sink.error(rule, &*path, format!("`{path}` must be {must}, and is {found}"), fix);
            }
        }
    });
    let Some(manifest) = manifest.as_object() else { return };
    for (at, secret) in objects(manifest, "secrets") {
        let fallback = secret.get("env_fallback").is_some_and(|value| !value.is_null());
        if fallback && text(secret, "scope") != "app" {
            let message = format!("`{at}.env_fallback` is for secrets of the app, and this one is the user's");
            sink.error("M4", at, message, "remove `env_fallback`, or write `\"scope\": \"app\"`");
        }
    }
    let is_true = |key: &str| manifest.get(key) == Some(&Value::Bool(true));
    if is_true("hidden_in_sidebar") && !is_true("system") {
        let message = "`hidden_in_sidebar` is for first-party extensions only".to_owned();
        sink.error("M4", "hidden_in_sidebar", message, "remove `hidden_in_sidebar`");
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// What a key was probably meant to be.
fn unknown_fix(path: &str) -> String {
    let key = last(path);
    let meant = match key {
        "schema_version" => return "remove it: `manifest_schema_version` is the key; some tools that repair manifests add this one by mistake".to_owned(),
        "tool" | "functions" => Some("tools"),
        _ if path.contains('.') => None,
        _ => table::ROOT.fields.iter().map(|field| field.name).find(|name| near(name, key)),
    };
    match meant {
        Some(meant) => format!("write `{meant}`, or remove it"),
        None => format!("remove `{key}`"),
    }
}

/// Whether two keys differ by one letter, an ending or dashes only.
fn near(name: &str, key: &str) -> bool {
    let key = key.replace('-', "_").to_lowercase();
    name == key || name.strip_suffix('s') == Some(&key) || key.strip_suffix('s') == Some(name)
}

/// M6.3, M7.3, M8.2, V25 and SDK-VERSION-1.
pub(super) fn reference(manifest: &Map<String, Value>, sink: &mut Sink) {
    unique(manifest, "webhooks", "path", sink, "M6.3", Level::Error);
    unique(manifest, "exposed", "name", sink, "M8.2", Level::Error);
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
                sink.error("M7.3", format!("events.{at}.type"), message, fix);
            }
        }
    }
    for (at, tool) in objects(manifest, "tools") {
        let name = text(tool, "name");
        if name
            .strip_prefix("tool_")
            .and_then(|rest| rest.strip_suffix("_chat"))
            .is_some_and(|middle| !middle.is_empty())
        {
            let message = format!("the tool `{name}` is one of an old release of the reference SDK");
            sink.error(
                "V25",
                format!("{at}.name"),
                message,
                "remove it, or build the manifest again with 5.0.0 or later",
            );
        }
    }
    sdk_version(manifest, sink);
}

fn sdk_version(manifest: &Map<String, Value>, sink: &mut Sink) {
    let fix = format!(
        "write `\"sdk_version\": \"{}\"`: the compatibility level, not the extension's version",
        crate::manifest::SDK_VERSION
    );
    match manifest.get("sdk_version") {
        None | Some(Value::Null) => {
            sink.error("SDK-VERSION-1", "", "`sdk_version` is missing".to_owned(), fix);
        }
        Some(version) => {
            let version = version.as_str().map_or_else(|| version.to_string(), str::to_owned);
            let head = version.split('-').next().unwrap_or_default();
            // A part that is not all digits does not count, also one with a sign.
            let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let number = |part: &str| part.parse().unwrap_or(u64::MAX);
            let parts: Vec<u64> = head.split('.').filter(digits).map(number).collect();
            if parts < vec![5, 0, 0] {
                let message = format!("`sdk_version` is {version}, and the platform loads 5.0.0 and later only");
                sink.error("SDK-VERSION-1", "sdk_version", message, fix);
            }
        }
    }
}

/// What the reference's own check lets through: M20 to M29, M31, M32.
pub(super) fn own(manifest: &Map<String, Value>, sink: &mut Sink) {
    unique(manifest, "tools", "name", sink, "M20", Level::Error);
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
        unique(manifest, list, key, sink, "M29", Level::Warn);
    }
    for (at, tool) in objects(manifest, "tools") {
        own_tool(&at, tool, sink);
    }
    for (at, schedule) in objects(manifest, "schedules") {
        let name = called("schedule", &at, text(schedule, "name"));
        match cron::judge(text(schedule, "cron")) {
            cron::Verdict::Runs => {}
            cron::Verdict::Never(why) => {
                let message = format!("the timetable of {name} never matches: {why}");
                sink.warn("M23", format!("{at}.cron"), message, "name a day that is in one of its months");
            }
            cron::Verdict::Unreadable(fault) => {
                let message = format!("the timetable of {name} cannot be read: {fault}");
                let fix = "write five fields: minute, hour, day, month, weekday, in UTC";
                sink.error("M23", format!("{at}.cron"), message, fix);
            }
        }
    }
    for (at, panel) in objects(manifest, "panels") {
        let slot = text(panel, "slot");
        if matches!(slot, "overlay" | "bottom" | "chat-sidebar") {
            let message = format!("nothing is drawn in the slot `{slot}`");
            sink.warn("M31", format!("{at}.slot"), message, "use `center`, `left` or `right`");
        }
        if let Some(props) = panel.get("tree").and_then(|tree| tree.get("props")) {
            let root = format!("{at}.tree.props");
            nodes(props, &Trail { up: None, step: Step::Key(&root) }, sink);
        }
    }
}

fn own_tool(at: &str, tool: &Map<String, Value>, sink: &mut Sink) {
    let name = called("tool", at, text(tool, "name"));
    let action = text(tool, "action_type");
    if !matches!(action, "" | "read" | "write" | "destructive") {
        let message = format!("{name} has the action type `{action}`, which is none");
        sink.error("M21", format!("{at}.action_type"), message, "write `read`, `write` or `destructive`");
    } else if action.is_empty() && tool.get("action_type").is_some_and(Value::is_string) {
        let message = format!("{name} has an empty action type");
        sink.error("M21", format!("{at}.action_type"), message, "write `read`, `write` or `destructive`");
    }
    let chat = super::extension_rules::is_chat_function(tool);
    if !chat && text(tool, "description").trim().is_empty() {
        sink.error("M27", at, format!("{name} has no description"), "say in one sentence what it does");
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
        let message = format!("`id_projection` of {name} names `{field}`, which is no parameter of it");
        sink.error("M24", format!("{at}.id_projection"), message, fix);
    }
    schemas::check(at, tool, sink);
}

/// A value may be there once only.
fn unique(
    manifest: &Map<String, Value>,
    list: &'static str,
    key: &str,
    sink: &mut Sink,
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
                    format!("`{value}` is there twice: {first} and {at}")
                };
                sink.raise(rule, level, format!("{at}.{key}"), message, "rename or remove one of the two");
            }
            None => drop(seen.insert(value, at)),
        }
    }
}

/// A place in a panel's tree. Its path is only written out for a finding.
struct Trail<'a> {
    up: Option<&'a Trail<'a>>,
    step: Step<'a>,
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(up) = self.up {
            write!(f, "{up}.")?;
        }
        match self.step {
            Step::Key(key) => f.write_str(key),
            Step::Index(index) => write!(f, "{index}"),
        }
    }
}

/// The nodes below a panel's root. An object with a `type` of text and `props` is one; another
/// object is data of the node it stands in.
fn nodes(value: &Value, at: &Trail<'_>, sink: &mut Sink) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                nodes(item, &Trail { up: Some(at), step: Step::Index(index) }, sink);
            }
        }
        Value::Object(fields) => {
            let is_node = fields.contains_key("type") && fields.contains_key("props");
            if is_node {
                node(fields, at, sink);
            }
            for (key, item) in fields {
                nodes(item, &Trail { up: Some(at), step: Step::Key(key) }, sink);
            }
        }
        _ => {}
    }
}

fn node(fields: &Map<String, Value>, at: &Trail<'_>, sink: &mut Sink) {
    if fields.get("type").and_then(Value::as_str).is_none_or(str::is_empty) && !sink.leaves_off(Level::Error) {
        let fix = "name what is drawn, `\"type\": \"Text\"` for example";
        sink.error("M22", format!("{at}.type"), format!("the node at `{at}` has no type"), fix);
    }
    if !fields.get("props").is_some_and(Value::is_object) && !sink.leaves_off(Level::Error) {
        let message = format!("the `props` of the node at `{at}` are not an object");
        sink.error("M22", format!("{at}.props"), message, "write `\"props\": {}`");
    }
    if let Some(value) = walk::input_type_fault(fields)
        && !sink.leaves_off(Level::Error)
    {
        let message = format!("the input at `{at}` has the type {}, which is none", walk::found(value));
        let fix = format!("write one of {}", table::INPUT_TYPES.join(", "));
        sink.error("M22", format!("{at}.props.type"), message, fix);
    }
}
