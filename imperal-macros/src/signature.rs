//! Validates the signature of a chat function or a durable task.
//!
//! Looks at tokens only. The compiler checks the types in the expansion, which has the author's spans, and
//! the traits in `imperal` have the messages.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{FnArg, GenericArgument, GenericParam, PatType, PathArguments, ReturnType, Safety, Type};

use crate::diagnostics::Diagnostics;
use crate::fn_item::FnItem;
use crate::fn_kind::FnKind;

/// The three types of a sound signature.
pub(crate) struct Types {
    pub(crate) ctx: Type,
    pub(crate) params: Type,
    pub(crate) output: Type,
}

/// The parts of a signature that are sound.
pub(crate) struct CheckedSignature {
    pub(crate) params: Option<(Type, Type)>,
    pub(crate) output: Option<Type>,
    has_faults: bool,
}

impl CheckedSignature {
    /// The three types, if the whole signature is sound.
    pub(crate) fn types(self) -> Option<Types> {
        let (ctx, params) = self.params?;
        let output = self.output?;
        (!self.has_faults).then_some(Types { ctx, params, output })
    }
}

/// Reports every fault of the signature.
pub(crate) fn check(item: &FnItem, kind: &FnKind, diagnostics: &mut Diagnostics) -> CheckedSignature {
    let mut faults = Diagnostics::default();
    check_head(item, kind, &mut faults);
    let params = check_params(item, kind, &mut faults);
    // A generic return type means nothing outside of the fn.
    let output = check_output(item, kind, &mut faults).filter(|_| item.sig.generics.params.is_empty());
    let has_faults = faults.has_errors();
    diagnostics.absorb(faults);
    CheckedSignature { params, output, has_faults }
}

pub(crate) fn check_head(item: &FnItem, kind: &FnKind, diagnostics: &mut Diagnostics) {
    let sig = &item.sig;
    let FnKind { noun, why_safe, why_one_type, .. } = kind;
    let name = &sig.ident;
    if sig.asyncness.is_none() {
        diagnostics.error(sig.fn_token, format!("{noun} must be async: write `async fn {name}`"));
    }
    if let Some(token) = sig.constness {
        diagnostics.error(token, format!("{noun} cannot be `const`: remove `const`"));
    }
    if let Safety::Unsafe(token) = sig.safety {
        diagnostics.error(token, format!("{noun} cannot be `unsafe`, because {why_safe}: remove `unsafe`"));
    }
    if let Some(abi) = &sig.abi {
        diagnostics.error(abi, format!("{noun} cannot be `extern`: remove `extern`"));
    }
    for param in &sig.generics.params {
        match param {
            GenericParam::Lifetime(lifetime) => diagnostics.error(
                lifetime,
                format!(
                    "{noun} cannot have lifetimes, because it may outlive its caller: use owned types such as `String`"
                ),
            ),
            GenericParam::Type(_) | GenericParam::Const(_) => diagnostics
                .error(param, format!("{noun} cannot be generic, because {why_one_type}: write the type itself")),
        }
    }
    if let (Some(clause), true) = (&sig.generics.where_clause, sig.generics.params.is_empty()) {
        diagnostics.error(clause, format!("{noun} cannot have a `where` clause: remove it"));
    }
    if !item.has_body() {
        diagnostics.error(&item.body, format!("`{name}` has no body: write a free fn, not a method of a trait"));
    }
}

