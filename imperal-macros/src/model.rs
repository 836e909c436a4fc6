//! A chat function without faults, as far as tokens can show.

use proc_macro2::{Ident, TokenStream};
use syn::Type;

/// The options of a chat function, validated.
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the macro")]
pub(crate) struct ChatFunction {
    pub(crate) name: String,
    /// An expression of type `&str`.
    pub(crate) description: TokenStream,
    /// A variant of `ActionType`.
    pub(crate) action_type: Ident,
    pub(crate) event: String,
    pub(crate) effects: Vec<String>,
    pub(crate) id_projection: Option<ParamsField>,
    pub(crate) data_model: Option<Type>,
    pub(crate) chain_callable: bool,
    pub(crate) background: bool,
    pub(crate) long_running: bool,
    pub(crate) safe: bool,
    pub(crate) starter: bool,
}

/// A field of the params struct.
pub(crate) struct ParamsField {
    /// Its name in the schema.
    pub(crate) wire: String,
    /// Its name in the struct, with the span of the literal.
    pub(crate) ident: Ident,
}
