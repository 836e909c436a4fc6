//! In a database: ids are UUIDs by their type and links are keys, so less can be damaged there.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt, stream};
use imperal::ledger::PostgresLedger;
use imperal_tests::cluster;

use super::cases::{Case, Finding, Kind, Table, deep};
use super::{USERS, check, leave_work, look};

const SCHEMA: &str = "imperal";

/// The address of a database of the cluster.
fn url(database: &str) -> String {
    let url = cluster::url("damage");
    if url.contains("://") { format!("{url}&dbname={database}") } else { format!("{url} dbname={database}") }
}

async fn run(sql: &str) {
    cluster::client().await.batch_execute(sql).await.unwrap();
}

#[expect(clippy::too_many_lines, reason = "one line for each column that is read")]
fn tables() -> Vec<Table> {
    use Kind::{Hash, Id, Json, MaybeNumber, MaybeText, MaybeTime, Number, Real, Text, Time, Word};
    let places = |key: &str, table: &str, order: &str, places: &[u32]| -> Vec<String> {
        let own = format!("owner_id = (SELECT owner_id FROM {SCHEMA}.owner WHERE user_id = 'anna')");
        let row = |place: &u32| {
            format!("{key} = (SELECT {key} FROM {SCHEMA}.{table} WHERE {own} ORDER BY {order} LIMIT 1 OFFSET {place})")
        };
        places.iter().map(row).collect()
    };
    let events = [0, 1].map(|place| {
        let own = format!("(SELECT owner_id FROM {SCHEMA}.owner WHERE user_id = 'anna')");
        format!(
            "owner_id = {own} AND seq = (SELECT seq FROM {SCHEMA}.task_event WHERE owner_id = {own} ORDER BY seq LIMIT 1 OFFSET {place})"
        )
    });
    vec![
        Table {
            name: "owner",
            columns: &[
                ("tenant_id", Text),
                ("user_id", Text),
                ("head", Number),
                ("audit_end", Hash),
                ("pruned", Number),
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
            columns: &[("turn_id", Id), ("seq", Number), ("at", Time), ("body", Json)],
            rows: places("seq", "turn", "seq", &[0, 1, 2, 6])
                .into_iter()
                .map(|row| format!("{row} AND owner_id = (SELECT owner_id FROM {SCHEMA}.owner WHERE user_id = 'anna')"))
                .collect(),
        },
        Table {
            name: "call",
            columns: &[
                ("call_id", Id),
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
                ("incarnation", Number),
                ("app_id", Text),
                ("function", Text),
                ("name", Text),
                ("state", Word),
                ("percent", Real),
                ("message", MaybeText),
                ("progress_at", MaybeTime),
                ("progress_no", Number),
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
            columns: &[
                ("task_id", Id),
                ("seq", Number),
                ("state", Word),
                ("percent", Real),
                ("message", MaybeText),
                ("cancel_requested_at", MaybeTime),
                ("finished_at", MaybeTime),
                ("outcome_seq", MaybeNumber),
            ],
            rows: events.to_vec(),
        },
        Table {
            name: "audit",
            columns: &[
                ("at", Time),
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

fn values(kind: Kind) -> Vec<String> {
    let values: &[&str] = match kind {
        Kind::Text | Kind::MaybeText => &[r"'DAMAGE\q'", r"'DAMAGE\00'", r"'DAMAGE\'"],
        Kind::Id => &["gen_random_uuid()"],
        Kind::Json => &["'not json'", "'{}'", "'[]'", "''", "'{\"turn_id\":7,\"app_id\":\"contract\"}'"],
        Kind::Word => &["'DAMAGE'", "''"],
        Kind::Time | Kind::MaybeTime => &["9223372036854775807", "-9223372036854775808"],
        Kind::Number | Kind::MaybeNumber => &["9223372036854775807", "-9223372036854775808", "-3", "4000000"],
        Kind::Real => &["'NaN'", "'Infinity'"],
        Kind::Hash => &[r"''", r"'\x00'"],
        Kind::Link | Kind::Flag => &[],
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
        ("turn", Kind::Json) => Finding::Row,
        ("task", Kind::Text | Kind::Real | Kind::MaybeText) if column != "key" => Finding::Row,
        _ => Finding::Other,
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for table in tables() {
        for (column, kind) in table.columns {
            for value in values(*kind) {
                for row in &table.rows {
                    let sql = format!("UPDATE {SCHEMA}.{} SET {column} = {value} WHERE {row}", table.name);
                    cases.push(Case { sql, finding: finding(table.name, column, *kind) });
                }
            }
        }
        // What other rows link to cannot be deleted.
        if !["owner", "node"].contains(&table.name) {
            for row in &table.rows {
                let sql = format!("DELETE FROM {SCHEMA}.{} WHERE {row}", table.name);
                cases.push(Case { sql, finding: Finding::Other });
            }
        }
    }
    cases
}

async fn check_case(number: usize, case: &Case, before: &[super::Seen; 3]) {
    let database = format!("damage_{}_{number}", std::process::id());
    run(&format!("CREATE DATABASE {database} TEMPLATE {}", scene_name())).await;
    let url = url(&database);
    let client = cluster::client_of(&url).await;
    client.batch_execute(&format!("ALTER TABLE {SCHEMA}.call DROP CONSTRAINT call_state_check")).await.unwrap();
    assert_eq!(client.execute(&case.sql, &[]).await.unwrap(), 1, "{}", case.sql);
    let unsettled = async {
        let sql = format!(
            "SELECT (SELECT count(*) FROM {SCHEMA}.call WHERE state <> 'replied' AND reply_seq IS NULL)
             + (SELECT count(*) FROM {SCHEMA}.task WHERE state = 'running')"
        );
        client.query_one(&sql, &[]).await.unwrap().get(0)
    };
    let checked = async {
        let ledger = Arc::new(PostgresLedger::connect_in(&url, SCHEMA, 4).await.unwrap());
        check(ledger, case, before, unsettled).await;
    };
    let checked = AssertUnwindSafe(checked).catch_unwind().await;
    run(&format!("DROP DATABASE {database} WITH (FORCE)")).await;
    if let Err(panic) = checked {
        std::panic::resume_unwind(panic);
    }
}

fn scene_name() -> String {
    format!("damage_{}_scene", std::process::id())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_damaged_value_in_a_database_hurts_one_row() {
    run(&format!("CREATE DATABASE {}", scene_name())).await;
    let ledger = PostgresLedger::connect_in(&url(&scene_name()), SCHEMA, 4).await.unwrap();
    leave_work(&ledger).await;
    let mut before = Vec::new();
    for user in USERS {
        before.push(look(&ledger, user).await);
    }
    drop(ledger);
    let before: [super::Seen; 3] = before.try_into().unwrap();
    // A database that somebody is connected to is no template.
    let others = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", scene_name());
    run(&others).await;
    let only = std::env::var("IMPERAL_DAMAGE").ok();
    let cases: Vec<Case> =
        cases().into_iter().filter(|case| only.as_ref().is_none_or(|only| case.sql.contains(only))).collect();
    assert!(only.is_some() || cases.len() > 150, "{} cases only", cases.len());
    let checks = cases.into_iter().enumerate().map(|(number, case)| {
        let before = &before;
        async move {
            let checked = AssertUnwindSafe(check_case(number, &case, before)).catch_unwind().await;
            checked.err().map(|_| {
                eprintln!("FAILED: {}", &case.sql[..case.sql.len().min(300)]);
                case.sql
            })
        }
    });
    let failed: Vec<Option<String>> = stream::iter(checks).buffer_unordered(4).collect().await;
    run(&format!("DROP DATABASE {} WITH (FORCE)", scene_name())).await;
    assert_eq!(failed.iter().flatten().count(), 0);
}
