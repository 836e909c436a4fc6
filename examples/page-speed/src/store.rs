//! The user's rows on disk: snapshots, settings, the service's key.
//!
//! A row is a file. It is written under a temporary name, synced and renamed, so that a kill at any moment
//! leaves it complete or absent. A snapshot is written after its check; the platform knows running
//! checks, so no row can stay "running". Users do not share a folder. Disk access blocks, so it runs in
//! `ctx.blocking`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use imperal::{Context, Error, Result, User};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::report::{Report, Strategy};
use crate::settings::Settings;

const SNAPSHOTS: &str = "snapshots";
const SETTINGS: &str = "settings.json";
const KEY: &str = "key.json";

/// Longest folder name that every file system accepts.
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
    /// The measurement; empty when the check failed.
    #[serde(flatten)]
    pub(crate) report: Report,
}

/// A finished check, for the store.
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
    /// Held during a write, so that ids rise and changes do not overwrite each other.
    writing: Mutex<()>,
}

impl Store {
    /// Opens the store in the platform's data folder.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let folder = data.join("page-speed");
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

    /// Runs a closure with the caller's folder on a blocking thread.
    async fn on_disk<T: Send + 'static>(
        &self,
        ctx: &Context,
        work: impl FnOnce(&Shelf, &Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let owned = self.0.clone();
        ctx.blocking(move |thread| {
            let folder = owned.folder.join(folder_of(thread.user()));
            work(&owned, &folder).map_err(|error| {
                Error::retryable("STORE_FAILED", "The history cannot be reached right now.").with_source(error)
            })
        })
        .await
    }

    /// Adds a finished check under a new id, and removes rows older than the settings allow.
    pub(crate) async fn add(&self, ctx: &Context, finished: Finished) -> Result<Snapshot> {
        self.on_disk(ctx, move |shelf, folder| shelf.add(folder, finished)).await
    }

    /// The caller's snapshots for which `wanted` is true, newest first, up to a limit.
    pub(crate) async fn snapshots(
        &self,
        ctx: &Context,
        limit: usize,
        wanted: impl Fn(&Snapshot) -> bool + Send + 'static,
    ) -> Result<Vec<Snapshot>> {
        self.on_disk(ctx, move |_, folder| rows(folder, limit, wanted)).await
    }

    /// One of the caller's snapshots.
    pub(crate) async fn snapshot(&self, ctx: &Context, id: String) -> Result<Option<Snapshot>> {
        // Only an id may become a file name.
        self.on_disk(ctx, move |_, folder| if is_id(&id) { row(folder, &id) } else { Ok(None) }).await
    }

    /// The caller's settings.
    pub(crate) async fn settings(&self, ctx: &Context) -> Result<Settings> {
        self.on_disk(ctx, |_, folder| Ok(read(&folder.join(SETTINGS))?.unwrap_or_default())).await
    }

    /// Changes the caller's settings. Concurrent changes run one after the other.
    pub(crate) async fn change_settings<T: Send + 'static>(
        &self,
        ctx: &Context,
        change: impl FnOnce(&mut Settings) -> T + Send + 'static,
    ) -> Result<T> {
        self.on_disk(ctx, move |shelf, folder| shelf.change_settings(folder, change)).await
    }

    /// The caller's key of the service.
    pub(crate) async fn key(&self, ctx: &Context) -> Result<Option<String>> {
        self.on_disk(ctx, |_, folder| read(&folder.join(KEY))).await
    }

    /// Stores or removes the key, and returns whether there was one.
    pub(crate) async fn set_key(&self, ctx: &Context, key: Option<String>) -> Result<bool> {
        self.on_disk(ctx, move |shelf, folder| shelf.set_key(folder, key)).await
    }
}

impl Shelf {
    fn change_settings<T>(&self, folder: &Path, change: impl FnOnce(&mut Settings) -> T) -> io::Result<T> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut settings: Settings = read(&folder.join(SETTINGS))?.unwrap_or_default();
        let answer = change(&mut settings);
        write(folder, SETTINGS, &settings)?;
        Ok(answer)
    }

    fn set_key(&self, folder: &Path, key: Option<String>) -> io::Result<bool> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let had = folder.join(KEY).exists();
        match key {
            Some(key) => write(folder, KEY, &key)?,
            None if had => fs::remove_file(folder.join(KEY))?,
            None => {}
        }
        Ok(had)
    }

    fn add(&self, folder: &Path, finished: Finished) -> io::Result<Snapshot> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = folder.join(SNAPSHOTS);
        let earlier = ids(&rows)?;
        // Equal times, or a clock that was set back, must not change the order.
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

