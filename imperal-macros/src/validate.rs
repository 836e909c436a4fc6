//! Validates the options of `#[chat_function]` into a [`ChatFunction`].
//!
//! Reports every fault and warning. Looks at tokens only: the compiler checks types later, in the expansion.

use imperal_manifest::{did_you_mean, grammar, limits};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident};
use syn::ext::IdentExt;
use syn::{LitStr, Type};

use crate::diagnostics::Diagnostics;
use crate::doc_comment::{self, Description};
use crate::fn_item::FnItem;
use crate::model::{ChatFunction, ParamsField};
use crate::option_reader::{Options, Value};
use crate::signature::result_without_data;

/// The function that the options describe; `None` if a required option is missing or faulty.
pub(crate) fn check_options(
    options: &Options,
    item: &FnItem,
    output: Option<&Type>,
    diagnostics: &mut Diagnostics,
) -> Option<ChatFunction> {
    let action_type = action_type(options, &item.sig.ident, diagnostics);
    let name = name(options, &item.sig.ident, diagnostics);
    let description = description(options, item, diagnostics);
    let event = options.text("event").map(|literal| event(literal, diagnostics));
    for effect in options.list("effects") {
        if !grammar::is_effect(&effect.value()) {
            diagnostics.error(effect, "invalid effect: write `verb:thing` in lower case, such as `\"update:note\"`");
        }
    }
    let id_projection = options.text("id_projection").and_then(|literal| field(literal, diagnostics));
    let writes = action_type.as_ref().is_some_and(|action| *action != "Read");
    let chain_callable = options.flag("chain_callable", true);
    if let (Some(entry), false, true) = (options.get("chain_callable"), chain_callable, writes) {
        diagnostics.error(
            &entry.at,
            "a function that writes must be callable in a chain: remove `chain_callable = false` (V19)",
        );
    }
    let data_model = options.get("data_model").and_then(|entry| match &entry.value {
        Value::Type(ty) => Some((**ty).clone()),
        _ => None,
    });
    if writes {
        warn_about_write(options, item, output, diagnostics);
    }
    if let (Some(entry), true, false) =
        (options.get("background"), options.flag("background", false), item.may_start_a_task())
    {
        diagnostics.warn("P15", entry.key.span(), "`background` detaches nothing by itself, and this function cannot start a task: call `ctx.background_task(..)`, or remove the flag");
    }
    if let (Some(entry), true, Some(action)) = (options.get("safe"), options.flag("safe", false), &action_type)
        && *action != "Write"
    {
        let why = if *action == "Read" {
            "a function that reads is never asked for: remove `safe`"
        } else {
            "the user is always asked before a destructive function: remove `safe`"
        };
        diagnostics.error(&entry.key, why);
    }
    if let (Some(entry), true) = (options.get("starter"), options.flag("starter", false)) {
        if action_type.as_ref().is_some_and(|action| *action == "Read") {
            diagnostics.error(&entry.key, "a function that reads is written late without it: remove `starter`");
        } else if !item.may_start_a_task() {
            diagnostics.error(
                &entry.key,
                "`starter` is for a function that starts a task, and this one cannot: call `ctx.background_task(..)` or `ctx.durable_task(..)`, or remove `starter`",
            );
        }
    }
    Some(ChatFunction {
        name,
        description: description?,
        action_type: action_type?,
        event: event.unwrap_or_default(),
        effects: options.list("effects").iter().map(LitStr::value).collect(),
        id_projection,
        data_model,
        chain_callable,
        background: options.flag("background", false),
        long_running: options.flag("long_running", false),
        safe: options.flag("safe", false),
        starter: options.flag("starter", false),
    })
}

fn action_type(options: &Options, ident: &Ident, diagnostics: &mut Diagnostics) -> Option<Ident> {
    let Some(literal) = options.text("action_type") else {
        if !options.has_or_suggested("action_type") {
            diagnostics.error(ident, format!("`{ident}` has no action type: write `#[chat_function(action_type = \"read\")]`, `\"write\"` or `\"destructive\"` (V4)"));
        }
        return None;
    };
    let span = literal.span();
    let value = literal.value();
    let variant = match value.as_str() {
        "read" => "Read",
        "write" => "Write",
        "destructive" => "Destructive",
        other => {
            let suggestion = did_you_mean(other, ["read", "write", "destructive"]);
            let hint = suggestion.map(|suggestion| format!("; did you mean `\"{suggestion}\"`?")).unwrap_or_default();
            diagnostics.error(
                literal,
                format!("invalid action type: write \"read\", \"write\" or \"destructive\"{hint} (V4)"),
            );
            return None;
        }
    };
    Some(format_ident!("{variant}", span = span.resolved_at(Span::call_site())))
}

