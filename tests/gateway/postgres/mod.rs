//! Two processes on one PostgreSQL database are one platform (P7, P9, P10, P11).

mod backup;
mod clocks;
mod digest;
mod failover;
mod nightly;
mod outage;
mod pooler;
mod tls;
mod upgrade;
mod versions;
mod zombies;

use imperal_tests::cluster::Database;
use imperal_tests::{Node, NodeOptions, User};
use serde_json::json;
use tempfile::TempDir;

use super::idempotency;

struct Platform {
    nodes: [Node; 2],
    _folders: [TempDir; 2],
    database: Database,
}

/// A node on a database.
fn on(folder: &TempDir, database: &Database) -> NodeOptions {
    let mut options = crate::options(folder);
    options.env.push(("IMPERAL_DATABASE_URL".to_owned(), database.url()));
    options.args.extend(["--lease", "3"].map(str::to_owned));
    options
}

async fn two_nodes(name: &str) -> Platform {
    let database = Database::make(name).await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let options = folders.each_ref().map(|folder| on(folder, &database));
    let nodes = tokio::join!(options[0].start(), options[1].start());
    Platform { nodes: nodes.into(), _folders: folders, database }
}

/// An operator reads on one node what was imported on it, as from a file.
#[tokio::test]
async fn operator_imports_documents_into_the_database() {
    let platform = two_nodes("documents").await;
    crate::documents::documents_come_back(&platform.nodes[0]).await;
}

/// The other node's stream has each byte of a draft once, and keeps the text when the writing node is killed.
#[tokio::test]
async fn stream_shows_the_words_of_another_node() {
    let platform = two_nodes("words").await;
    let [first, second] = platform.nodes;
    let anna = User::of(&first, "anna");
    let watching = anna.at(&second);
    crate::drafts::words_of_another_node(&anna, &watching, first).await;
}

/// The other node's stream has each event once, in order, with the progress between.
#[tokio::test]
async fn stream_shows_the_work_of_another_node() {
    let platform = two_nodes("stream").await;
    let anna = User::of(&platform.nodes[0], "anna");
    let mut events = anna.at(&platform.nodes[1]).stream(0).await;
    let called = anna.call("steps", json!({"steps": 10, "step_ms": 150})).await;
    let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    let (mut numbers, mut reports) = (Vec::new(), 0);
    let watching = async {
        loop {
            let event = events.next().await;
            numbers.extend(event.id);
            reports += usize::from(event.event == "progress");
            if event.event == "turn" && event.data["task_id"] == task_id && !event.data["result"].is_null() {
                break;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), watching).await.expect("the outcome is shown");
    numbers.dedup();
    let wanted: Vec<u64> = (numbers[0]..).take(numbers.len()).collect();
    assert_eq!(numbers, wanted, "events are missing, out of order or shown twice");
    assert!(reports > 0, "no progress was shown");
}

#[tokio::test]
async fn request_sent_to_two_nodes_runs_once() {
    let platform = two_nodes("again").await;
    let [first, second] = &platform.nodes;
    idempotency::concurrent_repetitions_run_once([first, second]).await;
    let [first, second] = platform.nodes;
    idempotency::repetition_says_interrupted(first, async |_| User::of(&second, "carl")).await;
}

#[tokio::test]
async fn cancel_reaches_the_node_that_has_the_task() {
    let platform = two_nodes("cancel").await;
    let anna = User::of(&platform.nodes[0], "anna");
    let called = anna.call("steps", json!({"steps": 10_000, "step_ms": 50})).await;
    let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    let there = anna.at(&platform.nodes[1]);
    let (status, task) = there.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await;
    assert_eq!(status, 200, "{task}");
    assert_eq!(there.end_of(&task_id).await["state"], "cancelled");
    assert_eq!(anna.outcomes(&task_id).await.len(), 1);
}

#[tokio::test]
async fn task_of_a_killed_node_is_ended_by_another() {
    let platform = two_nodes("killed").await;
    let anna = User::of(&platform.nodes[0], "anna");
    let called = anna.call("steps", json!({"steps": 10_000, "step_ms": 50})).await;
    let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    let [first, second] = platform.nodes;
    first.kill().await;
    let anna = anna.at(&second);
    assert_eq!(anna.end_of(&task_id).await["state"], "reclaimed");
    let outcomes = anna.outcomes(&task_id).await;
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    assert_eq!(outcomes[0]["result"]["error_code"], "INTERRUPTED");
}

/// The ledger stores the request, and a notification brings it to the node that runs the call.
#[tokio::test]
async fn call_is_stopped_from_another_node() {
    let platform = two_nodes("stop_call").await;
    let anna = User::of(&platform.nodes[0], "anna");
    let other = anna.at(&platform.nodes[1]);
    let caller = anna.clone();
    let answer = tokio::spawn(async move { caller.call("linger", json!({"millis": 60_000})).await });
    let asked = async {
        loop {
            if let Some(turn) = other.turns().await.first() {
                return turn["call_id"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let call_id = tokio::time::timeout(std::time::Duration::from_secs(10), asked).await.unwrap();
    let path = format!("/v1/calls/{call_id}/cancel");
    let (status, body) = other.post(&path, &json!({})).await;
    assert_eq!((status.as_u16(), &body["state"]), (200, &json!("stopping")), "{body}");
    let answer = tokio::time::timeout(std::time::Duration::from_secs(20), answer).await.expect("the call goes on");
    assert_eq!(answer.unwrap()["result"]["error_code"], "CANCELLED");
    let replies = other.turns().await.iter().filter(|turn| turn["role"] == "bot").count();
    assert_eq!(replies, 1, "one reply");
    let (status, body) = other.post(&path, &json!({})).await;
    assert_eq!((status.as_u16(), &body["state"]), (200, &json!("replied")));
}
