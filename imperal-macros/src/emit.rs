//! From the model to tokens.
//!
//! The fn stays verbatim. Beside it, in a `const _`, stand a private marker type, its
//! `ChatHandler`, and one registration. Each of the author's types is named once there, under its
//! own span, and everything else goes through the associated types: a type that does not fit is
//! reported once, where it was written.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, GenericArgument, PathArguments, Type};

use crate::check::ChatFunction;
use crate::input::FnItem;
use crate::signature::Types;

/// The whole expansion of a function without faults.
pub(crate) fn accepted(
    item: &FnItem,
    types: &Types,
    function: &ChatFunction,
    krate: &TokenStream,
    warnings: &TokenStream,
) -> TokenStream {
    let probes = probes(types, function);
    let projection = projection(types, function);
    let registration = registration(function);
    let beside = beside(item, types, krate, &quote!(#probes #projection #registration));
    // Clippy would have the `async` removed that the attribute demands.
    quote!(#[allow(clippy::unused_async)] #item #beside #warnings)
}

/// Only what checks the types, for a function whose options are at fault.
pub(crate) fn checks(item: &FnItem, types: &Types, krate: &TokenStream) -> TokenStream {
    beside(item, types, krate, &TokenStream::new())
}

/// What stands beside the fn: the marker, its handler, and the rest.
///
/// The crate is named once, so that a wrong `crate = ..` is one error.
fn beside(
    item: &FnItem,
    Types { ctx, params, output }: &Types,
    krate: &TokenStream,
    rest: &TokenStream,
) -> TokenStream {
    let attrs = attrs(item);
    let name = &item.sig.ident;
    // Everything here has the name's span: a future that is not `Send` is reported at this fn.
    // The parameters are hygienic, because the fn itself may be called `ctx`.
    let local = Span::mixed_site().located_at(name.span());
    let (first, second) = (Ident::new("ctx", local), Ident::new("params", local));
    let call = quote_spanned! {name.span()=>
        fn call(
            #first: Self::Ctx,
            #second: Self::Params,
        ) -> impl ::core::future::Future<Output = Self::Output> + ::core::marker::Send + 'static {
            #name(#first, #second)
        }
    };
    let data = quote_spanned!(data_span(output)=> _);
    // In an `impl`, where no nameless constant may stand, the compiler points at the fn.
    let anonymous = quote_spanned!(name.span()=> const _: ());
    quote! {
        #(#attrs)*
        #anonymous = {
            use #krate::__private as __imperal;

            struct __ChatFunction;

            impl __imperal::ChatHandler for __ChatFunction {
                type Ctx = #ctx;
                type Params = #params;
                type Output = #output;

                #call
            }

            const __HANDLER: __imperal::Handler =
                __imperal::Handler::of::<__ChatFunction, #ctx, #params, #output, #data>();

            #rest
        };
    }
}

/// The attributes of the fn that hold for what stands beside it as well.
fn attrs(item: &FnItem) -> Vec<TokenStream> {
    let copied = item.attrs_named("cfg").chain(item.attrs_named("allow")).map(Attribute::to_token_stream);
    let deprecated = item.attrs_named("deprecated").next().map(|_| quote!(#[allow(deprecated)]));
    copied.chain(deprecated).collect()
}

/// Where the data is written in `Result<ActionResult<Data>>`; the whole type where it is not.
fn data_span(output: &Type) -> Span {
    let data = only_argument(output).and_then(only_argument);
    data.map_or_else(|| output.span(), Spanned::span)
}

/// The `T` of `Anything<T>`.
fn only_argument(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    }
}

/// What tokens only suggest and the compiler knows: each is asked for where the tokens suggest it.
fn probes(types: &Types, function: &ChatFunction) -> TokenStream {
    let mut probes = TokenStream::new();
    if let (Some(answer), true, None) =
        (answers_without_data(&types.output), function.action_type == "Read", &function.data_model)
    {
        let output = &types.output;
        let given = quote!(__imperal::Data::<<#output as __imperal::HandlerOutput>::Data>::GIVEN);
        probes.extend(probe(answer.span(), &given, "a `read` function answers with data, and `ActionResult` alone has none: write `ActionResult<MyType>`, or `data_model = MyType` (V23)"));
    }
    if let Some(name) = maybe_no_struct(&types.params) {
        let params = &types.params;
        let is_struct = quote!(__imperal::Shape::<#params>::STRUCT);
        probes.extend(probe(
            name,
            &is_struct,
            "the parameters are one struct, whose fields a form can name; this type has none (V17)",
        ));
    }
    probes
}

fn probe(span: Span, holds: &TokenStream, text: &str) -> TokenStream {
    let assertion = quote_spanned!(span=> ::core::assert!(#holds, #text););
    quote! {
        const _: () = {
            #[allow(unused_imports)]
            use __imperal::Fallback as _;
            #assertion
        };
    }
}

/// The `ActionResult` in `Result<ActionResult>`, written without its data.
pub(crate) fn answers_without_data(output: &Type) -> Option<&Type> {
    let answer = only_argument(output)?;
    let Type::Path(path) = answer else { return None };
    let bare = match only_argument(answer) {
        None => true,
        Some(Type::Tuple(unit)) => unit.elems.is_empty(),
        Some(_) => false,
    };
    (path.path.segments.last()?.ident == "ActionResult" && bare).then_some(answer)
}

/// The span of a type whose name is that of a common type which is no struct.
fn maybe_no_struct(params: &Type) -> Option<Span> {
    let Type::Path(path) = params else { return None };
    let last = path.path.segments.last()?;
    NO_STRUCT.iter().any(|name| last.ident == name).then(|| params.span())
}

const NO_STRUCT: &[&str] = &[
    "String", "str", "bool", "char", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
    "usize", "f32", "f64", "Vec", "Option", "Value", "HashMap", "BTreeMap", "Map", "HashSet", "BTreeSet",
];

fn projection(types: &Types, function: &ChatFunction) -> TokenStream {
    let Some(field) = &function.id_projection else { return TokenStream::new() };
    let params = &types.params;
    let ident = &field.ident;
    let value = quote_spanned!(Span::mixed_site()=> params);
    quote! {
        const _: fn(&#params) = |#value| {
            let _ = &#value.#ident;
        };
    }
}

fn registration(function: &ChatFunction) -> TokenStream {
    let ChatFunction {
        name, description, action_type, event, effects, chain_callable, background, long_running, ..
    } = function;
    let id_projection = function.id_projection.as_ref().map_or("", |field| &field.wire);
    let return_schema = if let Some(model) = &function.data_model {
        quote!(__imperal::FunctionDef::data_schema::<#model>)
    } else {
        quote!(__HANDLER.return_schema)
    };
    quote! {
        __imperal::inventory::submit! {
            __imperal::FunctionDef {
                name: #name,
                description: #description,
                action_type: __imperal::ActionType::#action_type,
                event: #event,
                effects: &[#(#effects),*],
                id_projection: #id_projection,
                chain_callable: #chain_callable,
                background: #background,
                long_running: #long_running,
                params_schema: __HANDLER.params_schema,
                return_schema: #return_schema,
                read: __HANDLER.read,
                module_path: ::core::module_path!(),
                file: ::core::file!(),
                line: ::core::line!(),
            }
        }
    }
}
