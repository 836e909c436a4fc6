//! A cancel cannot be swallowed (P11).

use std::time::Duration;

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

/// Starts a call in the foreground and returns its answer and its id.
pub(crate) async fn foreground(
    anna: &User,
    function: &'static str,
    params: Value,
) -> (tokio::task::JoinHandle<Value>, String) {
    let caller = anna.clone();
    let answer = tokio::spawn(async move { caller.call(function, params).await });
    let asked = async {
        loop {
            if let Some(turn) = anna.turns().await.iter().find(|turn| turn["role"] == "user") {
                return turn["call_id"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let call_id = tokio::time::timeout(Duration::from_secs(10), asked).await.expect("the call is accepted");
    (answer, call_id)
}

pub(crate) async fn stop(anna: &User, call_id: &str) -> (u16, Value) {
    let (status, body) = anna.post(&format!("/v1/calls/{call_id}/cancel"), &json!({})).await;
    (status.as_u16(), body)
}

/// The one reply turn of the user's one call.
async fn only_reply(anna: &User) -> Value {
    let turns = anna.turns().await;
    let replies: Vec<_> = turns.iter().filter(|turn| turn["role"] == "bot").collect();
    assert_eq!(replies.len(), 1, "{turns:?}");
    replies[0].clone()
}

#[tokio::test]
async fn stopped_call_that_waits_for_a_service_replies_once_and_at_once() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let service = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", service.local_addr().unwrap());
    let (answer, call_id) = foreground(&anna, "fetch", json!({"url": url})).await;
    let (_connection, _) = service.accept().await.unwrap();
    assert_eq!(stop(&anna, &call_id).await, (200, json!({"call_id": call_id, "state": "stopping"})));
    let answer = answer.await.unwrap();
    assert_eq!(answer["result"]["error_code"], "CANCELLED", "{answer}");
    let reply = only_reply(&anna).await;
    assert_eq!((&reply["text"], &reply["call_id"]), (&json!("Fetch was cancelled."), &json!(call_id)));
    assert_eq!(stop(&anna, &call_id).await, (200, json!({"call_id": call_id, "state": "replied"})), "no error");
    only_reply(&anna).await;
    let rows = anna.audit().await;
    assert_eq!(rows.iter().filter(|row| row["action"] == "call.cancel").count(), 2, "one for each request: {rows:?}");
}

#[tokio::test]
async fn call_that_ignores_a_stop_is_dropped_after_the_grace_period() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let (answer, call_id) = foreground(&anna, "linger", json!({"millis": 600_000})).await;
    assert_eq!(stop(&anna, &call_id).await.0, 200);
    assert_eq!(stop(&anna, &call_id).await.1["state"], "stopping", "a second request changes nothing");
    assert_eq!(answer.await.unwrap()["result"]["error_code"], "CANCELLED");
    only_reply(&anna).await;
}
