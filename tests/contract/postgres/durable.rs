//! Durable tasks on several nodes: claims in a race, steps that share a commit, and the notification of ready tasks.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use imperal::ids::{CallId, TaskId};
use imperal::ledger::{
    Attempt, AttemptReport, ClaimRequest, DurableName, Incarnation, Ledger, LedgerError, NewCall, NewDurable, NewStep,
    NewTask, Owner, PageLimit, PostgresLedger, Release, RetentionPolicy, StepKind, TaskState,
};
use imperal_tests::cluster::{self, Database};
use imperal_tests::eventually;

use super::{HOLD_WRITES, InPostgres, LONG, anna, turn};

pub(super) fn request(limit: u32) -> ClaimRequest {
    ClaimRequest::new(vec![DurableName::new("app", "generate")], "v1", limit)
}

pub(super) fn step(ordinal: u16, value: &str) -> NewStep {
    NewStep::new(ordinal, format!("step {ordinal}"), StepKind::Step, value)
}

async fn call(ledger: &PostgresLedger, incarnation: &Incarnation, owner: &Owner) -> CallId {
    let call = NewCall::new(CallId::generate(), owner.clone(), turn("?"));
    let call_id = call.call_id;
    ledger.accept_call(incarnation, call).await.unwrap();
    call_id
}

