//! The reference SDK's rules on an extension (V) that a manifest alone can violate, and M32.
//!
//! V8 is in `validate`, V21 in `icon`, V25 in `manifest_rules`. The macros and Rust's types take care of V4
//! to V7, V11, V18, V22, V24-AST and V32.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::collector::{Collector, quoted_or_path};
use super::environment::{Environment, Origin};
use super::lookup::{is_chat_function, objects, text};
use crate::finding::Level;
use crate::{grammar, limits};

/// Runs all rules of this file, except for V1 and V2: see [`code_for_extension`].
pub(super) fn check_extension_rules(
    manifest: &Map<String, Value>,
    origin: Origin,
    environment: &Environment,
    findings: &mut Collector,
) {
    identity(manifest, findings);
    let mut scopes = manifest.get("capabilities").and_then(Value::as_array).is_some_and(|list| any_text(list));
    let mut tools = 0_usize;
    for (at, tool) in objects(manifest, "tools") {
        tools += 1;
        scopes |= tool.get("scopes").and_then(Value::as_array).is_some_and(|list| any_text(list));
        if is_chat_function(tool) {
            if !text(tool, "name").starts_with("__") {
                function(&at, tool, manifest, origin, environment, findings);
            }
        } else {
            plain_tool(&at, tool, findings);
        }
    }
    if tools == 0 {
        let fix =
            findings.advice("put `#[chat_function(..)]` on an async fn", "put `@chat.function(..)` on an async def");
        findings.error("V3", "tools", "the extension has no function".to_owned(), fix);
    }
    let system = manifest.get("system") == Some(&Value::Bool(true));
    if !scopes {
        let level = if system { Level::Error } else { Level::Warn };
        let app_id = app_id_or_example(manifest);
        let scopes = format!("[\"{app_id}:read\", \"{app_id}:write\"]");
        let fix = findings.advice(
            format!("declare what it needs: `capabilities: {scopes}`"),
            format!("declare what it needs: `Extension(.., capabilities={scopes})`"),
        );
        findings.raise("V34", level, "capabilities", "the extension declares no scopes".to_owned(), fix);
    }
    if system && environment.is_third_party() {
        let message =
            format!("`system` is for first-party extensions, but `{}` is not a first-party author", environment.author);
        findings.error("V31", "system", message, "remove `system: true`");
    }
    sinks(manifest, findings);
    if origin == Origin::File {
        life(manifest, findings);
    }
}

/// The app id, or an example.
fn app_id_or_example(manifest: &Map<String, Value>) -> &str {
    Some(text(manifest, "app_id")).filter(|app_id| !app_id.is_empty()).unwrap_or("my-app")
}

fn any_text(list: &[Value]) -> bool {
    list.iter().filter_map(Value::as_str).any(|scope| !scope.trim().is_empty())
}

/// V14, V15, and V19 for the whole extension.
fn identity(manifest: &Map<String, Value>, findings: &mut Collector) {
    let app_id = text(manifest, "app_id");
    let description = text(manifest, "description").trim();
    let length = description.chars().count();
    if length < limits::EXTENSION_DESCRIPTION {
        let message = match length {
            0 => "the extension has no description".to_owned(),
            _ => format!("the extension's description has {length} characters and needs 40"),
        };
        findings.error("V14", "description", message, "say in a sentence or two what the extension does for people");
    } else if description == app_id {
        let message = "the extension's description is its id".to_owned();
        findings.error("V14", "description", message, "say in a sentence or two what the extension does for people");
    }
    let name = text(manifest, "name").trim();
    if name.chars().count() < limits::EXTENSION_NAME {
        let message = if name.is_empty() {
            "the extension has no name".to_owned()
        } else {
            format!("the extension's name `{name}` has fewer than 3 characters")
        };
        findings.error("V15", "name", message, "give it a name for people, `Text refiner` for example");
    } else if name == app_id {
        let message = format!("the extension's name is its id, `{app_id}`");
        findings.error("V15", "name", message, "give it a name for people, `Text refiner` for example");
    }
    if manifest.get("actions_explicit") == Some(&Value::Bool(false)) {
        let message = "`actions_explicit` is false".to_owned();
        findings.error(
            "V19",
            "actions_explicit",
            message,
            "write `true`: functions are called by name with typed parameters",
        );
    }
}

