//! The gateway's own listener: binds an address, serves connections on it, and closes it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use super::connection::{Acceptor, ConnectionLimits};
use crate::loops::Need;

/// Time for open connections to end after everything else has stopped.
const LAST_CONNECTIONS: Duration = Duration::from_secs(5);

impl Gateway {
    /// Binds an address and serves it.
    ///
    /// # Errors
    /// The socket's own: an address in use, a port that this user may not open. `InvalidInput` for connection
    /// limits out of their range.
    pub(crate) async fn listen(&self, address: SocketAddr, limits: ConnectionLimits) -> io::Result<Listener> {
        let faults = limits.faults();
        if !faults.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, faults.join("\n")));
        }
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        // `with_state` builds the routes once. Without it they would be built for each request.
        let app = self.router(Some(address)).with_state(());
        let ended = CancellationToken::new();
        let meters = self.platform.meters().clone();
        let state = self.platform.loops().register("listener", Need::Essential);
        let acceptor = Acceptor::new(app, limits, meters, state, self.closing.clone(), ended.clone());
        let serving = tokio::spawn(acceptor.run(socket));
        Ok(Listener { address, ended, serving })
    }
}

/// A bound address that is being served. It stops accepting when its gateway stops.
#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    ended: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl Listener {
    /// The bound address, with the real port where port 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the open connections have ended, 5 s at most, and closes the rest. For a gateway that has
    /// stopped.
    pub(crate) async fn close(self) {
        let mut serving = self.serving;
        if tokio::time::timeout(LAST_CONNECTIONS, &mut serving).await.is_err() {
            tracing::debug!("closing the remaining connections");
            self.ended.cancel();
            // Each connection ends at its next step. A panic of the accept loop has been logged already.
            let _ = serving.await;
        }
    }
}
