//! Durable tasks in the file: the plan of a claim, and large content in batches.

use futures_util::future::{join_all, poll_immediate};

use super::*;
use crate::ledger::{
    AuditOutcome, ManualClock, NewAudit, NewDurable, NewStep, NewTask, RetentionPolicy, StepKind, TaskEnd, TaskState,
};

fn plan(conn: &Connection, sql: &str) -> Vec<String> {
    let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let unbound = rusqlite::params_from_iter(vec![rusqlite::types::Null; explain.parameter_count()]);
    explain.query_map(unbound, |row| row.get(3)).unwrap().map(Result::unwrap).collect()
}

/// Other names and other states cost a claim nothing.
#[test]
fn claim_reads_the_ready_tasks_of_its_names_only() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let conn = Connection::open(folder.file()).unwrap();
    let ready = plan(&conn, ops::READY_TASKS);
    let wanted = "SEARCH durable USING INDEX durable_ready (app_id=? AND task_name=? AND ready_at>? AND ready_at<?)";
    assert_eq!(ready, [wanted]);
    let stuck = plan(&conn, ops::LONG_STUCK_TASKS);
    assert!(stuck[0].contains("task_unheld"), "{stuck:?}");
}

#[tokio::test]
async fn pruned_task_leaves_no_rows() {
    let folder = Folder::new();
    let clock = std::sync::Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let ledger = SqliteLedger::open_with_clock(folder.file(), clock.clone()).unwrap();
    let incarnation = ledger.join("n", LEASE).await.unwrap();
    let call_id = CallId::generate();
    let call = NewCall { call_id, owner: anna(), turn: turn("?"), max_stored: None };
    ledger.accept_call(&incarnation, call).await.unwrap();
    let new = NewTask::new(call_id, anna(), "app", "work");
    let durable = NewDurable::new(new.task_id, "work", "{}", "{}");
    let attempt = ledger.start_task(&incarnation, new.durable(durable)).await.unwrap().attempt();
    ledger.store_step(&incarnation, attempt, NewStep::new(1, "one", StepKind::Step, "{}")).await.unwrap();
    ledger.reply(&incarnation, call_id, turn("reply")).await.unwrap();
    let audit = NewAudit::new(&anna(), "platform", "chat.inject", AuditOutcome::Done);
    let end = TaskEnd::new(TaskState::Failed, turn("failed"), audit);
    ledger.finish_task(&incarnation, attempt, end).await.unwrap();
    let rows = || {
        let conn = Connection::open(folder.file()).unwrap();
        let sql = "SELECT (SELECT count(*) FROM task), (SELECT count(*) FROM durable), (SELECT count(*) FROM step)";
        conn.query_row(sql, (), |row| Ok([row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?])).unwrap()
    };
    assert_eq!(rows(), [1, 1, 1]);
    clock.advance(Duration::from_secs(60));
    let age = Some(Duration::from_secs(1));
    let policy = RetentionPolicy { turns: age, tasks: age, events: age, audit: age };
    ledger.prune(&policy, 0, 100).await.unwrap();
    assert_eq!(rows(), [0, 0, 0]);
}

/// For each of these jobs, how many of them were committed before it ran.
async fn committed_before(ledger: &SqliteLedger, folder: &Folder, tenant: &'static str, bytes: &[usize]) -> Vec<i64> {
    let jobs = bytes.iter().enumerate().map(|(number, bytes)| {
        let file = folder.file();
        let work = move |tx: &mut ops::Tx<'_>| {
            let sql = "INSERT INTO owner (tenant_id, user_id) VALUES (?1, ?2)";
            tx.connection().execute(sql, rusqlite::params![tenant, number.to_string()])?;
            let sql = "SELECT count(*) FROM owner WHERE tenant_id = ?1";
            Ok(Connection::open(&file)?.query_row(sql, [tenant], |row| row.get(0))?)
        };
        ledger.writer.write_sized(Weight::Light, *bytes, work)
    });
    as_one_batch(ledger, join_all(jobs)).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn batch_ends_at_8_mib() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    assert_eq!(committed_before(&ledger, &folder, "small", &[100; 9]).await, [0; 9]);
    assert_eq!(committed_before(&ledger, &folder, "large", &[3 << 20; 7]).await, [0, 0, 0, 3, 3, 3, 6]);
    // A job that is larger than a batch, or than the queue, is a batch of its own.
    assert_eq!(committed_before(&ledger, &folder, "huge", &[100 << 20, 1]).await, [0, 1]);
}

/// A caller that gives up while it waits for room writes nothing.
#[tokio::test]
async fn jobs_wait_for_room_in_the_queue() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let mut busy = Box::pin(ledger.writer.write(Weight::Light, move |_| {
        wait.recv().unwrap();
        Ok(())
    }));
    assert!(poll_immediate(&mut busy).await.is_none());
    let ran = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    for _ in 0..70 {
        let ran = ran.clone();
        let mut job = Box::pin(ledger.writer.write_sized(Weight::Light, 1 << 20, move |_| {
            ran.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok(())
        }));
        assert!(poll_immediate(&mut job).await.is_none());
        // A task that has used up its turn in tokio finds nothing ready.
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    busy.await.unwrap();
    // Answered writes make room in the queue.
    ledger.writer.write_sized(Weight::Light, 64 << 20, |_| Ok(())).await.unwrap();
    drop(ledger);
    assert_eq!(ran.load(std::sync::atomic::Ordering::SeqCst), 64);
}
