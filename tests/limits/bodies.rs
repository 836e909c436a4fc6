//! Request bodies: whose are read, their size, speed and chunks.

use imperal_tests::User;
use serde_json::json;

use super::raw::{Raw, head, status};
use crate::node_with;

const CALL: &str = "/v1/extensions/probe/call";

#[tokio::test]
async fn unauthenticated_body_is_not_awaited() {
    let (_folder, node) = node_with(&[]).await;
    for path in [CALL, "/v1/internal/chat/inject", "/v1/internal/link"] {
        let mut stranger = Raw::connect(&node).await;
        let lines = "host: node\r\nauthorization: Bearer no.such.token\r\ncontent-type: application/json\r\n";
        stranger
            .send(format!("POST {path} HTTP/1.1\r\n{lines}content-length: 1000000\r\nexpect: 100-continue\r\n\r\n"))
            .await;
        // The client sent no byte of the body, and the node asked for none.
        assert_eq!(status(&stranger.answer().await), (401, "UNAUTHENTICATED".into()), "{path}");
    }
    // A body that is sent nevertheless does not prevent the answer.
    let body = json!({"function": "echo", "params": {"text": "x".repeat(1_000_000)}});
    for _ in 0..20 {
        assert_eq!(User::with_token(&node, "no.such.token").post(CALL, &body).await.0, 401);
    }
}

#[tokio::test]
async fn odd_bodies_are_answered_or_cut_and_the_node_continues() {
    let (_folder, node) = node_with(&[]).await;
    let head = format!("{}content-type: application/json\r\nconnection: close\r\n", head("POST", CALL, "anna"));
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    let good = r#"{"function":"echo","params":{"text":"in pieces"}}"#;
    let pieces: String = good.chars().flat_map(|c| ["1\r\n".to_owned(), c.to_string(), "\r\n".to_owned()]).collect();
    let cases = [
        ("many small chunks", format!("{chunked}{pieces}0\r\n\r\n"), 200),
        ("trailers", format!("{chunked}{:x}\r\n{good}\r\n0\r\nx-more: 1\r\n\r\n", good.len()), 200),
        ("a chunk larger than memory", format!("{chunked}ffffffffffffff\r\n{}", "x".repeat(2 << 20)), 413),
        ("a size that is no number", format!("{chunked}xyz\r\n"), 400),
        ("a size over 64 bits", format!("{chunked}fffffffffffffffff\r\n"), 400),
        ("long trailers", format!("{chunked}1\r\n{{\r\n0\r\n{}\r\n", "x-more: 1\r\n".repeat(4000)), 400),
        ("a body over the limit", format!("{head}content-length: 1048577\r\n\r\n{}", "x".repeat(1_048_577)), 413),
    ];
    for (what, request, expected) in cases {
        let mut client = Raw::connect(&node).await;
        let _ = client.send(request).await;
        assert_eq!(status(&client.until_the_end().await).0, expected, "{what}");
    }
    assert_eq!(User::of(&node, "anna").turns().await.len(), 4);
}
