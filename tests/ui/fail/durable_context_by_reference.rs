//! The context is borrowed.

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
async fn generate(_ctx: &TaskContext, _job: Job) -> Result<ActionResult<Package>> {
    Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
}

fn main() {}
