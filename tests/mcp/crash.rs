//! kill -9 of the server between `tools/call` and `tasks/get`.

use imperal_tests::{Claims, JWT_SECRET, NodeOptions, eventually, token};
use rmcp::model::{CallToolResponse, GetTaskParams, TaskPayload};
use serde_json::json;

use crate::{Kind, client, tool_call};

#[tokio::test]
async fn task_outlives_the_killed_server_and_ends_once() {
    let folder = tempfile::tempdir().unwrap();
    let node = NodeOptions::new(imperal_tests::sibling("probe"), folder.path().join("data")).start().await;
    let token = token(&Claims::of("anna"), JWT_SECRET);
    let before = client(&format!("{}/mcp", node.url), &token, Kind::Tasks).await;
    let inquiry = json!({"what": "sleep", "within_ms": 1500});
    let response = before.call_tool_once(tool_call("inquire_user", inquiry)).await.unwrap();
    let CallToolResponse::Task(created) = response else { panic!("{response:?}") };
    let id = created.task.task_id;

    // The answer was sent, so the task is on disk.
    let node = node.kill().await.start().await;
    let after = client(&format!("{}/mcp", node.url), &token, Kind::Tasks).await;
    let ended = eventually("the task ends", async || {
        let task = after.get_task(GetTaskParams::new(&id)).await.unwrap().task;
        task.status().is_terminal().then_some(task)
    })
    .await;
    let TaskPayload::Completed { result } = ended.payload else { panic!("{ended:?}") };
    assert_eq!(result["content"][0]["text"], "The answer was: awake.");

    let anna = imperal_tests::User::with_token(&node, &token);
    let outcomes = anna.turns().await.into_iter().filter(|turn| turn["text"] == "The answer was: awake.").count();
    assert_eq!(outcomes, 1);
}

#[tokio::test]
async fn call_that_dies_with_the_server_completes_with_the_interruption() {
    let folder = tempfile::tempdir().unwrap();
    let node = NodeOptions::new(imperal_tests::sibling("probe"), folder.path().join("data")).start().await;
    let token = token(&Claims::of("anna"), JWT_SECRET);
    let before = client(&format!("{}/mcp", node.url), &token, Kind::Tasks).await;
    let steps = json!({"steps": 1000, "step_ms": 100});
    let response = before.call_tool_once(tool_call("steps", steps)).await.unwrap();
    let CallToolResponse::Task(created) = response else { panic!("{response:?}") };
    let node = node.kill().await.start().await;
    let after = client(&format!("{}/mcp", node.url), &token, Kind::Tasks).await;
    let ended = eventually("the task ends", async || {
        let task = after.get_task(GetTaskParams::new(&created.task.task_id)).await.unwrap().task;
        task.status().is_terminal().then_some(task)
    })
    .await;
    let TaskPayload::Completed { result } = ended.payload else { panic!("{ended:?}") };
    assert_eq!(
        (&result["isError"], &result["structuredContent"]["error"]["code"]),
        (&json!(true), &json!("INTERRUPTED"))
    );
}
