//! Queues in the database: a start during a claim, and places among many owners.

use std::time::Duration;

use imperal::ids::{CallId, TaskId};
use imperal::ledger::{Incarnation, Ledger, NewCall, NewDurable, NewTask, Owner, PostgresLedger, QueuePlace};
use imperal_tests::cluster;

use super::{InPostgres, LONG, anna, turn};

async fn queued(ledger: &PostgresLedger, incarnation: &Incarnation, owner: &Owner) -> TaskId {
    let call = NewCall::new(CallId::generate(), owner.clone(), turn("?"));
    let call_id = call.call_id;
    ledger.accept_call(incarnation, call).await.unwrap();
    let new = NewTask::new(call_id, owner.clone(), "app", "work").cap(LONG, false);
    let durable = NewDurable::new(new.task_id, "generate", "{}", "{}").queue("render");
    ledger.start_task(incarnation, new.durable(durable)).await.unwrap().task_id
}

/// A claim holds the rows of the queue until it commits.
#[tokio::test(flavor = "multi_thread")]
async fn start_waits_for_no_claim_of_its_queue() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    queued(&ledger, &incarnation, &anna()).await;
    let claim = cluster::client().await;
    let sql = "BEGIN; UPDATE @.queue SET served = served + 1; UPDATE @.queue_owner SET served = served + 1";
    claim.batch_execute(&backend.named(sql)).await.unwrap();
    for owner in [anna(), Owner::new("tenant", "ben")] {
        let start = queued(&ledger, &incarnation, &owner);
        tokio::time::timeout(Duration::from_secs(5), start).await.unwrap();
    }
    claim.batch_execute("ROLLBACK").await.unwrap();
}

/// Many owners wait, and one of them with many tasks: the ids of its tasks are read once, not once for each owner. The
/// database could not hold the answer of a billion ids.
#[tokio::test(flavor = "multi_thread")]
async fn places_among_many_owners_are_read_once() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let first = queued(&ledger, &incarnation, &anna()).await;
    // Copies of the task: 20,000 of as many owners, and 5,000 of its own.
    let client = cluster::client().await;
    let schema = backend.named("@.");
    let schema = schema.trim_end_matches('.');
    let task_columns = "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns
        WHERE table_schema = $1 AND table_name = 'task' AND column_name NOT IN ('task_no', 'task_id', 'owner_id')";
    let task: String = client.query_one(task_columns, &[&schema]).await.unwrap().get(0);
    let sql = format!(
        "INSERT INTO @.owner (owner_key, tenant_id, user_id)
            SELECT sha256(('copy ' || n)::bytea), 'tenant', 'copy ' || n FROM generate_series(1, 20000) AS n;
        INSERT INTO @.task (task_id, owner_id, {task})
            SELECT gen_random_uuid(), o.owner_id, {task}
            FROM @.task, (SELECT owner_id FROM @.owner WHERE user_id LIKE 'copy %') AS o;
        INSERT INTO @.task (task_id, owner_id, {task})
            SELECT gen_random_uuid(), owner_id, {task} FROM @.task, generate_series(1, 5000)
            WHERE task_id = '{first}';
        ANALYZE @.task"
    );
    client.batch_execute(&backend.named(&sql)).await.unwrap();
    let began = std::time::Instant::now();
    let places = ledger.queue_places(&anna()).await.unwrap();
    eprintln!("{} places among 20,001 owners: {:?}", places.len(), began.elapsed());
    assert_eq!((places.len(), places[0]), (5_001, QueuePlace::new(first, 0)));
    assert_eq!(places[1].before, 20_001);
}
