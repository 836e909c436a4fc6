//! The platform inside your own program: ledger, node and gateway, without commands.
//!
//! [`App::run`](crate::App::run) is the whole program of an extension. A program that already has an
//! axum server starts the platform with [`App::server`](crate::App::server) instead, and serves
//! [`Server::router`] next to its own routes:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use axum::{Router, routing::get};
//! use imperal::App;
//! use imperal::gateway::{SecretString, Verifier};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let secret = SecretString::from(std::env::var("IMPERAL_JWT_SECRET")?);
//!     let server = App::new().server("data").users(Verifier::by_secret(&secret)?).start().await?;
//!     let app = Router::new().route("/", get(|| async { "my own page" })).nest("/chat/", server.router());
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     axum::serve(listener, app)
//!         .with_graceful_shutdown(async move {
//!             let _ = tokio::signal::ctrl_c().await;
//!             server.stop(Duration::from_secs(10)).await;
//!         })
//!         .await?;
//!     Ok(())
//! }
//! ```
//!
//! `nest` takes a path that ends with `/`, so that the chat page is at `/chat/`. `merge` serves the
//! routes at the root; your router must then have no fallback of its own. The router is one of axum 0.8.
//!
//! # What your program does itself
//!
//! - It calls [`Server::stop`] and waits for it before it exits. Live streams end only then, so call it
//!   inside the graceful shutdown of your server. Without it running work ends as after a crash: the next
//!   start puts an "interrupted" turn into the chat.
//! - It sets up a `tracing` subscriber. The platform logs and starts none.
//! - It decides who reaches the routes. `/metrics`, `/healthz`, `/readyz` and `/openapi.json` need no sign-in.
//! - It signs browsers in with [`Server::link_path`], or users with tokens that its [`ServerBuilder::users`]
//!   verifier accepts.
//! - It ends TLS, and sets `X-Forwarded-Proto: https` on requests that came by it: the session's cookie is
//!   `Secure` only then.
//!
//! # What your own listener does not have
//!
//! [`Server::listen`] limits connections; a listener of yours has the limits that you give it. It lacks:
//! 32 KiB and 100 headers for a request's head, 8 KiB for its target, 10 s for the head to arrive, 75 s
//! between two requests, 60 s for a client that does not read, the limit of open connections with room for
//! `/healthz`, and reading on after a refused body so that the client sees the answer. The limits of bodies,
//! JSON, calls, tasks, requests and streams are in the routes and hold everywhere.
//!
//! The commands of an extension's binary find a listener of this crate by its data folder. They reach
//! yours with `--url` and a token.

// Owns the order of a start (settings, data folder, keys, ledger, states, node) and of a stop. It does not know
// command lines, environment variables, logs or signals.

mod developer_keys;
mod error;
mod folder;
mod ledger;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use secrecy::SecretString;

pub use error::ServerError;
pub(crate) use folder::{DataFolder, FolderLock, NodeAddress};

use crate::app::App;
use crate::files::Blobs;
use crate::function::Registry;
use crate::gateway::{
    AllowedHosts, Auth, ConnectionLimits, Gateway, LOCAL_TENANT, LOCAL_USER, Listener, LocalKey, UserLimits, Verifier,
};
use crate::platform::{Access, Platform, RunningWork, SecretKeys};
use crate::user::User;

/// The folder of files in the data folder.
const FILES: &str = "files";

impl App {
    /// A platform for a program that has its own `main`: see [`Server`].
    ///
    /// `data_dir` holds the SQLite ledger and the key that signs the chat page's sessions. It is
    /// created if it is missing. One process at a time can open it.
    pub fn server(self, data_dir: impl Into<PathBuf>) -> ServerBuilder {
        ServerBuilder {
            app: self,
            data_dir: data_dir.into(),
            registry: None,
            database: None,
            users: None,
            service_token: None,
            hosts: AllowedHosts::any(),
            limits: UserLimits::default(),
            service_tenant: LOCAL_TENANT.to_owned(),
            makes_keys: false,
        }
    }
}

/// Settings of a [`Server`] that has not started. Made by [`App::server`].
#[must_use = "nothing runs before `start`"]
pub struct ServerBuilder {
    app: App,
    data_dir: PathBuf,
    registry: Option<Registry>,
    database: Option<ledger::Database>,
    users: Option<Verifier>,
    service_token: Option<SecretString>,
    hosts: AllowedHosts,
    limits: UserLimits,
    service_tenant: String,
    makes_keys: bool,
}

