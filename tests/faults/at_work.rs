//! A lock that another program holds, and a file that is moved away, while calls come in.

use std::path::PathBuf;
use std::time::Duration;

use imperal_tests::{Node, NodeOptions, User};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use crate::{Answers, until_not_ready, until_ready};

/// A node whose file is whole, with one answered call.
struct Scene {
    folder: TempDir,
    log: PathBuf,
    node: Node,
    anna: User,
    answers: Answers,
}

impl Scene {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data"));
        let log = options.log_into(folder.path());
        let node = options.start().await;
        let anna = User::of(&node, "anna");
        let mut answers = Answers::default();
        assert!(!answers.call(&anna, 10).await);
        Self { folder, log, node, anna, answers }
    }
}

#[tokio::test]
async fn calls_are_refused_while_another_program_locks_the_file() {
    let Scene { folder, log, node, anna, mut answers } = Scene::start().await;
    let reply = anna.call("stubborn", json!({"millis": 300})).await;
    let task_id = reply["result"]["data"]["task_id"].as_str().unwrap().to_owned();

    let other = Connection::open(folder.path().join("data").join("ledger.db")).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(answers.call(&anna, 10).await, "it waits a while and then says so");
    until_not_ready(&anna, &log, &["another program keeps", "ledger.db"]).await;
    assert_eq!(anna.get(&format!("/v1/tasks/{task_id}")).await.0, 200, "what was written can be read");
    assert_eq!(anna.outcomes(&task_id).await.len(), 0);
    other.execute_batch("ROLLBACK").unwrap();

    assert_eq!(anna.end_of(&task_id).await["state"], "succeeded");
    assert!(!answers.call(&anna, 10).await);
    until_ready(&anna).await;
    answers.check_chat(&anna).await;
    let node = node.kill().await.start().await;
    let anna = User::of(&node, "anna");
    answers.check_chat(&anna).await;
    assert_eq!(anna.outcomes(&task_id).await.len(), 1);
}

#[tokio::test]
async fn calls_are_refused_while_the_file_is_moved_away() {
    let Scene { folder, log, node: _node, anna, mut answers } = Scene::start().await;
    let (here, away) = (folder.path().join("data").join("ledger.db"), folder.path().join("data").join("away.db"));
    std::fs::rename(&here, &away).unwrap();
    for _ in 0..3 {
        assert!(answers.call(&anna, 10).await, "a call is refused while the file is away");
    }
    until_not_ready(&anna, &log, &["put it back"]).await;
    std::fs::rename(&away, &here).unwrap();
    assert!(!answers.call(&anna, 10).await);
    answers.check_chat(&anna).await;
}
