//! Collects errors and warnings, so that one compile shows them all.
//!
//! An error becomes `compile_error!` at the faulty token. A macro on stable Rust cannot warn, so a warning
//! becomes the use of a deprecated constant with the code of its rule as its name. The option `allow`
//! silences one code, `#[allow(deprecated)]` all of them.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};

/// The errors and warnings of one macro call.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    errors: Option<syn::Error>,
    warnings: Vec<Warning>,
}

#[derive(Debug)]
struct Warning {
    rule: &'static str,
    span: Span,
    text: String,
}

impl Diagnostics {
    /// Adds an error at the given tokens.
    pub(crate) fn error(&mut self, at: impl ToTokens, text: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(at, text));
    }

    /// Adds an error at a span.
    pub(crate) fn error_at(&mut self, span: Span, text: impl std::fmt::Display) {
        self.push(syn::Error::new(span, text));
    }

    /// Adds an error of a parser.
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.errors {
            Some(errors) => errors.combine(error),
            None => self.errors = Some(error),
        }
    }

    /// Adds the errors and warnings of another collection.
    pub(crate) fn absorb(&mut self, other: Self) {
        if let Some(errors) = other.errors {
            self.push(errors);
        }
        self.warnings.extend(other.warnings);
    }

    /// Adds a warning. `rule` is its code, `V10` for example.
    pub(crate) fn warn(&mut self, rule: &'static str, span: Span, text: impl Into<String>) {
        self.warnings.push(Warning { rule, span, text: text.into() });
    }

    /// Whether there is an error.
    pub(crate) fn has_errors(&self) -> bool {
        self.errors.is_some()
    }

    /// The errors as tokens.
    pub(crate) fn errors(&self) -> TokenStream {
        self.errors.as_ref().map(syn::Error::to_compile_error).unwrap_or_default()
    }

    /// The warnings as tokens, except those with an allowed code. `attributes` are the lint attributes of
    /// the item.
    pub(crate) fn warnings(&self, attributes: &[&syn::Attribute], allowed: &[String]) -> TokenStream {
        let shown = self.warnings.iter().filter(|warning| allowed.iter().all(|code| code != warning.rule));
        let each = shown.map(|Warning { rule, span, text }| {
            let name = format_ident!("{rule}", span = span.resolved_at(Span::mixed_site()));
            let used = quote_spanned!(name.span()=> let _ = #name;);
            quote! {
                #(#attributes)*
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
