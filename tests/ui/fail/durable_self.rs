//! A durable task that is a method.

use imperal::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Package {
    images: u32,
}

struct Service;

impl Service {
    /// Generates every image of a package.
    #[durable_task]
    async fn generate(&self, _ctx: TaskContext) -> Result<ActionResult<Package>> {
        Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
    }
}

fn main() {}
