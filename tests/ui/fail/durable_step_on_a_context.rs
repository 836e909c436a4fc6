//! A step of a plain context.

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Job {
    package: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Package {
    images: u32,
}

async fn count(ctx: &Context) -> Result<u32> {
    ctx.step("count", async |_| Ok(1)).await
}

/// Generates every image of a package.
#[durable_task]
async fn generate(ctx: TaskContext, _job: Job) -> Result<ActionResult<Package>> {
    let images = count(&ctx).await?;
    Ok(ActionResult::success(Package { images }, "Your images are ready."))
}

fn main() {}
