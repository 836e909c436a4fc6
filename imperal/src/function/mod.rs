//! Chat functions as values: definition, handler contract, registry, parameter check.
//!
//! Owns what `#[chat_function]` registers and how a binary's functions are found at start. Knows
//! nothing of tasks, storage or HTTP.

mod def;
mod handler;
#[cfg(feature = "runtime")]
mod params;
mod probe;
mod registry;
#[cfg(feature = "runtime")]
mod secret;

pub use def::{ActionType, FunctionDef, Handler, Reply};
pub use handler::{ChatHandler, HandlerContext, HandlerOutput, Params, ResultData};
#[cfg(feature = "runtime")]
pub(crate) use params::{ParamsCheck, params_schema};
#[doc(hidden)]
pub use probe::{Data, Otherwise, Shape};
pub use registry::{Extension, Registry, StartError};