fn name(options: &Options, ident: &Ident, diagnostics: &mut Diagnostics) -> String {
    let literal = options.text("name");
    let name = literal.map_or_else(|| ident.unraw().to_string(), LitStr::value);
    let span = literal.map_or_else(|| ident.span(), LitStr::span);
    if let Some(fault) = function_name_fault(&name) {
        diagnostics.error_at(span, fault);
    } else if name.len() > limits::FUNCTION_NAME {
        diagnostics.warn("V33", span, format!("the full name `app_id__{name}` is longer than {} characters, and language models see a hash instead: choose a shorter name", limits::FULL_NAME));
    }
    name
}

/// The fault of a function's name: an invalid or a reserved name.
fn function_name_fault(name: &str) -> Option<&'static str> {
    if !grammar::is_identifier(name) {
        Some("invalid function name: use `A-Z`, `a-z`, `0-9` and `_`, no digit first, in `name = \"..\"`")
    } else if name.starts_with("__") {
        Some("names that start with `__` are reserved for the platform: choose another")
    } else if grammar::is_old_chat_tool(name) {
        Some("`tool_.._chat` is reserved for the chat tool of an extension: choose another name (V25)")
    } else if name.starts_with("skeleton_refresh_") {
        Some(
            "`skeleton_refresh_..` is reserved for tools that the platform calls: choose another name (MANIFEST-SKELETON-1)",
        )
    } else {
        None
    }
}

fn description(options: &Options, item: &FnItem, diagnostics: &mut Diagnostics) -> Option<TokenStream> {
    let docs = doc_comment::description_from_docs(item.attrs_named("doc"));
    let literal = options.text("description");
    let described = match (literal, docs) {
        (Some(literal), docs) => {
            if docs.is_none() {
                diagnostics.warn(
                    "V11",
                    item.sig.ident.span(),
                    "the chat function has no doc comment: write one, and keep `description` only if the two differ",
                );
            }
            Description { tokens: literal.to_token_stream(), text: Some(literal.value()), span: literal.span() }
        }
        (None, Some(docs)) => docs,
        (None, None) => {
            if !options.has_or_suggested("description") {
                diagnostics.error(&item.sig.ident, format!("`{}` has no description: write a doc comment of at least {} characters, by which a language model picks functions (V16)", item.sig.ident, limits::FUNCTION_DESCRIPTION));
            }
            return None;
        }
    };
    if let Some(length) =
        described.text.as_deref().map(limits::length).filter(|length| *length < limits::FUNCTION_DESCRIPTION)
    {
        diagnostics.error_at(described.span, format!("the description has {length} characters and needs {}: say what the function does, because a language model picks functions by it (V16)", limits::FUNCTION_DESCRIPTION));
    }
    Some(described.tokens)
}

fn event(literal: &LitStr, diagnostics: &mut Diagnostics) -> String {
    let event = literal.value();
    if !grammar::is_event(&event) {
        diagnostics.error(
            literal,
            "invalid event: use lower case and `_`, with `.` or `:` between parts, such as `\"note_added\"` or `\"notes.added\"`",
        );
    }
    event
}

/// The field that the literal names. The literal is the field's name in the schema. serde's `rename_all` may
/// have turned `row_id` into `rowId` there, so the field's name in the struct is assumed to be in snake case.
fn field(literal: &LitStr, diagnostics: &mut Diagnostics) -> Option<ParamsField> {
    let wire = literal.value();
    let mut snake = String::new();
    for c in wire.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(if c == '-' { '_' } else { c.to_ascii_lowercase() });
    }
    let span = literal.span();
    let ident = syn::parse_str::<Ident>(&snake).or_else(|_| syn::parse_str::<Ident>(&format!("r#{snake}")));
    let Ok(mut ident) = ident else {
        diagnostics.error(literal, "invalid field name: `id_projection` names one field of the params struct");
        return None;
    };
    ident.set_span(span);
    Some(ParamsField { wire, ident })
}

fn warn_about_write(options: &Options, item: &FnItem, output: Option<&Type>, diagnostics: &mut Diagnostics) {
    let at = options.get("action_type").map_or_else(Span::call_site, |entry| entry.key.span());
    let name = item.sig.ident.unraw();
    if !options.has("event") {
        diagnostics.warn(
            "V10",
            at,
            format!("a function that writes has no event: add `event = \"{name}\"`, named for what happened"),
        );
    }
    if !options.has("effects") {
        diagnostics.warn("V20", at, "a function that writes has no effects: add `effects = [\"update:thing\"]`");
    }
    let untyped = output.is_some_and(|output| result_without_data(output).is_some());
    if untyped && !options.has("data_model") {
        diagnostics.warn(
            "V24",
            at,
            "the type of the outcome's data is unknown: add `data_model = MyType`, or return `Result<ActionResult<T>>`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::function_name_fault;

    #[test]
    fn refuses_names_that_mean_something_else() {
        for name in ["refine", "_x", "tool_chat", "tool__chat", "a1"] {
            assert_eq!(function_name_fault(name), None, "{name}");
        }
        for name in ["", "1a", "é", "a-b", "__panel__x", "tool_x_chat", "skeleton_refresh_x"] {
            assert!(function_name_fault(name).is_some(), "{name:?}");
        }
    }
}
