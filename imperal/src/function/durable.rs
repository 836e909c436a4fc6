//! One durable task, as the attribute registers it, and the contract between the attribute and the platform.

use std::fmt;
use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::def::Reply;
use super::handler::HandlerOutput;
use crate::context::{PreparedTask, TaskContext};
use crate::result::{DataType, ResultData};

/// A durable task that has its input, before it runs.
#[doc(hidden)]
pub type BoundTask = Box<dyn FnOnce(TaskContext) -> Reply + Send>;

/// Reads the stored input into the task's type.
#[doc(hidden)]
pub type BindTask = fn(&str) -> std::result::Result<BoundTask, String>;

/// A durable task: its name, and how to run it.
#[derive(Clone, Copy)]
#[doc(hidden)]
#[expect(clippy::exhaustive_structs, reason = "the macros write it as a literal")]
pub struct DurableDef {
    /// The fn's name, or `name =`. Stored with each task, so it stays the same when the fn moves.
    pub name: &'static str,
    /// The doc comment.
    pub description: &'static str,
    /// Reads the input; what comes back runs the body with it.
    pub bind: BindTask,
    /// `module_path!()` of the fn.
    pub module_path: &'static str,
    /// Where it stands.
    pub file: &'static str,
    /// Where it stands.
    pub line: u32,
}

inventory::collect!(DurableDef);

impl DurableDef {
    /// A definition with empty fields, for tests that set the fields they are about.
    #[cfg(test)]
    pub(crate) const BLANK: Self = Self {
        name: "",
        description: "",
        bind: |_| Err("a blank definition is never run".to_owned()),
        module_path: "",
        file: "",
        line: 0,
    };
}

impl fmt::Debug for DurableDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.name, self.file, self.line)
    }
}

/// A durable task behind `#[durable_task]`. As with [`ChatHandler`](super::ChatHandler), the author's types are
/// bounded where they are registered.
#[doc(hidden)]
pub trait DurableHandler: 'static {
    /// The first parameter: [`TaskContext`].
    type Ctx;
    /// The second parameter.
    type Input;
    /// Its return type.
    type Output;

    /// Runs the author's fn.
    fn call(ctx: Self::Ctx, input: Self::Input) -> impl Future<Output = Self::Output> + Send + 'static;
}

/// The first parameter of a durable task.
#[diagnostic::on_unimplemented(
    message = "the first parameter of a durable task is `imperal::TaskContext`, not `{Self}`",
    label = "write `ctx: TaskContext` here",
    note = "a durable task is `async fn name(ctx: TaskContext, input: MyInput) -> Result<ActionResult>`"
)]
#[doc(hidden)]
pub trait DurableContext: From<TaskContext> + Send + 'static {}

impl DurableContext for TaskContext {}

/// The second parameter of a durable task: a value that is stored as JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the input of a durable task",
    label = "needs `Serialize` and `Deserialize`, and owns what it holds",
    note = "put `#[derive(Serialize, Deserialize)]` on `{Self}`, or on the types in it: the input is stored with the task"
)]
#[doc(hidden)]
pub trait DurableInput: Serialize + DeserializeOwned + Send + 'static {}

// Without it, a type that lacks both derives is two errors.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> DurableInput for T {}

/// The parts of a durable task that follow from its types.
#[doc(hidden)]
#[expect(clippy::exhaustive_structs, reason = "the macros read its fields")]
pub struct TaskHandler<I> {
    /// See [`DurableDef`].
    pub bind: BindTask,
    /// The task with its input, from its name and its `module_path!()`.
    pub prepare: fn(&'static str, &'static str, I) -> PreparedTask,
}

// Of one type only, so that `TaskHandler::of::<..>` needs no argument for it.
impl TaskHandler<()> {
    /// The one place where the author's types must fit; `D` follows from `O`.
    pub const fn of<H, C, I, O, D>() -> TaskHandler<I>
    where
        H: DurableHandler<Ctx = C, Input = I, Output = O>,
        C: DurableContext,
        I: DurableInput,
        O: HandlerOutput<Data = D>,
        D: ResultData,
    {
        TaskHandler {
            bind: |input| {
                let input: I = imperal_manifest::json::read(input.as_bytes()).map_err(|error| error.to_string())?;
                Ok(Box::new(move |ctx: TaskContext| {
                    let answer = H::call(ctx.into(), input);
                    Box::pin(async move { answer.await.into_wire() })
                }))
            },
            prepare: |name, module_path, input| PreparedTask::new(name, module_path, &input, DataType::of::<D>()),
        }
    }
}

impl<I> fmt::Debug for TaskHandler<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandler").finish_non_exhaustive()
    }
}
