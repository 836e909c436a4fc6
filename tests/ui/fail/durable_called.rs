//! A durable task is called by a chat function.

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Job {
    package: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Package {
    images: u32,
}

/// Generates every image of a package.
#[durable_task]
async fn generate(_ctx: TaskContext, job: Job) -> Result<ActionResult<Package>> {
    println!("{}", job.package);
    Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
}

#[derive(Deserialize, JsonSchema)]
struct Params {
    package: String,
}

/// Generates the images of a package at once.
#[chat_function(action_type = "write", event = "generated", effects = ["update:package"])]
async fn generate_now(ctx: Context, params: Params) -> Result<ActionResult<Package>> {
    generate(ctx, Job { package: params.package }).await
}

fn main() {}
