//! The data folder: one process at a time has it open, and writes down where it listens.
//!
//! Owns the lock and the small files next to the ledger. All of them are private to their owner.

use std::fs::{File, TryLockError};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::ServerError;
use crate::private_file;

/// All files that the platform keeps in the folder.
const FILES: &[&str] = &[
    "lock",
    "links",
    "listening.json",
    "session.key",
    "ended-sessions",
    "open.html",
    LEDGER,
    "ledger.db-wal",
    "ledger.db-shm",
];
/// The SQLite file.
const LEDGER: &str = "ledger.db";
/// Largest small file that is read, in bytes.
const FILE_LIMIT: u64 = 64 * 1024;

/// A data folder that this process has open. The lock ends with the process, however it ends.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

/// Where the process that has a folder open listens.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NodeAddress {
    pub(crate) url: String,
    pub(crate) pid: u32,
}

impl NodeAddress {
    /// Its URL on a loopback address. `None` if it listens on no such address: the folder's token is sent
    /// nowhere else.
    pub(crate) fn local_url(&self) -> Option<String> {
        let address: SocketAddr = self.url.strip_prefix("http://")?.parse().ok()?;
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        ip.to_canonical().is_loopback().then(|| format!("http://{}", SocketAddr::new(ip, address.port())))
    }
}

/// The result of opening a folder.
#[derive(Debug)]
pub(crate) enum FolderLock {
    /// This process has it now.
    Acquired(DataFolder),
    /// Another process has it.
    HeldElsewhere,
}

impl DataFolder {
    /// Opens the folder. Creates it if it is missing.
    ///
    /// # Errors
    /// [`ServerError::Folder`] when it cannot be created or locked.
    pub(crate) fn open(path: &Path) -> Result<FolderLock, ServerError> {
        let unusable = |source: io::Error| ServerError::Folder { path: path.to_owned(), source };
        create_folder(path).map_err(unusable)?;
        let lock = private_file::open_or_create(&path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {
                // Left by a killed process. Another program may listen there now.
                let _ = std::fs::remove_file(path.join("listening.json"));
                Ok(FolderLock::Acquired(Self { path: path.to_owned(), _lock: lock }))
            }
            Err(TryLockError::WouldBlock) => Ok(FolderLock::HeldElsewhere),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// Whether a platform has used this folder. Nothing is created.
    pub(crate) fn is_used(path: &Path) -> bool {
        ["lock", LEDGER].iter().any(|name| path.join(name).symlink_metadata().is_ok())
    }

    /// Whether the folder has a ledger. A node on PostgreSQL has none in its folder.
    pub(crate) fn has_ledger(&self) -> bool {
        self.ledger().symlink_metadata().is_ok()
    }

    /// Opens the folder for as long as the value lives, and logs which of its files other users can reach.
    ///
    /// # Errors
    /// [`ServerError::FolderInUse`] names the process that has it open; else as [`DataFolder::open`].
    pub(crate) fn lock(path: &Path) -> Result<Self, ServerError> {
        match Self::open(path)? {
            FolderLock::Acquired(folder) => {
                folder.warn_if_open();
                Ok(folder)
            }
            FolderLock::HeldElsewhere => {
                let holder = Self::listening(path).map(|node| format!("process {} at {}", node.pid, node.url));
                Err(ServerError::FolderInUse { path: path.to_owned(), holder })
            }
        }
    }

    /// Logs files of the folder that other users of the machine can read or write.
    fn warn_if_open(&self) {
        let files: Vec<_> = FILES.iter().map(|name| self.path.join(name)).collect();
        private_file::warn_about(std::iter::once(self.path()).chain(files.iter().map(PathBuf::as_path)));
    }

    /// The error for a file of the folder that cannot be read or written.
    pub(super) fn unusable(&self, source: io::Error) -> ServerError {
        ServerError::Folder { path: self.path.clone(), source }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.path.join(LEDGER)
    }

    /// Writes down where this process listens, for other processes.
    pub(crate) fn announce(&self, url: &str) -> io::Result<()> {
        let listening = NodeAddress { url: url.to_owned(), pid: std::process::id() };
        private_file::replace(&self.path.join("listening.json"), &serde_json::to_vec(&listening)?)
    }

    /// Stores the secrets of links that were not opened yet, for the next process on this folder.
    pub(crate) fn keep_links(&self, secrets: &[String]) {
        if let Err(error) = private_file::replace(&self.path.join("links"), secrets.join("\n").as_bytes()) {
            tracing::warn!(%error, "links that were not opened are void: they could not be stored in the data folder");
        }
    }

    /// Takes the stored secrets. A second call returns none.
    pub(crate) fn take_links(&self) -> Vec<String> {
        let path = self.path.join("links");
        let kept = match private_file::read(&path, FILE_LIMIT) {
            Ok(kept) => kept,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, "links of the process before this one are void");
                }
                Vec::new()
            }
        };
        let _ = std::fs::remove_file(path);
        String::from_utf8_lossy(&kept).lines().map(str::to_owned).collect()
    }

    /// Where the process that has `path` open listens. `None` before it listens.
    pub(crate) fn listening(path: &Path) -> Option<NodeAddress> {
        crate::json::read(&private_file::read(&path.join("listening.json"), FILE_LIMIT).ok()?).ok()
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path.join("listening.json"));
    }
}

/// With a `.gitignore`: it must not get into version control.
fn create_folder(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        private_file::make_folder(path)?;
        private_file::replace(&path.join(".gitignore"), b"*\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_loopback_addresses() {
        let local = |url: &str| NodeAddress { url: url.to_owned(), pid: 1 }.local_url();
        for (url, wanted) in [
            ("http://127.0.0.1:7717", "http://127.0.0.1:7717"),
            ("http://[::1]:80", "http://[::1]:80"),
            ("http://0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("http://[::]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(local(url).as_deref(), Some(wanted));
        }
        for url in
            ["http://10.0.0.5:8080", "https://127.0.0.1:1", "http://localhost:1", "http://127.0.0.1:1@evil:80", ""]
        {
            assert_eq!(local(url), None, "{url}");
        }
    }
}
