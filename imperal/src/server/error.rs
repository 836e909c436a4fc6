//! Why a server did not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::app::StateError;
use crate::function::StartError;
use crate::gateway::AuthError;
use crate::ledger::LedgerError;
use crate::platform::PlatformError;

/// Why a [`Server`](super::Server) did not start or does not listen.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerError {
    /// The functions that are linked into this program cannot be served together.
    Functions(StartError),
    /// The data folder cannot be created, locked, read or written.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process has the data folder open.
    FolderInUse {
        /// The folder.
        path: PathBuf,
        /// That process and where it listens, if it does.
        holder: Option<String>,
    },
    /// The ledger cannot be opened.
    Ledger {
        /// Its file. `None` for a database.
        path: Option<PathBuf>,
        /// Why not.
        source: LedgerError,
    },
    /// The store of files cannot be used. The text names it, and the way out.
    Files(String),
    /// The node needs a name of its own, and this machine has no host name to make one from.
    NodeName,
    /// The build has no PostgreSQL ledger: the feature `postgres` is off.
    NoPostgres,
    /// A value of [`App::state_in`](crate::App::state_in) could not be made.
    State(Box<dyn std::error::Error + Send + Sync>),
    /// The key of this user of the machine, for secrets under `dev`, cannot be read or made.
    DeveloperKey {
        /// Its file; `None` if this machine names no folder for it.
        path: Option<PathBuf>,
        /// Why not.
        source: io::Error,
    },
    /// The node did not start: settings out of their range, functions that cannot be served, the ledger.
    Platform(PlatformError),
    /// A key or a token cannot be used.
    Auth(AuthError),
    /// The address cannot be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Functions(error) => error.fmt(f),
            Self::Folder { path, source } => write!(f, "the data folder {} cannot be used: {source}", path.display()),
            Self::FolderInUse { path, holder } => write!(
                f,
                "{} has the data folder {} open: stop it, or use another data folder (`--data-dir`)",
                holder.as_deref().unwrap_or("another process"),
                path.display()
            ),
            Self::Ledger { path: Some(path), source } => write!(f, "{}: {source}", path.display()),
            Self::Ledger { path: None, source } => source.fmt(f),
            Self::Files(why) => write!(f, "{why} (`--files-url`)"),
            Self::NodeName => f.write_str("this machine has no host name: set a name for the node (`--node`)"),
            Self::NoPostgres => f.write_str(
                "this build has no PostgreSQL ledger: leave out the database URL (`--database-url`), or build with imperal's feature `postgres`",
            ),
            Self::State(error) => error.fmt(f),
            Self::DeveloperKey { path: Some(path), source } => write!(
                f,
                "the key for secrets in {} cannot be used: {source}; or set IMPERAL_SECRET_KEYS",
                path.display()
            ),
            Self::DeveloperKey { path: None, source } => {
                write!(f, "there is no place for a key for secrets: {source}; set IMPERAL_SECRET_KEYS")
            }
            Self::Platform(error) => error.fmt(f),
            Self::Auth(error) => error.fmt(f),
            Self::Listen { address, source } => {
                write!(f, "cannot listen on {address}: {source}; port 0 takes a free one (`--listen 127.0.0.1:0`)")
            }
        }
    }
}

impl std::error::Error for ServerError {}

impl From<StartError> for ServerError {
    fn from(error: StartError) -> Self {
        Self::Functions(error)
    }
}

impl From<StateError> for ServerError {
    fn from(error: StateError) -> Self {
        Self::State(Box::new(error))
    }
}

impl From<PlatformError> for ServerError {
    fn from(error: PlatformError) -> Self {
        Self::Platform(error)
    }
}

impl From<AuthError> for ServerError {
    fn from(error: AuthError) -> Self {
        Self::Auth(error)
    }
}
