//! Binding, serving, stopping.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::auth::{Auth, Links};
use super::limits::{Meter, UserLimits};
use super::{AllowedHosts, Gateway, router};
use crate::context::User;
use crate::platform::Platform;

/// How long open connections may take to end once everything else has.
const LAST_CONNECTIONS: Duration = Duration::from_secs(5);

/// A gateway to be started.
#[derive(Debug)]
pub struct Server {
    platform: Platform,
    auth: Auth,
    limits: UserLimits,
    hosts: AllowedHosts,
}

impl Server {
    /// Serves a platform to whom `auth` lets in.
    pub fn new(platform: Platform, auth: Auth) -> Self {
        Self { platform, auth, limits: UserLimits::default(), hosts: AllowedHosts::any() }
    }

    /// Limits what one user may ask at once; without this there is no limit.
    #[must_use]
    pub fn limits(mut self, limits: UserLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Answers to these host names; without this to every one.
    #[must_use]
    pub fn hosts(mut self, hosts: AllowedHosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Binds and accepts from now on.
    ///
    /// # Errors
    /// The socket's own: an address in use, a port one may not have.
    pub async fn bind(self, listen: SocketAddr) -> io::Result<Bound> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let listener = listener.tap_io(|connection| {
            // An event goes at once, also when the client has not confirmed the one before.
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!(%error, "small packets wait for one another");
            }
        });
        if let Some(users) = &self.auth.users {
            users.prefetch();
        }
        let closing = CancellationToken::new();
        let links = Arc::new(Links::default());
        let gateway = Gateway {
            platform: self.platform.clone(),
            auth: Arc::new(self.auth),
            links: links.clone(),
            hosts: Arc::new(self.hosts),
            address,
            meter: Arc::new(Meter::new(self.limits)),
            closing: closing.clone(),
        };
        // A router that is no service yet would be made one anew, with all its routes, for each connection.
        let serving = axum::serve(listener, router(gateway).into_make_service());
        let serving = serving.with_graceful_shutdown(closing.clone().cancelled_owned());
        let serving = tokio::spawn(serving.into_future());
        Ok(Bound { platform: self.platform, address, links, closing, serving })
    }
}

/// A gateway that accepts.
#[derive(Debug)]
pub struct Bound {
    platform: Platform,
    address: SocketAddr,
    links: Arc<Links>,
    closing: CancellationToken,
    serving: tokio::task::JoinHandle<io::Result<()>>,
}

impl Bound {
    /// Where it listens; the real port when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A one-time link that makes the browser which opens it this user's.
    pub fn link(&self, user: User) -> String {
        format!("http://{}/open/{}", self.address, self.links.make(user))
    }

    /// Secrets of this user's links that nobody has opened: for [`reopen`](Self::reopen).
    pub(crate) fn open_links(&self, user: &User) -> Vec<String> {
        self.links.waiting(user)
    }

    /// Lets links of the process before this one be opened, once, as they were meant.
    pub(crate) fn reopen(&self, secrets: Vec<String>, user: &User) {
        self.links.take_up(secrets, user);
    }

    /// Stops in two phases: no new calls, running work gets `grace`; then streams and connections
    /// end.
    pub async fn stop(self, grace: Duration) {
        self.platform.shutdown(grace).await;
        self.closing.cancel();
        let abort = self.serving.abort_handle();
        if tokio::time::timeout(LAST_CONNECTIONS, self.serving).await.is_err() {
            tracing::debug!("connections cut");
            abort.abort();
        }
    }
}
