//! The fallback of a question has another type than the variable for its answer.

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Job {
    package: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
enum Choice {
    Publish,
    Later,
}

/// Asks before it publishes.
#[durable_task]
async fn publish(ctx: TaskContext, _job: Job) -> Result<ActionResult> {
    let choice: Choice = ctx.ask("publish", "Publish these images?").or("Later").await?;
    if matches!(choice, Choice::Later) {
        return Ok(ActionResult::done("Later."));
    }
    Ok(ActionResult::done("Done."))
}

fn main() {}
