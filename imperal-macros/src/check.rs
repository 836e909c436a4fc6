//! From what the author wrote to a model that is known to be right.
//!
//! The attribute's options and the signature are checked independently, each reporting all its
//! faults; only when both are sound is a [`ChatFunction`] built.

use imperal_manifest::{did_you_mean, grammar, limits};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, LitStr, Type};

use crate::describe::{self, Described};
use crate::diagnostic::Sink;
use crate::input::FnItem;
use crate::options;
use crate::reader::{Options, Value};
use crate::signature::{self, Types};
use crate::{emit, fallback, instrument};

/// A chat function in which nothing is wrong that tokens can show.
pub(crate) struct ChatFunction {
    pub(crate) name: String,
    pub(crate) description: TokenStream,
    pub(crate) action_type: Ident,
    pub(crate) event: String,
    pub(crate) effects: Vec<String>,
    pub(crate) id_projection: Option<Field>,
    pub(crate) data_model: Option<Type>,
    pub(crate) chain_callable: bool,
    pub(crate) background: bool,
    pub(crate) long_running: bool,
}

/// A field of the params struct.
pub(crate) struct Field {
    /// As the schema calls it.
    pub(crate) wire: String,
    /// As the struct calls it, under the literal's span.
    pub(crate) ident: Ident,
}

