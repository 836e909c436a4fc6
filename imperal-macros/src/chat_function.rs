//! `#[chat_function]`: reads the input, validates it, and writes the expansion.
//!
//! Options and signature are validated independently, so that one compile reports every fault. The
//! registration is written only if there is no fault. Otherwise the fn stays in place, and the compiler
//! still checks the types in the sound parts of its signature.

use imperal_manifest::did_you_mean;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, LitStr};

use crate::diagnostics::Diagnostics;
use crate::fn_item::FnItem;
use crate::fn_kind::{CHAT_FUNCTION, FnKind};
use crate::option_reader::Options;
use crate::{expand, instrument, options, recover, signature, validate};

/// Codes of the warnings that the attribute can give.
const WARNINGS: &[&str] = &["V10", "V11", "V20", "V24", "V33", "P15", "P22"];

/// `#[chat_function(options)] item`
pub(crate) fn chat_function(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let options = Options::read(&options::CHAT_FUNCTION, options, &mut diagnostics);
    let krate = options.krate();
    let Ok(item) = syn::parse2::<FnItem>(item.clone()) else { return not_a_fn(item, &CHAT_FUNCTION) };
    let signature = signature::check(&item, &CHAT_FUNCTION, &mut diagnostics);
    instrument::check(&item, &mut diagnostics);
    let function = validate::check_options(&options, &item, signature.output.as_ref(), &mut diagnostics);
    let allowed = allowed_warnings(options.list("allow"), WARNINGS, &mut diagnostics);
    let warnings = diagnostics.warnings(&lint_attributes(&item), &allowed);
    let output = signature.output.clone();
    match (signature.types(), function) {
        (Some(types), Some(function)) if !diagnostics.has_errors() => {
            expand::expand(&item, &types, &function, &krate, &warnings)
        }
        (Some(types), _) => {
            let checks = expand::companions(&item, &CHAT_FUNCTION, &types, &krate, &TokenStream::new());
            let errors = diagnostics.errors();
            quote!(#item #checks #errors)
        }
        (None, _) => recover::with_errors(item, output.as_ref(), &krate, &diagnostics),
    }
}

/// Returns the codes of an `allow` list. Reports those that are not in `known`.
pub(crate) fn allowed_warnings(list: &[LitStr], known: &[&str], diagnostics: &mut Diagnostics) -> Vec<String> {
    for literal in list.iter().filter(|literal| !known.contains(&literal.value().as_str())) {
        let code = literal.value();
        let hint = match did_you_mean(&code.to_uppercase(), known.iter().copied()).filter(|_| known.len() > 1) {
            Some(known) if known.eq_ignore_ascii_case(&code) => format!("write `\"{known}\"`"),
            _ => format!("the codes are {}", known.join(", ")),
        };
        diagnostics.error(literal, format!("`{code}` is not the code of a warning of this macro; {hint}"));
    }
    list.iter().map(LitStr::value).collect()
}

/// The item of an attribute that needs a fn, with an error.
pub(crate) fn not_a_fn(item: &TokenStream, kind: &FnKind) -> TokenStream {
    let attribute = kind.attribute;
    let mut diagnostics = Diagnostics::default();
    let found = item.clone().into_iter().find(
        |token| matches!(token, proc_macro2::TokenTree::Ident(word) if ITEMS.contains(&word.to_string().as_str())),
    );
    match found {
        Some(keyword) => diagnostics.error(
            &keyword,
            format!("`#[{attribute}]` does not apply to this `{keyword}`: put it on a free `async fn`"),
        ),
        None => diagnostics.error(item, format!("`#[{attribute}]` only applies to a fn: put it on a free `async fn`")),
    }
    let errors = diagnostics.errors();
    quote!(#item #errors)
}

const ITEMS: &[&str] =
    &["struct", "enum", "union", "trait", "impl", "mod", "const", "static", "type", "use", "extern", "macro_rules"];

/// The lint and `cfg` attributes of the fn, which also apply to the companions of the fn.
pub(crate) fn lint_attributes(item: &FnItem) -> Vec<&Attribute> {
    item.attrs_named("allow").chain(item.attrs_named("cfg")).collect()
}
