//! How a node begins: the schema is made once, whoever starts beside it, and what cannot be used is refused.

use std::sync::Arc;
use std::time::Duration;

use imperal::ledger::{LedgerError, PostgresLedger};
use imperal_tests::cluster;

use super::InPostgres;

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_make_the_schema_once() {
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
    let sql = format!("SELECT count(*), max(number) FROM {}.migration", backend.schema);
    let row = cluster::client().await.query_one(&sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i32>(1)), (7, 7));
}

/// A node of the version before that waits for the one that brings the schema up to date, which waits
/// for it: the server undoes the latter, which begins again.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_clashes_with_nodes_at_work_is_made_all_the_same() {
    let backend = Arc::new(InPostgres::new());
    let schema = &backend.schema;
    backend.sql(&format!("CREATE SCHEMA {schema}")).await;
    let other = cluster::client().await;
    // Nobody makes anything in a schema that may be gone in a moment.
    let hold = format!("SET deadlock_timeout = '1h'; BEGIN; DROP SCHEMA {schema}");
    other.batch_execute(&hold).await.unwrap();
    let starting = tokio::spawn({
        let backend = backend.clone();
        async move { backend.try_connect().await.map(drop) }
    });
    let waits = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'";
    let observer = cluster::client().await;
    while observer.query(waits, &[schema]).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let lock = "SELECT pg_advisory_xact_lock(hashtextextended('imperal ledger ' || $1, 0))";
    other.query(lock, &[schema]).await.unwrap();
    assert!(!starting.is_finished());
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(starting.await.unwrap(), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_programs_schema_is_refused_with_the_way_out() {
    let refusals = [
        ("INSERT INTO @.migration (number, hash) VALUES (99, 'x')", "newer version"),
        ("UPDATE @.migration SET hash = 'x' WHERE number = 1", "migration 1"),
    ];
    for (meddle, word) in refusals {
        let backend = InPostgres::new();
        drop(backend.connect().await);
        backend.sql(meddle).await;
        match backend.try_connect().await {
            Err(LedgerError::Unusable(why)) => assert!(why.contains(word) && why.contains("start"), "{why}"),
            other => panic!("{meddle}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_cannot_be_used_is_refused_without_repeating_it() {
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
