//! The data folder: whose process has it open, and where that listens.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::exit::CliError;

/// A data folder that this process has open; no other can until it ends, however it ends.
#[derive(Debug)]
pub(super) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

/// Where the process that has a folder open listens.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Listening {
    pub(super) url: String,
    pub(super) pid: u32,
}

/// What became of trying to open a folder.
#[derive(Debug)]
pub(super) enum Opened {
    /// It is ours now.
    Ours(DataFolder),
    /// Another process has it.
    Taken,
}

impl DataFolder {
    /// Makes the folder where it is missing and opens it.
    pub(super) fn open(path: &Path) -> Result<Opened, CliError> {
        let say =
            |error: io::Error| CliError::new(format!("the data folder {} cannot be used: {error}", path.display()));
        make(path).map_err(say)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let lock = options.open(path.join("lock")).map_err(say)?;
        match lock.try_lock() {
            Ok(()) => Ok(Opened::Ours(Self { path: path.to_owned(), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(Opened::Taken),
            Err(TryLockError::Error(error)) => Err(say(error)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn ledger(&self) -> PathBuf {
        self.path.join("ledger.db")
    }

    /// Tells other processes where this one listens.
    pub(super) fn announce(&self, url: &str) -> io::Result<()> {
        let listening = Listening { url: url.to_owned(), pid: std::process::id() };
        let partial = self.path.join("listening.json.new");
        std::fs::write(&partial, serde_json::to_vec(&listening)?)?;
        std::fs::rename(partial, self.path.join("listening.json"))
    }

    /// Keeps the secrets of links that nobody has opened, for the next process on this folder. Whoever
    /// can read them can read the key beside them, so they give nothing away.
    pub(super) fn keep_links(&self, secrets: &[String]) {
        let _ = std::fs::write(self.path.join("links"), secrets.join("\n"));
    }

    /// The secrets that were kept; once.
    pub(super) fn take_links(&self) -> Vec<String> {
        let path = self.path.join("links");
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        kept.lines().map(str::to_owned).collect()
    }

    /// Where the process that has `path` open listens, once it does.
    pub(super) fn listening(path: &Path) -> Option<Listening> {
        crate::json::read(&std::fs::read(path.join("listening.json")).ok()?).ok()
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path.join("listening.json"));
    }
}

/// Only for its owner, and never for version control.
fn make(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)?;
        std::fs::write(path.join(".gitignore"), "*\n")?;
    }
    Ok(())
}
