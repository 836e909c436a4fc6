//! A call in this process, from its JSON to the answer's JSON: parse, check and read the parameters, run the
//! handler, render the result. The reference SDK does the same with the same function in the same run. A
//! second figure includes the platform and a ledger in memory.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use imperal::testing::TestPlatform;

use super::Size;
use super::sample::{Sample, Table, time};

const ROUNDS: usize = 5;
const BLOCK: u32 = 100;

pub(crate) async fn run(size: Size, table: &mut Table) {
    let started = TestPlatform::start().await;
    let (platform, anna) = (started.platform(), started.user("anna"));
    let user = anna.access().user().clone();
    let text = r#"{"text": "hello", "times": 3}"#;
    let blocks = size.of(200, 1);
    let (mut handled, mut whole, mut theirs) = (Sample::default(), Sample::default(), Vec::new());
    for _ in 0..size.of(ROUNDS, 1) {
        for _ in 0..blocks {
            // Blocks of a hundred calls, because reading the clock takes time too.
            let begun = Instant::now();
            for _ in 0..BLOCK {
                let params = serde_json::from_str(text).unwrap();
                let result = platform.handle(&user, "bench", "echo", params).await.unwrap();
                assert!(serde_json::to_string(&result).unwrap().len() > 20);
            }
            handled.push(begun.elapsed() / BLOCK);
            let begun = Instant::now();
            for _ in 0..BLOCK {
                let reply = anna.call("echo", serde_json::from_str(text).unwrap()).await.unwrap();
                assert!(reply.result.is_success());
            }
            whole.push(begun.elapsed() / BLOCK);
        }
        if size == Size::Full {
            theirs.extend(reference());
        }
    }
    table.row("a call from JSON to JSON: parse, check, read, handler, render; p50", time(handled.median()), "");
    table.row(
        "the same with platform and ledger in memory around it: two turns, supervision, both events; p50",
        time(whole.median()),
        "",
    );
    if size == Size::Smoke {
        return;
    }
    if theirs.is_empty() {
        table.row(
            "compared with the reference SDK",
            "not measured: `tests/reference/setup` has not run",
            "at least 5 x",
        );
        return;
    }
    theirs.sort_by(f64::total_cmp);
    let theirs = theirs[theirs.len() / 2];
    table.row("the reference SDK: parse, validate, call, render the same; p50", time(theirs), "");
    table.row("how much faster from JSON to JSON", format!("{:.2} x", theirs / handled.median()), "at least 5 x");
}

/// Seconds a call of the reference SDK; `None` when it is not installed.
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
