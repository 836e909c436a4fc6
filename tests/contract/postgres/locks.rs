//! The order in which statements lock rows: two that lock the same rows in two orders would wait for each other.

use imperal::ids::{FileId, ScheduleId};
use imperal::ledger::{FileContent, FileSource, NewFile, ScheduleSource, ScheduleWrite};

use super::*;

/// Waits for `write` until it waits for a lock of another transaction.
async fn blocked(write: &mut (impl Future<Output: std::fmt::Debug> + Unpin)) {
    let early = tokio::time::timeout(Duration::from_millis(300), write).await;
    assert!(early.is_err(), "it waited for no lock: {early:?}");
}

/// A file that no call and no schedule stores yet.
async fn uploaded(ledger: &PostgresLedger, incarnation: &Incarnation) -> FileId {
    let upload = || FileSource::Upload(incarnation.clone());
    let file_id = FileId::generate();
    ledger.begin_file(&anna(), upload(), NewFile::new(file_id, "app", "a.txt")).await.unwrap();
    let content = FileContent::new(file_id, "text/plain", 1, [7; 32]);
    ledger.complete_file(&anna(), upload(), content).await.unwrap();
    file_id
}

/// A call with files locks the files before its owner. So does a schedule with files.
#[tokio::test(flavor = "multi_thread")]
async fn schedule_locks_its_files_before_their_owner() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let file_id = uploaded(&ledger, &incarnation).await;
    let schedule_id = ScheduleId::generate();
    for version in [1, 2] {
        let other = cluster::client().await;
        other.batch_execute(&backend.named("BEGIN; SELECT 1 FROM @.file FOR NO KEY UPDATE")).await.unwrap();
        let call = NewCall::new(CallId::generate(), anna(), turn("?"));
        let schedule = ScheduleWrite::new(schedule_id, anna(), version, None, "{}".to_owned());
        let schedule = schedule.call(call).files("app", vec![file_id]);
        let mut writing = std::pin::pin!(ledger.write_schedule(ScheduleSource::Node(incarnation.clone()), schedule));
        blocked(&mut writing).await;
        let owner = other.batch_execute(&backend.named("SELECT 1 FROM @.owner FOR UPDATE NOWAIT")).await;
        owner.expect("the schedule holds the owner and waits for the file");
        other.batch_execute("COMMIT").await.unwrap();
        assert_eq!(writing.await, Ok(true));
    }
}

/// A schedule that is not written leaves its files as they are.
#[tokio::test(flavor = "multi_thread")]
async fn stale_schedule_stores_no_file() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let file_id = uploaded(&ledger, &incarnation).await;
    let stale = ScheduleWrite::new(ScheduleId::generate(), anna(), 2, None, "{}".to_owned());
    let stale = stale.files("app", vec![file_id]);
    assert_eq!(ledger.write_schedule(ScheduleSource::Person, stale).await, Ok(false));
    let row = backend.row("SELECT state FROM @.file").await;
    assert_eq!(row.get::<_, &str>(0), "pending");
}

/// Two batches of a node may report the same tasks at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn progress_locks_tasks_in_the_order_of_their_ids() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(start_task(&ledger, &incarnation).await);
    }
    tasks.sort();
    // A plan that reads the tasks in the order of the table, in which the one with the least id is the last.
    backend
        .sql(&format!(
            "INSERT INTO @.task (task_id, call_id, owner_id, node_id, incarnation, app_id, function, name, state,
                long_running, created_at, finished_at)
             SELECT gen_random_uuid(), t.call_id, t.owner_id, t.node_id, t.incarnation, t.app_id, t.function, t.name,
                'succeeded', false, t.created_at, 1
             FROM @.task t, generate_series(1, 100);
             UPDATE @.task SET progress_no = 1 WHERE task_id = '{}';
             ANALYZE @.task;
             ALTER FUNCTION @.note_progress SET enable_nestloop = off;
             ALTER FUNCTION @.note_progress SET enable_mergejoin = off",
            tasks[0]
        ))
        .await;
    let at = "2026-01-01T00:00:00Z".parse().unwrap();
    let reports: Vec<_> = tasks.iter().rev().map(|id| (1, Progress::new(*id, 10.0, "tenth", at))).collect();
    let other = cluster::client().await;
    let hold = format!("BEGIN; SELECT 1 FROM @.task WHERE task_id = '{}' FOR UPDATE", tasks[0]);
    other.batch_execute(&backend.named(&hold)).await.unwrap();
    let mut writing = std::pin::pin!(ledger.note_progress(&incarnation, reports));
    blocked(&mut writing).await;
    let rest = "SELECT 1 FROM @.task WHERE state = 'running' FOR UPDATE NOWAIT";
    let rest = other.batch_execute(&backend.named(rest)).await;
    rest.expect("the batch holds tasks behind the one that it waits for");
    other.batch_execute("COMMIT").await.unwrap();
    writing.await.unwrap();
    for task_id in tasks {
        assert_eq!(ledger.find_task(task_id).await.unwrap().unwrap().task.percent, Some(10.0));
    }
}
