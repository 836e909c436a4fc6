//! A durable task with a lifetime.

use imperal::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Package {
    images: u32,
}

#[derive(Serialize, Deserialize)]
struct Job {
    package: String,
}

/// Generates every image of a package.
#[durable_task]
async fn generate<'a>(_ctx: TaskContext, _job: Job) -> Result<ActionResult<Package>> {
    Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
}

fn main() {}
