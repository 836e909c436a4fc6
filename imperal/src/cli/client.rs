//! The way to the platform: a running process, a platform elsewhere, or one inside this process.
//!
//! Owns how a command finds it and which token it sends. A data folder's token goes to a loopback address of
//! this machine only, and never through a proxy.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::api::{Address, ApiClient, http_builder};
use super::connect_args::ConnectArgs;
use super::environment::env_text;
use super::exit::CliError;
use super::{program_name, secret_keys};
use crate::app::App;
use crate::function::Registry;
use crate::gateway::{AllowedHosts, ConnectionLimits, LocalKey};
use crate::ids::RequestKey;
use crate::server::{DataFolder, FolderLock, ListeningServer, NodeAddress, local_user};

/// A process that has opened the folder must listen within this time.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);

/// The parts of the data folder that a command requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// A process that serves the folder.
    Process,
    /// A ledger. If no process serves it, the command starts a platform on it. A folder without one stays as it is.
    Ledger,
    /// Nothing: the command creates folder and ledger.
    Nothing,
}

/// The platform of a command, or the place for one.
enum Found {
    Platform(ApiClient),
    Folder(DataFolder),
}

/// A connected command.
#[derive(Debug)]
pub(super) struct Client {
    api: ApiClient,
    embedded: Option<EmbeddedPlatform>,
}

/// A platform that ends with this command.
#[derive(Debug)]
struct EmbeddedPlatform {
    server: ListeningServer,
    /// How long its tasks may take at the end. No other process would run them.
    grace: Duration,
}

impl Client {
    /// Connects to the platform at `--url`, to the process that holds the data folder, or starts a platform.
    pub(super) async fn connect(
        app: App,
        registry: Registry,
        connect: &ConnectArgs,
        needs: Needs,
    ) -> Result<Self, CliError> {
        match Self::find(connect, needs).await? {
            Found::Platform(api) => Ok(Self { api, embedded: None }),
            Found::Folder(folder) => Self::start(app, registry, folder, false).await,
        }
    }

    /// Connects to the platform at `--url` or to the process that holds the data folder. If there is none, takes what
    /// starts a platform, which does all work of the folder as long as this process stays.
    pub(super) async fn connect_to_stay(
        start: &mut Option<(App, Registry)>,
        connect: &ConnectArgs,
    ) -> Result<Self, CliError> {
        match Self::find(connect, Needs::Nothing).await? {
            Found::Platform(api) => Ok(Self { api, embedded: None }),
            Found::Folder(folder) => match start.take() {
                Some((app, registry)) => Self::start(app, registry, folder, true).await,
                None => Err(CliError::unavailable("no platform runs on the data folder any more")),
            },
        }
    }

