//! Processor time of drafts beside that of progress at the same rate: one node on SQLite, as many watchers, as many tasks.

use std::time::Duration;

use imperal_tests::{Node, NodeOptions, User, sibling};
use serde_json::{Value, json};

use crate::median;

const TASKS: usize = 20;
const WATCHERS: usize = 20;
/// Reports and words of each task.
const EACH: u64 = 100;
const EVERY_MS: u64 = 100;
const ROUNDS: usize = 5;

/// Processor time of a process so far, in ticks of the kernel.
fn ticks(node: &Node) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", node.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
}

/// Ticks that the tasks of one function take, from their start to their end.
async fn spent(function: &str, params: &Value) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::new(sibling("probe"), folder.path().join("data"));
    options.env.push(("RUST_LOG".to_owned(), "error".to_owned()));
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let mut watching = Vec::new();
    for _ in 0..WATCHERS {
        let mut events = anna.stream(0).await;
        watching.push(tokio::spawn(async move { while events.try_next().await.is_some() {} }));
    }
    let before = ticks(&node);
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        let called = anna.call(function, params.clone()).await;
        tasks.push(called["result"]["data"]["task_id"].as_str().unwrap().to_owned());
    }
    tokio::time::sleep(Duration::from_millis(EACH * EVERY_MS)).await;
    for task in &tasks {
        assert_eq!(anna.end_of(task).await["state"], "succeeded");
    }
    let spent = ticks(&node) - before;
    watching.iter().for_each(tokio::task::JoinHandle::abort);
    spent
}

pub(crate) async fn words() {
    let (mut progress, mut drafts, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let of_progress = spent("steps", &json!({"steps": EACH, "step_ms": EVERY_MS})).await;
        let of_drafts = spent("write_words_later", &json!({"words": EACH, "word_ms": EVERY_MS})).await;
        progress.push(of_progress);
        drafts.push(of_drafts);
        ratios.push(of_drafts / of_progress);
    }
    println!("words: {TASKS} tasks, {WATCHERS} watchers, one report or word in {EVERY_MS} ms each, {ROUNDS} rounds");
    println!("  progress {:.0} ticks, drafts {:.0} ticks (medians)", median(progress), median(drafts));
    println!("  drafts cost {:.2} times what progress costs", median(ratios));
}
