//! The user's own rows on disk: snapshots, settings, the service's key.
//!
//! A row is a file, written beside its place, synced and moved there, so that a kill at any moment
//! leaves it whole or absent. A snapshot is written when its check is over and not before: what is
//! still running is the platform's to know, and no row can be left behind saying so. Users do not
//! share a folder. Everything here may wait for the disk, so it runs on threads that may.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use imperal::{Error, Result, User};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::report::{Report, Strategy};
use crate::settings::Settings;

const SNAPSHOTS: &str = "snapshots";
const SETTINGS: &str = "settings.json";
const KEY: &str = "key.json";

/// Longest name of a folder that every file system takes.
const NAME_LIMIT: usize = 200;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Completed,
    Failed,
}

/// One check of one page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the name under which another function takes it")]
pub(crate) struct Snapshot {
    /// Its id; ids sort by time.
    pub(crate) snapshot_id: String,
    /// The page.
    pub(crate) url: String,
    /// The device that was imitated.
    pub(crate) strategy: Strategy,
    /// How it ended.
    pub(crate) status: Status,
    /// When it was asked for, UTC.
    pub(crate) started_at: String,
    /// When it ended, UTC.
    pub(crate) checked_at: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// What was measured; empty when it failed.
    #[serde(flatten)]
    pub(crate) report: Report,
}

/// What a check hands to the store.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub(crate) url: String,
    pub(crate) strategy: Strategy,
    pub(crate) started_at: Timestamp,
    pub(crate) outcome: std::result::Result<Report, String>,
}

type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The store of this process.
#[derive(Clone)]
pub(crate) struct Store(Arc<Shelf>);

struct Shelf {
    folder: PathBuf,
    now: Now,
    /// Held by whoever writes, so that ids rise and changes do not overwrite each other.
    writing: Mutex<()>,
}

impl Store {
    /// `PAGE_SPEED_DATA`, or a folder beside the platform's ledger.
    pub(crate) fn from_env() -> Self {
        let text = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let beside = || text("IMPERAL_DATA_DIR").unwrap_or_else(|| ".imperal".into()).join("page-speed");
        Self::new(text("PAGE_SPEED_DATA").unwrap_or_else(beside), Arc::new(Timestamp::now))
    }

    pub(crate) fn new(folder: impl Into<PathBuf>, now: Now) -> Self {
        Self(Arc::new(Shelf { folder: folder.into(), now, writing: Mutex::new(()) }))
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        (self.0.now)()
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        user: &User,
        work: impl FnOnce(&Shelf, &Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let owned = self.0.clone();
        let folder = owned.folder.join(folder_of(user));
        let done = tokio::task::spawn_blocking(move || work(&owned, &folder)).await?;
        done.map_err(|error| {
            Error::retryable("STORE_FAILED", "The history cannot be reached right now.").with_source(error)
        })
    }

    /// Adds a finished check under a new id, and forgets rows older than the settings keep.
    pub(crate) async fn add(&self, user: &User, finished: Finished) -> Result<Snapshot> {
        self.on_disk(user, move |shelf, folder| shelf.add(folder, finished)).await
    }

    /// The user's snapshots that `wanted` says yes to, newest first, at most so many.
    pub(crate) async fn snapshots(
        &self,
        user: &User,
        limit: usize,
        wanted: impl Fn(&Snapshot) -> bool + Send + 'static,
    ) -> Result<Vec<Snapshot>> {
        self.on_disk(user, move |_, folder| {
            let ids = ids(&folder.join(SNAPSHOTS))?;
            let rows = ids.iter().rev().filter_map(|id| row(folder, id).transpose());
            rows.filter(|row| row.as_ref().map_or(true, &wanted)).take(limit).collect()
        })
        .await
    }

    /// One snapshot of the user's.
    pub(crate) async fn snapshot(&self, user: &User, id: String) -> Result<Option<Snapshot>> {
        self.on_disk(user, move |_, folder| {
            // What is not of the form of an id is no file's name either.
            if is_id(&id) { row(folder, &id) } else { Ok(None) }
        })
        .await
    }

    /// The user's settings.
    pub(crate) async fn settings(&self, user: &User) -> Result<Settings> {
        self.on_disk(user, |_, folder| Ok(read(&folder.join(SETTINGS))?.unwrap_or_default())).await
    }

    /// Changes the user's settings; two changes at once follow each other.
    pub(crate) async fn change_settings<T: Send + 'static>(
        &self,
        user: &User,
        change: impl FnOnce(&mut Settings) -> T + Send + 'static,
    ) -> Result<T> {
        self.on_disk(user, move |shelf, folder| {
            let _writing = shelf.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let mut settings: Settings = read(&folder.join(SETTINGS))?.unwrap_or_default();
            let answer = change(&mut settings);
            write(folder, SETTINGS, &settings)?;
            Ok(answer)
        })
        .await
    }

