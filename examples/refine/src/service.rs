//! A small completion service with the HTTP interface of a real one. It takes a few seconds and returns a
//! cleaner text, word by word if it is asked so. The example works without an account because of it.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::stream::{self, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clean;

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    stream: bool,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: String,
}

/// Starts the service on loopback, on a free port, and returns its base URL.
pub(crate) async fn start() -> std::io::Result<String> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let base = format!("http://{}/v1", listener.local_addr()?);
    let app = Router::new().route("/v1/chat/completions", post(complete));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(base)
}

async fn complete(body: Bytes) -> Response {
    let request = serde_json::from_slice::<Request>(&body).ok();
    let Some(text) = request.iter().flat_map(|request| &request.messages).rfind(|message| message.role == "user")
    else {
        return answer(StatusCode::BAD_REQUEST, &json!({"error": {"message": "there is no user message"}}));
    };
    let (time, content) = (thinking_time(&text.content), clean::clean(&text.content));
    if request.as_ref().is_some_and(|request| request.stream) {
        return word_by_word(&content, time);
    }
    tokio::time::sleep(time).await;
    let choice = json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}});
    answer(StatusCode::OK, &json!({ "choices": [choice] }))
}

/// The answer as server-sent events, spread over this time after a moment of thought.
fn word_by_word(content: &str, time: Duration) -> Response {
    let words: Vec<String> = content.split_inclusive(' ').map(str::to_owned).collect();
    let pause = time / u32::try_from(words.len() + 1).unwrap_or(u32::MAX);
    let chunk = |delta: Value, finish: Option<&str>| {
        format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
    };
    let mut events: Vec<String> = words.iter().map(|word| chunk(json!({ "content": word }), None)).collect();
    if let Some(last) = events.last_mut() {
        last.push_str(&chunk(json!({}), Some("stop")));
        last.push_str("data: [DONE]\n\n");
    }
    let events = stream::iter(events).then(move |event| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, std::convert::Infallible>(event)
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// A few seconds, more for a longer text, or `REFINE_SECONDS`.
fn thinking_time(text: &str) -> Duration {
    let set = std::env::var("REFINE_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    set.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_else(|| {
        let millis = 3000 + u64::try_from(text.len()).unwrap_or(u64::MAX).saturating_mul(2);
        Duration::from_millis(millis.min(8000))
    })
}