/// V10, V16, V17, V19, V20, V23, V24 and V33.
fn function(
    at: &str,
    tool: &Map<String, Value>,
    manifest: &Map<String, Value>,
    origin: Origin,
    environment: &Environment,
    findings: &mut Collector,
) {
    let bare = text(tool, "name");
    let name = quoted_or_path("function", at, bare);
    let app_id = text(manifest, "app_id");
    let length = text(tool, "description").trim().chars().count();
    if length < limits::FUNCTION_DESCRIPTION {
        let message = match length {
            0 => format!("{name} has no description"),
            _ => format!("the description of {name} has {length} characters and needs 20"),
        };
        let says = "with the input, the result and when to use it";
        let fix = findings.advice(format!("write a doc comment {says}"), format!("write a `description` {says}"));
        findings.error("V16", format!("{at}.description"), message, fix);
    }
    let empty = |key: &str| tool.get(key).and_then(Value::as_object).is_none_or(Map::is_empty);
    if empty("params_schema") {
        let message = format!("{name} has no schema of its parameters");
        let fix = findings.advice(
            "give it a struct of parameters, an empty one if it takes none",
            "give it a parameter whose type is a pydantic model, an empty one if it takes nothing",
        );
        findings.error("V17", format!("{at}.params_schema"), message, fix);
    }
    let action = text(tool, "action_type");
    let changes = matches!(action, "write" | "destructive");
    if changes {
        if text(tool, "event").is_empty() {
            let short = Some(bare.strip_prefix("fn_").unwrap_or(bare)).filter(|name| !name.is_empty());
            let event = format!("{}.{}", app_id_or_example(manifest), short.unwrap_or("changed"));
            let fix = findings.advice(format!("add `event = \"{event}\"`"), format!("add `event=\"{event}\"`"));
            findings.warn("V10", format!("{at}.event"), format!("{name} changes something and has no event"), fix);
        }
        if tool.get("chain_callable") == Some(&Value::Bool(false)) {
            let message = format!("{name} changes something and cannot be called by a chain");
            let fix = findings.advice("remove `chain_callable = false`", "remove `chain_callable=False`");
            findings.error("V19", format!("{at}.chain_callable"), message, fix);
        }
        if tool.get("effects").and_then(Value::as_array).is_none_or(Vec::is_empty) {
            let message = format!("{name} changes something and has no effects");
            let fix = findings.advice("add `effects = [\"update:thing\"]`", "add `effects=[\"update:thing\"]`");
            findings.warn("V20", format!("{at}.effects"), message, fix);
        }
    }
    if empty("return_schema") {
        let message = format!("{name} has no schema of its data");
        let fix = findings.advice(
            "return `Result<ActionResult<T>>`, or add `data_model = T`",
            "return `ActionResult[T]`, or add `data_model=T`",
        );
        // A function that only draws needs no data, and a file does not mark such functions.
        let lenient = environment.v23_warns || origin == Origin::File;
        match action {
            "read" if lenient => findings.warn("V23", format!("{at}.return_schema"), message, fix),
            "read" => findings.error("V23", format!("{at}.return_schema"), message, fix),
            _ if changes => findings.warn("V24", format!("{at}.return_schema"), message, fix),
            _ => {}
        }
    }
    let full = app_id.chars().count() + 2 + bare.chars().count();
    if full > limits::FULL_NAME {
        let message = format!("the full name `{app_id}__{bare}` has {full} characters; the limit is 64");
        findings.warn("V33", format!("{at}.name"), message, "shorten the function's name");
    }
}

/// V13.
fn plain_tool(at: &str, tool: &Map<String, Value>, findings: &mut Collector) {
    let name = text(tool, "name");
    for (start, level) in [("refresh_", Level::Warn), ("alert_", Level::Info)] {
        if let Some(section) = name.strip_prefix(start) {
            let message = format!("`{name}` looks like a section tool, but its name does not begin with `skeleton_`");
            findings.raise("V13", level, format!("{at}.name"), message, format!("name it `skeleton_{start}{section}`"));
        }
    }
}

/// V35.
fn sinks(manifest: &Map<String, Value>, findings: &mut Collector) {
    let known: HashSet<&str> = objects(manifest, "tools").map(|(_, tool)| text(tool, "name")).collect();
    for (at, file_sink) in objects(manifest, "file_sinks") {
        let tool = text(file_sink, "tool");
        if !tool.is_empty() && !known.contains(tool) {
            let message = format!("files go to the tool `{tool}`, which this extension does not have");
            findings.error("V35", format!("{at}.tool"), message, "name one of its tools");
        }
    }
}

/// V9, V12 and M32, for files only: the platform in an extension's binary reports its health, and code
/// cannot declare hooks or a category.
fn life(manifest: &Map<String, Value>, findings: &mut Collector) {
    let life = manifest.get("lifecycle").and_then(Value::as_object);
    let has = |key: &str| life.and_then(|life| life.get(key)).is_some_and(|value| !value.is_null());
    if !has("health_check") {
        findings.warn(
            "V9",
            "lifecycle",
            "the extension has no health check".to_owned(),
            "declare one, and build the manifest again",
        );
    }
    if !has("on_install") {
        let message = "the extension has no install hook".to_owned();
        findings.raise("V12", Level::Info, "lifecycle", message, "declare one if a new user needs a setup");
    }
    if text(manifest, "category").is_empty() {
        let message = "the extension has no category".to_owned();
        findings.raise("M32", Level::Info, "category", message, "add `\"category\"` to the file: a build keeps it");
    }
}

/// Returns V1 or V2 instead of M4 for a fault in the app id or the version, as the reference SDK does for
/// code. Any other code stays.
pub(super) fn code_for_extension(rule: &'static str, path: &str, manifest: &Map<String, Value>) -> &'static str {
    match path {
        "app_id" if rule == "M4" => "V1",
        "version" if rule == "M4" && !grammar::begins_with_three_numbers(text(manifest, "version")) => "V2",
        _ => rule,
    }
}
