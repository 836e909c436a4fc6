//! The value of a step borrows from the input.

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
async fn generate(ctx: TaskContext, job: Job) -> Result<ActionResult<Package>> {
    let name = ctx.step("name", async |_| Ok(job.package.trim())).await?;
    println!("{name}");
    Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
}

fn main() {}
