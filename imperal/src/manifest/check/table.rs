//! Which fields a manifest has, and what each may hold: one table.
//!
//! Owns the table and the walk that compares a file with it. Mirrors the reference's own schema,
//! stricter in one thing: a value of another type is never taken for the right one (`"yes"` is not
//! true). What a file as a whole must obey is in `rules`.

use serde_json::{Map, Value};

use super::form;

/// What a field may hold.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// Text of a form, and the form in words.
    Form(fn(&str) -> bool, &'static str),
    Choice(&'static [&'static str]),
    Bool,
    Int(i64, i64),
    Number(&'static [u64]),
    Texts,
    Forms(fn(&str) -> bool, &'static str),
    /// An object of any content.
    Free,
    /// An object of objects of any content.
    FreeByName,
    Tree,
    One(&'static Section),
    List(&'static Section),
    ByName(&'static Section),
}

/// An object of the manifest.
pub(super) struct Section {
    /// Whether it may have other keys.
    pub(super) open: bool,
    pub(super) fields: &'static [Field],
}

/// A field of such an object.
pub(super) struct Field {
    pub(super) name: &'static str,
    need: Need,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Need {
    Required,
    /// May be absent but not null.
    Plain,
    /// May be absent or null.
    Nullable,
}

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

const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, need: Need::Required, kind }
}

const fn plain(name: &'static str, kind: Kind) -> Field {
    Field { name, need: Need::Plain, kind }
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, need: Need::Nullable, kind }
}

const fn closed(fields: &'static [Field]) -> Section {
    Section { open: false, fields }
}

const COUNT: Kind = Kind::Int(i64::MIN, i64::MAX);
const SCOPES: Kind = Kind::Forms(form::scope, "`*`, `app:action` or `app:*`");
const NOT_EMPTY: Kind = Kind::Form(form::not_empty, "text that is not empty");
const SHORT: Kind = Kind::Form(form::at_most_200, "text of at most 200 characters");
const ITEM_ID: Kind =
    Kind::Form(form::item_id, "two or more of lower-case letters, digits, `_` and `-`, a letter first");
const SHORT_SNAKE: Kind = Kind::Form(form::short_snake, "up to 63 lower-case letters, digits and `_`, a letter first");
const SEARCH_NAME: Kind = Kind::Form(form::search_name, "1 to 64 lower-case letters, digits and `_`");

/// The values of a tray icon's colour.
const ICON_COLORS: &[&str] = &[
    "default", "primary", "success", "warning", "danger", "muted", "blue", "green", "yellow", "amber", "red", "gray",
    "grey",
];

/// The whole manifest.
pub(super) const ROOT: Section = closed(&[
    may("manifest_schema_version", Kind::Number(&[1, 2, 3])),
    may("sdk_version", Kind::Text),
    must("app_id", Kind::Form(form::app_id, "two or more lower-case letters, digits and `-`, no `-` at either end")),
    must("version", Kind::Form(form::version, "three numbers such as `1.0.0`, with an optional `-rc.1`")),
    may("name", Kind::Text),
    may("description", Kind::Text),
    may("icon", Kind::Text),
    may("actions_explicit", Kind::Bool),
    may("system", Kind::Bool),
    plain("capabilities", Kind::Texts),
    plain("tools", Kind::List(&TOOL)),
    plain("signals", Kind::List(&SIGNAL)),
    plain("schedules", Kind::List(&SCHEDULE)),
    plain("required_scopes", SCOPES),
    may("icon_size_bytes", COUNT),
    may("webhooks", Kind::List(&WEBHOOK)),
    may("oauth", Kind::List(&OAUTH)),
    may("events", Kind::One(&EVENTS)),
    may("exposed", Kind::List(&EXPOSED)),
    may("lifecycle", Kind::One(&LIFECYCLE)),
    may("lifecycle_hooks", Kind::FreeByName),
    may("tray", Kind::List(&TRAY)),
    may("menu", Kind::List(&MENU)),
    may("migrations_dir", Kind::Text),
    may("config_defaults", Kind::Free),
    may("secrets", Kind::List(&SECRET)),
    may("file_sinks", Kind::List(&FILE_SINK)),
    may("search_providers", Kind::List(&SEARCH_PROVIDER)),
    may("panels", Kind::List(&PANEL)),
    may("author", Kind::Text),
    may("category", Kind::Text),
    may("hidden_in_sidebar", Kind::Bool),
    may("homepage", Kind::Text),
    may("license", Kind::Text),
    may("marketplace", Kind::Free),
    may("pricing", Kind::Free),
    may("tags", Kind::Texts),
]);

const TOOL: Section = closed(&[
    must("name", Kind::Form(form::identifier, "letters, digits and `_`, no digit first")),
    plain("description", Kind::Text),
    may("action_type", Kind::Text),
    may("chain_callable", Kind::Bool),
    plain("effects", Kind::Texts),
    may("id_projection", Kind::Text),
    may("params_schema", Kind::Free),
    may("return_schema", Kind::Free),
    may("event", Kind::Text),
    may("background", Kind::Bool),
    may("long_running", Kind::Bool),
    plain("scopes", SCOPES),
    plain("parameters", Kind::ByName(&PARAMETER)),
    may("owner_chat_tool", Kind::Text),
    may("synthetic", Kind::Bool),
]);

const PARAMETER: Section = Section {
    open: true,
    fields: &[
        must("type", Kind::Choice(&["string", "integer", "number", "boolean", "array", "object"])),
        must("required", Kind::Bool),
    ],
};

const SIGNAL: Section = closed(&[must("name", NOT_EMPTY), may("description", Kind::Text)]);

const SCHEDULE: Section = closed(&[
    must("name", NOT_EMPTY),
    must(
        "cron",
        Kind::Form(
            form::cron,
            "five fields such as `0 9 * * *`, or one of @hourly, @daily, @weekly, @monthly, @yearly, @annually and @reboot",
        ),
    ),
    may("description", Kind::Text),
]);

const WEBHOOK: Section = closed(&[
    must("path", Kind::Form(form::webhook_path, "a slash, then lower-case letters, digits, `_`, `/` and `-`")),
    plain("method", Kind::Choice(&["POST", "GET", "PUT", "DELETE"])),
    plain("secret_header", Kind::Text),
]);

const OAUTH: Section = closed(&[
    must("provider", NOT_EMPTY),
    may("collection", Kind::Form(form::snake, "lower-case letters, digits and `_`, a letter first")),
    plain("scopes", Kind::Texts),
    plain("has_hook", Kind::Bool),
]);

const EVENTS: Section = closed(&[plain("subscribes", Kind::List(&SUBSCRIPTION)), plain("emits", Kind::List(&EMIT))]);

const SUBSCRIPTION: Section = closed(&[must("type", NOT_EMPTY), must("handler", Kind::Text)]);

const EMIT: Section = closed(&[must("type", NOT_EMPTY), may("schema_ref", Kind::Text)]);

const EXPOSED: Section = closed(&[must("name", Kind::Text), must("action_type", Kind::Choice(&["read", "write"]))]);

const LIFECYCLE: Section = closed(&[
    may("on_install", Kind::Bool),
    may("on_uninstall", Kind::Bool),
    may("on_enable", Kind::Bool),
    may("on_disable", Kind::Bool),
    may("on_upgrade", Kind::Texts),
    may("health_check", Kind::One(&HEALTH_CHECK)),
]);

const HEALTH_CHECK: Section = closed(&[plain("interval_sec", Kind::Int(30, i64::MAX))]);

const TRAY: Section = closed(&[
    must("tray_id", ITEM_ID),
    may("icon", Kind::Text),
    may("tooltip", Kind::Text),
    may("zone", Kind::Choice(&["status", "actions", "system"])),
    may("order", COUNT),
    may("badge_style", Kind::Choice(&["corner", "inline"])),
    may("icon_color", Kind::Choice(ICON_COLORS)),
]);

const MENU: Section = closed(&[
    must("item_id", ITEM_ID),
    must("label", Kind::Text),
    may("icon", Kind::Text),
    may("section", Kind::Choice(&["main", "admin"])),
    may("path", Kind::Text),
    may("order", COUNT),
    may("danger", Kind::Bool),
]);

const SECRET: Section = closed(&[
    must("name", SHORT_SNAKE),
    must("description", NOT_EMPTY),
    plain("required", Kind::Bool),
    plain("write_mode", Kind::Choice(&["user", "extension", "both"])),
    plain("max_bytes", Kind::Int(1, 65_536)),
    may("rotation_hint_days", Kind::Int(1, i64::MAX)),
    plain("scope", Kind::Choice(&["user", "app"])),
    may("env_fallback", Kind::Form(form::secret_variable, "a variable whose name begins with IMPERAL_APPSECRET_")),
]);

const FILE_SINK: Section = closed(&[
    must("tool", SHORT_SNAKE),
    must("accepts", Kind::Texts),
    must("arg", NOT_EMPTY),
    plain("arg_kind", Kind::Choice(&["text", "file_id", "bytes_ref"])),
    plain("description", SHORT),
]);

const SEARCH_PROVIDER: Section =
    closed(&[must("entity_type", SEARCH_NAME), must("handler", SEARCH_NAME), may("description", SHORT)]);

const PANEL: Section = Section {
    open: true,
    fields: &[
        must("slot", Kind::Choice(&["center", "left", "right", "overlay", "bottom", "chat-sidebar"])),
        plain("tree", Kind::Tree),
        may("panel_id", Kind::Text),
        may("title", Kind::Text),
        may("icon", Kind::Text),
        may("refresh", Kind::Text),
        may("center_overlay", Kind::Bool),
        may("default_width", COUNT),
        may("min_width", COUNT),
        may("max_width", COUNT),
    ],
};

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
    const NODE: Section = closed(&[must("type", NOT_EMPTY), plain("props", Kind::Free)]);
    if node.is_empty() {
        return;
    }
    section(node, &NODE, at, report);
    if let Some(value) = input_type_fault(node) {
        let must = format!("one of {}", INPUT_TYPES.join(", "));
        report(Fault { path: format!("{at}.props.type"), what: What::Wrong { must, found: found(value) } });
    }
}

/// What an input field of a panel may take.
pub(super) const INPUT_TYPES: &[&str] = &["text", "password", "email", "number", "url"];

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
