//! Damage in a PostgreSQL database.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt, stream};
use imperal::ledger::PostgresLedger;
use imperal_tests::cluster;

use super::cases::{Case, chosen};
use super::tables::Backend;
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

/// Damages a copy of the scene and checks a platform on it.
async fn check_case(number: usize, case: &Case, before: &[super::Seen; 3]) {
    let database = format!("damage_{}_{number}", std::process::id());
    run(&format!("CREATE DATABASE {database} TEMPLATE {}", scene_name())).await;
    let url = url(&database);
    let client = cluster::client_of(&url).await;
    let open = format!("SET search_path = {SCHEMA}; ALTER TABLE call DROP CONSTRAINT call_state_check");
    client.batch_execute(&open).await.unwrap();
    assert_eq!(client.execute(&case.sql, &[]).await.unwrap(), 1, "{}", case.sql);
    let unsettled = async {
        let sql = "SELECT (SELECT count(*) FROM call WHERE state <> 'replied' AND reply_seq IS NULL)
             + (SELECT count(*) FROM task WHERE state = 'running')";
        client.query_one(sql, &[]).await.unwrap().get(0)
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
    // PostgreSQL copies a template only while no session is connected to it.
    let others = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", scene_name());
    run(&others).await;
    let checks = chosen(Backend::Database).into_iter().enumerate().map(|(number, case)| {
        let before = &before;
        async move {
            let checked = AssertUnwindSafe(check_case(number, &case, before)).catch_unwind().await;
            checked.is_err().then(|| eprintln!("FAILED: {}", &case.sql[..case.sql.len().min(300)]))
        }
    });
    let failed: Vec<Option<()>> = stream::iter(checks).buffer_unordered(4).collect().await;
    run(&format!("DROP DATABASE {} WITH (FORCE)", scene_name())).await;
    assert_eq!(failed.iter().flatten().count(), 0);
}
