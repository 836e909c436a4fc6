//! The old version of an extension, for upgrades: it has a task that the other one lacks, and stores another type.

#![allow(deprecated, reason = "the results of test functions need no data_model")]

#[path = "shared.rs"]
mod shared;

use std::process::ExitCode;

use imperal::prelude::*;

use only_old as only;
use shared::{Job, run};

const VERSION: u32 = 1;

/// The value that the task `typed` stores.
fn typed_value() -> u32 {
    7
}

/// Exists in this version only.
#[durable_task]
async fn only_old(ctx: TaskContext, job: Job) -> Result<ActionResult> {
    run(&ctx, &job, 7).await
}

fn main() -> ExitCode {
    imperal::run()
}
