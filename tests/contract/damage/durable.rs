//! Damage of durable tasks in a SQLite file.
//!
//! Two users leave a running, a queued, a stuck, an ended and a waiting durable task behind. The test damages one value of Anna's
//! and does what a platform does at its start: it joins, claims, settles orphans, and ends stuck tasks. Ben's tasks go on
//! as if nothing had happened, and none of Anna's stays open.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use imperal::ids::{QuestionId, TaskId};
use imperal::ledger::contract::LedgerResult;
use imperal::ledger::{
    Attempt, AttemptReport, CancelOutcome, ClaimRequest, ClaimedTask, Clock, CloseQuestion, DurableName, Incarnation,
    Ledger, LedgerError, ManualClock, NewAnswer, NewDurable, NewQuestion, NewStep, NewTask, Orphan, Owner, PageLimit,
    Park, QuestionState, Release, RetentionPolicy, Role, SqliteLedger, StepKind, StoredAnswer, StoredStep, TaskEnd,
    TaskState,
};

use super::cases::chosen_durable;
use super::sqlite::damage;
use super::{LEASE, NODE, audit, call, owner, reply, turn};

const USERS: [&str; 2] = ["ben", "anna"];
const HOUR: Duration = Duration::from_secs(3600);
const ALL: PageLimit = PageLimit::rows(500);
const INPUT: &str = r#"{"package":"p"}"#;

fn open(file: &Path, clock: &Arc<ManualClock>) -> SqliteLedger {
    SqliteLedger::open_with_clock(file, clock.clone()).unwrap()
}

async fn start(ledger: &dyn Ledger, incarnation: &Incarnation, owner: &Owner) -> Attempt {
    let call_id = call(ledger, incarnation, owner).await;
    let new = NewTask::new(call_id, owner.clone(), "contract", "work");
    let durable = NewDurable::new(new.task_id, "work", INPUT, "{}");
    let task = ledger.start_task(incarnation, new.durable(durable)).await.unwrap();
    reply(ledger, incarnation, call_id).await;
    task.attempt()
}

async fn store(ledger: &dyn Ledger, incarnation: &Incarnation, attempt: Attempt, ordinal: u16) {
    let step = NewStep::new(ordinal, format!("step {ordinal}"), StepKind::Step, "7").log("[]");
    ledger.store_step(incarnation, attempt, step).await.unwrap();
}

fn end(owner: &Owner, state: TaskState) -> TaskEnd {
    TaskEnd::new(state, turn(Role::Bot, "ended"), audit(owner))
}

/// Ends a task as the platform does: an end that is silent about open effects is refused.
async fn ends<T>(end: TaskEnd, write: impl AsyncFn(TaskEnd) -> LedgerResult<T>) -> LedgerResult<T> {
    match write(end.clone()).await {
        Err(LedgerError::OpenEffects(open)) => write(end.open_effects(open)).await,
        written => written,
    }
}

async fn ask(ledger: &dyn Ledger, incarnation: &Incarnation, attempt: Attempt, ordinal: u16) -> QuestionId {
    let question = NewQuestion::new(ordinal, format!("q{ordinal}"), "Publish?", "true").fallback("7");
    ledger.ask_question(incarnation, attempt, question).await.unwrap().question_id
}

async fn answer(ledger: &dyn Ledger, owner: &Owner, question_id: QuestionId) {
    ledger.answer_question(question_id, NewAnswer::new("7", "user", audit(owner))).await.unwrap();
}

/// The tasks and questions of the users.
struct Scene {
    bens: Vec<TaskId>,
    /// Per user, the task that waits and its open question.
    waiting: Vec<(TaskId, QuestionId)>,
}

