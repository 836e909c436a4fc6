//! Reads the item under the attribute, its body left as tokens.
//!
//! The body is never parsed: a half-typed one reaches the compiler and the editor as it stands, so
//! types and completions inside it keep working while it does not yet compile.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Signature, Visibility};

/// A fn with its body as written.
pub(crate) struct FnItem {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    /// The braces and what is in them; a `;` in a trait.
    pub(crate) body: TokenStream,
}

impl Parse for FnItem {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self {
            attrs: input.call(Attribute::parse_outer)?,
            vis: input.parse()?,
            sig: input.parse()?,
            body: input.parse()?,
        })
    }
}

impl FnItem {
    /// Whether an identifier stands anywhere in the body, macros and closures included.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        mentions(self.body.clone(), name)
    }

    /// Whether the body leaves without a value: it is empty or its last token is `;`.
    pub(crate) fn ends_without_value(&self) -> bool {
        let Some(TokenTree::Group(braces)) = self.body.clone().into_iter().next() else { return true };
        match braces.stream().into_iter().last() {
            None => true,
            Some(TokenTree::Punct(last)) => last.as_char() == ';',
            Some(_) => false,
        }
    }

    /// The attributes of that name, `cfg` for example.
    pub(crate) fn attrs_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Attribute> {
        self.attrs.iter().filter(move |attr| attr.path().is_ident(name))
    }
}

fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

impl ToTokens for FnItem {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for attr in &self.attrs {
            attr.to_tokens(tokens);
        }
        self.vis.to_tokens(tokens);
        self.sig.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}
