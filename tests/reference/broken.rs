//! Compares findings for broken manifests with those of the reference SDK.
//!
//! Each case is `base.json`, a complete and valid manifest, with one change. We must refuse all that the
//! reference refuses, with the same code at the same place. A second list has the changes that only we
//! refuse, with the reason. Both must accept valid manifests.

use imperal::manifest::{Finding, validate_text};
use serde_json::{Value, json};

use crate::{Row, python};

/// A valid manifest.
const BASE: &str = include_str!("base.json");

/// Texts that are not manifests.
const TEXTS: &[&str] =
    &["", "{", "[]", "null", "3", "\"manifest\"", "{}", "{\"app_id\": \"ab\"", "{'app_id': 'ab'}", "[1,]"];

/// A path and its new value; `None` removes it. A path that ends in `+` appends to a list.
fn changes() -> Vec<(&'static str, Option<Value>)> {
    let long = "x".repeat(201);
    let long_name = "a".repeat(65);
    let mut all = vec![
        ("app_id", None),
        ("version", None),
        ("sdk_version", None),
        ("tools.0.name", None),
        ("tools.0.parameters.limit.type", None),
        ("tools.0.parameters.limit.required", None),
        ("signals.0.name", None),
        ("schedules.0.name", None),
        ("schedules.0.cron", None),
        ("webhooks.0.path", None),
        ("oauth.0.provider", None),
        ("events.subscribes.0.type", None),
        ("events.subscribes.0.handler", None),
        ("events.emits.0.type", None),
        ("exposed.0.name", None),
        ("exposed.0.action_type", None),
        ("tray.0.tray_id", None),
        ("menu.0.item_id", None),
        ("menu.0.label", None),
        ("secrets.0.name", None),
        ("secrets.0.description", None),
        ("file_sinks.0.tool", None),
        ("file_sinks.0.accepts", None),
        ("file_sinks.0.arg", None),
        ("search_providers.0.entity_type", None),
        ("search_providers.0.handler", None),
        ("panels.0.slot", None),
        ("panels.0.tree.type", None),
    ];
    // An unknown key in every object that allows no other keys.
    for place in [
        "x_rust",
        "schedule",
        "schema_version",
        "tools.0.ui_builder",
        "tools.1.inputs",
        "signals.0.x",
        "schedules.0.x",
        "webhooks.0.x",
        "oauth.0.x",
        "events.x",
        "events.subscribes.0.x",
        "events.emits.0.x",
        "exposed.0.x",
        "lifecycle.x",
        "lifecycle.health_check.x",
        "tray.0.x",
        "menu.0.x",
        "secrets.0.x",
        "file_sinks.0.x",
        "search_providers.0.x",
        "panels.0.tree.x",
    ] {
        all.push((place, Some(json!("x"))));
    }
    for (place, value) in [
        ("manifest_schema_version", json!(4)),
        ("manifest_schema_version", json!("3")),
        ("sdk_version", json!("4.9.9")),
        ("sdk_version", json!("0.1.0")),
        ("sdk_version", json!("rust-0.1.0")),
        ("sdk_version", json!("+5.0.0")),
        ("sdk_version", json!("5.+9.0")),
        ("sdk_version", json!("5 .0.0")),
        ("sdk_version", json!("")),
        ("sdk_version", json!(null)),
        ("sdk_version", json!(6)),
        ("app_id", json!("a")),
        ("app_id", json!("Tiny")),
        ("app_id", json!("tiny_ledger")),
        ("app_id", json!("-tiny")),
        ("app_id", json!(null)),
        ("app_id", json!(7)),
        ("version", json!("1.0")),
        ("version", json!("1.0.0rc1")),
        ("version", json!("1.0.0+build")),
        ("version", json!("v1.0.0")),
        ("version", json!(["1.0.0"])),
        ("name", json!(5)),
        ("description", json!(["x"])),
        ("icon", json!(false)),
        ("actions_explicit", json!([])),
        ("system", json!("maybe")),
        ("capabilities", json!(null)),
        ("capabilities", json!("a:b")),
        ("capabilities.0", json!(3)),
        ("tools", json!(null)),
        ("tools", json!({})),
        ("tools.0", json!("refresh_rows")),
        ("tools.0.name", json!("")),
        ("tools.0.name", json!("1a")),
        ("tools.0.name", json!("a-b")),
        ("tools.0.name", json!("tool_tiny_chat")),
        ("tools.0.description", json!(null)),
        ("tools.0.scopes", json!(["ns"])),
        ("tools.0.scopes", json!(["NS:a"])),
        ("tools.0.scopes", json!(["ns::a"])),
        ("tools.0.scopes", json!(["ns:A"])),
        ("tools.0.scopes", json!([":a"])),
        ("tools.0.scopes", json!(null)),
        ("tools.0.parameters", json!([])),
        ("tools.0.parameters.limit", json!("integer")),
        ("tools.0.parameters.limit.type", json!("int")),
        ("tools.0.parameters.limit.required", json!("perhaps")),
        ("tools.1.action_type", json!(1)),
        ("tools.1.chain_callable", json!("perhaps")),
        ("tools.1.effects", json!("delete:row")),
        ("tools.1.effects", json!([1])),
        ("tools.1.params_schema", json!([])),
        ("tools.1.return_schema", json!("Row")),
        ("tools.1.event", json!(0)),
        ("tools.1.background", json!(7)),
        ("tools.1.long_running", json!({})),
        ("tools.1.owner_chat_tool", json!(1)),
        ("tools.1.synthetic", json!("perhaps")),
        ("signals", json!({})),
        ("signals.0.name", json!("")),
        ("signals.0.description", json!(1)),
        ("schedules.0.name", json!("")),
        ("schedules.0.cron", json!("0 3 * *")),
        ("schedules.0.cron", json!("0 3 * * * *")),
        ("schedules.0.cron", json!(" 0 3 * * *")),
        ("schedules.0.cron", json!("@midnight")),
        ("schedules.0.cron", json!("")),
        ("schedules.0.cron", json!(3)),
        ("required_scopes", json!(["everything"])),
        ("required_scopes", json!(null)),
        ("icon_size_bytes", json!("large")),
        ("icon_size_bytes", json!(1.5)),
        ("webhooks", json!("/a")),
        ("webhooks.0.path", json!("a")),
        ("webhooks.0.path", json!("/")),
        ("webhooks.0.path", json!("/A")),
        ("webhooks.0.path", json!("/b")),
        ("webhooks.0.method", json!("PATCH")),
        ("webhooks.0.method", json!("post")),
        ("webhooks.0.method", json!(null)),
        ("webhooks.0.secret_header", json!(null)),
        ("oauth.0.provider", json!("")),
        ("oauth.0.collection", json!("Google")),
        ("oauth.0.scopes", json!(null)),
        ("oauth.0.has_hook", json!(null)),
        ("events", json!([])),
        ("events.subscribes", json!(null)),
        ("events.subscribes.0.type", json!("")),
        ("events.subscribes.0.handler", json!(null)),
        ("events.emits.0.type", json!("")),
        ("events.emits.0.type", json!("other.dropped")),
        ("events.emits.0.type", json!("tiny-ledgers.dropped")),
        ("exposed.0.action_type", json!("destructive")),
        ("exposed.0.name", json!("add")),
        ("exposed.0.name", json!(null)),
        ("lifecycle", json!(true)),
        ("lifecycle.on_install", json!("maybe")),
        ("lifecycle.on_upgrade", json!("2.0.0")),
        ("lifecycle.health_check", json!(60)),
        ("lifecycle.health_check.interval_sec", json!(29)),
        ("lifecycle.health_check.interval_sec", json!(null)),
        ("lifecycle_hooks", json!({"on_install": "(ctx)"})),
        ("tray.0.tray_id", json!("t")),
        ("tray.0.tray_id", json!("Total")),
        ("tray.0.zone", json!("left")),
        ("tray.0.order", json!("first")),
        ("tray.0.badge_style", json!("round")),
        ("tray.0.icon_color", json!("#ff0000")),
        ("menu.0.item_id", json!("1a")),
        ("menu.0.label", json!(null)),
        ("menu.0.section", json!("account")),
        ("menu.0.section", json!("footer")),
        ("menu.0.section", json!("nowhere")),
        ("menu.0.danger", json!("perhaps")),
        ("migrations_dir", json!(1)),
        ("config_defaults", json!([])),
        ("secrets.0.name", json!("API_KEY")),
        ("secrets.0.name", json!(long_name)),
        ("secrets.0.description", json!("")),
        ("secrets.0.write_mode", json!("nobody")),
        ("secrets.0.max_bytes", json!(0)),
        ("secrets.0.max_bytes", json!(65_537)),
        ("secrets.0.rotation_hint_days", json!(0)),
        ("secrets.0.scope", json!("user")),
        ("secrets.0.scope", json!("tenant")),
        ("secrets.0.env_fallback", json!("PATH")),
        ("secrets.0", json!("api_key")),
        ("file_sinks.0.tool", json!("Drop")),
        ("file_sinks.0.accepts", json!([])),
        ("file_sinks.0.accepts", json!("text/*")),
        ("file_sinks.0.arg", json!("")),
        ("file_sinks.0.arg_kind", json!("bytes")),
        ("file_sinks.0.description", json!(long)),
        ("file_sinks.0.description", json!(null)),
        ("search_providers.0.entity_type", json!("Row")),
        ("search_providers.0.handler", json!("")),
        ("search_providers.0.description", json!(long)),
        ("panels", json!({})),
        ("panels.0.slot", json!("main")),
        ("panels.0.slot", json!(null)),
        ("panels.0.tree", json!([])),
        ("panels.0.tree.type", json!("")),
        ("panels.0.tree.props", json!([])),
        ("panels.0.tree", json!({"type": "Input", "props": {"type": "date"}})),
        ("panels.0.center_overlay", json!("perhaps")),
        ("panels.0.default_width", json!("wide")),
        ("hidden_in_sidebar", json!(true)),
        ("hidden_in_sidebar", json!("maybe")),
        ("tags", json!("ledger")),
        ("tags.0", json!(1)),
        ("marketplace", json!("none")),
        ("pricing", json!([])),
        ("author", json!({})),
    ] {
        all.push((place, Some(value)));
    }
    all
}

