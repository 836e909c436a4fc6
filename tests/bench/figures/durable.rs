//! Cost of "on disk before it is acknowledged", as ratios to bare SQLite commits of one row on the same
//! disk. The sides alternate operation by operation, so that a slow moment of the disk affects each of them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imperal::ledger::{Ledger, SqliteLedger};
use imperal::testing::{TestPlatform, TestUser};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::Size;
use super::sample::{Sample, Table, rate, time};

pub(super) const CALLERS: usize = 64;
const ROUNDS: usize = 5;

pub(super) fn bare(folder: &Path) -> Connection {
    let conn = Connection::open(folder.join("bare.db")).unwrap();
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE row (row_no INTEGER PRIMARY KEY, body TEXT)",
    )
    .unwrap();
    conn
}

/// Commits on a blocking thread, as a program without group commit would.
pub(super) async fn bare_commit(conn: Connection, body: String) -> (Connection, Duration) {
    tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        conn.prepare_cached("INSERT INTO row (body) VALUES (?1)").unwrap().execute([body]).unwrap();
        let took = begun.elapsed();
        (conn, took)
    })
    .await
    .unwrap()
}

async fn timed(user: &TestUser, function: &str, params: Value) -> (Duration, Value) {
    let begun = Instant::now();
    let reply = user.call(function, params).await.unwrap();
    let took = begun.elapsed();
    assert!(reply.result.is_success());
    (took, serde_json::to_value(&reply.result).unwrap())
}

/// Calls a second with `CALLERS` calls in flight.
async fn crowd(users: &[TestUser], function: &'static str, params: Value, each: usize) -> f64 {
    let begun = Instant::now();
    let callers: Vec<_> = users
        .iter()
        .map(|user| {
            let (user, params) = (user.clone(), params.clone());
            tokio::spawn(async move {
                for _ in 0..each {
                    user.call(function, params.clone()).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    rate(users.len() * each, begun.elapsed())
}

pub(crate) async fn run(size: Size, folder: &Path, table: &mut Table) {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(folder.path().join("ledger.db")).unwrap());
    let setup = TestPlatform::setup().settings(|settings| settings.tasks_per_user = u32::MAX);
    let platform = setup.ledger(ledger).start().await;
    let users: Vec<_> = (0..CALLERS).map(|n| platform.user(&format!("user-{n}"))).collect();
    let echo = json!({"text": "x".repeat(200), "times": 3});
    let body = "x".repeat(400);

    let mut conn = bare(folder.path());
    let mut samples: [Sample; 6] = Default::default();
    let [one_row, read, write, started, background, paired] = &mut samples;
    let (mut reads, mut writes, mut tasks, mut starters) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
    for _ in 0..size.of(ROUNDS, 1) {
        for n in 0..size.of(100, 2) {
            let took;
            (conn, took) = bare_commit(conn, body.clone()).await;
            one_row.push(took);
            let user = &users[n % 8];
            read.push(timed(user, "echo", echo.clone()).await.0);
            write.push(timed(user, "keep", echo.clone()).await.0);
            let (took, answer) = timed(user, "park", json!({})).await;
            background.push(took);
            paired.push(timed(user, "park_first", json!({})).await.0);
            started.push(Duration::from_nanos(answer["data"]["nanos"].as_u64().unwrap()));
        }
        let each = size.of(60, 1);
        reads = reads.max(crowd(&users, "echo", echo.clone(), each).await);
        writes = writes.max(crowd(&users, "keep", echo.clone(), each).await);
        tasks = tasks.max(crowd(&users, "park", json!({}), each).await);
        starters = starters.max(crowd(&users, "park_first", json!({}), each).await);
    }
    let one = one_row.median();
    let ratio = |of: &Sample| format!("{:.2} x (p99 {:.2} x)", of.median() / one, of.at(0.99) / one_row.at(0.99));
    table.row("one row, one synced commit, one caller: the measure of the rest", time(one), "");
    table.row("`background_task(..).await`, until the task is on disk", ratio(started), "1.5 x");
    table.row("a whole read call: asked, answered, both turns on disk", ratio(read), "1.2 x");
    table.row("a whole write call", ratio(write), "2.0 x");
    table.row("a whole call that starts a background task, up to its acknowledgement", ratio(background), "");
    table.row("the same of a function that is marked `starter`", ratio(paired), "2.2 x");
    let many = |rate: f64| format!("{:.1} x ({rate:.0} a second)", rate * one);
    table.row(
        format!("tasks accepted and acknowledged, {CALLERS} callers, compared with one commit each"),
        many(tasks),
        "",
    );
    table.row("the same of functions that are marked `starter`", many(starters), "25,000 a second");
    table.row(format!("write calls, {CALLERS} callers, compared with one commit each"), many(writes), "");
    table.row(format!("read calls, {CALLERS} callers, compared with one commit each"), many(reads), "");
}
