//! Which fields a manifest has, and what each may hold: one table.
//!
//! Mirrors the reference's own schema. How a file is compared with it is in `walk`, what a file as a
//! whole must obey in `rules`.

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
    pub(super) need: Need,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Need {
    Required,
    /// May be absent but not null.
    Plain,
    /// May be absent or null.
    Nullable,
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

/// A node of a panel's tree.
pub(super) const NODE: Section = closed(&[must("type", NOT_EMPTY), plain("props", Kind::Free)]);

/// What an input field of a panel may take.
pub(super) const INPUT_TYPES: &[&str] = &["text", "password", "email", "number", "url"];
