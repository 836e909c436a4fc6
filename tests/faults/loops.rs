//! A panic in a maintenance loop: the loop restarts, `/readyz` reports it meanwhile, calls continue.

use std::time::{Duration, Instant};

use imperal_tests::{Node, NodeOptions, User};
use serde_json::json;
use tempfile::TempDir;

use crate::{Answers, ready};

const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// A node that panics at a named moment, in these of its passes.
async fn node(panic_at: &str, lease: &str) -> (TempDir, Node) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data"));
    options.args.extend(["--lease", lease].map(str::to_owned));
    options.env.push(("IMPERAL_PANIC_AT".to_owned(), panic_at.to_owned()));
    options.log = Some(folder.path().join("log"));
    let node = options.start().await;
    (folder, node)
}

/// The value of a metric.
async fn metric(user: &User, name: &str) -> u64 {
    let (status, text) = user.get("/metrics").await;
    assert_eq!(status, 200);
    let text = text.as_str().unwrap().to_owned();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

async fn failures(user: &User, name: &str) -> u64 {
    metric(user, &format!("imperal_loop_failures_total{{loop=\"{name}\"}}")).await
}

async fn until_failed(user: &User, name: &str, times: u64) {
    let begun = Instant::now();
    while failures(user, name).await < times {
        assert!(begun.elapsed() < PATIENCE, "{name} did not fail {times} times");
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until `/readyz` is 200, or 503 with this text.
async fn until_ready(user: &User, wanted: Result<(), &str>) {
    let begun = Instant::now();
    loop {
        let (is_ready, text) = ready(user).await;
        if wanted.map_or_else(|words| !is_ready && text.contains(words), |()| is_ready) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "wanted {wanted:?}, got {is_ready}: {text}");
        tokio::time::sleep(POLL).await;
    }
}

fn log(folder: &TempDir) -> String {
    std::fs::read_to_string(folder.path().join("log")).unwrap()
}

#[tokio::test]
async fn lease_and_work_survive_a_panic_of_the_renewal() {
    let (folder, node) = node("renewal:2-3", "3").await;
    let anna = User::of(&node, "anna");
    let reply = anna.call("steps", json!({"steps": 40, "step_ms": 100})).await;
    let task_id = reply["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    until_failed(&anna, "renewal", 2).await;
    assert_eq!(anna.end_of(&task_id).await["state"], "succeeded");
    until_ready(&anna, Ok(())).await;
    assert_eq!(metric(&anna, "imperal_lease_renewals_total{outcome=\"lost\"}").await, 0);
    assert_eq!(failures(&anna, "renewal").await, 2);
    let log = log(&folder);
    assert!(log.contains("maintenance loop panicked") && log.contains("renewal"), "{log}");
    assert!(log.contains("a test's panic at renewal"), "{log}");
}

#[tokio::test]
async fn lapsed_lease_refuses_calls_while_the_renewal_is_down() {
    let (_folder, node) = node("renewal:2-7", "0.9").await;
    let anna = User::of(&node, "anna");
    until_ready(&anna, Err("renewal is not at work")).await;
    // The pauses add up to 6 s, the last one alone is 3.2 s: the lease of 0.9 s lapses.
    until_failed(&anna, "renewal", 6).await;
    let mut answers = Answers::default();
    assert!(answers.call(&anna, 10).await, "a call was taken although the lease had lapsed");
    until_ready(&anna, Ok(())).await;
    assert!(!answers.call(&anna, 10).await);
    answers.check_chat(&anna).await;
}

#[tokio::test]
async fn calls_continue_while_the_recovery_restarts() {
    let (_folder, node) = node("recovery:1-4", "3").await;
    let anna = User::of(&node, "anna");
    until_ready(&anna, Err("recovery is not at work")).await;
    let mut answers = Answers::default();
    for _ in 0..5 {
        assert!(!answers.call(&anna, 10).await);
    }
    until_ready(&anna, Ok(())).await;
    assert_eq!(failures(&anna, "recovery").await, 4);
    answers.check_chat(&anna).await;
}

/// Calls until the writer thread has panicked three times, and five calls more.
async fn calls_over_a_panic(panic_at: &str) -> (bool, Answers) {
    let (folder, node) = node(panic_at, "3").await;
    let anna = User::of(&node, "anna");
    let (mut answers, mut refused) = (Answers::default(), false);
    for _ in 0..100 {
        refused |= answers.call(&anna, 10).await;
        if failures(&anna, "ledger-writer").await >= 3 {
            break;
        }
    }
    assert_eq!(failures(&anna, "ledger-writer").await, 3);
    for _ in 0..5 {
        assert!(!answers.call(&anna, 10).await, "the writer does not continue");
    }
    until_ready(&anna, Ok(())).await;
    answers.check_chat(&anna).await;
    // The process holds no lock that another program would wait for.
    let file = rusqlite::Connection::open(folder.path().join("data/ledger.db")).unwrap();
    file.execute_batch("BEGIN IMMEDIATE; ROLLBACK").unwrap();
    (refused, answers)
}

#[tokio::test]
async fn panic_in_a_write_refuses_that_write_alone() {
    let (refused, _) = calls_over_a_panic("ledger-job:20-22").await;
    assert!(refused);
}

#[tokio::test]
async fn panic_of_the_writer_refuses_its_batch_alone() {
    let (refused, _) = calls_over_a_panic("ledger-writer:20-22").await;
    assert!(refused);
}

#[tokio::test]
async fn write_is_found_after_a_panic_behind_its_commit() {
    let (refused, answers) = calls_over_a_panic("ledger-written:20-22").await;
    assert!(!refused || answers.refused.is_empty(), "what was written was called refused: {answers:?}");
}

#[tokio::test]
async fn progress_arrives_after_a_panic_of_its_loop() {
    let (_folder, node) = node("progress:1-2", "3").await;
    let anna = User::of(&node, "anna");
    let mut events = anna.stream(0).await;
    anna.call("steps", json!({"steps": 60, "step_ms": 50})).await;
    let seen = async { while events.next().await.event != "progress" {} };
    tokio::time::timeout(PATIENCE, seen).await.expect("progress arrives");
    assert_eq!(failures(&anna, "progress").await, 2);
}

#[tokio::test]
async fn connections_are_accepted_after_a_panic_of_the_listener() {
    let (_folder, node) = node("listener:1-3", "3").await;
    let http = reqwest::Client::new();
    let begun = Instant::now();
    let mut refused = 0;
    // Each of the first three connections is closed by its panic.
    while http.get(format!("{}/healthz", node.url)).send().await.is_err() {
        refused += 1;
        assert!(begun.elapsed() < PATIENCE && refused < 50, "the listener does not continue");
        tokio::time::sleep(POLL).await;
    }
    assert_eq!(failures(&User::of(&node, "anna"), "listener").await, 3);
}
