//! The fn under an attribute, with its body as tokens.
//!
//! The body is never parsed. An incomplete body reaches the compiler and the editor unchanged, so types
//! and completions in it work before it compiles.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, FnArg, Pat, Signature, Visibility};

/// A fn with its body as tokens.
pub(crate) struct FnItem {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    /// The braces with their content; `;` for a method of a trait.
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
    /// Whether the fn has a body in braces.
    pub(crate) fn has_body(&self) -> bool {
        self.body.to_string() != ";"
    }

    /// Whether it is no method, as far as its tokens show.
    pub(crate) fn is_free(&self) -> bool {
        self.sig.receiver().is_none() && self.has_body()
    }

    /// Whether an identifier is anywhere in the body, macros and closures included.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        mentions(self.body.clone(), name)
    }

    /// Whether the body has no final expression: it is empty, or its last token is `;`.
    pub(crate) fn ends_without_value(&self) -> bool {
        let Some(TokenTree::Group(braces)) = self.body.clone().into_iter().next() else { return true };
        match braces.stream().into_iter().last() {
            None => true,
            Some(TokenTree::Punct(last)) => last.as_char() == ';',
            Some(_) => false,
        }
    }

    /// Whether the body may start a background task: it names `background_task`, or passes the context to
    /// other code, which may start one.
    pub(crate) fn may_start_a_task(&self) -> bool {
        if self.mentions("background_task") {
            return true;
        }
        match self.sig.inputs.first() {
            Some(FnArg::Typed(ctx)) => match &*ctx.pat {
                Pat::Ident(ctx) => hands_on(self.body.clone(), &ctx.ident.to_string()),
                Pat::Wild(_) => false,
                _ => true,
            },
            _ => false,
        }
    }

    /// The attributes with this name, `cfg` for example.
    pub(crate) fn attrs_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Attribute> {
        self.attrs.iter().filter(move |attr| attr.path().is_ident(name))
    }
}

/// Surfaces of the context that neither start a task nor return the context.
const OTHER_SURFACES: &[&str] =
    &["http", "progress", "deliver_chat_message", "state", "user", "is_cancelled", "cancelled", "app_id", "log"];

/// Whether the body uses the context for anything other than `ctx.SURFACE` with one of [`OTHER_SURFACES`].
fn hands_on(body: TokenStream, ctx: &str) -> bool {
    let mut tokens = body.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) if hands_on(group.stream(), ctx) => return true,
            TokenTree::Ident(ident) if ident == ctx => {
                let dot = tokens.next_if(|next| matches!(next, TokenTree::Punct(dot) if dot.as_char() == '.'));
                let surface = |next: &TokenTree| matches!(next, TokenTree::Ident(name) if OTHER_SURFACES.contains(&name.to_string().as_str()));
                if dot.is_none() || !tokens.peek().is_some_and(surface) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
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

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    fn may_start(ctx: &TokenStream, body: &TokenStream) -> bool {
        syn::parse2::<FnItem>(quote!(async fn look(#ctx: Context, params: Look) { #body })).unwrap().may_start_a_task()
    }

    #[test]
    fn a_function_that_keeps_its_context_starts_no_task() {
        for body in [
            quote!(Ok(params.text)),
            quote!(ctx.progress(1, "a").await?;),
            quote!(let text = call(ctx.http().get("a"), ctx.user()).await?;),
        ] {
            assert!(!may_start(&quote!(ctx), &body), "{body}");
        }
        assert!(!may_start(&quote!(_), &quote!(run(other).await)));
    }

    #[test]
    fn a_function_that_hands_its_context_on_may_start_a_task() {
        for body in [
            quote!(ctx.background_task(|_| work()).await?;),
            quote!(start(ctx, params).await),
            quote!(start(&ctx).await),
            quote!(ctx.start_video(params).await),
            quote!(run!(ctx)),
            quote!(let other = ctx.clone();),
            quote!(Context::background_task(&ctx, work).await?;),
        ] {
            assert!(may_start(&quote!(ctx), &body), "{body}");
        }
        assert!(may_start(&quote!(Wrapped(ctx)), &quote!(todo!())));
    }
}
