//! Questions on several nodes: answers and parks in a race, lost answers, notifications, and damage.

use std::sync::Arc;
use std::time::Duration;

use imperal::ids::QuestionId;
use imperal::ledger::{
    AnswerOutcome, Attempt, AttemptReport, CloseQuestion, FeedSignal, Incarnation, Ledger, LedgerError, NewAnswer,
    NewQuestion, Park, PostgresLedger, Question, QuestionState, Release, Task, TaskState, WaitsFor,
};
use imperal_tests::cluster::{self, Database};
use imperal_tests::eventually;

use super::durable::{request, running, step};
use super::{InPostgres, LONG, anna, audit, cancelled};

fn question(ordinal: u16) -> NewQuestion {
    NewQuestion::new(ordinal, format!("q{ordinal}"), "Go on?", r#"{"type":"string"}"#)
}

async fn ask(ledger: &PostgresLedger, incarnation: &Incarnation, attempt: Attempt, ordinal: u16) -> Question {
    ledger.ask_question(incarnation, attempt, question(ordinal)).await.unwrap()
}

fn answer(value: &str) -> NewAnswer {
    NewAnswer::new(value, "user:anna", audit())
}

async fn park(ledger: &PostgresLedger, incarnation: &Incarnation, attempt: Attempt, of: &[&Question]) -> Task {
    let park = Park::new(of[0].until, of.iter().map(|question| question.ordinal).collect());
    ledger.release_task(incarnation, attempt, Release::Park(park), AttemptReport::default()).await.unwrap()
}

async fn claim(ledger: &PostgresLedger, incarnation: &Incarnation) -> Attempt {
    let claimed = ledger.claim_tasks(incarnation, request(10)).await.unwrap();
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    claimed[0].record.task.attempt()
}

/// A transaction that stores an answer and is not committed.
fn answer_one(question: &Question) -> String {
    format!(
        "BEGIN; SELECT @.answer_question('{}', '{{\"answered\":1}}', 'user:anna', \
         ARRAY['tenant', 'anna', 'user:anna', NULL, 'task.answer', NULL, 'done', NULL])",
        question.question_id
    )
}

/// A transaction that parks the task for its first question and is not committed.
fn park_one(incarnation: &Incarnation, attempt: Attempt) -> String {
    format!(
        "BEGIN; SELECT @.release_task('{}', {}, '{}', {}, NULL, NULL, '{{1}}', 0, NULL)",
        incarnation.node, incarnation.number, attempt.task_id, attempt.number
    )
}

/// The park sees the answer although it began before the answer was committed.
#[tokio::test(flavor = "multi_thread")]
async fn park_waits_for_an_answer_in_flight() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let attempt = running(&ledger, &incarnation).await;
    let asked = ask(&ledger, &incarnation, attempt, 1).await;
    let other = cluster::client().await;
    other.batch_execute(&backend.named(&answer_one(&asked))).await.unwrap();
    let of = [&asked];
    let mut parking = std::pin::pin!(park(&ledger, &incarnation, attempt, &of));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut parking).await;
    assert!(early.is_err(), "the park did not wait for the answer");
    other.batch_execute("COMMIT").await.unwrap();
    let task = parking.await;
    assert_eq!((task.state, task.waits_for), (TaskState::Queued, Some(WaitsFor::Process)));
    claim(&ledger, &incarnation).await;
}

/// The answer sees the park although it began before the park was committed.
#[tokio::test(flavor = "multi_thread")]
async fn answer_waits_for_a_park_in_flight() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let attempt = running(&ledger, &incarnation).await;
    let asked = ask(&ledger, &incarnation, attempt, 1).await;
    let other = cluster::client().await;
    other.batch_execute(&backend.named(&park_one(&incarnation, attempt))).await.unwrap();
    let mut answering = std::pin::pin!(ledger.answer_question(asked.question_id, answer("1")));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut answering).await;
    assert!(early.is_err(), "the answer did not wait for the park");
    other.batch_execute("COMMIT").await.unwrap();
    let AnswerOutcome::Accepted(_, record) = answering.await.unwrap() else { panic!("the question is open") };
    assert_eq!((record.task.state, record.task.waits_for), (TaskState::Queued, Some(WaitsFor::Process)));
    claim(&ledger, &incarnation).await;
}

