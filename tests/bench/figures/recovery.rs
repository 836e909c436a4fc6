//! Start on an empty folder, and on the folder of a killed process.

use std::time::Instant;

use imperal_tests::{NodeOptions, User};
use serde_json::json;

use super::Size;
use super::sample::{Sample, Table, rate, time};

/// The limit of running tasks of a user.
const TASKS_OF_A_USER: usize = 100;
const CALLERS: usize = 32;

pub(crate) async fn run(size: Size, table: &mut Table) {
    let mut cold = Sample::default();
    for _ in 0..size.of(10, 1) {
        let folder = tempfile::tempdir_in(".").unwrap();
        let begun = Instant::now();
        let node = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data")).start().await;
        User::of(&node, "anna").call("echo", json!({"text": "first"})).await;
        cold.push(begun.elapsed());
        node.kill().await;
    }
    table.row("from no process and no file to the first call answered, p50", time(cold.median()), "");

    let folder = tempfile::tempdir_in(".").unwrap();
    let node = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data")).start().await;
    let users = size.of(1_000, 2);
    let begun = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let users: Vec<_> =
                (caller..users).step_by(CALLERS).map(|n| User::of(&node, &format!("user-{n}"))).collect();
            tokio::spawn(async move {
                for user in users {
                    for _ in 0..TASKS_OF_A_USER {
                        user.call("stubborn", json!({"millis": 3_600_000})).await;
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let tasks = users * TASKS_OF_A_USER;
    table.row(
        format!("background calls a second over HTTP, {CALLERS} callers, client on the same two cores"),
        format!("{:.0}", rate(tasks, begun.elapsed())),
        "",
    );
    let options = node.kill().await;
    let begun = Instant::now();
    let node = options.start().await;
    let took = begun.elapsed();
    let left = User::of(&node, "user-0").get("/v1/tasks/active").await.1;
    assert_eq!(left["tasks"], json!([]), "nothing is left running");
    table.row(
        format!("killed with {tasks} tasks running: from its start to all of them ended and calls accepted"),
        format!(
            "{} ({:.1} µs a task)",
            time(took.as_secs_f64()),
            took.as_secs_f64() * 1e6 / f64::from(u32::try_from(tasks).unwrap())
        ),
        "",
    );
    node.kill().await;
}
