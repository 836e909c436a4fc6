//! The work of a step returns its value alone.

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
    let images: u32 = ctx.step("count", async |_| 1).await?;
    Ok(ActionResult::success(Package { images }, "Your images are ready."))
}

fn main() {}
