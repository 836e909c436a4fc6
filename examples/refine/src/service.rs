//! A small completion service with the HTTP interface of a real one. It takes a few seconds and returns a
//! cleaner text. The example works without an account because of it.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clean;

#[derive(Deserialize)]
struct Request {
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
    tokio::time::sleep(thinking_time(&text.content)).await;
    let content = clean::clean(&text.content);
    let choice = json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}});
    answer(StatusCode::OK, &json!({ "choices": [choice] }))
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
