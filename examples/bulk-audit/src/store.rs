//! The user's own document on disk: groups of domains, and the latest audits.
//!
//! One file a user. A change reads it, writes the new one beside it, syncs it and moves it there,
//! so that a kill at any moment leaves the old one or the new one. An audit is written when it is
//! done and not before: what is still running is the platform's to know. Everything here may wait
//! for the disk, so it runs on threads that may.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use imperal::{Error, Result, User};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::summary::Audit;

/// Longest name of a folder that every file system takes.
const NAME_LIMIT: usize = 200;

/// All that is kept for a user.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Kept {
    /// By name.
    pub(crate) groups: BTreeMap<String, Group>,
    /// The latest audit of all.
    pub(crate) latest: Option<Audit>,
}

/// Domains under a name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) domains: Vec<String>,
    /// Its latest audit.
    #[serde(default)]
    pub(crate) latest: Option<Audit>,
}

type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The store of this process.
#[derive(Clone)]
pub(crate) struct Store(Arc<Shelf>);

struct Shelf {
    folder: PathBuf,
    now: Now,
    /// Held by whoever changes a document, so that changes do not overwrite each other.
    writing: Mutex<()>,
}

impl Store {
    /// `BULK_AUDIT_DATA`, or a folder beside the platform's ledger.
    pub(crate) fn from_env() -> Self {
        let text = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let beside = || text("IMPERAL_DATA_DIR").unwrap_or_else(|| ".imperal".into()).join("bulk-audit");
        Self::new(text("BULK_AUDIT_DATA").unwrap_or_else(beside), Arc::new(Timestamp::now))
    }

    pub(crate) fn new(folder: impl Into<PathBuf>, now: Now) -> Self {
        Self(Arc::new(Shelf { folder: folder.into(), now, writing: Mutex::new(()) }))
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        (self.0.now)()
    }

    /// What is kept for a user.
    pub(crate) async fn kept(&self, user: &User) -> Result<Kept> {
        self.on_disk(user, |_, path| read(path)).await
    }

    /// Changes what is kept for a user; two changes at once follow each other.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        user: &User,
        change: impl FnOnce(&mut Kept) -> T + Send + 'static,
    ) -> Result<T> {
        self.on_disk(user, move |shelf, path| {
            let _writing = shelf.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let mut kept = read(path)?;
            let answer = change(&mut kept);
            write(path, &kept)?;
            Ok(answer)
        })
        .await
    }

    /// Keeps an audit as the latest.
    pub(crate) async fn keep_audit(&self, user: &User, audit: Audit) -> Result<()> {
        self.change(user, |kept| kept.latest = Some(audit)).await
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        user: &User,
        work: impl FnOnce(&Shelf, &Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let owned = self.0.clone();
        let path = owned.folder.join(path_of(user)).join("kept.json");
        let done = tokio::task::spawn_blocking(move || work(&owned, &path)).await?;
        done.map_err(|error| {
            Error::retryable("STORE_FAILED", "Your groups and audits cannot be reached right now.").with_source(error)
        })
    }
}

fn read(path: &Path) -> io::Result<Kept> {
    match fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(error) => Err(error),
    }
}

/// Writes the document whole or not at all, and returns when it is on disk.
fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // One name is enough: whoever writes has the lock. A half one of a killed process is overwritten.
    let partial = path.with_extension("partial");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&partial)?;
    file.write_all(&serde_json::to_vec(kept)?)?;
    file.sync_all()?;
    fs::rename(partial, path)?;
    File::open(folder)?.sync_all()
}

/// A folder for one user of one tenant. Any text is an id, and no two of them share a folder.
fn path_of(user: &User) -> PathBuf {
    [&user.tenant_id, &user.id].into_iter().flat_map(|text| parts(text)).collect()
}

/// A text as names of folders: what is not plain is written as `%` and two digits, and a long one
/// goes on in a folder below; `+` at the end of a name says that it does.
fn parts(text: &str) -> Vec<String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let escaped = text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02x}") });
    let mut parts = Vec::new();
    let mut part = String::from("=");
    for piece in escaped {
        if part.len() + piece.len() > NAME_LIMIT {
            part.push('+');
            parts.push(std::mem::replace(&mut part, String::from("=")));
        }
        part.push_str(&piece);
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changes_at_once_follow_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path(), Arc::new(Timestamp::now));
        let anna = User::new("anna", "t");
        let mut work = tokio::task::JoinSet::new();
        for n in 0..20 {
            let (store, anna) = (store.clone(), anna.clone());
            work.spawn(async move {
                store.change(&anna, move |kept| kept.groups.insert(format!("g{n}"), Group::default())).await
            });
        }
        while let Some(done) = work.join_next().await {
            done.unwrap().unwrap();
        }
        assert_eq!(store.kept(&anna).await.unwrap().groups.len(), 20);
        assert!(store.kept(&User::new("anna", "other")).await.unwrap().groups.is_empty());
    }

    #[tokio::test]
    async fn what_a_kill_left_half_written_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path(), Arc::new(Timestamp::now));
        let anna = User::new("anna", "t");
        store.change(&anna, |kept| kept.groups.insert("g".into(), Group::default())).await.unwrap();
        let partial = folder.path().join(path_of(&anna)).join("kept.partial");
        fs::write(partial, b"{\"groups\": {").unwrap();
        assert_eq!(store.kept(&anna).await.unwrap().groups.len(), 1);
        store.change(&anna, |kept| kept.groups.insert("h".into(), Group::default())).await.unwrap();
        assert_eq!(store.kept(&anna).await.unwrap().groups.len(), 2);
    }

    #[test]
    fn no_two_users_share_a_folder() {
        let long = "x".repeat(NAME_LIMIT - 1);
        let ids =
            ["anna", "Anna", "an/na", "../anna", "an%2fna", "", ".", &long, &format!("{long}y"), &format!("{long}+")];
        let mut paths: Vec<_> = ids.iter().map(|id| path_of(&User::new(*id, "t"))).collect();
        paths.push(path_of(&User::new("t", "anna")));
        for (at, one) in paths.iter().enumerate() {
            assert!(one.components().all(|part| matches!(part, std::path::Component::Normal(_))), "{one:?}");
            assert!(paths.iter().skip(at + 1).all(|other| other != one), "{one:?} twice");
        }
    }
}
