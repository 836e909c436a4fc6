//! A check of one page: acknowledgement, attempts, failure, cancel, the second caller.

use imperal::ledger::TaskState;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

use super::{Scene, answer, result, rows, run};

#[tokio::test(start_paused = true)]
async fn a_slow_page_is_acknowledged_at_once_and_answered_later() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let asked = Instant::now();
    let task = anna.start("check_site_speed", json!({"url": "slow.example.com"})).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "the service takes fifty");
    let ack = anna.turns().await.pop().unwrap();
    assert_eq!(
        ack.body.text,
        "Checking https://slow.example.com (mobile). The result comes here and into the history."
    );
    assert_eq!(anna.end_of(task).await.state, TaskState::Succeeded);
    assert!(asked.elapsed() >= Duration::from_secs(50));
    let outcome = anna.outcomes(task).await.remove(0);
    assert!(outcome.body.text.starts_with("https://slow.example.com: Performance "), "{}", outcome.body.text);
    let data = &result(&outcome).data;
    assert_eq!(data["status"], "completed");
    assert_eq!(data["lab"].as_array().unwrap().len(), 3);
    assert_eq!(rows(&anna).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_busy_answers_leave_one_finished_row() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let begun = Instant::now();
    let (task, _) = run(&anna, "check_site_speed", json!({"url": "busy.example.com"})).await;
    assert_eq!(task.state, TaskState::Succeeded);
    assert!(begun.elapsed() >= Duration::from_secs(3 + 6 + 6), "it waited 3 s and 6 s, and measured for 6");
    let rows = rows(&anna).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["status"], "completed");
}

#[tokio::test(start_paused = true)]
async fn three_failures_leave_one_failed_row_with_its_reason() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let (task, outcome) = run(&anna, "check_site_speed", json!({"url": "broken.example.com"})).await;
    assert_eq!(task.state, TaskState::Failed);
    assert_eq!(result(&outcome).error_code.as_ref().unwrap(), "THROTTLED");
    assert!(result(&outcome).retryable);
    let rows = rows(&anna).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["status"], "failed");
    let whole = answer(&anna, "get_speed_snapshot", json!({"snapshot_id": rows[0]["snapshot_id"]})).await;
    assert_eq!(whole.data["error"], "The page-speed service could not measure the page in three attempts.");
}

#[tokio::test(start_paused = true)]
async fn permanent_errors_are_not_retried() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    for (url, code) in [("nowhere.example.com", "BAD_URL"), ("odd.example.com", "BAD_ANSWER")] {
        let begun = Instant::now();
        let (_, outcome) = run(&anna, "check_site_speed", json!({"url": url})).await;
        assert_eq!(result(&outcome).error_code.as_ref().unwrap(), code);
        assert!(begun.elapsed() < Duration::from_secs(3), "no wait before a second attempt");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_without_visitors_has_no_zero_metrics() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let (_, outcome) = run(&anna, "check_site_speed", json!({"url": "nodata.example.com"})).await;
    assert_eq!(result(&outcome).data["has_field_data"], false);
    assert_eq!(result(&outcome).data["field"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_check_leaves_no_row() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let task = anna.start("check_site_speed", json!({"url": "slow.example.com"})).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let asked = Instant::now();
    anna.cancel(task).await;
    assert_eq!(anna.end_of(task).await.state, TaskState::Cancelled);
    assert!(asked.elapsed() < Duration::from_secs(1));
    assert_eq!(rows(&anna).await.len(), 0, "the task itself says how it ended");
}

#[tokio::test(start_paused = true)]
async fn a_second_check_is_refused_for_its_user_only() {
    let scene = Scene::start().await;
    let (anna, ben) = (scene.connected("anna").await, scene.connected("ben").await);
    let page = json!({"url": "slow.example.com"});
    let first = anna.start("check_site_speed", page.clone()).await;
    let second = answer(&anna, "check_site_speed", page.clone()).await;
    assert_eq!(second.error_code.unwrap(), "ALREADY_RUNNING");
    anna.start("check_site_speed", json!({"url": "slow.example.com", "strategy": "desktop"})).await;
    ben.start("check_site_speed", page.clone()).await;
    anna.end_of(first).await;
    anna.start("check_site_speed", page).await;
}

#[tokio::test(start_paused = true)]
async fn invalid_input_names_its_field() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let refused = anna.call("check_site_speed", json!({"url": "x.com", "strategy": "tablet"})).await.unwrap_err();
    assert_eq!(refused.field(), Some("strategy"));
    let refused = answer(&anna, "check_site_speed", json!({"url": "no page"})).await;
    assert_eq!(refused.error_code.unwrap(), "VALIDATION_TYPE_ERROR");
    let stranger = scene.platform.user("carl");
    let refused = answer(&stranger, "check_site_speed", json!({"url": "example.com"})).await;
    assert_eq!(refused.error_code.unwrap(), "SECRET_MISSING");
}