/// Per user: a running task with two steps and an open effect, a queued one, a stuck one, one that failed, and one that waits for an hour
/// or the second of its two questions. Cases name rows by their number.
async fn leave_tasks(ledger: &dyn Ledger, clock: &ManualClock) -> Scene {
    let incarnation = ledger.join(NODE, LEASE).await.unwrap();
    let (mut bens, mut waiting) = (Vec::new(), Vec::new());
    for user in USERS {
        let owner = owner(user);
        let running = start(ledger, &incarnation, &owner).await;
        store(ledger, &incarnation, running, 1).await;
        store(ledger, &incarnation, running, 2).await;
        let intent = NewStep::new(3, "pay", StepKind::Intent, "null");
        ledger.store_step(&incarnation, running, intent).await.unwrap();
        let queued = start(ledger, &incarnation, &owner).await;
        ledger.release_task(&incarnation, queued, Release::HandOver, AttemptReport::default()).await.unwrap();
        let stuck = start(ledger, &incarnation, &owner).await;
        ledger
            .release_task(&incarnation, stuck, Release::Refused { program: "v1".into() }, AttemptReport::default())
            .await
            .unwrap();
        let ended = start(ledger, &incarnation, &owner).await;
        store(ledger, &incarnation, ended, 1).await;
        ledger.finish_task(&incarnation, ended, end(&owner, TaskState::Failed)).await.unwrap();
        let waits = start(ledger, &incarnation, &owner).await;
        let (answered, open) = (ask(ledger, &incarnation, waits, 1).await, ask(ledger, &incarnation, waits, 2).await);
        answer(ledger, &owner, answered).await;
        let park = Park::new(clock.now() + HOUR, vec![2]);
        ledger.release_task(&incarnation, waits, Release::Park(park), AttemptReport::default()).await.unwrap();
        waiting.push((waits.task_id, open));
        if user == "ben" {
            bens = [running, queued, stuck, ended, waits].map(|attempt| attempt.task_id).into();
        }
    }
    // The last owner: a number that is free again is not taken by another owner's rows.
    let call_id = call(ledger, &incarnation, &owner("cleo")).await;
    reply(ledger, &incarnation, call_id).await;
    Scene { bens, waiting }
}

async fn steps(ledger: &dyn Ledger, task_id: TaskId) -> Vec<StoredStep> {
    ledger.steps(task_id, 0, ALL).await.unwrap().rows
}

/// Takes up all that is ready; suspects come one at a time.
async fn claim_all(ledger: &dyn Ledger, incarnation: &Incarnation) -> Vec<ClaimedTask> {
    let mut claimed = Vec::new();
    loop {
        let request = ClaimRequest::new(vec![DurableName::new("contract", "work")], "v2", 100);
        let more = ledger.claim_tasks(incarnation, request).await.unwrap();
        if more.is_empty() {
            return claimed;
        }
        claimed.extend(more);
    }
}