fn check_params(item: &FnItem, kind: &FnKind, diagnostics: &mut Diagnostics) -> Option<(Type, Type)> {
    let sig = &item.sig;
    let FnKind { noun, context, second, second_name: (second_name, _), derives, rules: (rule, _), .. } = kind;
    if let Some(receiver) = sig.receiver() {
        diagnostics.error(
            receiver,
            format!("{noun} cannot have `self`: write a free fn, and share values through `ctx.state::<T>()`"),
        );
        return None;
    }
    if let Some(variadic) = &sig.variadic {
        diagnostics.error(variadic, format!("{noun} takes two parameters: remove `...`"));
        return None;
    }
    let params: Vec<&PatType> =
        sig.inputs.iter().filter_map(|arg| if let FnArg::Typed(typed) = arg { Some(typed) } else { None }).collect();
    for param in &params {
        for attr in &param.attrs {
            if attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr") {
                diagnostics.error(
                    attr,
                    format!("a parameter of {noun} cannot be conditional: put the `cfg` on a field of {second}"),
                );
            }
        }
    }
    match params[..] {
        [] => {
            diagnostics.error_at(sig.paren_token.span.join(), format!("the context and {second} are missing: write `(ctx: {context}, {second_name}: {name})`, with `#[derive({derives})] struct {name} {{}}` if it needs none{rule}", name = struct_name(item, kind)));
            None
        }
        [only] if is_context(&only.ty) => {
            diagnostics.error_at(sig.paren_token.span.close(), format!("{second} is missing: add `{second_name}: {name}`, with `#[derive({derives})] struct {name} {{}}` if it needs none{rule}", name = struct_name(item, kind)));
            None
        }
        [only] => {
            diagnostics.error(
                only,
                format!(
                    "the context is missing: write `(ctx: {context}, {})`; `_ctx` if it is not needed",
                    format_args!("{}: {}", only.pat.to_token_stream(), plain(&only.ty))
                ),
            );
            None
        }
        [first, second] if is_context(&second.ty) && !is_context(&first.ty) => {
            diagnostics.error(
                second,
                format!("the context must be the first parameter: write `(ctx: {context}, {second_name}: ..)`"),
            );
            None
        }
        [ctx, params] => {
            let borrowed_ctx = format!("the context is borrowed: {}", kind.owned_context);
            let borrowed_second = format!("{second} is borrowed: take it by value, with owned fields");
            let sound = owned(&ctx.ty, &borrowed_ctx, kind, diagnostics)
                & owned(&params.ty, &borrowed_second, kind, diagnostics)
                & (!kind.takes_a_struct || one_struct(&params.ty, diagnostics));
            sound.then(|| ((*ctx.ty).clone(), (*params.ty).clone()))
        }
        [_, _, ref extra @ ..] => {
            diagnostics.error(quote!(#(#extra),*), too_many(item, kind, &params));
            None
        }
    }
}

/// The message for loose parameters, with the struct to write instead.
fn too_many(item: &FnItem, kind: &FnKind, params: &[&PatType]) -> String {
    let FnKind { noun, context, second, second_name: (second_name, _), derives, rules: (rule, _), .. } = kind;
    let one = second.trim_start_matches("the ");
    let name = struct_name(item, kind);
    let fields: Vec<String> = params
        .iter()
        .filter(|param| !is_context(&param.ty))
        .map(|param| format!("    {}: {},\n", field_name(param), plain(&param.ty)))
        .collect();
    let fields = fields.concat();
    format!(
        "{noun} takes a context and one {one}{rule}: write\n\n#[derive({derives})]\nstruct {name} {{\n{fields}}}\n\nand take `(ctx: {context}, {second_name}: {name})`"
    )
}

fn field_name(param: &PatType) -> String {
    match &*param.pat {
        syn::Pat::Ident(ident) => ident.ident.to_string().trim_start_matches('_').to_owned(),
        _ => "field".to_owned(),
    }
}

/// A type without the spaces of a token stream.
fn plain(ty: &Type) -> String {
    let mut text = ty.to_token_stream().to_string();
    for (loose, tight) in [(" :: ", "::"), (" < ", "<"), (" >", ">"), ("& ", "&"), (" ,", ","), ("< ", "<")] {
        text = text.replace(loose, tight);
    }
    if text == "&str" { "String".to_owned() } else { text }
}

pub(crate) fn check_output(item: &FnItem, kind: &FnKind, diagnostics: &mut Diagnostics) -> Option<Type> {
    let sig = &item.sig;
    match &sig.output {
        ReturnType::Default => {
            diagnostics.error_at(
                sig.paren_token.span.close(),
                format!("the return type is missing: {}{}", kind.answers.0, kind.rules.1),
            );
            None
        }
        // The missing `async` is already an error. A future as return type is a consequence of it.
        ReturnType::Type(_, ty) if sig.asyncness.is_none() && is_future(ty) => None,
        ReturnType::Type(_, ty) => {
            owned(ty, &format!("the return type is borrowed: {}", kind.answers.1), kind, diagnostics)
                .then(|| (**ty).clone())
        }
    }
}

fn is_future(ty: &Type) -> bool {
    let text = ty.to_token_stream().to_string();
    ["Future", "Pin", "impl"].iter().any(|word| text.contains(word))
}

/// Reports a type that borrows, with the message `text`, or that `impl` hides.
pub(crate) fn owned(ty: &Type, text: &str, kind: &FnKind, diagnostics: &mut Diagnostics) -> bool {
    match borrowed(ty.to_token_stream()) {
        None => true,
        Some(Unfit::Hidden(span)) => {
            diagnostics.error_at(
                span,
                format!("`impl ..` hides the type, and {}: write the type itself", kind.why_written_type),
            );
            false
        }
        Some(Unfit::Borrowed) => {
            diagnostics.error(ty, text);
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

/// Reports a type that, by its tokens, cannot be a struct.
fn one_struct(ty: &Type, diagnostics: &mut Diagnostics) -> bool {
    let form = match ty {
        Type::Tuple(unit) if unit.elems.is_empty() => {
            "`()`: write an empty struct, `#[derive(Deserialize, JsonSchema)] struct NoParams {}`"
        }
        Type::Tuple(_) => "a tuple: write a struct with a named field for each value",
        Type::Array(_) | Type::Slice(_) => "a list: write a struct with a field for it",
        Type::Never(_) => "`!`: write a struct",
        Type::FnPtr(_) | Type::Ptr(_) | Type::TraitObject(_) => "a pointer: write a struct",
        _ => return true,
    };
    diagnostics.error(ty, format!("the parameters are not a struct but {form} (V17)"));
    false
}

/// Whether the type has the name of a context. This only decides between two messages.
pub(crate) fn is_context(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => {
            path.path.segments.last().is_some_and(|last| last.ident == "Context" || last.ident == "TaskContext")
        }
        Type::Reference(reference) => is_context(&reference.elem),
        _ => false,
    }
}

/// `refine_output` -> `RefineOutputParams`
fn struct_name(item: &FnItem, kind: &FnKind) -> String {
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
    name.push_str(kind.second_name.1);
    name
}

/// The `T` of `Anything<T>`.
pub(crate) fn only_argument(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    }
}

/// The `ActionResult` in `Result<ActionResult>`, if it is written without data.
pub(crate) fn result_without_data(output: &Type) -> Option<&Type> {
    let answer = only_argument(output)?;
    let Type::Path(path) = answer else { return None };
    let bare = match only_argument(answer) {
        None => true,
        Some(Type::Tuple(unit)) => unit.elems.is_empty(),
        Some(_) => false,
    };
    (path.path.segments.last()?.ident == "ActionResult" && bare).then_some(answer)
}
