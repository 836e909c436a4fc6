//! The signature: `async fn name(ctx: Context, params: MyParams) -> Result<ActionResult<T>>`.
//!
//! Owns what can be said about it from its tokens alone. Whether a type fits is the compiler's
//! business: the expansion names each type once, under the author's span, and the traits in
//! `imperal` carry the words.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{FnArg, GenericParam, PatType, ReturnType, Safety, Type};

use crate::diagnostic::Sink;
use crate::input::FnItem;

/// The three types of a well-formed signature.
pub(crate) struct Types {
    pub(crate) ctx: Type,
    pub(crate) params: Type,
    pub(crate) output: Type,
}

/// Reports every fault; the types when there is none.
pub(crate) fn check(item: &FnItem, sink: &mut Sink) -> Option<Types> {
    let mut faults = Sink::default();
    check_head(item, &mut faults);
    let params = check_params(item, &mut faults);
    let output = check_output(item, &mut faults);
    let sound = !faults.has_errors();
    sink.absorb(faults);
    let (ctx, params) = params?;
    let output = output?;
    sound.then_some(Types { ctx, params, output })
}

fn check_head(item: &FnItem, sink: &mut Sink) {
    let sig = &item.sig;
    let name = &sig.ident;
    if sig.asyncness.is_none() {
        sink.error(sig.fn_token, format!("a chat function is async: write `async fn {name}`"));
    }
    if let Some(token) = sig.constness {
        sink.error(token, "a chat function runs when it is called, never at compile time: remove `const`");
    }
    if let Safety::Unsafe(token) = sig.safety {
        sink.error(token, "the platform calls a chat function with whatever fits its schema, so it must be safe to call: remove `unsafe`");
    }
    if let Some(abi) = &sig.abi {
        sink.error(abi, "a chat function is called from Rust: remove `extern`");
    }
    for param in &sig.generics.params {
        match param {
            GenericParam::Lifetime(lifetime) => sink.error(
                lifetime,
                "a chat function has no lifetimes, because it may outlive whoever called it: own what the parameters hold",
            ),
            GenericParam::Type(_) | GenericParam::Const(_) => sink.error(
                param,
                "a chat function cannot be generic, because the manifest has one schema for it: write the type itself",
            ),
        }
    }
    if let (Some(clause), true) = (&sig.generics.where_clause, sig.generics.params.is_empty()) {
        sink.error(clause, "a chat function has nothing to put conditions on: remove the `where` clause");
    }
    if item.body.to_string() == ";" {
        sink.error(
            &item.body,
            format!("`{name}` has no body: a chat function is a free fn, not the method of a trait"),
        );
    }
}

