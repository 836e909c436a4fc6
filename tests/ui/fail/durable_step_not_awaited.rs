//! A step is not awaited.

#![deny(unused_must_use)]

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
    ctx.step("tell", async |ctx| ctx.progress(50, "Halfway").await);
    Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
}

fn main() {}
