//! The attribute is on an associated fn.
//! one more error: the macro cannot see that it is in an `impl`, so the compiler reports the handler
//! one more error: and the fn, which the handler calls
//! one more error: and the type that it writes next to the fn

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Job {
    package: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Package {
    images: u32,
}

struct Service;

impl Service {
    /// Generates every image of a package.
    #[durable_task]
    async fn generate(_ctx: TaskContext, _job: Job) -> Result<ActionResult<Package>> {
        Ok(ActionResult::success(Package { images: 1 }, "Your images are ready."))
    }
}

fn main() {}