fn durable(call_id: CallId, owner: &Owner) -> NewTask {
    let new = NewTask::new(call_id, owner.clone(), "app", "work").cap(LONG, false);
    let task_id = new.task_id;
    new.durable(NewDurable::new(task_id, "generate", r#"{"path":"C:\\x"}"#, "{}"))
}

/// A transaction that stores the first step and is not committed.
fn store_one(incarnation: &Incarnation, attempt: Attempt) -> String {
    format!(
        "BEGIN; SELECT @.store_steps('{}', {}, ARRAY['{}']::uuid[], '{{{}}}', '{{1}}', '{{step}}', '{{one}}', '{{5}}', \
         '{{1}}', ARRAY[NULL]::text[])",
        incarnation.node, incarnation.number, attempt.task_id, attempt.number
    )
}

/// A durable task that the incarnation holds in attempt 1, and whose call has its reply.
pub(super) async fn running(ledger: &PostgresLedger, incarnation: &Incarnation) -> Attempt {
    let call_id = call(ledger, incarnation, &anna()).await;
    let task = ledger.start_task(incarnation, durable(call_id, &anna())).await.unwrap();
    ledger.reply(incarnation, call_id, turn("!")).await.unwrap();
    task.attempt()
}

/// Each task is taken once, and no two transactions wait for each other in a circle.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_race_claim_each_task_once() {
    const NODES: usize = 8;
    const OWNERS: usize = 20;
    const TASKS: usize = 2000;
    let database = Database::make("claims").await;
    let mut nodes = Vec::new();
    for number in 0..NODES {
        let ledger = Arc::new(PostgresLedger::connect_in(&database.url(), "imperal", 4).await.unwrap());
        let incarnation = ledger.join(&format!("n{number}"), LONG).await.unwrap();
        nodes.push((ledger, incarnation));
    }
    let starts = (0..OWNERS).map(|number| {
        let (ledger, incarnation) = nodes[number % NODES].clone();
        tokio::spawn(async move {
            let owner = Owner::new("tenant", &format!("user {number}"));
            let call_id = call(&ledger, &incarnation, &owner).await;
            for _ in 0..TASKS / OWNERS {
                let new = durable(call_id, &owner).max_running(0);
                assert_eq!(ledger.start_task(&incarnation, new).await.unwrap().state, TaskState::Queued);
            }
            ledger.reply(&incarnation, call_id, turn("!")).await.unwrap();
        })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap();
    }

    let counter = cluster::client_of(&database.url()).await;
    let claims = nodes.iter().map(|(ledger, incarnation)| {
        let (ledger, incarnation) = (ledger.clone(), incarnation.clone());
        let url = database.url();
        tokio::spawn(async move {
            let client = cluster::client_of(&url).await;
            let mut taken: Vec<TaskId> = Vec::new();
            loop {
                let claimed = ledger.claim_tasks(&incarnation, request(16)).await.unwrap();
                for task in &claimed {
                    assert_eq!((task.record.task.attempt, &task.record.incarnation), (1, &incarnation));
                    assert_eq!(task.input, r#"{"path":"C:\\x"}"#);
                }
                taken.extend(claimed.iter().map(|task| task.record.task.task_id));
                let left = "SELECT count(*) FROM imperal.task WHERE ready_at IS NOT NULL";
                if claimed.is_empty() && client.query_one(left, &[]).await.unwrap().get::<_, i64>(0) == 0 {
                    return taken;
                }
            }
        })
    });
    let mut taken = Vec::new();
    for claim in claims.collect::<Vec<_>>() {
        taken.push(claim.await.unwrap());
    }
    let all: HashSet<TaskId> = taken.iter().flatten().copied().collect();
    assert_eq!((all.len(), taken.iter().map(Vec::len).sum::<usize>()), (TASKS, TASKS));
    eprintln!("tasks per node: {:?}", taken.iter().map(Vec::len).collect::<Vec<_>>());
    let held = "SELECT count(DISTINCT (t.task_id, n.node)), count(e.seq) FROM imperal.task t
        JOIN imperal.node n ON n.node_id = t.node_id
        JOIN imperal.task_event e ON e.task_id = t.task_id AND e.state = 'running' WHERE t.state = 'running'";
    let row = counter.query_one(held, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (2000, 2000));
    // The server counts with a delay, and at the latest when a session ends.
    drop(nodes);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(counter.query_one(deadlocks, &[]).await.unwrap().get::<_, i64>(0), 0, "deadlocks");
}

/// A claim takes other owners' tasks while a write holds one owner's row, and does not wait.
#[tokio::test(flavor = "multi_thread")]
async fn claim_skips_what_another_transaction_holds() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let mut ready = Vec::new();
    for user in ["anna", "ben", "cleo"] {
        let owner = Owner::new("tenant", user);
        let call_id = call(&ledger, &incarnation, &owner).await;
        let task = ledger.start_task(&incarnation, durable(call_id, &owner).max_running(0)).await.unwrap();
        ledger.reply(&incarnation, call_id, turn("!")).await.unwrap();
        ready.push(task.task_id);
    }
    let other = cluster::client().await;
    let hold = "BEGIN; UPDATE @.owner SET head = head WHERE user_id = 'anna';
        SELECT 1 FROM @.task t JOIN @.owner w ON w.owner_id = t.owner_id AND w.user_id = 'ben' FOR UPDATE OF t";
    other.batch_execute(&backend.named(hold)).await.unwrap();
    let claim = tokio::time::timeout(Duration::from_secs(5), ledger.claim_tasks(&incarnation, request(10))).await;
    let claimed = claim.expect("a claim waited for another transaction").unwrap();
    assert_eq!(claimed.iter().map(|task| task.record.task.task_id).collect::<Vec<_>>(), ready[2..]);
    other.batch_execute("ROLLBACK").await.unwrap();
    let claimed = ledger.claim_tasks(&incarnation, request(10)).await.unwrap();
    assert_eq!(claimed.iter().map(|task| task.record.task.task_id).collect::<Vec<_>>(), ready[..2]);
}

/// The first claim is committed and its answer does not arrive.
#[tokio::test(flavor = "multi_thread")]
async fn claim_whose_answer_was_lost_is_answered_by_the_next() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let attempt = running(&ledger, &incarnation).await;
    ledger.release_task(&incarnation, attempt, Release::HandOver, AttemptReport::default()).await.unwrap();
    // The statement waits in the database until the caller has gone.
    let other = cluster::client().await;
    other.batch_execute(&backend.named(HOLD_WRITES)).await.unwrap();
    let claim = ledger.claim_tasks(&incarnation, request(10));
    assert!(tokio::time::timeout(Duration::from_millis(300), claim).await.is_err());
    other.batch_execute("COMMIT").await.unwrap();
    let taken = "SELECT count(*) FROM @.task WHERE state = 'running'";
    eventually("the claim is committed", async || (backend.row(taken).await.get::<_, i64>(0) > 0).then_some(())).await;
    let claimed = ledger.claim_tasks(&incarnation, request(10)).await.unwrap();
    assert_eq!(claimed.len(), 1, "its node holds the task and does not know it");
    assert_eq!(claimed[0].record.task.attempt, 2);
    assert_eq!(ledger.claim_tasks(&incarnation, request(10)).await, Ok(vec![]), "it is answered once");
}

/// Steps of many callers share commits. Each caller gets its own answer.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_steps_share_commits_and_have_their_own_answers() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let ledger = Arc::new(ledger);
    let attempt = running(&ledger, &incarnation).await;
    ledger.store_step(&incarnation, attempt, step(1, "1")).await.unwrap();
    // The first statement waits for the node's lock; the others' steps gather meanwhile.
    let other = cluster::client().await;
    other.batch_execute(&backend.named(HOLD_WRITES)).await.unwrap();
    let store = |attempt, step| {
        let (ledger, incarnation) = (ledger.clone(), incarnation.clone());
        tokio::spawn(async move { ledger.store_step(&incarnation, attempt, step).await })
    };
    let lone = store(attempt, step(2, "2"));
    let waits = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{}' AND wait_event_type = 'Lock'",
        backend.schema
    );
    eventually("the write waits", async || (backend.row(&waits).await.get::<_, i64>(0) > 0).then_some(())).await;
    let many: Vec<_> = (3..=50).map(|ordinal| store(attempt, step(ordinal, "\"\\u0000\\n\""))).collect();
    let late = store(Attempt { number: 2, ..attempt }, step(60, "0"));
    let unknown = store(Attempt::first(TaskId::generate()), step(1, "0"));
    let again = store(attempt, step(1, "other"));
    let twice = [store(attempt, step(61, "a")), store(attempt, step(61, "b"))];
    tokio::time::sleep(Duration::from_millis(200)).await;
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(lone.await.unwrap(), Ok(()));
    for stored in many {
        assert_eq!(stored.await.unwrap(), Ok(()));
    }
    assert_eq!(late.await.unwrap(), Err(LedgerError::NotHolder));
    assert_eq!(unknown.await.unwrap(), Err(LedgerError::NotFound));
    assert_eq!(again.await.unwrap(), Err(LedgerError::IdExists));
    let [first, second] = twice;
    let mut twice = [first.await.unwrap(), second.await.unwrap()];
    twice.sort_by_key(Result::is_err);
    assert_eq!(twice, [Ok(()), Err(LedgerError::IdExists)]);
    let commits = "SELECT count(DISTINCT xmin::text), count(*) FROM @.step";
    let row = backend.row(commits).await;
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (3, 51), "commits and steps");
    let steps = ledger.steps(attempt.task_id, 2, PageLimit::rows(100)).await.unwrap().rows;
    assert!(steps[..48].iter().all(|step| step.value.as_deref() == Some("\"\\u0000\\n\"")), "{steps:?}");
    let no_json = ledger.store_step(&incarnation, attempt, step(70, "\0")).await;
    assert!(matches!(no_json, Err(LedgerError::Unavailable(_))), "{no_json:?}");
}

