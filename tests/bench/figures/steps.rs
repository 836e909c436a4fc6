//! Steps of durable tasks, stored in SQLite: one alone next to a bare synced commit of the same text, and those of 64
//! tasks at once, by the ledger alone. Then a task with stored steps is resumed by a whole platform.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imperal::ids::CallId;
use imperal::ledger::contract::{Calls, DurableTasks, Leases, Tasks};
use imperal::ledger::{
    Attempt, Incarnation, NewCall, NewDurable, NewStep, NewTask, Owner, Role, SqliteLedger, StepKind, TurnBody,
};
use imperal::testing::TestPlatform;
use serde_json::json;

use super::Size;
use super::durable::{CALLERS, bare, bare_commit};
use super::functions::{Passed, STEPS};
use super::sample::{Sample, Table, rate, time};

const ROUNDS: usize = 5;

async fn start(ledger: &SqliteLedger, incarnation: &Incarnation, owner: Owner) -> Attempt {
    let call_id = CallId::generate();
    let call = NewCall::new(call_id, owner.clone(), TurnBody::new(Role::User, "?", "bench"));
    ledger.accept_call(incarnation, call).await.unwrap();
    let new = NewTask::new(call_id, owner, "bench", "work");
    let durable = NewDurable::new(new.task_id, "work", "{}", "{}");
    ledger.start_task(incarnation, new.durable(durable)).await.unwrap().attempt()
}

async fn store(ledger: &SqliteLedger, incarnation: &Incarnation, attempt: Attempt, ordinal: u16, value: &str) {
    let step = NewStep::new(ordinal, format!("image/{ordinal}"), StepKind::Step, value);
    ledger.store_step(incarnation, attempt, step).await.unwrap();
}

pub(crate) async fn run(size: Size, folder: &Path, table: &mut Table) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let ledger = Arc::new(SqliteLedger::open(folder.path().join("ledger.db")).unwrap());
    let incarnation = ledger.join("bench", Duration::from_secs(3600)).await.unwrap();
    let mut tasks = Vec::new();
    for n in 0..=CALLERS {
        tasks.push(start(&ledger, &incarnation, Owner::new("bench", &format!("user-{n}"))).await);
    }
    let lone = tasks.remove(0);
    let value = format!("{:?}", "x".repeat(400));

    let mut conn = bare(folder.path());
    let (mut one_row, mut one_step, mut many) = (Sample::default(), Sample::default(), 0.0_f64);
    let (mut ordinal, each) = (0, u16::try_from(size.of(1000, 2)).unwrap());
    for round in 0..u16::try_from(size.of(ROUNDS, 1)).unwrap() {
        for _ in 0..size.of(200, 2) {
            let took;
            (conn, took) = bare_commit(conn, value.clone()).await;
            one_row.push(took);
            ordinal += 1;
            let begun = Instant::now();
            store(&ledger, &incarnation, lone, ordinal, &value).await;
            one_step.push(begun.elapsed());
        }
        let begun = Instant::now();
        let running: Vec<_> = tasks
            .iter()
            .map(|task| {
                let (ledger, incarnation, value, task) = (ledger.clone(), incarnation.clone(), value.clone(), *task);
                tokio::spawn(async move {
                    for ordinal in round * each + 1..=(round + 1) * each {
                        store(&ledger, &incarnation, task, ordinal, &value).await;
                    }
                })
            })
            .collect();
        for task in running {
            task.await.unwrap();
        }
        many = many.max(rate(CALLERS * usize::from(each), begun.elapsed()));
    }
    let one = one_row.median();
    let p99 = one_step.at(0.99) / one_row.at(0.99);
    table.row("one row, one synced commit, one caller: the measure of the rest", time(one), "");
    table.row("one step, stored", format!("{:.2} x (p99 {p99:.2} x)", one_step.median() / one), "1.1 x");
    table.row(format!("steps a second, {CALLERS} tasks"), format!("{many:.0}"), "15000");
    resumed(size, folder.path(), table).await;
}

/// Deploys a task of 100 stored steps again and again: a new platform on the same file, as a new process does.
async fn resumed(size: Size, folder: &Path, table: &mut Table) {
    let ledger: Arc<dyn imperal::ledger::Ledger> = Arc::new(SqliteLedger::open(folder.join("resumed.db")).unwrap());
    let passed = Passed::default();
    let platform = TestPlatform::setup().state(passed.clone()).ledger(ledger).start().await;
    let bodies = |count| {
        let passed = passed.clone();
        async move {
            let deadline = Instant::now() + Duration::from_secs(30);
            loop {
                assert!(Instant::now() < deadline, "the task did not go on");
                if let Some(body) = passed.0.lock().unwrap().get(count - 1) {
                    return *body;
                }
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        }
    };
    platform.user("anna").start("replay", json!({})).await;
    bodies(1).await;
    let (mut replay, mut hand_over) = (Sample::default(), Sample::default());
    for round in 0..size.of(50, 1) {
        let asked = Instant::now();
        platform.deploy().await;
        let (begun, live) = bodies(round + 2).await;
        replay.push(live - begun);
        hand_over.push(live - asked);
    }
    table.row(
        format!("a body passes its {STEPS} stored steps of 400 bytes, p50 (p99)"),
        format!("{} ({})", time(replay.median()), time(replay.at(0.99))),
        "5 ms",
    );
    table.row(
        format!("from a deploy's request to stop until the next process is behind the {STEPS} steps, p50 (p99)"),
        format!("{} ({})", time(hand_over.median()), time(hand_over.at(0.99))),
        "",
    );
}
