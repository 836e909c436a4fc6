//! A question in a chat function, whose context cannot wait for days.

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Job {
    /// The package to publish.
    package: String,
}

/// Publishes the images of a package.
#[chat_function(action_type = "write", event = "published", effects = ["update:package"], allow = ["V24"])]
async fn publish(ctx: Context, params: Job) -> Result<ActionResult> {
    let sure: bool = ctx.ask("publish", format!("Publish {}?", params.package)).await?;
    Ok(ActionResult::done(if sure { "Published." } else { "Later." }))
}

fn main() {}
