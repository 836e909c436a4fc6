//! The database lost for a while, in each way in which one can be.

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

/// Waits for the outcome as a client does: the stream is opened again, from where it broke, as often
/// as it breaks. The numbers that were shown.
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

/// What is refused says so at once, with a reason for whoever runs the node; what ran goes on.
async fn refuses_and_goes_on(name: &str, way: Way) {
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
    // Not a matter of speed: without limits it would never end.
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

/// A refused call left nothing; one that may have been accepted has its reply, if it was.
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
async fn a_database_out_of_reach_is_waited_for() {
    refuses_and_goes_on("cut", Way::Cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_falls_silent_holds_nobody_up() {
    refuses_and_goes_on("silent", Way::Silent).await;
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

/// One of two nodes is cut off past its lease, and its work goes on: the other ends it, and that is
/// the one outcome.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_past_its_lease_is_fenced() {
    let collector = Collector::start().await;
    let fleet = fleet("fenced", 2).await.traced(&collector);
    let nodes = fleet.start_all().await;
    let anna = User::of(&nodes[0], "anna");
    let there = anna.at(&nodes[1]);
    // It would be over a second after the lease.
    let task_id = start_steps(&anna, u32::try_from(LEASE).unwrap() * 10 + 10).await;
    fleet.way(0).set(Way::Cut);
    outcome(&there, &task_id).await;
    assert_eq!(there.get(&format!("/v1/tasks/{task_id}")).await.1["state"], "reclaimed");
    // Its own end comes due while it is cut off.
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
    // The same as a trace: renewals that failed, the one that was fenced, and what the other settled.
    let seen = |spans: &[Span], name: &str, outcome: Option<&str>| {
        spans.iter().any(|span| span.name == name && attribute(&span.attributes, "outcome") == outcome)
    };
    let all = |spans: &[Span]| {
        ["unavailable", "fenced"].iter().all(|outcome| seen(spans, "lease renew", Some(outcome)))
            && seen(spans, "ledger reclaim_task", None)
            && seen(spans, "task steps", Some("lost"))
    };
    collector.until(all).await;
}

/// All nodes lose the database past their lease: whoever comes back first does not end the others.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_past_the_lease_costs_no_work_where_all_come_back() {
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

/// A node that starts just when the database is back knows nothing of the outage.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_past_the_lease_costs_no_work_where_a_node_starts_first() {
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
    // What its own earlier life has left does not wait.
    let (_, task) = ben.at(&second).get(&format!("/v1/tasks/{its_own}")).await;
    assert_eq!(task["state"], "reclaimed", "{task}");
    fleet.way(0).set(Way::Open);
    outcome(&anna, &task_id).await;
    let (_, task) = anna.get(&format!("/v1/tasks/{task_id}")).await;
    assert_eq!(task["state"], "succeeded", "{task}");
}

/// All nodes stand still past their lease, as on a machine that is starved: whoever goes on
/// first does not end the others.
#[tokio::test(flavor = "multi_thread")]
async fn standing_still_past_the_lease_costs_no_work_where_all_go_on() {
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
        // As busy as the machine is.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for (user, task_id) in users.iter().zip(&task_ids) {
        outcome(user, task_id).await;
        let (_, task) = user.get(&format!("/v1/tasks/{task_id}")).await;
        assert_eq!(task["state"], "succeeded", "{task}");
    }
}