/// Changes that the reference accepts and we refuse: a path, a value, and the reason.
fn stricter() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("tools.+", json!({"name": "drop_row", "description": "The same name."}), "a tool twice (M20)"),
        ("tools.1.action_type", json!("mutate"), "an action type that is none (M21)"),
        (
            "panels.0.tree.props.children.0.props.type",
            json!("date"),
            "a wrong node below the root of a panel's tree (M22)",
        ),
        ("panels.0.tree.props.children.0.props", json!(3), "a wrong node below the root of a panel's tree (M22)"),
        ("schedules.0.cron", json!("a b c d e"), "a timetable that cannot be read (M23)"),
        ("schedules.0.cron", json!("0 25 * * *"), "a timetable that never matches (M23)"),
        ("tools.1.id_projection", json!("id"), "an id that goes to no parameter (M24)"),
        ("tools.1.params_schema", json!({"type": 5}), "a schema that is none (M25)"),
        (
            "tools.1.return_schema",
            json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}),
            "a reference to nothing (M25)",
        ),
        (
            "tools.1.return_schema",
            json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}}),
            "a pattern that is none (M25)",
        ),
        ("tools.1.params_schema", json!({"type": "array", "items": {}}), "parameters that are no object (M26)"),
        (
            "tools.1.params_schema",
            json!({"type": "object", "properties": {"row_id": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"properties": {"a": {"$ref": "#/$defs/A"}}, "type": "object"}}}),
            "parameters that contain themselves (M26)",
        ),
        ("tools.0.description", json!(""), "deploying refuses it (M27)"),
        ("tools.1.description", json!("Drop."), "the rule on extensions, V16, seen in the file"),
        ("description", json!("Short."), "the rule on extensions, V14, seen in the file"),
        ("name", json!("tiny-ledger"), "the rule on extensions, V15, seen in the file"),
        ("icon", json!("icon.png"), "the rule on extensions, V21, seen in the file"),
        ("tools.1.params_schema", json!({}), "the rule on extensions, V17, seen in the file"),
        ("tools.1.chain_callable", json!(false), "the rule on extensions, V19, seen in the file"),
        ("file_sinks.0.tool", json!("nothing"), "the rule on extensions, V35, seen in the file"),
        ("tools.1.background", json!("yes"), "text is not true or false"),
        ("system", json!(0), "a number is not true or false"),
        ("secrets.0.max_bytes", json!("200"), "text is not a number"),
        ("version", json!("0.1.0\n"), "a line end is no part of a version"),
        ("version", json!("١.٠.٠"), "digits of other alphabets are no version"),
    ]
}

