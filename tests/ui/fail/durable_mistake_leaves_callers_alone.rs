//! A mistake in the attribute causes no error where the task is started.
//! mistakes: 3

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
#[durable_task(nam = "images")]
async fn generate(_ctx: TaskContext, job: Job) -> Result<ActionResult<Package>> {
    println!("{}", job.package);
    Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
}

/// Generates every image of a package.
#[durable_task]
async fn shrink(_ctx: TaskContext) -> Result<ActionResult<Package>> {
    Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
}

/// Generates every image of a package.
#[durable_task(twin = "Cut")]
async fn cut(_ctx: TaskContext, job: Job) -> Result<ActionResult<Package>> {
    println!("{}", job.package);
    Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
}

async fn start(ctx: &Context) -> Result<()> {
    ctx.durable_task(generate::with(Job { package: "a".to_owned() })).await?;
    ctx.durable_task(shrink::with(Job { package: "b".to_owned() })).await?;
    ctx.durable_task(cut::with(Job { package: "c".to_owned() })).await?;
    Ok(())
}

fn main() {
    let _ = start;
}
