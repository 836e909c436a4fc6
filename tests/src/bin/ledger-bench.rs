//! What the SQLite ledger costs, as ratios to a bare SQLite commit in the same run.
//!
//! `cargo run -p imperal-tests --release --bin ledger-bench [FOLDER]`: the folder decides which
//! disk is measured. All sides take turns, operation by operation, so that a slow moment of the disk meets each of them.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made has nothing to say")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imperal::context::MsgType;
use imperal::ids::{CallId, TaskId, TurnId};
use imperal::ledger::{Incarnation, Ledger, NewCall, NewTask, Owner, Progress, Role, SqliteLedger, TurnBody};
use rusqlite::Connection;

const ROUNDS: usize = 5;
const EACH: usize = 60;
const CALLERS: usize = 64;

fn call(user: usize) -> NewCall {
    let call_id = CallId::generate();
    let turn = TurnBody {
        turn_id: TurnId::generate(),
        role: Role::User,
        msg_type: MsgType::Response,
        text: "Refine the text".to_owned(),
        app_id: "refine".to_owned(),
        function: Some("refine_output".to_owned()),
        params: Some(serde_json::json!({ "text": "x".repeat(200) })),
        call_id: Some(call_id),
        task_id: None,
        result: None,
        refresh_panels: None,
        truncated: false,
    };
    NewCall { call_id, owner: Owner::new("tenant", &format!("user{user}")), turn }
}

fn bare(folder: &Path) -> Connection {
    let conn = Connection::open(folder.join("bare.db")).unwrap();
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE row (row_no INTEGER PRIMARY KEY, body TEXT)",
    )
    .unwrap();
    conn
}

fn bare_commit(conn: &Connection, body: &str) -> Duration {
    let begun = Instant::now();
    conn.prepare_cached("INSERT INTO row (body) VALUES (?1)").unwrap().execute([body]).unwrap();
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

/// Operations in a second, `CALLERS` of them under way at any time.
async fn crowd(ledger: &Arc<SqliteLedger>, life: &Incarnation) -> f64 {
    let begun = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|user| {
            let (ledger, life) = (ledger.clone(), life.clone());
            tokio::spawn(async move {
                for _ in 0..EACH {
                    ledger.accept_call(&life, call(user)).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    rate(CALLERS * EACH, begun.elapsed())
}

fn rate(count: usize, time: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / time.as_secs_f64()
}

#[tokio::main]
async fn main() {
    let folder = match std::env::args().nth(1) {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    }
    .unwrap();
    let body = serde_json::to_string(&call(0).turn).unwrap();
    let conn = bare(folder.path());
    let ledger = Arc::new(SqliteLedger::open(folder.path().join("ledger.db")).unwrap());
    let life = ledger.join("bench", Duration::from_secs(3600)).await.unwrap();
    let first = call(0);
    let (call_id, owner) = (first.call_id, first.owner.clone());
    ledger.accept_call(&life, first).await.unwrap();
    let task = NewTask {
        task_id: TaskId::generate(),
        call_id,
        owner,
        app_id: "refine".to_owned(),
        function: "refine_output".to_owned(),
        name: "refine".to_owned(),
        key: None,
        long_running: false,
        cap: Duration::from_secs(180),
        max_running: 100,
    };
    let task_id = ledger.start_task(&life, task).await.unwrap().task_id;

    let (mut one_row, mut accept, mut progress, mut read) = (vec![], vec![], vec![], vec![]);
    let mut crowds = vec![];
    for _ in 0..ROUNDS {
        for n in 0..EACH {
            one_row.push(bare_commit(&conn, &body));

            let call = call(n % 8);
            let begun = Instant::now();
            ledger.accept_call(&life, call).await.unwrap();
            accept.push(begun.elapsed());

            let percent = f64::from(u32::try_from(n).unwrap());
            let said = Progress { task_id, percent, message: "on it".to_owned(), at: jiff::Timestamp::now() };
            let begun = Instant::now();
            ledger.note_progress(&life, vec![said]).await.unwrap();
            progress.push(begun.elapsed());

            let owner = Owner::new("tenant", &format!("user{}", n % 8));
            let begun = Instant::now();
            ledger.latest_turns(&owner, None, 50).await.unwrap();
            read.push(begun.elapsed());
        }
        crowds.push(crowd(&ledger, &life).await);
    }
    let crowd = crowds.into_iter().fold(0.0, f64::max);
    let (one_row, accept) = (median(one_row), median(accept));
    println!("one row, one synced commit, median      {:>8.3} ms   (what the rest is a ratio to)", one_row * 1e3);
    println!("accept_call, one caller, median         {:>8.2} x that time", accept / one_row);
    println!("note_progress, one caller, median       {:>8.2} x that time", median(progress) / one_row);
    println!("latest 50 turns, one reader, median     {:>8.2} x that time", median(read) / one_row);
    println!("accept_call, {CALLERS} callers, throughput     {:>8.2} x one caller's", crowd * accept);
    println!("                                        {:>8.2} x rows committed one by one", crowd * one_row);
}
