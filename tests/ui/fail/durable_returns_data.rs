//! A durable task that returns its data alone.

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
async fn generate(_ctx: TaskContext, _job: Job) -> Result<Package> {
    Ok(Package { images: 1 })
}

fn main() {}
