//! A completion service in small: the same HTTP form as a real one, a few seconds of thinking, and
//! a result that is really a cleaner text. It makes the example work without an account.

use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::http::StatusCode;
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

/// Starts it on loopback, on a free port; its base URL.
pub(crate) async fn start() -> std::io::Result<String> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let base = format!("http://{}/v1", listener.local_addr()?);
    let app = Router::new().route("/v1/chat/completions", post(complete));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(base)
}

async fn complete(Json(request): Json<Request>) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let Some(text) = request.messages.iter().rev().find(|message| message.role == "user") else {
        let error = json!({"error": {"message": "there is no user message"}});
        return Err((StatusCode::BAD_REQUEST, Json(error)));
    };
    tokio::time::sleep(thinking_time(&text.content)).await;
    let content = clean::clean(&text.content);
    Ok(Json(
        json!({"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}]}),
    ))
}

/// A few seconds, more for a longer text; `REFINE_SECONDS` sets it.
fn thinking_time(text: &str) -> Duration {
    let set = std::env::var("REFINE_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    set.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_else(|| {
        let millis = 3000 + u64::try_from(text.len()).unwrap_or(u64::MAX).saturating_mul(2);
        Duration::from_millis(millis.min(8000))
    })
}
