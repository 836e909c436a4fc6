//! Writes of several users in one transaction: what is refused, held, or lost in it takes nothing from the others.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, poll_immediate};
use imperal::ids::CallId;
use imperal::ledger::{Incarnation, Ledger, LedgerError, NewCall, Owner, PageLimit, PostgresLedger, Turn};
use imperal_tests::cluster;
use imperal_tests::eventually;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::{InPostgres, LONG, turn};

type Answered = Result<[Turn; 2], LedgerError>;

fn user(name: &str) -> Owner {
    Owner::new("tenant", name)
}

fn call(name: &str) -> NewCall {
    NewCall::new(CallId::generate(), user(name), turn("?"))
}

/// A node whose two first transactions wait for another node. Two of the writes that arrive at once are sent, and the
/// others go together.
struct Stuck {
    backend: InPostgres,
    ledger: Arc<PostgresLedger>,
    incarnation: Incarnation,
    /// Holds the rows of the users `held 0` to `held 15`.
    other: Client,
    first: Vec<JoinHandle<Answered>>,
}

impl Stuck {
    async fn new() -> Self {
        let backend = InPostgres::new();
        drop(cluster::client().await);
        // Two writes of a user may wait at the same time.
        let ledger = PostgresLedger::connect_in(&cluster::url(&backend.schema), &backend.schema, 16).await.unwrap();
        let ledger = Arc::new(ledger);
        let incarnation = ledger.join("a", LONG).await.unwrap();
        for number in 0..16 {
            ledger.answer_call(&incarnation, call(&format!("held {number}")), turn("!")).await.unwrap();
        }
        let other = cluster::client().await;
        other.batch_execute(&backend.named("BEGIN; SELECT FROM @.owner FOR UPDATE")).await.unwrap();
        let mut stuck = Self { backend, ledger, incarnation, other, first: Vec::new() };
        for number in 0..2 {
            let (ledger, incarnation) = (stuck.ledger.clone(), stuck.incarnation.clone());
            let write =
                async move { ledger.answer_call(&incarnation, call(&format!("held {number}")), turn("!")).await };
            stuck.first.push(tokio::spawn(write));
        }
        stuck.backend.locks_waited_for(2).await;
        // A transaction that takes longer than 50 ms counts no longer.
        tokio::time::sleep(Duration::from_millis(60)).await;
        stuck
    }

    fn send(&self, call: NewCall) -> Pin<Box<dyn Future<Output = Answered> + Send + '_>> {
        Box::pin(self.ledger.answer_call(&self.incarnation, call, turn("!")))
    }

    async fn let_go(self) -> (InPostgres, Arc<PostgresLedger>) {
        self.other.batch_execute("ROLLBACK").await.unwrap();
        for first in self.first {
            first.await.unwrap().unwrap();
        }
        (self.backend, self.ledger)
    }
}

/// How many transactions wrote these calls.
async fn transactions(backend: &InPostgres, calls: &[NewCall]) -> i64 {
    let ids: Vec<String> = calls.iter().map(|call| call.call_id.to_string()).collect();
    let sql = backend.named("SELECT count(DISTINCT xmin::text) FROM @.call WHERE call_id::text = ANY ($1)");
    cluster::client().await.query_one(&sql, &[&ids]).await.unwrap().get(0)
}

