//! `#[imperal::test]`: turns an async fn into a test with a platform of its own.
//!
//! The macro checks the form of the fn by its tokens. The trait `FromTest` decides which types a parameter
//! may have, so that an alias works and the compiler reports a wrong type at its place.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, Type};

use crate::diagnostics::Diagnostics;
use crate::fn_item::FnItem;
use crate::option_reader::Options;
use crate::options;

/// `#[imperal::test(options)] item`
pub(crate) fn test_attribute(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let options = Options::read(&options::TEST, options, &mut diagnostics);
    let paused = paused(&options, &mut diagnostics);
    let krate = options.krate();
    let Ok(function) = syn::parse2::<FnItem>(item.clone()) else {
        diagnostics.error(item, "`#[imperal::test]` only applies to a fn: put it on an `async fn`");
        let errors = diagnostics.errors();
        return quote!(#item #errors);
    };
    let handed = check(&function, &mut diagnostics);
    if diagnostics.has_errors() {
        let errors = diagnostics.errors();
        // The fn stays, so that the compiler reports no second error.
        return quote!(#[allow(dead_code)] #function #errors);
    }
    emit(&function, handed.as_ref(), paused, &krate)
}

fn paused(options: &Options, diagnostics: &mut Diagnostics) -> bool {
    match options.text("clock") {
        None => true,
        Some(literal) => match literal.value().as_str() {
            "paused" => true,
            "real" => false,
            _ => {
                diagnostics.error(literal, "invalid clock: write \"paused\", the default, or \"real\"");
                true
            }
        },
    }
}

/// The type of the test's parameter, if it has one.
fn check(function: &FnItem, diagnostics: &mut Diagnostics) -> Option<Type> {
    let sig = &function.sig;
    if sig.asyncness.is_none() {
        diagnostics.error_at(sig.fn_token.span, "a test must be async: write `async fn`");
    }
    if !sig.generics.params.is_empty() {
        diagnostics.error(&sig.generics.params, "a test cannot be generic: remove the parameters");
    }
    for other in &function.attrs {
        if other.path().segments.last().is_some_and(|last| last.ident == "test") {
            diagnostics
                .error(other, "`#[imperal::test]` already makes the fn a test with a runtime: remove this attribute");
        }
    }
    let mut inputs = sig.inputs.iter();
    let first = inputs.next()?;
    if let Some(second) = inputs.next() {
        diagnostics.error(
            second,
            "a test has at most one parameter: write `platform: TestPlatform`, or `setup: TestSetup` to set state and settings",
        );
    }
    match first {
        FnArg::Receiver(receiver) => {
            diagnostics.error(receiver, "`#[imperal::test]` does not apply to a method: put it on a free `async fn`");
            None
        }
        FnArg::Typed(param) => match &*param.ty {
            Type::Reference(reference) => {
                let owned = &reference.elem.to_token_stream().to_string();
                diagnostics.error(&param.ty, format!("the parameter is borrowed: write `{owned}`"));
                None
            }
            ty => Some(ty.clone()),
        },
    }
}

fn emit(function: &FnItem, handed: Option<&Type>, paused: bool, krate: &TokenStream) -> TokenStream {
    let name = &function.sig.ident;
    let output = &function.sig.output;
    let (attrs, vis) = (&function.attrs, &function.vis);
    let inner = FnItem { attrs: Vec::new(), vis: syn::Visibility::Inherited, ..clone(function) };
    let argument = handed.map(|ty| {
        quote_spanned!(ty.span().resolved_at(Span::mixed_site())=> <#ty as #krate::testing::FromTest>::from_test().await)
    });
    // This check is outside the test fn: only test builds compile that fn, but every build checks the type.
    let known = handed.map(|ty| quote!(const _: fn() = #krate::__private::assert_from_test::<#ty>;));
    quote! {
        #known
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis fn #name() #output {
            #[allow(clippy::unused_async)]
            #inner
            #krate::testing::run(#paused, async move { #name(#argument).await })
        }
    }
}

fn clone(function: &FnItem) -> FnItem {
    FnItem {
        attrs: function.attrs.clone(),
        vis: function.vis.clone(),
        sig: function.sig.clone(),
        body: function.body.clone(),
    }
}
