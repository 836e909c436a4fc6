//! Opening the file: its path, its permissions, the settings of each connection, its schema.
//!
//! The schema is made in one write transaction that checks the file first, so two programs that open a new file at the
//! same time make it once. A file with another version of the schema is refused and left alone. Every object of
//! `schema.sql` must exist in the file as `schema.sql` defines it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::fault::Fault;
use crate::ledger::LedgerError;
use crate::private_file;

/// "IMPL": distinguishes the file from other programs' databases.
const APPLICATION_ID: i32 = 0x494d_504c;

const SCHEMA: &str = include_str!("schema.sql");

/// Raised with each change of the schema. Versions 1 to 11 are from before the first release.
pub(super) const VERSION: i64 = 24;

/// How long to wait for another program's lock.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// The ledger has about ninety distinct statements.
const STATEMENTS: usize = 128;

/// Creates the folder and the file if they are missing, readable by this user only. SQLite gives its other files the
/// same mode.
pub(super) fn prepare_file(path: &Path) -> Result<PathBuf, LedgerError> {
    // An absolute path has no special meaning to SQLite, as `:memory:` would.
    let made = std::path::absolute(path).and_then(|path| {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(ErrorKind::InvalidInput.into());
        };
        private_file::make_folder(folder)?;
        // SQLite refuses a link anywhere in the path, so links above the file are resolved first.
        let path = folder.canonicalize()?.join(name);
        private_file::open_or_create(&path)?;
        Ok(path)
    });
    made.map_err(|error| {
        let path = path.display();
        LedgerError::Unavailable(if error.kind() == ErrorKind::PermissionDenied {
            format!("{path} cannot be opened for writing ({error}): check the rights on it and on its folder")
        } else {
            format!("cannot open or make {path}: {error}")
        })
    })
}

