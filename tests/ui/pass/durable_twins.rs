//! The twin of a durable task goes where the fn goes: imports, globs, re-exports, renames, macros.

#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, clippy::all, clippy::pedantic)]
#![deny(non_camel_case_types, private_interfaces, unnameable_types)]
#![allow(unreachable_pub, reason = "the modules here are private")]

use imperal::prelude::*;

/// What is to be done.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    /// How often.
    pub times: u32,
}

/// A module with the name of its task: `pub use generate::generate` would import two types of one name.
pub mod generate {
    use super::{ActionResult, Job, Result, TaskContext, durable_task};

    /// Generates.
    ///
    /// # Errors
    /// None.
    #[durable_task(twin = Generate)]
    pub async fn generate(_ctx: TaskContext, job: Job) -> Result<ActionResult> {
        Ok(ActionResult::done(job.times.to_string()))
    }
}

pub use generate::{Generate, generate};

mod inner {
    pub(crate) mod deep {
        use imperal::prelude::*;

        #[derive(Serialize, Deserialize)]
        pub(in crate::inner) struct Hidden(u8);

        #[durable_task(name = "cleanup")]
        pub(in crate::inner) async fn clean(_: TaskContext, Hidden(_): Hidden) -> Result<ActionResult> {
            Ok(ActionResult::done("Clean."))
        }

        #[durable_task]
        pub(crate) async fn r#move(_ctx: TaskContext, to: String) -> Result<ActionResult> {
            Ok(ActionResult::done(to))
        }

        pub(in crate::inner) fn hidden() -> Hidden {
            Hidden(1)
        }
    }

    pub(super) use deep::r#move as moving;

    pub(super) fn prepared() -> imperal::context::PreparedTask {
        #[allow(clippy::wildcard_imports, reason = "a glob takes the fn and its twin")]
        use deep::*;
        clean::with(hidden())
    }
}

macro_rules! tasks {
    ($($name:ident: $input:ty),*) => {$(
        /// Made by a macro.
        #[durable_task]
        async fn $name(_ctx: TaskContext, input: $input) -> Result<ActionResult> {
            Ok(ActionResult::done(format!("{input:?}")))
        }
    )*};
}

tasks!(numbers: Vec<u64>, unit: (), pair: (u8, String));

/// Compiled out.
#[cfg(any())]
#[durable_task]
async fn left_out(_ctx: TaskContext, input: Missing) -> Result<ActionResult> {}

#[durable_task]
#[cfg(any())]
async fn left_out_too(_ctx: TaskContext, input: Missing) -> Result<ActionResult> {}

#[durable_task]
#[deprecated = "use another"]
async fn old(_ctx: TaskContext, input: u8) -> Result<ActionResult> {
    Ok(ActionResult::done(input.to_string()))
}

/// Starts the work of the user.
///
/// # Errors
/// Those of starting a task.
#[chat_function(action_type = "destructive", event = "started", effects = ["start:work"], background)]
#[allow(deprecated)]
pub async fn start(ctx: Context, params: Params) -> Result<ActionResult> {
    ctx.durable_task(Generate::with(Job { times: params.times })).await?;
    ctx.durable_task(inner::moving::with("there".to_owned())).await?;
    ctx.durable_task(inner::prepared()).await?;
    ctx.durable_task(numbers::with(vec![1, 2])).await?;
    ctx.durable_task(pair::with((1, String::new()))).await?;
    Ok(ActionResult::done("Started."))
}

/// The parameters of [`start`].
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Params {
    /// How often.
    pub times: u32,
}

fn main() {
    #[derive(Serialize, Deserialize)]
    struct Local(u8);

    #[durable_task]
    async fn local(_ctx: TaskContext, input: Local) -> Result<ActionResult> {
        Ok(ActionResult::done(input.0.to_string()))
    }

    let _ = local::with(Local(1));
}
