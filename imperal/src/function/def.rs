//! One chat function, as the attribute registers it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use schemars::{Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::handler::{ChatHandler, HandlerContext, HandlerOutput, Params};
use super::read::{self, ReadError, ReadValue};
use crate::context::Context;
use crate::result::{DataType, Result, ResultData, WireResult};

/// The effect of a function on the user's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the manifest has these three")]
pub enum ActionType {
    /// Looks, changes nothing.
    Read,
    /// Changes something that can be changed back.
    Write,
    /// Changes something for good; asks for confirmation where the platform confirms.
    Destructive,
}

impl ActionType {
    /// As the manifest writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
        }
    }
}

/// A handler's future, erased.
pub type Reply = Pin<Box<dyn Future<Output = Result<WireResult>> + Send + 'static>>;

/// A handler that has its parameters, before it runs.
pub type BoundHandler = Box<dyn FnOnce(Context) -> Reply + Send>;

/// Reads parameters into the handler's type.
#[doc(hidden)]
pub type ReadParams = fn(&Value) -> std::result::Result<ReadValue<BoundHandler>, ReadError>;

/// A chat function: its metadata, its schemas, and how to run it.
#[derive(Clone, Copy)]
#[doc(hidden)]
#[expect(clippy::exhaustive_structs, reason = "the macros write it as a literal")]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the macro")]
pub struct FunctionDef {
    /// The fn's name, or `name =`.
    pub name: &'static str,
    /// The doc comment, or `description =`.
    pub description: &'static str,
    /// Read, write or destructive.
    pub action_type: ActionType,
    /// Event after success; empty when none.
    pub event: &'static str,
    /// Its effects, `update:thing`.
    pub effects: &'static [&'static str],
    /// Field of the parameters that holds the id; empty when none.
    pub id_projection: &'static str,
    /// Whether a chain may call it.
    pub chain_callable: bool,
    /// Advisory: recorded in the manifest, never consumed.
    pub background: bool,
    /// Advisory: recorded in the manifest, never consumed.
    pub long_running: bool,
    /// A write that the assistant runs without asking.
    pub safe: bool,
    /// A write that itself does nothing but start tasks: its call, its first task and its reply may be written together.
    pub starter: bool,
    /// Schema of the parameters.
    pub params_schema: fn(&mut SchemaGenerator) -> Schema,
    /// Schema of the result's data; none for `()`.
    pub return_schema: fn(&mut SchemaGenerator) -> Option<Schema>,
    /// Type of `data_model`, which the data of the function's tasks must have.
    pub data_model: Option<fn() -> DataType>,
    /// Reads the parameters; what comes back runs the handler with them.
    pub read: ReadParams,
    /// `module_path!()` of the function.
    pub module_path: &'static str,
    /// Where it stands.
    pub file: &'static str,
    /// Where it stands.
    pub line: u32,
}

inventory::collect!(FunctionDef);

impl FunctionDef {
    /// A definition with empty fields, for tests that set the fields they are about.
    #[cfg(any(test, feature = "testing"))]
    pub const BLANK: Self = Self {
        name: "",
        description: "",
        action_type: ActionType::Read,
        event: "",
        effects: &[],
        id_projection: "",
        chain_callable: true,
        background: false,
        long_running: false,
        safe: false,
        starter: false,
        params_schema: |_| schemars::json_schema!({}),
        return_schema: |_| None,
        data_model: None,
        read: |_| unreachable!("a blank definition is never called"),
        module_path: "",
        file: "",
        line: 0,
    };

    /// `return_schema` of a type: none for `()`. For `data_model = T`.
    pub fn data_schema<T: ResultData>(generator: &mut SchemaGenerator) -> Option<Schema> {
        (std::any::TypeId::of::<T>() != std::any::TypeId::of::<()>()).then(|| generator.root_schema_for::<T>())
    }
}

/// The parts of a [`FunctionDef`] that follow from the handler's types.
#[derive(Clone, Copy)]
#[doc(hidden)]
#[expect(clippy::exhaustive_structs, reason = "the macros write it as a literal")]
pub struct Handler {
    /// See [`FunctionDef`].
    pub params_schema: fn(&mut SchemaGenerator) -> Schema,
    /// See [`FunctionDef`].
    pub return_schema: fn(&mut SchemaGenerator) -> Option<Schema>,
    /// See [`FunctionDef`].
    pub read: ReadParams,
}

impl Handler {
    /// The one place where the author's types must fit; `D` follows from `O`.
    pub const fn of<H, C, P, O, D>() -> Self
    where
        H: ChatHandler<Ctx = C, Params = P, Output = O>,
        C: HandlerContext,
        P: Params,
        O: HandlerOutput<Data = D>,
        D: ResultData,
    {
        Self {
            params_schema: params_schema::<P>,
            return_schema: FunctionDef::data_schema::<D>,
            read: |params| {
                let ReadValue { value, swallowed } = read::read::<P>(params)?;
                let run: BoundHandler = Box::new(move |ctx| {
                    let answer = H::call(ctx.into(), value);
                    Box::pin(async move { answer.await.into_wire() })
                });
                Ok(ReadValue { value: run, swallowed })
            },
        }
    }
}

/// The schema of a type of parameters. A unit struct has no fields: `{}`, as callers send it.
fn params_schema<P: Params>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator.root_schema_for::<P>();
    let is_null = schema.get("type").is_some_and(|kind| kind == "null");
    if is_null && std::any::TypeId::of::<P>() != std::any::TypeId::of::<()>() {
        schema.insert("type".to_owned(), Value::from("object"));
    }
    schema
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").finish_non_exhaustive()
    }
}

impl fmt::Debug for FunctionDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.name, self.file, self.line)
    }
}