/// Two tasks of one user: their bodies ask and park, two users' sessions answer and cancel, at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn asks_parks_answers_and_cancels_do_not_deadlock() {
    const ROUNDS: usize = 60;
    let database = Database::make("questions").await;
    let mut nodes = Vec::new();
    for name in ["a", "b"] {
        let ledger = Arc::new(PostgresLedger::connect_in(&database.url(), "imperal", 6).await.unwrap());
        let incarnation = ledger.join(name, LONG).await.unwrap();
        nodes.push((ledger, incarnation));
    }
    let bodies = (0..4).map(|body| {
        let (ledger, incarnation) = nodes[body % 2].clone();
        let (other, _) = nodes[(body + 1) % 2].clone();
        tokio::spawn(async move {
            for round in 0..ROUNDS / 4 {
                let attempt = running(&ledger, &incarnation).await;
                let asked = [
                    ask(&ledger, &incarnation, attempt, 1).await,
                    ask(&ledger, &incarnation, attempt, 2).await,
                    ask(&ledger, &incarnation, attempt, 3).await,
                ];
                let of: Vec<&Question> = asked.iter().collect();
                let stop = round % 3 == 0;
                let close = ledger.close_question(&incarnation, attempt, asked[2].question_id, CloseQuestion::Withdraw);
                let (first, second, closed, parked, cancel) = tokio::join!(
                    other.answer_question(asked[0].question_id, answer("1")),
                    ledger.answer_question(asked[1].question_id, answer("2")),
                    close,
                    park(&ledger, &incarnation, attempt, &of[..2]),
                    async {
                        if stop {
                            Some(other.request_cancel(attempt.task_id, audit(), cancelled()).await)
                        } else {
                            None
                        }
                    },
                );
                first.unwrap();
                second.unwrap();
                assert!(
                    matches!(closed, Ok(_) | Err(LedgerError::NotHolder | LedgerError::AlreadyEnded)),
                    "{closed:?}"
                );
                assert!(parked.attempt == 1);
                cancel.transpose().unwrap();
            }
        })
    });
    for body in bodies.collect::<Vec<_>>() {
        body.await.unwrap();
    }
    let counter = cluster::client_of(&database.url()).await;
    let wrong = "SELECT count(*) FILTER (WHERE t.open_questions <> (
            SELECT count(*) FROM imperal.question q WHERE q.task_id = t.task_id AND q.state = 'open')),
        count(*) FILTER (WHERE t.state = 'waiting'), count(*) FROM imperal.task t";
    let row = counter.query_one(wrong, &[]).await.unwrap();
    assert_eq!([row.get::<_, i64>(0), row.get(1), row.get(2)], [0, 0, 60], "miscounted, not woken, tasks");
    // The server counts with a delay, and at the latest when a session ends.
    drop(nodes);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(counter.query_one(deadlocks, &[]).await.unwrap().get::<_, i64>(0), 0, "deadlocks");
}

/// The answer is committed and its reply does not arrive: the sender finds its answer.
#[tokio::test(flavor = "multi_thread")]
async fn answer_whose_reply_was_lost_is_found() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let attempt = running(&ledger, &incarnation).await;
    let asked = ask(&ledger, &incarnation, attempt, 1).await;
    let other = cluster::client().await;
    other.batch_execute(&backend.named("BEGIN; SELECT 1 FROM @.task FOR UPDATE")).await.unwrap();
    let lost = ledger.answer_question(asked.question_id, answer("\"yes\""));
    assert!(tokio::time::timeout(Duration::from_millis(300), lost).await.is_err());
    other.batch_execute("COMMIT").await.unwrap();
    eventually("the answer is stored", async || {
        let (_, question) = ledger.find_question(asked.question_id).await.unwrap().unwrap();
        (question.state != QuestionState::Open).then_some(())
    })
    .await;
    let again = ledger.answer_question(asked.question_id, answer("\"yes\"")).await.unwrap();
    let AnswerOutcome::Closed(question) = again else { panic!("it was answered twice") };
    assert_eq!((question.answer, question.answered_by.as_deref()), (Some("yes".into()), Some("user:anna")));
    let audited = backend.row("SELECT count(*) FROM @.audit").await;
    assert_eq!(audited.get::<_, i64>(0), 1);
}

/// Other nodes learn that the task is ready, and the user's pages that there is an event.
#[tokio::test(flavor = "multi_thread")]
async fn answer_is_announced_on_every_node() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let (other, _) = backend.node("b").await;
    // The connection that listens may not be open yet.
    for round in 0.. {
        assert!(round < 60, "the answer was not announced");
        let attempt = running(&ledger, &incarnation).await;
        let asked = ask(&ledger, &incarnation, attempt, 1).await;
        assert_eq!(park(&ledger, &incarnation, attempt, &[&asked]).await.state, TaskState::Waiting);
        while tokio::time::timeout(Duration::from_millis(200), other.feed().ready_task_announced()).await.is_ok() {}
        let mut watch = ledger.feed().subscribe(&anna());
        ledger.answer_question(asked.question_id, answer("1")).await.unwrap();
        assert!(matches!(super::pulse(&mut watch).await, FeedSignal::Events), "the answering node's own pages");
        let heard = tokio::time::timeout(Duration::from_millis(500), other.feed().ready_task_announced()).await;
        claim(&ledger, &incarnation).await;
        if heard.is_ok() {
            return;
        }
    }
}

