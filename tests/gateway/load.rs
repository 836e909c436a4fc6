//! Clients that are slow, greedy or gone do not delay others.

use std::time::Duration;

use imperal_tests::User;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::node;

/// The platform neither waits for a stream whose client does not read nor queues events for it. When the
/// client reads again, it misses no event.
#[tokio::test]
async fn unread_stream_delays_no_user_and_misses_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = crate::options(&folder);
    // Calls can take long on a busy machine.
    options.args.push("--write-timeout=600".to_owned());
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let mut unread = anna.stream(0).await;
    // More than the socket buffers of both sides.
    let text = "x".repeat(1000);
    for _ in 0..200 {
        anna.call("deliver", json!({"unit": text, "times": 60})).await;
    }
    let others = User::of(&node, "ben").call("echo", json!({"text": "quick"})).await;
    assert_eq!(others["result"]["status"], "success");
    let turns = anna.turns().await;
    let mut expected = 0;
    assert_eq!(turns.len(), 600);
    while expected < 600 {
        let event = tokio::time::timeout(Duration::from_secs(20), unread.next()).await.unwrap();
        if let Some(id) = event.id {
            expected += 1;
            assert_eq!(id, expected);
        }
    }
}

/// Requests that arrive byte by byte or never completely do not delay others and leave no turn.
#[tokio::test]
async fn incomplete_requests_delay_no_user() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let address = node.url.strip_prefix("http://").unwrap();
    let mut halves = Vec::new();
    for n in 0..200 {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let start: &[u8] = match n % 3 {
            0 => b"POST /v1/extensions/probe/call HT",
            1 => b"POST /v1/internal/chat/inject HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n",
            _ => b"POST /v1/internal/chat/inject HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{\"ext",
        };
        connection.write_all(start).await.unwrap();
        halves.push(connection);
    }
    for n in 0..20 {
        anna.call("echo", json!({"text": format!("n{n}")})).await;
    }
    assert_eq!(anna.get("/readyz").await.0, 200);
    drop(halves);
    assert_eq!(anna.turns().await.len(), 40);
}

/// A request with one byte a packet is slow but valid.
#[tokio::test]
async fn slow_request_is_answered() {
    let (_folder, node) = node().await;
    let address = node.url.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.set_nodelay(true).unwrap();
    for byte in b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" {
        connection.write_all(&[*byte]).await.unwrap();
        connection.flush().await.unwrap();
    }
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
}

const LIMIT: usize = 1024 * 1024;

/// A body at the limit, one byte over it, and one with a wrong length.
#[tokio::test]
async fn body_at_the_limit_is_read_and_over_it_refused() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let body = |bytes: usize| {
        let frame = json!({"function": "echo", "params": {"text": ""}}).to_string().len();
        json!({"function": "echo", "params": {"text": "x".repeat(bytes - frame)}}).to_string()
    };
    let call = |body: String| {
        anna.request(Method::POST, "/v1/extensions/probe/call").header("content-type", "application/json").body(body)
    };
    let (status, answer) = User::send(call(body(LIMIT))).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (422, &json!("VALIDATION_TYPE_ERROR")), "read and checked");
    let (status, _) = User::send(call(body(LIMIT + 1))).await;
    assert_eq!(status, 413, "refused, and the client hears it");
    // In chunks, so that no header has the length.
    let pieces = (0..40).map(|_| Ok::<_, std::io::Error>("x".repeat(64 << 10)));
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let request = anna.request(Method::POST, "/v1/extensions/probe/call").header("content-type", "application/json");
    let (status, _) = User::send(request.body(stream)).await;
    assert_eq!(status, 413);
    assert_eq!(anna.turns().await.len(), 0);
}
