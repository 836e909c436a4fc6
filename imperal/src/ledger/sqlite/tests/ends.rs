//! Many ends or replies in one write: its cost, and the cost of one bad row.

use super::*;
use crate::ids::{TaskId, TurnId};
use crate::ledger::sqlite::rows::TASK_COLUMNS;
use crate::ledger::sqlite::rows::counted::statements;
use crate::ledger::{AuditOutcome, NewAudit, NewTask, TaskEnd, TaskState};

fn ben() -> Owner {
    Owner::new("t", "ben")
}

/// Background tasks of these owners that a node has left, oldest first, and the incarnation that ends them.
async fn leave_tasks(ledger: &SqliteLedger, owners: &[Owner]) -> (Vec<(TaskId, TaskEnd)>, Incarnation) {
    let dead = ledger.join("dead", LEASE).await.unwrap();
    let mut ends = Vec::new();
    for owner in owners {
        let call = NewCall { owner: owner.clone(), ..new_call() };
        let call_id = call.call_id;
        ledger.accept_call(&dead, call).await.unwrap();
        let task = ledger.start_task(&dead, NewTask::new(call_id, owner.clone(), "app", "work")).await.unwrap();
        ledger.reply(&dead, call_id, turn("reply")).await.unwrap();
        let audit = NewAudit::new(owner, "platform", "chat.inject", AuditOutcome::Done);
        ends.push((task.task_id, TaskEnd::new(TaskState::Reclaimed, turn("interrupted"), audit)));
    }
    (ends, ledger.join("dead", LEASE).await.unwrap())
}

fn new_call() -> NewCall {
    NewCall { call_id: CallId::generate(), owner: anna(), turn: turn("?"), max_stored: None }
}

/// How many statements one write of all these ends takes.
async fn statements_of(ledger: &SqliteLedger, incarnation: Incarnation, rows: Vec<ops::WorkEnd>) -> u32 {
    let count = ledger.writer.write(Weight::Light, move |tx| {
        let before = statements();
        let mut isolation = ops::EndIsolation::default();
        let answers = tx.reclaim_many(&incarnation, &rows, &mut isolation)?;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        Ok(statements() - before)
    });
    count.await.unwrap()
}

async fn numbers(ledger: &SqliteLedger, owner: &Owner) -> Vec<u64> {
    ledger.events(owner, 0, PageLimit::rows(1000)).await.unwrap().rows.iter().map(|event| event.seq).collect()
}

/// A read of a task finds its columns by their places.
#[test]
fn statements_of_tasks_select_the_known_columns() {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(include_str!("../schema.sql")).unwrap();
    for sql in [ops::TASK, ops::LEFT_TASK, ops::LEFT_TASKS, reads::OPEN_TASKS] {
        let statement = conn.prepare(sql).unwrap();
        let columns: Vec<&str> = statement.column_names().take(TASK_COLUMNS.len()).collect();
        assert_eq!(columns, TASK_COLUMNS, "{sql}");
    }
}

/// How many statements the end of a background task takes together with others: one more costs a recovery about as
/// much for each task.
#[tokio::test]
async fn many_ends_take_few_statements() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let owners: Vec<Owner> = (0..40).map(|place| if place % 2 == 0 { anna() } else { ben() }).collect();
    let (ends, incarnation) = leave_tasks(&ledger, &owners).await;
    let mut rows = Vec::new();
    for (task_id, end) in ends {
        let turn = ops::TurnJson { turn_id: TurnId::generate(), json: serde_json::to_string(&end.turn).unwrap() };
        let end = ops::EndJson { state: end.state, turn, audit: end.audit, open_effects: 0, notes: None };
        rows.push(ops::WorkEnd::Task(task_id, Box::new(end)));
    }
    let count = statements_of(&ledger, incarnation, rows).await;
    // Five for each end, four for each owner with the first read of its name; the incarnation, and whether there are
    // drafts.
    assert!(count <= 40 * 5 + 2 * 6 + 2, "{count} statements");
    for owner in [anna(), ben()] {
        assert_eq!(numbers(&ledger, &owner).await, (1..=100).collect::<Vec<_>>());
    }
}

