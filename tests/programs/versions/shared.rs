//! What both versions of the extension have: a task stores a value, waits for a file, and says who ended it.

use std::fmt::Debug;
use std::path::PathBuf;

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
pub(crate) struct Job {
    /// The task ends once this file is there.
    pub(crate) gate: PathBuf,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Begin {
    /// The task to start.
    pub(crate) task: String,
    /// The task ends once this file is there.
    pub(crate) gate: PathBuf,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Begun {
    pub(crate) task_id: String,
}

/// The body of every task.
pub(crate) async fn run<T>(ctx: &TaskContext, job: &Job, version: u32, value: T) -> Result<ActionResult>
where
    T: Serialize + serde::de::DeserializeOwned + Debug + Send,
{
    let stored = ctx.step("value", async |_| Ok(value)).await?;
    while !job.gate.exists() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(ActionResult::done(format!("{stored:?} by version {version}")))
}

/// Starts a task and answers with its id.
pub(crate) async fn begin(ctx: Context, task: imperal::context::PreparedTask) -> Result<ActionResult<Begun>> {
    let task_id = ctx.durable_task(task).await?.to_string();
    Ok(ActionResult::success(Begun { task_id }, "Begun."))
}
