//! `#[tracing::instrument]` beside `#[chat_function]`: it writes the parameters into spans and logs.
//!
//! Owns finding it, below as an attribute and above by what it made of the body. `skip_all` and a
//! `skip(..)` of the parameters are fine.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Meta, Pat};

use crate::diagnostic::Sink;
use crate::input::FnItem;

/// Warns where the parameters are recorded.
pub(crate) fn check(item: &FnItem, sink: &mut Sink) {
    let names = params_of(item);
    let span = item
        .attrs
        .iter()
        .find(|attr| is_instrument(attr) && !skips(attr, &names))
        .map(|attr| attr.path().span())
        .or_else(|| recorded_in(item.body.clone(), &names).then(|| item.sig.ident.span()));
    if let Some(span) = span {
        sink.warn("P22", span, "`#[tracing::instrument]` writes the parameters of a chat function, secrets included, into logs and spans: write `#[tracing::instrument(skip_all)]`; the platform has a span for each call");
    }
}

fn is_instrument(attr: &Attribute) -> bool {
    attr.path().segments.last().is_some_and(|last| last.ident == "instrument")
}

/// The names that the second parameter gives to the parameters.
fn params_of(item: &FnItem) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(FnArg::Typed(params)) = item.sig.inputs.iter().nth(1) {
        match &*params.pat {
            Pat::Ident(name) => names.push(name.ident.to_string()),
            // Taken apart: each field it names, and more, which does no harm here.
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

/// Whether the attribute leaves the parameters out.
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
            let mut left_out = Vec::new();
            idents(skipped.stream(), &mut left_out);
            if let [name] = names {
                return left_out.contains(name);
            }
        }
    }
    false
}

/// Whether the body is one that `instrument` has written, with a span that holds the parameters. The span
/// is its first statement that names `__tracing_attr_span`.
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
        let mut sink = Sink::default();
        check(&syn::parse2(item).unwrap(), &mut sink);
        !sink.warnings(&[]).is_empty()
    }

    #[test]
    fn warns_where_the_parameters_are_recorded() {
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
    fn warns_when_instrument_has_expanded_first() {
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
