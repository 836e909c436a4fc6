//! A value that is not `Send` lives across an `.await`.

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
    let shared = std::rc::Rc::new(job.package);
    ctx.progress(50, &*shared).await?;
    Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
}

fn main() {}
