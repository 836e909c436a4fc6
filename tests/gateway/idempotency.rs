//! A request repeated with its `Idempotency-Key` runs once, on one node or on two, and every repetition gets
//! the same answer (P8).

use imperal_tests::{Node, User};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::node;

/// A call with a key; returns status, headers and body.
pub(crate) async fn call(
    user: &User,
    key: &str,
    function: &str,
    params: Value,
) -> reqwest::Result<(StatusCode, HeaderMap, Value)> {
    let request = user.request(Method::POST, "/v1/extensions/probe/call").header("idempotency-key", key);
    let answer = request.json(&json!({"function": function, "params": params})).send().await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    Ok((status, headers, answer.json().await?))
}

/// Sends the same call in sequence and concurrently to these nodes: one turn, one answer.
pub(crate) async fn concurrent_repetitions_run_once(nodes: [&Node; 2]) {
    let users = nodes.map(|node| User::of(node, "anna"));
    let asked = (0..6).map(|number: usize| {
        let user = users[number % 2].clone();
        tokio::spawn(async move { call(&user, "at-once", "linger", json!({"millis": 700})).await.unwrap() })
    });
    let mut answers = Vec::new();
    for answer in asked.collect::<Vec<_>>() {
        answers.push(answer.await.unwrap());
    }
    answers.push(call(&users[1], "at-once", "linger", json!({"millis": 700})).await.unwrap());
    let first_hand = answers.iter().filter(|(_, headers, _)| !headers.contains_key("idempotency-replayed")).count();
    assert_eq!(first_hand, 1);
    for (status, _, body) in &answers {
        assert_eq!((status.as_u16(), body), (200, &answers[0].2));
    }
    assert_eq!(answers[0].2["result"]["summary"], "Lingered.");
    assert_eq!(users[0].turns().await.len(), 2, "asked and answered once");
}

/// Kills the node that runs a call. A repetition at `there` learns that the call was interrupted.
pub(crate) async fn repetition_says_interrupted(
    node: Node,
    there: impl AsyncFnOnce(imperal_tests::NodeOptions) -> User,
) {
    let carl = User::of(&node, "carl");
    let asking = tokio::spawn({
        let carl = carl.clone();
        async move { call(&carl, "cut-off", "linger", json!({"millis": 60_000})).await }
    });
    while carl.turns().await.is_empty() {
        tokio::task::yield_now().await;
    }
    let options = node.kill().await;
    assert!(asking.await.unwrap().is_err(), "the caller sees the connection break");
    let carl = there(options).await;
    for _ in 0..2 {
        let (status, headers, body) = call(&carl, "cut-off", "linger", json!({"millis": 60_000})).await.unwrap();
        assert_eq!((status.as_u16(), &headers["idempotency-replayed"]), (200, &"true".parse().unwrap()));
        assert_eq!(body["result"]["error_code"], "INTERRUPTED", "{body}");
    }
    assert_eq!(carl.turns().await.len(), 2, "asked and answered once");
}

#[tokio::test]
async fn repeated_request_runs_once() {
    let (_folder, node) = node().await;
    concurrent_repetitions_run_once([&node, &node]).await;
    // Keys of different users are independent.
    let ben = User::of(&node, "ben");
    let (_, headers, _) = call(&ben, "at-once", "linger", json!({"millis": 0})).await.unwrap();
    assert!(!headers.contains_key("idempotency-replayed"));
}

#[tokio::test]
async fn repetition_of_a_killed_call_says_interrupted() {
    let (_folder, node) = node().await;
    let mut again = None;
    repetition_says_interrupted(node, async |options| User::of(again.insert(options.start().await), "carl")).await;
}

#[tokio::test]
async fn reused_and_invalid_request_keys_are_refused() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    call(&anna, "k", "echo", json!({"text": "one"})).await.unwrap();
    for (function, params) in [("echo", json!({"text": "two"})), ("linger", json!({"millis": 1}))] {
        let (status, _, body) = call(&anna, "k", function, params).await.unwrap();
        assert_eq!((status.as_u16(), &body["error"]["code"]), (422, &json!("KEY_REUSED")), "{body}");
    }
    for bad in ["", "a b", "schl\u{fc}ssel", &"k".repeat(256)] {
        let (status, _, body) = call(&anna, bad, "echo", json!({"text": "three"})).await.unwrap();
        assert_eq!((status.as_u16(), &body["error"]["code"]), (400, &json!("MALFORMED_REQUEST")), "{body}");
        assert!(body["error"]["message"].as_str().unwrap().contains("Idempotency-Key"), "{body}");
    }
    let two = anna.request(Method::POST, "/v1/extensions/probe/call").header("idempotency-key", "a");
    let two = two.header("idempotency-key", "b").json(&json!({"function": "echo", "params": {"text": "four"}}));
    assert_eq!(User::send(two).await.0, 400);
    assert_eq!(anna.turns().await.len(), 2, "what was refused left nothing");
}