/// A park is no news for other nodes: nothing is ready.
#[tokio::test(flavor = "multi_thread")]
async fn park_is_not_announced_as_ready() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let attempt = running(&ledger, &incarnation).await;
    let asked = ask(&ledger, &incarnation, attempt, 1).await;
    let heard = async || tokio::time::timeout(Duration::from_millis(200), ledger.feed().ready_task_announced()).await;
    while heard().await.is_ok() {}
    park(&ledger, &incarnation, attempt, &[&asked]).await;
    assert!(heard().await.is_err(), "a task that waits was announced as ready");
}

/// Texts have their own escapes, JSON has none.
#[tokio::test(flavor = "multi_thread")]
async fn texts_of_a_question_come_back_as_they_were() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let attempt = running(&ledger, &incarnation).await;
    let odd = "a\0b\\000 \\ \"ü\" \u{10348}";
    let json = serde_json::to_string(odd).unwrap();
    let new = NewQuestion::new(1, odd, odd, format!("{{\"const\":{json}}}")).fallback(&json);
    let asked = ledger.ask_question(&incarnation, attempt, new).await.unwrap();
    let by = NewAnswer::new(&json, odd, audit());
    let AnswerOutcome::Accepted(question, _) = ledger.answer_question(asked.question_id, by).await.unwrap() else {
        panic!("it is open")
    };
    assert_eq!((&*question.name, &*question.text, question.answered_by.as_deref()), (odd, odd, Some(odd)));
    let value = Some(serde_json::Value::from(odd));
    assert_eq!((&question.answer, &question.fallback, question.schema.get("const")), (&value, &value, value.as_ref()));
    assert_eq!(ledger.questions(attempt.task_id).await.unwrap(), [question]);
    assert_eq!(ledger.meters().unreadable_rows(), 0);
    let no_json = ledger.ask_question(&incarnation, attempt, NewQuestion::new(2, "q", "?", "\0")).await;
    assert!(matches!(no_json, Err(LedgerError::Unavailable(_))), "{no_json:?}");
}

/// Its name is known to no program.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_task_that_nobody_takes_becomes_stuck() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let attempt = running(&ledger, &incarnation).await;
    let asked = ask(&ledger, &incarnation, attempt, 1).await;
    park(&ledger, &incarnation, attempt, &[&asked]).await;
    assert_eq!(ledger.mark_stuck(&incarnation, Duration::from_secs(600)).await, Ok(0), "it waits for its time");
    backend.sql("UPDATE @.task SET ready_at = @.micros() - 300000000").await;
    assert_eq!(ledger.mark_stuck(&incarnation, Duration::from_secs(600)).await, Ok(0), "it was due 5 minutes ago");
    backend.sql("UPDATE @.task SET ready_at = @.micros() - 601000000").await;
    assert_eq!(ledger.mark_stuck(&incarnation, Duration::from_secs(600)).await, Ok(1));
    let task = ledger.find_task(attempt.task_id).await.unwrap().unwrap().task;
    assert_eq!((task.state, task.waits_for, task.open_questions), (TaskState::Stuck, Some(WaitsFor::Version), 1));
    // An answer is stored and changes nothing else.
    let outcome = ledger.answer_question(asked.question_id, answer("1")).await.unwrap();
    let AnswerOutcome::Accepted(_, record) = outcome else { panic!("it is open") };
    assert_eq!((record.task.state, record.task.open_questions), (TaskState::Stuck, 0));
}

