//! A durable task without a return type.

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Job {
    package: String,
}

/// Generates every image of a package.
#[durable_task]
async fn generate(_ctx: TaskContext, _job: Job) {
    println!("Your images are ready.");
}

fn main() {}
