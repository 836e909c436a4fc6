//! A crowd of suspects costs a claim a few rows, however many they are.

use imperal::ids::TaskId;
use imperal::ledger::{AttemptReport, Incarnation, Ledger, NewCall, NewDurable, NewTask, PostgresLedger, Release};
use imperal_tests::cluster;

use super::durable::running;
use super::*;

/// Makes copies of a task that are suspects, all ready before it.
async fn add_suspects(backend: &InPostgres, task_id: TaskId) {
    let copies = format!(
        "INSERT INTO @.task OVERRIDING SYSTEM VALUE
         SELECT (jsonb_populate_record(t, jsonb_build_object(
             'task_id', gen_random_uuid(), 'task_no', 100000 * t.task_no + n, 'suspect', true, 'ready_at', n))).*
         FROM @.task t, generate_series(1, 4000) AS s (n) WHERE t.task_id = '{task_id}';
         INSERT INTO @.durable
         SELECT (jsonb_populate_record(d, jsonb_build_object('task_no', 100000 * t.task_no + n, 'crashes', 3))).*
         FROM @.durable d JOIN @.task t USING (task_no), generate_series(1, 4000) AS s (n) WHERE t.task_id = '{task_id}'"
    );
    backend.sql(&copies).await;
}

/// A claim that is undone. Returns how many tasks it took, and how many rows of tasks it read.
async fn claim(backend: &InPostgres, incarnation: &Incarnation, suspects: bool) -> (i64, i64) {
    let mut client = cluster::client().await;
    let undone = client.transaction().await.unwrap();
    let sql = format!(
        "SELECT count(*) FROM @.claim_tasks('{}', {}, gen_random_uuid(), '{{app}}', '{{generate}}',
         '{{app,render,9,9}}', 'v1', 16, {suspects}, 100, false)",
        incarnation.node, incarnation.number
    );
    let claimed = undone.query_one(&backend.named(&sql), &[]).await.unwrap().get(0);
    let sql = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables
        WHERE schemaname = $1 AND relname = 'task'";
    let read = undone.query_one(sql, &[&backend.schema]).await.unwrap().get(0);
    (claimed, read)
}

async fn queued(ledger: &PostgresLedger, incarnation: &Incarnation) -> TaskId {
    let call = NewCall::new(CallId::generate(), anna(), turn("?"));
    let call_id = call.call_id;
    ledger.accept_call(incarnation, call).await.unwrap();
    let new = NewTask::new(call_id, anna(), "app", "work");
    let durable = NewDurable::new(new.task_id, "generate", "{}", "{}").queue("render");
    let task = ledger.start_task(incarnation, new.durable(durable)).await.unwrap();
    ledger.reply(incarnation, call_id, turn("!")).await.unwrap();
    task.task_id
}

#[tokio::test(flavor = "multi_thread")]
async fn crowd_of_suspects_costs_a_claim_few_rows() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let outside = running(&ledger, &incarnation).await;
    ledger.release_task(&incarnation, outside, Release::HandOver, AttemptReport::default()).await.unwrap();
    let queued = queued(&ledger, &incarnation).await;
    let (claimed, alone) = claim(&backend, &incarnation, true).await;
    assert_eq!(claimed, 2);
    for task_id in [outside.task_id, queued] {
        add_suspects(&backend, task_id).await;
    }
    backend.sql("ANALYZE @.task; ANALYZE @.durable").await;
    let (claimed, read) = claim(&backend, &incarnation, false).await;
    assert_eq!(claimed, 2);
    assert!(read <= alone + 10, "it read {read} rows of tasks, and {alone} without the 8,000 suspects");
    // By chance queues or the others go first: a few claims see both.
    for _ in 0..12 {
        let (claimed, read) = claim(&backend, &incarnation, true).await;
        assert_eq!(claimed, 3, "one suspect");
        assert!(read <= alone + 200, "it read {read} rows of tasks, and {alone} without the 8,000 suspects");
    }
}