/// A time for users and rows: to the microsecond, always of the same length.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// An id: a time without characters that file systems refuse.
fn id_of(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%S%.6fZ").to_string()
}

fn is_id(text: &str) -> bool {
    text.len() == "20260101T000000.000000Z".len()
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'T' | b'Z' | b'.'))
}

/// The ids of a folder of rows, oldest first. Other files are ignored.
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

/// Rows for which `wanted` is true, newest first, up to a limit.
fn rows(folder: &Path, limit: usize, wanted: impl Fn(&Snapshot) -> bool) -> io::Result<Vec<Snapshot>> {
    let ids = ids(&folder.join(SNAPSHOTS))?;
    let rows = ids.iter().rev().filter_map(|id| row(folder, id).transpose());
    rows.filter(|row| row.as_ref().map_or(true, &wanted)).take(limit).collect()
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

/// Writes a file completely or not at all, and returns when it is on disk.
fn write<T: Serialize>(folder: &Path, name: &str, value: &T) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // One temporary name is enough: the writer has the lock. The next write replaces a partial file of a killed process.
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

/// A folder for one user of one tenant. Ids are arbitrary text, and no two users share a folder.
fn folder_of(user: &User) -> PathBuf {
    [&user.tenant_id, &user.id].into_iter().flat_map(|text| parts(text)).collect()
}

/// Encodes text as folder names: other than plain characters become `%` and two digits, and a long name
/// continues in a folder below. A `+` at the end of a name marks the continuation.
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

    /// A store whose clock the test sets, and a user's folder in it.
    fn shelf(clock: &Arc<Mutex<Timestamp>>) -> (Shelf, PathBuf, tempfile::TempDir) {
        let home = tempfile::tempdir().unwrap();
        let clock = clock.clone();
        let now: Now = Arc::new(move || *clock.lock().unwrap());
        let folder = home.path().join(folder_of(&User::new("anna", "t")));
        (Shelf { folder: home.path().to_owned(), now, writing: Mutex::new(()) }, folder, home)
    }

    fn clock(at: &str) -> Arc<Mutex<Timestamp>> {
        Arc::new(Mutex::new(at.parse().unwrap()))
    }

    fn add(shelf: &Shelf, folder: &Path, url: &str) {
        let started_at = "2026-03-01T11:59:00Z".parse().unwrap();
        let outcome = Ok(Report::default());
        shelf.add(folder, Finished { url: url.to_owned(), strategy: Strategy::Mobile, started_at, outcome }).unwrap();
    }

    fn urls(folder: &Path) -> Vec<String> {
        rows(folder, 10, |_| true).unwrap().into_iter().map(|row| row.url).collect()
    }

    #[test]
    fn rows_of_one_moment_or_of_a_clock_set_back_stand_in_the_order_they_came() {
        let clock = clock("2026-03-01T12:00:00.123456Z");
        let (shelf, folder, _home) = shelf(&clock);
        add(&shelf, &folder, "a");
        add(&shelf, &folder, "b");
        *clock.lock().unwrap() = "2026-03-01T11:00:00Z".parse().unwrap();
        add(&shelf, &folder, "c");
        assert_eq!(urls(&folder), ["c", "b", "a"]);
        let rows = rows(&folder, 10, |_| true).unwrap();
        assert_eq!(rows[0].checked_at, "2026-03-01T12:00:00.123458Z");
        assert_eq!(rows[2].started_at, "2026-03-01T11:59:00.000000Z");
    }

    #[test]
    fn what_a_kill_left_half_written_is_no_row() {
        let (shelf, folder, _home) = shelf(&clock("2026-03-01T12:00:00Z"));
        add(&shelf, &folder, "a");
        fs::write(folder.join(SNAPSHOTS).join("partial"), b"{\"snapshot_id\": \"2026").unwrap();
        add(&shelf, &folder, "b");
        assert_eq!(urls(&folder), ["b", "a"]);
    }

    #[test]
    fn rows_older_than_the_settings_keep_go_with_the_next_one() {
        let clock = clock("2026-03-01T12:00:00Z");
        let (shelf, folder, _home) = shelf(&clock);
        shelf.change_settings(&folder, |settings| settings.retention_days = 7).unwrap();
        add(&shelf, &folder, "old");
        *clock.lock().unwrap() = "2026-03-08T11:00:00Z".parse().unwrap();
        add(&shelf, &folder, "young");
        assert_eq!(urls(&folder), ["young", "old"], "seven days are not over");
        *clock.lock().unwrap() = "2026-03-08T13:00:00Z".parse().unwrap();
        add(&shelf, &folder, "new");
        assert_eq!(urls(&folder), ["new", "young"]);
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
}
