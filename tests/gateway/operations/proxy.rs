//! Two nodes behind nginx with the configuration in `deploy/nginx.conf`.

use std::time::Duration;

use imperal_tests::cluster::Database;
use imperal_tests::{Claims, JWT_SECRET, NodeOptions, User, token};
use serde_json::json;

use super::nginx::Nginx;

#[tokio::test]
async fn nginx_streams_at_once_and_skips_a_dead_node() {
    let database = Database::make("proxy").await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let options = [&folders[0], &folders[1]].map(|folder| {
        let mut options: NodeOptions = crate::options(folder);
        options.env.push(("IMPERAL_DATABASE_URL".to_owned(), database.url()));
        options.args.extend(["--lease", "3"].map(str::to_owned));
        options
    });
    let (first, second) = tokio::join!(options[0].start(), options[1].start());
    let nginx = Nginx::start([&first.url, &second.url]);
    let anna = User::behind(&nginx.url, &token(&Claims::of("anna"), JWT_SECRET));
    nginx.serves(&anna).await;
    let mut events = anna.stream(0).await;
    assert_eq!(events.next().await.event, "hello", "the first event waits for more");
    let called = anna.call("steps", json!({"steps": 4, "step_ms": 300})).await;
    let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    let mut running = 0;
    let outcome = async {
        loop {
            let event = events.next().await;
            if event.event == "turn" && event.data["task_id"] == task_id && !event.data["result"].is_null() {
                return;
            }
            // Progress arrives during the work, not all at its end.
            let (_, task) = anna.get(&format!("/v1/tasks/{task_id}")).await;
            running += usize::from(event.event == "progress" && task["state"] == "running");
        }
    };
    tokio::time::timeout(Duration::from_secs(30), outcome).await.expect("the outcome comes through");
    assert!(running > 0, "progress came only when the work was over");
    // One node is enough to accept calls; two calls per node.
    first.kill().await;
    for _ in 0..4 {
        anna.call("steps", json!({"steps": 1, "step_ms": 1})).await;
    }
    second.terminate().await;
}
