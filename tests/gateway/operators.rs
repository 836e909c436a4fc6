//! Operators over HTTP: tasks of all users, in bulk, and paused durable tasks.

use imperal_tests::{Claims, JWT_SECRET, Node, User, eventually, token};
use serde_json::{Value, json};

use crate::node;

pub(crate) fn with_scope(node: &Node, tenant: &str, scope: &str) -> User {
    let claims =
        Claims { tenant_id: Some(tenant.to_owned()), scopes: vec![scope.to_owned()], ..Claims::of("operator") };
    User::with_token(node, &token(&claims, JWT_SECRET))
}

/// Starts a task that asks, and waits until it is parked.
async fn parked(user: &User) -> String {
    user.call("inquire_user", json!({"what": "choice"})).await;
    loop {
        let (_, active) = user.get("/v1/tasks/active").await;
        if let Some(task) = active["tasks"].as_array().unwrap().iter().find(|task| task["state"] == "waiting") {
            return task["task_id"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn ids(page: &Value) -> Vec<&str> {
    page["tasks"].as_array().unwrap().iter().map(|task| task["task"]["task_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn operator_lists_and_cancels_the_tasks_of_all_users() {
    let (_folder, node) = node().await;
    let (anna, ben) = (User::of(&node, "anna"), User::of(&node, "ben"));
    let (annas, bens) = (parked(&anna).await, parked(&ben).await);
    let operator = with_scope(&node, "default", "tasks:operate:all");
    let (status, all) = operator.get("/v1/operator/tasks").await;
    assert_eq!(status, 200, "{all}");
    let mut listed = ids(&all);
    listed.sort_unstable();
    let mut wanted = vec![annas.as_str(), bens.as_str()];
    wanted.sort_unstable();
    assert_eq!(listed, wanted);
    for (filter, wanted) in [
        ("user=ben", vec![bens.as_str()]),
        ("user=ben&task=inquire&state=waiting&waits_for=answer&app=probe&function=inquire_user", vec![bens.as_str()]),
        ("tenant=default&user=ben", vec![bens.as_str()]),
        ("tenant=elsewhere&user=ben", vec![]),
        ("user=ben&state=stuck", vec![]),
        ("task=other", vec![]),
        ("suspect=true", vec![]),
        ("queue=narrow", vec![]),
    ] {
        let (_, page) = operator.get(&format!("/v1/operator/tasks?{filter}")).await;
        assert_eq!(ids(&page), wanted, "{filter}: {page}");
    }
    let (_, first) = operator.get("/v1/operator/tasks?limit=1").await;
    let (_, rest) = operator.get(&format!("/v1/operator/tasks?after={}", first["next"].as_str().unwrap())).await;
    assert_eq!((ids(&first).len(), ids(&rest).len()), (1, 1), "{first} {rest}");
    assert_eq!(operator.get("/v1/operator/tasks?after=x").await.0, 400);

    // Of another tenant: empty.
    let elsewhere = with_scope(&node, "elsewhere", "tasks:operate");
    let (_, empty) = elsewhere.get("/v1/operator/tasks").await;
    assert_eq!(ids(&empty), Vec::<&str>::new());
    let body = json!({"task_ids": [bens]});
    let (_, denied) = elsewhere.post("/v1/operator/tasks/cancel", &body).await;
    assert_eq!(denied["tasks"][0]["outcome"], "not_found", "{denied}");
    let tries = elsewhere.audit().await;
    assert_eq!((tries.len(), &tries[0]["outcome"], &tries[0]["target"]), (1, &json!("refused"), &json!(bens)));

    let (status, done) = operator.post("/v1/operator/tasks/cancel", &body).await;
    assert_eq!((status.as_u16(), &done["tasks"][0]["outcome"]), (200, &json!("cancelled")), "{done}");
    assert_eq!(ben.end_of(&bens).await["state"], "cancelled");
    let (_, again) = operator.post("/v1/operator/tasks/cancel", &body).await;
    assert_eq!(again["tasks"][0]["outcome"], "unchanged");
    let rows = ben.audit().await;
    let row = rows.iter().find(|row| row["action"] == "task.cancel").unwrap();
    assert_eq!(row["actor"], "operator:default/operator", "in the trail of the task's user: {row}");
    let (_, retried) = operator.post("/v1/operator/tasks/retry", &json!({"task_ids": [annas]})).await;
    assert_eq!(retried["tasks"][0]["outcome"], "unchanged", "it waits for an answer");
    let many: Vec<&str> = vec![&annas; 101];
    let (status, refused) = operator.post("/v1/operator/tasks/cancel", &json!({"task_ids": many})).await;
    assert_eq!((status.as_u16(), &refused["error"]["field"]), (422, &json!("task_ids")), "{refused}");
}

#[tokio::test]
async fn paused_task_waits_until_it_is_resumed() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let operator = with_scope(&node, "default", "tasks:operate:all");
    let pause = |paused: bool| json!({"app_id": "probe", "task_name": "inquire", "paused": paused});
    let (status, changed) = operator.post("/v1/operator/paused", &pause(true)).await;
    assert_eq!((status.as_u16(), &changed["changed"]), (200, &json!(true)), "{changed}");
    let (_, paused) = operator.get("/v1/operator/paused").await;
    assert_eq!(paused["paused"][0]["by"], "operator:default/operator", "{paused}");
    anna.call("inquire_user", json!({"what": "choice", "within_ms": 100})).await;
    let (_, active) = anna.get("/v1/tasks/active").await;
    let task = &active["tasks"][0];
    assert_eq!((&task["state"], &task["waits_for"]), (&json!("queued"), &json!("paused")), "{active}");
    let (_, queued) = operator.get("/v1/operator/tasks?waits_for=paused").await;
    assert_eq!(ids(&queued), [task["task_id"].as_str().unwrap()]);
    let (_, changed) = operator.post("/v1/operator/paused", &pause(false)).await;
    assert_eq!(changed["changed"], true);
    assert_eq!(anna.end_of(task["task_id"].as_str().unwrap()).await["state"], "succeeded");
    let rows = operator.audit().await;
    let actions: Vec<_> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["task.pause", "task.resume"]);

    let unknown = json!({"app_id": "probe", "task_name": "inqire", "paused": true});
    let (status, refused) = operator.post("/v1/operator/paused", &unknown).await;
    assert_eq!(status, 404);
    assert!(refused["error"]["message"].as_str().unwrap().contains("`probe/inquire`"), "{refused}");
    let of_tenant = with_scope(&node, "tenant", "tasks:operate");
    for (status, _) in [
        of_tenant.post("/v1/operator/paused", &pause(true)).await,
        of_tenant.post("/v1/operator/paused", &pause(false)).await,
        of_tenant.get("/v1/operator/paused").await,
        of_tenant.get("/v1/operator/queues").await,
    ] {
        assert_eq!(status, 403, "it concerns all tenants");
    }
    let rows = of_tenant.audit().await;
    let actions: Vec<_> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["task.pause", "task.resume", "task.paused", "task.queues"]);
}

/// How often this node has taken up a suspect, and how many of them run on it.
async fn suspects_taken(user: &User) -> [String; 2] {
    let (_, text) = user.get("/metrics").await;
    let value = |name: &str| {
        text.as_str().unwrap().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap().to_owned()
    };
    ["imperal_durable_attempts_total{event=\"suspect\"}", "imperal_durable_suspects"].map(value)
}

#[tokio::test]
async fn suspects_are_listed_and_counted() {
    let (folder, mut node) = node().await;
    let innocent = parked(&User::of(&node, "ben")).await;
    let log = folder.path().join("legs");
    let begun = async |times: usize| {
        let lines = || std::fs::read_to_string(&log).unwrap_or_default().lines().count();
        eventually("the step begins", async || (lines() >= times).then_some(())).await;
    };
    User::of(&node, "anna").call("relay", json!({"legs": 1, "leg_ms": 60_000, "log": log})).await;
    for crash in 1..=2 {
        begun(crash).await;
        node = node.kill().await.start().await;
    }
    let operator = with_scope(&node, "default", "tasks:operate:all");
    let list = async |suspect: bool| operator.get(&format!("/v1/operator/tasks?suspect={suspect}")).await.1;
    let suspects = list(true).await;
    assert_eq!((ids(&suspects).len(), &suspects["tasks"][0]["user_id"]), (1, &json!("anna")), "{suspects}");
    let task = &suspects["tasks"][0]["task"];
    assert_eq!((&task["state"], &task["waits_for"]), (&json!("queued"), &json!("retry")), "{suspects}");
    assert_eq!(ids(&list(false).await), [innocent.as_str()]);
    assert_eq!(suspects_taken(&operator).await, ["0", "0"]);
    begun(3).await;
    assert_eq!(suspects_taken(&operator).await, ["1", "1"]);
    assert_eq!(ids(&list(true).await), ids(&suspects), "until it has stored a step");
}