/// A step that is queued is stored although its caller does not wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn step_is_stored_although_its_caller_has_gone() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let attempt = running(&ledger, &incarnation).await;
    let other = cluster::client().await;
    other.batch_execute(&backend.named(HOLD_WRITES)).await.unwrap();
    for ordinal in [1, 2] {
        let stored = ledger.store_step(&incarnation, attempt, step(ordinal, "1"));
        assert!(tokio::time::timeout(Duration::from_millis(100), stored).await.is_err());
    }
    other.batch_execute("COMMIT").await.unwrap();
    ledger.store_step(&incarnation, attempt, step(3, "1")).await.unwrap();
    assert_eq!(ledger.steps(attempt.task_id, 0, PageLimit::rows(10)).await.unwrap().rows.len(), 3);
}

/// The next attempt reads every step of the one before it. So a release waits for a step that is being stored.
#[tokio::test(flavor = "multi_thread")]
async fn release_waits_for_a_step_of_its_attempt() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let attempt = running(&ledger, &incarnation).await;
    let writer = cluster::client().await;
    writer.batch_execute(&backend.named(&store_one(&incarnation, attempt))).await.unwrap();
    let progress =
        imperal::ledger::Progress::new(attempt.task_id, 5.0, "half", "2026-01-01T00:00:00Z".parse().unwrap());
    let noted = tokio::time::timeout(Duration::from_secs(5), ledger.note_progress(&incarnation, vec![(1, progress)]));
    assert_eq!(noted.await.expect("a step holds up progress"), Ok(()));
    let release = ledger.release_task(&incarnation, attempt, Release::HandOver, AttemptReport::default());
    let mut release = std::pin::pin!(release);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut release).await;
    assert!(early.is_err(), "the attempt was released while a step of it was being stored");
    writer.batch_execute("COMMIT").await.unwrap();
    assert_eq!(release.await.unwrap().state, TaskState::Queued);
    let late = ledger.store_step(&incarnation, attempt, step(2, "2")).await;
    assert_eq!(late, Err(LedgerError::NotHolder));
}

