//! Binding, serving, stopping.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::auth::{Auth, Links};
use super::connection::{Acceptor, ConnectionLimits};
use super::limits::{Meter, UserLimits};
use super::{AllowedHosts, Gateway, LOCAL_TENANT, router};
use crate::context::User;
use crate::loops::Need;
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
    connections: ConnectionLimits,
    service_tenant: String,
}

impl Server {
    /// Serves a platform to whom `auth` lets in.
    pub fn new(platform: Platform, auth: Auth) -> Self {
        Self {
            platform,
            auth,
            limits: UserLimits::default(),
            hosts: AllowedHosts::any(),
            connections: ConnectionLimits::default(),
            service_tenant: LOCAL_TENANT.to_owned(),
        }
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

    /// How many connections there may be, and how long each may take.
    #[must_use]
    pub fn connections(mut self, limits: ConnectionLimits) -> Self {
        self.connections = limits;
        self
    }

    /// The tenant of the user that a service writes to without naming one; without this it is `default`.
    #[must_use]
    pub fn service_tenant(mut self, tenant: impl Into<String>) -> Self {
        self.service_tenant = tenant.into();
        self
    }

    /// Binds and accepts from now on.
    ///
    /// # Errors
    /// The socket's own: an address in use, a port one may not have. `InvalidInput` for connection limits that
    /// make no sense.
    pub async fn bind(self, listen: SocketAddr) -> io::Result<Bound> {
        let faults = self.connections.faults();
        if !faults.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, faults.join("\n")));
        }
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
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
            service_tenant: self.service_tenant.into(),
            wrong_tokens: Arc::default(),
            readiness: Arc::default(),
            closing: closing.clone(),
        };
        // A service at once: made into one for each request, all its routes would be made anew.
        let app = router(gateway).with_state(());
        let ended = CancellationToken::new();
        let meters = self.platform.meters().clone();
        let state = self.platform.loops().register("listener", Need::Essential);
        let acceptor = Acceptor::new(app, self.connections, meters, state, closing.clone(), ended.clone());
        let serving = tokio::spawn(acceptor.run(listener));
        Ok(Bound { platform: self.platform, address, links, closing, ended, serving })
    }
}

/// A gateway that accepts.
#[derive(Debug)]
pub struct Bound {
    platform: Platform,
    address: SocketAddr,
    links: Arc<Links>,
    closing: CancellationToken,
    ended: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
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
        let mut serving = self.serving;
        if tokio::time::timeout(LAST_CONNECTIONS, &mut serving).await.is_err() {
            tracing::debug!("connections cut");
            self.ended.cancel();
            // Each ends at its next step; a panic of the accepting task has been reported.
            let _ = serving.await;
        }
    }
}
