//! From the model to tokens.
//!
//! The fn stays verbatim. Beside it, in a `const _`, stand a private marker type, its
//! `ChatHandler`, and one registration. Each of the author's types is named once there, under its
//! own span, and everything else goes through the associated types: a type that does not fit is
//! reported once, where it was written.

use proc_macro2::{Span, TokenStream};
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
    let attrs = beside(item);
    let handler = handler(item, types, krate);
    let probes = probes(types, function, krate);
    let projection = projection(types, function);
    let registration = registration(function, krate);
    quote! {
        #item
        #(#attrs)*
        const _: () = {
            #handler
            #probes
            #projection
            #registration
        };
        #warnings
    }
}

/// Only what checks the types, for a function whose options are at fault.
pub(crate) fn checks(item: &FnItem, types: &Types, krate: &TokenStream) -> TokenStream {
    let attrs = beside(item);
    let handler = handler(item, types, krate);
    quote! {
        #(#attrs)*
        const _: () = {
            #handler
        };
    }
}

/// The attributes that hold for what stands beside the fn as well.
fn beside(item: &FnItem) -> Vec<TokenStream> {
    let copied = item.attrs_named("cfg").chain(item.attrs_named("allow")).map(Attribute::to_token_stream);
    let deprecated = item.attrs_named("deprecated").next().map(|_| quote!(#[allow(deprecated)]));
    copied.chain(deprecated).collect()
}

fn handler(item: &FnItem, Types { ctx, params, output }: &Types, krate: &TokenStream) -> TokenStream {
    let name = &item.sig.ident;
    let call = quote_spanned!(name.span()=> #name(ctx, params));
    quote! {
        struct __ChatFunction;

        impl #krate::__private::ChatHandler for __ChatFunction {
            type Ctx = #ctx;
            type Params = #params;
            type Output = #output;

            fn call(
                ctx: Self::Ctx,
                params: Self::Params,
            ) -> impl ::core::future::Future<Output = Self::Output> + ::core::marker::Send + 'static {
                #call
            }
        }
    }
}

/// What tokens only suggest and the compiler knows: each is asked for where the tokens suggest it.
fn probes(types: &Types, function: &ChatFunction, krate: &TokenStream) -> TokenStream {
    let mut probes = TokenStream::new();
    if let (Some(answer), true, None) =
        (answers_without_data(&types.output), function.action_type == "Read", &function.data_model)
    {
        let output = &types.output;
        probes.extend(quote_spanned! {answer.span()=>
            const _: () = {
                use #krate::__private::Otherwise as _;
                ::core::assert!(
                #krate::__private::Data::<<#output as #krate::__private::HandlerOutput>::Data>::GIVEN,
                "a `read` function answers with data, and `ActionResult` alone has none: write `ActionResult<MyType>`, or `data_model = MyType` (V23)",
                );
            };
        });
    }
    if let Some(name) = maybe_no_struct(&types.params) {
        let params = &types.params;
        probes.extend(quote_spanned! {name=>
            const _: () = {
                use #krate::__private::Otherwise as _;
                ::core::assert!(
                #krate::__private::Shape::<#params>::STRUCT,
                "the parameters of a chat function are one struct, whose fields a form can name (V17)",
                );
            };
        });
    }
    probes
}

/// The `ActionResult` in `Result<ActionResult>`, written without its data.
pub(crate) fn answers_without_data(output: &Type) -> Option<&Type> {
    let Type::Path(path) = output else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
    let GenericArgument::Type(answer @ Type::Path(inner)) = arguments.args.first()? else { return None };
    let last = inner.path.segments.last()?;
    let bare = match &last.arguments {
        PathArguments::None => true,
        PathArguments::AngleBracketed(data) => {
            matches!(data.args.first(), Some(GenericArgument::Type(Type::Tuple(unit))) if unit.elems.is_empty())
        }
        PathArguments::Parenthesized(_) => false,
    };
    (last.ident == "ActionResult" && bare).then_some(answer)
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
    let named = Span::mixed_site();
    let read = quote_spanned!(named=> params);
    quote! {
        const _: fn(&#params) = |#read| {
            let _ = &#read.#ident;
        };
    }
}

fn registration(function: &ChatFunction, krate: &TokenStream) -> TokenStream {
    let ChatFunction {
        name, description, action_type, event, effects, chain_callable, background, long_running, ..
    } = function;
    let id_projection = function.id_projection.as_ref().map_or("", |field| &field.wire);
    let return_schema = match &function.data_model {
        Some(model) => {
            let data_schema = quote_spanned!(model.span()=> data_schema::<#model>);
            quote!(#krate::__private::FunctionDef::#data_schema)
        }
        None => quote!(#krate::__private::FunctionDef::return_schema::<__ChatFunction>),
    };
    quote! {
        #krate::__private::inventory::submit! {
            #krate::__private::FunctionDef {
                name: #name,
                description: #description,
                action_type: #krate::__private::ActionType::#action_type,
                event: #event,
                effects: &[#(#effects),*],
                id_projection: #id_projection,
                chain_callable: #chain_callable,
                background: #background,
                long_running: #long_running,
                params_schema: #krate::__private::FunctionDef::params_schema::<__ChatFunction>,
                return_schema: #return_schema,
                invoke: #krate::__private::FunctionDef::invoke::<__ChatFunction>,
                module_path: ::core::module_path!(),
                file: ::core::file!(),
                line: ::core::line!(),
            }
        }
    }
}
