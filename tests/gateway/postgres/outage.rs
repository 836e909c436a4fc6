//! An outage of the database, of each kind.

use std::time::Duration;

use imperal_tests::campaigns::nodes::{Fleet, LEASE};
use imperal_tests::collector::{Collector, attribute};
use imperal_tests::proxy::Way;
use imperal_tests::{Events, User};
use opentelemetry_proto::tonic::trace::v1::Span;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_secs(60);

async fn fleet(name: &str, nodes: usize) -> Fleet {
    Fleet::make(name, env!("CARGO_BIN_EXE_probe").as_ref(), nodes).await
}

async fn start_steps(user: &User, steps: u32) -> String {
    let called = user.call("steps", json!({"steps": steps, "step_ms": 100})).await;
    called["result"]["data"]["task_id"].as_str().unwrap().to_owned()
}

/// Waits for the outcome as a client does: it reopens a broken stream after its last event. Returns the
/// numbers of all events.
async fn outcome(user: &User, task_id: &str) -> Vec<u64> {
    let mut shown: Vec<u64> = Vec::new();
    let watching = async {
        loop {
            let after = shown.last().copied().unwrap_or_default().to_string();
            let request = user.request(reqwest::Method::GET, "/v1/events/stream").header("last-event-id", after);
            if let Ok(answer) = request.send().await
                && answer.status() == StatusCode::OK
            {
                let mut events = Events::new(answer);
                while let Some(event) = events.try_next().await {
                    shown.extend(event.id);
                    if event.event == "turn" && event.data["task_id"] == task_id && event.data["result"].is_object() {
                        return;
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, watching).await.expect("the outcome is shown");
    shown
}

async fn until_ready(user: &User) {
    let ready = async {
        while user.get("/readyz").await.0 != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, ready).await.expect("the node is ready again");
}

/// Calls are refused at once, the operator sees the reason, and running tasks continue.
async fn refuses_and_continues(name: &str, way: Way) {
    let fleet = fleet(name, 1).await;
    let node = fleet.start(0).await;
    let anna = User::of(&node, "anna");
    let task_id = start_steps(&anna, 25).await;
    fleet.way(0).set(way);

    let begun = Instant::now();
    let (status, ready) = anna.get("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{ready}");
    assert!(ready.as_str().is_some_and(|ready| ready.starts_with("not ready: ")), "{ready}");
    let log = fleet.log(0);
    assert!(log.contains("PostgreSQL"), "the reason is for the operator: {log}");
    let (status, refused) = anna.try_call("echo", json!({"text": "lost"})).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{refused}");
    assert_eq!(refused["error"]["code"], "UNAVAILABLE");
    // No measure of speed: without limits the call would never end.
    assert!(begun.elapsed() < Duration::from_secs(30), "refused after {:?}", begun.elapsed());

    fleet.way(0).set(Way::Open);
    until_ready(&anna).await;
    let shown = outcome(&anna, &task_id).await;
    assert_eq!(shown, (1..=shown.len() as u64).collect::<Vec<_>>(), "the stream has a gap or shows something twice");
    assert_eq!(anna.get(&format!("/v1/tasks/{task_id}")).await.1["state"], "succeeded");
    assert_eq!(anna.outcomes(&task_id).await.len(), 1);
    let message = refused["error"]["message"].as_str().unwrap_or_default();
    judge_refused(&anna, message.contains("Nothing was accepted")).await;
}

/// A refused call has no turn; a call with an unknown outcome has its reply if it was accepted.
async fn judge_refused(anna: &User, for_sure: bool) {
    let asked = |turns: &[Value]| turns.iter().find(|turn| turn["params"]["text"] == "lost").cloned();
    let Some(call) = asked(&anna.turns().await) else { return };
    assert!(!for_sure, "a call of which nothing was accepted is in the chat: {call}");
    let replied = async {
        while !anna.turns().await.iter().any(|turn| turn["call_id"] == call["call_id"] && turn["result"].is_object()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, replied).await.expect("the call has a reply");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_database_refuses_calls_until_it_is_back() {
    refuses_and_continues("cut", Way::Cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_database_refuses_calls_in_time() {
    refuses_and_continues("silent", Way::Silent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_closed_connections_are_replaced() {
    let fleet = fleet("half", 1).await;
    let node = fleet.start(0).await;
    let anna = User::of(&node, "anna");
    let task_id = start_steps(&anna, 10).await;
    fleet.way(0).set(Way::HalfClosed);
    tokio::time::sleep(Duration::from_millis(300)).await;
    fleet.way(0).set(Way::Open);
    until_ready(&anna).await;
    outcome(&anna, &task_id).await;
    assert_eq!(anna.outcomes(&task_id).await.len(), 1);
    assert_eq!(anna.get(&format!("/v1/tasks/{task_id}")).await.1["state"], "succeeded");
}

/// One of two nodes loses the database for longer than its lease while its task runs on. The other node
/// ends the task, with the only outcome.
#[tokio::test(flavor = "multi_thread")]
async fn node_cut_off_past_its_lease_is_fenced() {
    let collector = Collector::start().await;
    let fleet = fleet("fenced", 2).await.traced(&collector);
    let nodes = fleet.start_all().await;
    let anna = User::of(&nodes[0], "anna");
    let there = anna.at(&nodes[1]);
    // The task would end a second after the lease.
    let task_id = start_steps(&anna, u32::try_from(LEASE).unwrap() * 10 + 10).await;
    fleet.way(0).set(Way::Cut);
    outcome(&there, &task_id).await;
    assert_eq!(there.get(&format!("/v1/tasks/{task_id}")).await.1["state"], "reclaimed");
    // The task ends while its node is cut off.
    tokio::time::sleep(Duration::from_secs(2)).await;
    fleet.way(0).set(Way::Open);
    until_ready(&anna).await;
    let rejoined = async {
        while anna.try_call("echo", json!({"text": "again"})).await.0 != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, rejoined).await.expect("the node begins a new life");
    assert_eq!(anna.outcomes(&task_id).await.len(), 1);
    assert_eq!(anna.get(&format!("/v1/tasks/{task_id}")).await.1["state"], "reclaimed");
    assert!(fleet.log(0).contains("the lease was lost"), "{}", fleet.log(0));
    // The trace shows the failed renewals, the fenced one, and the work that the other node settled.
    let seen = |spans: &[Span], name: &str, outcome: Option<&str>| {
        spans.iter().any(|span| span.name == name && attribute(&span.attributes, "outcome") == outcome)
    };
    let all = |spans: &[Span]| {
        ["unavailable", "fenced"].iter().all(|outcome| seen(spans, "lease renew", Some(outcome)))
            && seen(spans, "ledger reclaim_tasks", None)
            && seen(spans, "task steps", Some("lost"))
    };
    collector.until(all).await;
}

/// All nodes lose the database for longer than their lease. The first node that reconnects does not end the
/// others' work.
#[tokio::test(flavor = "multi_thread")]
async fn outage_past_the_lease_ends_no_work_when_all_nodes_return() {
    let fleet = fleet("lenient", 2).await;
    let nodes = fleet.start_all().await;
    let users = [User::of(&nodes[0], "anna"), User::of(&nodes[1], "ben")];
    let mut task_ids = Vec::new();
    for user in &users {
        task_ids.push(start_steps(user, u32::try_from(LEASE).unwrap() * 10 + 60).await);
    }
    for number in 0..2 {
        fleet.way(number).set(Way::Cut);
    }
    tokio::time::sleep(Duration::from_secs(LEASE + 2)).await;
    for number in 0..2 {
        fleet.way(number).set(Way::Open);
    }
    for (user, task_id) in users.iter().zip(&task_ids) {
        until_ready(user).await;
        outcome(user, task_id).await;
        let (_, task) = user.get(&format!("/v1/tasks/{task_id}")).await;
        assert_eq!(task["state"], "succeeded", "{task}");
    }
}

/// A node that starts when the database returns does not know of the outage.
#[tokio::test(flavor = "multi_thread")]
async fn outage_past_the_lease_ends_no_work_when_a_node_starts_first() {
    let fleet = fleet("starts", 2).await;
    let mut nodes = fleet.start_all().await;
    let (anna, ben) = (User::of(&nodes[0], "anna"), User::of(&nodes[1], "ben"));
    let task_id = start_steps(&anna, u32::try_from(LEASE).unwrap() * 10 + 80).await;
    let its_own = start_steps(&ben, 1000).await;
    for number in 0..2 {
        fleet.way(number).set(Way::Cut);
    }
    nodes.pop().unwrap().kill().await;
    tokio::time::sleep(Duration::from_secs(LEASE + 2)).await;
    fleet.way(1).set(Way::Open);
    let second = fleet.start(1).await;
    // Work of the node's own earlier incarnation is settled at once.
    let (_, task) = ben.at(&second).get(&format!("/v1/tasks/{its_own}")).await;
    assert_eq!(task["state"], "reclaimed", "{task}");
    fleet.way(0).set(Way::Open);
    outcome(&anna, &task_id).await;
    let (_, task) = anna.get(&format!("/v1/tasks/{task_id}")).await;
    assert_eq!(task["state"], "succeeded", "{task}");
}

/// All nodes are stopped for longer than their lease, as on an overloaded machine. The first that continues
/// does not end the others' work.
#[tokio::test(flavor = "multi_thread")]
async fn pause_past_the_lease_ends_no_work_when_all_nodes_continue() {
    let fleet = fleet("still", 3).await;
    let nodes = fleet.start_all().await;
    let names = ["anna", "ben", "cleo"];
    let users: Vec<User> = nodes.iter().zip(names).map(|(node, name)| User::of(node, name)).collect();
    let mut task_ids = Vec::new();
    for user in &users {
        task_ids.push(start_steps(user, u32::try_from(LEASE).unwrap() * 10 + 60).await);
    }
    for node in &nodes {
        node.signal("STOP").await;
    }
    tokio::time::sleep(Duration::from_secs(LEASE + 2)).await;
    for node in &nodes {
        node.signal("CONT").await;
        // The time depends on the load of the machine.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for (user, task_id) in users.iter().zip(&task_ids) {
        outcome(user, task_id).await;
        let (_, task) = user.get(&format!("/v1/tasks/{task_id}")).await;
        assert_eq!(task["state"], "succeeded", "{task}");
    }
}
