//! Speaking to the platform from the terminal.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::args::Reach;
use super::exit::CliError;
use super::folder::{DataFolder, Listening, Opened};
use super::serve::{for_a_while, local_user};
use crate::app::App;
use crate::function::Registry;
use crate::gateway::{Bound, LocalKey};
use crate::ids::RequestKey;
use crate::platform::CallReply;

/// How long a process that has just opened the folder may take until it listens.
const UNTIL_LISTENING: Duration = Duration::from_secs(10);

/// A way to the platform: a process that runs already, or one of our own.
#[derive(Debug)]
pub(super) struct Client {
    wire: Wire,
    ours: Option<(Bound, DataFolder, Duration)>,
}

/// Requests as the user.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    pub(super) async fn reach(app: App, registry: Registry, reach: &Reach) -> Result<Self, CliError> {
        crate::context::choose_cryptography();
        let http = reqwest::Client::builder().build()?;
        if let Some(url) = &reach.url {
            let token = super::serve::env_text("IMPERAL_TOKEN")?.unwrap_or_default();
            if token.is_empty() {
                return Err(CliError::refused("set IMPERAL_TOKEN to your token for the platform at --url"));
            }
            return Ok(Self { wire: Wire { http, url: url.trim_end_matches('/').to_owned(), token }, ours: None });
        }
        let path = &reach.folder.data_dir;
        let deadline = Instant::now() + UNTIL_LISTENING;
        let folder = loop {
            if let Opened::Ours(folder) = DataFolder::open(path)? {
                break folder;
            }
            // Another process has it: one that listens, or a command that is through in a moment.
            if let Some(Listening { url, .. }) = DataFolder::listening(path)
                && http.get(format!("{url}/healthz")).send().await.is_ok()
            {
                let token = LocalKey::of_folder(path)?.sign(&local_user())?;
                return Ok(Self { wire: Wire { http, url, token }, ours: None });
            }
            if Instant::now() >= deadline {
                return Err(CliError::unreachable(format!(
                    "another process has the data folder {} open and does not answer: stop it, or use --data-dir",
                    path.display()
                )));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        // Tasks that the command starts have nobody else to run them: they may take their time.
        let patience = app.settings.long_task_cap;
        let bound = for_a_while(app, registry, &folder).await?;
        let token = LocalKey::of_folder(path)?.sign(&local_user())?;
        let wire = Wire { http, url: format!("http://{}", bound.address()), token };
        Ok(Self { wire, ours: Some((bound, folder, patience)) })
    }

    /// Where the platform is.
    pub(super) fn url(&self) -> &str {
        &self.wire.url
    }

    /// Whether the platform ends with this command.
    pub(super) fn is_ours(&self) -> bool {
        self.ours.is_some()
    }

    /// The way to it, for whoever outlives a borrow.
    pub(super) fn wire(&self) -> &Wire {
        &self.wire
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.wire.get(path).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        self.wire.post(path, body).await
    }

    /// Ends the platform that this command started, its tasks first.
    pub(super) async fn close(self) {
        if let Some((bound, folder, patience)) = self.ours {
            bound.stop(patience).await;
            drop(folder);
        }
    }

    /// Ends the platform that this command started without waiting for its tasks.
    pub(super) async fn abandon(self) {
        if let Some((bound, folder, _)) = self.ours {
            bound.stop(Duration::ZERO).await;
            drop(folder);
        }
    }
}

impl Wire {
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.answer(self.http.get(format!("{}{path}", self.url))).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        self.answer(self.http.post(format!("{}{path}", self.url)).json(body)).await
    }

    /// An open live stream, after an event.
    pub(super) async fn stream(&self, after: u64) -> Result<reqwest::Response, CliError> {
        let request = self.http.get(format!("{}/v1/events/stream?after={after}", self.url)).bearer_auth(&self.token);
        Ok(request.send().await.map_err(reqwest::Error::without_url)?.error_for_status()?)
    }

    /// Runs a function, under a key where there is one.
    pub(super) async fn call(
        &self,
        app_id: &str,
        body: &impl Serialize,
        key: Option<&RequestKey>,
    ) -> Result<CallReply, CliError> {
        let mut request = self.http.post(format!("{}/v1/extensions/{app_id}/call", self.url)).json(body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key.as_str());
        }
        let answer = self.success(request).await?;
        let repeated = answer.headers().contains_key("idempotency-replayed");
        let reply: CallReply = crate::json::read(&answer.bytes().await?)?;
        Ok(CallReply { repeated, ..reply })
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, CliError> {
        Ok(crate::json::read(&self.success(request).await?.bytes().await?)?)
    }

    async fn success(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, CliError> {
        let answer = request.bearer_auth(&self.token).send().await.map_err(|error| {
            CliError::unreachable(format!("{} does not answer: {}", self.url, crate::error::root(&error.without_url())))
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let bytes = answer.bytes().await?;
        let body: Value = crate::json::read(&bytes).unwrap_or_default();
        let part = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
        let text = match part("message") {
            text if text.is_empty() => format!("{} answered {status}", self.url),
            text => text,
        };
        let refused = match status {
            StatusCode::SERVICE_UNAVAILABLE => CliError::unreachable(text),
            status if status.is_client_error() => CliError::refused(text),
            _ => CliError::new(text),
        };
        Err(refused.coded(part("code")))
    }
}
