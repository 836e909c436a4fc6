//! A scripted language model as a server, for platforms in processes of their own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use imperal::testing::ModelReply;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A running model.
#[derive(Debug)]
pub struct ModelServer {
    /// Its base address.
    pub url: String,
    script: Arc<Script>,
}

#[derive(Debug, Default)]
struct Script {
    replies: Mutex<VecDeque<Scripted>>,
    requests: Mutex<Vec<Value>>,
    came: Notify,
}

#[derive(Debug)]
enum Scripted {
    /// These events.
    Events(String),
    /// Nothing, without an end.
    Silence,
    /// The first text, then the second one this often, or without an end.
    Flood { first: String, again: String, times: Option<usize> },
}

impl ModelServer {
    /// Starts the model on a free port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start() -> Self {
        let script = Arc::new(Script::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/v1", listener.local_addr().expect("a listener has an address"));
        let app = axum::Router::new().route("/v1/chat/completions", post(reply)).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, script }
    }

    fn then(&self, reply: Scripted) -> &Self {
        self.script.replies.lock().unwrap_or_else(PoisonError::into_inner).push_back(reply);
        self
    }

    /// The next reply is this text.
    pub fn says(&self, text: &str) -> &Self {
        self.then(Scripted::Events(ModelReply::new().text(text).to_events()))
    }

    /// The next reply is a call of this function.
    pub fn calls(&self, function: &str, params: Value) -> &Self {
        self.then(Scripted::Events(ModelReply::new().call(function, params).to_events()))
    }

    /// The next request gets no reply.
    pub fn hangs(&self) -> &Self {
        self.then(Scripted::Silence)
    }

    /// The next reply is this text of a stream, then `again` this often, or for ever: until the client goes.
    pub fn floods(&self, first: &str, again: impl Into<String>, times: Option<usize>) -> &Self {
        self.then(Scripted::Flood { first: first.to_owned(), again: again.into(), times })
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.script.requests.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits until it was asked this often.
    pub async fn until_asked(&self, times: usize) {
        loop {
            let came = self.script.came.notified();
            if self.asked() >= times {
                return;
            }
            came.await;
        }
    }
}

async fn reply(State(script): State<Arc<Script>>, body: Bytes) -> Response {
    script
        .requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(serde_json::from_slice(&body).unwrap_or_default());
    let next = script.replies.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    script.came.notify_waiters();
    match next {
        Some(Scripted::Events(events)) => ([(header::CONTENT_TYPE, "text/event-stream")], events).into_response(),
        Some(Scripted::Silence) => std::future::pending().await,
        Some(Scripted::Flood { first, again, times }) => {
            let again = Bytes::from(again);
            let rest = std::iter::repeat_n(again, times.unwrap_or(usize::MAX));
            let parts = std::iter::once(Bytes::from(first)).chain(rest).map(Ok::<_, std::convert::Infallible>);
            let body = Body::from_stream(futures_util::stream::iter(parts));
            ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
        }
        None => axum::http::StatusCode::BAD_REQUEST.into_response(),
    }
}
