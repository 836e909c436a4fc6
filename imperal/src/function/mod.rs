//! Chat functions as values: definition, handler contract, registry, parameter check.
//!
//! Owns what `#[chat_function]` registers and how a binary's functions are found at start. Knows
//! nothing of tasks, storage or HTTP.

mod advice;
mod bounds;
mod def;
mod forms;
mod handler;
mod kept;
mod params;
mod probe;
mod read;
mod registry;
#[cfg(test)]
mod tests;
mod whole;

pub use def::{ActionType, FunctionDef, Handler, Prepared, ReadParams, Reply};
pub use handler::{ChatHandler, HandlerContext, HandlerOutput, Params, ResultData};
pub(crate) use params::{Accepted, ParamsCheck, params_schema};
#[doc(hidden)]
pub use probe::{Data, Otherwise, Shape};
#[doc(hidden)]
pub use read::{ReadError, ReadValue, Step};
pub use registry::{Extension, Registry, StartError};
