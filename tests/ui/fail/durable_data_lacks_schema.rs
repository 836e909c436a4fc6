//! The data has no `JsonSchema`.

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Job {
    package: String,
}

#[derive(Serialize, Deserialize)]
struct Package {
    images: u32,
}

/// Generates every image of a package.
#[durable_task]
async fn generate(_ctx: TaskContext, job: Job) -> Result<ActionResult<Package>> {
    println!("{}", job.package);
    Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
}

fn main() {}
