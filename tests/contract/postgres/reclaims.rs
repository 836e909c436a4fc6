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

/// A node, and what another one has left: for each user in the list an open call, and the task of another call.
struct Left {
    users: Vec<usize>,
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
    async fn new(users: Vec<usize>) -> Self {
        let backend = InPostgres::new();
        let (ledger, gone) = backend.node("gone").await;
        let (mut replies, mut ends) = (Vec::new(), Vec::new());
        for owner in users.iter().copied().map(user) {
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
        Self { users, backend, ledger, incarnation, replies, ends }
    }

    async fn transactions(&self, rows: &str) -> i64 {
        self.backend.row(&format!("SELECT count(DISTINCT xmin::text) FROM {rows}")).await.get(0)
    }

    /// For each place in the list: both calls, their replies, and one outcome; the task's start and end have a number each.
    async fn assert_settled_once(&self) {
        for number in 0..USERS {
            let (owner, left) = (user(number), self.users.iter().filter(|of| **of == number).count());
            let page = self.ledger.turns(&owner, 0, PageLimit::rows(1000)).await.unwrap();
            let interrupted = page.rows.iter().filter(|turn| turn.body.text == "interrupted").count();
            assert_eq!((page.rows.len(), interrupted), (5 * left, 2 * left), "{owner:?}");
            assert_eq!(self.ledger.head(&owner).await.unwrap(), 7 * left as u64, "{owner:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn left_work_shares_commits_and_is_settled_once() {
    let left = Left::new((0..USERS).collect()).await;
    let (ledger, incarnation, last) = (&left.ledger, &left.incarnation, USERS - 1);
    let answers = ledger.reclaim_calls(incarnation, left.replies[..last].to_vec()).await.unwrap();
    assert_eq!(answers, vec![Ok(()); last]);
    let answers = ledger.reclaim_tasks(incarnation, left.ends[..last].to_vec()).await.unwrap();
    assert_eq!(answers, vec![Ok(()); last]);
    let taken = left.transactions("@.call WHERE reply_seq = 5").await;
    assert_eq!(taken, 4, "{last} replies are four statements");
    assert_eq!(left.transactions("@.task WHERE finished_at IS NOT NULL").await, 4, "{last} ends are four statements");

    // All again, as another node would: the refusals undo nothing, and the last one is settled.
    let answers = ledger.reclaim_calls(incarnation, left.replies.clone()).await.unwrap();
    assert_eq!(answers[..last], vec![Err(LedgerError::AlreadyReplied); last]);
    assert_eq!(answers[last], Ok(()));
    let answers = ledger.reclaim_tasks(incarnation, left.ends.clone()).await.unwrap();
    assert_eq!(answers[..last], vec![Err(LedgerError::AlreadyEnded); last]);
    assert_eq!(answers[last], Ok(()));
    left.assert_settled_once().await;
}

/// Another transaction holds the row of a user who has left much.
#[tokio::test(flavor = "multi_thread")]
async fn held_user_delays_no_other() {
    let left = Left::new((0..USERS).chain(std::iter::repeat_n(5, 40)).collect()).await;
    let other = cluster::client().await;
    let hold = "BEGIN; SELECT FROM @.owner WHERE user_id = 'user 5' FOR UPDATE";
    other.batch_execute(&left.backend.named(hold)).await.unwrap();
    let begun = Instant::now();
    let settled = [
        left.ledger.reclaim_calls(&left.incarnation, left.replies.clone()).await.unwrap(),
        left.ledger.reclaim_tasks(&left.incarnation, left.ends.clone()).await.unwrap(),
    ];
    // The user's work is in four groups of each kind: each waits once, for a second.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    for answers in settled {
        assert_eq!(answers.len(), left.users.len());
        for (number, answer) in left.users.iter().zip(answers) {
            match number {
                5 => assert!(matches!(answer, Err(LedgerError::Unavailable(_))), "{answer:?}"),
                _ => assert_eq!(answer, Ok(()), "user {number}"),
            }
        }
    }
    // The locks of a live write are short: it is waited for.
    let settling = async {
        let replied = left.ledger.reclaim_calls(&left.incarnation, left.replies[5..6].to_vec()).await;
        assert_eq!(replied, Ok(vec![Ok(())]));
    };
    let release = async {
        left.backend.locks_waited_for(1).await;
        other.batch_execute("ROLLBACK").await.unwrap();
    };
    tokio::join!(settling, release);
    left.ledger.reclaim_calls(&left.incarnation, left.replies.clone()).await.unwrap();
    left.ledger.reclaim_tasks(&left.incarnation, left.ends.clone()).await.unwrap();
    left.assert_settled_once().await;
}

/// One write that the server cannot make, among others: its turn's id exists.
#[tokio::test(flavor = "multi_thread")]
async fn write_that_fails_undoes_no_other() {
    let left = Left::new((0..USERS).collect()).await;
    let (mut replies, mut ends) = (left.replies.clone(), left.ends.clone());
    let existing = left.ledger.turns(&user(0), 0, PageLimit::rows(1)).await.unwrap().rows[0].body.turn_id;
    (replies[20].1.turn_id, ends[30].1.turn.turn_id) = (existing, existing);
    let calls = left.ledger.reclaim_calls(&left.incarnation, replies).await.unwrap();
    let tasks = left.ledger.reclaim_tasks(&left.incarnation, ends).await.unwrap();
    for (answers, failed) in [(calls, 20), (tasks, 30)] {
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer, if number == failed { Err(LedgerError::IdExists) } else { Ok(()) }, "{number}");
        }
    }
    assert_eq!(left.ledger.reclaim_calls(&left.incarnation, left.replies[20..21].to_vec()).await, Ok(vec![Ok(())]));
    assert_eq!(left.ledger.reclaim_tasks(&left.incarnation, left.ends[30..31].to_vec()).await, Ok(vec![Ok(())]));
    left.assert_settled_once().await;
}

/// A user's number is damaged: it is repaired in the same statement.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_number_is_repaired_in_the_statement() {
    let left = Left::new((0..USERS).collect()).await;
    left.backend.sql("UPDATE @.owner SET head = 1 WHERE user_id = 'user 5'").await;
    let answers = left.ledger.reclaim_calls(&left.incarnation, left.replies.clone()).await.unwrap();
    assert_eq!(answers, vec![Ok(()); USERS]);
    left.backend.sql("UPDATE @.owner SET head = 1 WHERE user_id = 'user 5'").await;
    let answers = left.ledger.reclaim_tasks(&left.incarnation, left.ends.clone()).await.unwrap();
    assert_eq!(answers, vec![Ok(()); USERS]);
    assert_eq!(left.transactions("@.task WHERE finished_at IS NOT NULL").await, 4);
    left.assert_settled_once().await;
}

/// Several nodes settle the same work at the same time, in other orders: each piece is settled by one of them.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_race_settle_each_piece_once() {
    let left = Left::new((0..USERS).collect()).await;
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