/// Changes that leave the manifest valid.
fn harmless() -> Vec<(&'static str, Value)> {
    vec![
        ("version", json!("1.0.0-rc.1")),
        ("sdk_version", json!("5.0.0-rc1")),
        ("manifest_schema_version", json!(null)),
        ("webhooks", json!(null)),
        ("panels.0.anything", json!({"x": 1})),
        ("panels.0.tree", json!({})),
        ("tools.0.parameters.limit.description", json!("How many")),
        ("schedules.0.cron", json!("*/5 0-6,22 1-15 jan-mar mon")),
        ("tray.0.icon_color", json!(null)),
        ("secrets.0.env_fallback", json!(null)),
        ("hidden_in_sidebar", json!(null)),
        ("config_defaults", json!({"deep": {"er": [null, 1.5]}})),
    ]
}

fn changed(place: &str, value: Option<&Value>) -> String {
    let mut manifest: Value = serde_json::from_str(BASE).unwrap();
    let (above, last) = place.rsplit_once('.').unwrap_or(("", place));
    let pointer = if above.is_empty() { String::new() } else { format!("/{}", above.replace('.', "/")) };
    match (manifest.pointer_mut(&pointer).unwrap(), value) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(last.to_owned(), value.clone())),
        (Value::Object(fields), None) => drop(fields.shift_remove(last).unwrap()),
        (Value::Array(items), Some(value)) if last == "+" => items.push(value.clone()),
        (Value::Array(items), Some(value)) => items[last.parse::<usize>().unwrap()] = value.clone(),
        other => panic!("{place}: {other:?}"),
    }
    manifest.to_string()
}

