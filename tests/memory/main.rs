//! The memory of parked tasks, counted by an allocator that serves the whole process. So this suite has one test.

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use imperal::ledger::{Ledger, SqliteLedger};
use imperal::prelude::*;
use imperal::testing::{TestPlatform, TestUser};
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Most bytes of a task beyond a future of 0 bytes.
const AIM: usize = 2048;

/// A share of each block that the allocator takes for itself.
const BLOCK: usize = 8;

/// The maps of a node double when they are seven eighths full: with these tasks they are two thirds full, as on average.
const FIRST: usize = 41;
const TASKS: usize = 300;

imperal::extension! {
    app_id: "memory",
    name: "Memory",
    description: "Functions whose tasks wait until the process ends.",
    icon: "icon.svg",
    capabilities: ["memory:write"],
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// Start a task that waits.
#[chat_function(action_type = "write", event = "parked", effects = ["update:nothing"], data_model = ())]
async fn park(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(|_| std::future::pending::<Result<ActionResult>>()).long_running(true).await?;
    Ok(ActionResult::done("Parked."))
}

/// Start a task that waits, and is written with the call.
#[chat_function(action_type = "write", event = "parked", effects = ["update:nothing"], data_model = (), starter)]
async fn park_first(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(|_| std::future::pending::<Result<ActionResult>>()).long_running(true).await?;
    Ok(ActionResult::done("Parked."))
}

/// Bytes in use.
fn in_use() -> usize {
    let stats = ALLOCATOR.stats();
    let bytes = stats.bytes_allocated.saturating_sub(stats.bytes_deallocated);
    bytes + BLOCK * stats.allocations.saturating_sub(stats.deallocations)
}

async fn start(user: &TestUser, function: &str, count: usize) {
    for _ in 0..count {
        user.call(function, json!({})).await.unwrap();
    }
}

#[tokio::test]
async fn parked_task_keeps_at_most_2_kib() {
    for function in ["park", "park_first"] {
        let folder = tempfile::tempdir().unwrap();
        let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(folder.path().join("ledger.db")).unwrap());
        let setup = TestPlatform::setup().settings(|settings| settings.tasks_per_user = u32::MAX);
        let platform = setup.ledger(ledger).start().await;
        let user = platform.user("anna");
        start(&user, function, FIRST).await;
        let before = in_use();
        start(&user, function, TASKS).await;
        // The calls themselves are gone a moment after their answers.
        let mut each = usize::MAX;
        for _ in 0..100 {
            each = each.min(in_use().saturating_sub(before) / TASKS);
            if each <= AIM {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("{function}: {each} bytes");
        assert!(each <= AIM, "a task of `{function}` keeps {each} bytes");
    }
}
