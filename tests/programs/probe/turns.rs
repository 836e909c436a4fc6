//! Many short durable tasks in one queue, for the turns of its users.

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct LineUp {
    /// How many tasks.
    #[schemars(range(min = 1, max = 100))]
    tasks: u32,
    /// Milliseconds a task.
    millis: u64,
}

#[derive(Serialize, JsonSchema)]
struct LinedUp {
    task_ids: Vec<String>,
}

/// Waits in one step.
#[durable_task]
async fn take_turn(ctx: TaskContext, millis: u64) -> Result<ActionResult> {
    let wait = async |_| {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(())
    };
    ctx.step("turn", wait).await?;
    Ok(ActionResult::done("A turn is over."))
}

/// Start tasks in a queue with few slots.
#[chat_function(action_type = "write", event = "lined_up", effects = ["update:probe"], data_model = LinedUp, background)]
async fn line_up(ctx: Context, params: LineUp) -> Result<ActionResult<LinedUp>> {
    let mut task_ids = Vec::new();
    for _ in 0..params.tasks {
        let task = ctx.durable_task(take_turn::with(params.millis)).name("turn").queue("fair");
        task_ids.push(task.await?.to_string());
    }
    Ok(ActionResult::success(LinedUp { task_ids }, "In line."))
}
