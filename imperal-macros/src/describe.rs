//! Makes a description out of a doc comment.
//!
//! Wrapped lines are joined to one, paragraphs and list entries keep lines of their own, and the
//! first heading ends it: `# Errors` and what follows is for readers of the code.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// A description that the macro can read, or one that only the compiler can (`include_str!`).
pub(crate) struct Described {
    /// The text, as an expression.
    pub(crate) tokens: TokenStream,
    /// The text, where the macro knows it.
    pub(crate) text: Option<String>,
    /// Where it stands.
    pub(crate) span: Span,
}

/// The description that the doc attributes make; none without any.
pub(crate) fn from_docs<'a>(docs: impl Iterator<Item = &'a Attribute>) -> Option<Described> {
    let lines: Vec<(&Expr, Span)> = docs
        .filter_map(|attr| match &attr.meta {
            Meta::NameValue(pair) => Some((&pair.value, pair.value.span())),
            // `#[doc(hidden)]` describes nothing.
            Meta::Path(_) | Meta::List(_) => None,
        })
        .collect();
    let span = lines.first()?.1;
    let literals: Option<Vec<String>> = lines.iter().map(|(value, _)| literal(value)).collect();
    Some(if let Some(texts) = literals {
        let text = join(&texts.join("\n"));
        Described { tokens: text.to_token_stream(), text: Some(text), span }
    } else {
        let parts = lines.iter().map(|(value, _)| *value);
        Described { tokens: quote!(::core::concat!(#(#parts, "\n"),*)), text: None, span }
    })
}

fn literal(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        // A doc comment that went through a macro by example comes in a group of its own.
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

fn join(docs: &str) -> String {
    let mut text = String::new();
    for line in docs.lines() {
        let line = line.trim();
        // A block comment may begin its lines with a star, and ends with an empty one.
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

    fn described(attrs: TokenStream) -> Option<Described> {
        from_docs(Attribute::parse_outer.parse2(attrs).unwrap().iter())
    }

    #[test]
    fn wrapped_lines_join_and_paragraphs_and_lists_stay() {
        let doc =
            "\n Sends a note\n to the team.\n\n Kinds:\n - short\n - long,\n   over two lines\n\n # Errors\n None.\n";
        assert_eq!(join(doc), "Sends a note to the team.\n\nKinds:\n- short\n- long, over two lines");
    }

    #[test]
    fn every_way_to_write_docs_is_read() {
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