/// Without it a task would wait for the next look of a node.
#[tokio::test(flavor = "multi_thread")]
async fn ready_task_is_announced_on_every_node() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let (other, _) = backend.node("b").await;
    let heard = async |what: &str| {
        let heard = tokio::time::timeout(Duration::from_secs(30), other.feed().ready_task_announced()).await;
        heard.unwrap_or_else(|_| panic!("{what} was not announced"));
    };
    let quiet = async || {
        while tokio::time::timeout(Duration::from_millis(300), other.feed().ready_task_announced()).await.is_ok() {}
    };
    // The connection that listens may not be open yet.
    let mut attempt = running(&ledger, &incarnation).await;
    loop {
        ledger.release_task(&incarnation, attempt, Release::HandOver, AttemptReport::default()).await.unwrap();
        let soon = tokio::time::timeout(Duration::from_millis(500), other.feed().ready_task_announced()).await;
        attempt = ledger.claim_tasks(&incarnation, request(1)).await.unwrap()[0].record.task.attempt();
        if soon.is_ok() {
            break;
        }
    }
    quiet().await;
    // A slot for a task that waits for one.
    let call_id = call(&ledger, &incarnation, &anna()).await;
    let waiting = ledger.start_task(&incarnation, durable(call_id, &anna()).max_running(1)).await.unwrap();
    assert_eq!(waiting.state, TaskState::Queued);
    quiet().await;
    ledger.reply(&incarnation, call_id, turn("!")).await.unwrap();
    heard("a task whose call got its reply").await;
    quiet().await;
    ledger.finish_task(&incarnation, attempt, super::cancelled()).await.unwrap();
    heard("a free slot").await;
    quiet().await;
    ledger.leave(&incarnation).await.unwrap();
    heard("the work of a node that left").await;
}

/// So the next attempt reads the step.
#[tokio::test(flavor = "multi_thread")]
async fn incarnation_ends_after_a_step_in_flight() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let attempt = running(&ledger, &incarnation).await;
    let writer = cluster::client().await;
    writer.batch_execute(&backend.named(&store_one(&incarnation, attempt))).await.unwrap();
    let mut join = std::pin::pin!(ledger.join("a", LONG));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut join).await;
    assert!(early.is_err(), "the incarnation ended while a step of it was being stored");
    writer.batch_execute("COMMIT").await.unwrap();
    let next = join.await.unwrap();
    let claimed = ledger.claim_tasks(&next, request(1)).await.unwrap();
    assert_eq!((claimed[0].crashes, claimed[0].fruitless), (0, 0), "the crashed attempt made progress");
    assert_eq!(ledger.steps(attempt.task_id, 0, PageLimit::rows(10)).await.unwrap().rows.len(), 1);
}

