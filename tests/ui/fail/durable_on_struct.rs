//! The attribute is on a struct.

use imperal::prelude::*;

#[durable_task]
#[derive(Serialize, Deserialize)]
struct Job {
    package: String,
}

fn main() {}
