//! The contract between the attribute and the platform.
//!
//! The attribute implements [`ChatHandler`] for a private marker type and names each of the
//! author's types once more as an argument of `Handler::of`, under the author's own span: a type
//! that does not fit is reported there, once, in the words of its trait here.

use std::future::Future;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::result::{ActionResult, Result, ResultData, WireResult};

/// A chat function behind `#[chat_function]`.
///
/// Its types are bounded where they are registered, in [`Handler::of`](super::Handler::of), and
/// not here: a bound on an associated type is reported with the marker's name in it, one on a type
/// argument with the author's type alone.
pub trait ChatHandler: 'static {
    /// The first parameter: [`Context`].
    type Ctx;
    /// The second parameter.
    type Params;
    /// Its return type.
    type Output;

    /// Runs the author's fn.
    fn call(ctx: Self::Ctx, params: Self::Params) -> impl Future<Output = Self::Output> + Send + 'static;
}

/// The first parameter of a chat function.
#[diagnostic::on_unimplemented(
    message = "the first parameter of a chat function is `imperal::Context`, not `{Self}`",
    label = "write `ctx: Context` here",
    note = "a chat function is `async fn name(ctx: Context, params: MyParams) -> Result<ActionResult>`"
)]
pub trait HandlerContext: From<Context> + Send + 'static {}

impl HandlerContext for Context {}

/// The second parameter of a chat function: a struct that reads itself and has a schema.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the parameters of a chat function",
    label = "needs `Deserialize` and `JsonSchema`, and owns what it holds",
    note = "put `#[derive(Deserialize, JsonSchema)]` on `{Self}`"
)]
pub trait Params: DeserializeOwned + JsonSchema + Send + 'static {}

impl<T: DeserializeOwned + JsonSchema + Send + 'static> Params for T {}

/// The return type of a chat function or a durable task: `Result<ActionResult<T>>`.
#[diagnostic::on_unimplemented(
    message = "the return type must be `Result<ActionResult>` or `Result<ActionResult<T>>`, not `{Self}`",
    label = "write `Result<ActionResult>` here",
    note = "`ActionResult::done(\"..\")` answers without data, `ActionResult::success(data, \"..\")` with it"
)]
pub trait HandlerOutput: 'static {
    /// The data of the answer.
    type Data;

    /// The answer as it is stored and sent.
    fn into_wire(self) -> Result<WireResult>
    where
        Self::Data: ResultData;
}

impl<T: 'static> HandlerOutput for Result<ActionResult<T>> {
    type Data = T;

    fn into_wire(self) -> Result<WireResult>
    where
        T: ResultData,
    {
        self?.deliver()
    }
}
