//! The start of a node: it creates the schema once, also with concurrent starts, and refuses a schema or an
//! address that it cannot use.

use imperal::ledger::{LedgerError, PostgresLedger};
use imperal_tests::{cluster, eventually};
use std::sync::Arc;

use super::InPostgres;

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_starts_create_the_schema_once() {
    let backend = Arc::new(InPostgres::new());
    let starts: Vec<_> = (0..6)
        .map(|_| {
            let backend = backend.clone();
            tokio::spawn(async move { backend.try_connect().await.map(drop) })
        })
        .collect();
    for start in starts {
        assert_eq!(start.await.unwrap(), Ok(()));
    }
    let sql = "SELECT (SELECT count(*) FROM @.schema_version), count(DISTINCT applied_at) FROM @.function_version";
    let row = cluster::client().await.query_one(&backend.named(sql), &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1, 1));
}

/// A node of the previous version and the migrating node wait for each other's locks. The server aborts the
/// migration, which starts again.
#[tokio::test(flavor = "multi_thread")]
async fn migration_is_retried_after_a_deadlock() {
    let backend = Arc::new(InPostgres::new());
    let schema = &backend.schema;
    backend.sql(&format!("CREATE SCHEMA {schema}")).await;
    let other = cluster::client().await;
    // No other test creates objects in a schema that is about to be dropped.
    let hold = format!("SET deadlock_timeout = '1h'; BEGIN; DROP SCHEMA {schema}");
    other.batch_execute(&hold).await.unwrap();
    let starting = tokio::spawn({
        let backend = backend.clone();
        async move { backend.try_connect().await.map(drop) }
    });
    let waits = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'";
    let observer = cluster::client().await;
    eventually("the start waits", async || observer.query(waits, &[schema]).await.unwrap().pop()).await;
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('imperal ledger ' || $1, 0))";
    other.query(lock, &[schema]).await.unwrap();
    assert!(!starting.is_finished());
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(starting.await.unwrap(), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn schema_of_another_program_is_refused_with_a_remedy() {
    let refusals = [
        ("UPDATE @.schema_version SET tables = tables + 1", "newer version"),
        ("UPDATE @.schema_version SET tables = 0", "earlier version"),
        ("DROP TABLE @.schema_version; CREATE TABLE @.migration (number int)", "before the first release"),
    ];
    for (meddle, word) in refusals {
        let backend = InPostgres::new();
        drop(backend.connect().await);
        backend.sql(meddle).await;
        match backend.try_connect().await {
            Err(LedgerError::Unusable(why)) => {
                assert!(why.contains(word) && why.contains("name another schema"), "{why}");
            }
            other => panic!("{meddle}: {other:?}"),
        }
    }
}

/// The database's definition of `later`, which a node replaces or keeps.
async fn later(backend: &InPostgres) -> i64 {
    let sql = backend.named("SELECT @.later(1, 2)");
    cluster::client().await.query_one(&sql, &[]).await.unwrap().get(0)
}

/// A function whose text is not this program's, under the revision that is `ahead` of it, and this program's
/// revision.
async fn with_another_function(ahead: i32) -> (InPostgres, i32) {
    let backend = InPostgres::new();
    drop(backend.connect().await);
    let own = revision(&backend).await;
    backend
        .sql(&format!(
            "CREATE OR REPLACE FUNCTION @.later(p_now bigint, p_by bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
                 AS 'SELECT 7::bigint';
             UPDATE @.function_version SET hash = 'another' WHERE name = 'later';
             UPDATE @.schema_version SET functions = functions + {ahead}"
        ))
        .await;
    assert_eq!(later(&backend).await, 7);
    (backend, own)
}

async fn revision(backend: &InPostgres) -> i32 {
    backend.row("SELECT functions FROM @.schema_version").await.get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_an_earlier_or_equal_revision_are_replaced() {
    for ahead in [-1, 0] {
        let (backend, own) = with_another_function(ahead).await;
        let unchanged = "SELECT max(applied_at) FROM @.function_version WHERE name <> 'later'";
        let before = backend.row(unchanged).await.get::<_, std::time::SystemTime>(0);
        drop(backend.connect().await);
        assert_eq!(later(&backend).await, 3, "{ahead}");
        assert_eq!(backend.row(unchanged).await.get::<_, std::time::SystemTime>(0), before, "only what has changed");
        assert_eq!(revision(&backend).await, own, "{ahead}");
    }
}

/// Otherwise an older node that starts during a deploy would undo what the newer one has applied.
#[tokio::test(flavor = "multi_thread")]
async fn functions_of_a_later_revision_are_used_as_they_are() {
    let (backend, own) = with_another_function(1).await;
    for _ in 0..2 {
        drop(backend.connect().await);
        assert_eq!(later(&backend).await, 7);
    }
    assert_eq!(revision(&backend).await, own + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_address_is_refused_without_repeating_it() {
    for url in ["postgres://anna:secret@localhost:port/db", "postgres://anna:secret@localhost/db?sslmode=verify"] {
        match PostgresLedger::connect(url).await {
            Err(LedgerError::Unusable(why)) => assert!(!why.contains("secret"), "{why}"),
            other => panic!("{url}: {other:?}"),
        }
    }
    let nobody = PostgresLedger::connect("postgres://anna:secret@127.0.0.1:1/db").await;
    match nobody {
        Err(LedgerError::Unavailable(why)) => assert!(!why.contains("secret"), "{why}"),
        other => panic!("{other:?}"),
    }
}
