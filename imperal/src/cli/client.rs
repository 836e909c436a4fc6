//! Speaking to the platform from the terminal.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::args::ConnectArgs;
use super::exit::CliError;
use super::{out, rows};
use crate::app::App;
use crate::function::Registry;
use crate::gateway::{AllowedHosts, ConnectionLimits, LocalKey};
use crate::ids::RequestKey;
use crate::platform::CallReply;
use crate::server::{DataFolder, FolderLock, ListeningServer, NodeAddress, local_user};

/// How long a process that has just opened the folder may take until it listens.
const UNTIL_LISTENING: Duration = Duration::from_secs(10);

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// Most that is read of one answer. The platform's own pages are far smaller.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// A way to the platform: a process that runs already, or one of our own.
#[derive(Debug)]
pub(super) struct Client {
    api: ApiClient,
    embedded: Option<(ListeningServer, Duration)>,
}

/// Requests as the user.
#[derive(Debug, Clone)]
pub(super) struct ApiClient {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    pub(super) async fn connect(app: App, registry: Registry, connect: &ConnectArgs) -> Result<Self, CliError> {
        crate::context::choose_cryptography();
        if let Some(url) = &connect.url {
            let token = super::environment::env_text("IMPERAL_TOKEN")?.unwrap_or_default();
            if token.is_empty() {
                return Err(CliError::refused("set IMPERAL_TOKEN to your token for the platform at --url"));
            }
            // Elsewhere: by the proxy of the environment, if there is one.
            let http = builder().build()?;
            return Ok(Self {
                api: ApiClient { http, url: url.trim_end_matches('/').to_owned(), token },
                embedded: None,
            });
        }
        let http = builder().no_proxy().build()?;
        let path = &connect.folder.data_dir;
        let deadline = Instant::now() + UNTIL_LISTENING;
        let folder = loop {
            if let FolderLock::Acquired(folder) = DataFolder::open(path)? {
                break folder;
            }
            // Another process has it: one that listens, or a command that is through in a moment.
            if let Some(listening) = DataFolder::listening(path) {
                let Some(url) = listening.local_url() else { return Err(elsewhere(path, &listening)) };
                if http.get(format!("{url}/healthz")).send().await.is_ok() {
                    let token = LocalKey::of_folder(path)?.sign(&local_user())?;
                    return Ok(Self { api: ApiClient { http, url, token }, embedded: None });
                }
            }
            if Instant::now() >= deadline {
                return Err(CliError::unavailable(format!(
                    "another process has the data folder {} open and does not answer: stop it, or use --data-dir",
                    path.display()
                )));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        // Tasks that the command starts have nobody else to run them: they may take their time.
        let patience = app.settings.long_task_cap;
        let server = start_embedded(app, registry, folder).await?;
        let token = LocalKey::of_folder(path)?.sign(&local_user())?;
        let api = ApiClient { http, url: format!("http://{}", server.address()), token };
        Ok(Self { api, embedded: Some((server, patience)) })
    }

    /// Where the platform is.
    pub(super) fn url(&self) -> &str {
        &self.api.url
    }

    /// Whether the platform ends with this command.
    pub(super) fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// The way to it, for whoever outlives a borrow.
    pub(super) fn api(&self) -> &ApiClient {
        &self.api
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.api.get(path).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        self.api.post(path, body).await
    }

    /// Ends the platform that this command started, its tasks first.
    pub(super) async fn close(self) {
        if let Some((server, patience)) = self.embedded {
            server.stop(patience).await;
        }
    }

    /// Ends the platform that this command started without waiting for its tasks.
    pub(super) async fn abandon(self) {
        if let Some((server, _)) = self.embedded {
            server.stop(Duration::ZERO).await;
        }
    }
}

/// Starts the platform of a folder for one command, on a free port of the loopback address.
async fn start_embedded(app: App, registry: Registry, folder: DataFolder) -> Result<ListeningServer, CliError> {
    let builder = app.server(folder.path()).registry(registry).hosts(AllowedHosts::only(Vec::new()));
    let server = builder.start_in(folder).await?;
    Ok(server.listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), ConnectionLimits::default()).await?)
}

/// Redirects are not followed: no route of a platform has one.
fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).connect_timeout(CONNECT)
}

/// For the process that has a data folder: straight to it, whatever proxy the environment names, which
/// would get to see the folder's token.
pub(super) fn local_http(patience: Duration) -> reqwest::Result<reqwest::Client> {
    builder().no_proxy().timeout(patience).build()
}

fn elsewhere(path: &Path, listening: &NodeAddress) -> CliError {
    CliError::unavailable(format!(
        "process {} has the data folder {} open and listens on {}, which is no loopback address; the folder's token is \
         sent to no other",
        listening.pid,
        path.display(),
        listening.url
    ))
    .hint(format!("add --url {} and set IMPERAL_TOKEN to a user's token", listening.url))
}

/// The whole body, within its limit.
pub(super) async fn body_of(mut answer: reqwest::Response) -> Result<Vec<u8>, CliError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(CliError::new(format!(
                "the answer has more than {} MiB and is not read further: ask for less of it, with -n for example",
                ANSWER_LIMIT >> 20
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl ApiClient {
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
        let reply: CallReply = crate::json::read(&body_of(answer).await?).map_err(|error| {
            self.unreadable(&error)
                .hint("the function was called: look at the chat before you call it again".to_owned())
        })?;
        Ok(CallReply { repeated, ..reply })
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, CliError> {
        let body = body_of(self.success(request).await?).await?;
        let error = match crate::json::read(&body) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let Some((list, left_out)) = rows::without_unreadable(&body) else { return Err(self.unreadable(&error)) };
        for row in left_out {
            out::print_note(
                &out::OutputStyle::of_stderr().sanitize_line(&format!("left out, it cannot be read: {row}")),
            );
        }
        Ok(list)
    }

    async fn success(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, CliError> {
        let answer = request.bearer_auth(&self.token).send().await.map_err(|error| {
            CliError::unavailable(format!("{} does not answer: {}", self.url, crate::error::root(&error.without_url())))
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        if status.is_redirection() {
            let to = answer.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or("another address");
            return Err(CliError::refused(format!("{} redirects to {to}, which is not followed", self.url))
                .hint("give the address that answers itself as --url".to_owned()));
        }
        let bytes = body_of(answer).await?;
        let body: Value = crate::json::read(&bytes).unwrap_or_default();
        let part = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
        let text = match part("message") {
            text if text.is_empty() => format!("{} answered {status}", self.url),
            text => text,
        };
        let refused = match status {
            StatusCode::SERVICE_UNAVAILABLE => CliError::unavailable(text),
            status if status.is_client_error() => CliError::refused(text),
            _ => CliError::new(text),
        };
        Err(refused.coded(part("code")))
    }

    fn unreadable(&self, error: &serde_json::Error) -> CliError {
        CliError::new(format!("{} sent an answer that cannot be read: {error}", self.url))
            .hint("is a platform of this version there?".to_owned())
    }
}
