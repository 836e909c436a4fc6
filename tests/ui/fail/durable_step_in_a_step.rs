//! A step in a step.

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
async fn generate(ctx: TaskContext, _job: Job) -> Result<ActionResult<Package>> {
    let images = ctx.step("outer", async |ctx| ctx.step("inner", async |_| Ok(1)).await).await?;
    Ok(ActionResult::success(Package { images }, "Your images are ready."))
}

fn main() {}
