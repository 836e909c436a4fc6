//! The table of a manifest's fields and the values that each may hold.
//!
//! Mirrors the reference SDK's schema of version 3. `structure` compares a manifest with it; rules on
//! the meaning of values are in `check`.

use crate::grammar;

/// The keys of a manifest's root in the order in which the reference SDK writes them.
pub fn root_keys() -> impl Iterator<Item = &'static str> {
    ROOT.fields.iter().map(|field| field.name)
}

/// The values that a field may hold.
#[derive(Clone, Copy)]
pub(crate) enum FieldType {
    Text,
    /// Text that a predicate accepts, and the predicate in words.
    Pattern(fn(&str) -> bool, &'static str),
    Choice(&'static [&'static str]),
    Bool,
    /// A whole number from the first to the second.
    Int(i64, i64),
    NumberChoice(&'static [u64]),
    TextList,
    PatternList(fn(&str) -> bool, &'static str),
    /// An object with any keys.
    AnyObject,
    /// An object whose values are objects with any keys.
    MapOfObjects,
    /// The tree of a panel.
    PanelTree,
    Object(&'static Section),
    List(&'static Section),
    /// An object with any keys, each value a section.
    MapOf(&'static Section),
}

/// An object of the manifest.
pub(crate) struct Section {
    /// Whether other keys are allowed.
    pub(crate) open: bool,
    pub(crate) fields: &'static [Field],
}

/// A field of such an object.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) presence: Presence,
    /// Type of its value.
    pub(crate) holds: FieldType,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Presence {
    Required,
    /// May be absent, but not null.
    Optional,
    /// May be absent or null.
    OptionalOrNull,
}

const fn required(name: &'static str, holds: FieldType) -> Field {
    Field { name, presence: Presence::Required, holds }
}

const fn optional(name: &'static str, holds: FieldType) -> Field {
    Field { name, presence: Presence::Optional, holds }
}

const fn nullable(name: &'static str, holds: FieldType) -> Field {
    Field { name, presence: Presence::OptionalOrNull, holds }
}

const fn closed(fields: &'static [Field]) -> Section {
    Section { open: false, fields }
}

const COUNT: FieldType = FieldType::Int(i64::MIN, i64::MAX);
const SCOPES: FieldType = FieldType::PatternList(grammar::is_scope, "`*`, `app:action` or `app:*`");
const NOT_EMPTY: FieldType = FieldType::Pattern(is_not_empty, "text that is not empty");
const SHORT: FieldType = FieldType::Pattern(is_short, "text of at most 200 characters");
const ITEM_ID: FieldType =
    FieldType::Pattern(grammar::is_item_id, "two or more of lower-case letters, digits, `_` and `-`, a letter first");
const SHORT_SNAKE: FieldType =
    FieldType::Pattern(is_short_snake_case, "up to 63 lower-case letters, digits and `_`, a letter first");
const SEARCH_NAME: FieldType =
    FieldType::Pattern(grammar::is_search_name, "1 to 64 lower-case letters, digits and `_`");

/// The values of a tray icon's colour.
const ICON_COLORS: &[&str] = &[
    "default", "primary", "success", "warning", "danger", "muted", "blue", "green", "yellow", "amber", "red", "gray",
    "grey",
];

/// The whole manifest.
pub(crate) const ROOT: Section = closed(&[
    nullable("manifest_schema_version", FieldType::NumberChoice(&[1, 2, 3])),
    nullable("sdk_version", FieldType::Text),
    required(
        "app_id",
        FieldType::Pattern(grammar::is_app_id, "two or more lower-case letters, digits and `-`, no `-` at either end"),
    ),
    required(
        "version",
        FieldType::Pattern(grammar::is_version, "three numbers such as `1.0.0`, with an optional `-rc.1`"),
    ),
    nullable("name", FieldType::Text),
    nullable("description", FieldType::Text),
    nullable("icon", FieldType::Text),
    nullable("actions_explicit", FieldType::Bool),
    nullable("system", FieldType::Bool),
    optional("capabilities", FieldType::TextList),
    optional("tools", FieldType::List(&TOOL)),
    optional("signals", FieldType::List(&SIGNAL)),
    optional("schedules", FieldType::List(&SCHEDULE)),
    optional("required_scopes", SCOPES),
    nullable("icon_size_bytes", COUNT),
    nullable("webhooks", FieldType::List(&WEBHOOK)),
    nullable("oauth", FieldType::List(&OAUTH)),
    nullable("events", FieldType::Object(&EVENTS)),
    nullable("exposed", FieldType::List(&EXPOSED)),
    nullable("lifecycle", FieldType::Object(&LIFECYCLE)),
    nullable("lifecycle_hooks", FieldType::MapOfObjects),
    nullable("tray", FieldType::List(&TRAY)),
    nullable("menu", FieldType::List(&MENU)),
    nullable("migrations_dir", FieldType::Text),
    nullable("config_defaults", FieldType::AnyObject),
    nullable("secrets", FieldType::List(&SECRET)),
    nullable("file_sinks", FieldType::List(&FILE_SINK)),
    nullable("search_providers", FieldType::List(&SEARCH_PROVIDER)),
    nullable("panels", FieldType::List(&PANEL)),
    nullable("author", FieldType::Text),
    nullable("category", FieldType::Text),
    nullable("hidden_in_sidebar", FieldType::Bool),
    nullable("homepage", FieldType::Text),
    nullable("license", FieldType::Text),
    nullable("marketplace", FieldType::AnyObject),
    nullable("pricing", FieldType::AnyObject),
    nullable("tags", FieldType::TextList),
]);

const TOOL: Section = closed(&[
    required("name", FieldType::Pattern(grammar::is_identifier, "letters, digits and `_`, no digit first")),
    optional("description", FieldType::Text),
    nullable("action_type", FieldType::Text),
    nullable("chain_callable", FieldType::Bool),
    optional("effects", FieldType::TextList),
    nullable("id_projection", FieldType::Text),
    nullable("params_schema", FieldType::AnyObject),
    nullable("return_schema", FieldType::AnyObject),
    nullable("event", FieldType::Text),
    nullable("background", FieldType::Bool),
    nullable("long_running", FieldType::Bool),
    optional("scopes", SCOPES),
    optional("parameters", FieldType::MapOf(&PARAMETER)),
    nullable("owner_chat_tool", FieldType::Text),
    nullable("synthetic", FieldType::Bool),
]);

const PARAMETER: Section = Section {
    open: true,
    fields: &[
        required("type", FieldType::Choice(&["string", "integer", "number", "boolean", "array", "object"])),
        required("required", FieldType::Bool),
    ],
};

const SIGNAL: Section = closed(&[required("name", NOT_EMPTY), nullable("description", FieldType::Text)]);

const SCHEDULE: Section = closed(&[
    required("name", NOT_EMPTY),
    required(
        "cron",
        FieldType::Pattern(
            grammar::is_cron_line,
            "five fields such as `0 9 * * *`, or one of @hourly, @daily, @weekly, @monthly, @yearly, @annually and @reboot",
        ),
    ),
    nullable("description", FieldType::Text),
]);

const WEBHOOK: Section = closed(&[
    required(
        "path",
        FieldType::Pattern(grammar::is_webhook_path, "a slash, then lower-case letters, digits, `_`, `/` and `-`"),
    ),
    optional("method", FieldType::Choice(&["POST", "GET", "PUT", "DELETE"])),
    optional("secret_header", FieldType::Text),
]);

const OAUTH: Section = closed(&[
    required("provider", NOT_EMPTY),
    nullable(
        "collection",
        FieldType::Pattern(grammar::is_snake_case, "lower-case letters, digits and `_`, a letter first"),
    ),
    optional("scopes", FieldType::TextList),
    optional("has_hook", FieldType::Bool),
]);

const EVENTS: Section =
    closed(&[optional("subscribes", FieldType::List(&SUBSCRIPTION)), optional("emits", FieldType::List(&EMIT))]);

const SUBSCRIPTION: Section = closed(&[required("type", NOT_EMPTY), required("handler", FieldType::Text)]);

const EMIT: Section = closed(&[required("type", NOT_EMPTY), nullable("schema_ref", FieldType::Text)]);

const EXPOSED: Section =
    closed(&[required("name", FieldType::Text), required("action_type", FieldType::Choice(&["read", "write"]))]);

const LIFECYCLE: Section = closed(&[
    nullable("on_install", FieldType::Bool),
    nullable("on_uninstall", FieldType::Bool),
    nullable("on_enable", FieldType::Bool),
    nullable("on_disable", FieldType::Bool),
    nullable("on_upgrade", FieldType::TextList),
    nullable("health_check", FieldType::Object(&HEALTH_CHECK)),
]);

const HEALTH_CHECK: Section = closed(&[optional("interval_sec", FieldType::Int(30, i64::MAX))]);

const TRAY: Section = closed(&[
    required("tray_id", ITEM_ID),
    nullable("icon", FieldType::Text),
    nullable("tooltip", FieldType::Text),
    nullable("zone", FieldType::Choice(&["status", "actions", "system"])),
    nullable("order", COUNT),
    nullable("badge_style", FieldType::Choice(&["corner", "inline"])),
    nullable("icon_color", FieldType::Choice(ICON_COLORS)),
]);

const MENU: Section = closed(&[
    required("item_id", ITEM_ID),
    required("label", FieldType::Text),
    nullable("icon", FieldType::Text),
    nullable("section", FieldType::Choice(&["main", "admin"])),
    nullable("path", FieldType::Text),
    nullable("order", COUNT),
    nullable("danger", FieldType::Bool),
]);

const SECRET: Section = closed(&[
    required("name", SHORT_SNAKE),
    required("description", NOT_EMPTY),
    optional("required", FieldType::Bool),
    optional("write_mode", FieldType::Choice(&["user", "extension", "both"])),
    optional("max_bytes", FieldType::Int(1, 65_536)),
    optional("scope", FieldType::Choice(&["user", "app"])),
    nullable("rotation_hint_days", FieldType::Int(1, i64::MAX)),
    nullable(
        "env_fallback",
        FieldType::Pattern(is_secret_variable, "a variable whose name begins with IMPERAL_APPSECRET_"),
    ),
]);

const FILE_SINK: Section = closed(&[
    required("tool", SHORT_SNAKE),
    required("accepts", FieldType::TextList),
    required("arg", NOT_EMPTY),
    optional("arg_kind", FieldType::Choice(&["text", "file_id", "bytes_ref"])),
    optional("description", SHORT),
]);

const SEARCH_PROVIDER: Section =
    closed(&[required("entity_type", SEARCH_NAME), required("handler", SEARCH_NAME), nullable("description", SHORT)]);

const PANEL: Section = Section {
    open: true,
    fields: &[
        required("slot", FieldType::Choice(&["center", "left", "right", "overlay", "bottom", "chat-sidebar"])),
        optional("tree", FieldType::PanelTree),
        nullable("panel_id", FieldType::Text),
        nullable("title", FieldType::Text),
        nullable("icon", FieldType::Text),
        nullable("refresh", FieldType::Text),
        nullable("center_overlay", FieldType::Bool),
        nullable("default_width", COUNT),
        nullable("min_width", COUNT),
        nullable("max_width", COUNT),
    ],
};

/// A node of a panel's tree.
pub(crate) const NODE: Section = closed(&[required("type", NOT_EMPTY), optional("props", FieldType::AnyObject)]);

/// The types of an `Input` node.
pub(crate) const INPUT_TYPES: &[&str] = &["text", "password", "email", "number", "url"];

/// Snake case of at most 63 characters.
fn is_short_snake_case(text: &str) -> bool {
    grammar::is_snake_case(text) && text.len() <= 63
}

/// The name of an environment variable reserved for secrets.
fn is_secret_variable(text: &str) -> bool {
    text.starts_with("IMPERAL_APPSECRET_")
}

fn is_not_empty(text: &str) -> bool {
    !text.is_empty()
}

fn is_short(text: &str) -> bool {
    text.chars().count() <= 200
}
