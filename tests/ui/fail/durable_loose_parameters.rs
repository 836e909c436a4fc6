//! The input is written as several parameters.

use imperal::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Package {
    images: u32,
}

/// Generates every image of a package.
#[durable_task]
async fn generate(_ctx: TaskContext, _package: String, _count: u32) -> Result<ActionResult<Package>> {
    Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
}

fn main() {}
