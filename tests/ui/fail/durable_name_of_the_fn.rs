//! A fn whose name is no name of a durable task.

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
async fn générer(_ctx: TaskContext, job: Job) -> Result<ActionResult<Package>> {
    println!("{}", job.package);
    Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
}

fn main() {}
