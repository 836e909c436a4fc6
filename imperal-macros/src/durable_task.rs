//! `#[durable_task]`: reads the input, validates it, and writes the expansion.
//!
//! The fn stays verbatim. Next to it is its twin: an empty enum of the same name in the namespace of types,
//! which takes the same way as the fn through imports and re-exports. `the_fn::with(input)` is the task with
//! its input. The handler and the registration are as those of a chat function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use crate::chat_function::{allowed_warnings, lint_attributes, not_a_fn};
use crate::diagnostics::Diagnostics;
use crate::fn_item::FnItem;
use crate::fn_kind::DURABLE_TASK;
use crate::option_reader::Options;
use crate::signature::Types;
use crate::{doc_comment, expand, instrument, options, recover, signature, stored_name};

/// Codes of the warnings that the attribute can give.
const WARNINGS: &[&str] = &["P22"];

/// `#[durable_task(options)] item`
pub(crate) fn durable_task(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let options = Options::read(&options::DURABLE_TASK, options, &mut diagnostics);
    let krate = options.krate();
    let Ok(item) = syn::parse2::<FnItem>(item.clone()) else { return not_a_fn(item, &DURABLE_TASK) };
    let signature = signature::check(&item, &DURABLE_TASK, &mut diagnostics);
    instrument::check(&item, &mut diagnostics);
    let (name, name_span) = stored_name::read(&options, &item.sig.ident, &DURABLE_TASK, &mut diagnostics);
    let task = Task { name, name_span, twin: in_expansion(options.ident("twin").unwrap_or(&item.sig.ident)) };
    let allowed = allowed_warnings(options.list("allow"), WARNINGS, &mut diagnostics);
    let warnings = diagnostics.warnings(&lint_attributes(&item), &allowed);
    let twin = task.twin(&item);
    let output = signature.output.clone();
    if let Some(types) = signature.types() {
        let with = task.with(&types);
        let registration = (!diagnostics.has_errors()).then(|| task.registration(&item));
        let companions = expand::companions(&item, &DURABLE_TASK, &types, &krate, &quote!(#with #registration));
        let errors = diagnostics.errors();
        // The attribute requires `async` even if the fn awaits nothing.
        quote!(#[allow(clippy::unused_async)] #item #twin #companions #warnings #errors)
    } else {
        // Callers of the twin get no second error. An `impl` or a trait has no place for it.
        let twin = item.is_free().then(|| {
            let with = task.with_anything(&item, &krate);
            quote!(#twin #with)
        });
        let item = recover::with_errors(item, output.as_ref(), &krate, &diagnostics);
        quote!(#item #twin)
    }
}

/// A durable task as its attribute describes it.
struct Task {
    name: String,
    /// Where the name is written.
    name_span: Span,
    twin: Ident,
}

impl Task {
    /// The twin: a type without values, because a struct `Name;` or `Name()` would be a value too.
    fn twin(&self, item: &FnItem) -> TokenStream {
        let (attrs, deprecated) = (expand::attrs(item), item.attrs_named("deprecated"));
        let (vis, twin) = (&item.vis, &self.twin);
        // In an `impl`, which has no place for a type, the compiler points at the fn.
        let item = quote_spanned!(in_expansion(&item.sig.ident).span()=> enum #twin {});
        quote! {
            #(#attrs)*
            #(#deprecated)*
            #[doc(hidden)]
            #[allow(non_camel_case_types, dead_code)]
            #vis #item
        }
    }

    /// Makes a second durable task of this name in a crate a duplicate definition, reported at its name. An
    /// exported macro belongs to the root of its crate.
    fn once(&self) -> TokenStream {
        let span = Span::mixed_site().located_at(self.name_span);
        let once = Ident::new(&format!("only_one_durable_task_is_named_{}", self.name), span);
        quote_spanned! {span=>
            #[doc(hidden)]
            #[allow(non_local_definitions)]
            #[macro_export]
            macro_rules! #once { () => {}; }
        }
    }

    /// `the_fn::with(input)`
    fn with(&self, Types { params: input, .. }: &Types) -> TokenStream {
        let Self { name, twin, .. } = self;
        let parameter = Ident::new("input", Span::mixed_site());
        quote! {
            #[allow(dead_code, private_interfaces)]
            impl #twin {
                /// The task with its input, for `ctx.durable_task(..)`.
                pub fn with(#parameter: #input) -> __imperal::PreparedTask {
                    (__HANDLER.prepare)(#name, ::core::module_path!(), #parameter)
                }
            }
        }
    }

    /// `the_fn::with(..)` of a fn with a faulty signature.
    fn with_anything(&self, item: &FnItem, krate: &TokenStream) -> TokenStream {
        let (attrs, twin) = (expand::attrs(item), &self.twin);
        quote! {
            #(#attrs)*
            const _: () = {
                #[allow(dead_code)]
                impl #twin {
                    pub fn with<__Input>(_: __Input) -> #krate::__private::PreparedTask {
                        ::core::unreachable!()
                    }
                }
            };
        }
    }

    fn registration(&self, item: &FnItem) -> TokenStream {
        let (name, once) = (&self.name, self.once());
        let description = doc_comment::description_or_empty(item);
        quote! {
            #once
            __imperal::inventory::submit! {
                __imperal::DurableDef {
                    name: #name,
                    description: #description,
                    bind: __HANDLER.bind,
                    module_path: ::core::module_path!(),
                    file: ::core::file!(),
                    line: ::core::line!(),
                }
            }
        }
    }
}

/// The identifier at its place in the source, but of the macro: lints leave it alone.
fn in_expansion(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(Span::mixed_site().located_at(ident.span()));
    ident
}
