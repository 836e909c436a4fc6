//! Opening the file: where it lies, who may read it, how SQLite treats it, which schema it has.
//!
//! Owns the settings of every connection and the numbered migrations. A migration runs in one
//! write transaction that reads the number first, so two programs that open the file at once do
//! it once. Afterwards every object that the migrations make must be there as they make it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::fault::Fault;
use crate::ledger::LedgerError;
use crate::private_file;

/// "IMPL": tells the file from other programs' databases.
const APPLICATION_ID: i32 = 0x494d_504c;

/// Migration n is at n - 1. One that was released is never changed.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
    include_str!("migrations/6.sql"),
];

/// The schema this program knows.
pub(super) const VERSION: usize = MIGRATIONS.len();

/// How long to wait for another program's lock.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Distinct statements are about fifty.
const STATEMENTS: usize = 64;

/// Makes folder and file where they are missing, readable by nobody else. SQLite gives the files beside
/// it the same mode.
pub(super) fn prepare_file(path: &Path) -> Result<PathBuf, LedgerError> {
    // Absolute, so that no path has a meaning of its own to SQLite, as `:memory:` would.
    let made = std::path::absolute(path).and_then(|path| {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(ErrorKind::InvalidInput.into());
        };
        private_file::make_folder(folder)?;
        // SQLite refuses a link anywhere in the path; one above the file may be.
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

/// Which file lies at a path now. Another one, or none, means that the open one was moved away:
/// SQLite would go on writing it, and all of that would be gone with the process.
#[cfg(unix)]
pub(super) fn file_at(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Elsewhere an open file cannot be moved away.
#[cfg(not(unix))]
pub(super) fn file_at(_: &Path) -> Option<(u64, u64)> {
    None
}

/// The connection that writes; brings the schema up to date.
pub(super) fn open_writer(path: &Path, busy: Duration) -> Result<Connection, Fault> {
    let mut conn = connect(path, busy)?;
    check_identity(&conn, path)?;
    use_wal(&conn, busy)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    // The writer checkpoints by itself, after it has answered its callers: a checkpoint inside a
    // commit would make whoever waits for that commit pay for it.
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    // After a burst the log gives its space back.
    conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    migrate(&mut conn, path)?;
    check_objects(&conn, path)?;
    Ok(conn)
}

/// A connection that only reads.
pub(super) fn open_reader(path: &Path, busy: Duration) -> Result<Connection, Fault> {
    let conn = connect(path, busy)?;
    // Not the open flag: a connection that was opened for reading cannot repair the log's index
    // after a crash.
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

fn connect(path: &Path, busy: Duration) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(busy)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(conn)
}

fn version(conn: &Connection) -> Result<usize, Fault> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Looks before anything is changed: an empty file or a ledger that this program knows.
fn check_identity(conn: &Connection, path: &Path) -> Result<(), Fault> {
    // One transaction: another program may be making the schema just now.
    let look = conn.unchecked_transaction()?;
    let application: i32 = look.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let objects: i64 = look.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    let version = version(&look)?;
    look.finish()?;
    if application != APPLICATION_ID && objects > 0 {
        let why = format!("{} is a database of another program: choose another place", path.display());
        return Err(LedgerError::Unusable(why).into());
    }
    refuse_newer(version, path)
}

fn refuse_newer(found: usize, path: &Path) -> Result<(), Fault> {
    if found <= VERSION {
        return Ok(());
    }
    let why = format!(
        "{} was written by a newer version (schema {found}, this program knows {VERSION}): run that version, or choose another place",
        path.display()
    );
    Err(LedgerError::Unusable(why).into())
}

/// The switch does not always wait for locks as other statements do.
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

fn migrate(conn: &mut Connection, path: &Path) -> Result<(), Fault> {
    if version(conn)? == VERSION {
        return Ok(());
    }
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Again, now that nobody else can change it.
    let found = version(&tx)?;
    refuse_newer(found, path)?;
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(found) {
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", i64::try_from(index + 1).unwrap_or(i64::MAX))?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(tx.commit()?)
}

/// Compares with a fresh database. What others added, an index of an operator's own say, may stay.
fn check_objects(conn: &Connection, path: &Path) -> Result<(), Fault> {
    let fresh = Connection::open_in_memory()?;
    for sql in MIGRATIONS {
        fresh.execute_batch(sql)?;
    }
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

fn objects(conn: &Connection) -> Result<Vec<(String, String)>, Fault> {
    let mut statement = conn.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
    let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
