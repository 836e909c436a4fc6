//! A panic in the platform's code gives an answer and a line in the log, and the process continues.

use std::time::Duration;

use imperal_tests::{Node, User};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn node(panic_at: &str) -> (TempDir, Node) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = crate::options(&folder);
    options.env.push(("IMPERAL_PANIC_AT".to_owned(), panic_at.to_owned()));
    options.log = Some(folder.path().join("log"));
    let node = options.start().await;
    (folder, node)
}

/// Sends a request on a connection that stays open; returns the answer up to `last`.
async fn ask(connection: &mut TcpStream, path: &str, last: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&answer).ends_with(last) {
            let mut bytes = [0; 1024];
            let length = connection.read(&mut bytes).await.unwrap();
            assert!(length > 0, "the connection ended");
            answer.extend_from_slice(&bytes[..length]);
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("an answer");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn panic_in_a_request_handler_is_a_500_on_a_live_connection() {
    let (folder, node) = node("request:1-1").await;
    let mut connection = TcpStream::connect(node.url.strip_prefix("http://").unwrap()).await.unwrap();
    let answer = ask(&mut connection, "/v1/session", "}").await;
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("\"code\":\"INTERNAL\""), "{answer}");
    assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
    assert!(!answer.contains("panic"), "the client sees the panic's text: {answer}");
    assert!(ask(&mut connection, "/healthz", "ok\n").await.starts_with("HTTP/1.1 200 "));
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("a request handler panicked") && log.contains("/v1/session"), "{log}");
    assert!(log.contains("a test's panic at request"), "{log}");
}

#[tokio::test]
async fn call_with_a_platform_panic_has_one_reply() {
    let (_folder, node) = node("before-reply:1-1").await;
    let anna = User::of(&node, "anna");
    let (status, body) = anna.try_call("steps", json!({"steps": 1, "step_ms": 1})).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (503, &json!("UNAVAILABLE")), "{body}");
    let mut events = anna.stream(0).await;
    let replied = async {
        loop {
            let event = events.next().await;
            if event.event == "turn" && event.data["role"] == "bot" && event.data["task_id"].is_null() {
                return event.data;
            }
        }
    };
    let reply = tokio::time::timeout(Duration::from_secs(10), replied).await.expect("a reply");
    assert_eq!(reply["result"]["error_code"], "INTERRUPTED", "{reply}");
    // The task that the call had started does not wait for the reply for ever.
    let (_, tasks) = anna.get("/v1/tasks").await;
    let task_id = tasks["tasks"][0]["task_id"].as_str().unwrap();
    assert_eq!(anna.end_of(task_id).await["state"], "succeeded");
    anna.call("echo", json!({"text": "and on"})).await;
}

#[tokio::test]
async fn task_with_a_platform_panic_has_one_outcome() {
    let (_folder, node) = node("work-done:1-1").await;
    let anna = User::of(&node, "anna");
    let reply = anna.call("steps", json!({"steps": 1, "step_ms": 1})).await;
    let task_id = reply["result"]["data"]["task_id"].as_str().unwrap();
    assert_eq!(anna.end_of(task_id).await["state"], "reclaimed");
    let outcomes = anna.outcomes(task_id).await;
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    assert_eq!(outcomes[0]["result"]["error_code"], "INTERRUPTED");
}
