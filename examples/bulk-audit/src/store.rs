//! The user's document on disk: groups of domains and the latest audits.
//!
//! One file per user. A change reads the file, writes a new one next to it, syncs it and renames it, so
//! that a kill at any moment leaves the old or the new file. An audit is written when it is done; the
//! platform knows running audits. Disk access blocks, so it runs in `ctx.blocking`.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use imperal::{Context, Error, Result, User};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::summary::Audit;

/// Longest folder name that every file system accepts.
const NAME_LIMIT: usize = 200;

/// The stored document of a user.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Kept {
    /// By name.
    pub(crate) groups: BTreeMap<String, Group>,
    /// The latest audit of all.
    pub(crate) latest: Option<Audit>,
}

/// A named list of domains.
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
    /// Held during a change of a document, so that changes do not overwrite each other.
    writing: Mutex<()>,
}

impl Store {
    /// Opens the store in the platform's data folder.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let folder = data.join("bulk-audit");
        fs::create_dir_all(&folder)?;
        Ok(Self::new(folder, Arc::new(Timestamp::now)))
    }

    pub(crate) fn new(folder: impl Into<PathBuf>, now: Now) -> Self {
        Self(Arc::new(Shelf { folder: folder.into(), now, writing: Mutex::new(()) }))
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        (self.0.now)()
    }

    /// Reads the caller's document.
    pub(crate) async fn kept(&self, ctx: &Context) -> Result<Kept> {
        self.on_disk(ctx, |shelf, user| read(&shelf.path_of(user))).await
    }

    /// Changes the caller's document. Concurrent changes run one after the other.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        ctx: &Context,
        change: impl FnOnce(&mut Kept) -> T + Send + 'static,
    ) -> Result<T> {
        self.on_disk(ctx, |shelf, user| shelf.change(user, change)).await
    }

    /// Stores an audit as the latest.
    pub(crate) async fn keep_audit(&self, ctx: &Context, audit: Audit) -> Result<()> {
        self.change(ctx, |kept| kept.latest = Some(audit)).await
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        ctx: &Context,
        work: impl FnOnce(&Shelf, &User) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let owned = self.0.clone();
        ctx.blocking(move |thread| {
            work(&owned, thread.user()).map_err(|error| {
                Error::retryable("STORE_FAILED", "Your groups and audits cannot be reached right now.")
                    .with_source(error)
            })
        })
        .await
    }
}

impl Shelf {
    fn path_of(&self, user: &User) -> PathBuf {
        self.folder.join(folder_of(user)).join("kept.json")
    }

    fn change<T>(&self, user: &User, change: impl FnOnce(&mut Kept) -> T) -> io::Result<T> {
        let path = self.path_of(user);
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = read(&path)?;
        let answer = change(&mut kept);
        write(&path, &kept)?;
        Ok(answer)
    }
}

fn read(path: &Path) -> io::Result<Kept> {
    match fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(error) => Err(error),
    }
}

/// Writes the document completely or not at all, and returns when it is on disk.
fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // One temporary name is enough: the writer has the lock. The next write replaces a partial file of a killed process.
    let partial = path.with_extension("partial");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&partial)?;
    file.write_all(&serde_json::to_vec(kept)?)?;
    file.sync_all()?;
    fs::rename(partial, path)?;
    File::open(folder)?.sync_all()
}

/// A folder for one user of one tenant. Ids are arbitrary text, and no two users share a folder.
fn folder_of(user: &User) -> PathBuf {
    [&user.tenant_id, &user.id].into_iter().flat_map(|text| parts(text)).collect()
}

/// Encodes text as folder names: other than plain characters become `%` and two digits, and a long name
/// continues in a folder below. A `+` at the end of a name marks the continuation.
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

    fn shelf(folder: &Path) -> Shelf {
        Shelf { folder: folder.to_owned(), now: Arc::new(Timestamp::now), writing: Mutex::new(()) }
    }

    fn add(shelf: &Shelf, user: &User, name: &str) {
        shelf.change(user, |kept| kept.groups.insert(name.to_owned(), Group::default())).unwrap();
    }

    #[test]
    fn changes_at_once_follow_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let (shelf, anna) = (shelf(folder.path()), User::new("anna", "t"));
        std::thread::scope(|threads| {
            for n in 0..20 {
                let (shelf, anna) = (&shelf, &anna);
                threads.spawn(move || add(shelf, anna, &format!("g{n}")));
            }
        });
        assert_eq!(read(&shelf.path_of(&anna)).unwrap().groups.len(), 20);
        assert!(read(&shelf.path_of(&User::new("anna", "other"))).unwrap().groups.is_empty());
    }

    #[test]
    fn what_a_kill_left_half_written_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (shelf, anna) = (shelf(folder.path()), User::new("anna", "t"));
        add(&shelf, &anna, "g");
        fs::write(shelf.path_of(&anna).with_extension("partial"), b"{\"groups\": {").unwrap();
        assert_eq!(read(&shelf.path_of(&anna)).unwrap().groups.len(), 1);
        add(&shelf, &anna, "h");
        assert_eq!(read(&shelf.path_of(&anna)).unwrap().groups.len(), 2);
    }

    #[test]
    fn no_two_users_share_a_folder() {
        let long = "x".repeat(NAME_LIMIT - 1);
        let ids =
            ["anna", "Anna", "an/na", "../anna", "an%2fna", "", ".", &long, &format!("{long}y"), &format!("{long}+")];
        let mut paths: Vec<_> = ids.iter().map(|id| folder_of(&User::new(*id, "t"))).collect();
        paths.push(folder_of(&User::new("t", "anna")));
        for (at, one) in paths.iter().enumerate() {
            assert!(one.components().all(|part| matches!(part, std::path::Component::Normal(_))), "{one:?}");
            assert!(paths.iter().skip(at + 1).all(|other| other != one), "{one:?} twice");
        }
    }
}