/// The user has exactly these calls, each with its two turns, and no number is missing.
async fn has_calls(ledger: &PostgresLedger, owner: &Owner, calls: u64) {
    let page = ledger.turns(owner, 0, PageLimit::rows(100)).await.unwrap();
    let numbers: Vec<u64> = page.rows.iter().map(|turn| turn.seq).collect();
    assert_eq!(numbers, (1..=2 * calls).collect::<Vec<_>>(), "{owner:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn crowd_of_users_shares_commits() {
    const USERS: usize = 64;
    const CALLS: u64 = 20;
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let sent = join_all((0..USERS).map(async |number| {
        let calls: Vec<NewCall> = (0..CALLS).map(|_| call(&format!("user {number}"))).collect();
        for call in &calls {
            ledger.answer_call(&incarnation, call.clone(), turn("!")).await.unwrap();
        }
        calls
    }))
    .await
    .concat();
    let taken = transactions(&backend, &sent).await;
    assert!(taken < i64::try_from(sent.len()).unwrap() / 4, "{taken} transactions for {} calls", sent.len());
    for number in 0..USERS {
        has_calls(&ledger, &user(&format!("user {number}")), CALLS).await;
    }
}

/// A lone caller does not wait, and its write goes alone.
#[tokio::test(flavor = "multi_thread")]
async fn lone_write_is_a_transaction() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let calls: Vec<NewCall> = (0..5).map(|_| call("anna")).collect();
    for call in &calls {
        ledger.answer_call(&incarnation, call.clone(), turn("!")).await.unwrap();
    }
    assert_eq!(transactions(&backend, &calls).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_write_undoes_no_other() {
    let stuck = Stuck::new().await;
    let existing = call("twice");
    stuck.send(existing.clone()).await.unwrap();
    let mut calls: Vec<NewCall> = (0..12).map(|number| call(&format!("user {number}"))).collect();
    // An id that exists, and more bytes than the user may store.
    calls.insert(3, existing);
    let mut full = call("full");
    full.max_stored = Some(1);
    calls.insert(7, full);
    let outcomes = join_all(calls.iter().cloned().map(|call| stuck.send(call))).await;
    for (call, outcome) in calls.iter().zip(outcomes) {
        match &*call.owner.user_id {
            "twice" => assert_eq!(outcome, Err(LedgerError::IdExists)),
            "full" => assert_eq!(outcome, Err(LedgerError::QuotaExceeded(1))),
            _ => assert_eq!(outcome.unwrap()[1].seq, 2),
        }
    }
    let (_backend, ledger) = stuck.let_go().await;
    for number in 0..12 {
        has_calls(&ledger, &user(&format!("user {number}")), 1).await;
    }
    has_calls(&ledger, &user("twice"), 1).await;
    has_calls(&ledger, &user("full"), 0).await;
}

/// A user who is refused again and again does not undo others' transactions each time.
#[tokio::test(flavor = "multi_thread")]
async fn refused_user_keeps_apart_for_a_while() {
    let stuck = Stuck::new().await;
    let existing = call("twice");
    stuck.send(existing.clone()).await.unwrap();
    let round = async || {
        let others: Vec<_> = (0..10).map(|number| call(&format!("user {number}"))).collect();
        let mut all = others.clone();
        all.insert(5, existing.clone());
        let outcomes = join_all(all.into_iter().map(|call| stuck.send(call))).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 10);
        transactions(&stuck.backend, &others).await
    };
    // The two that are sent at once may be done before the others are sent.
    let taken = round().await;
    assert!(taken > 4, "{taken} transactions: undone together, and then four of them sent alone");
    let taken = round().await;
    assert!(taken < 5, "{taken} transactions: two are sent at once, and eight together beside the refused one");
    stuck.let_go().await;
}

/// Another node holds the row of one of them.
#[tokio::test(flavor = "multi_thread")]
async fn write_that_waits_for_another_node_delays_no_other() {
    let stuck = Stuck::new().await;
    let mut held = stuck.send(call("held 5"));
    assert_eq!(poll_immediate(&mut held).await, None);
    let begun = Instant::now();
    let outcomes = join_all((0..12).map(|number| stuck.send(call(&format!("user {number}"))))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let again = join_all((0..12).map(|number| stuck.send(call(&format!("user {number}"))))).await;
    assert!(again.iter().all(Result::is_ok), "{again:?}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let early = tokio::time::timeout(Duration::from_millis(300), &mut held).await;
    assert!(early.is_err(), "it waited for no lock: {early:?}");
    drop(held);
    let (_backend, ledger) = stuck.let_go().await;
    for number in 0..12 {
        has_calls(&ledger, &user(&format!("user {number}")), 2).await;
    }
}

/// Fifteen users whose rows another node holds, and a crowd of others.
#[tokio::test(flavor = "multi_thread")]
async fn crowd_goes_on_while_many_users_are_held() {
    const CALLS: usize = 30;
    let stuck = Stuck::new().await;
    let mut held: Vec<_> = (3..16).map(|number| stuck.send(call(&format!("held {number}")))).collect();
    let crowd = join_all((0..40).map(async |number| {
        for _ in 0..CALLS {
            stuck.send(call(&format!("user {number}"))).await.unwrap();
        }
    }));
    let begun = Instant::now();
    let waiting = join_all(held.iter_mut());
    let futures_util::future::Either::Right(_) = futures_util::future::select(waiting, Box::pin(crowd)).await else {
        panic!("a held user was served")
    };
    // 1,200 writes; with one transaction each 25 ms it would be at least a second for 40 users at a time.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    drop(held);
    let (_backend, ledger) = stuck.let_go().await;
    for number in 0..40 {
        has_calls(&ledger, &user(&format!("user {number}")), CALLS as u64).await;
    }
}

/// The second write of a user whose first one waits goes into no transaction of others, and waits for its limit.
#[tokio::test(flavor = "multi_thread")]
async fn write_behind_one_of_its_user_holds_up_nobody() {
    let stuck = Stuck::new().await;
    let mut second = stuck.send(call("held 0"));
    assert_eq!(poll_immediate(&mut second).await, None);
    let calls: Vec<NewCall> = (0..10).map(|number| call(&format!("user {number}"))).collect();
    let outcomes = join_all(calls.iter().cloned().map(|call| stuck.send(call))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let taken = transactions(&stuck.backend, &calls).await;
    assert!(taken < 6, "{taken} transactions: two are sent at once, and nothing was undone");
    let late = second.await;
    assert!(matches!(&late, Err(LedgerError::Unavailable(why)) if why.contains("within 5 s")), "{late:?}");
    let (_backend, ledger) = stuck.let_go().await;
    has_calls(&ledger, &user("held 0"), 2).await;
}

/// A write whose caller goes away before it is sent is not sent.
#[tokio::test(flavor = "multi_thread")]
async fn write_without_a_caller_is_not_sent() {
    let stuck = Stuck::new().await;
    let mut left: Vec<_> = (0..5).map(|number| stuck.send(call(&format!("left {number}")))).collect();
    for write in &mut left {
        assert_eq!(poll_immediate(write).await, None);
    }
    // The last first: the end of those that were sent would send the others.
    left.reverse();
    drop(left);
    stuck.send(call("stays")).await.unwrap();
    let (_backend, ledger) = stuck.let_go().await;
    // Two were sent at once: their outcome is unknown.
    for number in 2..5 {
        has_calls(&ledger, &user(&format!("left {number}")), 0).await;
    }
    has_calls(&ledger, &user("stays"), 1).await;
}

/// The connection breaks before the commit: the outcome of each write is unknown, and none was written.
#[tokio::test(flavor = "multi_thread")]
async fn lost_transaction_answers_everybody() {
    let stuck = Stuck::new().await;
    let slow = "CREATE FUNCTION @.slow() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN PERFORM pg_sleep(20); RETURN new; END $$;
                CREATE TRIGGER slow BEFORE INSERT ON @.call FOR EACH ROW
                    WHEN (new.call_id = '{}') EXECUTE FUNCTION @.slow()";
    let calls: Vec<NewCall> = (0..12).map(|number| call(&format!("user {number}"))).collect();
    stuck.backend.sql(&slow.replace("{}", &calls[6].call_id.to_string())).await;
    let kill = async {
        let looking = cluster::client().await;
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name = $1 AND wait_event = 'PgSleep'";
        eventually("the transaction is under way", async || {
            (looking.query(sql, &[&stuck.backend.schema]).await.unwrap().len() == 1).then_some(())
        })
        .await;
    };
    let sent = join_all(calls.iter().cloned().map(|call| stuck.send(call)));
    let (outcomes, ()) = futures_util::future::join(sent, kill).await;
    let (at_once, together) = outcomes.split_at(2);
    assert!(at_once.iter().all(Result::is_ok), "{at_once:?}");
    for outcome in together {
        assert!(matches!(outcome, Err(LedgerError::Indeterminate(_))), "{outcome:?}");
    }
    let (backend, ledger) = stuck.let_go().await;
    for number in 0..12 {
        has_calls(&ledger, &user(&format!("user {number}")), u64::from(number < 2)).await;
    }
    backend.sql("DROP TRIGGER slow ON @.call").await;
    // The same calls again, as a client repeats them.
    let incarnation = ledger.join("a", LONG).await.unwrap();
    join_all(calls.into_iter().skip(2).map(|call| ledger.answer_call(&incarnation, call, turn("!"))))
        .await
        .into_iter()
        .for_each(|outcome| drop(outcome.unwrap()));
}

/// Two nodes that need the same users do not wait for each other crosswise.
#[tokio::test(flavor = "multi_thread")]
async fn transaction_locks_its_users_in_one_order() {
    let stuck = Stuck::new().await;
    for number in 0..6 {
        stuck.send(call(&format!("usér {number}"))).await.unwrap();
    }
    let looking = cluster::client().await;
    let users = "SELECT user_id FROM @.owner WHERE user_id LIKE 'us%' ORDER BY owner_key";
    let rows = looking.query(&stuck.backend.named(users), &[]).await.unwrap();
    let users: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    // The first in the order is held, and was asked for last.
    let first = format!("BEGIN; SELECT FROM @.owner WHERE user_id = '{}' FOR UPDATE", users[0]);
    looking.batch_execute(&stuck.backend.named(&first)).await.unwrap();
    let sending = join_all(users.iter().rev().map(|name| stuck.send(call(name))));
    // Without the two that are sent at once.
    let rest = format!("SELECT FROM @.owner WHERE user_id IN ('{}') FOR UPDATE NOWAIT", users[1..4].join("', '"));
    let rest = stuck.backend.named(&rest);
    let look = async {
        // The third lock that is waited for is that of the transaction, for a twentieth of a second.
        stuck.backend.locks_waited_for(3).await;
        let free = looking.batch_execute(&rest).await;
        looking.batch_execute("ROLLBACK").await.unwrap();
        free.expect("the transaction waits for the first user and holds no other");
    };
    let (outcomes, ()) = futures_util::future::join(sending, look).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    stuck.let_go().await;
}

/// All writes of a crowd of two nodes, with the same users on both.
#[tokio::test(flavor = "multi_thread")]
async fn crowds_of_two_nodes_lose_nothing() {
    const CALLS: u64 = 15;
    let backend = InPostgres::new();
    let nodes = [backend.node("a").await, backend.node("b").await];
    join_all((0..64).map(async |number| {
        let (ledger, incarnation) = &nodes[number % 2];
        for _ in 0..CALLS {
            let name = format!("user {}", number / 8);
            ledger.answer_call(incarnation, call(&name), turn("!")).await.unwrap();
        }
    }))
    .await;
    for number in 0..8 {
        let owner = user(&format!("user {number}"));
        assert_eq!(nodes[0].0.head(&owner).await.unwrap(), 2 * 8 * CALLS);
    }
}

/// The server checks a constraint at the commit, and refuses: each is sent again, and the others are written.
#[tokio::test(flavor = "multi_thread")]
async fn refused_commit_is_sent_again() {
    let stuck = Stuck::new().await;
    let calls: Vec<NewCall> = (0..8).map(|number| call(&format!("user {number}"))).collect();
    let refuse = "CREATE FUNCTION @.refuse_commit() RETURNS trigger LANGUAGE plpgsql AS
                      $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '23514'; END $$;
                  CREATE CONSTRAINT TRIGGER refused AFTER INSERT ON @.call DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
                      WHEN (new.call_id = '{}') EXECUTE FUNCTION @.refuse_commit()";
    stuck.backend.sql(&refuse.replace("{}", &calls[3].call_id.to_string())).await;
    let outcomes = join_all(calls.iter().cloned().map(|call| stuck.send(call))).await;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        match number {
            3 => assert!(matches!(outcome, Err(LedgerError::Unavailable(_))), "{outcome:?}"),
            _ => assert!(outcome.is_ok(), "{outcome:?}"),
        }
    }
    let (_backend, ledger) = stuck.let_go().await;
    for number in 0..8 {
        has_calls(&ledger, &user(&format!("user {number}")), u64::from(number != 3)).await;
    }
}

/// A user's number is damaged: the server refuses it, and the node repairs it.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_number_is_repaired_and_stops_nobody() {
    let stuck = Stuck::new().await;
    for number in 0..6 {
        stuck.send(call(&format!("user {number}"))).await.unwrap();
    }
    stuck.backend.sql("UPDATE @.owner SET head = 1 WHERE user_id = 'user 2'").await;
    let outcomes = join_all((0..6).map(|number| stuck.send(call(&format!("user {number}"))))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let (_backend, ledger) = stuck.let_go().await;
    for number in 0..6 {
        has_calls(&ledger, &user(&format!("user {number}")), 2).await;
    }
}
