//! A question is not awaited.

#![deny(unused_must_use)]

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
    ctx.ask::<Choice>("publish", "Publish these images?");
    Ok(ActionResult::done("Done."))
}

fn main() {}
