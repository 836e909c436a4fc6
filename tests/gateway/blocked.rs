//! Work that blocks its thread is named in the log meanwhile (P13) and does not delay other work.

use imperal_tests::User;
use serde_json::json;

use crate::options;

#[tokio::test]
async fn blocked_thread_is_logged_with_its_task_and_duration() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    let log = folder.path().join("log");
    options.log = Some(log.clone());
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let reply = anna.call("block", json!({"millis": 3500})).await;
    let task_id = reply["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    let yielding = anna.call("stubborn", json!({"millis": 3000})).await;
    let yielding = yielding["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    let quick = User::of(&node, "ben").call("echo", json!({"text": "quick"})).await;
    assert_eq!(quick["result"]["status"], "success");
    assert_eq!(anna.end_of(&task_id).await["state"], "succeeded");
    anna.end_of(&yielding).await;

    let log = std::fs::read_to_string(log).unwrap();
    let named: Vec<&str> = log.lines().filter(|line| line.contains("blocks its thread")).collect();
    let of_task = named.iter().filter(|line| line.contains(&task_id) && line.contains("blocker")).count();
    assert!(of_task >= 1 && of_task == named.len(), "{log}");
    let millis = |line: &&str| {
        let number = line.split("blocked_ms=").nth(1)?;
        number.split_whitespace().next()?.parse::<u64>().ok()
    };
    let longest = named.iter().filter_map(millis).max().unwrap();
    assert!((1000..4500).contains(&longest), "{longest} ms of 3500");
    assert!(!log.contains(&yielding), "what yields is not named");
}
