//! Chat functions as values: definition, handler contract, registry, parameter check.
//!
//! Owns what `#[chat_function]` registers and how a binary's functions are found at start. Knows
//! nothing of tasks, storage or HTTP.

mod answer;
mod bounds;
mod def;
mod durable;
mod files;
mod handler;
mod input_schema;
mod integers;
mod job;
mod params;
pub(crate) mod probe;
mod read;
mod redact;
mod refusal;
mod registry;
mod subschemas;
#[cfg(test)]
mod tests;

pub use crate::result::{DataType, ResultData};
pub(crate) use answer::{ANSWER, check_answer};
pub use def::{ActionType, BoundHandler, FunctionDef, Handler, ReadParams, Reply};
#[doc(hidden)]
pub use durable::{BindTask, BoundTask, DurableContext, DurableDef, DurableHandler, DurableInput, TaskHandler};
#[cfg(feature = "platform")]
pub(crate) use files::file_params;
pub use handler::{ChatHandler, HandlerContext, HandlerOutput, Params};
pub(crate) use input_schema::InputSchema;
#[doc(hidden)]
pub use job::{JobContext, JobDef, JobHandler, JobOutput, RunJob, collection_name, run_job};
#[cfg(feature = "platform")]
pub(crate) use params::params_schema;
pub(crate) use params::{CheckedParams, ParamsCheck};
#[doc(hidden)]
pub use read::{ReadError, ReadValue, Step};
pub(crate) use redact::has_secrets;
pub use registry::{Extension, Registry, StartError};
