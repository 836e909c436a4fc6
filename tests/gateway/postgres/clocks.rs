//! Nodes with wrong clocks: only the database's clock counts.

use std::path::PathBuf;
use std::time::Duration;

use imperal_tests::User;
use imperal_tests::campaigns::nodes::Fleet;
use serde_json::{Value, json};

fn micros(time: &Value) -> i64 {
    time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

/// The library that changes a process's clock. The command `faketime` would receive the signals instead.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let mut libraries = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    libraries.find(|library| library.exists()).expect("libfaketime is installed: `tests/run` does that")
}

/// One node is an hour ahead, one an hour behind, with a lease of seconds. Neither considers the other dead,
/// no time limit fires, and every stored time is the database's.
#[tokio::test(flavor = "multi_thread")]
async fn clocks_an_hour_wrong_change_nothing() {
    let library = library();
    let mut fleet = Fleet::make("clocks", env!("CARGO_BIN_EXE_probe").as_ref(), 2).await;
    for (number, skew) in [(0, "+1h"), (1, "-1h")] {
        let options = fleet.options_mut(number);
        options.env.push(("LD_PRELOAD".to_owned(), library.display().to_string()));
        options.env.push(("FAKETIME".to_owned(), skew.to_owned()));
        // Only the time of day is wrong; the monotonic clock is not.
        options.env.push(("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()));
    }
    let nodes = fleet.start_all().await;
    let now = jiff::Timestamp::now().as_microsecond();
    let hour = i64::try_from(Duration::from_secs(3000).as_micros()).unwrap();

    let mut claims = imperal_tests::Claims::of("anna");
    claims.exp += 24 * 3600;
    let anna = User::with_token(&nodes[0], &imperal_tests::token(&claims, imperal_tests::JWT_SECRET));
    let there = anna.at(&nodes[1]);
    let mut tasks = Vec::new();
    for user in [&anna, &there] {
        // Longer than a lease: a node that used its own clock would have ended the other's work.
        let called = user.call("steps", json!({"steps": 50, "step_ms": 100})).await;
        tasks.push(called["result"]["data"]["task_id"].as_str().unwrap().to_owned());
    }
    for (task_id, user) in tasks.iter().zip([&there, &anna]) {
        let task = user.end_of(task_id).await;
        assert_eq!(task["state"], "succeeded", "{task}");
        for name in ["created_at", "deadline_at", "finished_at"] {
            assert!((micros(&task[name]) - now).abs() < hour, "{name} of {task}");
        }
    }
    for turn in anna.turns().await {
        assert!((micros(&turn["at"]) - now).abs() < hour, "{turn}");
    }
}
