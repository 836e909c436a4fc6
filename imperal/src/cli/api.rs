//! Requests to a platform's HTTP API as one user.
//!
//! Turns each response into a value, or into a `CliError` with its exit code. Does not know where the platform
//! is or who started it.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::exit::CliError;
use super::{lenient_list, out};
use crate::ids::RequestKey;
use crate::platform::CallReply;
use crate::sync::Mutex;

/// Longest time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest response that is read, in bytes. The platform's pages are far smaller.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// Where a platform answers, and the token that it accepts.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) url: String,
    pub(super) token: String,
}

/// Sends requests with a user's token. A clone follows a move of the platform too.
#[derive(Clone)]
pub(super) struct ApiClient {
    http: reqwest::Client,
    address: Arc<Mutex<Address>>,
    /// Looks up where the platform answers now; absent for one at a fixed URL.
    find: Option<Arc<dyn Fn() -> Option<Address> + Send + Sync>>,
}

impl fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiClient").field("url", &self.url()).finish_non_exhaustive()
    }
}

/// Builds a client that follows no redirects: the platform has none.
pub(super) fn http_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).connect_timeout(CONNECT_TIMEOUT)
}

/// Reads the whole body. A body above the limit is an error.
pub(super) async fn read_body(mut answer: reqwest::Response) -> Result<Vec<u8>, CliError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(CliError::new(format!(
                "the response has more than {} MiB and is not read further: ask for fewer rows, for example with -n",
                ANSWER_LIMIT >> 20
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl ApiClient {
    /// A client for the platform at `url`, which has no slash at its end.
    pub(super) fn new(http: reqwest::Client, url: String, token: String) -> Self {
        Self { http, address: Arc::new(Mutex::new(Address { url, token })), find: None }
    }

    /// Sets how a platform that has moved is found again.
    #[must_use]
    pub(super) fn found_by(self, find: impl Fn() -> Option<Address> + Send + Sync + 'static) -> Self {
        Self { find: Some(Arc::new(find)), ..self }
    }

    /// Looks up where the platform answers now. Without an answer the address stays.
    pub(super) fn find_again(&self) {
        if let Some(address) = self.find.as_ref().and_then(|find| find()) {
            *self.address.lock().unwrap_or_else(PoisonError::into_inner) = address;
        }
    }

    fn address(&self) -> Address {
        self.address.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn url(&self) -> String {
        self.address().url
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.read_answer(self.http.get(format!("{}{path}", self.url()))).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        self.read_answer(self.http.post(format!("{}{path}", self.url())).json(body)).await
    }

    /// Sends a request with a request key, if there is one. Returns the answer, and whether it repeats that of an earlier
    /// request.
    pub(super) async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        key: Option<&RequestKey>,
    ) -> Result<(T, bool), CliError> {
        let mut request = self.http.post(format!("{}{path}", self.url())).json(body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key.as_str());
        }
        let answer = self.send(request).await?;
        let repeated = answer.headers().contains_key("idempotency-replayed");
        let body = crate::json::read(&read_body(answer).await?).map_err(|error| self.unreadable(&error))?;
        Ok((body, repeated))
    }

    pub(super) async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        self.read_answer(self.http.put(format!("{}{path}", self.url())).json(body)).await
    }

    pub(super) async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        self.read_answer(self.http.patch(format!("{}{path}", self.url())).json(body)).await
    }

    pub(super) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.read_answer(self.http.delete(format!("{}{path}", self.url()))).await
    }

    /// A response whose body is not JSON.
    pub(super) async fn get_bytes(&self, path: &str) -> Result<reqwest::Response, CliError> {
        self.send(self.http.get(format!("{}{path}", self.url()))).await
    }

    /// Sends a file.
    pub(super) async fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        content_type: Option<&str>,
        size: u64,
        body: reqwest::Body,
    ) -> Result<T, CliError> {
        let mut request = self.http.post(format!("{}{path}", self.url())).header("content-length", size);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        self.read_answer(request.body(body)).await
    }

    /// Opens the event stream, from the event after `after`, or from now if `None`.
    pub(super) async fn open_stream(&self, after: Option<u64>) -> Result<reqwest::Response, CliError> {
        let after = after.map_or_else(String::new, |after| format!("?after={after}"));
        self.send(self.http.get(format!("{}/v1/events/stream{after}", self.url()))).await
    }

    /// Runs a function, with a request key if there is one.
    pub(super) async fn call_function(
        &self,
        app_id: &str,
        body: &impl Serialize,
        key: Option<&RequestKey>,
    ) -> Result<CallReply, CliError> {
        let mut request = self.http.post(format!("{}/v1/extensions/{app_id}/call", self.url())).json(body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key.as_str());
        }
        let answer = self.send(request).await?;
        let repeated = answer.headers().contains_key("idempotency-replayed");
        let reply: CallReply = crate::json::read(&read_body(answer).await?).map_err(|error| {
            self.unreadable(&error).hint("the function was called: check the chat before you call it again".to_owned())
        })?;
        Ok(CallReply { repeated, ..reply })
    }

    /// Sends a message of an MCP client and returns the response whatever its status.
    ///
    /// # Errors
    /// Only if there is no response: the message can be sent again.
    pub(super) async fn post_mcp(
        &self,
        headers: &[(&'static str, String)],
        body: &Value,
    ) -> Result<reqwest::Response, CliError> {
        let Address { url, token } = self.address();
        let mut request = self.http.post(format!("{url}/mcp")).bearer_auth(token).json(body);
        request = request.header("accept", "application/json, text/event-stream").header("imperal-mcp-bridge", "1");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request.send().await.map_err(|error| {
            CliError::unavailable(format!("{url} does not answer: {}", crate::error::root(&error.without_url())))
        })
    }

    async fn read_answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, CliError> {
        let body = read_body(self.send(request).await?).await?;
        let error = match crate::json::read(&body) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let Some((list, left_out)) = lenient_list::read_readable_rows(&body) else {
            return Err(self.unreadable(&error));
        };
        for row in left_out {
            out::print_note(
                &out::OutputStyle::of_stderr().sanitize_line(&format!("left out an unreadable row: {row}")),
            );
        }
        Ok(list)
    }

    /// Sends a request. A response with any status other than 2xx is an error.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, CliError> {
        let Address { url, token } = self.address();
        let answer = request.bearer_auth(token).send().await.map_err(|error| {
            CliError::unavailable(format!("{url} does not answer: {}", crate::error::root(&error.without_url())))
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        if status.is_redirection() {
            let to = answer.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or("another address");
            return Err(CliError::refused(format!("{url} redirects to {to}, and redirects are not followed"))
                .hint("give the address that answers without a redirect as --url".to_owned()));
        }
        let bytes = read_body(answer).await?;
        let body: Value = crate::json::read(&bytes).unwrap_or_default();
        let part = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
        let text = match part("message") {
            text if text.is_empty() => format!("{url} answered {status}"),
            text => text,
        };
        let error = match status {
            StatusCode::SERVICE_UNAVAILABLE => CliError::unavailable(text),
            status if status.is_client_error() => CliError::refused(text),
            _ => CliError::new(text),
        };
        Err(error.with_code(part("code")))
    }

    fn unreadable(&self, error: &serde_json::Error) -> CliError {
        CliError::new(format!("{} sent an answer that cannot be read: {error}", self.url()))
            .hint("check that a platform of this version serves this URL".to_owned())
    }
}