/// Steps, attempts and the durable part of a task go with it; an open task keeps them.
#[tokio::test(flavor = "multi_thread")]
async fn steps_go_with_their_task() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let (ended, open) = (running(&ledger, &incarnation).await, running(&ledger, &incarnation).await);
    for attempt in [ended, open] {
        for ordinal in 1..=3 {
            ledger.store_step(&incarnation, attempt, step(ordinal, "1")).await.unwrap();
        }
    }
    ledger.release_task(&incarnation, ended, Release::HandOver, AttemptReport::default()).await.unwrap();
    let ended = ledger.claim_tasks(&incarnation, request(1)).await.unwrap()[0].record.task.attempt();
    ledger.finish_task(&incarnation, ended, super::cancelled()).await.unwrap();
    // An open task keeps history while a process holds it.
    ledger.release_task(&incarnation, open, Release::HandOver, AttemptReport::default()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let age = Some(Duration::ZERO);
    let mut keep = RetentionPolicy::FOREVER;
    (keep.turns, keep.tasks, keep.events, keep.audit) = (age, age, age, age);
    for _ in 0..2 {
        let mut from = Some(0);
        while let Some(at) = from {
            from = ledger.prune(&keep, at, 1).await.unwrap().next;
        }
    }
    assert_eq!(ledger.find_task(ended.task_id).await, Ok(None));
    let left =
        "SELECT (SELECT count(*) FROM @.task), (SELECT count(*) FROM @.durable), (SELECT count(value) FROM @.step),
            (SELECT count(*) FROM @.attempt)";
    let row = backend.row(left).await;
    assert_eq!([row.get::<_, i64>(0), row.get(1), row.get(2), row.get(3)], [1, 1, 3, 1]);
}

/// A damaged state, time or count does not keep a task from being continued, nor lets two nodes hold it.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_durable_task_is_continued() {
    let damages = [
        "UPDATE @.task SET state = 'DAMAGE'",
        "UPDATE @.task SET ready_at = 9223372036854775807",
        "UPDATE @.task SET ready_at = -9223372036854775808",
        "UPDATE @.task SET attempt = 9223372036854775807",
        "UPDATE @.task SET attempt = -3",
        "UPDATE @.task SET waits_for = 'DAMAGE'",
        "UPDATE @.durable SET ran = 9223372036854775807, cap = -9223372036854775808, crashes = -3",
        "UPDATE @.durable SET fruitless = 9223372036854775807, claimed_at = 9223372036854775807",
        "UPDATE @.node SET incarnation = 7 WHERE node = 'a'",
    ];
    for is_held in [true, false] {
        for damage in damages {
            let backend = InPostgres::new();
            let (ledger, incarnation) = backend.node("a").await;
            let attempt = running(&ledger, &incarnation).await;
            ledger.store_step(&incarnation, attempt, step(1, "1")).await.unwrap();
            if !is_held {
                ledger.release_task(&incarnation, attempt, Release::HandOver, AttemptReport::default()).await.unwrap();
            }
            backend.sql(damage).await;
            let node = ledger.join("b", LONG).await.unwrap();
            if is_held && !damage.contains("@.node") {
                assert_eq!(ledger.claim_tasks(&node, request(10)).await, Ok(vec![]), "a node holds it, {damage}");
                ledger.mark_stuck(&node, Duration::ZERO).await.unwrap();
            }
            ledger.join("a", LONG).await.unwrap();
            let claimed = ledger.claim_tasks(&node, request(10)).await.unwrap();
            assert_eq!(claimed.len(), 1, "held: {is_held}, {damage}");
            let next = claimed[0].record.task.attempt();
            assert!(next.number > 1, "{next:?} after {damage}");
            ledger.store_step(&node, next, step(2, "2")).await.unwrap();
            ledger.finish_task(&node, next, super::cancelled()).await.unwrap();
            backend.sql("UPDATE @.task SET ready_at = 5").await;
            assert_eq!(ledger.claim_tasks(&node, request(10)).await, Ok(vec![]), "it has ended");
        }
    }
}