    /// Finds a platform that answers, or opens the data folder that none has open.
    async fn find(connect: &ConnectArgs, needs: Needs) -> Result<Found, CliError> {
        crate::tls::choose_cryptography();
        if let Some(url) = &connect.url {
            return Self::connect_elsewhere(url).map(Found::Platform);
        }
        let http = http_builder().no_proxy().build()?;
        let path = &connect.folder.data_dir;
        if needs != Needs::Nothing && !DataFolder::is_used(path) {
            return Err(nothing_there(path, needs));
        }
        let deadline = Instant::now() + LISTEN_TIMEOUT;
        loop {
            if let FolderLock::Acquired(folder) = DataFolder::open(path)? {
                let found = match needs {
                    Needs::Process => false,
                    Needs::Ledger => folder.has_ledger(),
                    Needs::Nothing => true,
                };
                if !found {
                    return Err(nothing_there(path, needs));
                }
                return Ok(Found::Folder(folder));
            }
            // The holder is a platform that listens or starts, or a command that ends soon.
            if let Some(node) = DataFolder::listening(path) {
                let Some(url) = node.local_url() else { return Err(not_loopback(path, &node)) };
                if http.get(format!("{url}/healthz")).send().await.is_ok() {
                    let token = LocalKey::of_folder(path)?.sign(&local_user())?;
                    // The next process on the folder may listen on another port.
                    let path = path.clone();
                    let api = ApiClient::new(http, url, token).found_by(move || local_address(&path));
                    return Ok(Found::Platform(api));
                }
            }
            if Instant::now() >= deadline {
                return Err(CliError::unavailable(format!(
                    "another process has the data folder {} open and does not answer: stop it, or use --data-dir",
                    path.display()
                )));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn start(app: App, registry: Registry, folder: DataFolder, stays: bool) -> Result<Self, CliError> {
        let http = http_builder().no_proxy().build()?;
        let grace = app.settings.long_task_cap;
        let token = LocalKey::of_folder(folder.path())?.sign(&local_user())?;
        let server = start_embedded(app, registry, folder, stays).await?;
        let api = ApiClient::new(http, format!("http://{}", server.address()), token);
        Ok(Self { api, embedded: Some(EmbeddedPlatform { server, grace }) })
    }

    fn connect_elsewhere(url: &str) -> Result<ApiClient, CliError> {
        let token = env_text("IMPERAL_TOKEN")?.unwrap_or_default();
        if token.is_empty() {
            return Err(CliError::refused("set IMPERAL_TOKEN to your token for the platform at --url"));
        }
        Ok(ApiClient::new(http_builder().build()?, url.trim_end_matches('/').to_owned(), token))
    }

    /// The platform's base URL.
    pub(super) fn url(&self) -> String {
        self.api.url()
    }

    /// Whether the platform ends with this command.
    pub(super) fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// The requests, for a task that outlives a borrow of the client.
    pub(super) fn api(&self) -> &ApiClient {
        &self.api
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.api.get(path).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        self.api.post(path, body).await
    }

    /// See [`ApiClient::post_once`].
    pub(super) async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        key: Option<&RequestKey>,
    ) -> Result<(T, bool), CliError> {
        self.api.post_once(path, body, key).await
    }

    pub(super) async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        self.api.put(path, body).await
    }

    pub(super) async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        self.api.patch(path, body).await
    }

    pub(super) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.api.delete(path).await
    }

    /// Ends an embedded platform after its tasks.
    pub(super) async fn close(self) {
        if let Some(EmbeddedPlatform { server, grace }) = self.embedded {
            server.stop(grace).await;
        }
    }

    /// Ends an embedded platform at once. Its tasks end as interrupted.
    pub(super) async fn abandon(mut self) {
        self.stop(Duration::ZERO).await;
    }

    /// Ends an embedded platform. Its work may go on for this time.
    pub(super) async fn stop(&mut self, grace: Duration) {
        if let Some(EmbeddedPlatform { server, .. }) = self.embedded.take() {
            server.stop(grace).await;
        }
    }
}

/// Where the process that serves a data folder listens, and a token for it.
fn local_address(path: &Path) -> Option<Address> {
    let url = DataFolder::listening(path)?.local_url()?;
    let token = LocalKey::of_folder(path).ok()?.sign(&local_user()).ok()?;
    Some(Address { url, token })
}

/// Starts a platform for one command, on a free port of the loopback address.
///
/// A platform that stays also takes up durable tasks that other processes left.
async fn start_embedded(
    app: App,
    registry: Registry,
    folder: DataFolder,
    stays: bool,
) -> Result<ListeningServer, CliError> {
    let builder = app.server(folder.path()).registry(registry).hosts(AllowedHosts::only(Vec::new()));
    let builder = if stays { builder } else { builder.for_one_command() };
    let builder = secret_keys::for_developer(builder)?;
    let server = builder.start_in(folder).await?;
    let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Ok(server.listen(free_port, ConnectionLimits::default()).await?)
}

/// The error of a command that found no process or no ledger in its data folder.
fn nothing_there(path: &Path, needs: Needs) -> CliError {
    let (bin, shown) = (program_name::command_line(), path.display());
    if needs == Needs::Process {
        return CliError::unavailable(format!("no platform runs on the data folder {shown}"))
            .hint(format!("`{bin} dev` starts one and prints a link"));
    }
    CliError::unavailable(format!("there is no ledger in {shown}")).hint(format!(
        "run it in the extension's folder or give --data-dir; `{bin} dev` and `{bin} call` create a ledger"
    ))
}

fn not_loopback(path: &Path, node: &NodeAddress) -> CliError {
    CliError::unavailable(format!(
        "process {} has the data folder {} open and listens on {}, which is not a loopback address; the folder's token \
         is sent to loopback addresses only",
        node.pid,
        path.display(),
        node.url
    ))
    .hint(format!("add --url {} and set IMPERAL_TOKEN to a user's token", node.url))
}
