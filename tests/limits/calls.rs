//! Running calls of one user.

use imperal_tests::User;
use serde_json::json;

use super::raw::{Raw, head, status};
use crate::{node_with, until};

const CALL: &str = "/v1/extensions/probe/call";

#[tokio::test]
async fn calls_count_until_their_reply_is_written() {
    let (_folder, node) = node_with(&["--calls-per-user=3"]).await;
    let (anna, ben) = (User::of(&node, "anna"), User::of(&node, "ben"));
    let lingering: Vec<_> = (0..3)
        .map(|_| {
            let anna = anna.clone();
            tokio::spawn(async move { anna.try_call("linger", json!({"millis": 3000})).await })
        })
        .collect();
    until(&node, "imperal_calls_open", |open| open > 2.5).await;
    lingering.iter().for_each(tokio::task::JoinHandle::abort);
    let answer = anna.request(reqwest::Method::POST, CALL).json(&json!({"function": "echo", "params": {"text": "x"}}));
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.status(), 429);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["error"]["code"], "RATE_LIMITED");
    ben.call("echo", json!({"text": "another user is served"})).await;
    assert_eq!(anna.get("/v1/tasks").await.0, 200, "reads continue");
    until(&node, "imperal_calls_open", |open| open == 0.0).await;
    assert_eq!(anna.turns().await.len(), 6, "each call that was taken has its reply");
    for _ in 0..4 {
        anna.call("echo", json!({"text": "one after the other"})).await;
    }
}

#[tokio::test]
async fn call_counts_while_its_body_is_being_sent() {
    let (_folder, node) = node_with(&["--calls-per-user=2"]).await;
    let mut sending = Vec::new();
    for _ in 0..2 {
        let mut client = Raw::connect(&node).await;
        let lines = "content-type: application/json\r\ncontent-length: 49\r\nexpect: 100-continue\r\n\r\n";
        client.send(format!("{}{lines}", head("POST", CALL, "anna"))).await;
        // The node asks for the body after it has counted the call.
        let mut asked = [0; 25];
        tokio::io::AsyncReadExt::read_exact(&mut client.0, &mut asked).await.unwrap();
        sending.push(client);
    }
    assert_eq!(User::of(&node, "anna").try_call("echo", json!({"text": "x"})).await.0, 429);
    User::of(&node, "ben").call("echo", json!({"text": "x"})).await;
    let mut last = sending.pop().unwrap();
    last.send(r#"{"function":"echo","params":{"text":"in pieces"}}"#).await;
    assert_eq!(status(&last.answer().await).0, 200);
    User::of(&node, "anna").call("echo", json!({"text": "x"})).await;
}
