//! `#[schedule]`: reads the input, validates it, and writes the expansion.
//!
//! The fn stays verbatim. The handler and the registration are as those of a chat function, with the context as the only
//! parameter.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{FnArg, PatType, Type};

use crate::chat_function::not_a_fn;
use crate::diagnostics::Diagnostics;
use crate::fn_item::FnItem;
use crate::fn_kind::SCHEDULE;
use crate::option_reader::{Options, Value};
use crate::{doc_comment, expand, options, recover, signature, stored_name};

/// The seconds over which the users' runs are spread unless the author says otherwise.
const SPREAD: u32 = 300;

/// The longest of them: a later run counts as missed.
const LONGEST_SPREAD: u32 = 12 * 3600;

/// `#[schedule(options)] item`
pub(crate) fn schedule(options: TokenStream, item: &TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let options = Options::read(&options::SCHEDULE, options, &mut diagnostics);
    let krate = options.krate();
    let Ok(item) = syn::parse2::<FnItem>(item.clone()) else { return not_a_fn(item, &SCHEDULE) };
    let types = check_signature(&item, &mut diagnostics);
    let job = Job::read(&options, &item, &mut diagnostics);
    match (types, job) {
        (Some(types), Some(job)) if !diagnostics.has_errors() => {
            let companions = companions(&item, &types, &krate, &job.registration(&item));
            quote!(#[allow(clippy::unused_async)] #item #companions)
        }
        (Some(types), _) => {
            let companions = companions(&item, &types, &krate, &TokenStream::new());
            let errors = diagnostics.errors();
            quote!(#[allow(clippy::unused_async)] #item #companions #errors)
        }
        (None, _) => {
            let answer = quote!(#krate::__private::Result<()>);
            let item = recover::recover(item, &answer);
            let errors = diagnostics.errors();
            quote!(#[allow(dead_code)] #item #errors)
        }
    }
}

struct Types {
    ctx: Type,
    output: Type,
}

fn check_signature(item: &FnItem, diagnostics: &mut Diagnostics) -> Option<Types> {
    let mut faults = Diagnostics::default();
    signature::check_head(item, &SCHEDULE, &mut faults);
    let ctx = check_context(item, &mut faults);
    let output = signature::check_output(item, &SCHEDULE, &mut faults);
    let is_sound = !faults.has_errors();
    diagnostics.absorb(faults);
    is_sound.then_some(Types { ctx: ctx?, output: output? })
}

fn check_context(item: &FnItem, diagnostics: &mut Diagnostics) -> Option<Type> {
    let sig = &item.sig;
    if let Some(receiver) = sig.receiver() {
        let text = "a schedule cannot have `self`: write a free fn, and share values through `ctx.state::<T>()`";
        diagnostics.error(receiver, text);
        return None;
    }
    let params: Vec<&PatType> =
        sig.inputs.iter().filter_map(|arg| if let FnArg::Typed(typed) = arg { Some(typed) } else { None }).collect();
    let extra = |extra: &[&PatType]| quote!(#(#extra),*);
    let alone = "a schedule takes the context alone, because nobody fills in parameters: read what it needs from \
                 `ctx.documents(..)`, and write `(ctx: Context)`";
    match params[..] {
        [] => {
            let text = "the context is missing: write `(ctx: Context)`; `_ctx` if it is not needed";
            diagnostics.error_at(sig.paren_token.span.join(), text);
            None
        }
        [ctx] if signature::is_context(&ctx.ty) => {
            let borrowed = "the context is borrowed: write `Context`, whose clones are cheap";
            signature::owned(&ctx.ty, borrowed, &SCHEDULE, diagnostics).then(|| (*ctx.ty).clone())
        }
        [first, ref rest @ ..] if signature::is_context(&first.ty) => {
            diagnostics.error(extra(rest), alone);
            None
        }
        ref all => {
            diagnostics.error(extra(all), alone);
            None
        }
    }
}

/// A schedule as its attribute describes it.
struct Job {
    name: String,
    cron: String,
    spread: u32,
    collection: TokenStream,
}

impl Job {
    /// `None` if a required option is missing or faulty.
    fn read(options: &Options, item: &FnItem, diagnostics: &mut Diagnostics) -> Option<Self> {
        for missing in options.missing() {
            let text = format!(
                "the times are missing: write `{} = \"0 3 * * *\"`, which is every day at 03:00 UTC",
                missing.key
            );
            diagnostics.error_at(item.sig.ident.span(), text);
        }
        let (name, _) = stored_name::read(options, &item.sig.ident, &SCHEDULE, diagnostics);
        let spread = options.text("spread").map_or(Some(SPREAD), |literal| {
            let spread = seconds(&literal.value());
            if spread.is_none() {
                let text = format!(
                    "invalid spread `{}`: use a number of seconds, minutes or hours up to 12 hours, such as `\"90s\"`, \
                     `\"30m\"` or `\"2h\"`",
                    literal.value()
                );
                diagnostics.error(literal, text);
            }
            spread
        });
        let cron = options.text("cron")?;
        if let Err(fault) = imperal_manifest::check_plain_cron(&cron.value()) {
            diagnostics.error(cron, format!("invalid cron expression `{}`: {fault}", cron.value()));
        }
        let collection = options.get("documents").map(|entry| match &entry.value {
            Value::Path(path) => {
                let span = path.segments.last().map_or_else(Span::call_site, |last| last.ident.span());
                quote_spanned!(span=> __imperal::collection_name(&#path))
            }
            _ => "".to_token_stream(),
        });
        let collection = collection.unwrap_or_else(|| "".to_token_stream());
        Some(Self { name, cron: cron.value(), spread: spread?, collection })
    }

    fn registration(&self, item: &FnItem) -> TokenStream {
        let Self { name, cron, spread, collection } = self;
        let description = doc_comment::description_or_empty(item);
        quote! {
            __imperal::inventory::submit! {
                __imperal::JobDef {
                    name: #name,
                    description: #description,
                    cron: #cron,
                    spread: #spread,
                    collection: #collection,
                    run: __RUN,
                    module_path: ::core::module_path!(),
                    file: ::core::file!(),
                    line: ::core::line!(),
                }
            }
        }
    }
}

/// The handler that calls the fn, with the types under the author's own spans.
fn companions(item: &FnItem, Types { ctx, output }: &Types, krate: &TokenStream, rest: &TokenStream) -> TokenStream {
    let attrs = expand::attrs(item);
    let name = &item.sig.ident;
    let first = Ident::new("ctx", Span::mixed_site().located_at(name.span()));
    let call = quote_spanned! {name.span()=>
        fn call(
            #first: Self::Ctx,
        ) -> impl ::core::future::Future<Output = Self::Output> + ::core::marker::Send + 'static {
            #name(#first)
        }
    };
    let anonymous = quote_spanned!(name.span()=> const _: ());
    quote! {
        #(#attrs)*
        #anonymous = {
            use #krate::__private as __imperal;

            struct __Schedule;

            impl __imperal::JobHandler for __Schedule {
                type Ctx = #ctx;
                type Output = #output;

                #call
            }

            const __RUN: __imperal::RunJob = __imperal::run_job::<__Schedule, #ctx, #output>();

            #rest
        };
    }
}

/// `90s`, `30m` or `2h` in seconds.
fn seconds(text: &str) -> Option<u32> {
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        _ => return None,
    };
    let number = text.get(..text.len() - 1)?;
    let number: u32 = number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())??;
    number.checked_mul(unit).filter(|seconds| *seconds <= LONGEST_SPREAD)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn spread_is_a_number_with_a_unit_up_to_12_hours() {
        for (text, wanted) in [("0s", 0), ("90s", 90), ("30m", 1800), ("12h", 43_200)] {
            assert_eq!(seconds(text), Some(wanted), "{text}");
        }
        for text in ["", "s", "30", "-1s", "+1s", "1.5h", "13h", "721m", "99999999999s", "1d", "1 h", "1é"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