/// In the middle of the write and of its own end: everything is undone, and all others are written again.
#[tokio::test]
async fn row_that_cannot_be_written_costs_one_end() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let (ends, incarnation) = leave_tasks(&ledger, &[anna(), ben(), anna(), ben()]).await;
    let bad = ends[2].1.turn.turn_id;
    let refuse = format!(
        "CREATE TRIGGER refuse BEFORE INSERT ON turn WHEN NEW.turn_id = '{bad}' BEGIN SELECT RAISE(ABORT, 'no'); END"
    );
    Connection::open(folder.file()).unwrap().execute_batch(&refuse).unwrap();
    let neighbours =
        async { tokio::join!(accept(&ledger, &incarnation, "before"), accept(&ledger, &incarnation, "after")) };
    let reclaimed = ledger.reclaim_tasks(&incarnation, ends.clone());
    let (answers, neighbours) = as_one_batch(&ledger, async { tokio::join!(reclaimed, neighbours) }).await;
    let answers = answers.unwrap();
    assert!(matches!(answers[2], Err(LedgerError::Unavailable(_))), "{answers:?}");
    assert_eq!([&answers[0], &answers[1], &answers[3]], [&Ok(()); 3]);
    assert!(neighbours.0.is_ok() && neighbours.1.is_ok(), "{neighbours:?}");
    assert_eq!(numbers(&ledger, &anna()).await, (1..=10).collect::<Vec<_>>());
    assert_eq!(numbers(&ledger, &ben()).await, (1..=10).collect::<Vec<_>>());
    assert_eq!(ledger.open_tasks(&anna()).await.unwrap().len(), 1);
    let check = crate::ledger::AuditCheck::run(&ledger, None).await.unwrap();
    assert_eq!((check.rows, check.broken), (3, None));

    Connection::open(folder.file()).unwrap().execute_batch("DROP TRIGGER refuse").unwrap();
    let ended = LedgerError::AlreadyEnded;
    let answers = ledger.reclaim_tasks(&incarnation, ends).await.unwrap();
    assert_eq!(answers, [Err(ended.clone()), Err(ended.clone()), Ok(()), Err(ended)]);
    assert_eq!(numbers(&ledger, &anna()).await, (1..=12).collect::<Vec<_>>());
}

/// Only a task with a queue holds a slot of one. A background task that was damaged to have a queue does so as well, and
/// tasks of other owners wait for the slot.
#[tokio::test]
async fn end_of_a_background_task_with_a_queue_is_announced() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let (ends, incarnation) = leave_tasks(&ledger, &[anna(), ben()]).await;
    let damage = "UPDATE task SET queue = 'render' WHERE task_no = (SELECT min(task_no) FROM task)";
    assert_eq!(Connection::open(folder.file()).unwrap().execute(damage, ()).unwrap(), 1);
    let is_announced = async || {
        let announced = ledger.feed().ready_task_announced();
        tokio::time::timeout(Duration::from_millis(200), announced).await.is_ok()
    };
    while is_announced().await {}
    assert_eq!(ledger.reclaim_tasks(&incarnation, ends).await.unwrap(), [Ok(()), Ok(())]);
    assert!(is_announced().await, "no node learns that the queue has a free slot");
}

/// The first of the write: nothing has to be undone, and no neighbour is written again.
#[tokio::test]
async fn task_of_a_missing_owner_costs_one_end() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let (ends, incarnation) = leave_tasks(&ledger, &[anna(), ben(), ben()]).await;
    drop(ledger);
    let conn = Connection::open(folder.file()).unwrap();
    conn.pragma_update(None, "foreign_keys", false).unwrap();
    assert_eq!(conn.execute("DELETE FROM owner WHERE user_id = 'anna'", ()).unwrap(), 1);
    drop(conn);
    let ledger = folder.open().unwrap();
    let answers = ledger.reclaim_tasks(&incarnation, ends).await.unwrap();
    assert!(answers[0].is_err(), "{answers:?}");
    assert_eq!(answers[1..], [Ok(()), Ok(())]);
    assert_eq!(numbers(&ledger, &ben()).await, (1..=10).collect::<Vec<_>>());
}

