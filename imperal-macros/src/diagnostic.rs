//! Where faults go: every step reports here and carries on, so that one compile shows them all.
//!
//! Owns the sink of errors and warnings, their tokens, and the did-you-mean search. Errors become
//! `compile_error!` at the token that is wrong. A macro on stable Rust cannot warn, so a warning
//! becomes the use of a deprecated constant named for its rule: `#[allow(deprecated)]` silences it.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};

/// Collects what is wrong with one macro call.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    errors: Option<syn::Error>,
    warnings: Vec<Warning>,
}

#[derive(Debug)]
struct Warning {
    rule: &'static str,
    span: Span,
    text: String,
}

impl Sink {
    /// An error at the given tokens.
    pub(crate) fn error(&mut self, at: impl ToTokens, text: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(at, text));
    }

    /// An error at a span, for places that are one token or none.
    pub(crate) fn error_at(&mut self, span: Span, text: impl std::fmt::Display) {
        self.push(syn::Error::new(span, text));
    }

    /// An error that a parser found.
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.errors {
            Some(errors) => errors.combine(error),
            None => self.errors = Some(error),
        }
    }

    /// Takes over what another sink collected.
    pub(crate) fn absorb(&mut self, other: Self) {
        if let Some(errors) = other.errors {
            self.push(errors);
        }
        self.warnings.extend(other.warnings);
    }

    /// A warning that `#[allow(deprecated)]` silences. `rule` is its code, `V10` for example.
    pub(crate) fn warn(&mut self, rule: &'static str, span: Span, text: impl Into<String>) {
        self.warnings.push(Warning { rule, span, text: text.into() });
    }

    /// Whether anything is wrong.
    pub(crate) fn has_errors(&self) -> bool {
        self.errors.is_some()
    }

    /// The errors as tokens; nothing when there are none.
    pub(crate) fn errors(&self) -> TokenStream {
        self.errors.as_ref().map(syn::Error::to_compile_error).unwrap_or_default()
    }

    /// The warnings as tokens. `allows` are the lint attributes of the item that is warned about.
    pub(crate) fn warnings(&self, allows: &[&syn::Attribute]) -> TokenStream {
        let each = self.warnings.iter().map(|Warning { rule, span, text }| {
            let name = format_ident!("{rule}", span = span.resolved_at(Span::mixed_site()));
            let used = quote_spanned!(name.span()=> let _ = #name;);
            quote! {
                #(#allows)*
                const _: () = {
                    #[deprecated(note = #text)]
                    const #name: () = ();
                    #used
                };
            }
        });
        quote!(#(#each)*)
    }
}
