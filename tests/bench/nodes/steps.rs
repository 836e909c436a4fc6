//! Steps of durable tasks, stored in PostgreSQL: one alone next to a bare committed row of the same text, and those of 64
//! tasks at once, which one node stores in few transactions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use imperal::ids::CallId;
use imperal::ledger::contract::{Calls, DurableTasks, Leases, Tasks};
use imperal::ledger::{
    Attempt, Incarnation, NewCall, NewDurable, NewStep, NewTask, Owner, PostgresLedger, Role, StepKind, TurnBody,
};
use imperal_tests::cluster::{self, Database};

use super::{median, rate};

const TASKS: usize = 64;
const EACH: u16 = 300;
const ROUNDS: u16 = 5;

async fn start(ledger: &PostgresLedger, incarnation: &Incarnation, owner: Owner) -> Attempt {
    let call_id = CallId::generate();
    let call = NewCall::new(call_id, owner.clone(), TurnBody::new(Role::User, "?", "bench"));
    ledger.accept_call(incarnation, call).await.unwrap();
    let new = NewTask::new(call_id, owner, "bench", "work");
    let durable = NewDurable::new(new.task_id, "work", "{}", "{}");
    ledger.start_task(incarnation, new.durable(durable)).await.unwrap().attempt()
}

async fn store(ledger: &PostgresLedger, incarnation: &Incarnation, attempt: Attempt, ordinal: u16, value: &str) {
    let step = NewStep::new(ordinal, format!("image/{ordinal}"), StepKind::Step, value);
    ledger.store_step(incarnation, attempt, step).await.unwrap();
}

/// Steps a second, and the time of one, as multiples of bare rows in the same run.
pub(crate) async fn steps() {
    let database = Database::make("steps").await;
    let client = cluster::client_of(&database.url()).await;
    client.batch_execute("CREATE TABLE bare (n bigserial PRIMARY KEY, value text NOT NULL)").await.unwrap();
    let insert = client.prepare("INSERT INTO bare (value) VALUES ($1)").await.unwrap();
    let ledger = Arc::new(PostgresLedger::connect_in(&database.url(), "bench_steps", 8).await.unwrap());
    let incarnation = ledger.join("bench", Duration::from_secs(3600)).await.unwrap();
    let mut tasks = Vec::new();
    for n in 0..=TASKS {
        tasks.push(start(&ledger, &incarnation, Owner::new("bench", &format!("user-{n}"))).await);
    }
    let lone = tasks.remove(0);
    let value = format!("{:?}", "x".repeat(400));
    let (mut rows, mut steps, mut most, mut ordinal) = (Vec::new(), Vec::new(), 0.0_f64, 0);
    for round in 0..ROUNDS {
        for _ in 0..200 {
            let begun = Instant::now();
            client.execute(&insert, &[&value]).await.unwrap();
            rows.push(begun.elapsed().as_secs_f64());
            ordinal += 1;
            let begun = Instant::now();
            store(&ledger, &incarnation, lone, ordinal, &value).await;
            steps.push(begun.elapsed().as_secs_f64());
        }
        let begun = Instant::now();
        let running: Vec<_> = tasks
            .iter()
            .map(|task| {
                let (ledger, incarnation, value, task) = (ledger.clone(), incarnation.clone(), value.clone(), *task);
                tokio::spawn(async move {
                    for ordinal in round * EACH + 1..=(round + 1) * EACH {
                        store(&ledger, &incarnation, task, ordinal, &value).await;
                    }
                })
            })
            .collect();
        for task in running {
            task.await.unwrap();
        }
        most = most.max(rate(TASKS * usize::from(EACH), begun.elapsed().as_secs_f64()));
    }
    let (row, step) = (median(rows), median(steps));
    println!("one row, one commit, one caller: {:.3} ms", row * 1e3);
    println!("one step of 400 bytes, stored, p50: {:.2} x", step / row);
    println!("steps a second, {TASKS} tasks at once: {most:.0}, {:.1} x the rows a second of one caller", most * row);
}