impl ServerBuilder {
    /// Keeps the ledger in a PostgreSQL database instead of the data folder: `postgres://user@host/database`.
    ///
    /// Several nodes can share the database. Each needs its own data folder and its own name, which is
    /// [`Settings::node`](crate::platform::Settings) where it is set, else host name and data folder.
    #[cfg(feature = "postgres")]
    pub fn database_url(self, url: impl Into<String>) -> Self {
        self.database(url.into(), None)
    }

    /// [`ServerBuilder::database_url`], with the number of connections for calls. Without the feature
    /// `postgres` the start fails.
    pub(crate) fn database(mut self, url: String, connections: Option<u16>) -> Self {
        self.database = Some(ledger::Database { url, connections });
        self
    }

    /// The keys that secrets are sealed with: see [`SecretKeys`]. A program whose extensions declare secrets does not
    /// start without one.
    pub fn secret_keys(mut self, keys: SecretKeys) -> Self {
        self.app.settings.secret_keys = Some(keys);
        self
    }

    /// Seals secrets with a key of this user of the machine, which is made where it is needed.
    pub(crate) fn with_developer_keys(mut self) -> Self {
        self.makes_keys = true;
        self
    }

    /// Accepts users' tokens that this verifier accepts. Without it, users sign in by one-time links only.
    pub fn users(mut self, users: Verifier) -> Self {
        self.users = Some(users);
        self
    }

    /// Accepts messages of services that show this token in `X-Service-Token`: 16 bytes or more.
    pub fn service_token(mut self, token: impl Into<SecretString>) -> Self {
        self.service_token = Some(token.into());
        self
    }

    /// The tenant of a service's message that names none. `default`.
    pub fn service_tenant(mut self, tenant: impl Into<String>) -> Self {
        self.service_tenant = tenant.into();
        self
    }

