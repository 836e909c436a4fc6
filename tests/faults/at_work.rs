//! A lock that another program holds, and a file that is moved away, while calls come in.

use std::time::Duration;

use imperal_tests::{NodeOptions, User};
use rusqlite::Connection;
use serde_json::json;

use crate::{Answers, until_not_ready, until_ready};

#[tokio::test]
async fn calls_are_refused_while_another_program_locks_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data"));
    let log = folder.path().join("log");
    options.log = Some(log.clone());
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let mut answers = Answers::default();
    assert!(!answers.call(&anna, 10).await);
    let reply = anna.call("stubborn", json!({"millis": 300})).await;
    let task_id = reply["result"]["data"]["task_id"].as_str().unwrap().to_owned();

    let other = Connection::open(options.folder.join("ledger.db")).unwrap();
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
    let folder = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data"));
    let log = folder.path().join("log");
    options.log = Some(log.clone());
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let mut answers = Answers::default();
    assert!(!answers.call(&anna, 10).await);
    let (here, away) = (options.folder.join("ledger.db"), options.folder.join("away.db"));
    std::fs::rename(&here, &away).unwrap();
    for _ in 0..3 {
        assert!(answers.call(&anna, 10).await, "a call is refused while the file is away");
    }
    until_not_ready(&anna, &log, &["put it back"]).await;
    std::fs::rename(&away, &here).unwrap();
    assert!(!answers.call(&anna, 10).await);
    answers.check_chat(&anna).await;
}
