//! The tasks extension: a call that is not done becomes a task, whose id is the call's.

use imperal_tests::eventually;
use rmcp::model::{CallToolResponse, CancelTaskParams, DetailedTask, GetTaskParams, TaskPayload, TaskStatus};
use serde_json::json;

use crate::{Client, Desk, Kind, call, text, tool_call};

/// Calls a tool that becomes a task, and returns the task's id.
async fn start(client: &Client, name: &'static str, millis: u64) -> String {
    match client.call_tool_once(tool_call(name, json!({"millis": millis}))).await.unwrap() {
        CallToolResponse::Task(created) => {
            assert_eq!(created.task.status, TaskStatus::Working);
            created.task.task_id
        }
        other => panic!("{other:?}"),
    }
}

async fn state(client: &Client, id: &str) -> DetailedTask {
    client.get_task(GetTaskParams::new(id)).await.unwrap().task
}

async fn end_of(client: &Client, id: &str) -> DetailedTask {
    eventually("the task ends", async || Some(state(client, id).await).filter(|task| task.status().is_terminal())).await
}

#[tokio::test]
async fn background_work_is_a_task_at_once_and_ends_with_its_outcome() {
    let desk = Desk::start().await;
    let client = desk.client("anna", Kind::Tasks).await;
    let id = start(&client, "build", 1500).await;
    let open = state(&client, &id).await;
    assert_eq!((open.status(), open.task.ttl_ms), (TaskStatus::Working, None));
    assert!(open.task.poll_interval_ms.is_some());
    let ended = end_of(&client, &id).await;
    let TaskPayload::Completed { result } = ended.payload else { panic!("{ended:?}") };
    assert_eq!((&result["content"][0]["text"], &result["isError"]), (&json!("Built."), &json!(false)));
}

#[tokio::test]
async fn slow_call_becomes_a_task_and_a_fast_one_does_not() {
    let desk = Desk::start().await;
    let client = desk.client("anna", Kind::Tasks).await;
    assert_eq!(text(&call(&client, "think", json!({"millis": 10})).await), "Thought.");
    let id = start(&client, "think", 3000).await;
    let ended = end_of(&client, &id).await;
    let TaskPayload::Completed { result } = ended.payload else { panic!("{ended:?}") };
    assert_eq!(result["content"][0]["text"], "Thought.");
}

#[tokio::test]
async fn tasks_cancel_stops_the_work() {
    let desk = Desk::start().await;
    let client = desk.client("anna", Kind::Tasks).await;
    for name in ["build", "think"] {
        let id = start(&client, name, 600_000).await;
        client.cancel_task(CancelTaskParams::new(&id)).await.unwrap();
        assert_eq!(end_of(&client, &id).await.status(), TaskStatus::Cancelled, "{name}");
    }
}

#[tokio::test]
async fn tasks_of_others_and_unknown_tasks_have_one_answer() {
    let desk = Desk::start().await;
    let id = start(&desk.client("anna", Kind::Tasks).await, "build", 600_000).await;
    let ben = desk.client("ben", Kind::Tasks).await;
    let mut errors = Vec::new();
    for id in [id.as_str(), "0192f0c1-0000-7000-8000-000000000000", "nonsense"] {
        errors.push(ben.get_task(GetTaskParams::new(id)).await.unwrap_err().to_string());
        errors.push(ben.cancel_task(CancelTaskParams::new(id)).await.unwrap_err().to_string());
    }
    assert!(errors.iter().all(|error| *error == errors[0] && error.contains("-32602")), "{errors:#?}");
    assert_eq!(desk.access("ben").audit(0, 50).await.unwrap().rows.len(), 6);
    assert_eq!(desk.access("anna").running_tasks().await.unwrap().len(), 1, "it was not cancelled");
}

#[tokio::test]
async fn clients_without_the_extension_get_no_task() {
    let desk = Desk::start().await;
    let client = desk.client("anna", Kind::Modern).await;
    let error = client.get_task(GetTaskParams::new("x")).await.unwrap_err().to_string();
    assert!(error.contains("-32021"), "{error}");
}

#[tokio::test]
async fn ended_task_says_how_long_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = imperal_tests::NodeOptions::new(imperal_tests::sibling("probe"), folder.path().join("data"));
    options.args.extend(["--keep-turns", "2h", "--keep-tasks", "1h"].map(str::to_owned));
    let node = options.start().await;
    let token = imperal_tests::token(&imperal_tests::Claims::of("anna"), imperal_tests::JWT_SECRET);
    let client = crate::client(&format!("{}/mcp", node.url), &token, Kind::Tasks).await;
    let call = tool_call("inquire_user", json!({"what": "choice", "within_ms": 600_000}));
    let CallToolResponse::Task(created) = client.call_tool_once(call).await.unwrap() else { panic!("no task") };
    assert_eq!(created.task.ttl_ms, None);
    // Nothing happens by itself until the user answers.
    let waiting = eventually("the task waits", async || {
        let task = state(&client, &created.task.task_id).await;
        (task.task.poll_interval_ms == Some(30_000)).then_some(task)
    })
    .await;
    assert_eq!((waiting.status(), waiting.task.ttl_ms), (TaskStatus::Working, None));
    client.cancel_task(CancelTaskParams::new(&created.task.task_id)).await.unwrap();
    let ttl = end_of(&client, &created.task.task_id).await.task.ttl_ms.unwrap();
    // From the start of the work: the time that it took, and what retention leaves after its end.
    assert!((3_600_001..3_700_000).contains(&ttl), "{ttl}");
}
