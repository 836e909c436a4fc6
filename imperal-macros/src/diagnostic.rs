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

/// The candidate that was probably meant.
pub(crate) fn did_you_mean<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_ascii_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|candidate| (distance(&written, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance with neighbouring letters swapped counted as one edit.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_keyboard_are_recognised_and_other_words_are_not() {
        let keys = ["action_type", "event", "effects", "id_projection"];
        for (written, meant) in
            [("action_tpye", "action_type"), ("actiontype", "action_type"), ("effect", "effects"), ("Event", "event")]
        {
            assert_eq!(did_you_mean(written, keys), Some(meant), "{written}");
        }
        for other in ["timeout", "xyz", "description"] {
            assert_eq!(did_you_mean(other, keys), None, "{other}");
        }
    }
}
