//! What a call, a parked task and a recovery cost. Figures are printed, none is asserted; ratios are
//! taken within this run. `cargo run --release -p imperal-tests --bin platform-bench`
//!
//! With the reference SDK's environment (`tests/reference/setup`) it also compares the dispatch of a
//! call with that SDK's validation and call of the same function.

#![allow(deprecated, reason = "a bench's functions answer without a data_model")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use imperal::ledger::{Ledger, SqliteLedger};
use imperal::prelude::*;
use imperal::testing::TestPlatform;
use serde_json::json;
use std::time::Instant;

imperal::extension! {
    app_id: "bench",
    name: "Bench",
    description: "Functions whose cost the bench measures, and nothing else.",
    icon: "icon.svg",
    capabilities: ["bench:write"],
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Echo {
    text: String,
    #[schemars(range(min = 0, max = 100))]
    times: u32,
    #[serde(default)]
    label: Option<String>,
}

/// Answer at once with what was said.
#[chat_function(action_type = "read")]
async fn echo(_ctx: Context, params: Echo) -> Result<ActionResult<Echo>> {
    Ok(ActionResult::success(params, "Echoed."))
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// Wait in the background until the process ends.
#[chat_function(action_type = "write", event = "parked", effects = ["update:nothing"])]
async fn park(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(|_| std::future::pending::<Result<ActionResult>>()).long_running(true).await?;
    Ok(ActionResult::done("Parked."))
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn dispatch() {
    let platform = TestPlatform::start().await;
    let anna = platform.user("anna");
    let mut rounds = Vec::new();
    for _ in 0..20 {
        let begun = Instant::now();
        for _ in 0..500 {
            let reply = anna.call("echo", json!({"text": "hello", "times": 3})).await.unwrap();
            assert!(reply.result.is_success());
        }
        rounds.push(begun.elapsed().as_secs_f64() / 500.0 * 1e6);
    }
    let ours = median(rounds);
    println!("dispatch of a call, ledger in memory: {ours:.1} us");
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/reference-venv/bin/python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/dispatch.py");
    if !python.exists() {
        return println!("  (no reference environment: run tests/reference/setup for the comparison)");
    }
    let output = Command::new(python).arg(script).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    match text.trim().parse::<f64>() {
        Ok(theirs) => {
            println!("  the reference SDK validates and calls in {theirs:.1} us: {:.2} of ours", theirs / ours);
        }
        Err(_) => println!("  the reference did not run: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

async fn parked(count: u64) {
    let platform = TestPlatform::setup().settings(|settings| settings.tasks_per_user = u32::MAX).start().await;
    let users: Vec<_> = (0..100).map(|n| platform.user(&format!("user-{n}"))).collect();
    for user in &users {
        user.call("park", json!({})).await.unwrap();
    }
    // What the ledger in memory keeps of a call and a task is not the platform's: calls that park
    // nothing have two turns as well and are taken off.
    let before = resident_kib();
    for n in 0..count {
        users[usize::try_from(n % 100).unwrap()].call("echo", json!({"text": "hello", "times": 3})).await.unwrap();
    }
    let calls = resident_kib() - before;
    let before = resident_kib();
    for n in 0..count {
        users[usize::try_from(n % 100).unwrap()].call("park", json!({})).await.unwrap();
    }
    let tasks = resident_kib() - before;
    #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
    let each = |kib: u64| kib as f64 / count as f64;
    println!(
        "{count} parked tasks: {:.2} KiB each with their call and rows, {:.2} KiB a call without a task",
        each(tasks),
        each(calls)
    );
}

async fn recovery(count: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    {
        let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(&path).unwrap());
        let setup = TestPlatform::setup().settings(|settings| settings.tasks_per_user = u32::MAX);
        let platform = Arc::new(setup.ledger(ledger).start().await);
        let mut callers = Vec::new();
        for worker in 0..64 {
            let platform = platform.clone();
            callers.push(tokio::spawn(async move {
                let user = platform.user(&format!("user-{worker}"));
                for _ in 0..count / 64 {
                    user.call("park", json!({})).await.unwrap();
                }
            }));
        }
        let begun = Instant::now();
        for caller in callers {
            caller.await.unwrap();
        }
        let seconds = begun.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
        let rate = count as f64 / seconds;
        println!("accepted background calls at 64 callers, on SQLite: {rate:.0} a second");
    }
    let begun = Instant::now();
    let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(&path).unwrap());
    let platform = TestPlatform::setup().ledger(ledger).start().await;
    println!("recovery of {count} unfinished tasks: {:.2} s", begun.elapsed().as_secs_f64());
    let left = platform.user("user-0").access().running_tasks().await.unwrap();
    assert!(left.is_empty(), "nothing is left running");
}

#[tokio::main]
async fn main() {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20_000);
    dispatch().await;
    parked(count).await;
    recovery(count).await;
}
