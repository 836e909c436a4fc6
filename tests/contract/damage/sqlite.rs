//! In a file: a text may hold anything, and no key of another table is checked.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt;
use imperal::ledger::SqliteLedger;
use rusqlite::Connection;

use super::cases::{Case, Finding, Kind, Table, deep};
use super::{USERS, check, leave_work, look};

/// A file as a killed process leaves it, and what each user could read then.
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

fn tables() -> Vec<Table> {
    use Kind::{Flag, Hash, Id, Json, Link, MaybeNumber, MaybeText, MaybeTime, Number, Real, Text, Time, Word};
    let places = |key: &str, table: &str, order: &str, places: &[u32]| -> Vec<String> {
        let own = "owner_id = (SELECT owner_id FROM owner WHERE user_id = 'anna')";
        let row = |place: &u32| {
            format!("{key} = (SELECT {key} FROM {table} WHERE {own} ORDER BY {order} LIMIT 1 OFFSET {place})")
        };
        places.iter().map(row).collect()
    };
    vec![
        Table {
            name: "owner",
            columns: &[
                ("tenant_id", Text),
                ("user_id", Text),
                ("head", Number),
                ("audit_end", Hash),
                ("pruned", Number),
                ("audit_pruned_to", Number),
                ("audit_anchor", Hash),
                ("audit_pruned", Number),
                ("stored", Number),
                ("stored_day", Number),
            ],
            rows: vec!["user_id = 'anna'".to_owned()],
        },
        Table {
            name: "node",
            columns: &[("node", Text), ("incarnation", Number), ("lease_until", MaybeTime), ("lease", MaybeNumber)],
            rows: vec!["node = 'a'".to_owned()],
        },
        Table {
            name: "turn",
            columns: &[("turn_id", Id), ("owner_id", Link), ("seq", Number), ("at", Time), ("body", Json)],
            // A call, its reply, an outcome, the open call.
            rows: places("turn_no", "turn", "seq", &[0, 1, 2, 6]),
        },
        Table {
            name: "call",
            columns: &[
                ("call_id", Id),
                ("owner_id", Link),
                ("node", Text),
                ("incarnation", Number),
                ("turn_seq", Number),
                ("state", Word),
                ("reply_seq", MaybeNumber),
            ],
            rows: places("call_no", "call", "call_no", &[1, 2]),
        },
        Table {
            name: "task",
            columns: &[
                ("task_id", Id),
                ("call_id", Id),
                ("owner_id", Link),
                ("node", Text),
                ("incarnation", Number),
                ("app_id", Text),
                ("function", Text),
                ("name", Text),
                ("state", Word),
                ("abandoned", Flag),
                ("long_running", Flag),
                ("percent", Real),
                ("message", MaybeText),
                ("created_at", Time),
                ("deadline_at", Time),
                ("cancel_requested_at", MaybeTime),
                ("finished_at", MaybeTime),
                ("outcome_seq", MaybeNumber),
                ("key", MaybeText),
            ],
            rows: places("task_no", "task", "task_no", &[0, 1, 2]),
        },
        Table {
            name: "task_event",
            columns: &[("owner_id", Link), ("seq", Number), ("body", Json), ("outcome_seq", MaybeNumber)],
            rows: places("event_no", "task_event", "seq", &[0, 1]),
        },
        Table {
            name: "audit",
            columns: &[
                ("at", Time),
                ("owner_id", Link),
                ("actor", Text),
                ("app_id", MaybeText),
                ("action", Text),
                ("target", MaybeText),
                ("outcome", Word),
                ("detail", MaybeText),
                ("hash", Hash),
            ],
            rows: places("audit_id", "audit", "audit_id", &[0, 2]),
        },
    ]
}

/// Values that a column of this kind never has.
fn values(kind: Kind) -> Vec<String> {
    let not_utf8 = "CAST(x'44414d414745ff80' AS TEXT)";
    let values: &[&str] = match kind {
        Kind::Text | Kind::MaybeText => &[not_utf8],
        Kind::Id => &["'not-a-uuid'", "''", not_utf8],
        Kind::Json => &["'not json'", "'{}'", "'[]'", "''", "'{\"turn_id\":7,\"app_id\":\"contract\"}'", not_utf8],
        Kind::Word => &["'DAMAGE'", "''", not_utf8],
        Kind::Time | Kind::MaybeTime => &["9223372036854775807", "-9223372036854775808"],
        Kind::Number | Kind::MaybeNumber => &["9223372036854775807", "-9223372036854775808", "-3", "4000000"],
        Kind::Link => &["999"],
        Kind::Flag => &["7", "-9223372036854775808"],
        Kind::Real => &["9e999"],
        Kind::Hash => &["x''", "x'00'", "zeroblob(33)"],
    };
    let mut values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    if kind == Kind::Json {
        values.extend([format!("'{}'", deep(127)), format!("'{}'", deep(100_000))]);
    }
    values
}

fn finding(table: &str, column: &str, kind: Kind) -> Finding {
    match (table, kind) {
        ("audit", _) | ("owner", Kind::Hash) => Finding::Trail,
        ("turn", Kind::Id) => Finding::Nothing,
        ("turn", Kind::Json) => Finding::Row,
        ("task", Kind::Id | Kind::Text | Kind::Word | Kind::Real | Kind::MaybeText) if column != "key" => Finding::Row,
        _ => Finding::Other,
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for table in tables() {
        for (column, kind) in table.columns {
            for value in values(*kind) {
                for row in &table.rows {
                    let sql = format!("UPDATE {} SET {column} = {value} WHERE {row}", table.name);
                    cases.push(Case { sql, finding: finding(table.name, column, *kind) });
                }
            }
        }
        for row in &table.rows {
            let sql = format!("DELETE FROM {} WHERE {row}", table.name);
            cases.push(Case { sql, finding: Finding::Other });
        }
    }
    cases
}

/// Does what a tool does that knows nothing of the ledger: no key and no trigger holds it back.
fn damage(file: &Path, sql: &str) {
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
        + (SELECT count(*) FROM task WHERE state = 'running')";
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
    let only = std::env::var("IMPERAL_DAMAGE").ok();
    let mut failed = Vec::new();
    let cases = cases();
    assert!(cases.len() > 300, "{} cases only", cases.len());
    for case in cases {
        if only.as_ref().is_some_and(|only| !case.sql.contains(only)) {
            continue;
        }
        let checked = AssertUnwindSafe(check_case(&scene, &before, &case, folder.path())).catch_unwind();
        if checked.await.is_err() {
            eprintln!("FAILED: {}", &case.sql[..case.sql.len().min(200)]);
            failed.push(case.sql);
        }
    }
    assert!(failed.is_empty(), "{} cases failed", failed.len());
}
