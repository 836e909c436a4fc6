//! `extension!`: what a crate says about itself, once.
//!
//! Owns the checks of its values and the registration. The form of the icon's file is `icon`'s.

use std::path::PathBuf;

use imperal_manifest::{grammar, limits};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::LitStr;

use crate::diagnostic::Sink;
use crate::icon;
use crate::options;
use crate::reader::Options;

/// `crate_path ; key: value, ..`
pub(crate) fn extension(input: TokenStream) -> TokenStream {
    let mut input = input.into_iter();
    let krate: TokenStream = input
        .by_ref()
        .take_while(|token| !matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';'))
        .collect();
    let mut sink = Sink::default();
    let options = Options::read(&options::EXTENSION, input.collect(), &mut sink);
    let extension = check(&options, &mut sink);
    let once = once(&options);
    match extension {
        Some(extension) if !sink.has_errors() => {
            let warnings = sink.warnings(&[]);
            let registration = registration(&extension, &krate);
            quote!(#once #registration #warnings)
        }
        _ => {
            let errors = sink.errors();
            quote!(#once #errors)
        }
    }
}

/// A declaration in which nothing is wrong.
struct Extension {
    app_id: String,
    version: TokenStream,
    name: String,
    description: String,
    icon: String,
    icon_svg: TokenStream,
    capabilities: Vec<String>,
    tool_name: String,
    system: bool,
}

fn check(options: &Options, sink: &mut Sink) -> Option<Extension> {
    let missing = options.missing();
    if !missing.is_empty() {
        let named: Vec<String> = missing.iter().map(|row| format!("`{}: {}`", row.key, row.kind.form())).collect();
        sink.error_at(options.first_span(), format!("`extension!` needs {} as well", named.join(" and ")));
    }
    let app_id = options.text("app_id").map(|literal| app_id(literal, sink));
    let app_id_text = app_id.as_deref().unwrap_or_default();
    let name = options.text("name").map(|literal| {
        let name = literal.value();
        if limits::length(&name) < limits::EXTENSION_NAME {
            sink.error(literal, "the name has at least 3 characters: it is what people read in a list (V15)");
        } else if name.trim() == app_id_text {
            sink.error(literal, "the name is for people: write it otherwise than the app_id (V15)");
        }
        name
    });
    let description = options.text("description").map(|literal| {
        let text = literal.value();
        let length = limits::length(&text);
        if length < limits::EXTENSION_DESCRIPTION {
            sink.error(literal, format!("the description has {length} characters and needs at least 40: people and the language model choose by it (V14)"));
        }
        text
    });
    let version = version(options, sink);
    let icon = options.text("icon").and_then(|literal| icon_of(literal, sink));
    let capabilities = capabilities(options, sink);
    let tool_name = options.text("tool_name").map_or_else(
        || app_id_text.replace('-', "_"),
        |literal| {
            let tool_name = literal.value();
            if tool_name.trim().is_empty() {
                sink.error(literal, "`tool_name` is empty: remove it to have the app_id's");
            }
            tool_name
        },
    );
    let (icon, icon_svg) = icon?;
    Some(Extension {
        app_id: app_id?,
        version: version?,
        name: name?,
        description: description?,
        icon,
        icon_svg,
        capabilities,
        tool_name,
        system: options.flag("system", false),
    })
}

fn app_id(literal: &LitStr, sink: &mut Sink) -> String {
    let app_id = literal.value();
    if !grammar::is_app_id(&app_id) {
        let rule = "an app_id is at least 2 of `a-z`, `0-9` and `-`, no `-` first or last (V1)";
        match grammar::suggest_app_id(&app_id) {
            Some(id) => sink.error(literal, format!("{rule}; try `{id}`")),
            None => sink.error(literal, rule),
        }
    }
    app_id
}

fn version(options: &Options, sink: &mut Sink) -> Option<TokenStream> {
    const FORM: &str =
        "a version is `1.2.3`, or with a suffix behind `-` or `.`; `+build` cannot stand in a manifest (V2)";
    if let Some(literal) = options.text("version") {
        if !grammar::is_version(&literal.value()) {
            sink.error(literal, FORM);
        }
        return Some(literal.to_token_stream());
    }
    let of_crate = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    if !grammar::is_version(&of_crate) {
        let at = options.get("app_id").map_or_else(Span::call_site, |entry| entry.key.span());
        sink.error_at(
            at,
            format!("the version in Cargo.toml is `{of_crate}`, and {FORM}: add `version: \"1.2.3\"` here"),
        );
        return None;
    }
    Some(quote!(::core::env!("CARGO_PKG_VERSION")))
}

fn capabilities(options: &Options, sink: &mut Sink) -> Vec<String> {
    let list = options.list("capabilities");
    for literal in list {
        if !grammar::is_scope(&literal.value()) {
            sink.error(
                literal,
                "a capability is `app:action` in lower case, such as `\"notes:write\"`, `\"notes:*\"` or `\"*\"`",
            );
        }
    }
    // An empty list grants everything as much as none; one that an error is about already does not.
    let faulty = options.has_or_meant("capabilities") && options.get("capabilities").is_none();
    let none = list.is_empty() && !faulty;
    let at = options.get("capabilities").map_or_else(|| options.first_span(), |entry| entry.key.span());
    let text = "an extension that lists no capabilities is granted all of them: add `capabilities: [\"app:read\"]`";
    if none && options.flag("system", false) {
        sink.error_at(at, format!("{text} (V34, an error for a system extension)"));
    } else if none {
        sink.warn("V34", at, text);
    }
    list.iter().map(LitStr::value).collect()
}

/// The icon's path and the expression of its text.
fn icon_of(literal: &LitStr, sink: &mut Sink) -> Option<(String, TokenStream)> {
    let path = literal.value();
    let folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    if let Err(fault) = icon::check_icon(&folder, &path) {
        sink.error(literal, fault);
        return None;
    }
    // Reading it here alone would leave cargo unaware that the crate depends on it.
    let file = quote!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/", #path));
    Some((path, quote!(::core::include_str!(#file))))
}

/// A second `extension!` of a crate is a name given twice, said at its first key.
fn once(options: &Options) -> TokenStream {
    quote_spanned! {options.first_span()=>
        #[doc(hidden)]
        #[macro_export]
        macro_rules! one_extension_is_one_crate { () => {}; }
    }
}

fn registration(extension: &Extension, krate: &TokenStream) -> TokenStream {
    let Extension { app_id, version, name, description, icon, icon_svg, capabilities, tool_name, system } = extension;
    quote! {
        const _: () = {
            #krate::__private::inventory::submit! {
                #krate::__private::ExtensionDef {
                    app_id: #app_id,
                    version: #version,
                    name: #name,
                    description: #description,
                    icon: #icon,
                    icon_svg: #icon_svg,
                    capabilities: &[#(#capabilities),*],
                    tool_name: #tool_name,
                    system: #system,
                    manifest_dir: ::core::env!("CARGO_MANIFEST_DIR"),
                    module_path: ::core::module_path!(),
                    file: ::core::file!(),
                    line: ::core::line!(),
                }
            }
        };
    }
}
