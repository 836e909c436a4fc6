//! `#[imperal::test]`: an async fn becomes a test on a platform of its own.
//!
//! Owns the checks of its form. What a parameter's type may be is a trait's business, so that an
//! alias works and a stranger is reported at its type.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, Type};

use crate::diagnostic::Sink;
use crate::input::FnItem;
use crate::options;
use crate::reader::{Options, Value};

/// `#[imperal::test(options)] item`
pub(crate) fn test(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut sink = Sink::default();
    let options = Options::read(&options::TEST, options, &mut sink);
    let paused = paused(&options, &mut sink);
    let krate = if let Some(Value::Path(path)) = options.get("crate").map(|entry| &entry.value) {
        path.to_token_stream()
    } else {
        quote!(::imperal)
    };
    let Ok(function) = syn::parse2::<FnItem>(item.clone()) else {
        sink.error(item, "`#[imperal::test]` goes on an `async fn`");
        let errors = sink.errors();
        return quote!(#item #errors);
    };
    let handed = check(&function, &mut sink);
    if sink.has_errors() {
        let errors = sink.errors();
        // Kept, so that nothing else is said about it; unused, which nobody has to hear.
        return quote!(#[allow(dead_code)] #function #errors);
    }
    emit(&function, handed.as_ref(), paused, &krate)
}

fn paused(options: &Options, sink: &mut Sink) -> bool {
    match options.text("clock") {
        None => true,
        Some(literal) => match literal.value().as_str() {
            "paused" => true,
            "real" => false,
            _ => {
                sink.error(literal, "`clock` is \"paused\", which it is without being said, or \"real\"");
                true
            }
        },
    }
}

/// The type of what the test is handed, where it takes something.
fn check(function: &FnItem, sink: &mut Sink) -> Option<Type> {
    let sig = &function.sig;
    if sig.asyncness.is_none() {
        sink.error_at(sig.fn_token.span, "`#[imperal::test]` goes on an `async fn`: write `async fn`");
    }
    if !sig.generics.params.is_empty() {
        sink.error(&sig.generics.params, "a test takes no generic parameters: nobody could choose them");
    }
    for other in &function.attrs {
        if other.path().segments.last().is_some_and(|last| last.ident == "test") {
            sink.error(other, "`#[imperal::test]` makes the test and its runtime: remove this attribute");
        }
    }
    let mut inputs = sig.inputs.iter();
    let first = inputs.next()?;
    if let Some(second) = inputs.next() {
        sink.error(
            second,
            "a test is handed one thing: `platform: TestPlatform`, or `setup: TestSetup` to give it state and settings",
        );
    }
    match first {
        FnArg::Receiver(receiver) => {
            sink.error(receiver, "`#[imperal::test]` goes on a free `async fn`, not on a method");
            None
        }
        FnArg::Typed(param) => match &*param.ty {
            Type::Reference(reference) => {
                let owned = &reference.elem.to_token_stream().to_string();
                sink.error(&param.ty, format!("a test owns what it is handed: write `{owned}`"));
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
    // Beside the test, which is not there in a build that is none: a type is wrong in each.
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