/// Calls of these owners that a node has left, oldest first, and the incarnation that replies to them.
async fn leave_calls(ledger: &SqliteLedger, owners: &[Owner]) -> (Vec<(CallId, TurnBody)>, Incarnation) {
    let dead = ledger.join("dead", LEASE).await.unwrap();
    let mut replies = Vec::new();
    for owner in owners {
        let call = NewCall { owner: owner.clone(), ..new_call() };
        replies.push((call.call_id, turn("interrupted")));
        ledger.accept_call(&dead, call).await.unwrap();
    }
    (replies, ledger.join("dead", LEASE).await.unwrap())
}

#[tokio::test]
async fn many_replies_take_few_statements() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let owners: Vec<Owner> = (0..40).map(|place| if place % 2 == 0 { anna() } else { ben() }).collect();
    let (replies, incarnation) = leave_calls(&ledger, &owners).await;
    let row = |(call_id, turn): (CallId, TurnBody)| {
        let json = serde_json::to_string(&turn).unwrap();
        ops::WorkEnd::Call(call_id, ops::TurnJson { turn_id: turn.turn_id, json })
    };
    let rows: Vec<_> = replies.into_iter().map(row).collect();
    let count = statements_of(&ledger, incarnation, rows).await;
    // Three for each reply; the rest as for ends.
    assert!(count <= 40 * 3 + 2 * 6 + 2, "{count} statements");
    for owner in [anna(), ben()] {
        assert_eq!(numbers(&ledger, &owner).await, (1..=40).collect::<Vec<_>>());
    }
}

/// The reply's turn is written and its call is not: everything is undone, and all others are written again.
#[tokio::test]
async fn call_that_cannot_be_written_costs_one_reply() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let (replies, incarnation) = leave_calls(&ledger, &[anna(), ben(), anna(), ben()]).await;
    let bad = replies[2].0;
    let refuse = format!(
        "CREATE TRIGGER refuse BEFORE UPDATE ON call WHEN NEW.call_id = '{bad}' BEGIN SELECT RAISE(ABORT, 'no'); END"
    );
    Connection::open(folder.file()).unwrap().execute_batch(&refuse).unwrap();
    let answers = ledger.reclaim_calls(&incarnation, replies.clone()).await.unwrap();
    assert!(matches!(answers[2], Err(LedgerError::Unavailable(_))), "{answers:?}");
    assert_eq!([&answers[0], &answers[1], &answers[3]], [&Ok(()); 3]);
    assert_eq!(numbers(&ledger, &anna()).await, (1..=3).collect::<Vec<_>>());
    assert_eq!(numbers(&ledger, &ben()).await, (1..=4).collect::<Vec<_>>());
    assert_eq!(ledger.orphans(10).await.unwrap().len(), 1);

    Connection::open(folder.file()).unwrap().execute_batch("DROP TRIGGER refuse").unwrap();
    let earlier = LedgerError::AlreadyReplied;
    let answers = ledger.reclaim_calls(&incarnation, replies).await.unwrap();
    assert_eq!(answers, [Err(earlier.clone()), Err(earlier.clone()), Ok(()), Err(earlier)]);
    assert_eq!(numbers(&ledger, &anna()).await, (1..=4).collect::<Vec<_>>());
}

/// The first of the write: nothing has to be undone.
#[tokio::test]
async fn call_of_a_missing_owner_costs_one_reply() {
    let folder = Folder::new();
    let ledger = folder.open().unwrap();
    let (replies, incarnation) = leave_calls(&ledger, &[anna(), ben(), ben()]).await;
    drop(ledger);
    let conn = Connection::open(folder.file()).unwrap();
    conn.pragma_update(None, "foreign_keys", false).unwrap();
    assert_eq!(conn.execute("DELETE FROM owner WHERE user_id = 'anna'", ()).unwrap(), 1);
    drop(conn);
    let ledger = folder.open().unwrap();
    let answers = ledger.reclaim_calls(&incarnation, replies).await.unwrap();
    assert!(answers[0].is_err(), "{answers:?}");
    assert_eq!(answers[1..], [Ok(()), Ok(())]);
    assert_eq!(numbers(&ledger, &ben()).await, (1..=4).collect::<Vec<_>>());
}
