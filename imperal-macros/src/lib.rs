//! The macros of `imperal`: `#[chat_function]`, `#[durable_task]`, `#[schedule]`, `#[imperal::test]` and the inner
//! half of `extension!`.
//!
//! Authors use them through `imperal`, whose documentation describes them. Each macro reads its input
//! (`options`, `option_reader`, `fn_item`), validates it (`validate`, `signature`, `extension`), and
//! writes the expansion (`expand`), or a corrected item with its errors (`recover`, `diagnostics`).

mod chat_function;
mod diagnostics;
mod doc_comment;
mod durable_task;
mod expand;
mod extension;
mod fn_item;
mod fn_kind;
#[cfg(test)]
mod golden_tests;
mod icon;
mod instrument;
mod model;
mod option_reader;
mod options;
#[cfg(test)]
mod options_docs_tests;
mod recover;
mod schedule;
mod signature;
mod stored_name;
mod test_attribute;
mod validate;

use proc_macro::TokenStream;

/// Makes an async fn a chat function. See `imperal::chat_function`.
#[proc_macro_attribute]
pub fn chat_function(options: TokenStream, item: TokenStream) -> TokenStream {
    chat_function::chat_function(options.into(), &item.into()).into()
}

/// Makes an async fn a durable task. See `imperal::durable_task`.
#[proc_macro_attribute]
pub fn durable_task(options: TokenStream, item: TokenStream) -> TokenStream {
    durable_task::durable_task(options.into(), &item.into()).into()
}

/// Makes an async fn a job that runs at times. See `imperal::schedule`.
#[proc_macro_attribute]
pub fn schedule(options: TokenStream, item: TokenStream) -> TokenStream {
    schedule::schedule(options.into(), &item.into()).into()
}

/// Makes an async fn a test with a platform of its own. See `imperal::test`.
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    test_attribute::test_attribute(options.into(), &item.into()).into()
}

/// The inner half of `imperal::extension!`: the path of the crate, `;`, and the author's input.
#[doc(hidden)]
#[proc_macro]
pub fn extension(input: TokenStream) -> TokenStream {
    extension::extension(input.into()).into()
}
