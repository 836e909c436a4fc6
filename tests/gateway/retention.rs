//! Retention removes old rows, and a client that resumes from a removed event gets a notice (P10).

use imperal_tests::{User, eventually};
use serde_json::json;

#[tokio::test]
async fn client_behind_retention_is_told_and_continues() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = crate::options(&folder);
    for kind in ["turns", "tasks", "audit"] {
        options.args.extend([format!("--keep-{kind}"), "2s".to_owned()]);
    }
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let called = anna.call("steps", json!({"steps": 2, "step_ms": 1})).await;
    let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    assert_eq!(anna.end_of(&task_id).await["state"], "succeeded");
    let seen = called["turn"]["seq"].as_u64().unwrap();
    eventually("retention removes everything", async || {
        (anna.turns().await.is_empty() && anna.audit().await.is_empty()).then_some(())
    })
    .await;
    assert_eq!(anna.get(&format!("/v1/tasks/{task_id}")).await.0, 404);
    let mut events = anna.stream(seen).await;
    let hello = events.next().await;
    let pruned = events.next().await;
    assert_eq!((hello.event.as_str(), pruned.event.as_str()), ("hello", "pruned"));
    assert_eq!(pruned.data, json!({"after": seen, "pruned": hello.data["head"]}));
    assert_eq!(pruned.id, hello.data["head"].as_u64());
    anna.call("steps", json!({"steps": 2, "step_ms": 1})).await;
    assert_eq!(events.next().await.id, pruned.id.map(|id| id + 1), "numbers start again, or one is missing");
    let (_, check) = anna.get("/v1/audit/check").await;
    assert_eq!((&check["broken"], check["pruned"].as_u64()), (&serde_json::Value::Null, Some(1)), "{check}");
}

#[tokio::test]
async fn invalid_age_is_refused_with_an_example() {
    for age in ["90", "d", "-1d", "1.5h", "0s", "1y", "99999999999999999999w"] {
        let folder = tempfile::tempdir().unwrap();
        let mut options = crate::options(&folder);
        options.args.push(format!("--keep-turns={age}"));
        let refused = options.command().stderr(std::process::Stdio::piped()).output().await.unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(2) && said.contains("use 90d or 12h"), "{age}: {said}");
    }
}