    /// The user's key of the service.
    pub(crate) async fn key(&self, user: &User) -> Result<Option<String>> {
        self.on_disk(user, |_, folder| read(&folder.join(KEY))).await
    }

    /// Keeps a key, or forgets it; whether there was one.
    pub(crate) async fn set_key(&self, user: &User, key: Option<String>) -> Result<bool> {
        self.on_disk(user, move |shelf, folder| {
            let _writing = shelf.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let had = folder.join(KEY).exists();
            match key {
                Some(key) => write(folder, KEY, &key)?,
                None if had => fs::remove_file(folder.join(KEY))?,
                None => {}
            }
            Ok(had)
        })
        .await
    }
}

impl Shelf {
    fn add(&self, folder: &Path, finished: Finished) -> io::Result<Snapshot> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = folder.join(SNAPSHOTS);
        let earlier = ids(&rows)?;
        // Two checks of one moment, or a clock that was set back, must not change the order.
        let mut at = (self.now)();
        if let Some(newest) = earlier.last().and_then(|id| id.parse::<Timestamp>().ok())
            && at.as_microsecond() <= newest.as_microsecond()
        {
            at = Timestamp::from_microsecond(newest.as_microsecond() + 1).unwrap_or(newest);
        }
        let (status, error, report) = match finished.outcome {
            Ok(report) => (Status::Completed, None, report),
            Err(text) => (Status::Failed, Some(text), Report::default()),
        };
        let snapshot = Snapshot {
            snapshot_id: id_of(at),
            url: finished.url,
            strategy: finished.strategy,
            status,
            started_at: time(finished.started_at.min(at)),
            checked_at: time(at),
            error,
            report,
        };
        write(&rows, &format!("{}.json", snapshot.snapshot_id), &snapshot)?;
        let days = read::<Settings>(&folder.join(SETTINGS))?.unwrap_or_default().retention_days;
        let oldest = id_of(at.saturating_sub(jiff::SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(at));
        for old in earlier.iter().filter(|id| **id < oldest) {
            fs::remove_file(rows.join(format!("{old}.json")))?;
        }
        Ok(snapshot)
    }
}

/// A time as users and rows have it: to the microsecond, always as long.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// An id is a time without what file systems do not like.
fn id_of(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%S%.6fZ").to_string()
}

fn is_id(text: &str) -> bool {
    text.len() == "20260101T000000.000000Z".len()
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'T' | b'Z' | b'.'))
}

/// The ids of a folder of rows, oldest first; what is no row is passed over.
fn ids(rows: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(rows) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut ids = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".json")).filter(|id| is_id(id));
        ids.extend(id.map(str::to_owned));
    }
    ids.sort_unstable();
    Ok(ids)
}

fn row(folder: &Path, id: &str) -> io::Result<Option<Snapshot>> {
    read(&folder.join(SNAPSHOTS).join(format!("{id}.json")))
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file whole or not at all, and returns when it is on disk.
fn write<T: Serialize>(folder: &Path, name: &str, value: &T) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // One name is enough: whoever writes has the lock. A half one of a killed process is overwritten.
    let partial = folder.join("partial");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&partial)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.sync_all()?;
    fs::rename(partial, folder.join(name))?;
    File::open(folder)?.sync_all()
}