/// The identity of the file at a path. If it changes, the open file was moved away: SQLite would keep writing to it,
/// and those writes would be lost with the process.
#[cfg(unix)]
pub(super) fn file_at(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// On other systems an open file cannot be moved away.
#[cfg(not(unix))]
pub(super) fn file_at(_: &Path) -> Option<(u64, u64)> {
    None
}

/// A commit writes each page that it touches to the log, and a call touches about fourteen for a few hundred bytes each: half
/// of SQLite's usual size is faster to write.
pub(super) const PAGE_BYTES: i64 = 2_048;

/// The connection that writes. Makes the schema if the file is empty.
pub(super) fn open_writer(path: &Path, busy: Duration) -> Result<Connection, Fault> {
    let mut conn = connect(path, busy)?;
    check_identity(&conn, path)?;
    // Only an empty file takes it.
    conn.pragma_update(None, "page_size", PAGE_BYTES)?;
    use_wal(&conn, busy)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    // The writer checkpoints after it has answered its callers. A checkpoint inside a commit would delay them.
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    // Room for the pages of a full transaction, in KiB. SQLite would free and allocate those that exceed the default of
    // 2,000 in each transaction.
    conn.pragma_update(None, "cache_size", -8_000)?;
    // The log shrinks to this size after a burst.
    conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    make_schema(&mut conn, path)?;
    check_objects(&conn, path)?;
    Ok(conn)
}

/// A connection that only reads.
pub(super) fn open_reader(path: &Path, busy: Duration) -> Result<Connection, Fault> {
    let conn = connect(path, busy)?;
    // Not opened read-only: such a connection cannot repair the log's index after a crash.
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

pub(super) fn connect(path: &Path, busy: Duration) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(busy)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan must not depend on the values of parameters. Otherwise SQLite compiles such a statement again at each use,
    // because the cache of statements takes the values away.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(conn)
}

fn version(conn: &Connection) -> Result<i64, Fault> {
    Ok(conn.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Accepts an empty file and a ledger of this version, before anything is changed. Returns true for an empty file.
fn is_empty(conn: &Connection, path: &Path) -> Result<bool, Fault> {
    let application: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let objects: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    let found = version(conn)?;
    let path = path.display();
    let refusal = if application != APPLICATION_ID && objects > 0 {
        format!("{path} is a database of another program: choose another place")
    } else if found > VERSION {
        format!(
            "{path} was written by a newer version (schema {found}, this program knows {VERSION}): run that version, or \
             choose another place"
        )
    } else if found < VERSION && objects > 0 {
        format!(
            "{path} was written by an earlier version (schema {found}, this program knows {VERSION}): run that version, or \
             move the file away to begin with an empty one"
        )
    } else {
        return Ok(objects == 0);
    };
    Err(LedgerError::Unusable(refusal).into())
}

fn check_identity(conn: &Connection, path: &Path) -> Result<(), Fault> {
    // One transaction: another program may be making the schema at this moment.
    let look = conn.unchecked_transaction()?;
    is_empty(&look, path)?;
    Ok(look.finish()?)
}

/// This switch does not always wait for locks as other statements do.
fn use_wal(conn: &Connection, busy: Duration) -> Result<(), Fault> {
    let begun = Instant::now();
    loop {
        match conn.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && begun.elapsed() < busy => {
                thread::sleep(Duration::from_millis(5));
            }
            other => return Ok(other?),
        }
    }
}

/// Makes the schema in an empty file.
fn make_schema(conn: &mut Connection, path: &Path) -> Result<(), Fault> {
    if version(conn)? == VERSION {
        return Ok(());
    }
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Checked again under the lock: another program may have made it.
    if is_empty(&tx, path)? {
        tx.execute_batch(SCHEMA)?;
        tx.pragma_update(None, "user_version", VERSION)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    Ok(tx.commit()?)
}

/// Compares the objects with those of a fresh database. Others, such as an operator's own index, are allowed.
fn check_objects(conn: &Connection, path: &Path) -> Result<(), Fault> {
    let fresh = Connection::open_in_memory()?;
    fresh.execute_batch(SCHEMA)?;
    let found = objects(conn)?;
    match objects(&fresh)?.into_iter().find(|object| !found.contains(object)) {
        None => Ok(()),
        Some((name, _)) => {
            let why = format!(
                "in {} the table, index or trigger {name} is missing or was altered: restore a copy, or undo the change",
                path.display()
            );
            Err(LedgerError::Unusable(why).into())
        }
    }
}

/// Names and definitions, without comments and line breaks.
fn objects(conn: &Connection) -> Result<Vec<(String, String)>, Fault> {
    let mut statement = conn.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
    let rows = statement.query_map((), |row| Ok((row.get(0)?, plain(&row.get::<_, String>(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn plain(sql: &str) -> String {
    let code = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    code.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// Two programs with the same number and different schemas would refuse each other's files as damaged. So a
    /// change of `schema.sql` fails here: write the new hash, and raise the number if the old one was released.
    #[test]
    fn number_belongs_to_its_schema() {
        let hash = Sha256::digest(plain(SCHEMA));
        let hash = hash.iter().take(8).fold(String::new(), |hash, byte| format!("{hash}{byte:02x}"));
        assert_eq!((VERSION, hash.as_str()), (24, "559b38de49af8d5a"));
    }

    #[test]
    fn other_versions_are_refused_with_a_way_out() {
        let refusals = [
            (VERSION + 1, "a newer version", "run that version, or choose another place"),
            (VERSION - 1, "an earlier version", "run that version, or move the file away to begin with an empty one"),
        ];
        for (found, version, way_out) in refusals {
            let conn = Connection::open_in_memory().unwrap();
            conn.execute_batch(SCHEMA).unwrap();
            conn.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
            conn.pragma_update(None, "user_version", found).unwrap();
            let path = Path::new("/data/ledger.db");
            let refused = is_empty(&conn, path).unwrap_err().into_ledger(path);
            let text = format!(
                "/data/ledger.db was written by {version} (schema {found}, this program knows {VERSION}): {way_out}"
            );
            assert_eq!(refused, LedgerError::Unusable(text));
        }
    }
}