/// A damaged question does not hold up its task, and costs no other question anything.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_question_costs_its_content_only() {
    let damages = [
        ("UPDATE @.question SET state = 'DAMAGE' WHERE ordinal = 1", true),
        ("UPDATE @.question SET until = 9223372036854775807 WHERE ordinal = 1", true),
        ("UPDATE @.question SET until = -9223372036854775808 WHERE ordinal = 1", true),
        ("UPDATE @.question SET asked_at = 9223372036854775807, answered_at = -9223372036854775808", true),
        ("UPDATE @.question SET schema = '{', fallback = 'no JSON', text = '\\q' WHERE ordinal = 1", true),
        ("UPDATE @.question SET ordinal = -3 WHERE ordinal = 1", true),
        ("UPDATE @.question SET task_id = 'deadbeef-0000-7000-8000-000000000000' WHERE ordinal = 1", false),
        ("UPDATE @.question SET question_id = 'deadbeef-0000-7000-8000-000000000000' WHERE ordinal = 1", false),
        ("DELETE FROM @.question WHERE ordinal = 1", false),
        ("DELETE FROM @.step WHERE ordinal = 1", true),
        ("UPDATE @.step SET value = 'no JSON', name = '\\q' WHERE ordinal = 1", true),
        ("UPDATE @.task SET open_questions = 9223372036854775807", false),
        ("UPDATE @.task SET open_questions = -3", false),
    ];
    for (damage, is_noticed) in damages {
        for is_parked in [false, true] {
            let backend = InPostgres::new();
            let (ledger, incarnation) = backend.node("a").await;
            let attempt = running(&ledger, &incarnation).await;
            let first = ask(&ledger, &incarnation, attempt, 1).await;
            let second = ask(&ledger, &incarnation, attempt, 2).await;
            let of = [&first, &second];
            if is_parked {
                park(&ledger, &incarnation, attempt, &of).await;
            }
            backend.sql(damage).await;
            let listed = ledger.questions(attempt.task_id).await.unwrap();
            if !damage.contains("asked_at") {
                assert!(listed.contains(&second), "{damage}: {listed:?}");
            }
            assert_eq!(ledger.meters().unreadable_rows() > 0, is_noticed, "{damage}");
            let mut at = attempt;
            if !is_parked {
                // A park that is refused because the question is lost is not refused again.
                let mut parked = park(&ledger, &incarnation, attempt, &of).await;
                if parked.state == TaskState::Queued {
                    at = claim(&ledger, &incarnation).await;
                    let value = ledger.step_value(at.task_id, 1).await.unwrap();
                    assert_eq!(value.as_deref(), Some("\"withdrawn\""), "{damage}");
                    parked = park(&ledger, &incarnation, at, &[&second]).await;
                }
                assert_eq!(parked.state, TaskState::Waiting, "{damage}");
            }
            let outcome = ledger.answer_question(second.question_id, answer("1")).await.unwrap();
            assert!(matches!(outcome, AnswerOutcome::Accepted(..)), "{damage}: {outcome:?}");
            at = Attempt { number: at.number + 1, ..at };
            assert_eq!(claim(&ledger, &incarnation).await, at, "{damage}");
            let value = ledger.step_value(at.task_id, 2).await.unwrap();
            assert_eq!(value.as_deref(), Some("{\"answered\":1}"), "{damage}");
            for outcome in [
                ledger.answer_question(first.question_id, answer("1")).await.map(drop),
                ledger.close_question(&incarnation, at, first.question_id, CloseQuestion::Expire).await.map(drop),
            ] {
                assert!(matches!(outcome, Ok(()) | Err(LedgerError::NotFound)), "{damage}: {outcome:?}");
            }
            if ledger.step_value(at.task_id, 1).await.unwrap().is_none() {
                ask(&ledger, &incarnation, at, 1).await;
            }
            ask(&ledger, &incarnation, at, 3).await;
            ledger.store_step(&incarnation, at, step(4, "1")).await.unwrap();
            ledger.finish_task(&incarnation, at, cancelled()).await.unwrap();
            let task = ledger.find_task(at.task_id).await.unwrap().unwrap().task;
            assert_eq!((task.state, task.open_questions), (TaskState::Cancelled, 0), "{damage}");
            let open = backend.row("SELECT count(*) FROM @.question_record WHERE state = 'open'").await;
            assert_eq!(open.get::<_, i64>(0), 0, "{damage}");
        }
    }
}

/// A close settles a question whose state is damaged, so that the body goes on with it.
#[tokio::test(flavor = "multi_thread")]
async fn question_with_a_damaged_state_can_be_closed() {
    let backend = InPostgres::new();
    let (ledger, incarnation) = backend.node("a").await;
    let attempt = running(&ledger, &incarnation).await;
    let asked = ask(&ledger, &incarnation, attempt, 1).await;
    backend.sql("UPDATE @.question SET state = 'DAMAGE'").await;
    let AnswerOutcome::Closed(_) = ledger.answer_question(asked.question_id, answer("1")).await.unwrap() else {
        panic!("nobody can say whether it has an answer")
    };
    let why = CloseQuestion::Expire;
    let closed = ledger.close_question(&incarnation, attempt, asked.question_id, why).await.unwrap();
    assert_eq!(closed.state, QuestionState::Expired);
    assert_eq!(ledger.step_value(attempt.task_id, 1).await.unwrap().as_deref(), Some("\"expired\""));
    let unknown = ledger.close_question(&incarnation, attempt, QuestionId::generate(), why).await;
    assert_eq!(unknown, Err(LedgerError::NotFound));
}
