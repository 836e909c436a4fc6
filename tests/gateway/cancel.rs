//! A cancel cannot be swallowed (P11).

use imperal_tests::User;
use serde_json::{Value, json};

use crate::node;

async fn cancelled_once(anna: &User, task_id: &str) {
    assert_eq!(anna.end_of(task_id).await["state"], "cancelled");
    let outcomes = anna.outcomes(task_id).await;
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    assert_eq!(outcomes[0]["result"]["error_code"], "CANCELLED");
}

async fn start(anna: &User, function: &str, params: Value) -> String {
    anna.call(function, params).await["result"]["data"]["task_id"].as_str().unwrap().to_owned()
}

async fn cancel(anna: &User, task_id: &str) -> Value {
    let (status, task) = anna.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await;
    assert_eq!(status, 200, "{task}");
    task
}

#[tokio::test]
async fn cancel_ends_a_task_that_reports_progress() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let task_id = start(&anna, "steps", json!({"steps": 1000, "step_ms": 50})).await;
    let task = cancel(&anna, &task_id).await;
    assert!(task["cancel_requested_at"].is_string(), "{task}");
    cancelled_once(&anna, &task_id).await;
    assert_eq!(cancel(&anna, &task_id).await["state"], "cancelled", "asking again is no error");
    let rows = anna.audit().await;
    assert_eq!(rows.iter().filter(|row| row["action"] == "task.cancel").count(), 2, "{rows:?}");
}

#[tokio::test]
async fn cancel_ends_a_task_that_swallows_its_http_error() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let service = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", service.local_addr().unwrap());
    let task_id = start(&anna, "hang", json!({"url": url})).await;
    // The HTTP request is in flight and gets no answer.
    let (mut connection, _) = service.accept().await.unwrap();
    cancel(&anna, &task_id).await;
    cancelled_once(&anna, &task_id).await;
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut connection, &mut rest).await.unwrap();
    assert!(rest.starts_with(b"GET / "), "the connection was closed by the caller");
}

#[tokio::test]
async fn task_that_ignores_a_cancel_is_dropped() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let task_id = start(&anna, "stubborn", json!({"millis": 600_000})).await;
    cancel(&anna, &task_id).await;
    cancelled_once(&anna, &task_id).await;
}

#[tokio::test]
async fn task_that_does_not_notice_a_cancel_keeps_its_result() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let task_id = start(&anna, "stubborn", json!({"millis": 300})).await;
    cancel(&anna, &task_id).await;
    assert_eq!(anna.end_of(&task_id).await["state"], "succeeded");
    let outcomes = anna.outcomes(&task_id).await;
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0]["text"], "Finished all the same.");
}
