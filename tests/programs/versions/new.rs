//! The newer version of an extension, for upgrades: it has a task that the other one lacks, and stores another type.

#![allow(deprecated, reason = "the results of test functions need no data_model")]

#[path = "shared.rs"]
mod shared;

use std::process::ExitCode;

use imperal::prelude::*;

use shared::{Begin, Begun, Job};

imperal::extension! {
    app_id: "probe",
    name: "Probe",
    description: "Durable tasks of one version of a program, for the suites of the platform.",
    icon: "icon.svg",
    capabilities: ["probe:write"],
}

/// Works in both versions.
#[durable_task]
async fn kept(ctx: TaskContext, job: Job) -> Result<ActionResult> {
    shared::run(&ctx, &job, 2, 7).await
}

/// Stores a value that the other version cannot read.
#[durable_task]
async fn typed(ctx: TaskContext, job: Job) -> Result<ActionResult> {
    shared::run(&ctx, &job, 2, "seven".to_owned()).await
}

/// Exists in this version only.
#[durable_task]
async fn only_new(ctx: TaskContext, job: Job) -> Result<ActionResult> {
    shared::run(&ctx, &job, 2, 7).await
}

/// Start a task by its name.
#[chat_function(action_type = "write", event = "begun", effects = ["update:probe"], data_model = Begun, background)]
async fn begin(ctx: Context, params: Begin) -> Result<ActionResult<Begun>> {
    let job = Job { gate: params.gate };
    let task = match params.task.as_str() {
        "kept" => kept::with(job),
        "typed" => typed::with(job),
        _ => only_new::with(job),
    };
    shared::begin(ctx, task).await
}

fn main() -> ExitCode {
    imperal::run()
}