    /// Limits each user's requests and streams. No limits by default.
    pub fn limits(mut self, limits: UserLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Answers to these host names only. Every name by default.
    pub fn hosts(mut self, hosts: AllowedHosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Leaves durable tasks of other processes to a process that stays.
    pub(crate) fn for_one_command(mut self) -> Self {
        self.app.settings.takes_up_tasks = false;
        self
    }

    /// Serves these functions instead of all that are linked into the program.
    pub(crate) fn registry(mut self, registry: Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Opens the data folder and the ledger, settles what an earlier process left behind, and accepts calls.
    ///
    /// Needs a tokio runtime with time and I/O. Opening the SQLite file blocks for a moment.
    ///
    /// # Errors
    /// [`ServerError`], one variant per step. Nothing of the platform runs after an error.
    pub async fn start(self) -> Result<Server, ServerError> {
        // The platform checks them too, but only after this has made a data folder and a ledger.
        self.app.settings.check()?;
        let folder = DataFolder::lock(&self.data_dir)?;
        self.start_in(folder).await
    }

    /// [`ServerBuilder::start`] in a data folder that this process has opened already.
    pub(crate) async fn start_in(mut self, folder: DataFolder) -> Result<Server, ServerError> {
        let registry = self.registry.map_or_else(Registry::collect, Ok)?;
        let mut auth = Auth::local(LocalKey::of_folder(folder.path()).map_err(|error| folder.unusable(error))?);
        if let Some(users) = self.users {
            #[cfg(feature = "mcp")]
            let users = match &self.app.mcp.auth_issuer {
                Some(issuer) => users.for_resource(issuer.issuer(), issuer.resource()),
                None => users,
            };
            auth = auth.with_users(users);
        }
        if let Some(token) = self.service_token {
            auth = auth.with_service_token(token)?;
        }
        let shares_ledger = self.database.is_some();
        let ledger = match self.database {
            None => ledger::open_file(&folder)?,
            Some(database) => database.connect(&folder, &mut self.app.settings).await?,
        };
        let has_secrets = registry.extensions().any(|extension| !extension.secrets().is_empty());
        if self.makes_keys && has_secrets && self.app.settings.secret_keys.is_none() {
            self.app.settings.secret_keys = Some(developer_keys::of_ledger(&*ledger).await?);
        }
        let states = self.app.states_in(folder.path())?;
        self.app.settings.data_folder = Some(folder.path().to_owned());
        self.app.settings.blobs = match &self.app.settings.files_url {
            Some(url) => Some(Blobs::open(url).map_err(ServerError::Files)?),
            None if shares_ledger => None,
            None => Some(Blobs::in_folder(&folder.path().join(FILES)).map_err(ServerError::Files)?),
        };
        let platform = Platform::start(registry, ledger, states, self.app.settings).await?;
        let gateway = Gateway::new(platform, auth).limits(self.limits).hosts(self.hosts);
        #[cfg(feature = "mcp")]
        let gateway = gateway.mcp(self.app.mcp);
        Ok(Server { gateway: gateway.service_tenant(self.service_tenant), folder: Arc::new(folder) })
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// A running platform, for a program that has its own `main`. A clone is the same platform.
///
/// Dropping it does not stop the platform: call [`Server::stop`].
#[derive(Debug, Clone)]
pub struct Server {
    gateway: Gateway,
    // Unlocked last, when the ledger is closed.
    folder: Arc<DataFolder>,
}

impl Server {
    /// All routes: the API, the chat page, `/healthz`, `/readyz`, `/metrics`, `/openapi.json`.
    pub fn router(&self) -> Router {
        self.gateway.router(None)
    }

    /// Serves the routes on a listener of this crate, which limits connections and their times.
    ///
    /// Writes the address into the data folder, where the commands of the same binary find it.
    ///
    /// # Errors
    /// [`ServerError::Listen`]: an address in use, a port that this user may not open, connection limits out
    /// of their range.
    pub async fn listen(&self, address: SocketAddr, limits: ConnectionLimits) -> Result<ListeningServer, ServerError> {
        let listener = self.gateway.listen(address, limits).await;
        let listener = listener.map_err(|source| ServerError::Listen { address, source })?;
        let url = format!("http://{}", listener.address());
        self.folder.announce(&url).map_err(|error| self.folder.unusable(error))?;
        Ok(ListeningServer { server: self.clone(), listener })
    }

    /// Calls functions and reads the chat as this user, without HTTP.
    ///
    /// The program vouches for the user: nothing is checked here.
    pub fn access(&self, user: User) -> Access {
        self.gateway.platform().access(user)
    }

    /// Path of a one-time link that signs a browser in as this user: `open/SECRET`, relative to the place of
    /// the routes. It works once and for one hour.
    pub fn link_path(&self, user: User) -> String {
        format!("open/{}", self.gateway.new_link(user))
    }

    /// Stops in two phases. No new calls and tasks are accepted from now on, and running work gets `grace`
    /// to finish; then the rest ends with an "interrupted" turn, live streams end, and the node leaves the
    /// ledger. Returns when everything is in the ledger.
    pub async fn stop(&self, grace: Duration) {
        self.gateway.stop(grace).await;
    }

    /// The calls and tasks that run now.
    pub(crate) async fn running_work(&self) -> RunningWork {
        self.gateway.platform().running_work().await
    }

    /// Secrets of this user's links that were not opened, for [`Server::reopen_links`] of the next process.
    pub(crate) fn unopened_links(&self, user: &User) -> Vec<String> {
        self.gateway.unopened_links(user)
    }

    /// Makes links of the previous process valid again, each for one use.
    pub(crate) fn reopen_links(&self, secrets: Vec<String>, user: &User) {
        self.gateway.reopen_links(secrets, user);
    }

    pub(crate) fn folder(&self) -> &DataFolder {
        &self.folder
    }
}

/// A [`Server`] on a listener of this crate. Made by [`Server::listen`].
#[derive(Debug)]
pub struct ListeningServer {
    server: Server,
    listener: Listener,
}

impl ListeningServer {
    /// The bound address, with the real port where port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// A one-time link for this machine's browser: [`Server::link_path`] behind the bound address.
    pub fn link(&self, user: User) -> String {
        format!("http://{}/{}", self.address(), self.server.link_path(user))
    }

    /// The platform behind the listener.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// [`Server::stop`], then waits up to 5 s for open connections and closes the rest.
    pub async fn stop(self, grace: Duration) {
        self.stop_unless(grace, std::future::pending()).await;
    }

    /// [`ListeningServer::stop`], but the grace ends when `now` is ready.
    pub(crate) async fn stop_unless(self, grace: Duration, now: impl Future<Output = ()>) {
        tokio::select! {
            () = self.server.stop(grace) => {}
            // A stop that was begun goes on with another grace.
            () = now => self.server.stop(Duration::ZERO).await,
        }
        self.listener.close().await;
    }
}

/// The person at this machine: the user of `dev` and of the terminal commands. May read all audit rows, and is an
/// operator of all tasks, documents and secrets.
pub(crate) fn local_user() -> User {
    let mut user = User::new(LOCAL_USER, LOCAL_TENANT);
    user.scopes = ["audit:read:all", "tasks:operate:all", "documents:operate:all", "secrets:operate:all"]
        .map(str::to_owned)
        .to_vec();
    user
}
