//! One job, as `#[schedule]` registers it, and the contract between the attribute and the platform.
//!
//! A job runs by itself at the times of its cron expression, once for each user of its extension.

use std::fmt;
use std::future::Future;

use super::def::Reply;
use crate::context::{Collection, Context};
use crate::result::{ActionResult, Result};

/// Runs a job for the user of the context.
#[doc(hidden)]
pub type RunJob = fn(Context) -> Reply;

/// A job: its name, its times, and how to run it.
#[derive(Clone, Copy)]
#[doc(hidden)]
#[expect(clippy::exhaustive_structs, reason = "the macros write it as a literal")]
pub struct JobDef {
    /// The fn's name, or `name =`.
    pub name: &'static str,
    /// The doc comment.
    pub description: &'static str,
    /// Five fields or a nickname, in UTC. The attribute has checked it.
    pub cron: &'static str,
    /// The seconds after a time over which the users' runs are spread.
    pub spread: u32,
    /// The collection whose documents make a user one of its users; empty if it has none.
    pub collection: &'static str,
    /// Runs it.
    pub run: RunJob,
    /// `module_path!()` of the fn.
    pub module_path: &'static str,
    /// Where it stands.
    pub file: &'static str,
    /// Where it stands.
    pub line: u32,
}

inventory::collect!(JobDef);

impl JobDef {
    /// A definition with empty fields, for tests that set the fields they are about.
    #[cfg(test)]
    pub(crate) const BLANK: Self = Self {
        name: "",
        description: "",
        cron: "@daily",
        spread: 0,
        collection: "",
        run: |_| Box::pin(async { Err(crate::Error::internal("a blank definition is never run")) }),
        module_path: "",
        file: "",
        line: 0,
    };
}

impl fmt::Debug for JobDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.name, self.file, self.line)
    }
}

/// A job behind `#[schedule]`. As with [`ChatHandler`](super::ChatHandler), the author's types are bounded where they are
/// registered.
#[doc(hidden)]
pub trait JobHandler: 'static {
    /// The parameter: [`Context`].
    type Ctx;
    /// Its return type.
    type Output;

    /// Runs the author's fn.
    fn call(ctx: Self::Ctx) -> impl Future<Output = Self::Output> + Send + 'static;
}

/// The parameter of a job.
#[diagnostic::on_unimplemented(
    message = "the parameter of a `#[schedule]` is `imperal::Context`, not `{Self}`",
    label = "write `ctx: Context` here",
    note = "a schedule is `async fn name(ctx: Context) -> Result<()>`"
)]
#[doc(hidden)]
pub trait JobContext: From<Context> + Send + 'static {}

impl JobContext for Context {}

/// The return type of a job.
#[diagnostic::on_unimplemented(
    message = "the return type of a `#[schedule]` is `Result<()>`, not `{Self}`",
    label = "write `Result<()>` here",
    note = "nothing of a schedule is shown in the chat by itself: `ctx.deliver_chat_message(..)` tells its user something"
)]
#[doc(hidden)]
pub trait JobOutput: 'static {
    /// Without a value: no caller waits for one.
    fn into_result(self) -> Result<()>;
}

impl JobOutput for Result<()> {
    fn into_result(self) -> Result<()> {
        self
    }
}

/// The one place where the author's types must fit.
#[doc(hidden)]
pub const fn run_job<H, C, O>() -> RunJob
where
    H: JobHandler<Ctx = C, Output = O>,
    C: JobContext,
    O: JobOutput,
{
    |ctx| {
        let answer = H::call(ctx.into());
        Box::pin(async move {
            answer.await.into_result()?;
            ActionResult::done("").into_wire()
        })
    }
}

/// The name of a collection that an attribute names.
#[doc(hidden)]
pub const fn collection_name<T>(collection: &Collection<T>) -> &'static str {
    collection.name()
}
