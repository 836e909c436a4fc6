//! How long a change on one node takes until another node shows it.

use std::time::{Duration, Instant};

use imperal_tests::User;
use imperal_tests::campaigns::nodes::LEASE;
use serde_json::json;

use super::scale::{CALLERS, calls};
use super::{load, median, nodes, rate, worst};

/// Pause before each measurement, so that the measured wait is not the queue behind the one before.
const REST: Duration = Duration::from_millis(100);

/// From `kill -9` to the outcome turn on another node, as a multiple of the lease.
pub(crate) async fn recovery() {
    let mut fleet = nodes("recovery", 2).await;
    let mut multiples = Vec::new();
    for round in 0..10 {
        let user = User::of(&fleet.nodes[0], &format!("user-{round}"));
        let called = user.call("steps", json!({"steps": 10_000, "step_ms": 50})).await;
        let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
        let there = user.at(&fleet.nodes[1]);
        // A different moment between two lease renewals each time.
        tokio::time::sleep(Duration::from_millis(37 * round)).await;
        let first = fleet.nodes.remove(0);
        let begun = Instant::now();
        let options = first.kill().await;
        assert_eq!(there.end_of(&task_id).await["state"], "reclaimed");
        let lease = f64::from(u32::try_from(LEASE).unwrap());
        multiples.push(begun.elapsed().as_secs_f64() / lease);
        fleet.nodes.insert(0, options.start().await);
    }
    println!(
        "from kill -9 to the outcome turn, lease {LEASE} s, 10 kills, load {}: median {:.2} leases, worst {:.2}",
        load(),
        median(multiples.clone()),
        worst(&multiples)
    );
}

/// From the start of the process after a killed one until all tasks of that one have ended and calls are accepted.
pub(crate) async fn left_behind() {
    /// The limit of running tasks of a user.
    const EACH: usize = 100;
    let mut fleet = nodes("left", 1).await;
    calls(&fleet.nodes, "stubborn", &json!({"millis": 3_600_000}), EACH).await;
    let options = fleet.nodes.remove(0).kill().await;
    let begun = Instant::now();
    let node = options.start().await;
    let took = begun.elapsed().as_secs_f64();
    let active = User::of(&node, "user-0").get("/v1/tasks/active").await.1;
    assert_eq!(active["tasks"], json!([]), "nothing is left running");
    fleet.nodes.push(node);
    let tasks = CALLERS * EACH;
    println!(
        "killed with {tasks} tasks of {CALLERS} users running, load {}: {took:.2} s from its next start until all have \
         ended, {:.0} a second",
        load(),
        rate(tasks, took)
    );
}

/// From a call on one node to its reply on a stream of the same node and of another node.
pub(crate) async fn stream() {
    let fleet = nodes("stream", 2).await;
    let user = User::of(&fleet.nodes[0], "anna");
    let mut same = user.stream(0).await;
    let mut other = user.at(&fleet.nodes[1]).stream(0).await;
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for round in 0..220 {
        tokio::time::sleep(REST).await;
        let begun = Instant::now();
        let asked = tokio::spawn({
            let user = user.clone();
            async move { user.call("echo", json!({"text": "hello"})).await }
        });
        let (mut turns_same, mut turns_other) = (0, 0);
        let (mut when_same, mut late_other) = (0.0, 0.0);
        while turns_same < 2 || turns_other < 2 {
            tokio::select! {
                event = same.next(), if turns_same < 2 => if event.event == "turn" {
                    turns_same += 1;
                    when_same = begun.elapsed().as_secs_f64();
                },
                event = other.next(), if turns_other < 2 => if event.event == "turn" {
                    turns_other += 1;
                    late_other = begun.elapsed().as_secs_f64();
                },
            }
        }
        asked.await.unwrap();
        if round >= 20 {
            here.push(when_same * 1e3);
            there.push(late_other * 1e3);
        }
    }
    let (same, other) = (median(here.clone()), median(there.clone()));
    println!(
        "from a call to its reply on a stream, 200 calls, load {}: same node median {same:.1} ms (worst {:.0}), other \
         node median {other:.1} ms (worst {:.0}), {:.1} times as long",
        load(),
        worst(&here),
        worst(&there),
        other / same
    );
}

/// From a cancel on one node to the end of the task on another.
pub(crate) async fn cancel() {
    let fleet = nodes("cancel", 2).await;
    let user = User::of(&fleet.nodes[0], "anna");
    let there = user.at(&fleet.nodes[1]);
    let mut times = Vec::new();
    for _ in 0..50 {
        let called = user.call("steps", json!({"steps": 100_000, "step_ms": 5})).await;
        let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
        let mut events = there.stream(called["turn"]["seq"].as_u64().unwrap()).await;
        tokio::time::sleep(REST).await;
        let begun = Instant::now();
        assert_eq!(there.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await.0, 200);
        loop {
            let event = events.next().await;
            if event.event == "task" && event.data["task_id"] == task_id && event.data["state"] == "cancelled" {
                break;
            }
        }
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    println!(
        "from a cancel on one node to the task's end on another, shown on the first's stream, 50 cancels, load {}: \
         median {:.0} ms, worst {:.0} ms",
        load(),
        median(times.clone()),
        worst(&times)
    );
}