fn check_params(item: &FnItem, sink: &mut Sink) -> Option<(Type, Type)> {
    let sig = &item.sig;
    if let Some(receiver) = sig.receiver() {
        sink.error(
            receiver,
            "a chat function is a free fn and has no `self`: keep what functions share in `ctx.state::<T>()`",
        );
        return None;
    }
    if let Some(variadic) = &sig.variadic {
        sink.error(variadic, "a chat function takes two parameters: remove `...`");
        return None;
    }
    let params: Vec<&PatType> =
        sig.inputs.iter().filter_map(|arg| if let FnArg::Typed(typed) = arg { Some(typed) } else { None }).collect();
    for param in &params {
        for attr in &param.attrs {
            if attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr") {
                sink.error(
                    attr,
                    "a parameter of a chat function is there or not: put the condition on a field of the params struct",
                );
            }
        }
    }
    match params[..] {
        [] => {
            sink.error_at(sig.paren_token.span.join(), format!("a chat function takes its context and one params struct: write `(ctx: Context, params: {name})`, with `#[derive(Deserialize, JsonSchema)] struct {name} {{}}` if it needs none (V17)", name = struct_name(item)));
            None
        }
        [only] if is_context(&only.ty) => {
            sink.error_at(sig.paren_token.span.close(), format!("the params struct is missing: add `params: {name}`, with `#[derive(Deserialize, JsonSchema)] struct {name} {{}}` if it needs none (V17)", name = struct_name(item)));
            None
        }
        [only] => {
            sink.error(
                only,
                format!(
                    "the context is missing: write `(ctx: Context, {})`; `_ctx` if it is not needed",
                    format_args!("{}: {}", only.pat.to_token_stream(), plain(&only.ty))
                ),
            );
            None
        }
        [first, second] if is_context(&second.ty) && !is_context(&first.ty) => {
            sink.error(second, "the context comes first: `(ctx: Context, params: ..)`");
            None
        }
        [ctx, params] => {
            let sound = owned(&ctx.ty, "the context is passed by value, a clone is cheap: write `Context`", sink)
                & owned(&params.ty, "the params struct is passed by value and owns what it holds", sink)
                & one_struct(&params.ty, sink);
            sound.then(|| ((*ctx.ty).clone(), (*params.ty).clone()))
        }
        [_, _, ref extra @ ..] => {
            sink.error(quote!(#(#extra),*), too_many(item, &params));
            None
        }
    }
}

/// The struct to write in place of loose parameters.
fn too_many(item: &FnItem, params: &[&PatType]) -> String {
    let name = struct_name(item);
    let fields: Vec<String> = params
        .iter()
        .filter(|param| !is_context(&param.ty))
        .map(|param| format!("    {}: {},\n", field_name(param), plain(&param.ty)))
        .collect();
    let fields = fields.concat();
    format!(
        "a chat function takes its context and one params struct (V17): write\n\n#[derive(Deserialize, JsonSchema)]\nstruct {name} {{\n{fields}}}\n\nand take `(ctx: Context, params: {name})`"
    )
}

fn field_name(param: &PatType) -> String {
    match &*param.pat {
        syn::Pat::Ident(ident) => ident.ident.to_string().trim_start_matches('_').to_owned(),
        _ => "field".to_owned(),
    }
}

/// A type as a person writes it.
fn plain(ty: &Type) -> String {
    let mut text = ty.to_token_stream().to_string();
    for (loose, tight) in [(" :: ", "::"), (" < ", "<"), (" >", ">"), ("& ", "&"), (" ,", ","), ("< ", "<")] {
        text = text.replace(loose, tight);
    }
    if text == "&str" { "String".to_owned() } else { text }
}

fn check_output(item: &FnItem, sink: &mut Sink) -> Option<Type> {
    let sig = &item.sig;
    match &sig.output {
        ReturnType::Default => {
            sink.error_at(
                sig.paren_token.span.close(),
                "a chat function answers: write `-> Result<ActionResult>`, or `-> Result<ActionResult<T>>` with data (V5)",
            );
            None
        }
        // The missing `async` is the fault, and the type a consequence of it.
        ReturnType::Type(..) if sig.asyncness.is_none() => None,
        ReturnType::Type(_, ty) => {
            owned(ty, "a chat function names what it returns: write `Result<ActionResult<T>>`", sink)
                .then(|| (**ty).clone())
        }
    }
}

/// Refuses borrowed and hidden types, with the words for the place.
fn owned(ty: &Type, text: &str, sink: &mut Sink) -> bool {
    match borrowed(ty.to_token_stream()) {
        None => true,
        Some(Unfit::Hidden(span)) => {
            sink.error_at(
                span,
                "`impl ..` hides the type that the manifest's schema is made from: write the type itself",
            );
            false
        }
        Some(Unfit::Borrowed) => {
            sink.error(ty, text);
            false
        }
    }
}

enum Unfit {
    Borrowed,
    Hidden(Span),
}

fn borrowed(tokens: TokenStream) -> Option<Unfit> {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                let lifetime = matches!(tokens.peek(), Some(TokenTree::Punct(tick)) if tick.as_char() == '\'');
                if !lifetime {
                    return Some(Unfit::Borrowed);
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                if matches!(tokens.peek(), Some(TokenTree::Ident(name)) if name != "static") {
                    return Some(Unfit::Borrowed);
                }
            }
            TokenTree::Ident(ident) if ident == "impl" => return Some(Unfit::Hidden(ident.span())),
            TokenTree::Group(group) => {
                if let Some(unfit) = borrowed(group.stream()) {
                    return Some(unfit);
                }
            }
            _ => {}
        }
    }
    None
}

/// Refuses types that are no struct by their very form.
fn one_struct(ty: &Type, sink: &mut Sink) -> bool {
    let form = match ty {
        Type::Tuple(unit) if unit.elems.is_empty() => {
            "nothing: take an empty one, `#[derive(Deserialize, JsonSchema)] struct NoParams {}`"
        }
        Type::Tuple(_) => "a tuple",
        Type::Array(_) | Type::Slice(_) => "a list",
        Type::Never(_) => "never",
        Type::FnPtr(_) | Type::Ptr(_) | Type::TraitObject(_) => "no data",
        _ => return true,
    };
    sink.error(ty, format!("the parameters are one struct, whose fields a form can name; this is {form} (V17)"));
    false
}

/// Whether the type is written as the context is, which only decides between two error texts.
fn is_context(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == "Context"),
        Type::Reference(reference) => is_context(&reference.elem),
        _ => false,
    }
}

/// `refine_output` -> `RefineOutputParams`
fn struct_name(item: &FnItem) -> String {
    let mut name: String = item
        .sig
        .ident
        .unraw()
        .to_string()
        .split('_')
        .flat_map(|word| {
            let mut chars = word.chars();
            chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars)
        })
        .collect();
    name.push_str("Params");
    name
}
