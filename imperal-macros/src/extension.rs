//! `extension!`: validates the declaration of an extension and registers it.

use std::collections::HashSet;
use std::path::PathBuf;

use imperal_manifest::{grammar, limits};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{LitStr, Path};

use crate::chat_function::allowed_warnings;
use crate::diagnostics::Diagnostics;
use crate::icon;
use crate::option_reader::Options;
use crate::options;

/// Expands the input `crate_path ; key: value, ..`.
pub(crate) fn extension(input: TokenStream) -> TokenStream {
    let mut input = input.into_iter();
    let krate: TokenStream = input
        .by_ref()
        .take_while(|token| !matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';'))
        .collect();
    let mut diagnostics = Diagnostics::default();
    let options = Options::read(&options::EXTENSION, input.collect(), &mut diagnostics);
    let extension = check(&options, &mut diagnostics);
    let once = once(&options);
    let allowed = allowed_warnings(options.list("allow"), &["V34"], &mut diagnostics);
    match extension {
        Some(extension) if !diagnostics.has_errors() => {
            let warnings = diagnostics.warnings(&[], &allowed);
            let registration = registration(&extension, &krate);
            quote!(#once #registration #warnings)
        }
        _ => {
            let errors = diagnostics.errors();
            quote!(#once #errors)
        }
    }
}

/// A declaration without faults.
struct Extension {
    app_id: String,
    version: TokenStream,
    name: String,
    description: String,
    icon: String,
    icon_svg: TokenStream,
    capabilities: Vec<String>,
    tool_name: String,
    secrets: Vec<Path>,
    /// Where the list of secrets is.
    secrets_span: Span,
    system: bool,
}

fn check(options: &Options, diagnostics: &mut Diagnostics) -> Option<Extension> {
    let missing = options.missing();
    if !missing.is_empty() {
        let named: Vec<String> = missing.iter().map(|row| format!("`{}: {}`", row.key, row.kind.form())).collect();
        diagnostics
            .error_at(options.first_span(), format!("missing options of `extension!`: add {}", named.join(" and ")));
    }
    let app_id = options.text("app_id").map(|literal| app_id(literal, diagnostics));
    let app_id_text = app_id.as_deref().unwrap_or_default();
    let name = options.text("name").map(|literal| {
        let name = literal.value();
        if limits::length(&name) < limits::EXTENSION_NAME {
            diagnostics.error(literal, "the name is too short: write at least 3 characters (V15)");
        } else if name.trim() == app_id_text {
            diagnostics.error(literal, "the name is the app_id: write a name for people (V15)");
        }
        name
    });
    let description = options.text("description").map(|literal| {
        let text = literal.value();
        let length = limits::length(&text);
        if length < limits::EXTENSION_DESCRIPTION {
            diagnostics.error(literal, format!("the description has {length} characters and needs {}: say what the extension does for people (V14)", limits::EXTENSION_DESCRIPTION));
        }
        text
    });
    let version = version(options, diagnostics);
    let icon = options.text("icon").and_then(|literal| icon_of(literal, diagnostics));
    let capabilities = capabilities(options, diagnostics);
    let tool_name = options.text("tool_name").map_or_else(
        || app_id_text.replace('-', "_"),
        |literal| {
            let tool_name = literal.value();
            if tool_name.trim().is_empty() {
                diagnostics.error(literal, "`tool_name` is empty: remove it, and the app_id is used");
            }
            tool_name
        },
    );
    let secrets = secrets(options, diagnostics);
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
        secrets,
        secrets_span: options.get("secrets").map_or_else(Span::call_site, |entry| entry.key.span()),
        system: options.flag("system", false),
    })
}

fn app_id(literal: &LitStr, diagnostics: &mut Diagnostics) -> String {
    let app_id = literal.value();
    if !grammar::is_app_id(&app_id) {
        let rule = "invalid app_id: use at least 2 of `a-z`, `0-9` and `-`, no `-` first or last (V1)";
        match grammar::suggest_app_id(&app_id) {
            Some(id) => diagnostics.error(literal, format!("{rule}; try `{id}`")),
            None => diagnostics.error(literal, rule),
        }
    }
    app_id
}