/// A folder for one user of one tenant. Any text is an id, and no two of them share a folder.
fn folder_of(user: &User) -> PathBuf {
    [&user.tenant_id, &user.id].into_iter().flat_map(|text| parts(text)).collect()
}

/// A text as names of folders: what is not plain is written as `%` and two digits, and a long one
/// goes on in a folder below; `+` at the end of a name says that it does.
fn parts(text: &str) -> Vec<String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let escaped = text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02x}") });
    let mut parts = vec![String::from("=")];
    for piece in escaped {
        let last = parts.len() - 1;
        if parts[last].len() + piece.len() > NAME_LIMIT {
            parts[last].push('+');
            parts.push(String::from("="));
        }
        let last = parts.len() - 1;
        parts[last].push_str(&piece);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> Store {
        let folder = tempfile::tempdir().unwrap().keep();
        Store::new(folder, Arc::new(|| "2026-03-01T12:00:00.123456Z".parse().unwrap()))
    }

    fn finished(url: &str) -> Finished {
        let started_at = "2026-03-01T11:59:00Z".parse().unwrap();
        Finished { url: url.to_owned(), strategy: Strategy::Mobile, started_at, outcome: Ok(Report::default()) }
    }

    #[tokio::test]
    async fn rows_of_one_moment_stand_in_the_order_they_came() {
        let (store, anna) = (held(), User::new("anna", "t"));
        for url in ["a", "b", "c"] {
            store.add(&anna, finished(url)).await.unwrap();
        }
        let rows = store.snapshots(&anna, 10, |_| true).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.url.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);
        assert_eq!(rows[0].checked_at, "2026-03-01T12:00:00.123458Z");
        assert_eq!(rows[2].started_at, "2026-03-01T11:59:00.000000Z");
    }

    #[test]
    fn no_two_users_share_a_folder() {
        let long = "x".repeat(NAME_LIMIT - 1);
        let ids =
            ["anna", "Anna", "an/na", "../anna", "an%2fna", "", ".", &long, &format!("{long}y"), &format!("{long}+")];
        let mut folders: Vec<_> = ids.iter().map(|id| folder_of(&User::new(*id, "t"))).collect();
        folders.extend([folder_of(&User::new("t", "anna")), folder_of(&User::new("", "t/anna"))]);
        for (at, one) in folders.iter().enumerate() {
            assert!(one.components().all(|part| matches!(part, std::path::Component::Normal(_))), "{one:?}");
            assert!(folders.iter().skip(at + 1).all(|other| other != one), "{one:?} twice");
        }
    }

    #[tokio::test]
    async fn what_a_kill_left_half_written_is_no_row() {
        let (store, anna) = (held(), User::new("anna", "t"));
        store.add(&anna, finished("a")).await.unwrap();
        let rows = store.0.folder.join(folder_of(&anna)).join(SNAPSHOTS);
        fs::write(rows.join("partial"), b"{\"snapshot_id\": \"2026").unwrap();
        store.add(&anna, finished("b")).await.unwrap();
        assert_eq!(store.snapshots(&anna, 10, |_| true).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn rows_older_than_the_settings_keep_go_with_the_next_one() {
        let now = Arc::new(Mutex::new("2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap()));
        let clock = now.clone();
        let store = Store::new(tempfile::tempdir().unwrap().keep(), Arc::new(move || *clock.lock().unwrap()));
        let anna = User::new("anna", "t");
        store.change_settings(&anna, |settings| settings.retention_days = 7).await.unwrap();
        store.add(&anna, finished("old")).await.unwrap();
        *now.lock().unwrap() = "2026-03-08T11:00:00Z".parse().unwrap();
        store.add(&anna, finished("young")).await.unwrap();
        assert_eq!(store.snapshots(&anna, 10, |_| true).await.unwrap().len(), 2, "seven days are not over");
        *now.lock().unwrap() = "2026-03-08T13:00:00Z".parse().unwrap();
        store.add(&anna, finished("new")).await.unwrap();
        let urls: Vec<_> = store.snapshots(&anna, 10, |_| true).await.unwrap().into_iter().map(|row| row.url).collect();
        assert_eq!(urls, ["new", "young"]);
    }
}
