//! The value of each step of `fan_out_steps` has neither `Serialize` nor `Deserialize`.

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Job {
    package: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Package {
    images: u32,
}

struct Brief {
    images: u32,
}

/// Generates every image of a package.
#[durable_task]
async fn generate(ctx: TaskContext, _job: Job) -> Result<ActionResult<Package>> {
    let briefs = ctx.fan_out_steps("brief", [1, 2], async |_, images| Ok(Brief { images })).await?;
    let images = briefs.into_iter().flatten().map(|brief| brief.images).sum();
    Ok(ActionResult::success(Package { images }, "Your images are ready."))
}

fn main() {}