fn errors(text: &str) -> Vec<Finding> {
    validate_text(text, "imperal.json").into_iter().filter(Finding::is_error).collect()
}

pub(crate) fn prove() -> Vec<Row> {
    let mut cases: Vec<(String, String)> =
        TEXTS.iter().map(|text| (format!("text {text}"), (*text).to_owned())).collect();
    for (place, value) in changes() {
        let name = value.as_ref().map_or_else(|| format!("{place} removed"), |value| format!("{place} = {value}"));
        cases.push((name, changed(place, value.as_ref())));
    }
    let verdicts = verdicts(cases.iter().map(|(_, text)| text.as_str()));
    let mut refused = Row { what: "broken manifests", equal: 0, explained: vec![], unexplained: vec![] };
    for ((name, text), theirs) in cases.iter().zip(verdicts) {
        let ours = errors(text);
        // The reference omits `tree` from the path of a fault in a panel's tree.
        let at = |found: &Finding, place: &str| {
            found.path.starts_with(place) || found.path.replacen(".tree.", ".", 1).starts_with(place)
        };
        let agrees = |code: &str, place: &str| ours.iter().any(|found| found.rule == code && at(found, place));
        if theirs.is_empty() {
            refused.unexplained.push((name.clone(), "the reference takes it: move it to the stricter ones".to_owned()));
        } else if theirs.iter().all(|(code, place)| agrees(code, place)) {
            refused.equal += 1;
        } else {
            refused.unexplained.push((name.clone(), format!("ours {ours:#?}\ntheirs {theirs:?}")));
        }
    }
    vec![refused, only_ours(), both_accept()]
}

fn only_ours() -> Row {
    let mut row = Row { what: "manifests that only we refuse", equal: 0, explained: vec![], unexplained: vec![] };
    let cases = stricter();
    let texts: Vec<String> = cases.iter().map(|(place, value, _)| changed(place, Some(value))).collect();
    for (((place, value, reason), text), theirs) in
        cases.iter().zip(&texts).zip(verdicts(texts.iter().map(String::as_str)))
    {
        let name = format!("{place} = {value}");
        if theirs.is_empty() && !errors(text).is_empty() {
            row.explained.push((name, (*reason).to_owned()));
        } else {
            row.unexplained.push((name, format!("ours {:?}, theirs {theirs:?}", errors(text))));
        }
    }
    row
}

fn both_accept() -> Row {
    let mut row = Row { what: "manifests that are right", equal: 0, explained: vec![], unexplained: vec![] };
    let mut texts = vec![("base".to_owned(), BASE.to_owned())];
    texts.extend(
        harmless().into_iter().map(|(place, value)| (format!("{place} = {value}"), changed(place, Some(&value)))),
    );
    for ((name, text), theirs) in texts.iter().zip(verdicts(texts.iter().map(|(_, text)| text.as_str()))) {
        if theirs.is_empty() && errors(text).is_empty() {
            row.equal += 1;
        } else {
            row.unexplained.push((name.clone(), format!("ours {:?}, theirs {theirs:?}", errors(text))));
        }
    }
    row
}

/// The reference's findings for each text: code and path.
pub(crate) fn verdicts<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Vec<(String, String)>> {
    let texts: Vec<&str> = texts.collect();
    let verdicts = python::run("judge.py", &serde_json::to_string(&texts).unwrap());
    let pair = |entry: &Value| (entry[0].as_str().unwrap().to_owned(), entry[1].as_str().unwrap().to_owned());
    verdicts.as_array().unwrap().iter().map(|found| found.as_array().unwrap().iter().map(pair).collect()).collect()
}
