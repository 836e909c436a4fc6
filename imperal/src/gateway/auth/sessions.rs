//! Sessions of the page that were ended before they expired.
//!
//! A session is a signed cookie, so the server stores nothing for valid sessions. It stores the ids of ended ones until
//! they would have expired: in memory, and in the data folder for the next process.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use super::signed::now;
use crate::private_file;
use crate::user::User;

/// Largest file that is read. It holds more than a thousand ended sessions.
const FILE_LIMIT: u64 = 1024 * 1024;

/// A valid session.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct PageSession {
    pub(in crate::gateway) user: User,
    pub(super) id: String,
    /// When the link was used, in seconds since 1970.
    pub(super) begun: i64,
    /// When this cookie was signed.
    pub(super) issued: i64,
    pub(super) until: Instant,
}

/// Ids of ended sessions.
#[derive(Clone, Default)]
pub(super) struct EndedSessions(Arc<Shared>);

#[derive(Default)]
struct Shared {
    path: Option<PathBuf>,
    /// Id, and when the session would have expired.
    ids: Mutex<HashMap<String, i64>>,
    /// Serializes writes of the file.
    writing: tokio::sync::Mutex<()>,
    changed: watch::Sender<()>,
}

impl EndedSessions {
    /// The ended sessions of a data folder.
    pub(super) fn of_folder(folder: &Path) -> io::Result<Self> {
        let path = folder.join("ended-sessions");
        let text = match private_file::read(&path, FILE_LIMIT) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let read = |line: &str| {
            let (id, over) = line.split_once(' ')?;
            Some((id.to_owned(), over.parse().ok()?))
        };
        let ids = text.lines().filter_map(read).collect();
        Ok(Self(Arc::new(Shared { path: Some(path), ids: Mutex::new(ids), ..Shared::default() })))
    }

    fn ids(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        self.0.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.ids().contains_key(id)
    }

    /// Ends a session at once, then stores that.
    pub(super) async fn end(&self, id: &str, over: i64) -> io::Result<()> {
        self.ids().insert(id.to_owned(), over);
        self.0.changed.send_replace(());
        let Some(path) = self.0.path.clone() else { return Ok(()) };
        let _writing = self.0.writing.lock().await;
        let text = {
            let mut ids = self.ids();
            ids.retain(|_, over| *over > now());
            ids.iter().map(|(id, over)| format!("{id} {over}")).collect::<Vec<_>>().join("\n")
        };
        let written = tokio::task::spawn_blocking(move || private_file::replace(&path, text.as_bytes()));
        written.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// Waits until the session is ended.
    pub(super) async fn until_ended(&self, id: &str) {
        let mut changed = self.0.changed.subscribe();
        while !self.contains(id) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}

impl fmt::Debug for EndedSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndedSessions")
    }
}
