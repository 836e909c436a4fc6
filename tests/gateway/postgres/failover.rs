//! The primary dies and the standby takes its place; the nodes' address names both.

use std::time::Duration;

use imperal_tests::User;
use imperal_tests::replicated::Replicated;
use serde_json::json;

use crate::crowd::Crowd;

/// Every acknowledged call is stored, every repeated request is stored once, and tasks that were running end
/// normally.
#[tokio::test(flavor = "multi_thread")]
async fn promoted_standby_has_every_acknowledged_write() {
    let servers = Replicated::start();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let options = folders.each_ref().map(|folder| {
        let mut options = crate::options(folder);
        options.env.push(("IMPERAL_DATABASE_URL".to_owned(), servers.url()));
        options.env.push(("IMPERAL_REQUESTS_PER_SECOND".to_owned(), "0".to_owned()));
        options
    });
    let nodes = tokio::join!(options[0].start(), options[1].start());
    let crowd = Crowd::start(&nodes.0.url);
    crowd.go_on(20).await;
    let anna = User::of(&nodes.1, "anna");
    let called = anna.call("steps", json!({"steps": 60, "step_ms": 100})).await;
    let task_id = called["result"]["data"]["task_id"].as_str().unwrap().to_owned();

    servers.fail_over().await;
    crowd.go_on(40).await;
    assert_eq!(anna.end_of(&task_id).await["state"], "succeeded");
    let (refused, sent_again) = crowd.judge().await;
    println!("{refused} times told to come again, {sent_again} times no answer");
    let ready = async {
        while anna.get("/readyz").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ready).await.expect("the other node has found its way too");
}