fn version(options: &Options, diagnostics: &mut Diagnostics) -> Option<TokenStream> {
    const FORM: &str = "a manifest allows `1.2.3`, with an optional suffix after `-` or `.`, and no `+build` (V2)";
    if let Some(literal) = options.text("version") {
        if !grammar::is_version(&literal.value()) {
            diagnostics.error(literal, format!("invalid version: {FORM}"));
        }
        return Some(literal.to_token_stream());
    }
    let of_crate = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    if !grammar::is_version(&of_crate) {
        let at = options.get("app_id").map_or_else(Span::call_site, |entry| entry.key.span());
        diagnostics
            .error_at(at, format!("invalid version `{of_crate}` in Cargo.toml: {FORM}; add `version: \"1.2.3\"` here"));
        return None;
    }
    Some(quote!(::core::env!("CARGO_PKG_VERSION")))
}

fn capabilities(options: &Options, diagnostics: &mut Diagnostics) -> Vec<String> {
    let list = options.list("capabilities");
    for literal in list {
        if !grammar::is_scope(&literal.value()) {
            diagnostics.error(
                literal,
                "invalid capability: write `app:action` in lower case, such as `\"notes:write\"`, `\"notes:*\"` or `\"*\"`",
            );
        }
    }
    // An empty list grants all permissions, like a missing one. A faulty list already has an error.
    let faulty = options.has_or_suggested("capabilities") && options.get("capabilities").is_none();
    let none = list.is_empty() && !faulty;
    let at = options.get("capabilities").map_or_else(|| options.first_span(), |entry| entry.key.span());
    let text =
        "the extension lists no capabilities, and the platform grants all of them: add `capabilities: [\"app:read\"]`";
    if none && options.flag("system", false) {
        diagnostics.error_at(at, format!("{text} (V34, an error for a system extension)"));
    } else if none {
        diagnostics.warn("V34", at, text);
    }
    list.iter().map(LitStr::value).collect()
}

/// The constants of the secrets. The compiler checks their types and names.
fn secrets(options: &Options, diagnostics: &mut Diagnostics) -> Vec<Path> {
    let paths = options.paths("secrets");
    let mut seen = HashSet::new();
    for path in paths {
        if !seen.insert(path.to_token_stream().to_string()) {
            diagnostics.error(path, "this secret is listed twice: remove one");
        }
    }
    paths.to_vec()
}

/// The icon's path, and an expression whose value is the text of the file.
fn icon_of(literal: &LitStr, diagnostics: &mut Diagnostics) -> Option<(String, TokenStream)> {
    let path = literal.value();
    let folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    if let Err(fault) = icon::check_icon(&folder, &path) {
        diagnostics.error(literal, fault);
        return None;
    }
    // `include_str!` tells cargo that the crate depends on the file.
    let file = quote!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/", #path));
    Some((path, quote!(::core::include_str!(#file))))
}

/// Makes a second `extension!` in a crate a duplicate definition, reported at its first key.
fn once(options: &Options) -> TokenStream {
    quote_spanned! {options.first_span()=>
        #[doc(hidden)]
        #[macro_export]
        macro_rules! one_extension_is_one_crate { () => {}; }
    }
}

fn registration(extension: &Extension, krate: &TokenStream) -> TokenStream {
    let Extension { app_id, version, name, description, icon, icon_svg, capabilities, tool_name, secrets, .. } =
        extension;
    let system = extension.system;
    let distinct = (!secrets.is_empty()).then(|| {
        quote_spanned! {extension.secrets_span.resolved_at(Span::mixed_site())=>
            const _: () = #krate::__private::assert_distinct(&[#(#secrets),*]);
        }
    });
    quote! {
        #distinct
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
                    secrets: &[#(#secrets),*],
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
