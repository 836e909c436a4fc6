//! The newer version of an extension, for upgrades: it has a task that the other one lacks, and stores another type.

#![allow(deprecated, reason = "the results of test functions need no data_model")]

#[path = "shared.rs"]
mod shared;

use std::process::ExitCode;

use imperal::prelude::*;

use only_new as only;
use shared::{Job, run};

const VERSION: u32 = 2;

/// The value that the task `typed` stores.
fn typed_value() -> String {
    "seven".to_owned()
}

/// Exists in this version only.
#[durable_task]
async fn only_new(ctx: TaskContext, job: Job) -> Result<ActionResult> {
    run(&ctx, &job, 7).await
}

fn main() -> ExitCode {
    imperal::run()
}
