//! Corrects the head of a faulty fn, so that one mistake stays one error.
//!
//! The fn stays in place: callers find it, and the compiler checks its body against the signature that
//! the author probably meant.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{ReturnType, Token, Type};

use crate::diagnostics::Diagnostics;
use crate::expand;
use crate::fn_item::FnItem;

/// The fn with a corrected head, the check of its return type if that is sound, and the errors.
pub(crate) fn with_errors(
    item: FnItem,
    output: Option<&Type>,
    krate: &TokenStream,
    diagnostics: &Diagnostics,
) -> TokenStream {
    // The check is an unnamed constant, which an `impl` or a trait does not allow.
    let check = output.filter(|_| item.is_free()).map(|output| expand::output_check(&item, output, krate));
    let errors = diagnostics.errors();
    let item = recover(item, &quote!(#krate::__private::Result<#krate::__private::ActionResult>));
    quote!(#item #check #errors)
}

/// The fn with a corrected head, which returns `answer` if it has no return type.
pub(crate) fn recover(mut item: FnItem, answer: &TokenStream) -> TokenStream {
    let sig = &mut item.sig;
    // `const async`, and `.await` in a fn that is not async, would each cause a second error.
    sig.constness = None;
    let span = sig.fn_token.span;
    let was_async = sig.asyncness.is_some();
    sig.asyncness.get_or_insert(Token![async](span));
    let answers = matches!(sig.output, ReturnType::Default) && !item.ends_without_value();
    if answers {
        let close = item.sig.paren_token.span.close();
        let output = quote_spanned!(close=> -> #answer);
        if let Ok(output) = syn::parse2(output) {
            item.sig.output = output;
        }
    }
    if !was_async && !awaits(&item) {
        // The fn may return a future instead of being async.
        item.sig.asyncness = None;
    }
    quote!(#item)
}

fn awaits(item: &FnItem) -> bool {
    item.mentions("await")
        && !matches!(&item.sig.output, ReturnType::Type(_, ty) if is_future(&ty.to_token_stream().to_string()))
}

fn is_future(ty: &str) -> bool {
    ["Future", "Pin"].iter().any(|name| ty.contains(name))
}
