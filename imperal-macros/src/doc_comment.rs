//! Turns a doc comment into a description.
//!
//! Wrapped lines are joined; paragraphs and list entries keep their lines. The description ends at the
//! first heading, because sections such as `# Errors` are for readers of the code.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use crate::fn_item::FnItem;

/// A description as text, or as an expression that only the compiler can read (`include_str!`).
pub(crate) struct Description {
    /// An expression whose value is the text.
    pub(crate) tokens: TokenStream,
    /// The text, if the macro can read it.
    pub(crate) text: Option<String>,
    /// Its place in the source.
    pub(crate) span: Span,
}

/// The description in the doc attributes.
pub(crate) fn description_from_docs<'a>(docs: impl Iterator<Item = &'a Attribute>) -> Option<Description> {
    let lines: Vec<(&Expr, Span)> = docs
        .filter_map(|attr| match &attr.meta {
            Meta::NameValue(pair) => Some((&pair.value, pair.value.span())),
            // `#[doc(hidden)]` has no text.
            Meta::Path(_) | Meta::List(_) => None,
        })
        .collect();
    let span = lines.first()?.1;
    let literals: Option<Vec<String>> = lines.iter().map(|(value, _)| literal(value)).collect();
    Some(if let Some(texts) = literals {
        let text = join(&texts.join("\n"));
        Description { tokens: text.to_token_stream(), text: Some(text), span }
    } else {
        let parts = lines.iter().map(|(value, _)| *value);
        Description { tokens: quote!(::core::concat!(#(#parts, "\n"),*)), text: None, span }
    })
}

/// The description of a fn that needs none, as an expression.
pub(crate) fn description_or_empty(item: &FnItem) -> TokenStream {
    description_from_docs(item.attrs_named("doc"))
        .map_or_else(|| "".to_token_stream(), |description| description.tokens)
}

fn literal(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        // A doc comment from a `macro_rules!` macro is in a group.
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

fn join(docs: &str) -> String {
    let mut text = String::new();
    for line in docs.lines() {
        let line = line.trim();
        // Lines of a block comment may begin with a star.
        let line = if line == "*" { "" } else { line.strip_prefix("* ").unwrap_or(line).trim() };
        if line.starts_with('#') {
            break;
        }
        let own_line = line.starts_with("- ") || line.starts_with(|c: char| c.is_ascii_digit()) && line.contains(". ");
        if line.is_empty() {
            if !text.is_empty() && !text.ends_with("\n\n") {
                text.truncate(text.trim_end().len());
                text.push_str("\n\n");
            }
            continue;
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push(if own_line { '\n' } else { ' ' });
        }
        text.push_str(line);
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse::Parser;

    fn described(attrs: TokenStream) -> Option<Description> {
        description_from_docs(Attribute::parse_outer.parse2(attrs).unwrap().iter())
    }

    #[test]
    fn joins_wrapped_lines_and_keeps_paragraphs_and_lists() {
        let doc =
            "\n Sends a note\n to the team.\n\n Kinds:\n - short\n - long,\n   over two lines\n\n # Errors\n None.\n";
        assert_eq!(join(doc), "Sends a note to the team.\n\nKinds:\n- short\n- long, over two lines");
    }

    #[test]
    fn reads_every_form_of_doc_attribute() {
        let line = described(quote!(#[doc = " One."] #[allow(dead_code)] #[doc = " Two."])).unwrap();
        assert_eq!(line.text.as_deref(), Some("One. Two."));
        let block = described(quote!(#[doc = "\n * Starred\n * block.\n *\n "])).unwrap();
        assert_eq!(block.text.as_deref(), Some("Starred block."));
        assert!(described(quote!(#[doc(hidden)] #[inline])).is_none());
        let included = described(quote!(#[doc = include_str!("x.md")])).unwrap();
        assert_eq!(included.text, None);
        assert!(included.tokens.to_string().contains("include_str"));
    }
}
