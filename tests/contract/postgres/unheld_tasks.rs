//! Tasks that no process holds, in PostgreSQL: what a mark reads, numbers that were damaged, and cancels that wait for
//! each other's owners.

use imperal::ids::{CallId, TaskId};
use imperal::ledger::{
    Attempt, AttemptReport, AuditOutcome, Backlog, ClaimRequest, DurableName, DurableProgram, EventBody, Incarnation,
    Ledger, NewAudit, NewCall, NewDurable, NewTask, Owner, PageLimit, PostgresLedger, Release, TaskEnd, TaskState,
};
use imperal_tests::cluster::{self, Database};
use imperal_tests::eventually;

use super::{Duration, InPostgres, LONG, anna, turn};
use imperal::ledger::TaskState::{Queued, Running, Stuck};

/// A durable task of the owner that the incarnation holds in attempt 1.
async fn running(ledger: &PostgresLedger, incarnation: &Incarnation, owner: &Owner, name: &str) -> Attempt {
    let call = NewCall::new(CallId::generate(), owner.clone(), turn("?"));
    let call_id = call.call_id;
    ledger.accept_call(incarnation, call).await.unwrap();
    let new = NewTask::new(call_id, owner.clone(), "app", "work").cap(LONG, false);
    let durable = NewDurable::new(new.task_id, name, "{}", "{}");
    let task = ledger.start_task(incarnation, new.durable(durable)).await.unwrap();
    ledger.reply(incarnation, call_id, turn("!")).await.unwrap();
    task.attempt()
}

/// However many tasks wait for a busy node or for their time, a mark reads a few rows of each name.
#[tokio::test(flavor = "multi_thread")]
async fn mark_reads_no_tasks_of_known_names() {
    const PARKED: i64 = 5000;
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let known = running(&ledger, &incarnation, &anna(), "known").await;
    let unknown = running(&ledger, &incarnation, &anna(), "unknown").await;
    for attempt in [known, unknown] {
        ledger.release_task(&incarnation, attempt, Release::HandOver, AttemptReport::default()).await.unwrap();
    }
    let names = vec![DurableName::new("app", "known")];
    ledger.register_program(&incarnation, DurableProgram::new("v1", names)).await.unwrap();
    // Ready tasks of the known name, and waiting ones of the unknown name whose time has not come.
    backend
        .sql(&format!(
            "INSERT INTO @.task (task_id, call_id, owner_id, node_id, incarnation, app_id, function, name, state,
                long_running, created_at, task_name, waits_for, ready_at)
             SELECT gen_random_uuid(), t.call_id, t.owner_id, t.node_id, t.incarnation, t.app_id, t.function, t.name,
                CASE t.task_name WHEN 'known' THEN 'queued' ELSE 'waiting' END, false, t.created_at, t.task_name,
                'process', CASE t.task_name WHEN 'known' THEN 5 ELSE 253402207200999999 END + n
             FROM @.task t, generate_series(1, {PARKED}) AS n;
             ANALYZE @.task"
        ))
        .await;
    let client = cluster::client().await;
    let mark = format!("BEGIN; SELECT @.mark_stuck('{}', {}, 0)", incarnation.node, incarnation.number);
    client.batch_execute(&backend.named(&mark)).await.unwrap();
    // Rows of the table and entries of its indexes that this transaction has read.
    let read = "SELECT (pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid)
            + (SELECT sum(pg_stat_get_xact_tuples_returned(i.indexrelid)) FROM pg_index i WHERE i.indrelid = c.oid)
        )::bigint FROM pg_class c WHERE c.oid = '@.task'::regclass";
    let read: i64 = client.query_one(&backend.named(read), &[]).await.unwrap().get(0);
    client.batch_execute("COMMIT").await.unwrap();
    assert!(read < 100, "it read {read} rows and entries");
    let state = async |task_id: TaskId| ledger.find_task(task_id).await.unwrap().unwrap().task.state;
    assert_eq!((state(known.task_id).await, state(unknown.task_id).await), (TaskState::Queued, TaskState::Stuck));
}

