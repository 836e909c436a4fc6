//! Recovery settles much work in one statement: what is refused, held or damaged in it takes nothing from the rest.

use std::time::{Duration, Instant};

use imperal::ids::{CallId, TaskId};
use imperal::ledger::{
    AuditOutcome, Incarnation, Ledger, LedgerError, NewAudit, NewCall, NewTask, Owner, PageLimit, PostgresLedger,
    TaskEnd, TaskState, TurnBody,
};
use imperal_tests::cluster;

use super::{InPostgres, LONG, turn};

const USERS: usize = 60;

/// A node, and what another one has left: for each user an open call, and the task of another call.
struct Left {
    backend: InPostgres,
    ledger: PostgresLedger,
    incarnation: Incarnation,
    replies: Vec<(CallId, TurnBody)>,
    ends: Vec<(TaskId, TaskEnd)>,
}

fn user(number: usize) -> Owner {
    Owner::new("tenant", &format!("user {number}"))
}

impl Left {
    async fn new() -> Self {
        let backend = InPostgres::new();
        let (ledger, gone) = backend.node("gone").await;
        let (mut replies, mut ends) = (Vec::new(), Vec::new());
        for owner in (0..USERS).map(user) {
            let open = NewCall::new(CallId::generate(), owner.clone(), turn("?"));
            replies.push((open.call_id, turn("interrupted")));
            ledger.accept_call(&gone, open).await.unwrap();
            let call = NewCall::new(CallId::generate(), owner.clone(), turn("?"));
            let new = NewTask::new(call.call_id, owner.clone(), "app", "work").cap(LONG, false);
            let (_, task, _) = ledger.start_and_answer(&gone, call, new, turn("!")).await.unwrap();
            let audit = NewAudit::new(&owner, "platform", "task.outcome", AuditOutcome::Done);
            ends.push((task.task_id, TaskEnd::new(TaskState::Reclaimed, turn("interrupted"), audit)));
        }
        ledger.leave(&gone).await.unwrap();
        let incarnation = ledger.join("stays", LONG).await.unwrap();
        Self { backend, ledger, incarnation, replies, ends }
    }

    async fn transactions(&self, rows: &str) -> i64 {
        self.backend.row(&format!("SELECT count(DISTINCT xmin::text) FROM {rows}")).await.get(0)
    }

