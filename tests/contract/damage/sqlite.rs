//! Damage in a SQLite file.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt;
use imperal::ledger::SqliteLedger;
use rusqlite::Connection;

use super::cases::{Case, chosen};
use super::tables::Backend;
use super::{USERS, check, leave_work, look};

/// A file as a killed process leaves it, and what each user could read from it.
async fn scene(folder: &Path) -> (PathBuf, [super::Seen; 3]) {
    let file = folder.join("scene.db");
    let ledger = SqliteLedger::open(&file).unwrap();
    leave_work(&ledger).await;
    let mut seen = Vec::new();
    for user in USERS {
        seen.push(look(&ledger, user).await);
    }
    drop(ledger);
    let seen: [super::Seen; 3] = seen.try_into().unwrap();
    (file, seen)
}

/// Changes the file as a foreign tool would: without foreign keys and triggers.
pub(super) fn damage(file: &Path, sql: &str) {
    let conn = Connection::open(file).unwrap();
    conn.pragma_update(None, "foreign_keys", false).unwrap();
    let mut triggers = conn.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").unwrap();
    let triggers: Vec<(String, String)> =
        triggers.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    for (name, _) in &triggers {
        conn.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    assert_eq!(conn.execute(sql, ()).unwrap(), 1, "{sql}");
    for (_, made) in &triggers {
        conn.execute_batch(made).unwrap();
    }
}

fn unsettled(file: &Path) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM call WHERE state <> 'replied' AND reply_seq IS NULL)
        + (SELECT count(*) FROM task WHERE state IN ('running', 'queued', 'waiting', 'stuck'))";
    Connection::open(file).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
}

async fn check_case(scene: &Path, before: &[super::Seen; 3], case: &Case, folder: &Path) {
    let file = folder.join("ledger.db");
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("ledger.db{end}")));
    }
    std::fs::copy(scene, &file).unwrap();
    damage(&file, &case.sql);
    let ledger = Arc::new(SqliteLedger::open(&file).unwrap());
    check(ledger, case, before, async { unsettled(&file) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_damaged_value_in_a_file_hurts_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let (scene, before) = scene(folder.path()).await;
    let mut failed = Vec::new();
    for case in chosen(Backend::File) {
        let checked = AssertUnwindSafe(check_case(&scene, &before, &case, folder.path())).catch_unwind();
        if checked.await.is_err() {
            eprintln!("FAILED: {}", &case.sql[..case.sql.len().min(300)]);
            failed.push(case.sql);
        }
    }
    assert!(failed.is_empty(), "{} cases failed", failed.len());
}
