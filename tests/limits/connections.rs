//! Connections: request heads, timeouts, and their number.

use std::time::Duration;

use imperal_tests::User;
use serde_json::json;

use super::raw::{Raw, head, status};
use crate::{metric, node_with, options, until};

#[tokio::test]
async fn half_sent_requests_do_not_block_a_node_with_256_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder, &[]);
    options.under = ["sh", "-c", "ulimit -n 256; exec \"$0\" \"$@\""].map(str::to_owned).to_vec();
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    anna.call("echo", json!({"text": "before"})).await;
    let mut half = Vec::new();
    for _ in 0..260 {
        let mut client = Raw::connect(&node).await;
        client.send("GET /v1/tasks HTTP/1.1\r\nhost: no").await;
        half.push(client);
    }
    // On another connection, while all of them stay open.
    let ben = User::of(&node, "ben");
    let served = tokio::time::timeout(Duration::from_secs(5), ben.call("echo", json!({"text": "hi"})));
    served.await.expect("another user is served at once");
    assert!(metric(&node, "imperal_connections_cut_total{reason=\"crowded\"}").await >= 100.0);
    assert!(metric(&node, "imperal_connections_open").await <= 200.0);
}

#[tokio::test]
async fn unfinished_head_is_answered_408() {
    let (_folder, node) = node_with(&["--header-timeout=0.5"]).await;
    let mut half = Raw::connect(&node).await;
    half.send("GET /healthz HTTP/1.1\r\nhost").await;
    assert_eq!(status(&half.until_the_end().await), (408, "MALFORMED_REQUEST".into()));
    // Single bytes do not extend the timeout.
    let mut slow = Raw::connect(&node).await;
    let dripping = async {
        while slow.send("x").await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), dripping).await.expect("a dripping client is cut");
    let mut silent = Raw::connect(&node).await;
    assert_eq!(silent.until_the_end().await, "", "a connection without a byte is closed without one");
    assert!(metric(&node, "imperal_connections_cut_total{reason=\"header\"}").await >= 2.0);
    assert!(metric(&node, "imperal_connections_cut_total{reason=\"idle\"}").await >= 1.0);
}

#[tokio::test]
async fn idle_connection_is_closed_and_a_stream_is_not() {
    let (_folder, node) = node_with(&["--idle-timeout=0.5", "--header-timeout=0.3"]).await;
    let anna = User::of(&node, "anna");
    let mut events = anna.stream(0).await;
    events.next().await;
    let mut idle = Raw::connect(&node).await;
    for _ in 0..3 {
        idle.send("GET /healthz HTTP/1.1\r\nhost: node\r\n\r\n").await;
        assert!(idle.answer().await.ends_with("ok\n"));
    }
    assert_eq!(idle.until_the_end().await, "");
    // A call that takes longer than both timeouts is answered.
    anna.call("linger", json!({"millis": 900})).await;
    assert_eq!(events.next().await.event, "turn");
}

#[tokio::test]
async fn invalid_requests_are_answered_in_json() {
    let (_folder, node) = node_with(&[]).await;
    let line = "GET /healthz HTTP/1.1\r\nhost: node\r\n";
    let cases = [
        (431, format!("{line}x-long: {}\r\n\r\n", "x".repeat(33 * 1024))),
        (431, format!("{line}{}\r\n", "x-more: 1\r\n".repeat(101))),
        (431, format!("{line}x-endless: {}", "x".repeat(200 * 1024))),
        (414, format!("GET /healthz?{} HTTP/1.1\r\nhost: node\r\n\r\n", "x".repeat(9 * 1024))),
        (400, "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n".to_owned()),
        (400, "GET /healthz HTTP/1.1\r\nhost: node\r\nx y: 1\r\n\r\n".to_owned()),
        (400, "POST /healthz HTTP/1.1\r\nhost: node\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned()),
    ];
    for (expected, request) in cases {
        let mut client = Raw::connect(&node).await;
        client.send(&request).await;
        let answer = client.until_the_end().await;
        assert_eq!(status(&answer), (expected, "MALFORMED_REQUEST".into()), "{}: {answer}", &request[..60]);
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
    // A head just under the limits is read.
    let mut client = Raw::connect(&node).await;
    client.send(format!("{line}x-long: {}\r\n{}\r\n", "x".repeat(31_000), "x-more: 1\r\n".repeat(90))).await;
    assert_eq!(status(&client.answer().await).0, 200);
    // Invalid bytes after a valid request are answered after it.
    client.send(format!("{line}\r\n\0\0garbage\r\n\r\n")).await;
    let answers = client.until_the_end().await;
    assert!(answers.starts_with("HTTP/1.1 200") && answers.contains("HTTP/1.1 400"), "{answers}");
}

#[tokio::test]
async fn http_2_is_refused_by_name() {
    let (_folder, node) = node_with(&[]).await;
    let mut client = Raw::connect(&node).await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0").await;
    let answer = client.until_the_end().await;
    assert_eq!(status(&answer), (505, "MALFORMED_REQUEST".into()));
    assert!(answer.contains("HTTP/1.1."), "{answer}");
}

#[tokio::test]
async fn unread_stream_frees_its_place() {
    let (_folder, node) = node_with(&["--write-timeout=1", "--streams-per-user=1"]).await;
    let anna = User::of(&node, "anna");
    for _ in 0..8 {
        let tasks = (0..20).map(|_| anna.call("deliver", json!({"unit": "0123456789", "times": 6500})));
        futures_util::future::join_all(tasks).await;
    }
    let mut stalled = Raw::with_little_room(&node).await;
    stalled.send(format!("{}\r\n", head("GET", "/v1/events/stream?after=0", "anna"))).await;
    until(&node, "imperal_streams_open", |open| open > 0.5).await;
    assert_eq!(anna.get("/v1/events/stream").await.0, 429);
    User::of(&node, "ben").stream(0).await.next().await;
    until(&node, "imperal_streams_open", |open| open == 0.0).await;
    anna.stream(0).await.next().await;
    drop(stalled);
}

#[tokio::test]
async fn node_at_its_connection_limit_answers_its_probes() {
    let (_folder, node) = node_with(&["--connections=4"]).await;
    let anna = User::of(&node, "anna");
    let mut streams = Vec::new();
    for user in ["anna", "ben", "cleo", "dan"] {
        let mut stream = User::of(&node, user).stream(0).await;
        stream.next().await;
        streams.push(stream);
    }
    let answer = User::of(&node, "eve").request(reqwest::Method::GET, "/v1/tasks").send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["error"]["code"], "UNAVAILABLE");
    for probe in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(User::of(&node, "eve").get(probe).await.0, 200, "{probe}");
    }
    streams.truncate(2);
    let freed = async {
        while User::of(&node, "eve").get("/v1/tasks").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), freed).await.expect("places are given back");
    assert_eq!(anna.get("/v1/tasks").await.0, 200);
}
