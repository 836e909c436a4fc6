//! A value in a step that is not `Send` lives across an `.await`.

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
    ctx.step("tell", async |ctx| {
        let shared = std::rc::Rc::new(&job.package);
        ctx.progress(50, shared.as_str()).await
    })
    .await?;
    Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
}

fn main() {}