    /// Both calls, their replies, and one outcome; the task's start and end have a number each.
    async fn assert_settled_once(&self) {
        for owner in (0..USERS).map(user) {
            let page = self.ledger.turns(&owner, 0, PageLimit::rows(100)).await.unwrap();
            let interrupted = page.rows.iter().filter(|turn| turn.body.text == "interrupted").count();
            assert_eq!((page.rows.len(), interrupted), (5, 2), "{owner:?}");
            assert_eq!(self.ledger.head(&owner).await.unwrap(), 7, "{owner:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn left_work_shares_commits_and_is_settled_once() {
    let left = Left::new().await;
    let (ledger, incarnation, last) = (&left.ledger, &left.incarnation, USERS - 1);
    let answers = ledger.reclaim_calls(incarnation, left.replies[..last].to_vec()).await.unwrap();
    assert_eq!(answers, vec![Ok(()); last]);
    let answers = ledger.reclaim_tasks(incarnation, left.ends[..last].to_vec()).await.unwrap();
    assert_eq!(answers, vec![Ok(()); last]);
    let taken = left.transactions("@.call WHERE reply_seq = 5").await;
    assert_eq!(taken, 2, "{last} replies are two statements");
    assert_eq!(left.transactions("@.task WHERE finished_at IS NOT NULL").await, 2, "{last} ends are two statements");

    // All again, as another node would: the refusals undo nothing, and the last one is settled.
    let answers = ledger.reclaim_calls(incarnation, left.replies.clone()).await.unwrap();
    assert_eq!(answers[..last], vec![Err(LedgerError::AlreadyReplied); last]);
    assert_eq!(answers[last], Ok(()));
    let answers = ledger.reclaim_tasks(incarnation, left.ends.clone()).await.unwrap();
    assert_eq!(answers[..last], vec![Err(LedgerError::AlreadyEnded); last]);
    assert_eq!(answers[last], Ok(()));
    left.assert_settled_once().await;
}

/// Another transaction holds the row of a user.
#[tokio::test(flavor = "multi_thread")]
async fn held_user_delays_no_other() {
    let left = Left::new().await;
    let other = cluster::client().await;
    let hold = "BEGIN; SELECT FROM @.owner WHERE user_id = 'user 5' FOR UPDATE";
    other.batch_execute(&left.backend.named(hold)).await.unwrap();
    let begun = Instant::now();
    let settled = [
        left.ledger.reclaim_calls(&left.incarnation, left.replies.clone()).await.unwrap(),
        left.ledger.reclaim_tasks(&left.incarnation, left.ends.clone()).await.unwrap(),
    ];
    // Of each kind one statement waits for a second, and one write by itself.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    for answers in settled {
        for (number, answer) in answers.into_iter().enumerate() {
            match number {
                5 => assert!(matches!(answer, Err(LedgerError::Unavailable(_))), "{answer:?}"),
                _ => assert_eq!(answer, Ok(())),
            }
        }
    }
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(left.ledger.reclaim_calls(&left.incarnation, left.replies[5..6].to_vec()).await, Ok(vec![Ok(())]));
    assert_eq!(left.ledger.reclaim_tasks(&left.incarnation, left.ends[5..6].to_vec()).await, Ok(vec![Ok(())]));
    left.assert_settled_once().await;
}

/// A user's number is damaged: it is repaired in the same statement.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_number_is_repaired_in_the_statement() {
    let left = Left::new().await;
    left.backend.sql("UPDATE @.owner SET head = 1 WHERE user_id = 'user 5'").await;
    let answers = left.ledger.reclaim_calls(&left.incarnation, left.replies.clone()).await.unwrap();
    assert_eq!(answers, vec![Ok(()); USERS]);
    left.backend.sql("UPDATE @.owner SET head = 1 WHERE user_id = 'user 5'").await;
    let answers = left.ledger.reclaim_tasks(&left.incarnation, left.ends.clone()).await.unwrap();
    assert_eq!(answers, vec![Ok(()); USERS]);
    assert_eq!(left.transactions("@.task WHERE finished_at IS NOT NULL").await, 2);
    left.assert_settled_once().await;
}

/// Several nodes settle the same work at the same time, in other orders: each piece is settled by one of them.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_race_settle_each_piece_once() {
    let left = Left::new().await;
    let mut racing = Vec::new();
    for number in 0..4 {
        let (ledger, incarnation) = left.backend.node(&format!("racer {number}")).await;
        let (mut replies, mut ends) = (left.replies.clone(), left.ends.clone());
        if number % 2 == 1 {
            replies.reverse();
            ends.reverse();
        }
        racing.push(tokio::spawn(async move {
            let calls = ledger.reclaim_calls(&incarnation, replies).await.unwrap();
            (calls, ledger.reclaim_tasks(&incarnation, ends).await.unwrap())
        }));
    }
    let (mut settled_calls, mut settled_tasks) = (0, 0);
    for racer in racing {
        let (calls, tasks) = racer.await.unwrap();
        settled_calls += calls.iter().filter(|answer| answer.is_ok()).count();
        settled_tasks += tasks.iter().filter(|answer| answer.is_ok()).count();
        assert!(calls.iter().all(|answer| matches!(answer, Ok(()) | Err(LedgerError::AlreadyReplied))), "{calls:?}");
        assert!(tasks.iter().all(|answer| matches!(answer, Ok(()) | Err(LedgerError::AlreadyEnded))), "{tasks:?}");
    }
    assert_eq!((settled_calls, settled_tasks), (USERS, USERS));
    left.assert_settled_once().await;
}
