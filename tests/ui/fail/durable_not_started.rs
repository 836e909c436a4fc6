//! A durable task is prepared and not started.

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
async fn generate(_ctx: TaskContext, job: Job) -> Result<ActionResult<Package>> {
    println!("{}", job.package);
    Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
}

async fn start(ctx: &Context) -> Result<()> {
    generate::with(Job { package: "a".to_owned() });
    ctx.progress(50, "Halfway").await?;
    Ok(())
}

fn main() {
    let _ = start;
}
