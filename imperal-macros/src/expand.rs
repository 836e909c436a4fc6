//! Writes the expansion of a chat function, and the handler of a durable task.
//!
//! The fn stays verbatim. Its companions follow in a `const _`: a private marker type, the marker's handler
//! trait, and one registration. They use the span of each type that the author wrote, so that the
//! compiler reports a wrong type once, at that place.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Type};

use crate::fn_item::FnItem;
use crate::fn_kind::{CHAT_FUNCTION, FnKind};
use crate::model::ChatFunction;
use crate::signature::{Types, only_argument, result_without_data};

/// The whole expansion of a function without faults.
pub(crate) fn expand(
    item: &FnItem,
    types: &Types,
    function: &ChatFunction,
    krate: &TokenStream,
    warnings: &TokenStream,
) -> TokenStream {
    let probes = probes(types, function);
    let projection = projection(types, function);
    let registration = registration(function);
    let model_check = model_check(types, function);
    let rest = quote!(#probes #projection #model_check #registration);
    let companions = companions(item, &CHAT_FUNCTION, types, krate, &rest);
    // The attribute requires `async` even if the fn awaits nothing.
    quote!(#[allow(clippy::unused_async)] #item #companions #warnings)
}

/// The check of the return type alone, for a function with a fault in another part of its signature.
pub(crate) fn output_check(item: &FnItem, output: &Type, krate: &TokenStream) -> TokenStream {
    let attrs = attrs(item);
    quote! {
        #(#attrs)*
        const _: fn() = #krate::__private::assert_output::<#output>;
    }
}

/// The marker, its handler, and `rest`, next to the fn. Without `rest` they check the types, for a fn with
/// faulty options.
///
/// Names the crate once, so that a wrong `crate = ..` gives one error.
pub(crate) fn companions(
    item: &FnItem,
    kind: &FnKind,
    Types { ctx, params, output }: &Types,
    krate: &TokenStream,
    rest: &TokenStream,
) -> TokenStream {
    let attrs = attrs(item);
    let name = &item.sig.ident;
    // All tokens have the span of the fn's name, where the compiler reports a future that is not `Send`.
    // The parameters are hygienic, because the fn itself may be called `ctx`.
    let local = Span::mixed_site().located_at(name.span());
    let (first, second) = (Ident::new("ctx", local), Ident::new(kind.second_name.0, local));
    let word = |text| Ident::new(text, Span::call_site());
    let (handler, second_type) = (word(kind.handler.0), word(kind.handler.1));
    let (marker, parts) = (word(kind.marker), word(kind.parts));
    let argument = kind.parts_name_the_second.then(|| quote!(<#params>));
    let second_of_self = Ident::new(kind.handler.1, name.span());
    let call = quote_spanned! {name.span()=>
        fn call(
            #first: Self::Ctx,
            #second: Self::#second_of_self,
        ) -> impl ::core::future::Future<Output = Self::Output> + ::core::marker::Send + 'static {
            #name(#first, #second)
        }
    };
    let data = quote_spanned!(data_span(output)=> _);
    // An `impl` allows no unnamed constant. For a method, this span makes the compiler point at the fn.
    let anonymous = quote_spanned!(name.span()=> const _: ());
    quote! {
        #(#attrs)*
        #anonymous = {
            use #krate::__private as __imperal;

            struct #marker;

            impl __imperal::#handler for #marker {
                type Ctx = #ctx;
                type #second_type = #params;
                type Output = #output;

                #call
            }

            const __HANDLER: __imperal::#parts #argument =
                __imperal::#parts::of::<#marker, #ctx, #params, #output, #data>();

            #rest
        };
    }
}

/// The attributes of the fn that also apply to its companions.
pub(crate) fn attrs(item: &FnItem) -> Vec<TokenStream> {
    let copied = item.attrs_named("cfg").chain(item.attrs_named("allow")).map(Attribute::to_token_stream);
    let deprecated = item.attrs_named("deprecated").next().map(|_| quote!(#[allow(deprecated)]));
    copied.chain(deprecated).collect()
}

/// The span of the data in `Result<ActionResult<Data>>`, or of the whole type.
fn data_span(output: &Type) -> Span {
    let data = only_argument(output).and_then(only_argument);
    data.map_or_else(|| output.span(), Spanned::span)
}

/// Checks of types that only the compiler can decide. Writes a check only if the tokens suggest a fault.
fn probes(types: &Types, function: &ChatFunction) -> TokenStream {
    let mut probes = TokenStream::new();
    if let (Some(answer), true, None) =
        (result_without_data(&types.output), function.action_type == "Read", &function.data_model)
    {
        let output = &types.output;
        let given = quote!(__imperal::Data::<<#output as __imperal::HandlerOutput>::Data>::GIVEN);
        probes.extend(probe(
            answer.span(),
            &given,
            "a `read` function must return data: write `ActionResult<MyType>`, or `data_model = MyType` (V23)",
        ));
    }
    if let Some(name) = common_type_span(&types.params) {
        let params = &types.params;
        let is_struct = quote!(__imperal::Shape::<#params>::STRUCT);
        probes.extend(probe(
            name,
            &is_struct,
            "the parameters are not a struct: write one with a named field for each value (V17)",
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

/// The span of a type with the name of a common type that is not a struct.
fn common_type_span(params: &Type) -> Option<Span> {
    let Type::Path(path) = params else { return None };
    let last = path.path.segments.last()?;
    NO_STRUCT.iter().any(|name| last.ident == name).then(|| params.span())
}

const NO_STRUCT: &[&str] = &[
    "String", "str", "bool", "char", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
    "usize", "f32", "f64", "Vec", "Option", "Value", "HashMap", "BTreeMap", "Map", "HashSet", "BTreeSet",
];

/// Checks that `data_model` is the type of the data in the return type, if that shows data.
fn model_check(types: &Types, function: &ChatFunction) -> TokenStream {
    let (Some(model), None) = (&function.data_model, result_without_data(&types.output)) else {
        return TokenStream::new();
    };
    let Some(data) = only_argument(&types.output).and_then(only_argument) else { return TokenStream::new() };
    quote!(const _: fn() = __imperal::assert_data_model::<#model, #data>;)
}

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
        name,
        description,
        action_type,
        event,
        effects,
        chain_callable,
        background,
        long_running,
        safe,
        starter,
        ..
    } = function;
    let id_projection = function.id_projection.as_ref().map_or("", |field| &field.wire);
    let return_schema = if let Some(model) = &function.data_model {
        quote!(__imperal::FunctionDef::data_schema::<#model>)
    } else {
        quote!(__HANDLER.return_schema)
    };
    let data_model = if let Some(model) = &function.data_model {
        quote!(::core::option::Option::Some(__imperal::DataType::of::<#model>))
    } else {
        quote!(::core::option::Option::None)
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
                safe: #safe,
                starter: #starter,
                params_schema: __HANDLER.params_schema,
                return_schema: #return_schema,
                data_model: #data_model,
                read: __HANDLER.read,
                module_path: ::core::module_path!(),
                file: ::core::file!(),
                line: ::core::line!(),
            }
        }
    }
}
