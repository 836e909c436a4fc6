//! A durable task that returns nothing.

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Job {
    package: String,
}

/// Generates every image of a package.
#[durable_task]
async fn generate(_ctx: TaskContext, _job: Job) -> Result<()> {
    Ok(())
}

fn main() {}
