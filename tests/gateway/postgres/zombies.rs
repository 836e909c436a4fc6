//! A process that is stopped for longer than its lease and then continues: what it still writes of files and schedules is
//! refused (P9).

use futures_util::StreamExt;
use imperal_tests::campaigns::nodes::Fleet;
use imperal_tests::{Node, User, cluster, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_postgres::Client;

async fn fleet(name: &str) -> (Fleet, Client) {
    let fleet = Fleet::make(name, env!("CARGO_BIN_EXE_probe").as_ref(), 2).await;
    let client = cluster::client_of(&fleet.database.url()).await;
    (fleet, client)
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// Stops a node until the others have ended its incarnation, and lets it go on.
async fn make_zombie(node: &Node, client: &Client) {
    node.signal("STOP").await;
    eventually("the end of the incarnation", async || {
        (number(client, "SELECT count(*) FROM imperal.node WHERE lease_until IS NULL").await == 1).then_some(())
    })
    .await;
}

/// The bytes may arrive in the store; the row never says so, and the sweep removes both.
#[tokio::test(flavor = "multi_thread")]
async fn zombie_stores_no_upload() {
    let (fleet, client) = fleet("zombie_files").await;
    let nodes = fleet.start_all().await;
    let anna = User::of(&nodes[0], "anna");
    let (sender, mut parts) = mpsc::channel::<Vec<u8>>(8);
    let body = futures_util::stream::poll_fn(move |cx| parts.poll_recv(cx)).map(Ok::<_, std::io::Error>);
    let request = anna.request(Method::POST, "/v1/files").query(&[("app", "probe"), ("name", "a.bin")]);
    let uploading = tokio::spawn(request.body(reqwest::Body::wrap_stream(body)).send());
    sender.send(vec![1; 1 << 20]).await.unwrap();
    let pending = "SELECT count(*) FROM imperal.file WHERE state = 'pending'";
    eventually("the row", async || (number(&client, pending).await == 1).then_some(())).await;
    make_zombie(&nodes[0], &client).await;
    sender.send(vec![2; 1 << 20]).await.unwrap();
    drop(sender);
    nodes[0].signal("CONT").await;
    let refused = uploading.await.unwrap();
    assert!(refused.as_ref().map_or(true, |answer| answer.status() == 503), "it may upload again: {refused:?}");
    assert_eq!(number(&client, "SELECT count(*) FROM imperal.file WHERE sha256 IS NOT NULL").await, 0);
    let there = anna.at(&nodes[1]);
    assert_eq!(there.get("/v1/files").await.1["files"], json!([]));
    let again = there.request(Method::POST, "/v1/files").query(&[("app", "probe"), ("name", "a.bin")]);
    assert_eq!(User::send(again.body("again")).await.0, 201, "another node takes it");
}

async fn schedule(user: &User, id: &str) -> Value {
    user.get(&format!("/v1/schedules/{id}")).await.1
}

/// A run of the stopped process is interrupted by the others; when it goes on it changes neither the history nor the next
/// time, and the next run is one.
#[tokio::test(flavor = "multi_thread")]
async fn zombie_writes_no_end_of_a_scheduled_run() {
    let (fleet, client) = fleet("zombie_schedules").await;
    let first = fleet.start(0).await;
    let anna = User::of(&first, "anna");
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", service.local_addr().unwrap());
    let new = json!({"name": "Waiting", "app_id": "probe", "function": "hang", "params": {"url": url},
        "when": {"every_seconds": 3600}});
    let (status, made) = anna.post("/v1/schedules", &new).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    anna.post(&format!("/v1/schedules/{id}/run"), &json!({})).await;
    let (waiting, _) = service.accept().await.unwrap();
    let second = fleet.start(1).await;
    let there = anna.at(&second);
    make_zombie(&first, &client).await;
    let ended = eventually("the end of the run", async || {
        let shown = schedule(&there, &id).await;
        (shown["last_run"]["state"] == "interrupted").then_some(shown)
    })
    .await;
    drop(waiting);
    first.signal("CONT").await;
    // It notices that its incarnation has ended, and joins again.
    eventually("a new incarnation", async || {
        let current = "SELECT count(*) FROM imperal.node WHERE lease_until IS NOT NULL";
        (number(&client, current).await == 2).then_some(())
    })
    .await;
    let after = schedule(&there, &id).await;
    assert_eq!((&after["last_run"], &after["next_at"]), (&ended["last_run"], &ended["next_at"]));
    assert_eq!((&after["counts"]["runs"], &after["counts"]["failures"]), (&json!(1), &json!(1)));
    there.post(&format!("/v1/schedules/{id}/run"), &json!({})).await;
    drop(service.accept().await.unwrap());
    eventually("the next run", async || (schedule(&there, &id).await["counts"]["runs"] == 2).then_some(())).await;
    let asked = there.turns().await.into_iter().filter(|turn| turn["role"] == "user").count();
    assert_eq!(asked, 2, "one call for each time");
}
