//! Warns about `#[tracing::instrument]` on a chat function: it records the parameters in spans and logs.
//!
//! Below `#[chat_function]`, `instrument` is still an attribute of the fn. Above it, `instrument` expands
//! first, so this module looks for its code in the body. `skip_all`, or a `skip(..)` that names the
//! parameters, gives no warning.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Meta, Pat};

use crate::diagnostics::Diagnostics;
use crate::fn_item::FnItem;

/// Warns if the parameters are recorded.
pub(crate) fn check(item: &FnItem, diagnostics: &mut Diagnostics) {
    let names = params_of(item);
    let span = item
        .attrs
        .iter()
        .find(|attr| is_instrument(attr) && !skips(attr, &names))
        .map(|attr| attr.path().span())
        .or_else(|| recorded_in(item.body.clone(), &names).then(|| item.sig.ident.span()));
    if let Some(span) = span {
        diagnostics.warn("P22", span, "`#[tracing::instrument]` records the parameters, secrets included, in logs and spans: write `#[tracing::instrument(skip_all)]`; the platform already has a span for each call");
    }
}

fn is_instrument(attr: &Attribute) -> bool {
    attr.path().segments.last().is_some_and(|last| last.ident == "instrument")
}

/// The identifiers in the pattern of the second parameter.
fn params_of(item: &FnItem) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(FnArg::Typed(params)) = item.sig.inputs.iter().nth(1) {
        match &*params.pat {
            Pat::Ident(name) => names.push(name.ident.to_string()),
            // Takes all identifiers of a struct pattern. More names than needed do no harm.
            pattern => idents(pattern.to_token_stream(), &mut names),
        }
    }
    names
}

fn idents(tokens: TokenStream, names: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(name) => names.push(name.to_string()),
            TokenTree::Group(group) => idents(group.stream(), names),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Whether the attribute skips the parameters.
fn skips(attr: &Attribute, names: &[String]) -> bool {
    let Meta::List(list) = &attr.meta else { return false };
    let mut tokens = list.tokens.clone().into_iter().peekable();
    while let Some(token) = tokens.next() {
        let TokenTree::Ident(word) = token else { continue };
        if word == "skip_all" {
            return true;
        }
        if word == "skip"
            && let Some(TokenTree::Group(skipped)) = tokens.peek()
        {
            let mut skipped_names = Vec::new();
            idents(skipped.stream(), &mut skipped_names);
            if let [name] = names {
                return skipped_names.contains(name);
            }
        }
    }
    false
}

/// Whether `instrument` has expanded the body, with a span that records the parameters. The span is in the
/// first statement with `__tracing_attr_span`.
fn recorded_in(body: TokenStream, names: &[String]) -> bool {
    let mut tokens = body.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) if name == "__tracing_attr_span" => {
                let statement =
                    tokens.take_while(|token| !matches!(token, TokenTree::Punct(end) if end.as_char() == ';'));
                return statement.into_iter().any(|token| recorded_here(&token, names));
            }
            TokenTree::Group(group) if recorded_in(group.stream(), names) => return true,
            _ => {}
        }
    }
    false
}

fn recorded_here(token: &TokenTree, names: &[String]) -> bool {
    match token {
        // `field::debug(&params)` or `&params as &dyn Value`
        TokenTree::Group(group) => {
            let mut previous_is_reference = false;
            for inner in group.stream() {
                let is_named = matches!(&inner, TokenTree::Ident(name) if names.contains(&name.to_string()));
                if (previous_is_reference && is_named) || recorded_here(&inner, names) {
                    return true;
                }
                previous_is_reference = matches!(&inner, TokenTree::Punct(punct) if punct.as_char() == '&');
            }
            false
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    fn warns(attributes: &TokenStream, body: &TokenStream) -> bool {
        let item = quote!(#attributes async fn look(ctx: Context, params: Look) -> Result<ActionResult> { #body });
        let mut diagnostics = Diagnostics::default();
        check(&syn::parse2(item).unwrap(), &mut diagnostics);
        !diagnostics.warnings(&[], &[]).is_empty()
    }

    #[test]
    fn warns_if_the_parameters_are_recorded() {
        let body = quote!(todo!());
        for below in [
            quote!(#[instrument]),
            quote!(#[tracing::instrument(skip(ctx))]),
            quote!(#[::tracing::instrument(level = "debug")]),
        ] {
            assert!(warns(&below, &body), "{below}");
        }
        for below in [
            quote!(#[instrument(skip_all)]),
            quote!(#[tracing::instrument(skip(ctx, params))]),
            quote!(#[doc = "instrument"]),
        ] {
            assert!(!warns(&below, &body), "{below}");
        }
    }

    #[test]
    fn warns_if_instrument_expanded_first() {
        let span = |fields: TokenStream| {
            quote! {
                {}
                let __tracing_attr_span = ::tracing::span!(target: "a", ::tracing::Level::INFO, "look", #fields);
                let __tracing_instrument_future = async move { take(&params); };
                if !__tracing_attr_span.is_disabled() { todo!() } else { __tracing_instrument_future.await }
            }
        };
        let none = TokenStream::new();
        assert!(warns(&none, &span(quote!(params = ::tracing::field::debug(&params)))));
        assert!(!warns(&none, &span(quote!(ctx = ::tracing::field::debug(&ctx)))));
        assert!(!warns(&none, &span(quote!())));
    }
}
