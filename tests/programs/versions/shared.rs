//! The extension of both versions: a task stores a value, waits for a file, and says which version ended it.
//!
//! A version names its number, what its task `typed` stores, and a task that the other version lacks.

use std::fmt::Debug;
use std::path::PathBuf;

use imperal::prelude::*;

use crate::{VERSION, only, typed_value};

imperal::extension! {
    app_id: "probe",
    name: "Probe",
    description: "Durable tasks of one version of a program, for the suites of the platform.",
    icon: "icon.svg",
    capabilities: ["probe:write"],
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Job {
    /// The task ends once this file is there.
    gate: PathBuf,
}

#[derive(Deserialize, JsonSchema)]
struct Begin {
    /// The task to start.
    task: String,
    /// The task ends once this file is there.
    gate: PathBuf,
}

#[derive(Serialize, JsonSchema)]
struct Begun {
    task_id: String,
}

/// The body of every task.
pub(crate) async fn run<T>(ctx: &TaskContext, job: &Job, value: T) -> Result<ActionResult>
where
    T: Serialize + serde::de::DeserializeOwned + Debug + Send,
{
    let stored = ctx.step("value", async |_| Ok(value)).await?;
    while !job.gate.exists() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(ActionResult::done(format!("{stored:?} by version {VERSION}")))
}

/// Works in both versions.
#[durable_task]
async fn kept(ctx: TaskContext, job: Job) -> Result<ActionResult> {
    run(&ctx, &job, 7).await
}

/// Stores a value that the other version cannot read.
#[durable_task]
async fn typed(ctx: TaskContext, job: Job) -> Result<ActionResult> {
    run(&ctx, &job, typed_value()).await
}

/// Start a task by its name.
#[chat_function(action_type = "write", event = "begun", effects = ["update:probe"], data_model = Begun, background)]
async fn begin(ctx: Context, params: Begin) -> Result<ActionResult<Begun>> {
    let job = Job { gate: params.gate };
    let task = match params.task.as_str() {
        "kept" => kept::with(job),
        "typed" => typed::with(job),
        _ => only::with(job),
    };
    let task_id = ctx.durable_task(task).await?.to_string();
    Ok(ActionResult::success(Begun { task_id }, "Begun."))
}
