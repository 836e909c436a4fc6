//! The rows that a renewal of a busy node reads, and the transactions that count as failed.

use super::*;

/// A renewal runs every few seconds on a connection of its own, however much is open.
#[tokio::test(flavor = "multi_thread")]
async fn renewal_reads_cancelled_work_only() {
    const OPEN: usize = 5000;
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let task_id = start_task(&ledger, &incarnation).await;
    let call = NewCall::new(CallId::generate(), anna(), turn("?"));
    let call_id = call.call_id;
    ledger.accept_call(&incarnation, call).await.unwrap();
    backend
        .sql(&format!(
            "INSERT INTO @.call (call_id, owner_id, node_id, incarnation, turn_seq)
             SELECT gen_random_uuid(), c.owner_id, c.node_id, c.incarnation, c.turn_seq
             FROM @.call c, generate_series(1, {OPEN}) WHERE c.call_id = '{call_id}';
             INSERT INTO @.task (task_id, call_id, owner_id, node_id, incarnation, app_id, function, name, state,
                long_running, created_at)
             SELECT gen_random_uuid(), t.call_id, t.owner_id, t.node_id, t.incarnation, t.app_id, t.function, t.name,
                t.state, false, t.created_at
             FROM @.task t, generate_series(1, {OPEN});
             ANALYZE @.call; ANALYZE @.task"
        ))
        .await;
    ledger.request_cancel(task_id, audit(), cancelled()).await.unwrap();
    ledger.request_call_cancel(&anna(), call_id, audit()).await.unwrap();
    let client = cluster::client().await;
    let renew = format!("BEGIN; SELECT @.renew('{}', {}, 3600000000)", incarnation.node, incarnation.number);
    client.batch_execute(&backend.named(&renew)).await.unwrap();
    // Rows of the tables and entries of their indexes that this transaction has read.
    let read = "SELECT sum(pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid)
            + (SELECT sum(pg_stat_get_xact_tuples_returned(i.indexrelid)) FROM pg_index i WHERE i.indrelid = c.oid)
        )::bigint FROM pg_class c WHERE c.oid IN ('@.task'::regclass, '@.call'::regclass)";
    let read: i64 = client.query_one(&backend.named(read), &[]).await.unwrap().get(0);
    client.batch_execute("COMMIT").await.unwrap();
    assert!(read < 100, "it read {read} rows and entries");
    let news = ledger.renew(&incarnation, LONG).await.unwrap();
    assert_eq!((news.cancelled_tasks, news.cancelled_calls), (vec![task_id], vec![call_id]));
}

/// A node that lost an answer repeats its write, and the row's unique key refuses it.
#[tokio::test(flavor = "multi_thread")]
async fn repeated_id_is_a_refusal_and_no_failure() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let call = NewCall::new(CallId::generate(), anna(), turn("?"));
    let new = NewTask::new(call.call_id, anna(), "app", "work");
    ledger.accept_call(&incarnation, call.clone()).await.unwrap();
    ledger.start_task(&incarnation, new.clone()).await.unwrap();
    assert_eq!(ledger.start_task(&incarnation, new).await, Err(LedgerError::IdExists));
    assert_eq!(ledger.accept_call(&incarnation, call).await, Err(LedgerError::IdExists));
    assert_eq!(ledger.meters().failed_transactions(), 0);
    backend.sql("ALTER TABLE @.task RENAME TO no_task").await;
    let call = NewCall::new(CallId::generate(), anna(), turn("?"));
    let new = NewTask::new(call.call_id, anna(), "app", "work");
    ledger.accept_call(&incarnation, call).await.unwrap();
    assert!(matches!(ledger.start_task(&incarnation, new).await, Err(LedgerError::Unusable(_))));
    assert_eq!(ledger.meters().failed_transactions(), 1);
}
