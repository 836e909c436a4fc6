//! A TCP proxy to a server, most often the database, that a test can disturb.
//!
//! It forwards, delays or holds back all bytes, closes one half of each connection, or breaks it. Bytes
//! that it holds back arrive later, as on a network that recovers, even if their client has given up.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// The behaviour of the proxy towards its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It forwards everything.
    Open,
    /// It delays everything by this time.
    Slow(Duration),
    /// It forwards nothing in either direction until this changes. New connections seem to succeed.
    Silent,
    /// It closes the client's half of every connection and does not tell the server.
    HalfClosed,
    /// It breaks every connection, new ones too.
    Cut,
}

/// The current way, and how many times all connections were broken.
#[derive(Debug, Clone, Copy)]
struct State {
    way: Way,
    breaks: u64,
}

#[derive(Debug, Clone)]
enum Server {
    Tcp(String),
    Unix(PathBuf),
}

/// The listener; it ends with this value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    config: Config,
    state: watch::Sender<State>,
    accepting: AbortHandle,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.set(Way::Cut);
    }
}

impl Proxy {
    /// A proxy to the server in this address.
    ///
    /// # Panics
    /// When the address names no server.
    pub async fn before(url: &str) -> Self {
        let config: Config = url.parse().expect("an address of PostgreSQL");
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let server = match config.get_hosts().first() {
            Some(Host::Tcp(host)) => Server::Tcp(format!("{host}:{port}")),
            Some(Host::Unix(folder)) => Server::Unix(folder.join(format!(".s.PGSQL.{port}"))),
            None => panic!("the address names no host"),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (state, watched) = watch::channel(State { way: Way::Open, breaks: 0 });
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server.clone(), watched.clone()));
            }
        });
        Self { address, config, state, accepting: accepting.abort_handle() }
    }

    /// The address of the proxy, for a server other than a database.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the same database through the proxy.
    pub fn url(&self) -> String {
        let user = self.config.get_user().unwrap_or("postgres");
        let password = self.config.get_password().map(String::from_utf8_lossy);
        let password = password.map(|password| format!("password='{password}' ")).unwrap_or_default();
        let name = self.config.get_dbname().unwrap_or("postgres");
        let port = self.address.port();
        format!("host=127.0.0.1 port={port} user={user} {password}dbname={name} sslmode=disable")
    }

    /// Changes what happens from now on, to open connections too.
    pub fn set(&self, way: Way) {
        self.state.send_modify(|state| state.way = way);
    }

    /// Breaks every open connection; new ones work.
    pub fn break_all(&self) {
        self.state.send_modify(|state| state.breaks += 1);
    }
}

async fn carry(client: TcpStream, server: Server, mut state: watch::Receiver<State>) {
    while state.borrow_and_update().way == Way::Silent {
        if state.changed().await.is_err() {
            return;
        }
    }
    if state.borrow().way == Way::Cut {
        return;
    }
    match server {
        Server::Tcp(address) => {
            if let Ok(server) = TcpStream::connect(address).await {
                both_ways(client, server.into_split(), state).await;
            }
        }
        Server::Unix(path) => {
            if let Ok(server) = UnixStream::connect(path).await {
                both_ways(client, server.into_split(), state).await;
            }
        }
    }
}

async fn both_ways<R, W>(client: TcpStream, (from_server, to_server): (R, W), state: watch::Receiver<State>)
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let (from_client, to_client) = client.into_split();
    let there = one_way(from_client, to_server, state.clone(), false);
    let back = one_way(from_server, to_client, state.clone(), true);
    tokio::select! {
        // Bytes that one side has sent are forwarded before both are closed.
        _ = async { tokio::join!(there, back) } => {}
        () = broken(state) => {}
    }
}

async fn broken(mut state: watch::Receiver<State>) {
    let born = state.borrow_and_update().breaks;
    while state.changed().await.is_ok() {
        let State { way, breaks } = *state.borrow_and_update();
        if way == Way::Cut || breaks != born {
            return;
        }
    }
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<State>,
    to_client: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        if state.borrow_and_update().way == Way::HalfClosed && to_client {
            break;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            changed = state.changed() => match changed {
                Ok(()) => continue,
                Err(_) => break,
            },
        };
        let Ok(count @ 1..) = read else { break };
        let now = state.borrow().way;
        if let Way::Slow(by) = now {
            tokio::time::sleep(by).await;
        }
        while state.borrow_and_update().way == Way::Silent {
            if state.changed().await.is_err() {
                return;
            }
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    // An error means that it is already closed.
    let _ = to.shutdown().await;
}
