//! Durability of each write: all are on disk when they are answered, except progress, renewals and write checks.
//!
//! A killed process loses nothing that the system holds; only a power failure would show a commit that was not synced.
//! So the tests ask SQLite, inside the same transaction.

use std::future::Future;

use crate::ids::TaskId;
use crate::ledger::{
    Attempt, AttemptReport, AuditOutcome, ClaimRequest, CloseQuestion, DurableName, NewAnswer, NewAudit, NewQuestion,
    NewStep, NewTask, Progress, Release, StepKind, TaskEnd, TaskState, Work,
};

use super::*;

/// Whether the write's transaction was synced.
async fn is_synced<T: std::fmt::Debug>(
    ledger: &SqliteLedger,
    write: impl Future<Output = Result<T, LedgerError>>,
) -> bool {
    let ask = |tx: &mut ops::Tx<'_>| Ok(tx.connection().pragma_query_value(None, "synchronous", |row| row.get(0))?);
    let level = ledger.writer.write::<i64>(Weight::Light, ask);
    let (written, level) = as_one_batch(ledger, async { tokio::join!(biased; write, level) }).await;
    written.unwrap();
    level.unwrap() == 2
}

fn audit() -> NewAudit {
    NewAudit {
        tenant_id: "t".to_owned(),
        user_id: "anna".to_owned(),
        actor: "service".to_owned(),
        app_id: None,
        action: "chat.inject".to_owned(),
        target: None,
        outcome: AuditOutcome::Done,
        detail: None,
    }
}

fn end() -> TaskEnd {
    TaskEnd::new(TaskState::Succeeded, turn("done"), audit())
}

fn task(call_id: CallId) -> NewTask {
    NewTask {
        task_id: TaskId::generate(),
        call_id,
        owner: anna(),
        app_id: "app".to_owned(),
        function: "work".to_owned(),
        name: "work".to_owned(),
        key: None,
        long_running: false,
        cap: LEASE,
        max_running: 9,
        max_open: 1000,
        parent: Work::Call(call_id),
        durable: None,
        audit: None,
    }
}

#[tokio::test]
async fn durable_writes_are_synced_and_light_writes_are_not() {
    let folder = Folder::new();
    let l = folder.open().unwrap();
    assert!(is_synced(&l, l.join("n", LEASE)).await);
    let incarnation = l.join("n", LEASE).await.unwrap();
    let call_id = CallId::generate();
    let call = NewCall { call_id, owner: anna(), turn: turn("?"), max_stored: None };
    assert!(is_synced(&l, l.accept_call(&incarnation, call)).await);
    let (first, second) = (task(call_id), task(call_id));
    let (ended, left) = (first.task_id, second.task_id);
    assert!(is_synced(&l, l.start_task(&incarnation, first)).await);
    l.start_task(&incarnation, second).await.unwrap();
    assert!(is_synced(&l, l.reply(&incarnation, call_id, turn("reply"))).await);
    assert!(is_synced(&l, l.finish_task(&incarnation, Attempt::first(ended), end())).await);
    assert!(is_synced(&l, l.request_cancel(left, audit(), end())).await);
    assert!(is_synced(&l, l.inject(anna(), turn("news"), audit(), MessageSource::OUTSIDE)).await);
    assert!(is_synced(&l, l.write_audit(audit())).await);
    let new = task(call_id);
    let durable = crate::ledger::NewDurable::new(new.task_id, "work", "{}", "{}");
    let task_id = l.start_task(&incarnation, new.durable(durable)).await.unwrap().task_id;
    let attempt = |number| Attempt { task_id, number };
    let step = NewStep::new(1, "one", StepKind::Step, "{}");
    assert!(is_synced(&l, l.store_step(&incarnation, attempt(1), step)).await);
    let (first, second) = (NewQuestion::new(2, "two", "?", "{}"), NewQuestion::new(3, "three", "?", "{}"));
    let (answered, closed) = (first.question_id, second.question_id);
    assert!(is_synced(&l, l.ask_question(&incarnation, attempt(1), first)).await);
    l.ask_question(&incarnation, attempt(1), second).await.unwrap();
    assert!(is_synced(&l, l.answer_question(answered, NewAnswer::new("1", "user:anna", audit()))).await);
    assert!(is_synced(&l, l.close_question(&incarnation, attempt(1), closed, CloseQuestion::Expire)).await);
    assert!(is_synced(&l, l.release_task(&incarnation, attempt(1), Release::HandOver, AttemptReport::default())).await);
    let request = ClaimRequest::new(vec![DurableName::new("app", "work")], "v1", 1);
    assert!(is_synced(&l, l.claim_tasks(&incarnation, request)).await);
    assert!(is_synced(&l, l.finish_task(&incarnation, attempt(2), end())).await);
    let open = CallId::generate();
    l.accept_call(&incarnation, NewCall { call_id: open, owner: anna(), turn: turn("?"), max_stored: None })
        .await
        .unwrap();

    let progress = Progress {
        task_id: left,
        percent: Some(1.0),
        message: Some(String::new()),
        steps: None,
        at: jiff::Timestamp::UNIX_EPOCH,
    };
    assert!(!is_synced(&l, l.note_progress(&incarnation, vec![(1, progress)])).await);
    assert!(!is_synced(&l, l.renew(&incarnation, LEASE)).await);
    assert!(!is_synced(&l, l.drain(&incarnation)).await);
    assert!(!is_synced(&l, l.check_writable()).await);

    assert!(is_synced(&l, l.leave(&incarnation)).await);
    let next = l.join("n", LEASE).await.unwrap();
    assert!(is_synced(&l, l.reclaim_call(&next, open, turn("interrupted"))).await);
    assert!(is_synced(&l, l.reclaim_task(&next, left, end())).await);
}
