//! A user who calls a node over HTTP.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Events, JWT_SECRET, Node};

/// The claims of a token.
#[derive(Debug, Clone, Serialize)]
pub struct Claims {
    /// The user.
    pub sub: String,
    /// The tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Scopes.
    pub scopes: Vec<String>,
    /// Expiry, in seconds since 1970.
    pub exp: i64,
}

impl Claims {
    /// A user of the default tenant; the claims expire in an hour.
    pub fn of(sub: &str) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        Self { sub: sub.to_owned(), tenant_id: None, scopes: Vec::new(), exp: i64::try_from(now).unwrap_or(0) + 3600 }
    }
}

/// A token with these claims, signed with a secret.
///
/// # Panics
/// When it cannot be signed.
pub fn token(claims: &Claims, secret: &str) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).expect("claims can be signed")
}

/// A user with a token, at the address of a node.
#[derive(Debug, Clone)]
pub struct User {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl User {
    /// The user with this id at a node.
    pub fn of(node: &Node, sub: &str) -> Self {
        Self::with_token(node, &token(&Claims::of(sub), JWT_SECRET))
    }

    /// The user of this token at a node.
    ///
    /// # Panics
    /// When no HTTP client can be made.
    pub fn with_token(node: &Node, token: &str) -> Self {
        Self::behind(&node.url, token)
    }

    /// The user of this token at any address.
    ///
    /// # Panics
    /// When no HTTP client can be made.
    pub fn behind(url: &str, token: &str) -> Self {
        // An error means that the process already has a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self::by(reqwest::Client::new(), url, token)
    }

    /// The user of this token at any address, with this HTTP client.
    pub fn by(http: reqwest::Client, url: &str, token: &str) -> Self {
        Self { http, url: url.to_owned(), token: token.to_owned() }
    }

    /// The same user at another node.
    #[must_use]
    pub fn at(&self, node: &Node) -> Self {
        Self { url: node.url.clone(), ..self.clone() }
    }

    /// Starts a request with the user's token.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// Sends a request and returns status and body.
    ///
    /// # Panics
    /// When the node does not answer.
    pub async fn send(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
        let answer = request.send().await.expect("the node answers");
        let status = answer.status();
        let text = answer.text().await.expect("the answer is text");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Sends a GET request.
    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        Self::send(self.request(Method::GET, path)).await
    }

    /// Sends a POST request with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        Self::send(self.request(Method::POST, path).json(body)).await
    }

    /// Calls a function of the extension `probe`.
    ///
    /// # Panics
    /// When the call is not accepted.
    pub async fn call(&self, function: &str, params: Value) -> Value {
        let (status, body) = self.try_call(function, params).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// Calls a function of the extension `probe` and returns status and body.
    pub async fn try_call(&self, function: &str, params: Value) -> (StatusCode, Value) {
        self.post("/v1/extensions/probe/call", &json!({"function": function, "params": params})).await
    }

    /// All of the user's turns.
    ///
    /// # Panics
    /// When they cannot be read.
    pub async fn turns(&self) -> Vec<Value> {
        let (mut turns, mut after) = (Vec::new(), 0);
        loop {
            let (status, mut body) = self.get(&format!("/v1/chat/turns?limit=500&after={after}")).await;
            assert_eq!(status, StatusCode::OK, "{body}");
            turns.append(body["turns"].as_array_mut().expect("turns is a list"));
            match body["next"].as_u64() {
                Some(next) => after = next,
                None => return turns,
            }
        }
    }

    /// The turns that belong to a task.
    pub async fn turns_of_task(&self, task_id: &str) -> Vec<Value> {
        self.turns().await.into_iter().filter(|turn| turn["task_id"] == task_id).collect()
    }

    /// The outcome turns of a task: those with a result.
    pub async fn outcomes(&self, task_id: &str) -> Vec<Value> {
        self.turns_of_task(task_id).await.into_iter().filter(|turn| !turn["result"].is_null()).collect()
    }

    /// The user's audit rows.
    ///
    /// # Panics
    /// When they cannot be read.
    pub async fn audit(&self) -> Vec<Value> {
        let (status, body) = self.get("/v1/audit?limit=500").await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body["rows"].as_array().expect("rows is a list").clone()
    }

    /// The user's live stream after this event.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn stream(&self, after: u64) -> Events {
        let answer =
            self.request(Method::GET, &format!("/v1/events/stream?after={after}")).send().await.expect("a stream");
        assert_eq!(answer.status(), StatusCode::OK);
        Events::new(answer)
    }

    /// Waits on the live stream for the end of a task, and returns the ended task.
    ///
    /// # Panics
    /// When it does not end within 30 seconds.
    pub async fn end_of(&self, task_id: &str) -> Value {
        let mut events = self.stream(0).await;
        let ended = async {
            let mut task = Value::Null;
            loop {
                let event = events.next().await;
                if event.event == "task" && event.data["task_id"] == task_id && event.data["state"] != "running" {
                    task = event.data;
                } else if event.event == "turn" && event.data["task_id"] == task_id && !event.data["result"].is_null() {
                    return if task.is_null() { self.get(&format!("/v1/tasks/{task_id}")).await.1 } else { task };
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the task ends")
    }
}