/// However many tasks are stuck, a look reads the oldest from an index, and counts the others there.
#[tokio::test(flavor = "multi_thread")]
async fn look_reads_the_oldest_stuck_tasks_from_an_index() {
    const STUCK: u64 = 5000;
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let first = running(&ledger, &incarnation, &anna(), "unknown").await;
    ledger
        .release_task(&incarnation, first, Release::Refused { program: "v1".into() }, AttemptReport::default())
        .await
        .unwrap();
    backend
        .sql(&format!(
            "WITH copies AS (
                INSERT INTO @.task (task_id, call_id, owner_id, node_id, incarnation, app_id, function, name, state,
                    long_running, created_at, task_name, waits_for, ready_at)
                SELECT gen_random_uuid(), t.call_id, t.owner_id, t.node_id, t.incarnation, t.app_id, t.function, t.name,
                    'stuck', false, t.created_at, t.task_name, 'version', 5
                FROM @.task t, generate_series(1, {STUCK} - 1) RETURNING task_no)
             INSERT INTO @.durable (task_no, input, user_json, root_task, cap, stuck_since)
             SELECT task_no, '{{}}', '{{}}', gen_random_uuid(), 1, 1000 + task_no FROM copies;
             ANALYZE @.task; ANALYZE @.durable"
        ))
        .await;
    let stuck = ledger.long_stuck(Duration::from_secs(60), 10).await.unwrap();
    assert_eq!(stuck.len(), 10);
    let read = format!(
        "SELECT coalesce(sum(idx_tup_read) FILTER (WHERE indexrelname = 'durable_stuck'), 0)::bigint,
            coalesce(sum(idx_tup_read) FILTER (WHERE indexrelname <> 'durable_stuck'), 0)::bigint
         FROM pg_stat_user_indexes WHERE schemaname = '{}' AND relname IN ('task', 'durable')",
        backend.schema
    );
    let before = eventually("the server has counted the reads", async || {
        let row = backend.row(&read).await;
        Some((row.get::<_, i64>(0), row.get::<_, i64>(1))).filter(|(stuck, _)| *stuck > 0)
    })
    .await;
    // Each stuck task once: whether an incarnation knows its name is a column of the task.
    assert!(
        before.0 <= i64::try_from(STUCK).unwrap() + 10 && before.1 < 2 * i64::try_from(STUCK).unwrap(),
        "{before:?}"
    );
    assert_eq!(ledger.backlog().await, Ok(Backlog::new(STUCK, None)));
}

/// The number is repaired, and no event is lost behind a gap.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_number_is_repaired_by_each_write_that_takes_one() {
    let request = || ClaimRequest::new(vec![DurableName::new("app", "generate")], "v1", 10);
    for damage in [-7, 1 << 60, i64::MAX] {
        let backend = InPostgres::new();
        let (ledger, incarnation) = backend.node("a").await;
        let harm = async || backend.sql(&format!("UPDATE @.owner SET head = {damage}")).await;
        let attempt = running(&ledger, &incarnation, &anna(), "generate").await;
        harm().await;
        ledger.release_task(&incarnation, attempt, Release::HandOver, AttemptReport::default()).await.unwrap();
        harm().await;
        assert_eq!(ledger.mark_stuck(&incarnation, Duration::ZERO).await, Ok(1));
        harm().await;
        let claimed = ledger.claim_tasks(&incarnation, request()).await.unwrap();
        assert_eq!(claimed.len(), 1);
        harm().await;
        ledger.request_cancel(attempt.task_id, super::audit(), super::cancelled()).await.unwrap();
        let incarnation = ledger.join("a", LONG).await.unwrap();
        harm().await;
        assert_eq!(ledger.announce_queued(&incarnation, Duration::ZERO).await, Ok(1));
        harm().await;
        running(&ledger, &incarnation, &anna(), "generate").await;
        let events = ledger.events(&anna(), 0, PageLimit::rows(100)).await.unwrap().rows;
        let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "after a head of {damage}");
        let states = events.iter().filter_map(|event| match &event.body {
            EventBody::Task(task) => Some(task.state),
            _ => None,
        });
        let wanted = [Running, Queued, Stuck, Running, Running, Queued, Running];
        assert_eq!(states.collect::<Vec<_>>(), wanted, "after a head of {damage}");
    }
}

