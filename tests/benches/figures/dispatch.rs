//! A call in process: parameters checked, handler run, result rendered, turns in a ledger in memory;
//! beside the reference SDK's validate, call and render of the same function.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use imperal::testing::TestPlatform;
use serde_json::json;

use super::Size;
use super::sample::{Sample, Table, time};

const ROUNDS: usize = 5;

pub(crate) async fn run(size: Size, table: &mut Table) {
    let platform = TestPlatform::start().await;
    let anna = platform.user("anna");
    let each = size.of(20_000, 20);
    let (mut ours, mut theirs) = (Sample::default(), Vec::new());
    for _ in 0..size.of(ROUNDS, 1) {
        // An exact median over all calls would need a clock read each; blocks of a hundred do.
        for _ in 0..each.div_ceil(100) {
            let block = each.min(100);
            let begun = Instant::now();
            for _ in 0..block {
                let reply = anna.call("echo", json!({"text": "hello", "times": 3})).await.unwrap();
                assert!(reply.result.is_success());
            }
            ours.push(begun.elapsed() / u32::try_from(block).unwrap());
        }
        if size == Size::Full {
            theirs.extend(reference());
        }
    }
    table.row("a call in process, ledger in memory, p50", time(ours.median()), "");
    if size == Size::Smoke {
        return;
    }
    if theirs.is_empty() {
        table.row("beside the reference SDK", "not measured: `tests/reference/setup` has not run", "at least 5 x");
        return;
    }
    theirs.sort_by(f64::total_cmp);
    let theirs = theirs[theirs.len() / 2];
    table.row("the reference SDK's validate, call and render of the same function", time(theirs), "");
    table.row("how much faster", format!("{:.2} x", theirs / ours.median()), "at least 5 x");
}

/// Seconds a call of the reference SDK; nothing where its environment is not there.
fn reference() -> Option<f64> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("../target/reference-venv/bin/python");
    if !python.exists() {
        return None;
    }
    let output = Command::new(python).arg(root.join("bench/dispatch.py")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let micros: f64 = text.trim().parse().unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    Some(micros / 1e6)
}