/// A task that waited expires its open question and asks another.
async fn go_on(ledger: &dyn Ledger, incarnation: &Incarnation, attempt: Attempt, question_id: QuestionId) {
    let why = CloseQuestion::Expire;
    let closed = ledger.close_question(incarnation, attempt, question_id, why).await.unwrap();
    let value = ledger.step_value(attempt.task_id, 2).await.unwrap().unwrap();
    // Nobody can answer a question whose state is lost, so it counts as withdrawn.
    let (state, stored) = match closed.state {
        QuestionState::Withdrawn => (QuestionState::Withdrawn, StoredAnswer::Withdrawn),
        _ => (QuestionState::Expired, StoredAnswer::Expired),
    };
    assert_eq!((closed.state, value), (state, stored.to_json()));
    assert_eq!(ledger.step_value(attempt.task_id, 1).await.unwrap().as_deref(), Some(r#"{"answered":7}"#));
    let again = NewQuestion::new(3, "q3", "Publish?", "true").max_open(1);
    let again = ledger.ask_question(incarnation, attempt, again).await.unwrap().question_id;
    ledger.find_question(again).await.unwrap().unwrap();
}

async fn check_case(file: &Path, sql: &str, scene: &Scene, clock: &Arc<ManualClock>) {
    let bens = &scene.bens;
    let before = {
        let ledger = open(file, clock);
        let mut before = Vec::new();
        for task_id in bens {
            before.push(steps(&ledger, *task_id).await);
        }
        before
    };
    damage(file, sql);
    let ledger = open(file, clock);
    let incarnation = ledger.join(NODE, HOUR * 100).await.unwrap();
    clock.advance(HOUR);
    let claimed = claim_all(&ledger, &incarnation).await;
    let of_ben: Vec<_> = claimed.iter().filter(|claimed| claimed.record.owner == owner("ben")).collect();
    assert_eq!(of_ben.len(), 4, "ben's tasks go on: {of_ben:?}");
    for claimed in of_ben {
        assert_eq!((&*claimed.input, &*claimed.task_name, claimed.record.task.attempt), (INPUT, "work", 2));
        assert!(bens.contains(&claimed.record.task.task_id));
    }
    for (task_id, before) in bens.iter().zip(&before) {
        assert_eq!(steps(&ledger, *task_id).await, *before);
    }
    let mut went_on = 0;
    for claimed in &claimed {
        let (owner, attempt) = (&claimed.record.owner, claimed.record.task.attempt());
        steps(&ledger, attempt.task_id).await;
        if *owner == self::owner("ben") {
            store(&ledger, &incarnation, attempt, 9).await;
        }
        ledger.step_value(attempt.task_id, 1).await.unwrap();
        ledger.questions(attempt.task_id).await.unwrap();
        ledger.find_durable(attempt.task_id).await.unwrap();
        let latest = ledger.attempts(attempt.task_id).await.unwrap().pop();
        assert!(latest.is_some_and(|latest| latest.ended_at.is_none()) || sql.contains(" attempt "));
        let waited = scene.waiting.iter().find(|(task_id, _)| *task_id == attempt.task_id);
        // A damaged question costs its content, and not its task.
        if let Some((_, question_id)) = waited
            && (*owner == self::owner("ben") || sql.contains(" question "))
        {
            go_on(&ledger, &incarnation, attempt, *question_id).await;
            went_on += 1;
        }
        let end = end(owner, TaskState::Succeeded);
        let ended = ends(end, async |end| ledger.finish_task(&incarnation, attempt, end).await).await;
        assert!(ended.is_ok(), "{ended:?}");
    }

    assert_eq!(went_on, if sql.contains(" question ") { 2 } else { 1 });

    // The way of all others: orphans, or stuck until the platform ends them.
    for orphan in ledger.orphans(100).await.unwrap() {
        let Orphan::Task(record) = orphan else { panic!("every call has its reply: {orphan:?}") };
        let end = end(&record.owner, TaskState::Reclaimed);
        let task_id = record.task.task_id;
        ends(end, async |end| ledger.reclaim_task(&incarnation, task_id, end).await).await.unwrap();
    }
    ledger.mark_stuck(&incarnation, Duration::ZERO).await.unwrap();
    for record in ledger.long_stuck(Duration::ZERO, 100).await.unwrap() {
        let end = end(&record.owner, TaskState::Reclaimed);
        let task_id = record.task.task_id;
        ends(end, async |end| ledger.reclaim_task(&incarnation, task_id, end).await).await.unwrap();
    }
    // A task that has lost the time of its wait ends when its user cancels it.
    for task in ledger.open_tasks(&owner("anna")).await.unwrap() {
        assert!(task.state == TaskState::Waiting && sql.contains(" durable "), "{task:?}");
        let end = end(&owner("anna"), TaskState::Cancelled);
        let audit = audit(&owner("anna"));
        let outcome = ends(end, async |end| ledger.request_cancel(task.task_id, audit.clone(), end).await);
        let outcome = outcome.await.unwrap();
        assert!(matches!(outcome, CancelOutcome::Ended(_)), "{outcome:?}");
    }
    for user in USERS {
        assert_eq!(ledger.open_tasks(&owner(user)).await.unwrap(), [], "{user}'s open tasks");
        let next = start(&ledger, &incarnation, &owner(user)).await;
        assert_eq!(steps(&ledger, next.task_id).await, [], "a new task has no steps");
        assert_eq!(ledger.questions(next.task_id).await.unwrap(), [], "a new task has no questions");
        assert_eq!(ledger.attempts(next.task_id).await.unwrap().len(), 1, "a new task has one attempt");
        store(&ledger, &incarnation, next, 1).await;
        ledger.finish_task(&incarnation, next, end(&owner(user), TaskState::Succeeded)).await.unwrap();
        let events = ledger.events(&owner(user), 0, ALL).await.unwrap().rows;
        let numbers: Vec<u64> = events.iter().map(|event| event.seq).collect();
        assert_eq!(numbers, (1..=ledger.head(&owner(user)).await.unwrap()).collect::<Vec<_>>());
        ledger.recent_tasks(&owner(user), 100).await.unwrap();
    }
    clock.advance(HOUR * 24 * 8);
    let all = Some(Duration::ZERO);
    let mut keep = RetentionPolicy::FOREVER;
    (keep.turns, keep.tasks, keep.events, keep.audit) = (all, all, all, all);
    let mut from = Some(0);
    while let Some(at) = from {
        from = ledger.prune(&keep, at, 100).await.unwrap().next;
    }
    assert_eq!(ledger.recent_tasks(&owner("ben"), 100).await.unwrap(), []);
    assert_eq!(steps(&ledger, bens[0]).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_damaged_value_of_a_durable_task_hurts_one_task() {
    let folder = tempfile::tempdir().unwrap();
    let scene = folder.path().join("scene.db");
    let start: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::at(start));
    let left = leave_tasks(&open(&scene, &clock), &clock).await;
    let mut failed = Vec::new();
    for case in chosen_durable() {
        let file = folder.path().join("ledger.db");
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("ledger.db{end}")));
        }
        std::fs::copy(&scene, &file).unwrap();
        clock.set(start);
        if AssertUnwindSafe(check_case(&file, &case.sql, &left, &clock)).catch_unwind().await.is_err() {
            eprintln!("FAILED: {}", &case.sql[..case.sql.len().min(300)]);
            failed.push(case.sql);
        }
    }
    assert!(failed.is_empty(), "{} cases failed", failed.len());
}
