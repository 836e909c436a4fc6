//! A function's own help: what it does, its parameters, and a command line that works.
//!
//! Printed by `help FUNCTION` and by `call FUNCTION --help`, from the schema that the platform checks calls with.

use std::fmt::Write;

use serde_json::json;

use super::help_layout::{columns, header, screen_width, wrap};
use super::out::{self, OutputStyle};
use super::schema_text::{self, ParameterText};
use super::{params, program_name};
use crate::function::{ActionType, Extension, FunctionDef, Registry, params_schema};

/// Prints the help of every function with this name. Returns whether there is one.
pub(super) fn print(registry: &Registry, name: &str, app_id: Option<&str>, as_json: bool) -> bool {
    let found = find(registry, name, app_id);
    for (at, (extension, function)) in found.iter().enumerate() {
        if as_json {
            out::print_json(&describe(extension, function));
            continue;
        }
        if at > 0 {
            out::print_line("");
        }
        // clap's own printer removes the styles in a pipe; this one does it by hand.
        let text = text(extension, function, found.len() > 1, screen_width());
        let text = if OutputStyle::of_stdout().colour { text } else { console::strip_ansi_codes(&text).into_owned() };
        out::print_line(text.trim_end());
    }
    !found.is_empty()
}

/// Prints the help of the function that a command line with `--help` calls. Returns whether it calls one.
pub(super) fn print_for(registry: &Registry, args: impl Iterator<Item = String>) -> bool {
    let words: Vec<String> = args.skip_while(|word| word != "call").skip(1).collect();
    let app_id = words.windows(2).find(|pair| pair[0] == "--app").map(|pair| pair[1].as_str());
    let named = words.iter().find(|word| !find(registry, word, app_id).is_empty());
    named.is_some_and(|name| print(registry, name, app_id, words.iter().any(|word| word == "--json")))
}

fn find<'a>(registry: &'a Registry, name: &str, app_id: Option<&str>) -> Vec<(&'a Extension, &'static FunctionDef)> {
    let extensions = registry.extensions().filter(|extension| app_id.is_none_or(|app| app == extension.app_id()));
    extensions.filter_map(|extension| Some((extension, extension.function(name)?))).collect()
}

fn describe(extension: &Extension, function: &FunctionDef) -> serde_json::Value {
    json!({
        "app_id": extension.app_id(),
        "name": function.name,
        "description": function.description,
        "action_type": function.action_type.as_str(),
        "background": function.background,
        "long_running": function.long_running,
        "params_schema": params_schema(function),
    })
}

fn text(extension: &Extension, function: &FunctionDef, is_one_of_several: bool, width: usize) -> String {
    let style = OutputStyle::of_stdout();
    let schema = params_schema(function);
    let mut text = format!("{}\n\n", wrap(&style.sanitize(function.description), width).join("\n"));
    let app = if is_one_of_several { format!(" --app {}", extension.app_id()) } else { String::new() };
    let call = format!("{} call {}{app}", program_name::command_line(), function.name);
    let pairs = params::example(&schema);
    let typed = format!("{call} {pairs}").trim_end().to_owned();
    let mut examples = vec![(typed.clone(), "run it and print its answer".to_owned())];
    if function.background {
        examples.push((format!("{typed} --follow"), "and watch its background work until the outcome".to_owned()));
    }
    let _ = writeln!(text, "{}{}", header("Examples:"), columns(&examples, width));
    let parameters = schema_text::parameters(&schema);
    let rows: Vec<_> = parameters.iter().map(|parameter| (parameter.name.clone(), explain(parameter, style))).collect();
    let rows = if rows.is_empty() { "  none\n".to_owned() } else { columns(&rows, width) };
    let _ = writeln!(text, "{}{rows}", header("Parameters:"));
    let does = match function.action_type {
        ActionType::Read => "It reads and changes nothing.",
        ActionType::Write => "It changes something that can be changed back.",
        ActionType::Destructive => "It changes something for good. The chat page asks before it runs.",
    };
    let about = format!("{does} `{} help call` has the options and exit codes.", program_name::command_line());
    text.push_str(&wrap(&about, width).join("\n"));
    text
}

/// The second column of a parameter: description, then type, bounds and default.
fn explain(parameter: &ParameterText, style: OutputStyle) -> String {
    let mut facts = vec![parameter.kind.clone()];
    facts.push(if parameter.required { "required".to_owned() } else { "may be left out".to_owned() });
    facts.extend(parameter.default.as_ref().map(|default| format!("default {default}")));
    if parameter.is_secret {
        facts.push("secret: never stored".to_owned());
    }
    let facts = format!("({})", facts.join("; "));
    let text = if parameter.description.is_empty() { facts } else { format!("{} {facts}", parameter.description) };
    style.sanitize_line(&text)
}