/// `#[chat_function(options)] item`
pub(crate) fn chat_function(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut sink = Sink::default();
    let options = Options::read(&options::CHAT_FUNCTION, options, &mut sink);
    let krate = if let Some(Value::Path(path)) = options.get("crate").map(|entry| &entry.value) {
        path.to_token_stream()
    } else {
        quote!(::imperal)
    };
    let item = match syn::parse2::<FnItem>(item.clone()) {
        Ok(item) => item,
        Err(_not_a_fn) => return not_a_fn(item),
    };
    let types = signature::check(&item, &mut sink);
    instrument::check(&item, &mut sink);
    let function = check_options(&options, &item, types.as_ref(), &mut sink);
    let warnings = sink.warnings(&lint_attrs(&item));
    match (types, function) {
        (Some(types), Some(function)) if !sink.has_errors() => {
            emit::accepted(&item, &types, &function, &krate, &warnings)
        }
        (Some(types), _) => {
            let checks = emit::checks(&item, &types, &krate);
            let errors = sink.errors();
            quote!(#item #checks #errors)
        }
        (None, _) => {
            let errors = sink.errors();
            let item = fallback::mended(item, &krate);
            quote!(#item #errors)
        }
    }
}

fn not_a_fn(item: &TokenStream) -> TokenStream {
    let mut sink = Sink::default();
    let found = item.clone().into_iter().find(
        |token| matches!(token, proc_macro2::TokenTree::Ident(word) if ITEMS.contains(&word.to_string().as_str())),
    );
    let text = "`#[chat_function]` goes on a free `async fn`";
    match found {
        Some(keyword) => sink.error(&keyword, format!("{text}, not on this `{keyword}`")),
        None => sink.error(item, text),
    }
    let errors = sink.errors();
    quote!(#item #errors)
}

const ITEMS: &[&str] =
    &["struct", "enum", "union", "trait", "impl", "mod", "const", "static", "type", "use", "extern", "macro_rules"];

/// `allow`s and the like, which also hold for what the macro writes beside the fn.
fn lint_attrs(item: &FnItem) -> Vec<&Attribute> {
    item.attrs_named("allow").chain(item.attrs_named("cfg")).collect()
}

fn check_options(options: &Options, item: &FnItem, types: Option<&Types>, sink: &mut Sink) -> Option<ChatFunction> {
    let action_type = action_type(options, &item.sig.ident, sink);
    let name = name(options, &item.sig.ident, sink);
    let description = description(options, item, sink);
    let event = options.text("event").map(|literal| event(literal, sink));
    for effect in options.list("effects") {
        if !grammar::is_effect(&effect.value()) {
            sink.error(effect, "an effect is `verb:thing` in lower case, such as `\"update:note\"`");
        }
    }
    let id_projection = options.text("id_projection").and_then(|literal| field(literal, sink));
    let writes = action_type.as_ref().is_some_and(|action| *action != "Read");
    let chain_callable = options.flag("chain_callable", true);
    if let (Some(entry), false, true) = (options.get("chain_callable"), chain_callable, writes) {
        sink.error(
            &entry.at,
            "a function that writes must be callable in a chain: remove `chain_callable = false` (V19)",
        );
    }
    let data_model = options.get("data_model").and_then(|entry| match &entry.value {
        Value::Type(ty) => Some((**ty).clone()),
        _ => None,
    });
    if writes {
        warn_of_a_write(options, item, types, sink);
    }
    if let (Some(entry), true, false) =
        (options.get("background"), options.flag("background", false), item.mentions("background_task"))
    {
        sink.warn("P15", entry.key.span(), "`background` detaches nothing by itself, and this function never calls `ctx.background_task(..)`: call it, or remove the flag");
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
    })
}

fn action_type(options: &Options, ident: &Ident, sink: &mut Sink) -> Option<Ident> {
    let Some(literal) = options.text("action_type") else {
        if !options.has_or_meant("action_type") {
            sink.error(ident, format!("say what `{ident}` does to the user's world: `#[chat_function(action_type = \"read\")]`, or \"write\", or \"destructive\" (V4)"));
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
            let meant = did_you_mean(other, ["read", "write", "destructive"]);
            let hint = meant.map(|meant| format!("; did you mean `\"{meant}\"`?")).unwrap_or_default();
            sink.error(literal, format!("`action_type` is \"read\", \"write\" or \"destructive\"{hint} (V4)"));
            return None;
        }
    };
    Some(format_ident!("{variant}", span = span.resolved_at(Span::call_site())))
}

fn name(options: &Options, ident: &Ident, sink: &mut Sink) -> String {
    let literal = options.text("name");
    let name = literal.map_or_else(|| ident.unraw().to_string(), LitStr::value);
    let span = literal.map_or_else(|| ident.span(), LitStr::span);
    if let Some(fault) = function_name_fault(&name) {
        sink.error_at(span, fault);
    } else if name.len() > limits::FUNCTION_NAME {
        sink.warn("V33", span, format!("the name that a language model sees is `app_id__{name}`, and is cut at {} characters: choose a shorter one", limits::FULL_NAME));
    }
    name
}

/// The fault of a function's name: its grammar, and names with a meaning of their own.
fn function_name_fault(name: &str) -> Option<&'static str> {
    if !grammar::is_identifier(name) {
        Some("a function's name is `A-Z`, `a-z`, `0-9` and `_`, no digit first: give one with `name = \"..\"`")
    } else if name.starts_with("__") {
        Some("names that start with `__` are the platform's own (panels, webhooks): choose another")
    } else if grammar::is_old_chat_tool(name) {
        Some("`tool_.._chat` is the name of a whole extension's chat tool: choose another (V25)")
    } else if name.starts_with("skeleton_refresh_") {
        Some(
            "`skeleton_refresh_..` names the platform's periodic facts, which no user calls: choose another (MANIFEST-SKELETON-1)",
        )
    } else {
        None
    }
}

fn description(options: &Options, item: &FnItem, sink: &mut Sink) -> Option<TokenStream> {
    let docs = describe::from_docs(item.attrs_named("doc"));
    let literal = options.text("description");
    let described = match (literal, docs) {
        (Some(literal), docs) => {
            if docs.is_none() {
                sink.warn("V11", item.sig.ident.span(), "a chat function has a doc comment, for who reads the code; with one, `description` is needed only where the two differ");
            }
            Described { tokens: literal.to_token_stream(), text: Some(literal.value()), span: literal.span() }
        }
        (None, Some(docs)) => docs,
        (None, None) => {
            if !options.has_or_meant("description") {
                sink.error(&item.sig.ident, format!("say what `{}` does in a doc comment of at least 20 characters: a language model picks functions by it (V16)", item.sig.ident));
            }
            return None;
        }
    };
    if let Some(length) =
        described.text.as_deref().map(limits::length).filter(|length| *length < limits::FUNCTION_DESCRIPTION)
    {
        sink.error_at(described.span, format!("the description has {length} characters and needs at least 20: a language model picks functions by it (V16)"));
    }
    Some(described.tokens)
}

fn event(literal: &LitStr, sink: &mut Sink) -> String {
    let event = literal.value();
    if !grammar::is_event(&event) {
        sink.error(
            literal,
            "an event is lower case with `_`, parts between `.` or `:`, such as `\"note_added\"` or `\"notes.added\"`",
        );
    }
    event
}

/// The field that the literal names. The literal is what the schema says; serde's `rename_all`
/// makes `rowId` of `row_id`, so the field is looked for in snake case.
fn field(literal: &LitStr, sink: &mut Sink) -> Option<Field> {
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
        sink.error(literal, "`id_projection` is the name of one field of the params struct");
        return None;
    };
    ident.set_span(span);
    Some(Field { wire, ident })
}

fn warn_of_a_write(options: &Options, item: &FnItem, types: Option<&Types>, sink: &mut Sink) {
    let at = options.get("action_type").map_or_else(Span::call_site, |entry| entry.key.span());
    let name = item.sig.ident.unraw();
    if !options.has("event") {
        sink.warn(
            "V10",
            at,
            format!(
                "a function that writes says which event follows: add `event = \"{name}\"`, named for what happened"
            ),
        );
    }
    if !options.has("effects") {
        sink.warn("V20", at, "a function that writes says what it changes: add `effects = [\"update:thing\"]`");
    }
    let untyped = types.is_some_and(|types| emit::answers_without_data(&types.output).is_some());
    if untyped && !options.has("data_model") {
        sink.warn("V24", at, "the manifest cannot say what this function's outcome carries: add `data_model = MyType`, or return `Result<ActionResult<T>>`");
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
