//! The value of a step has no `Deserialize`.

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Job {
    package: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Package {
    images: u32,
}

#[derive(Serialize)]
struct Brief {
    images: u32,
}

/// Generates every image of a package.
#[durable_task]
async fn generate(ctx: TaskContext, _job: Job) -> Result<ActionResult<Package>> {
    let brief = ctx.step("brief", async |_| Ok(Brief { images: 1 })).await?;
    Ok(ActionResult::success(Package { images: brief.images }, "Your images are ready."))
}

fn main() {}