/// Each is audited for one of the two owners and ends a task of the other.
#[tokio::test(flavor = "multi_thread")]
async fn cancels_that_need_the_same_owners_do_not_deadlock() {
    const ROUNDS: usize = 40;
    let database = Database::make("cancels").await;
    let url = database.url();
    let connect = || PostgresLedger::connect_in(&url, "imperal", 4);
    let (ledger, other) = (connect().await.unwrap(), connect().await.unwrap());
    let incarnation = ledger.join("a", LONG).await.unwrap();
    let owners = [anna(), Owner::new("tenant", "ben")];
    let mut tasks = [Vec::new(), Vec::new()];
    for (owner, tasks) in owners.iter().zip(&mut tasks) {
        for _ in 0..ROUNDS {
            let attempt = running(&ledger, &incarnation, owner, "generate").await;
            ledger.release_task(&incarnation, attempt, Release::HandOver, AttemptReport::default()).await.unwrap();
            tasks.push(attempt.task_id);
        }
    }
    // Makes the owners' locks last, so that the two transactions overlap.
    let client = cluster::client_of(&database.url()).await;
    let slow = "CREATE FUNCTION imperal.slowly() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END';
        CREATE TRIGGER slowly BEFORE INSERT ON imperal.audit FOR EACH ROW EXECUTE FUNCTION imperal.slowly()";
    client.batch_execute(slow).await.unwrap();
    let audited = |owner: &Owner| NewAudit::new(owner, "user:admin", "task.cancel", AuditOutcome::Done);
    let cancel = async |ledger: &PostgresLedger, tasks: &[TaskId], of: &Owner, by: &Owner| {
        for task_id in tasks {
            let end = TaskEnd::new(TaskState::Cancelled, turn("cancelled"), audited(of));
            ledger.request_cancel(*task_id, audited(by), end).await.unwrap();
        }
    };
    let count = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    tokio::join!(cancel(&ledger, &tasks[0], &owners[0], &owners[1]), cancel(&other, &tasks[1], &owners[1], &owners[0]));
    // The server counts with a delay, and at the latest when a session ends.
    drop((ledger, other));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(client.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 0, "deadlocks");
}

/// A cancel locks a task before its owner. So does a reply that takes the task's end along.
#[tokio::test(flavor = "multi_thread")]
async fn reply_with_an_end_locks_the_task_before_its_owner() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let call = NewCall::new(CallId::generate(), anna(), turn("?"));
    let call_id = call.call_id;
    ledger.accept_call(&incarnation, call).await.unwrap();
    let task = ledger.start_task(&incarnation, NewTask::new(call_id, anna(), "app", "work")).await.unwrap();
    let other = cluster::client().await;
    other.batch_execute(&backend.named("BEGIN; SELECT 1 FROM @.task FOR NO KEY UPDATE")).await.unwrap();
    let row = NewAudit::new(&anna(), "user:anna", "task.end", AuditOutcome::Done);
    let end = TaskEnd::new(TaskState::Succeeded, turn("done"), row);
    let settle = ledger.reply_and_finish(&incarnation, call_id, turn("!"), task.attempt(), end);
    let mut settle = std::pin::pin!(settle);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut settle).await;
    assert!(early.is_err(), "the end did not wait for the cancel");
    let owner = other.batch_execute(&backend.named("SELECT 1 FROM @.owner FOR UPDATE NOWAIT")).await;
    owner.expect("the reply holds the owner and waits for the task");
    other.batch_execute("COMMIT").await.unwrap();
    settle.await.unwrap();
}
