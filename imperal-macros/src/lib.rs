//! The `#[chat_function]` attribute and the inner half of `extension!`.
//!
//! Authors use both through `imperal`, whose documentation describes them. One line an entry point;
//! each macro is read (`reader` by the table in `options`, `input`), checked into a model that cannot be built from a faulty
//! input (`check`, `signature`, `extension`), and written out (`emit`, `fallback`).

mod check;
mod describe;
mod diagnostic;
mod emit;
mod extension;
mod fallback;
#[cfg(test)]
mod golden;
mod icon;
mod input;
mod instrument;
mod options;
#[cfg(test)]
mod options_table;
mod reader;
mod signature;
mod test;

use proc_macro::TokenStream;

/// Makes an async fn a chat function. See `imperal::chat_function`.
#[proc_macro_attribute]
pub fn chat_function(options: TokenStream, item: TokenStream) -> TokenStream {
    check::chat_function(options.into(), &item.into()).into()
}

/// Makes an async fn a test on a platform of its own. See `imperal::test`.
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    test::test(options.into(), &item.into()).into()
}

/// What `imperal::extension!` hands on: the crate's path, `;`, and what the author wrote.
#[doc(hidden)]
#[proc_macro]
pub fn extension(input: TokenStream) -> TokenStream {
    extension::extension(input.into()).into()
}
